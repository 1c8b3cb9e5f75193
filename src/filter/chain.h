/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter chain of one stream: runs the callbacks of nuncio/filter.h in order, keeps what
 * filters stopped, and goes on where they continue. It does not know who owns it: the connection
 * manager, an upstream chain or a mirrored request fill the ops below and stand above it.
 *
 *     owner -> nu_chain_decode_headers/data/trailers -> filters ... terminal filter
 *     owner <- ops->encode_headers/data/trailers     <- filters ... terminal filter
 *
 * The rules of stopping, buffering and continuing are Envoy's filter manager's, with one
 * difference: what filters stop is kept for each filter and not in one buffer, so that no filter
 * ever sees bytes twice or misses some when two filters stop at the same time.
 */
#ifndef NU_FILTER_CHAIN_H
#define NU_FILTER_CHAIN_H

#include "nuncio/filter.h"

#include "base/buf.h"
#include "base/list.h"
#include "event/loop.h"
#include "http/headers.h"
#include "http/stream_info.h"
#include "route/route.h"

struct nu_frame_metadata;

enum { NU_FILTERS_MAX = 64 };

enum nu_direction {
    NU_DECODE,
    NU_ENCODE,
};

/* One filter of a configured chain. */
struct nu_filter_entry {
    const struct nu_filter_class *cls;
    struct nu_str name; /* as configured: the key of per-route configuration */
    const void *config; /* borrowed from the factory's owner */
    bool disabled;      /* unless a route enables it */
    uint32_t zeroed;    /* bytes of an instance that are zero at first; by the chain's init */
    void **workers;     /* threads' states by number; NULL unless the class has some */
};

/* What a route says about a filter: made by its factory, only for filters of that class. */
struct nu_filter_route_config {
    const struct nu_filter_class *cls;
    const void *config;
};

/* The parts of a message that filters have callbacks for. */
enum nu_filter_phase {
    NU_PHASE_NONE,
    NU_PHASE_HEADERS,
    NU_PHASE_DATA,
    NU_PHASE_TRAILERS,
    NU_PHASE_COUNT,
};

/* A configured chain: immutable, shared by all workers. */
struct nu_filter_chain_config {
    const struct nu_filter_entry *entries;
    uint8_t count;
    size_t instance_bytes;          /* of all instances together, aligned */
    uint64_t at[2][NU_PHASE_COUNT]; /* which filters a part of a message has to visit: bits */
    bool logs;                      /* some filter has a callback for the log */
};

/* Sums up the instances and makes the threads' states; both, like `entries`, live in `arena` or as
 * long. Main thread. */
void nu_filter_chain_config_init(struct nu_filter_chain_config *config, struct nu_arena *arena,
                                 struct nu_filter_entry *entries, uint8_t count);

/* What the chain asks of its owner. All are called on the stream's thread. */
struct nu_filter_chain_ops {
    /* Behind the last encode filter: towards the client. */
    void (*encode_1xx)(struct nu_filter_chain *chain, struct nu_headers *headers);
    void (*encode_headers)(struct nu_filter_chain *chain, struct nu_headers *headers, bool end);
    void (*encode_data)(struct nu_filter_chain *chain, struct nu_buf *data, bool end);
    void (*encode_trailers)(struct nu_filter_chain *chain, struct nu_headers *trailers);
    /* METADATA towards the client, which no filter sees; taken. NULL: it is dropped. */
    void (*encode_metadata)(struct nu_filter_chain *chain, struct nu_frame_metadata *metadata);
    /* Makes the response of a local reply and passes it to nu_chain_encode_reply. */
    void (*reply)(struct nu_filter_chain *chain, const struct nu_reply *reply);
    /* Ends the stream without a response. */
    void (*reset)(struct nu_filter_chain *chain);
    /* A message outgrew the limit: counts it. A local reply follows. */
    void (*on_too_large)(struct nu_filter_chain *chain, enum nu_direction dir);
    /* Holds back, or lets go, the client's bytes. Calls pair; none is open after nu_chain_abort. */
    void (*hold_request)(struct nu_filter_chain *chain);
    void (*release_request)(struct nu_filter_chain *chain);
    /* The most specific per-route configuration of a filter, or NULL; may set *disabled. */
    const struct nu_filter_route_config *(*route_config)(struct nu_filter_chain *chain,
                                                         const struct nu_filter_entry *entry,
                                                         bool *disabled);
    /* Those of all levels of the route, the most specific one last; how many. NULL: there are none. */
    size_t (*route_configs)(struct nu_filter_chain *chain, const struct nu_filter_entry *entry,
                            const struct nu_filter_route_config *out[NU_ROUTE_LEVELS]);
    /* The stream's route as it is now; never NULL, but its route may be. */
    const struct nu_route_match *(*route)(struct nu_filter_chain *chain);
    void (*clear_route_cache)(struct nu_filter_chain *chain);
    /* Whether the request may be started over once more. */
    bool (*can_recreate)(struct nu_filter_chain *chain);
    /* Starts the request over, later: see nu_filter_recreate_stream. The chain was aborted; `body`
     * is taken. `response`: the head of the upstream's answer that asked for it, or NULL. */
    void (*recreate)(struct nu_filter_chain *chain, struct nu_buf *body,
                     struct nu_headers *response);
};

