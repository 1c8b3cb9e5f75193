/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upstream connections: how they are opened, what ends them, and which statistics move then.
 */
#include "base/alloc.h"
#include "base/log.h"
#include "upstream/pool/dial.h"
#include "upstream/pool/pool_own.h"
#include "upstream/pool/pool_internal.h"

static struct nu_upstream_conn *conn_of(struct nu_connection *conn)
{
    return nu_container_of(conn, struct nu_upstream_conn, conn);
}

static struct nu_cluster_traffic_stats *stats_of(const struct nu_upstream_conn *conn)
{
    return nu_pool_stats(conn->pool);
}

static const struct nu_cluster_options *options_of(const struct nu_upstream_conn *conn)
{
    return nu_pool_options(conn->pool);
}

void nu_upstream_conn_count_bytes(struct nu_upstream_conn *conn)
{
    struct nu_cluster_traffic_stats *stats = stats_of(conn);
    nu_counter_add(&stats->upstream_cx_rx_bytes_total, conn->conn.rx_bytes - conn->counted_rx);
    nu_counter_add(&stats->upstream_cx_tx_bytes_total, conn->conn.tx_bytes - conn->counted_tx);
    conn->counted_rx = conn->conn.rx_bytes;
    conn->counted_tx = conn->conn.tx_bytes;
}

static void arm_idle_timer(struct nu_upstream_conn *conn, uint64_t idle_us)
{
    uint64_t limit_ms = options_of(conn)->idle_timeout_ms;
    uint64_t idle_ms = idle_us / 1000;
    if (limit_ms)
        nu_timer_arm(conn->conn.loop, &conn->timer, limit_ms > idle_ms ? limit_ms - idle_ms : 0);
}

struct nu_connection_gauges nu_upstream_conn_gauges(const struct nu_connection *base)
{
    const struct nu_upstream_conn *conn =
        nu_container_of(base, const struct nu_upstream_conn, conn);
    struct nu_cluster_traffic_stats *stats = stats_of(conn);
    return (struct nu_connection_gauges){&stats->upstream_cx_rx_bytes_buffered,
                                         &stats->upstream_cx_tx_bytes_buffered};
}

/* --- Open ------------------------------------------------------------------------------------- */

static void count_protocol(struct nu_upstream_conn *conn, bool is_h2)
{
    nu_counter_inc(is_h2 ? &stats_of(conn)->upstream_cx_http2_total
                         : &stats_of(conn)->upstream_cx_http1_total);
}

/* The transport has agreed with the server on what is spoken; without a word it is HTTP/1. Envoy
 * counts the connection again, since it makes another one of it. */
static void choose_protocol(struct nu_upstream_conn *conn)
{
    const struct nu_connection *base = &conn->conn;
    struct nu_str name = base->transport->application_protocol
                             ? base->transport->application_protocol(base)
                             : nu_str_make(NULL, 0);
    bool is_h2 = nu_str_eq(name, NU_STR("h2"));
    nu_counter_inc(&stats_of(conn)->upstream_cx_total);
    nu_counter_inc(&conn->pool->host_stats->cx_total);
    count_protocol(conn, is_h2);
    if (is_h2)
        nu_upstream_conn_start_h2(conn);
    else
        conn->stream_limit = 1;
    nu_pool_recount_if_counted(conn);
}

/* Begins to speak. */
static void start_codec(struct nu_upstream_conn *conn)
{
    if (nu_unlikely(conn->pool->kind == NU_POOL_HTTP2))
        nu_upstream_conn_start_h2(conn);
    else if (nu_unlikely(conn->pool->kind == NU_POOL_AGREED))
        choose_protocol(conn);
}

static void on_connected(struct nu_connection *base)
{
    struct nu_upstream_conn *conn = conn_of(base);
    struct nu_pool *pool = conn->pool;
    nu_timer_cancel(&conn->timer);
    pool->connecting_capacity -= nu_upstream_conn_capacity(conn);
    conn->connect_end_us = nu_loop_now_us(base->loop);
    nu_histogram_record(&stats_of(conn)->upstream_cx_connect_ms,
                        (conn->connect_end_us - conn->connect_start_us) / 1000);
    conn->local = nu_connection_local_address(base);
    conn->remote = nu_dial_remote(base, conn->pool->host);
    uint64_t max_ms = options_of(conn)->max_connection_duration_ms;
    if (max_ms)
        nu_timer_arm(base->loop, &conn->duration_timer, max_ms);
    nu_log(NU_LOG_POOL, NU_LOG_DEBUG, "[C%llu] connected to %.*s", (unsigned long long)conn->id,
           NU_STR_ARG(nu_host_address_text(pool->host)));
    arm_idle_timer(conn, 0);
    start_codec(conn);
    nu_pool_on_ready(conn);
}

