/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of HTTP and gRPC checks. They are no pool's, so no pool's statistics count them, as in
 * Envoy; what its codec counts by itself (protocol errors, idle timeouts, HTTP/2) is counted.
 */
#include "upstream/health/link.h"

#include "base/alloc.h"
#include "upstream/cluster_build.h"

/* How long the last words on a broken connection may take. */
enum { LAST_WORDS_MS = 1000 };

static struct nu_health_link *link_of(struct nu_connection *conn)
{
    return nu_container_of(conn, struct nu_health_link, conn);
}

static struct nu_health_exchange *exchange_of(struct nu_stream_decoder *decoder)
{
    return nu_container_of(decoder, struct nu_health_exchange, decoder);
}

/* In this thread's block: the workers count the cluster's traffic. */
static struct nu_cluster_traffic_stats *stats_of(const struct nu_health_link *link)
{
    return nu_stat_set_block(link->cluster->sets.traffic);
}

/* Envoy takes its own close, in the middle of reading a stream, for an error of the peer. */
static void count_own_close(const struct nu_health_link *link)
{
    nu_counter_inc(&stats_of(link)->upstream_cx_protocol_error);
}

/* --- Exchanges -------------------------------------------------------------------------------- */

static void free_exchange(void *obj)
{
    struct nu_health_exchange *exchange = obj;
    nu_buf_clear(&exchange->body);
    nu_arena_finish(&exchange->arena);
    nu_free(exchange);
}

/* The codec may look at it until the end of the turn. */
static void drop_exchange(struct nu_health_link *link)
{
    struct nu_health_exchange *exchange = link->exchange;
    link->exchange = NULL;
    exchange->link = NULL;
    nu_loop_defer_free(link->loop, free_exchange, exchange);
}

static void arm_idle_timer(struct nu_health_link *link)
{
    uint64_t limit_ms = link->cluster->options.idle_timeout_ms;
    if (limit_ms)
        nu_timer_arm(link->loop, &link->idle_timer, limit_ms);
}

/* A part of the response was told. */
static void after_part(struct nu_health_exchange *exchange, bool end)
{
    struct nu_health_link *link = exchange->link;
    if (!end || !link)
        return;
    drop_exchange(link);
    arm_idle_timer(link);
}

static bool is_wanted(const struct nu_health_exchange *exchange)
{
    return exchange->link && exchange->link->owner;
}

static void on_headers(struct nu_stream_decoder *decoder, bool end)
{
    struct nu_health_exchange *exchange = exchange_of(decoder);
    if (is_wanted(exchange))
        exchange->link->ops->on_headers(exchange->link->owner, exchange, end);
    after_part(exchange, end);
}

static void on_body(struct nu_stream_decoder *decoder, struct nu_buf *data, bool end)
{
    struct nu_health_exchange *exchange = exchange_of(decoder);
    if (is_wanted(exchange))
        exchange->link->ops->on_data(exchange->link->owner, exchange, data, end);
    after_part(exchange, end);
}

static void on_trailers(struct nu_stream_decoder *decoder, struct nu_headers *trailers)
{
    struct nu_health_exchange *exchange = exchange_of(decoder);
    if (is_wanted(exchange))
        exchange->link->ops->on_trailers(exchange->link->owner, exchange, trailers);
    after_part(exchange, true);
}

static void tell_reset(struct nu_health_link *link)
{
    if (!link->exchange)
        return;
    drop_exchange(link);
    if (link->owner)
        link->ops->on_reset(link->owner);
}

static void on_reset(struct nu_stream_decoder *decoder, enum nu_reset_reason reason,
                     struct nu_str details)
{
    struct nu_health_link *link = exchange_of(decoder)->link;
    (void)details;
    if (!link)
        return;
    if (reason == NU_RESET_PROTOCOL_ERROR && !link->is_h2)
        nu_counter_inc(&stats_of(link)->upstream_cx_protocol_error);
    tell_reset(link);
}

/* What is sent is small, and waits in the connection. */
static void ignore_mark(struct nu_stream_decoder *decoder)
{
    (void)decoder;
}

static const struct nu_stream_decoder_ops decoder_ops = {
    .on_headers = on_headers,
    .on_data = on_body,
    .on_trailers = on_trailers,
    .on_reset = on_reset,
    .on_above_high = ignore_mark,
    .on_below_low = ignore_mark,
};

