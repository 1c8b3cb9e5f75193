/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection that speaks HTTP/2: its session, many streams at a time, GOAWAY in place of
 * "connection: close", and what ends it for all of them.
 */
#include "base/alloc.h"
#include "runtime/runtime.h"
#include "stream/stream_internal.h"

static struct nu_loop *loop_of(const struct nu_hcm_conn *conn)
{
    return nu_hcm_conn_socket(conn)->loop;
}

/* --- Which protocol --------------------------------------------------------------------------- */

/* Envoy takes the first bytes for what they are; one that sends fewer of them speaks HTTP/1. */
static bool begins_with_preface(const struct nu_buf *in)
{
    static const char preface[] = "PRI * HTTP/2";
    char start[sizeof(preface) - 1];
    return nu_buf_copy_out(in, 0, start, sizeof(start)) == sizeof(start) &&
           memcmp(start, preface, sizeof(start)) == 0;
}

bool nu_hcm_h2_is_spoken(const struct nu_hcm_conn *conn)
{
    const struct nu_connection *socket = nu_hcm_conn_socket(conn);
    switch (nu_hcm_conn_config(conn)->codec_type) {
    case NU_CODEC_HTTP1:
        return false;
    case NU_CODEC_HTTP2:
        return true;
    case NU_CODEC_AUTO:
        break;
    }
    if (socket->transport->application_protocol) {
        struct nu_str agreed = socket->transport->application_protocol(socket);
        if (agreed.len)
            return nu_str_eq(agreed, NU_STR("h2"));
    }
    return begins_with_preface(&socket->in);
}

/* --- Streams ---------------------------------------------------------------------------------- */

static void note_last_request(struct nu_hcm_conn *conn)
{
    if (conn->drain != NU_HCM_NOT_DRAINING)
        return;
    nu_hcm_conn_start_drain(conn);
    nu_counter_inc(&conn->worker->stats->downstream_cx_max_requests_reached);
}

static struct nu_stream_decoder *on_new_stream(void *user, struct nu_stream_encoder *encoder)
{
    struct nu_hcm_conn *conn = user;
    uint32_t max = nu_hcm_conn_config(conn)->max_requests_per_connection;
    struct nu_hcm_stream *stream = nu_hcm_stream_create(conn, encoder, nu_arena_create());
    stream->info.protocol = NU_PROTOCOL_HTTP2;
    nu_counter_inc(&conn->worker->stats->downstream_rq_http2_total);
    if (conn->h2->streams++ == 0)
        nu_list_remove(&conn->idle_link);
    conn->requests++;
    if (nu_unlikely(max && conn->requests >= max))
        note_last_request(conn);
    return &stream->decoder;
}

/* Everything was sent, and nobody is left who could send more. */
static void close_if_done(struct nu_hcm_conn *conn)
{
    if (conn->drain != NU_HCM_CLOSING || conn->h2->streams ||
        nu_h2_session_stream_count(conn->h2->session))
        return;
    conn->linger = true;
    nu_hcm_conn_close(conn);
}

/* A stream that ended without an answer before it was old enough for one. */
static bool was_reset_early(const struct nu_hcm_stream *stream)
{
    uint64_t age_s = (stream->info.end_us - stream->info.start_us) / 1000000;
    uint64_t limit_s = nu_runtime_integer(
        stream->loop->runtime, NU_STR("overload.premature_reset_min_stream_lifetime_seconds"), 1);
    return age_s <= limit_s && stream->info.response_code == 0;
}

/* Envoy's rule against rapid resets: half of the streams may end so, once there were so many, and no
 * more of them than half of that before. */
static bool has_too_many_resets(const struct nu_hcm_conn *conn)
{
    const struct nu_hcm_h2 *h2 = conn->h2;
    uint64_t limit = nu_runtime_integer(loop_of(conn)->runtime,
                                        NU_STR("overload.premature_reset_total_stream_count"), 500);
    return h2->reset_early * 2 >= (h2->ended < limit ? limit : h2->ended);
}