static void on_data(struct nu_connection *base)
{
    struct nu_upstream_conn *conn = conn_of(base);
    if (conn->active)
        conn->codec.codec.ops->dispatch(&conn->codec.codec);
    /* Bytes that nobody asked for, or the server's end, on an idle connection. */
    if (conn->state == NU_UPSTREAM_READY && (base->in.len || base->read_eof))
        nu_connection_close(&conn->conn, NU_CLOSE_NOW);
}

static void on_above_high(struct nu_connection *base)
{
    struct nu_upstream_conn *conn = conn_of(base);
    nu_counter_inc(&stats_of(conn)->upstream_flow_control_backed_up_total);
    conn->codec.codec.ops->on_above_high(&conn->codec.codec);
}

static void on_below_low(struct nu_connection *base)
{
    struct nu_upstream_conn *conn = conn_of(base);
    nu_counter_inc(&stats_of(conn)->upstream_flow_control_drained_total);
    conn->codec.codec.ops->on_below_low(&conn->codec.codec);
}

/* --- The end ---------------------------------------------------------------------------------- */

static struct nu_dial_account account_of(const struct nu_pool *pool)
{
    return (struct nu_dial_account){pool->cluster, pool->host_stats, pool->priority};
}

static void on_connect_failed(struct nu_upstream_conn *conn, enum nu_close_reason reason)
{
    struct nu_pool *pool = conn->pool;
    pool->connecting_capacity -= nu_upstream_conn_capacity(conn);
    char buffer[NU_DIAL_TEXT_MAX];
    struct nu_str text = nu_dial_failure_text(&conn->conn, conn->timed_out, buffer);
    enum nu_reset_reason reset = conn->timed_out             ? NU_RESET_CONNECTION_TIMEOUT
                                 : reason == NU_CLOSED_BY_US ? NU_RESET_LOCAL_CONNECTION_FAILURE
                                                             : NU_RESET_REMOTE_CONNECTION_FAILURE;
    nu_log(NU_LOG_POOL, NU_LOG_DEBUG, "[C%llu] connect to %.*s failed: %.*s",
           (unsigned long long)conn->id, NU_STR_ARG(nu_host_address_text(pool->host)),
           NU_STR_ARG(text));
    nu_pool_fail_waiting(pool, reset, text);
}

static void free_conn(void *obj)
{
    nu_free(obj);
}

/* The streams that are left end with the connection. */
static void end_streams(struct nu_upstream_conn *conn)
{
    if (nu_unlikely(conn->h2)) {
        nu_upstream_conn_end_h2(conn, NU_RESET_CONNECTION_TERMINATION);
    } else if (conn->active) {
        nu_pool_count_stream_end(conn);
        conn->codec.codec.ops->on_closed(&conn->codec.codec, NU_RESET_CONNECTION_TERMINATION);
    }
}

void nu_upstream_conn_on_closed(struct nu_connection *base, enum nu_close_reason reason)
{
    struct nu_upstream_conn *conn = conn_of(base);
    struct nu_pool *pool = conn->pool;
    bool was_connecting = conn->state == NU_UPSTREAM_CONNECTING;
    nu_timer_cancel(&conn->timer);
    nu_timer_cancel(&conn->duration_timer);
    nu_upstream_conn_set_state(conn, NU_UPSTREAM_CLOSED);
    nu_pool_recount_if_counted(conn);
    nu_upstream_conn_count_bytes(conn);
    struct nu_dial_account account = account_of(pool);
    struct nu_dial_end end = {
        .age_us = nu_loop_now_us(base->loop) - conn->connect_start_us,
        .local = reason == NU_CLOSED_BY_US && !base->read_eof,
        .active = conn->active || conn->aborted,
        .unconnected = was_connecting,
    };
    nu_dial_count_close(&account, &end);
    if (was_connecting)
        on_connect_failed(conn, reason);
    else
        nu_histogram_record(&stats_of(conn)->upstream_rq_per_cx, conn->requests);
    end_streams(conn);
    nu_loop_defer_free(base->loop, free_conn, conn);
    nu_pool_on_closed(pool);
}

