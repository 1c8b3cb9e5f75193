/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 connection pools. The statistics that move here, and when, are Envoy's.
 */
#include "upstream/pool.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"

enum conn_state {
    CONNECTING,
    IDLE,
    BUSY,
    CLOSED,
};

static _Atomic uint64_t next_connection_id;

static struct nu_upstream_conn *conn_of(struct nu_connection *conn)
{
    return nu_container_of(conn, struct nu_upstream_conn, conn);
}

static struct nu_cluster_traffic_stats *stats_of(const struct nu_pool *pool)
{
    return pool->cluster->stats;
}

static const struct nu_cluster_options *options_of(const struct nu_pool *pool)
{
    return &pool->cluster->cluster->options;
}

static struct nu_breaker *breaker_of(const struct nu_pool *pool, enum nu_breaker_kind kind)
{
    return &pool->cluster->cluster->breakers[pool->priority].of[kind];
}

static void count_up(struct nu_pool *pool, enum nu_breaker_kind kind)
{
    nu_cluster_breaker_add(pool->cluster, pool->priority, kind);
}

static void count_down(struct nu_pool *pool, enum nu_breaker_kind kind)
{
    nu_cluster_breaker_sub(pool->cluster, pool->priority, kind);
}

static void free_pool_if_done(struct nu_pool *pool);
static void serve_waiting(struct nu_pool *pool);
static void open_connections(struct nu_pool *pool);

/* --- Requests --------------------------------------------------------------------------------- */

static void fail_request(struct nu_pool *pool, struct nu_pool_request *request,
                         enum nu_reset_reason reason, struct nu_str transport_failure)
{
    (void)pool;
    request->ops->on_failure(request, reason, transport_failure);
}

static void stop_waiting(struct nu_pool_request *request)
{
    struct nu_pool *pool = request->pool;
    nu_list_remove(&request->link);
    request->waiting = false;
    pool->waiting_count--;
    nu_gauge_dec(&stats_of(pool)->upstream_rq_pending_active);
    count_down(pool, NU_BREAKER_PENDING);
}

/* A failed connect leaves nobody waiting, so that whoever waits can choose again. */
static void fail_waiting(struct nu_pool *pool, enum nu_reset_reason reason,
                         struct nu_str transport_failure)
{
    struct nu_list failed;
    nu_list_init(&failed);
    nu_list_move_all(&failed, &pool->waiting);
    while (!nu_list_is_empty(&failed)) {
        struct nu_pool_request *request = nu_list_entry(failed.next, struct nu_pool_request, link);
        stop_waiting(request);
        nu_counter_inc(&stats_of(pool)->upstream_rq_pending_failure_eject);
        fail_request(pool, request, reason, transport_failure);
    }
}

static void overflow(struct nu_pool *pool, struct nu_pool_request *request)
{
    nu_counter_inc(&stats_of(pool)->upstream_rq_pending_overflow);
    fail_request(pool, request, NU_RESET_OVERFLOW, nu_str_make(NULL, 0));
}

static void set_state(struct nu_upstream_conn *conn, enum conn_state state)
{
    nu_list_remove(&conn->link);
    conn->state = (uint8_t)state;
    struct nu_pool *pool = conn->pool;
    switch (state) {
    case CONNECTING:
        nu_list_add_last(&pool->connecting, &conn->link);
        break;
    case IDLE:
        nu_list_add_first(&pool->idle, &conn->link);
        break;
    case BUSY:
        nu_list_add_first(&pool->busy, &conn->link);
        break;
    case CLOSED:
        break;
    }
}

/* Gives an idle connection to a request. */
static void attach(struct nu_upstream_conn *conn, struct nu_pool_request *request)
{
    struct nu_pool *pool = conn->pool;
    struct nu_cluster_traffic_stats *stats = stats_of(pool);
    if (!nu_breaker_allows(breaker_of(pool, NU_BREAKER_REQUESTS))) {
        request->had_connection = true;
        overflow(pool, request);
        return;
    }
    set_state(conn, BUSY);
    conn->request = request;
    conn->requests++;
    uint32_t max = options_of(pool)->max_requests_per_connection;
    if (max && conn->requests >= max) {
        nu_counter_inc(&stats->upstream_cx_max_requests);
        conn->drain = true;
    }
    nu_counter_inc(&stats->upstream_rq_total);
    nu_gauge_inc(&stats->upstream_rq_active);
    nu_counter_inc(&pool->host_stats->rq_total);
    nu_gauge_inc(&pool->host_stats->rq_active);
    count_up(pool, NU_BREAKER_REQUESTS);
    struct nu_stream_encoder *encoder = nu_h1_client_start(&conn->codec, request->decoder);
    request->ops->on_ready(request, encoder, conn);
}