/* What one filter stopped. */
struct nu_chain_kept {
    struct nu_buf data;
    bool present; /* there is data to pass on, perhaps none but the end */
    bool end;     /* nothing follows it */
};

/* The callback that runs. */
struct nu_chain_call {
    struct nu_buf *data; /* what a data callback is looking at */
    int16_t filter;      /* its index, or -1 */
    uint8_t phase;       /* enum nu_filter_phase */
};

/* One direction of a message on its way through the filters. */
struct nu_chain_half {
    struct nu_headers *headers;  /* NULL until they come */
    struct nu_headers *trailers; /* NULL unless there are some */
    struct nu_chain_kept *kept;  /* by filter; NULL until something is stopped */
    struct nu_chain_call call;
    uint32_t limit;     /* of all that is kept, bytes; 0: none */
    uint8_t kept_count; /* how many filters keep something */
    bool ended;         /* the message's end was received */
    bool aborted;       /* nothing passes any more */
    bool over_limit;    /* the sender is held back */
    bool headers_out;   /* the headers went past the last filter */
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
    /* The terminal filter's, where it wants the request's METADATA, which it takes; set while it is
     * opened. No other filter sees any. */
    void (*decode_metadata)(struct nu_filter *terminal, struct nu_frame_metadata *metadata);
    uint64_t received_before; /* body bytes that info had counted when the chain was opened */
    struct nu_list timers;    /* armed ones of filters */
    struct nu_list calls;     /* of struct nu_filter_call */
    uint32_t downstream_high; /* nested high watermarks of the client's side */
    uint32_t request_holds;   /* how often the client's bytes are held back */
    bool opening;
    bool replied; /* the response is a local reply: what the terminal filter sends is dropped */
    bool closed;
};

/* Makes the instances and opens them. The route must be resolved by now (ops->route_config). */
void nu_chain_open(struct nu_filter_chain *chain, const struct nu_filter_chain_config *config,
                   const struct nu_filter_chain_ops *ops, struct nu_loop *loop,
                   struct nu_arena *arena, struct nu_stream_info *info, uint32_t buffer_limit);
/* Of a chain that was just opened the filters shall have the log alone, as the stream was answered
 * without them. Both maps may be NULL. */
void nu_chain_limit_to_log(struct nu_filter_chain *chain, struct nu_headers *request,
                           struct nu_headers *response);
/* Calls log of every filter. */
void nu_chain_log(struct nu_filter_chain *chain);
/* Calls close of every filter and drops what is buffered. Nothing passes afterwards. */
void nu_chain_close(struct nu_filter_chain *chain);

