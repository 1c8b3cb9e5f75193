/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the two halves of a pool: pool.c, which matches requests and connections, and
 * upstream_conn.c, which opens connections and sees them end.
 */
#ifndef NU_UPSTREAM_POOL_INTERNAL_H
#define NU_UPSTREAM_POOL_INTERNAL_H

#include "upstream/pool/pool.h"

static inline struct nu_cluster_traffic_stats *nu_pool_stats(const struct nu_pool *pool)
{
    return pool->cluster->stats;
}

static inline const struct nu_cluster_options *nu_pool_options(const struct nu_pool *pool)
{
    return &pool->cluster->cluster->options;
}

static inline struct nu_breaker *nu_pool_breaker(const struct nu_pool *pool,
                                                 enum nu_breaker_kind kind)
{
    return &pool->cluster->cluster->breakers[pool->priority].of[kind];
}

static inline void nu_pool_count_up(struct nu_pool *pool, enum nu_breaker_kind kind)
{
    nu_cluster_breaker_add(pool->cluster, pool->priority, kind);
}

static inline void nu_pool_count_down(struct nu_pool *pool, enum nu_breaker_kind kind)
{
    nu_cluster_breaker_sub(pool->cluster, pool->priority, kind);
}

/* --- preconnect.c ----------------------------------------------------------------------------- */

/* Whether what waits, or may come, needs another connection, as far as this host goes. */
bool nu_pool_needs_connection(const struct nu_pool *pool);
/* The same for the request that is to come next, as the cluster's predictive_ratio says. */
bool nu_pool_foresees_need(const struct nu_pool *pool);
/* Brings the counts up to a connection's streams and state, or to the requests that wait. */
void nu_pool_recount(struct nu_upstream_conn *conn);
void nu_pool_recount_waiting(struct nu_pool *pool);

static inline void nu_pool_recount_if_counted(struct nu_upstream_conn *conn)
{
    if (nu_unlikely(conn->pool->is_counted))
        nu_pool_recount(conn);
}

/* --- pool.c ----------------------------------------------------------------------------------- */

/* How many requests a connection may carry in its life: fewer than HTTP/2 has numbers for streams,
 * as many as Envoy's. */
static inline uint32_t nu_upstream_conn_max_requests(const struct nu_upstream_conn *conn)
{
    enum { STREAMS_MAX = 1 << 29 };
    uint32_t max = nu_pool_options(conn->pool)->max_requests_per_connection;
    return max && max < STREAMS_MAX ? max : STREAMS_MAX;
}

/* How many streams more a connection can take at once. */
static inline uint32_t nu_upstream_conn_capacity(const struct nu_upstream_conn *conn)
{
    uint32_t max = nu_upstream_conn_max_requests(conn);
    uint32_t room = conn->stream_limit > conn->active ? conn->stream_limit - conn->active : 0;
    uint32_t left = max > conn->requests ? max - conn->requests : 0;
    return left < room ? left : room;
}

/* Moves a connection to the list of its new state. */
static inline void nu_upstream_conn_set_state(struct nu_upstream_conn *conn,
                                              enum nu_upstream_conn_state state)
{
    struct nu_pool *pool = conn->pool;
    nu_list_remove(&conn->link);
    conn->state = (uint8_t)state;
    switch (state) {
    case NU_UPSTREAM_CONNECTING:
        nu_list_add_last(&pool->connecting, &conn->link);
        break;
    case NU_UPSTREAM_READY:
        nu_list_add_first(&pool->ready, &conn->link);
        break;
    case NU_UPSTREAM_BUSY:
    case NU_UPSTREAM_DRAINING:
        nu_list_add_first(&pool->busy, &conn->link);
        break;
    case NU_UPSTREAM_CLOSED:
        break;
    }
}

/* It takes no more streams, and ends with those that it has. */
static inline void nu_upstream_conn_drain(struct nu_upstream_conn *conn)
{
    nu_upstream_conn_set_state(conn, NU_UPSTREAM_DRAINING);
    nu_pool_recount_if_counted(conn);
}

/* The connection can take a stream: whoever waits gets it. It may be closed afterwards. */
void nu_pool_on_ready(struct nu_upstream_conn *conn);
/* A connection is gone; the pool may go with it. */
void nu_pool_on_closed(struct nu_pool *pool);
/* Fails all requests that wait. */
void nu_pool_fail_waiting(struct nu_pool *pool, enum nu_reset_reason reason,
                          struct nu_str transport_failure);
/* A stream ended, however. */
void nu_pool_count_stream_end(struct nu_upstream_conn *conn);

extern const struct nu_client_codec_callbacks nu_pool_h1_callbacks;

/* --- upstream_conn.c -------------------------------------------------------------------------- */

/* The end of a connection, whatever it speaks. */
void nu_upstream_conn_on_closed(struct nu_connection *base, enum nu_close_reason reason);
/* Opens a connection, which is CONNECTING when this returns. */
void nu_upstream_conn_open(struct nu_pool *pool);
/* Brings the statistics up to the bytes that passed. */
void nu_upstream_conn_count_bytes(struct nu_upstream_conn *conn);
/* Where the connection counts bytes that wait. */
struct nu_connection_gauges nu_upstream_conn_gauges(const struct nu_connection *base);

/* --- h2_conn.c -------------------------------------------------------------------------------- */

/* Speaks HTTP/2 from here on; the connection is open. */
void nu_upstream_conn_start_h2(struct nu_upstream_conn *conn);
/* Whether a READY connection takes a stream. The peer may have said otherwise in this turn: then
 * its state is another one afterwards. */
bool nu_upstream_conn_check_h2(struct nu_upstream_conn *conn);
/* Resets the streams that are left, and leaves HTTP/2. */
void nu_upstream_conn_end_h2(struct nu_upstream_conn *conn, enum nu_reset_reason reason);

#endif