static void count_request_end(struct nu_pool *pool)
{
    nu_gauge_dec(&stats_of(pool)->upstream_rq_active);
    nu_gauge_dec(&pool->host_stats->rq_active);
    count_down(pool, NU_BREAKER_REQUESTS);
}

void nu_pool_start(struct nu_pool *pool, struct nu_pool_request *request)
{
    request->pool = pool;
    request->waiting = false;
    request->had_connection = false;
    nu_list_init(&request->link);
    struct nu_upstream_conn *conn = nu_list_first(&pool->idle, struct nu_upstream_conn, link);
    if (nu_likely(conn != NULL)) {
        attach(conn, request);
        return;
    }
    if (!nu_breaker_allows(breaker_of(pool, NU_BREAKER_PENDING))) {
        overflow(pool, request);
        free_pool_if_done(pool);
        return;
    }
    nu_list_add_last(&pool->waiting, &request->link);
    request->waiting = true;
    pool->waiting_count++;
    nu_counter_inc(&stats_of(pool)->upstream_rq_pending_total);
    nu_gauge_inc(&stats_of(pool)->upstream_rq_pending_active);
    count_up(pool, NU_BREAKER_PENDING);
    open_connections(pool);
}

void nu_pool_cancel(struct nu_pool_request *request)
{
    if (!request->waiting)
        return;
    struct nu_pool *pool = request->pool;
    stop_waiting(request);
    nu_counter_inc(&stats_of(pool)->upstream_rq_cancelled);
}

static void serve_waiting(struct nu_pool *pool)
{
    while (!nu_list_is_empty(&pool->waiting)) {
        struct nu_upstream_conn *conn = nu_list_first(&pool->idle, struct nu_upstream_conn, link);
        if (!conn)
            return;
        struct nu_pool_request *request =
            nu_list_entry(pool->waiting.next, struct nu_pool_request, link);
        stop_waiting(request);
        attach(conn, request);
    }
}

/* --- Connections ------------------------------------------------------------------------------ */

static void count_bytes(struct nu_upstream_conn *conn)
{
    struct nu_cluster_traffic_stats *stats = stats_of(conn->pool);
    nu_counter_add(&stats->upstream_cx_rx_bytes_total, conn->conn.rx_bytes - conn->counted_rx);
    nu_counter_add(&stats->upstream_cx_tx_bytes_total, conn->conn.tx_bytes - conn->counted_tx);
    conn->counted_rx = conn->conn.rx_bytes;
    conn->counted_tx = conn->conn.tx_bytes;
}

static void arm_idle_timer(struct nu_upstream_conn *conn, uint64_t idle_us)
{
    uint64_t limit_ms = options_of(conn->pool)->idle_timeout_ms;
    uint64_t idle_ms = idle_us / 1000;
    if (limit_ms)
        nu_timer_arm(conn->conn.loop, &conn->timer, limit_ms > idle_ms ? limit_ms - idle_ms : 0);
}

static void become_idle(struct nu_upstream_conn *conn)
{
    struct nu_pool *pool = conn->pool;
    set_state(conn, IDLE);
    conn->idle_since_us = nu_loop_now_us(pool->cluster->loop);
    serve_waiting(pool);
    if (nu_unlikely(pool->draining) && conn->state == IDLE)
        nu_connection_close(&conn->conn, NU_CLOSE_NOW);
}

/* The exchange on a connection is over. */
static void on_complete(void *user, enum nu_h1_end end)
{
    struct nu_upstream_conn *conn = user;
    struct nu_pool *pool = conn->pool;
    conn->request = NULL;
    count_request_end(pool);
    count_bytes(conn);
    conn->aborted = end == NU_H1_END_ABORTED;
    if (conn->conn.in.len && !conn->aborted)
        nu_counter_inc(&stats_of(pool)->upstream_cx_protocol_error);
    if (end == NU_H1_END_PEER_CLOSES)
        nu_counter_inc(&stats_of(pool)->upstream_cx_close_notify);
    if (end == NU_H1_END_REUSABLE && !conn->drain && !pool->draining) {
        become_idle(conn);
        return;
    }
    if (nu_connection_is_open(&conn->conn))
        nu_connection_close(&conn->conn, NU_CLOSE_NOW);
}

static const struct nu_client_codec_callbacks codec_callbacks = {
    .on_complete = on_complete,
};

