/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One exchange with a cluster: a request out, a response back. It chooses a host, gets a connection
 * from the pool, sends what it is given as soon as it can, tries again where its rules say so,
 * watches the timeouts, and counts. The router is a thin filter over it, and every callout uses it.
 *
 * The owner embeds it, fills `ops`, `arena` and `info`, and starts it. Each exchange ends in one of
 * three ways: the response's end is passed on, on_failed is called, or the owner cancels it;
 * nothing is called afterwards. Everything happens on the worker's thread.
 *
 * Of a tunnel (an upgrade, a CONNECT) no byte is sent before the server has granted it, but for the
 * body that the request's Content-Length announces: what follows a request that is refused must
 * never look like another one. Its timeout ends with the grant.
 */
#ifndef NU_CLIENT_EXCHANGE_H
#define NU_CLIENT_EXCHANGE_H

#include "client/attempt.h"
#include "client/retry.h"

struct nu_frame_metadata;
struct nu_frame_metadata_queue;
struct nu_route_stats;

/* Why an exchange failed. */
enum nu_exchange_failure_kind {
    NU_EXCHANGE_NO_HOST,      /* the cluster has no usable host */
    NU_EXCHANGE_RESET,        /* see reason */
    NU_EXCHANGE_TIMEOUT,      /* the whole exchange took too long */
    NU_EXCHANGE_TRY_TIMEOUT,  /* its last try took too long */
    NU_EXCHANGE_TRY_IDLE,     /* nothing more came of it */
    NU_EXCHANGE_BODY_LIMIT,   /* between two tries the request outgrew what is kept of it */
    NU_EXCHANGE_MAX_DURATION, /* the cluster's max_stream_duration */
    NU_EXCHANGE_NOT_UPGRADED, /* to a WebSocket: the server answered as if it had not been asked; its
                                 headers are nu_exchange_response_headers */
};

struct nu_exchange_failure {
    enum nu_exchange_failure_kind kind;
    enum nu_reset_reason reason;     /* with RESET */
    struct nu_str transport_failure; /* with RESET; may be empty; valid during the call */
    struct nu_str details;           /* with NO_HOST: why, one word; may be empty */
    bool response_started;           /* headers were passed on before */
    bool is_retry;                   /* it was not the first try */
    bool breaks_grpc;                /* with RESET: the status of gRPC was still to come */
};

struct nu_exchange_ops {
    /* Another try begins, as info->upstream.attempt_count says; the request's headers may be
     * changed. May be NULL. */
    void (*on_retry)(struct nu_exchange *exchange, bool after_timeout);
    /* A host was chosen; the request's headers may still be changed. May be NULL. */
    void (*on_host)(struct nu_exchange *exchange, const struct nu_host *host);
    void (*on_1xx)(struct nu_exchange *exchange, struct nu_headers *headers); /* may be NULL */
    /* With params.asks_first: an answer came that is not tried again. True if the owner takes it for
     * something else than an answer: then it is not counted, and the exchange is over. */
    bool (*diverts)(struct nu_exchange *exchange, struct nu_headers *headers);
    void (*on_headers)(struct nu_exchange *exchange, struct nu_headers *headers, bool end);
    void (*on_data)(struct nu_exchange *exchange, struct nu_buf *data, bool end);
    void (*on_trailers)(struct nu_exchange *exchange, struct nu_headers *trailers);
    /* METADATA beside the response, perhaps before its head; taken. NULL: it is dropped. */
    void (*on_metadata)(struct nu_exchange *exchange, struct nu_frame_metadata *metadata);
    void (*on_failed)(struct nu_exchange *exchange, const struct nu_exchange_failure *failure);
    /* The upstream takes no more of the request for now, or takes it again. */
    void (*on_above_high)(struct nu_exchange *exchange);
    void (*on_below_low)(struct nu_exchange *exchange);
};

