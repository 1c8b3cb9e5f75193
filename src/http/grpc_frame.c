/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of gRPC's messages, and messages out of slices. */
#include "http/grpc_frame.h"

void nu_grpc_head_write(uint32_t length, char out[NU_GRPC_HEAD_BYTES])
{
    out[0] = 0;
    for (unsigned i = 1; i < NU_GRPC_HEAD_BYTES; i++)
        out[i] = (char)(length >> 8 * (NU_GRPC_HEAD_BYTES - 1 - i));
}

struct nu_grpc_head nu_grpc_head_read(const char bytes[NU_GRPC_HEAD_BYTES])
{
    struct nu_grpc_head head = {.flags = (uint8_t)bytes[0]};
    for (unsigned i = 1; i < NU_GRPC_HEAD_BYTES; i++)
        head.length = head.length << 8 | (unsigned char)bytes[i];
    return head;
}

/* As Envoy judges it: an empty message may say that it is compressed. */
static bool is_broken(const struct nu_grpc_head *head)
{
    return head->flags > NU_GRPC_FLAG_COMPRESSED || (head->flags && head->length);
}

enum nu_grpc_read nu_grpc_reader_next(struct nu_grpc_reader *reader, struct nu_buf *message)
{
    char bytes[NU_GRPC_HEAD_BYTES];
    if (nu_buf_copy_out(&reader->bytes, 0, bytes, sizeof(bytes)) < sizeof(bytes))
        return NU_GRPC_READ_MORE;
    struct nu_grpc_head head = nu_grpc_head_read(bytes);
    if (is_broken(&head))
        return NU_GRPC_READ_BROKEN;
    if (head.length > reader->max_bytes)
        return NU_GRPC_READ_TOO_LONG;
    if (reader->bytes.len - NU_GRPC_HEAD_BYTES < head.length)
        return NU_GRPC_READ_MORE;
    nu_buf_drain(&reader->bytes, NU_GRPC_HEAD_BYTES);
    nu_buf_move(message, &reader->bytes, head.length);
    return NU_GRPC_READ_MESSAGE;
}