static void on_connected(struct nu_connection *base)
{
    struct nu_upstream_conn *conn = conn_of(base);
    struct nu_pool *pool = conn->pool;
    nu_timer_cancel(&conn->timer);
    pool->connecting_count--;
    conn->connect_end_us = nu_loop_now_us(base->loop);
    nu_histogram_record(&stats_of(pool)->upstream_cx_connect_ms,
                        (conn->connect_end_us - conn->connect_start_us) / 1000);
    conn->local = nu_connection_local_address(base);
    uint64_t max_ms = options_of(pool)->max_connection_duration_ms;
    if (max_ms)
        nu_timer_arm(base->loop, &conn->duration_timer, max_ms);
    nu_log(NU_LOG_POOL, NU_LOG_DEBUG, "[C%llu] connected to %.*s", (unsigned long long)conn->id,
           NU_STR_ARG(pool->host->address_text));
    arm_idle_timer(conn, 0);
    become_idle(conn);
}

/* Bytes that nobody asked for, or the server's end, on an idle connection. */
static void end_idle(struct nu_upstream_conn *conn)
{
    nu_connection_close(&conn->conn, NU_CLOSE_NOW);
}

static void on_data(struct nu_connection *base)
{
    struct nu_upstream_conn *conn = conn_of(base);
    if (conn->state == BUSY)
        conn->codec.codec.ops->dispatch(&conn->codec.codec);
    if (conn->state == IDLE && (base->in.len || base->read_eof))
        end_idle(conn);
}

static void on_above_high(struct nu_connection *base)
{
    struct nu_upstream_conn *conn = conn_of(base);
    nu_counter_inc(&stats_of(conn->pool)->upstream_flow_control_backed_up_total);
    conn->codec.codec.ops->on_above_high(&conn->codec.codec);
}

static void on_below_low(struct nu_connection *base)
{
    struct nu_upstream_conn *conn = conn_of(base);
    nu_counter_inc(&stats_of(conn->pool)->upstream_flow_control_drained_total);
    conn->codec.codec.ops->on_below_low(&conn->codec.codec);
}

static void count_destroy(struct nu_upstream_conn *conn, bool local, bool active)
{
    struct nu_cluster_traffic_stats *stats = stats_of(conn->pool);
    nu_counter_inc(&stats->upstream_cx_destroy);
    nu_counter_inc(local ? &stats->upstream_cx_destroy_local : &stats->upstream_cx_destroy_remote);
    if (active) {
        nu_counter_inc(&stats->upstream_cx_destroy_with_active_rq);
        nu_counter_inc(local ? &stats->upstream_cx_destroy_local_with_active_rq
                             : &stats->upstream_cx_destroy_remote_with_active_rq);
    }
}

/* "delayed connect error: Connection refused", as Envoy words it, or what TLS says. */
static struct nu_str connect_failure_text(const struct nu_upstream_conn *conn, char *buffer,
                                          size_t size)
{
    if (conn->conn.transport_failure)
        return nu_str_from(conn->conn.transport_failure);
    if (conn->timed_out || !conn->conn.error)
        return nu_str_make(NULL, 0);
    int len = snprintf(buffer, size, "delayed connect error: %s", strerror(conn->conn.error));
    return nu_str_make(buffer, (size_t)len);
}

static void on_connect_failed(struct nu_upstream_conn *conn, enum nu_close_reason reason)
{
    struct nu_pool *pool = conn->pool;
    struct nu_cluster_traffic_stats *stats = stats_of(pool);
    pool->connecting_count--;
    nu_counter_inc(&stats->upstream_cx_connect_fail);
    nu_counter_inc(&pool->host_stats->cx_connect_fail);
    char buffer[160];
    struct nu_str text = connect_failure_text(conn, buffer, sizeof(buffer));
    enum nu_reset_reason reset = conn->timed_out             ? NU_RESET_CONNECTION_TIMEOUT
                                 : reason == NU_CLOSED_BY_US ? NU_RESET_LOCAL_CONNECTION_FAILURE
                                                             : NU_RESET_REMOTE_CONNECTION_FAILURE;
    nu_log(NU_LOG_POOL, NU_LOG_DEBUG, "[C%llu] connect to %.*s failed: %.*s",
           (unsigned long long)conn->id, NU_STR_ARG(pool->host->address_text), NU_STR_ARG(text));
    fail_waiting(pool, reset, text);
}

static void free_conn(void *obj)
{
    nu_free(obj);
}

