/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connection pools: for each worker, host, priority and kind of protocol the HTTP connections to
 * that host; where these are for one client or one server name, a pool for each, as long as it has
 * something to do (pool_own.h).
 *
 * A request asks for a stream. A ready connection is given at once (the last used first); else the
 * request waits while a connection is opened, within the cluster's breakers. The rules are Envoy's:
 * a failed connect fails every request that waits here, a first connection to a host is always
 * allowed, and no more connections are opened than the requests that wait can use: one that is
 * connecting counts for as many as it may carry at once. With a preconnect_policy there are more,
 * ahead of requests (preconnect.c).
 *
 *     connecting -> ready <-> busy -> closed         ready: it takes one more stream
 *                      \-> draining <-/              draining: it takes no more, and ends with the
 *                                                    last that it has
 */
#ifndef NU_UPSTREAM_POOL_H
#define NU_UPSTREAM_POOL_H

#include "codec/h1.h"
#include "codec/h2.h"
#include "event/timer.h"
#include "net/connection.h"
#include "upstream/cluster.h"

struct nu_pool_request;

/* What a pool's connections speak. */
enum nu_pool_kind {
    NU_POOL_HTTP1,
    NU_POOL_HTTP2,
    NU_POOL_AGREED, /* what the transport agrees on with the server (ALPN): HTTP/2 or HTTP/1 */
};

enum nu_upstream_conn_state {
    NU_UPSTREAM_CONNECTING,
    NU_UPSTREAM_READY,
    NU_UPSTREAM_BUSY,
    NU_UPSTREAM_DRAINING,
    NU_UPSTREAM_CLOSED,
};

/* One upstream connection, as its user may see it. */
struct nu_upstream_conn {
    struct nu_connection conn;
    struct nu_h1_client codec;      /* while h2 is NULL */
    struct nu_h2_session *h2;       /* owned; NULL unless HTTP/2 is spoken */
    struct nu_pool *pool;           /* borrowed */
    struct nu_list link;            /* in the pool's list of its state */
    struct nu_timer timer;          /* connect timeout; then armed all the time, see on_timer */
    struct nu_timer duration_timer; /* maximum age */
    struct nu_address local;
    struct nu_address remote;
    uint64_t id;
    uint64_t connect_start_us;
    uint64_t connect_end_us;
    uint64_t idle_since_us; /* while no stream is active */
    uint64_t counted_rx;    /* bytes that the statistics have */
    uint64_t counted_tx;
    uint32_t requests;       /* served so far, or being served */
    uint32_t active;         /* streams at work */
    uint32_t stream_limit;   /* how many of them there may be at once */
    uint32_t counted_active; /* what the pool's counts have of it */
    uint32_t counted_capacity;
    uint8_t state;            /* enum nu_upstream_conn_state */
    bool aborted;             /* a request was given up, which ends it */
    bool timed_out;           /* the connect timeout ended it */
    bool in_dispatch;         /* HTTP/2: what came is being looked at */
    bool drained_in_dispatch; /* in the middle of that the last stream ended */
};

struct nu_pool_request_ops {
    /* A connection was found: the request goes through `encoder`. */
    void (*on_ready)(struct nu_pool_request *request, struct nu_stream_encoder *encoder,
                     const struct nu_upstream_conn *conn);
    /* None was found. `transport_failure` says more where there is more, and lives as long as the
     * call. */
    void (*on_failure)(struct nu_pool_request *request, enum nu_reset_reason reason,
                       struct nu_str transport_failure);
};

/* A request for a stream, embedded in its user. Exactly one of the ops is called, perhaps from
 * inside nu_pool_start, unless it is cancelled before. */
struct nu_pool_request {
    const struct nu_pool_request_ops *ops;
    struct nu_stream_decoder *decoder; /* gets the response */
    struct nu_pool *pool;
    struct nu_list link; /* while waiting */
    bool waiting;
    bool had_connection; /* a breaker kept it from one that was there */
};

struct nu_pool {
    struct nu_cluster_local *cluster; /* borrowed */
    struct nu_host *host;             /* one reference */
    struct nu_host_stats *host_stats; /* this thread's block */
    struct nu_pool_own *own;          /* owned: what it is for, alone; NULL for everybody */
    enum nu_priority priority;
    enum nu_pool_kind kind;
    struct nu_list link; /* in cluster->pools */
    struct nu_list connecting;
    struct nu_list ready;         /* last used first */
    struct nu_list busy;          /* the draining ones too */
    struct nu_list waiting;       /* requests, oldest first */
    uint32_t connecting_capacity; /* streams that the connecting connections will take at once */
    uint32_t waiting_count;
    uint32_t holds;  /* streams that show its host */
    bool in_use;     /* has connections or requests, and counts as one for its breaker */
    bool draining;   /* the host went: only for those who wait already, gone when empty */
    bool is_gone;    /* freed at the end of the turn, or with the last hold */
    bool is_wanted;  /* nu_pool_start follows: it stays, though it has nothing to do yet */
    bool is_counted; /* as follows, and in the worker's totals */
    struct nu_stream_counts counts;
};

/* What sets connections apart from others to the same host. */
struct nu_pool_purpose {
    const struct nu_proxy_data *client; /* whom hosts are told of; NULL where they are not */
    const uint64_t *connection;         /* the client's one, by number; NULL: any */
    struct nu_str server_name;          /* the request's, where the cluster takes it from there */
    bool asks_for_name;                 /* the host is asked for it (auto_sni) */
    bool checks_name;                   /* its certificate must have it (auto_san_validation) */
};

/* The pool of the cluster's host at `index` for a request that came by `downstream`, made on first
 * use; NULL if the cluster may not use one more. `purpose` may be NULL. One that has a purpose goes
 * when it has nothing to do, or when another purpose needs its place. nu_pool_start follows. */
struct nu_pool *nu_pool_get(struct nu_cluster_local *cluster, uint32_t index,
                            enum nu_priority priority, enum nu_protocol downstream,
                            const struct nu_pool_purpose *purpose);
/* The pool's place in cluster->pool_of, where its host is at `index`. */
size_t nu_pool_slot(const struct nu_pool *pool, uint32_t index);
/* Asks for a stream. `request->ops` and `decoder` must be set. */
void nu_pool_start(struct nu_pool *pool, struct nu_pool_request *request);
/* Opens a connection ahead of the next request, if the worker's connections lack room by the
 * cluster's predictive_ratio and the host is well. Whether it did, and may open another one. */
bool nu_pool_preconnect(struct nu_pool *pool);
/* Whether the worker's connections lack room for requests to come. */
bool nu_pool_lacks_room(const struct nu_cluster_local *cluster);
/* Gives up waiting. Harmless once an op was called. */
void nu_pool_cancel(struct nu_pool_request *request);
/* Keeps the pool's host until `arena` is freed: for a stream that shows what the host is called. */
void nu_pool_hold_host(struct nu_pool *pool, struct nu_arena *arena);
/* Closes idle connections, lets the others finish; the pool goes when it is empty. */
void nu_pool_drain(struct nu_pool *pool);
/* Closes everything now and frees the pool; its requests are reset. */
void nu_pool_destroy(struct nu_pool *pool);

#endif
