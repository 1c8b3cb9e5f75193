/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connection pools: which request gets which connection, and when another one is opened. The
 * statistics that move here, and when, are Envoy's.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "upstream/pool/pool_own.h"
#include "upstream/pool/pool_internal.h"

static void free_pool_if_done(struct nu_pool *pool);
static void open_connections(struct nu_pool *pool);

/* --- Requests --------------------------------------------------------------------------------- */

static void stop_waiting(struct nu_pool_request *request)
{
    struct nu_pool *pool = request->pool;
    nu_list_remove(&request->link);
    request->waiting = false;
    pool->waiting_count--;
    nu_pool_recount_waiting(pool);
    nu_gauge_dec(&nu_pool_stats(pool)->upstream_rq_pending_active);
    nu_pool_count_down(pool, NU_BREAKER_PENDING);
}

/* A failed connect leaves nobody waiting, so that whoever waits can choose again. */
void nu_pool_fail_waiting(struct nu_pool *pool, enum nu_reset_reason reason,
                          struct nu_str transport_failure)
{
    struct nu_list failed;
    nu_list_init(&failed);
    nu_list_move_all(&failed, &pool->waiting);
    while (!nu_list_is_empty(&failed)) {
        struct nu_pool_request *request = nu_list_entry(failed.next, struct nu_pool_request, link);
        stop_waiting(request);
        nu_counter_inc(&nu_pool_stats(pool)->upstream_rq_pending_failure_eject);
        request->ops->on_failure(request, reason, transport_failure);
    }
}

static void overflow(struct nu_pool *pool, struct nu_pool_request *request)
{
    nu_counter_inc(&nu_pool_stats(pool)->upstream_rq_pending_overflow);
    request->ops->on_failure(request, NU_RESET_OVERFLOW, nu_str_make(NULL, 0));
}

/* The stream that begins takes one of the connection's places. */
static void take_place(struct nu_upstream_conn *conn)
{
    conn->requests++;
    conn->active++;
    if (nu_unlikely(conn->requests >= nu_upstream_conn_max_requests(conn))) {
        nu_counter_inc(&nu_pool_stats(conn->pool)->upstream_cx_max_requests);
        nu_upstream_conn_set_state(conn, NU_UPSTREAM_DRAINING);
    } else if (conn->active >= conn->stream_limit) {
        nu_upstream_conn_set_state(conn, NU_UPSTREAM_BUSY);
    }
}

/* Gives a ready connection to a request. */
static void attach(struct nu_upstream_conn *conn, struct nu_pool_request *request)
{
    struct nu_pool *pool = conn->pool;
    struct nu_cluster_traffic_stats *stats = nu_pool_stats(pool);
    if (!nu_breaker_allows(nu_pool_breaker(pool, NU_BREAKER_REQUESTS))) {
        request->had_connection = true;
        overflow(pool, request);
        return;
    }
    take_place(conn);
    nu_counter_inc(&stats->upstream_rq_total);
    nu_gauge_inc(&stats->upstream_rq_active);
    nu_counter_inc(&pool->host_stats->rq_total);
    nu_gauge_inc(&pool->host_stats->rq_active);
    nu_cluster_local_add_active(pool->cluster, pool->host);
    nu_pool_count_up(pool, NU_BREAKER_REQUESTS);
    struct nu_stream_encoder *encoder = nu_likely(!conn->h2)
                                            ? nu_h1_client_start(&conn->codec, request->decoder)
                                            : nu_h2_session_open_stream(conn->h2, request->decoder);
    request->ops->on_ready(request, encoder, conn);
}

/* The same where streams are counted: what is left may be too little for those to come. */
static NU_NOINLINE void attach_counted(struct nu_upstream_conn *conn,
                                       struct nu_pool_request *request)
{
    struct nu_pool *pool = conn->pool;
    attach(conn, request);
    nu_pool_recount(conn);
    if (!pool->is_gone)
        open_connections(pool);
}