static void on_closed(struct nu_connection *base, enum nu_close_reason reason)
{
    struct nu_upstream_conn *conn = conn_of(base);
    struct nu_pool *pool = conn->pool;
    struct nu_cluster_traffic_stats *stats = stats_of(pool);
    enum conn_state before = (enum conn_state)conn->state;
    nu_timer_cancel(&conn->timer);
    nu_timer_cancel(&conn->duration_timer);
    set_state(conn, CLOSED);
    count_bytes(conn);
    nu_gauge_dec(&stats->upstream_cx_active);
    nu_gauge_dec(&pool->host_stats->cx_active);
    count_down(pool, NU_BREAKER_CONNECTIONS);
    nu_histogram_record(&stats->upstream_cx_length_ms,
                        (nu_loop_now_us(base->loop) - conn->connect_start_us) / 1000);
    count_destroy(conn, reason == NU_CLOSED_BY_US && !base->read_eof,
                  conn->request || conn->aborted);
    if (before == CONNECTING)
        on_connect_failed(conn, reason);
    else
        nu_histogram_record(&stats->upstream_rq_per_cx, conn->requests);
    if (conn->request) {
        conn->request = NULL;
        count_request_end(pool);
        conn->codec.codec.ops->on_closed(&conn->codec.codec, NU_RESET_CONNECTION_TERMINATION);
    }
    nu_loop_defer_free(base->loop, free_conn, conn);
    open_connections(pool);
    free_pool_if_done(pool);
}

static const struct nu_connection_ops connection_ops = {
    .on_connected = on_connected,
    .on_data = on_data,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
    .on_closed = on_closed,
};

static void on_connect_timeout(struct nu_upstream_conn *conn)
{
    conn->timed_out = true;
    nu_counter_inc(&stats_of(conn->pool)->upstream_cx_connect_timeout);
    nu_connection_close(&conn->conn, NU_CLOSE_NOW);
}

/* The connect timeout; later a look at how long the connection was idle, so that a request costs no
 * timer work. */
static void on_timer(struct nu_timer *timer)
{
    struct nu_upstream_conn *conn = nu_container_of(timer, struct nu_upstream_conn, timer);
    if (conn->state == CONNECTING) {
        on_connect_timeout(conn);
        return;
    }
    uint64_t idle_us =
        conn->state == IDLE ? nu_loop_now_us(conn->conn.loop) - conn->idle_since_us : 0;
    if (idle_us / 1000 < options_of(conn->pool)->idle_timeout_ms) {
        arm_idle_timer(conn, idle_us);
        return;
    }
    nu_counter_inc(&stats_of(conn->pool)->upstream_cx_idle_timeout);
    nu_connection_close(&conn->conn, NU_CLOSE_NOW);
}

static void on_duration_timer(struct nu_timer *timer)
{
    struct nu_upstream_conn *conn = nu_container_of(timer, struct nu_upstream_conn, duration_timer);
    nu_counter_inc(&stats_of(conn->pool)->upstream_cx_max_duration_reached);
    conn->drain = true;
    if (conn->state == IDLE)
        nu_connection_close(&conn->conn, NU_CLOSE_NOW);
}

static bool set_int(int fd, int level, int name, uint32_t value)
{
    int number = (int)value;
    return setsockopt(fd, level, name, &number, sizeof(number)) == 0;
}

static bool set_up_socket(int fd, const void *arg)
{
    const struct nu_cluster_options *options = arg;
    if (!options->tcp_keepalive)
        return true;
    if (!set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1))
        return false;
    if (options->keepalive_probes &&
        !set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, options->keepalive_probes))
        return false;
    if (options->keepalive_time_s &&
        !set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, options->keepalive_time_s))
        return false;
    return !options->keepalive_interval_s ||
           set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, options->keepalive_interval_s);
}

static void open_connection(struct nu_pool *pool)
{
    struct nu_cluster_traffic_stats *stats = stats_of(pool);
    struct nu_loop *loop = pool->cluster->loop;
    const struct nu_cluster_options *options = options_of(pool);
    struct nu_upstream_conn *conn = nu_calloc(1, sizeof(*conn));
    conn->pool = pool;
    conn->id = atomic_fetch_add_explicit(&next_connection_id, 1, memory_order_relaxed);
    conn->connect_start_us = nu_loop_now_us(loop);
    nu_list_init(&conn->link);
    nu_timer_init(&conn->timer, on_timer);
    nu_timer_init(&conn->duration_timer, on_duration_timer);
    set_state(conn, CONNECTING);
    pool->connecting_count++;
    nu_counter_inc(&stats->upstream_cx_total);
    nu_counter_inc(&stats->upstream_cx_http1_total);
    nu_gauge_inc(&stats->upstream_cx_active);
    nu_counter_inc(&pool->host_stats->cx_total);
    nu_gauge_inc(&pool->host_stats->cx_active);
    count_up(pool, NU_BREAKER_CONNECTIONS);
    nu_connection_connect(&conn->conn, loop, &pool->host->address, &connection_ops,
                          options->buffer_limit_bytes, set_up_socket, options);
    if (options->transport.cls)
        options->transport.cls->connect(&conn->conn, options->transport.config,
                                        pool->host->hostname);
    nu_h1_client_init(&conn->codec, &conn->conn, &options->h1, &codec_callbacks, conn);
    nu_timer_arm(loop, &conn->timer, options->connect_timeout_ms);
}

