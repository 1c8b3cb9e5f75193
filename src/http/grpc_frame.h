/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages in the body of a gRPC request or response: each behind a head of five bytes, flags and a
 * length.
 */
#ifndef NU_HTTP_GRPC_FRAME_H
#define NU_HTTP_GRPC_FRAME_H

#include "base/buf.h"

enum {
    NU_GRPC_HEAD_BYTES = 5,
    NU_GRPC_FLAG_COMPRESSED = 1, /* the only flag there is */
};

struct nu_grpc_head {
    uint8_t flags;
    uint32_t length; /* of the message behind it */
};

/* Writes the head of a message that is not compressed. */
void nu_grpc_head_write(uint32_t length, char out[NU_GRPC_HEAD_BYTES]);
struct nu_grpc_head nu_grpc_head_read(const char bytes[NU_GRPC_HEAD_BYTES]);

/* Reads a body as it comes. `bytes` belongs to the reader: zeroed at first, cleared at the end. */
struct nu_grpc_reader {
    struct nu_buf bytes; /* add what comes at its end */
    uint32_t max_bytes;  /* of a message */
};

enum nu_grpc_read {
    NU_GRPC_READ_MORE,     /* no message is whole */
    NU_GRPC_READ_MESSAGE,  /* one was taken */
    NU_GRPC_READ_TOO_LONG, /* the next one says that it is longer than may be */
    NU_GRPC_READ_BROKEN,   /* the next one is compressed, which nobody asked for, or no message */
};

/* Takes the next message off the front of the bytes and moves it to the end of `message`. After a
 * failure nothing more can be read. */
enum nu_grpc_read nu_grpc_reader_next(struct nu_grpc_reader *reader, struct nu_buf *message);

#endif