struct nu_health_exchange *nu_health_link_prepare(struct nu_health_link *link)
{
    struct nu_health_exchange *exchange = nu_calloc(1, sizeof(*exchange));
    nu_arena_init(&exchange->arena);
    nu_headers_init(&exchange->request, &exchange->arena, 8);
    nu_headers_init(&exchange->response, &exchange->arena, 16);
    exchange->decoder = (struct nu_stream_decoder){
        .ops = &decoder_ops,
        .arena = &exchange->arena,
        .headers = &exchange->response,
    };
    exchange->link = link;
    link->exchange = exchange;
    nu_timer_cancel(&link->idle_timer);
    return exchange;
}

static void send_now(struct nu_health_link *link)
{
    struct nu_health_exchange *exchange = link->exchange;
    bool has_body = exchange->body.len != 0;
    struct nu_stream_encoder *encoder =
        link->is_h2 ? nu_h2_session_open_stream(link->h2, &exchange->decoder)
                    : nu_h1_client_start(&link->h1, &exchange->decoder);
    exchange->encoder = encoder;
    encoder->ops->encode_headers(encoder, &exchange->request, !has_body);
    if (has_body && link->exchange == exchange)
        encoder->ops->encode_data(encoder, &exchange->body, true);
}

void nu_health_link_send(struct nu_health_link *link)
{
    if (!link->is_up)
        return; /* on_connected does */
    if (!link->is_h2 || nu_h2_session_can_open(link->h2))
        send_now(link);
    else
        tell_reset(link);
}

void nu_health_link_abandon(struct nu_health_link *link)
{
    struct nu_health_exchange *exchange = link->exchange;
    if (!exchange)
        return;
    struct nu_stream_encoder *encoder = exchange->encoder;
    drop_exchange(link);
    if (encoder)
        encoder->ops->reset(encoder, NU_RESET_LOCAL);
    arm_idle_timer(link);
}

bool nu_health_link_is_secure(const struct nu_health_link *link)
{
    return link->conn.transport && link->conn.transport->is_secure;
}

/* --- HTTP/1 ----------------------------------------------------------------------------------- */

static void on_complete(void *user, enum nu_h1_end end)
{
    struct nu_health_link *link = user;
    if (end != NU_H1_END_REUSABLE)
        nu_loop_at_turn_end(link->loop, &link->close_task);
}

static const struct nu_client_codec_callbacks h1_callbacks = {.on_complete = on_complete};

/* --- HTTP/2 ----------------------------------------------------------------------------------- */

static void end_h2(struct nu_health_link *link, enum nu_reset_reason reason)
{
    struct nu_codec *codec = nu_h2_session_codec(link->h2);
    link->h2 = NULL; /* frees itself */
    codec->ops->on_closed(codec, reason);
}

static void on_failure(void *user, enum nu_h2_failure_kind kind, struct nu_str details)
{
    struct nu_health_link *link = user;
    (void)details;
    if (kind == NU_H2_PING_TIMEOUT) {
        nu_connection_close(&link->conn, NU_CLOSE_NOW);
        return;
    }
    nu_counter_inc(&stats_of(link)->upstream_cx_protocol_error);
    end_h2(link, NU_RESET_PROTOCOL_ERROR);
    link->conn.linger_ms = LAST_WORDS_MS;
    nu_connection_close(&link->conn, NU_CLOSE_FLUSH);
}

static void on_goaway(void *user, uint32_t error_code)
{
    struct nu_health_link *link = user;
    bool was_active = link->exchange != NULL;
    if (!link->owner)
        return;
    link->ops->on_goaway(link->owner, error_code == 0);
    if (was_active && !link->owner)
        count_own_close(link);
}

static const struct nu_h2_callbacks h2_callbacks = {
    .on_failure = on_failure,
    .on_goaway = on_goaway,
};

static void start_h2(struct nu_health_link *link)
{
    nu_cluster_need_http2_stats(link->cluster);
    struct nu_h2_params params = {
        .conn = &link->conn,
        .options = &link->cluster->options.h2,
        .stats = nu_stat_set_block(link->cluster->sets.http2),
        .callbacks = &h2_callbacks,
        .user = link,
    };
    link->h2 = nu_h2_session_create(&params);
}