static const struct nu_connection_ops connection_ops = {
    .on_connected = on_connected,
    .on_data = on_data,
    .on_above_high = on_above_high,
    .gauges = nu_upstream_conn_gauges,
    .on_below_low = on_below_low,
    .on_closed = nu_upstream_conn_on_closed,
};

/* --- Timers ----------------------------------------------------------------------------------- */

static void on_connect_timeout(struct nu_upstream_conn *conn)
{
    conn->timed_out = true;
    nu_counter_inc(&stats_of(conn)->upstream_cx_connect_timeout);
    nu_connection_close(&conn->conn, NU_CLOSE_NOW);
}

/* The connect timeout; later a look at how long the connection was idle, so that a request costs no
 * timer work. */
static void on_timer(struct nu_timer *timer)
{
    struct nu_upstream_conn *conn = nu_container_of(timer, struct nu_upstream_conn, timer);
    if (conn->state == NU_UPSTREAM_CONNECTING) {
        on_connect_timeout(conn);
        return;
    }
    uint64_t idle_us = conn->active ? 0 : nu_loop_now_us(conn->conn.loop) - conn->idle_since_us;
    if (idle_us / 1000 < options_of(conn)->idle_timeout_ms) {
        arm_idle_timer(conn, idle_us);
        return;
    }
    nu_counter_inc(&stats_of(conn)->upstream_cx_idle_timeout);
    nu_connection_close(&conn->conn, NU_CLOSE_NOW);
}

static void on_duration_timer(struct nu_timer *timer)
{
    struct nu_upstream_conn *conn = nu_container_of(timer, struct nu_upstream_conn, duration_timer);
    nu_counter_inc(&stats_of(conn)->upstream_cx_max_duration_reached);
    if (conn->active)
        nu_upstream_conn_drain(conn);
    else
        nu_connection_close(&conn->conn, NU_CLOSE_NOW);
}

/* --- Opening ---------------------------------------------------------------------------------- */

/* What is offered by ALPN, in wire form. */
static struct nu_str alpn_of(const struct nu_pool *pool)
{
    switch (pool->kind) {
    case NU_POOL_HTTP1:
        break;
    case NU_POOL_HTTP2:
        return NU_STR("\x02h2");
    case NU_POOL_AGREED:
        return NU_STR("\x02h2\x08http/1.1");
    }
    return NU_STR("\x08http/1.1");
}

/* An address is no server name (RFC 6066 3), yet a certificate may have it. */
static struct nu_transport_target target_of(const struct nu_pool *pool)
{
    struct nu_transport_target target = {.alpn = alpn_of(pool)};
    struct nu_address address;
    if (!pool->own)
        return target;
    struct nu_str name = pool->own->server_name;
    target.client = pool->own->has_client ? &pool->own->client : NULL;
    bool is_address = nu_address_parse_ip(name, 0, &address) == NU_OK;
    if (pool->own->asks_for_name && !is_address)
        target.server_name = name;
    if (pool->own->checks_name)
        target.peer_name = name;
    return target;
}

void nu_upstream_conn_open(struct nu_pool *pool)
{
    struct nu_loop *loop = pool->cluster->loop;
    const struct nu_cluster_options *options = nu_pool_options(pool);
    struct nu_upstream_conn *conn = nu_calloc(1, sizeof(*conn));
    conn->pool = pool;
    conn->id = nu_dial_next_id();
    conn->connect_start_us = nu_loop_now_us(loop);
    conn->stream_limit = pool->kind == NU_POOL_HTTP1 ? 1 : options->h2.max_concurrent_streams;
    nu_list_init(&conn->link);
    nu_timer_init(&conn->timer, on_timer);
    nu_timer_init(&conn->duration_timer, on_duration_timer);
    nu_upstream_conn_set_state(conn, NU_UPSTREAM_CONNECTING);
    pool->connecting_capacity += nu_upstream_conn_capacity(conn);
    nu_pool_recount_if_counted(conn);
    struct nu_dial_account account = account_of(pool);
    nu_dial_count_open(&account);
    if (pool->kind != NU_POOL_AGREED)
        count_protocol(conn, pool->kind == NU_POOL_HTTP2);
    struct nu_transport_target target = target_of(pool);
    nu_dial(&conn->conn, pool->cluster, pool->host, &target, &connection_ops);
    nu_h1_client_init(&conn->codec, &conn->conn, &options->h1, &nu_pool_h1_callbacks, conn);
    nu_timer_arm(loop, &conn->timer, options->connect_timeout_ms);
}
