/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What host functions see of a connection, and what they leave there to be done when the guest has
 * returned: http_stream.h for network filters. The filter (filters/network/wasm) embeds it.
 */
#ifndef NU_WASM_TCP_STREAM_H
#define NU_WASM_TCP_STREAM_H

#include "net/network_filter.h"
#include "wasm/vm.h"

enum nu_wasm_side {
    NU_WASM_DOWNSTREAM, /* from the client */
    NU_WASM_UPSTREAM,   /* to it */
    NU_WASM_SIDE_COUNT,
};

struct nu_wasm_tcp_stream {
    struct nu_network_filter *filter; /* borrowed: it embeds this */
    struct nu_wasm_context context;
    struct nu_buf *data[NU_WASM_SIDE_COUNT]; /* what the callback that runs is about, or NULL */
    bool keeps[NU_WASM_SIDE_COUNT];          /* the guest stopped it: the connection has it */
    bool edited;                             /* what the connection has was changed */
    bool is_calling;                         /* one of the filter's callbacks is on the stack */
    uint32_t bytes_taken;                    /* of the connection's memory, by the guest */
    /* Asked for by the guest: */
    bool goes_on;
    bool closes;
    struct nu_turn_task later; /* does it, when nothing of the filter is on the stack */
};

/* What was asked for must be done: at the turn's end, unless a callback of the filter runs, which
 * does it itself. */
static inline void nu_wasm_tcp_stream_wake(struct nu_wasm_tcp_stream *stream)
{
    if (!stream->is_calling)
        nu_loop_at_turn_end(stream->context.vm->loop, &stream->later);
}

/* The bytes that the guest may read and change now: the callback's, or what it keeps. NULL: none. */
static inline struct nu_buf *nu_wasm_tcp_data(const struct nu_wasm_tcp_stream *stream,
                                              enum nu_wasm_side side)
{
    if (stream->data[side] || !stream->keeps[side])
        return stream->data[side];
    return side == NU_WASM_DOWNSTREAM ? nu_network_filter_input(stream->filter)
                                      : nu_network_filter_output(stream->filter);
}

/* A connection's context below a root, which it holds; its id is told to the guest. */
void nu_wasm_tcp_stream_open(struct nu_wasm_tcp_stream *stream, struct nu_wasm_context *root);
/* Ends it: on_done, on_log and on_delete, if the guest lives. */
void nu_wasm_tcp_stream_close(struct nu_wasm_tcp_stream *stream);

/* The connection of the context that host functions act for, or NULL. */
static inline struct nu_wasm_tcp_stream *nu_wasm_vm_tcp_stream(const struct nu_wasm_vm *vm)
{
    return vm->effective->tcp;
}

#endif