/* --- The connection --------------------------------------------------------------------------- */

static struct nu_codec *codec_of(struct nu_health_link *link)
{
    if (!link->is_h2)
        return &link->h1.codec;
    return link->h2 ? nu_h2_session_codec(link->h2) : NULL;
}

static void on_connected(struct nu_connection *conn)
{
    struct nu_health_link *link = link_of(conn);
    link->is_up = true;
    if (link->is_h2)
        start_h2(link);
    if (link->exchange)
        nu_health_link_send(link);
}

static void on_data(struct nu_connection *conn)
{
    struct nu_health_link *link = link_of(conn);
    struct nu_codec *codec = codec_of(link);
    link->in_dispatch = link->is_h2;
    if (codec && (link->is_h2 || link->h1.message))
        codec->ops->dispatch(codec);
    link->in_dispatch = false;
    /* Bytes that answer nothing, or the server's end. */
    bool is_idle = !link->is_h2 && !link->h1.message;
    if (nu_connection_is_open(conn) && (conn->read_eof || (is_idle && conn->in.len)))
        nu_loop_at_turn_end(link->loop, &link->close_task);
}

static void on_above_high(struct nu_connection *conn)
{
    struct nu_codec *codec = codec_of(link_of(conn));
    if (codec)
        codec->ops->on_above_high(codec);
}

static void on_below_low(struct nu_connection *conn)
{
    struct nu_codec *codec = codec_of(link_of(conn));
    if (codec)
        codec->ops->on_below_low(codec);
}

static void on_drained(struct nu_connection *conn)
{
    struct nu_health_link *link = link_of(conn);
    if (link->h2)
        nu_h2_session_on_drained(link->h2);
}

static void free_link(void *obj)
{
    nu_free(obj);
}

static void on_closed(struct nu_connection *conn, enum nu_close_reason reason)
{
    struct nu_health_link *link = link_of(conn);
    (void)reason;
    nu_timer_cancel(&link->idle_timer);
    nu_list_remove(&link->close_task.link);
    if (link->h2)
        end_h2(link, NU_RESET_CONNECTION_TERMINATION);
    else if (!link->is_h2 && link->h1.message)
        link->h1.codec.ops->on_closed(&link->h1.codec, NU_RESET_CONNECTION_TERMINATION);
    tell_reset(link);
    if (link->owner)
        link->ops->on_closed(link->owner);
    nu_loop_defer_free(link->loop, free_link, link);
}

static const struct nu_connection_ops connection_ops = {
    .on_connected = on_connected,
    .on_data = on_data,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

/* --- Life ------------------------------------------------------------------------------------- */

static void on_idle_timer(struct nu_timer *timer)
{
    struct nu_health_link *link = nu_container_of(timer, struct nu_health_link, idle_timer);
    nu_counter_inc(&stats_of(link)->upstream_cx_idle_timeout);
    nu_connection_close(&link->conn, NU_CLOSE_NOW);
}

static void on_close_task(struct nu_turn_task *task)
{
    struct nu_health_link *link = nu_container_of(task, struct nu_health_link, close_task);
    nu_connection_close(&link->conn, NU_CLOSE_NOW);
}

struct nu_health_link *nu_health_link_open(const struct nu_health_probe *probe, bool is_h2,
                                           const struct nu_health_link_ops *ops, void *owner)
{
    struct nu_health_link *link = nu_calloc(1, sizeof(*link));
    link->loop = probe->place.loop;
    link->cluster = probe->cluster;
    link->ops = ops;
    link->owner = owner;
    link->is_h2 = is_h2;
    nu_timer_init(&link->idle_timer, on_idle_timer);
    nu_turn_task_init(&link->close_task, on_close_task);
    nu_health_probe_dial(probe, &link->conn, &connection_ops);
    nu_h1_client_init(&link->h1, &link->conn, &probe->cluster->options.h1, &h1_callbacks, link);
    return link;
}

void nu_health_link_close(struct nu_health_link *link)
{
    link->owner = NULL;
    if (link->in_dispatch)
        count_own_close(link);
    nu_loop_at_turn_end(link->loop, &link->close_task);
}

void nu_health_link_abort(struct nu_health_link *link)
{
    link->owner = NULL;
    nu_connection_close(&link->conn, NU_CLOSE_NOW);
}