/* What is counted of an answer. */
enum nu_charging {
    NU_CHARGE_CODE,      /* its status, the class of that, and its time */
    NU_CHARGE_COMPLETED, /* under cluster.NAME itself no status, else the same */
    NU_CHARGE_NOTHING,
};

struct nu_exchange_params {
    struct nu_cluster_local *cluster;
    enum nu_priority priority;
    struct nu_lb_context lb;
    uint64_t timeout_ms;     /* from the request's end to the response's end; 0: none */
    uint32_t timeout_status; /* what a timeout is answered with, for the statistics */
    bool is_internal;        /* which of the internal. and external. statistics are charged */
    enum nu_charging charging;
    /* Where else the request is counted: its virtual cluster, its route; up to a NULL. Borrowed; NULL
     * for nowhere. */
    struct nu_route_stats *const *also;
    enum nu_tunnel tunnel;
    bool asks_first; /* ops->diverts */
    /* The request's body goes to the host as it is, and comes back so; NULL: HTTP is spoken. */
    const struct nu_route_connect *raw;
    const struct nu_retry_rules *retry; /* borrowed; NULL: one try without limits */
    uint64_t body_limit;                /* bytes of the request that are kept for another try */
    /* METADATA that follows the request's head; borrowed, NULL for none. */
    struct nu_frame_metadata_queue *metadata;
};

struct nu_tries; /* client/exchange_internal.h */

struct nu_exchange {
    const struct nu_exchange_ops *ops;
    struct nu_arena *arena;      /* borrowed: the stream's */
    struct nu_stream_info *info; /* borrowed: the stream's */
    struct nu_exchange_params params;

    /* Private. */
    struct nu_cluster_traffic_stats *stats;
    struct nu_attempt *attempt; /* the newest; the one that is answered once a response began */
    struct nu_attempt first;
    struct nu_tries *tries; /* in the arena; NULL before another try was in question */
    struct nu_headers *request_headers;
    struct nu_headers *request_trailers;
    struct nu_buf pending; /* of the request, while there is no connection */
    struct nu_timer timeout;
    uint64_t request_end_us;
    struct nu_str no_host; /* why none was found; empty: nobody said */
    uint64_t body_left;    /* of a tunnel's request: may be sent before it is granted */
    uint16_t flags;
};

/*
 * Chooses a host and begins; all that is not private must be set. `headers` must stay unchanged until
 * they are sent. A failure may be reported from inside. Returns false, with on_failed called, if no
 * host was found.
 */
bool nu_exchange_start(struct nu_exchange *exchange, struct nu_headers *headers, bool end);
/* More of the request. Takes all of `data`. */
void nu_exchange_send_data(struct nu_exchange *exchange, struct nu_buf *data, bool end);
void nu_exchange_send_trailers(struct nu_exchange *exchange, struct nu_headers *trailers);
/* METADATA beside the request, before its end; takes it. Needs params.metadata. False if so much of it
 * waits for a connection that it was dropped. */
bool nu_exchange_send_metadata(struct nu_exchange *exchange, struct nu_frame_metadata *metadata);
/* Charges a request that was refused because its cluster takes none, or drops some: cluster,
 * is_internal, charging and also count. */
void nu_exchange_count_refused(const struct nu_exchange_params *params);
/* Gives the exchange up, whatever its state. Harmless when it is over or was never started. */
void nu_exchange_cancel(struct nu_exchange *exchange);
/* Holds back the response's bytes, or lets them go. */
void nu_exchange_hold_response(struct nu_exchange *exchange);
void nu_exchange_release_response(struct nu_exchange *exchange);
/* Whether it was started and is not over. */
bool nu_exchange_is_active(const struct nu_exchange *exchange);
/* The head of the response that came last, also after the end. */
static inline const struct nu_headers *
nu_exchange_response_headers(const struct nu_exchange *exchange)
{
    return &exchange->attempt->response_headers;
}

#endif
