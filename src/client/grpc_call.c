/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: of the messages that come the last one is the answer (Envoy's rule). */
#include "client/grpc_call.h"

#include "http/grpc.h"

static void on_message(struct nu_grpc_stream *stream, struct nu_buf *message)
{
    struct nu_grpc_call *call = stream->owner;
    nu_grpc_stream_forget(stream, call->answer.len);
    nu_grpc_stream_keep(stream, message->len);
    nu_buf_clear(&call->answer);
    nu_buf_gather(&call->answer, message);
    call->has_answer = true;
}

static void on_closed(struct nu_grpc_stream *stream, const struct nu_grpc_end *end)
{
    struct nu_grpc_call *call = stream->owner;
    struct nu_grpc_end without = {.status = NU_GRPC_INTERNAL, .message = NU_STR("")};
    struct nu_buf answer = call->answer;
    nu_buf_init(&call->answer);
    if (end->status == NU_GRPC_OK && call->has_answer)
        call->on_done(call, end, &answer);
    else
        call->on_done(call, end->status == NU_GRPC_OK ? &without : end, NULL);
    nu_buf_clear(&answer);
}

static const struct nu_grpc_stream_ops stream_ops = {
    .on_message = on_message,
    .on_closed = on_closed,
};

struct nu_grpc_call *nu_grpc_call_create(struct nu_loop *loop, const struct nu_grpc_params *params)
{
    struct nu_grpc_stream *stream = nu_grpc_stream_create(loop, params);
    if (!stream)
        return NULL;
    struct nu_grpc_call *call = nu_arena_calloc(stream->arena, sizeof(*call));
    call->stream = stream;
    stream->ops = &stream_ops;
    stream->owner = call;
    return call;
}

bool nu_grpc_call_send(struct nu_grpc_call *call, struct nu_buf *message)
{
    if (nu_grpc_stream_open(call->stream)) {
        nu_grpc_stream_send(call->stream, message, true);
        return true;
    }
    nu_buf_clear(message);
    return false;
}

void nu_grpc_call_destroy(struct nu_grpc_call **call_ptr)
{
    struct nu_grpc_call *call = *call_ptr;
    *call_ptr = NULL;
    if (!call)
        return;
    nu_buf_clear(&call->answer);
    nu_grpc_stream_destroy(&call->stream);
}
