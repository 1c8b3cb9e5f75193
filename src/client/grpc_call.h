/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gRPC call of one message each way, on a stream (client/grpc_stream.h), which lives and is destroyed
 * like it:
 *
 *     create -> add metadata to `stream` -> send -> on_done -> destroy
 */
#ifndef NU_CLIENT_GRPC_CALL_H
#define NU_CLIENT_GRPC_CALL_H

#include "client/grpc_stream.h"

struct nu_grpc_call {
    /* Called once, from a task of the turn's end. `answer` is NULL unless the status is OK; what is
     * not moved out of it is dropped. */
    void (*on_done)(struct nu_grpc_call *call, const struct nu_grpc_end *end,
                    struct nu_buf *answer);
    void *owner;                   /* for on_done */
    struct nu_grpc_stream *stream; /* owned; the call is in its arena */

    /* Private. */
    struct nu_buf answer;
    bool has_answer;
};

/* A call to the loop's cluster of this name, or NULL if there is none. */
struct nu_grpc_call *nu_grpc_call_create(struct nu_loop *loop, const struct nu_grpc_params *params);
/* Sends the message, whose bytes it takes. False if it failed at once: on_done is not called then. */
NU_MUST_USE bool nu_grpc_call_send(struct nu_grpc_call *call, struct nu_buf *message);
/* Clears the pointer; NULL inside is allowed. */
void nu_grpc_call_destroy(struct nu_grpc_call **call);

#endif