/* The connection that takes the next stream; NULL for none. */
static struct nu_upstream_conn *find_ready(struct nu_pool *pool)
{
    struct nu_upstream_conn *conn;
    do {
        conn = nu_list_first(&pool->ready, struct nu_upstream_conn, link);
    } while (nu_unlikely(conn && conn->h2) && !nu_upstream_conn_check_h2(conn));
    return conn;
}

void nu_pool_start(struct nu_pool *pool, struct nu_pool_request *request)
{
    request->pool = pool;
    request->waiting = false;
    request->had_connection = false;
    nu_list_init(&request->link);
    struct nu_upstream_conn *conn = find_ready(pool);
    if (nu_likely(conn != NULL && !pool->is_counted)) {
        attach(conn, request);
        return;
    }
    if (conn) {
        attach_counted(conn, request);
        return;
    }
    if (!nu_breaker_allows(nu_pool_breaker(pool, NU_BREAKER_PENDING))) {
        overflow(pool, request);
        free_pool_if_done(pool);
        return;
    }
    nu_list_add_last(&pool->waiting, &request->link);
    request->waiting = true;
    pool->waiting_count++;
    nu_pool_recount_waiting(pool);
    nu_counter_inc(&nu_pool_stats(pool)->upstream_rq_pending_total);
    nu_gauge_inc(&nu_pool_stats(pool)->upstream_rq_pending_active);
    nu_pool_count_up(pool, NU_BREAKER_PENDING);
    open_connections(pool);
}

void nu_pool_cancel(struct nu_pool_request *request)
{
    if (!request->waiting)
        return;
    struct nu_pool *pool = request->pool;
    stop_waiting(request);
    nu_counter_inc(&nu_pool_stats(pool)->upstream_rq_cancelled);
}

static void serve_waiting(struct nu_pool *pool)
{
    while (nu_unlikely(!nu_list_is_empty(&pool->waiting))) {
        struct nu_upstream_conn *conn = find_ready(pool);
        if (!conn) {
            open_connections(pool);
            return;
        }
        struct nu_pool_request *request =
            nu_list_entry(pool->waiting.next, struct nu_pool_request, link);
        stop_waiting(request);
        attach(conn, request);
        nu_pool_recount_if_counted(conn);
    }
}

/* --- Connections ------------------------------------------------------------------------------ */

/* No new request finds its pool: it ends now, or with the streams that it has. */
static void retire(struct nu_upstream_conn *conn)
{
    if (conn->active)
        nu_upstream_conn_drain(conn);
    else
        nu_connection_close(&conn->conn, NU_CLOSE_NOW);
}

void nu_pool_on_ready(struct nu_upstream_conn *conn)
{
    struct nu_pool *pool = conn->pool;
    nu_upstream_conn_set_state(conn, NU_UPSTREAM_READY);
    nu_pool_recount_if_counted(conn);
    conn->idle_since_us = nu_loop_now_us(pool->cluster->loop);
    serve_waiting(pool);
    if (nu_unlikely(pool->draining) && conn->state == NU_UPSTREAM_READY)
        retire(conn);
}

void nu_pool_count_stream_end(struct nu_upstream_conn *conn)
{
    struct nu_pool *pool = conn->pool;
    conn->active--;
    nu_gauge_dec(&nu_pool_stats(pool)->upstream_rq_active);
    nu_gauge_dec(&pool->host_stats->rq_active);
    nu_cluster_local_sub_active(pool->cluster, pool->host);
    nu_pool_count_down(pool, NU_BREAKER_REQUESTS);
    nu_pool_recount_if_counted(conn);
}

/* A client that ends a tunnel right behind its last words means them to arrive. */
static void close_tunnel(struct nu_upstream_conn *conn)
{
    enum { PATIENCE_MS = 1000 }; /* with a server that takes nothing */
    conn->conn.linger_ms = PATIENCE_MS;
    if (nu_connection_is_open(&conn->conn))
        nu_connection_close(&conn->conn, NU_CLOSE_FLUSH);
}