/* The request's parts, from the owner. */
void nu_chain_decode_headers(struct nu_filter_chain *chain, struct nu_headers *headers, bool end);
void nu_chain_decode_data(struct nu_filter_chain *chain, struct nu_buf *data, bool end);
void nu_chain_decode_trailers(struct nu_filter_chain *chain, struct nu_headers *trailers);
/* METADATA beside the request, behind its head; takes it. */
void nu_chain_decode_metadata(struct nu_filter_chain *chain, struct nu_frame_metadata *metadata);

/* The response's parts, from the terminal filter `self`. */
void nu_chain_encode_1xx(struct nu_filter *self, struct nu_headers *headers);
void nu_chain_encode_headers(struct nu_filter *self, struct nu_headers *headers, bool end);
void nu_chain_encode_data(struct nu_filter *self, struct nu_buf *data, bool end);
void nu_chain_encode_trailers(struct nu_filter *self, struct nu_headers *trailers);
/* METADATA beside the response; takes it. */
void nu_chain_encode_metadata(struct nu_filter *self, struct nu_frame_metadata *metadata);

/* An answer of the upstream's is no answer, but asks for the request to be started over with its
 * headers as they are: for the terminal filter, which has seen all of it and gives back its body,
 * which is taken. Nothing of the answer may have been passed on. False, and nothing has happened, if
 * that cannot be. */
bool nu_chain_recreate(struct nu_filter *self, struct nu_buf *body, struct nu_headers *response);

/* A local reply's head and body through all encode filters, or past them if they have begun to see
 * a response; the request goes no further. */
void nu_chain_encode_reply(struct nu_filter_chain *chain, struct nu_headers *headers,
                           struct nu_buf *body);

/* Whether response headers have passed all filters and are on their way to the client. */
static inline bool nu_chain_response_sent(const struct nu_filter_chain *chain)
{
    return chain->half[NU_ENCODE].headers_out;
}
/* Nothing passes any more in either direction, and nobody is held back: the stream is over. */
void nu_chain_abort(struct nu_filter_chain *chain);
/* The route changed: looks up what it says about each filter. */
void nu_chain_refresh_route_configs(struct nu_filter_chain *chain);
/* What all levels of the route say about a filter, the most specific one last; how many there are. For
 * filters that take them together: most go by `route_config` alone. */
size_t nu_chain_route_configs(struct nu_filter *filter, const void *out[NU_ROUTE_LEVELS]);

/* A filter has changed what it keeps (nu_filter_decoding_buffer), outside of its data callbacks: it
 * is compared with the limit once more. False if that has failed the message, and perhaps ended the
 * stream. */
NU_MUST_USE bool nu_chain_measure_kept(struct nu_filter *self, enum nu_direction dir);

/* Holds back, or lets go, the client's bytes; calls nest. */
void nu_chain_hold_request(struct nu_filter_chain *chain);
void nu_chain_release_request(struct nu_filter_chain *chain);

/* The client takes no more bytes for now, or takes them again; calls nest, and the filters hear of
 * the first and the last. */
void nu_chain_downstream_high(struct nu_filter_chain *chain);
void nu_chain_downstream_low(struct nu_filter_chain *chain);

/* --- Calls to clusters ------------------------------------------------------------------------ */

/* The part of a call that the chain sees; the client embeds it. */
struct nu_filter_call {
    struct nu_list link; /* in chain->calls */
    struct nu_filter *self;
    void (*on_done)(struct nu_filter *self, const struct nu_call_result *result);
    const struct nu_filter_client *client;
};

/* The HTTP client behind nu_filter_http_call. The client module has one; who owns a loop puts it
 * there (loop->client). */
struct nu_filter_client {
    /* Begins a call, or returns NULL if there is no such cluster. Ends it later, exactly once, with
     * nu_filter_call_done, unless it is cancelled. */
    struct nu_filter_call *(*start)(const struct nu_filter_client *client, struct nu_loop *loop,
                                    const struct nu_call_request *request);
    void (*cancel)(struct nu_filter_call *call);
};

/* Reports the end of a call to its filter; afterwards the call belongs to the client alone. */
void nu_filter_call_done(struct nu_filter_call *call, const struct nu_call_result *result);

#endif
