/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What host functions see of a request, and what they leave there to be done when the guest has
 * returned. The filter (filters/http/wasm) embeds it in its instance and says in each callback what
 * there is.
 */
#ifndef NU_WASM_HTTP_STREAM_H
#define NU_WASM_HTTP_STREAM_H

#include "filter/chain.h"
#include "wasm/vm.h"

enum {
    NU_WASM_STREAM_BYTES_MAX = 16 * 1024 * 1024,
    NU_WASM_BODY_BYTES_MAX = 64 * 1024 * 1024,
};

struct nu_wasm_http_stream {
    struct nu_filter *filter; /* borrowed: it embeds this */
    struct nu_wasm_context context;
    /* What the guest may read and change now, by enum nu_wasm_map; NULL: not there. */
    struct nu_headers *maps[NU_WASM_RESPONSE_TRAILERS + 1];
    struct nu_buf *bodies[2]; /* by direction: what the callback that runs is about, or NULL */
    bool keeps[2];            /* the guest buffers it: between callbacks it is the chain's */
    bool edited[2];           /* what the chain keeps was changed, and may be too long now */
    bool is_calling;          /* one of the filter's callbacks is on the stack */
    bool in_log;              /* maps are those of the stream's end, and only to be read */
    bool may_add_trailers[2]; /* the message ends with the present data callback */
    bool route_changed;       /* request headers were changed */
    uint32_t bytes_taken;     /* of the stream's memory, by the guest */
    /* Asked for by the guest: */
    bool goes_on[2];
    bool resets;
    bool replies;
    bool has_replied;          /* of several replies the first stands */
    struct nu_reply reply;     /* in stream memory */
    struct nu_turn_task later; /* does it, when nothing of the filter is on the stack */
};

/* What was asked for must be done: at the turn's end, unless a callback of the filter runs, which
 * does it itself. */
void nu_wasm_http_stream_wake(struct nu_wasm_http_stream *stream);

/*
 * Counts bytes that the guest is about to have copied into the stream's memory, in so many entries.
 * False, which is told once, if it has had its share: a guest's own memory is bounded, and a
 * request must not be the way around that.
 */
NU_MUST_USE bool nu_wasm_http_stream_take(struct nu_wasm_http_stream *stream, size_t bytes,
                                          size_t entries);

/* The stream of the context that host functions act for, or NULL. */
static inline struct nu_wasm_http_stream *nu_wasm_vm_stream(const struct nu_wasm_vm *vm)
{
    return vm->effective->stream;
}

/* The body as the guest may read and change it now: the callback's, or what it buffers until the
 * stream is closed. NULL: it is not there. Look it up for each use: the chain may pass it on. */
static inline struct nu_buf *nu_wasm_http_body(const struct nu_wasm_http_stream *stream,
                                               enum nu_direction dir)
{
    if (stream->bodies[dir] || !stream->keeps[dir])
        return stream->bodies[dir];
    return dir == NU_DECODE ? nu_filter_decoding_buffer(stream->filter)
                            : nu_filter_encoding_buffer(stream->filter);
}

/* The map as the guest may read it now; NULL: it is not there. */
struct nu_headers *nu_wasm_http_map(struct nu_wasm_http_stream *stream, enum nu_wasm_map map);

#endif
