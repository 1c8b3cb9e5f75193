/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter chain of one stream: runs the callbacks of nuncio/filter.h in order, keeps what filters
 * stopped, and goes on where they continue. It does not know who owns it: the connection manager, an
 * upstream chain or a mirrored request fill the ops below and stand above it.
 *
 *     owner -> nu_chain_decode_headers/data/trailers -> filters ... terminal filter
 *     owner <- ops->encode_headers/data/trailers     <- filters ... terminal filter
 *
 * The rules of stopping, buffering and continuing are Envoy's filter manager's. Each direction has one
 * buffer; `buffered_at` says which filter is the next to see what is in it.
 */
#ifndef NU_FILTER_CHAIN_H
#define NU_FILTER_CHAIN_H

#include "nuncio/filter.h"

#include "base/buf.h"
#include "event/loop.h"
#include "http/headers.h"
#include "http/stream_info.h"
#include "route/route.h"

enum { NU_FILTERS_MAX = 64 };

/* One filter of a configured chain. */
struct nu_filter_entry {
    const struct nu_filter_class *cls;
    struct nu_str name; /* as configured: the key of per-route configuration */
    const void *config; /* borrowed from the factory's owner */
    bool disabled;      /* unless a route enables it */
};

/* A configured chain: immutable, shared by all workers. */
struct nu_filter_chain_config {
    const struct nu_filter_entry *entries;
    uint8_t count;
    size_t instance_bytes; /* of all instances together, aligned */
};

/* Sums up the instances; `entries` must live as long as the config. */
void nu_filter_chain_config_init(struct nu_filter_chain_config *config,
                                 const struct nu_filter_entry *entries, uint8_t count);

enum nu_direction {
    NU_DECODE,
    NU_ENCODE,
};

/* What the chain asks of its owner. All are called on the stream's thread. */
struct nu_filter_chain_ops {
    /* Behind the last encode filter: towards the client. */
    void (*encode_1xx)(struct nu_filter_chain *chain, struct nu_headers *headers);
    void (*encode_headers)(struct nu_filter_chain *chain, struct nu_headers *headers, bool end);
    void (*encode_data)(struct nu_filter_chain *chain, struct nu_buf *data, bool end);
    void (*encode_trailers)(struct nu_filter_chain *chain, struct nu_headers *trailers);
    /* Makes the response of a local reply and passes it to nu_chain_encode_reply. */
    void (*reply)(struct nu_filter_chain *chain, const struct nu_reply *reply);
    /* Ends the stream without a response. */
    void (*reset)(struct nu_filter_chain *chain);
    /* Holds back, or lets go, the client's bytes. Calls pair. */
    void (*hold_request)(struct nu_filter_chain *chain);
    void (*release_request)(struct nu_filter_chain *chain);
    /* The most specific per-route configuration of a filter, or NULL; may set *disabled. */
    const void *(*route_config)(struct nu_filter_chain *chain, const struct nu_filter_entry *entry,
                                bool *disabled);
    /* The stream's route as it is now; never NULL, but its route may be. */
    const struct nu_route_match *(*route)(struct nu_filter_chain *chain);
    void (*clear_route_cache)(struct nu_filter_chain *chain);
    bool (*recreate)(struct nu_filter_chain *chain);
    struct nu_filter_call *(*http_call)(struct nu_filter *filter,
                                        const struct nu_call_request *request,
                                        void (*on_done)(struct nu_filter *self,
                                                        const struct nu_call_result *result));
};

/* One direction of a message on its way through the filters. */
struct nu_chain_half {
    struct nu_headers *headers;  /* NULL until they come */
    struct nu_headers *trailers; /* NULL unless there are some */
    struct nu_buf buffered;      /* what filters stopped */
    struct nu_buf *passing;      /* the data that a callback is looking at; NULL outside of one */
    uint32_t limit;              /* of `buffered`, bytes; 0: none */
    int16_t buffered_at;         /* the next filter to see `buffered` */
    int16_t calling;             /* the filter whose callback runs, or -1 */
    bool ended;                  /* the message's end was received */
    bool aborted;                /* nothing passes any more */
    bool over_limit;             /* the sender is held back */
    bool in_trailers;            /* a trailers callback runs */
    bool headers_out;            /* the headers went past the last filter */
};

struct nu_filter_chain {
    const struct nu_filter_chain_config *config;
    const struct nu_filter_chain_ops *ops;
    struct nu_loop *loop;        /* borrowed */
    struct nu_arena *arena;      /* borrowed: the stream's */
    struct nu_stream_info *info; /* borrowed: the stream's */
    struct nu_filter **filters;  /* in the arena */
    struct nu_str override_host; /* empty: none */
    struct nu_chain_half half[2];
    uint16_t downstream_high; /* nested high watermarks of the client's side */
    bool closed;
};

/* Makes the instances and opens them. The route must be resolved by now (ops->route_config). */
void nu_chain_open(struct nu_filter_chain *chain, const struct nu_filter_chain_config *config,
                   const struct nu_filter_chain_ops *ops, struct nu_loop *loop,
                   struct nu_arena *arena, struct nu_stream_info *info, uint32_t buffer_limit);
/* Calls log of every filter. */
void nu_chain_log(struct nu_filter_chain *chain);
/* Calls close of every filter and drops what is buffered. Nothing passes afterwards. */
void nu_chain_close(struct nu_filter_chain *chain);

/* The request's parts, from the owner. */
void nu_chain_decode_headers(struct nu_filter_chain *chain, struct nu_headers *headers, bool end);
void nu_chain_decode_data(struct nu_filter_chain *chain, struct nu_buf *data, bool end);
void nu_chain_decode_trailers(struct nu_filter_chain *chain, struct nu_headers *trailers);

/* The response's parts, from the terminal filter `self`. */
void nu_chain_encode_1xx(struct nu_filter *self, struct nu_headers *headers);
void nu_chain_encode_headers(struct nu_filter *self, struct nu_headers *headers, bool end);
void nu_chain_encode_data(struct nu_filter *self, struct nu_buf *data, bool end);
void nu_chain_encode_trailers(struct nu_filter *self, struct nu_headers *trailers);

/* A local reply's head and body through all encode filters; the request goes no further. */
void nu_chain_encode_reply(struct nu_filter_chain *chain, struct nu_headers *headers,
                           struct nu_buf *body);

/* Whether response headers have passed all filters and are on their way to the client. */
static inline bool nu_chain_response_sent(const struct nu_filter_chain *chain)
{
    return chain->half[NU_ENCODE].headers_out;
}
/* Nothing passes any more in either direction: the stream is over. */
void nu_chain_abort(struct nu_filter_chain *chain);

/* The client takes no more bytes for now, or takes them again: told to every filter. */
void nu_chain_downstream_high(struct nu_filter_chain *chain);
void nu_chain_downstream_low(struct nu_filter_chain *chain);

#endif