static void count_reset(struct nu_hcm_conn *conn, const struct nu_hcm_stream *stream)
{
    struct nu_connection *socket = nu_hcm_conn_socket(conn);
    conn->h2->ended++;
    if (nu_likely(!was_reset_early(stream)))
        return;
    conn->h2->reset_early++;
    if (!has_too_many_resets(conn) || !nu_connection_is_open(socket))
        return;
    nu_counter_inc(&conn->worker->stats->downstream_rq_too_many_premature_resets);
    nu_counter_inc(&conn->worker->stats->downstream_cx_protocol_error); /* as Envoy has it */
    nu_connection_close(socket, NU_CLOSE_NOW);
}

void nu_hcm_h2_on_stream_end(struct nu_hcm_conn *conn, const struct nu_hcm_stream *stream)
{
    struct nu_connection *socket = nu_hcm_conn_socket(conn);
    conn->h2->streams--;
    if (!nu_connection_is_open(socket))
        return;
    if (conn->h2->streams == 0)
        nu_hcm_conn_become_idle(conn);
    nu_hcm_conn_count_bytes(conn);
    count_reset(conn, stream);
    if (nu_connection_is_open(socket))
        close_if_done(conn);
}

static void on_stream_end(void *user)
{
    close_if_done(user);
}

/* --- The end ---------------------------------------------------------------------------------- */

/* Streams that end here are counted as those of a connection that we closed. */
static void count_broken(struct nu_hcm_conn *conn)
{
    struct nu_http_stats *stats = conn->worker->stats;
    if (conn->h2->streams == 0)
        return;
    nu_counter_inc(&stats->downstream_cx_destroy_active_rq);
    nu_counter_inc(&stats->downstream_cx_destroy_local_active_rq);
}

/* The session cannot go on: its streams end, and the connection when what was said has gone. */
static void on_failure(void *user, enum nu_h2_failure_kind kind, struct nu_str details)
{
    struct nu_hcm_conn *conn = user;
    struct nu_connection *socket = nu_hcm_conn_socket(conn);
    if (kind == NU_H2_PING_TIMEOUT) {
        nu_h2_session_reset_streams(conn->h2->session, NU_RESET_LOCAL,
                                    NU_STR("downstream_local_disconnect(http2_ping_timeout)"));
        nu_connection_close(socket, NU_CLOSE_NOW);
        return;
    }
    if (kind == NU_H2_PROTOCOL_ERROR)
        nu_counter_inc(&conn->worker->stats->downstream_cx_protocol_error);
    conn->drain = NU_HCM_CLOSING;
    count_broken(conn);
    nu_h2_session_reset_streams(conn->h2->session, NU_RESET_PROTOCOL_ERROR, details);
    conn->linger = true;
    nu_hcm_conn_close(conn);
}

static const struct nu_h2_callbacks callbacks = {
    .on_new_stream = on_new_stream,
    .on_failure = on_failure,
    .on_stream_end = on_stream_end,
};

void nu_hcm_h2_warn(struct nu_hcm_conn *conn)
{
    struct nu_codec *codec = nu_h2_session_codec(conn->h2->session);
    codec->ops->drain(codec);
}

void nu_hcm_h2_end(struct nu_hcm_conn *conn)
{
    if (conn->drain == NU_HCM_CLOSING || !nu_connection_is_open(nu_hcm_conn_socket(conn)))
        return;
    conn->drain = NU_HCM_CLOSING;
    nu_h2_session_goaway(conn->h2->session);
    close_if_done(conn);
}

void nu_hcm_h2_open(struct nu_hcm_conn *conn)
{
    struct nu_hcm_worker *worker = conn->worker;
    if (!worker->http2_stats)
        worker->http2_stats = nu_stat_set_block(nu_hcm_conn_config(conn)->http2_stats);
    struct nu_h2_params params = {
        .is_server = true,
        .conn = nu_hcm_conn_socket(conn),
        .options = &nu_hcm_conn_config(conn)->h2,
        .stats = worker->http2_stats,
        .callbacks = &callbacks,
        .user = conn,
        .max_heads_per_turn = (uint32_t)nu_runtime_integer(
            loop_of(conn)->runtime, NU_STR("http.max_requests_per_io_cycle"), 0),
    };
    conn->h2 = nu_calloc(1, sizeof(*conn->h2));
    conn->h2->session = nu_h2_session_create(&params);
    nu_counter_inc(&worker->stats->downstream_cx_http2_total);
    nu_gauge_inc(&worker->stats->downstream_cx_http2_active);
}
