/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of a gRPC message in pieces, whose sizes the first byte says, with a bound of messages from
 * the second. Checked: the same messages come out in whatever pieces it came, none is over the bound,
 * none is lost, and a body that is broken stays so.
 */
#include "base/assert.h"
#include "http/grpc_frame.h"
#include "target.h"

struct outcome {
    enum nu_grpc_read end;
    struct nu_buf messages;
    size_t count;
    size_t left;
};

static void read_on(struct nu_grpc_reader *reader, struct outcome *outcome)
{
    while (outcome->end == NU_GRPC_READ_MORE) {
        size_t before = outcome->messages.len;
        enum nu_grpc_read read = nu_grpc_reader_next(reader, &outcome->messages);
        if (read != NU_GRPC_READ_MESSAGE) {
            outcome->end = read;
            return;
        }
        nu_assert(outcome->messages.len - before <= reader->max_bytes);
        outcome->count++;
    }
}

static struct outcome read_in_pieces(struct nu_str body, size_t piece, uint32_t max_bytes)
{
    struct nu_grpc_reader reader = {.max_bytes = max_bytes};
    struct outcome outcome = {.end = NU_GRPC_READ_MORE};
    while (body.len) {
        struct nu_str part = nu_str_first(body, piece);
        nu_buf_append(&reader.bytes, part);
        body = nu_str_skip(body, part.len);
        read_on(&reader, &outcome);
        if (outcome.end != NU_GRPC_READ_MORE)
            nu_assert(nu_grpc_reader_next(&reader, &outcome.messages) == outcome.end);
    }
    outcome.left = reader.bytes.len;
    nu_buf_clear(&reader.bytes);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct nu_str body = nu_str_make((const char *)data + 2, size - 2);
    uint32_t max_bytes = data[1] == 255 ? UINT32_MAX : data[1];
    struct outcome whole = read_in_pieces(body, body.len + 1, max_bytes);
    struct outcome parts = read_in_pieces(body, (size_t)data[0] + 1, max_bytes);
    nu_assert(whole.end == parts.end && whole.count == parts.count);
    nu_assert(whole.messages.len == parts.messages.len && whole.left == parts.left);
    nu_assert(whole.messages.len + whole.count * NU_GRPC_HEAD_BYTES + whole.left == body.len);
    nu_buf_clear(&whole.messages);
    nu_buf_clear(&parts.messages);
    return 0;
}