/* The exchange on an HTTP/1 connection is over. */
static void on_complete(void *user, enum nu_h1_end end)
{
    struct nu_upstream_conn *conn = user;
    struct nu_pool *pool = conn->pool;
    nu_pool_count_stream_end(conn);
    nu_upstream_conn_count_bytes(conn);
    conn->aborted = end == NU_H1_END_ABORTED || end == NU_H1_END_TUNNEL;
    if (conn->conn.in.len && !conn->aborted)
        nu_counter_inc(&nu_pool_stats(pool)->upstream_cx_protocol_error);
    if (end == NU_H1_END_PEER_CLOSES)
        nu_counter_inc(&nu_pool_stats(pool)->upstream_cx_close_notify);
    if (end == NU_H1_END_REUSABLE && conn->state == NU_UPSTREAM_BUSY && !pool->draining) {
        nu_pool_on_ready(conn);
        return;
    }
    if (end == NU_H1_END_TUNNEL)
        close_tunnel(conn);
    else if (nu_connection_is_open(&conn->conn))
        nu_connection_close(&conn->conn, NU_CLOSE_NOW);
}

const struct nu_client_codec_callbacks nu_pool_h1_callbacks = {
    .on_complete = on_complete,
};

static bool has_connections(const struct nu_pool *pool)
{
    return !nu_list_is_empty(&pool->connecting) || !nu_list_is_empty(&pool->ready) ||
           !nu_list_is_empty(&pool->busy);
}

/* A first connection is always allowed, else the breaker says. Whether one was opened, and another
 * one may be. */
static bool open_connection(struct nu_pool *pool)
{
    bool allowed = nu_cluster_allows_connection(pool->cluster, pool->priority, pool->host);
    if (!allowed)
        nu_counter_inc(&nu_pool_stats(pool)->upstream_cx_overflow);
    if (!allowed && has_connections(pool))
        return false;
    nu_upstream_conn_open(pool);
    return allowed;
}

/* As many connections as are needed, but never more than a few at once. */
static void open_connections(struct nu_pool *pool)
{
    enum { OPEN_AT_ONCE = 3 };
    for (int i = 0; i < OPEN_AT_ONCE && nu_pool_needs_connection(pool); i++) {
        if (!open_connection(pool))
            return;
    }
}

bool nu_pool_preconnect(struct nu_pool *pool)
{
    bool opened = nu_pool_foresees_need(pool) && open_connection(pool);
    free_pool_if_done(pool);
    return opened;
}

void nu_pool_on_closed(struct nu_pool *pool)
{
    open_connections(pool);
    free_pool_if_done(pool);
}

/* --- Life ------------------------------------------------------------------------------------- */

static struct nu_pool *create_pool(struct nu_cluster_local *cluster, struct nu_host *host,
                                   enum nu_priority priority, enum nu_pool_kind kind)
{
    struct nu_pool *pool = nu_calloc(1, sizeof(*pool));
    pool->cluster = cluster;
    pool->host = nu_host_ref(host);
    pool->host_stats = nu_stat_set_block(host->stats);
    pool->priority = priority;
    pool->kind = kind;
    pool->is_counted = cluster->totals || cluster->cluster->options.preconnect_ratio > 1;
    nu_list_init(&pool->connecting);
    nu_list_init(&pool->ready);
    nu_list_init(&pool->busy);
    nu_list_init(&pool->waiting);
    nu_list_add_last(&cluster->pools, &pool->link);
    return pool;
}

static void stop_use(struct nu_pool *pool)
{
    if (!pool->in_use)
        return;
    pool->in_use = false;
    nu_pool_count_down(pool, NU_BREAKER_POOLS);
}

