/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upstream connections that speak HTTP/2. One carries as many streams as the cluster's
 * max_concurrent_streams and the peer's settings allow; after a GOAWAY it takes no more and ends
 * with the last that it has.
 *
 * A stream's end is counted when it happens, which is inside the session; what follows from it, a
 * free place or the connection's end, waits until the session tells of it at the end of the turn.
 */
#include "base/log.h"
#include "upstream/pool/pool_internal.h"

/* How long the last words on a broken connection may take. */
enum { LAST_WORDS_MS = 1000 };

static struct nu_upstream_conn *conn_of(struct nu_connection *base)
{
    return nu_container_of(base, struct nu_upstream_conn, conn);
}

static struct nu_cluster_traffic_stats *stats_of(const struct nu_upstream_conn *conn)
{
    return nu_pool_stats(conn->pool);
}

static void close_now(struct nu_upstream_conn *conn)
{
    nu_connection_close(&conn->conn, NU_CLOSE_NOW);
}

/* --- The connection --------------------------------------------------------------------------- */

/* NULL while the last words go out on a connection whose session has failed. */
static struct nu_codec *codec_of(struct nu_upstream_conn *conn)
{
    return nu_likely(conn->h2 != NULL) ? nu_h2_session_codec(conn->h2) : NULL;
}

static void on_data(struct nu_connection *base)
{
    struct nu_upstream_conn *conn = conn_of(base);
    struct nu_codec *codec = nu_h2_session_codec(conn->h2);
    conn->in_dispatch = true;
    codec->ops->dispatch(codec);
    conn->in_dispatch = false;
    nu_upstream_conn_count_bytes(conn);
    if (base->read_eof && nu_connection_is_open(base))
        close_now(conn);
}

static void on_above_high(struct nu_connection *base)
{
    struct nu_upstream_conn *conn = conn_of(base);
    struct nu_codec *codec = codec_of(conn);
    nu_counter_inc(&stats_of(conn)->upstream_flow_control_backed_up_total);
    if (nu_likely(codec != NULL))
        codec->ops->on_above_high(codec);
}

static void on_below_low(struct nu_connection *base)
{
    struct nu_upstream_conn *conn = conn_of(base);
    struct nu_codec *codec = codec_of(conn);
    nu_counter_inc(&stats_of(conn)->upstream_flow_control_drained_total);
    if (nu_likely(codec != NULL))
        codec->ops->on_below_low(codec);
}

static void on_drained(struct nu_connection *base)
{
    struct nu_upstream_conn *conn = conn_of(base);
    nu_upstream_conn_count_bytes(conn);
    if (conn->h2)
        nu_h2_session_on_drained(conn->h2);
}

static const struct nu_connection_ops connection_ops = {
    .on_data = on_data,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
    .on_drained = on_drained,
    .gauges = nu_upstream_conn_gauges,
    .on_closed = nu_upstream_conn_on_closed,
};

/* --- The session ------------------------------------------------------------------------------ */

void nu_upstream_conn_end_h2(struct nu_upstream_conn *conn, enum nu_reset_reason reason)
{
    struct nu_codec *codec = nu_h2_session_codec(conn->h2);
    while (conn->active)
        nu_pool_count_stream_end(conn);
    conn->h2 = NULL; /* frees itself */
    codec->ops->on_closed(codec, reason);
}

static void on_failure(void *user, enum nu_h2_failure_kind kind, struct nu_str details)
{
    struct nu_upstream_conn *conn = user;
    nu_log(NU_LOG_POOL, NU_LOG_DEBUG, "[C%llu] %.*s", (unsigned long long)conn->id,
           NU_STR_ARG(details));
    if (kind == NU_H2_PING_TIMEOUT) {
        close_now(conn);
        return;
    }
    nu_counter_inc(&stats_of(conn)->upstream_cx_protocol_error);
    nu_upstream_conn_drain(conn);
    nu_upstream_conn_end_h2(conn, NU_RESET_PROTOCOL_ERROR);
    conn->conn.linger_ms = LAST_WORDS_MS;
    nu_connection_close(&conn->conn, NU_CLOSE_FLUSH);
}

static void on_stream_close(void *user)
{
    struct nu_upstream_conn *conn = user;
    nu_pool_count_stream_end(conn);
    if (conn->active == 0) {
        conn->idle_since_us = nu_loop_now_us(conn->conn.loop);
        conn->drained_in_dispatch = conn->in_dispatch;
    }
}

/* Its last stream is gone. Where a response's end was that, Envoy takes its own close, in the
 * middle of reading, for an error of the peer, and counts it. */
static void end_drained(struct nu_upstream_conn *conn)
{
    if (conn->drained_in_dispatch)
        nu_counter_inc(&stats_of(conn)->upstream_cx_protocol_error);
    close_now(conn);
}

static void on_stream_end(void *user)
{
    struct nu_upstream_conn *conn = user;
    bool is_over = conn->state == NU_UPSTREAM_DRAINING || conn->pool->draining;
    if (is_over && conn->active == 0)
        end_drained(conn);
    else if (!is_over && conn->state == NU_UPSTREAM_BUSY && nu_upstream_conn_capacity(conn))
        nu_pool_on_ready(conn);
}

static uint32_t stream_limit(const struct nu_upstream_conn *conn)
{
    uint32_t ours = nu_pool_options(conn->pool)->h2.max_concurrent_streams;
    uint32_t theirs = nu_h2_session_peer_max_streams(conn->h2);
    return ours < theirs ? ours : theirs;
}

static void on_settings(void *user)
{
    struct nu_upstream_conn *conn = user;
    conn->stream_limit = stream_limit(conn);
    nu_pool_recount_if_counted(conn);
    bool has_room = nu_upstream_conn_capacity(conn);
    if (conn->state == NU_UPSTREAM_READY && !has_room)
        nu_upstream_conn_set_state(conn, NU_UPSTREAM_BUSY);
    else if (conn->state == NU_UPSTREAM_BUSY && has_room)
        nu_pool_on_ready(conn);
}

static void on_goaway(void *user, uint32_t error_code)
{
    struct nu_upstream_conn *conn = user;
    (void)error_code;
    nu_counter_inc(&stats_of(conn)->upstream_cx_close_notify);
    if (conn->active)
        nu_upstream_conn_drain(conn);
    else
        close_now(conn);
}

static const struct nu_h2_callbacks callbacks = {
    .on_failure = on_failure,
    .on_stream_close = on_stream_close,
    .on_stream_end = on_stream_end,
    .on_settings = on_settings,
    .on_goaway = on_goaway,
};

void nu_upstream_conn_start_h2(struct nu_upstream_conn *conn)
{
    struct nu_cluster_local *cluster = conn->pool->cluster;
    struct nu_h2_params params = {
        .conn = &conn->conn,
        .options = &cluster->cluster->options.h2,
        .stats = nu_cluster_local_http2_stats(cluster),
        .callbacks = &callbacks,
        .user = conn,
    };
    conn->conn.ops = &connection_ops;
    conn->h2 = nu_h2_session_create(&params);
}

bool nu_upstream_conn_check_h2(struct nu_upstream_conn *conn)
{
    if (nu_likely(nu_h2_session_can_open(conn->h2)))
        return true;
    bool is_full = conn->active >= nu_h2_session_peer_max_streams(conn->h2);
    nu_upstream_conn_set_state(conn, is_full ? NU_UPSTREAM_BUSY : NU_UPSTREAM_DRAINING);
    nu_pool_recount_if_counted(conn);
    return false;
}