static bool has_connections(const struct nu_pool *pool)
{
    return !nu_list_is_empty(&pool->connecting) || !nu_list_is_empty(&pool->idle) ||
           !nu_list_is_empty(&pool->busy);
}

/* One connection for each request that waits, while the breaker allows; a first one always. */
static void open_connections(struct nu_pool *pool)
{
    while (pool->waiting_count > pool->connecting_count) {
        bool allowed = nu_breaker_allows(breaker_of(pool, NU_BREAKER_CONNECTIONS));
        if (!allowed)
            nu_counter_inc(&stats_of(pool)->upstream_cx_overflow);
        if (!allowed && has_connections(pool))
            return;
        open_connection(pool);
        if (!allowed)
            return;
    }
}

/* --- Life ------------------------------------------------------------------------------------- */

static struct nu_pool *create_pool(struct nu_cluster_local *cluster, struct nu_host *host,
                                   enum nu_priority priority)
{
    struct nu_pool *pool = nu_calloc(1, sizeof(*pool));
    pool->cluster = cluster;
    pool->host = nu_host_ref(host);
    pool->host_stats = nu_stat_set_block(host->stats);
    pool->priority = priority;
    nu_list_init(&pool->connecting);
    nu_list_init(&pool->idle);
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
    count_down(pool, NU_BREAKER_POOLS);
}

static void free_later(void *obj)
{
    struct nu_pool *pool = obj;
    nu_host_unref(pool->host);
    nu_free(pool);
}

/* Not under the caller: a request that it serves may end its last connection. */
static void free_pool(struct nu_pool *pool)
{
    stop_use(pool);
    nu_list_remove(&pool->link);
    nu_loop_defer_free(pool->cluster->loop, free_later, pool);
}

static void free_pool_if_done(struct nu_pool *pool)
{
    if (has_connections(pool) || !nu_list_is_empty(&pool->waiting))
        return;
    stop_use(pool);
    if (pool->draining)
        free_pool(pool);
}

/* Envoy's pools exist while they have something to do: only those count. False if no more may. */
static bool begin_use(struct nu_pool *pool)
{
    if (!nu_breaker_allows(breaker_of(pool, NU_BREAKER_POOLS))) {
        nu_counter_inc(&stats_of(pool)->upstream_cx_pool_overflow);
        return false;
    }
    pool->in_use = true;
    count_up(pool, NU_BREAKER_POOLS);
    return true;
}

struct nu_pool *nu_pool_get(struct nu_cluster_local *cluster, uint32_t index,
                            enum nu_priority priority)
{
    struct nu_pool **slot = &cluster->pool_of[index * NU_PRIORITY_COUNT + priority];
    if (nu_unlikely(!*slot))
        *slot = create_pool(cluster, cluster->hosts->hosts[index], priority);
    if (nu_unlikely(!(*slot)->in_use) && !begin_use(*slot))
        return NULL;
    return *slot;
}

static void close_all(struct nu_list *list)
{
    while (!nu_list_is_empty(list)) {
        struct nu_upstream_conn *conn = nu_list_entry(list->next, struct nu_upstream_conn, link);
        nu_connection_close(&conn->conn, NU_CLOSE_NOW);
    }
}

void nu_pool_drain(struct nu_pool *pool)
{
    close_all(&pool->idle);
    pool->draining = true;
    free_pool_if_done(pool);
}

void nu_pool_destroy(struct nu_pool *pool)
{
    fail_waiting(pool, NU_RESET_LOCAL, nu_str_make(NULL, 0));
    if (!has_connections(pool)) {
        free_pool(pool);
        return;
    }
    pool->draining = true; /* the last connection frees it, at the end of the turn */
    close_all(&pool->connecting);
    close_all(&pool->idle);
    close_all(&pool->busy);
}