/* The turn in which it went is one of those who hold it. */
static void release_hold(void *obj)
{
    struct nu_pool *pool = obj;
    if (--pool->holds || !pool->is_gone)
        return;
    nu_pool_own_destroy(&pool->own);
    nu_host_unref(pool->host);
    nu_free(pool);
}

void nu_pool_hold_host(struct nu_pool *pool, struct nu_arena *arena)
{
    pool->holds++;
    nu_arena_on_free(arena, release_hold, pool);
}

/* No further request finds it by what it is for. */
static void forget_purpose(struct nu_pool *pool)
{
    struct nu_map *own_pools = &pool->cluster->own_pools;
    if (pool->own && nu_map_get(own_pools, pool->own->key) == pool)
        nu_map_remove(own_pools, pool->own->key);
}

/* Not under the caller: a request that it serves may end its last connection, and whoever closes
 * connections looks again whether it was the last. */
static void free_pool(struct nu_pool *pool)
{
    if (pool->is_gone)
        return;
    pool->is_gone = true;
    stop_use(pool);
    forget_purpose(pool);
    nu_list_remove(&pool->link);
    pool->holds++;
    nu_loop_defer_free(pool->cluster->loop, release_hold, pool);
}

static void free_pool_if_done(struct nu_pool *pool)
{
    if (has_connections(pool) || !nu_list_is_empty(&pool->waiting) || pool->is_wanted)
        return;
    stop_use(pool);
    if (pool->draining || pool->own)
        free_pool(pool);
}

/* Envoy's pools exist while they have something to do: only those count. False if no more may. */
static bool begin_use(struct nu_pool *pool)
{
    if (!nu_breaker_allows(nu_pool_breaker(pool, NU_BREAKER_POOLS))) {
        nu_counter_inc(&nu_pool_stats(pool)->upstream_cx_pool_overflow);
        return false;
    }
    pool->in_use = true;
    nu_pool_count_up(pool, NU_BREAKER_POOLS);
    return true;
}

/* What is spoken to the upstream for a client that speaks `downstream`. */
static enum nu_pool_kind kind_for(const struct nu_cluster_local *cluster,
                                  enum nu_protocol downstream)
{
    switch (cluster->cluster->options.http) {
    case NU_CLUSTER_HTTP1:
        break;
    case NU_CLUSTER_HTTP2:
        return NU_POOL_HTTP2;
    case NU_CLUSTER_AS_DOWNSTREAM:
        return downstream == NU_PROTOCOL_HTTP2 ? NU_POOL_HTTP2 : NU_POOL_HTTP1;
    case NU_CLUSTER_AGREED:
        return NU_POOL_AGREED;
    }
    return NU_POOL_HTTP1;
}

static size_t slot_of(uint32_t index, enum nu_priority priority, enum nu_pool_kind kind)
{
    size_t slot = (size_t)index * NU_PRIORITY_COUNT + priority;
    return slot * NU_POOLS_PER_PRIORITY + (kind == NU_POOL_HTTP2);
}

size_t nu_pool_slot(const struct nu_pool *pool, uint32_t index)
{
    return slot_of(index, pool->priority, pool->kind);
}

/* Whether it has connections that nobody uses, and nothing else. */
static bool is_idle(const struct nu_pool *pool)
{
    struct nu_upstream_conn *conn;
    if (!nu_list_is_empty(&pool->connecting) || !nu_list_is_empty(&pool->busy) ||
        !nu_list_is_empty(&pool->waiting) || pool->is_wanted)
        return false;
    nu_list_for_each(conn, &pool->ready, struct nu_upstream_conn, link)
    {
        if (conn->active)
            return false;
    }
    return true;
}

/* Ends the pool that was asked for longest ago of those with a purpose that are idle. False if there
 * is none. */
static bool drop_idle_own(struct nu_cluster_local *cluster, enum nu_priority priority)
{
    struct nu_pool *pool;
    nu_list_for_each(pool, &cluster->pools, struct nu_pool, link)
    {
        if (!pool->own || pool->priority != priority || !is_idle(pool))
            continue;
        nu_pool_drain(pool);
        return true;
    }
    return false;
}

/* Purposes are what clients say or are: without end. A first connection is always allowed, so what
 * is kept for one of them goes when the breakers leave no room for another. */
static void make_room(struct nu_cluster_local *cluster, enum nu_priority priority)
{
    const struct nu_breaker *of = cluster->cluster->breakers[priority].of;
    while (!nu_breaker_allows(&of[NU_BREAKER_CONNECTIONS]) ||
           !nu_breaker_allows(&of[NU_BREAKER_POOLS])) {
        if (!drop_idle_own(cluster, priority))
            return;
    }
}

static struct nu_pool *get_own(struct nu_cluster_local *cluster, uint32_t index,
                               enum nu_priority priority, enum nu_pool_kind kind,
                               const struct nu_pool_purpose *purpose)
{
    struct nu_host *host = cluster->hosts->hosts[index];
    struct nu_strbuf key = {0};
    nu_pool_own_key(host, priority, kind, purpose, &key);
    struct nu_pool *pool = nu_map_get(&cluster->own_pools, nu_strbuf_str(&key));
    if (pool) {
        nu_list_remove(&pool->link);
        nu_list_add_last(&cluster->pools, &pool->link);
    } else {
        make_room(cluster, priority);
        pool = create_pool(cluster, host, priority, kind);
        pool->own = nu_pool_own_create(purpose, nu_strbuf_str(&key));
        nu_map_put(&cluster->own_pools, pool->own->key, pool);
    }
    nu_strbuf_finish(&key);
    return pool;
}

static struct nu_pool *get_of_host(struct nu_cluster_local *cluster, uint32_t index,
                                   enum nu_priority priority, enum nu_pool_kind kind)
{
    struct nu_pool **slot = &cluster->pool_of[slot_of(index, priority, kind)];
    if (nu_unlikely(!*slot))
        *slot = create_pool(cluster, cluster->hosts->hosts[index], priority, kind);
    return *slot;
}

struct nu_pool *nu_pool_get(struct nu_cluster_local *cluster, uint32_t index,
                            enum nu_priority priority, enum nu_protocol downstream,
                            const struct nu_pool_purpose *purpose)
{
    enum nu_pool_kind kind = kind_for(cluster, downstream);
    bool is_own = purpose && (purpose->client || purpose->connection || purpose->server_name.len);
    struct nu_pool *pool = nu_unlikely(is_own) ? get_own(cluster, index, priority, kind, purpose)
                                               : get_of_host(cluster, index, priority, kind);
    if (nu_likely(pool->in_use) || begin_use(pool))
        return pool;
    if (pool->own)
        free_pool(pool);
    return NULL;
}

static void close_all(struct nu_list *list)
{
    while (!nu_list_is_empty(list)) {
        struct nu_upstream_conn *conn = nu_list_entry(list->next, struct nu_upstream_conn, link);
        nu_connection_close(&conn->conn, NU_CLOSE_NOW);
    }
}

static void drain_ready(struct nu_pool *pool)
{
    while (!nu_list_is_empty(&pool->ready))
        retire(nu_list_entry(pool->ready.next, struct nu_upstream_conn, link));
}

void nu_pool_drain(struct nu_pool *pool)
{
    forget_purpose(pool);
    drain_ready(pool);
    pool->draining = true;
    free_pool_if_done(pool);
}

void nu_pool_destroy(struct nu_pool *pool)
{
    forget_purpose(pool);
    nu_pool_fail_waiting(pool, NU_RESET_LOCAL, nu_str_make(NULL, 0));
    if (!has_connections(pool)) {
        free_pool(pool);
        return;
    }
    pool->draining = true; /* the last connection frees it, at the end of the turn */
    close_all(&pool->connecting);
    close_all(&pool->ready);
    close_all(&pool->busy);
}
