/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exchange. Response codes are charged to the cluster when the response's head comes, or when a
 * failure stands in its place, as Envoy does.
 */
#include "client/exchange_internal.h"

#include "base/assert.h"
#include "http/authority.h"
#include "http/proxy_data.h"
#include "http/status.h"

enum {
    STARTED = 1 << 0,
    OVER = 1 << 1,             /* nothing more is called */
    REQUEST_ENDED = 1 << 2,    /* the owner gave everything */
    HEADERS_SENT = 1 << 3,     /* the request's head went to a connection */
    RESPONSE_STARTED = 1 << 4, /* the response's head was passed on */
    RESPONSE_ENDED = 1 << 5,
    ABOVE_HIGH = 1 << 6, /* `pending` is over its limit: the owner was told */
    HOLDING = 1 << 7,    /* the response is held back */
    WAITING = 1 << 8,    /* a tunnel's bytes are held back: it was not granted yet */
};

static struct nu_exchange *exchange_of_decoder(struct nu_stream_decoder *decoder)
{
    return nu_container_of(decoder, struct nu_exchange, decoder);
}

static struct nu_exchange *exchange_of_request(struct nu_pool_request *request)
{
    return nu_container_of(request, struct nu_exchange, pool_request);
}

static struct nu_loop *loop_of(const struct nu_exchange *exchange)
{
    return exchange->params.cluster->loop;
}

bool nu_exchange_is_active(const struct nu_exchange *exchange)
{
    return (exchange->flags & (STARTED | OVER)) == STARTED;
}

/* --- Statistics ------------------------------------------------------------------------------- */

static struct nu_response_stats *responses_of(const struct nu_exchange *exchange)
{
    return exchange->params.cluster->responses[exchange->params.is_internal];
}

static void charge_cluster(struct nu_cluster_local *cluster, bool is_internal, uint32_t status,
                           enum nu_charging charging)
{
    struct nu_cluster_traffic_stats *stats = cluster->stats;
    struct nu_response_stats *responses = cluster->responses[is_internal];
    if (nu_unlikely(charging == NU_CHARGE_NOTHING))
        return;
    if (nu_likely(charging == NU_CHARGE_CODE))
        nu_codes_inc(&stats->upstream_rq, status);
    nu_counter_inc(&stats->upstream_rq_completed);
    nu_codes_inc(&responses->upstream_rq, status);
    nu_counter_inc(&responses->upstream_rq_completed);
}

static void charge_canary(const struct nu_exchange *exchange, uint32_t status)
{
    struct nu_response_stats *canary = exchange->params.cluster->canary;
    if (exchange->params.charging == NU_CHARGE_NOTHING)
        return;
    nu_codes_inc(&canary->upstream_rq, status);
    nu_counter_inc(&canary->upstream_rq_completed);
}

static void charge(struct nu_exchange *exchange, uint32_t status)
{
    const struct nu_exchange_params *params = &exchange->params;
    charge_cluster(params->cluster, params->is_internal, status, params->charging);
}

void nu_exchange_count_maintenance(struct nu_cluster_local *cluster, bool is_internal,
                                   enum nu_charging charging)
{
    nu_counter_inc(&nu_cluster_local_stats(cluster)->upstream_rq_maintenance_mode);
    charge_cluster(cluster, is_internal, 503, charging);
}

static void charge_host(struct nu_exchange *exchange, bool success)
{
    struct nu_host_stats *host = exchange->host_stats;
    nu_counter_inc(success ? &host->rq_success : &host->rq_error);
}

/* The time from the request's end to the response's end. */
static void charge_time(struct nu_exchange *exchange)
{
    if (!exchange->request_end_us || nu_unlikely(exchange->params.charging == NU_CHARGE_NOTHING))
        return;
    uint64_t ms = (nu_loop_now_us(loop_of(exchange)) - exchange->request_end_us) / 1000;
    nu_histogram_record(&exchange->stats->upstream_rq_time, ms);
    nu_histogram_record(&responses_of(exchange)->upstream_rq_time, ms);
}

/* --- The end ---------------------------------------------------------------------------------- */

static void stop_timers(struct nu_exchange *exchange)
{
    nu_timer_cancel(&exchange->timeout);
    nu_timer_cancel(&exchange->duration_timer);
}

static void end(struct nu_exchange *exchange)
{
    exchange->flags |= OVER;
    stop_timers(exchange);
    nu_buf_clear(&exchange->pending);
    /* A connection goes back to its pool without a hold of ours. */
    if (exchange->encoder && (exchange->flags & HOLDING))
        exchange->encoder->ops->release_read(exchange->encoder);
    exchange->encoder = NULL;
}

static void fail(struct nu_exchange *exchange, enum nu_exchange_failure_kind kind,
                 enum nu_reset_reason reason, struct nu_str transport_failure)
{
    struct nu_exchange_failure failure = {
        .kind = kind,
        .reason = reason,
        .transport_failure = transport_failure,
        .response_started = exchange->flags & RESPONSE_STARTED,
    };
    end(exchange);
    exchange->ops->on_failed(exchange, &failure);
}

/* Streams of HTTP/2 are counted when they are reset; in HTTP/1 the connection is what ends. */
static void count_reset(struct nu_exchange *exchange, enum nu_reset_reason reason)
{
    if (nu_likely(exchange->info->upstream.protocol != NU_PROTOCOL_HTTP2))
        return;
    switch (reason) {
    case NU_RESET_CONNECTION_TERMINATION:
    case NU_RESET_LOCAL_CONNECTION_FAILURE:
    case NU_RESET_REMOTE_CONNECTION_FAILURE:
    case NU_RESET_CONNECTION_TIMEOUT:
        nu_counter_inc(&exchange->stats->upstream_rq_pending_failure_eject);
        return;
    case NU_RESET_LOCAL:
    case NU_RESET_PROTOCOL_ERROR:
    case NU_RESET_OVERLOAD:
        nu_counter_inc(&exchange->stats->upstream_rq_tx_reset);
        return;
    case NU_RESET_REMOTE:
        nu_counter_inc(&exchange->stats->upstream_rq_rx_reset);
        return;
    case NU_RESET_LOCAL_REFUSED:
    case NU_RESET_REMOTE_REFUSED:
    case NU_RESET_OVERFLOW:
    case NU_RESET_CONNECT_ERROR:
    case NU_RESET_PREMATURE_HALF_CLOSE:
        return;
    }
}

/* Gives the connection up, or the place in the pool's queue. */
static void release_upstream(struct nu_exchange *exchange)
{
    struct nu_stream_encoder *encoder = exchange->encoder;
    exchange->encoder = NULL;
    if (!encoder && nu_unlikely(exchange->raw != NULL)) {
        nu_raw_upstream_cancel(exchange->raw);
        return;
    }
    if (!encoder) {
        nu_pool_cancel(&exchange->pool_request);
        return;
    }
    if (exchange->flags & HOLDING)
        encoder->ops->release_read(encoder);
    count_reset(exchange, NU_RESET_LOCAL);
    encoder->ops->reset(encoder, NU_RESET_LOCAL);
}

void nu_exchange_cancel(struct nu_exchange *exchange)
{
    if (!nu_exchange_is_active(exchange))
        return;
    exchange->flags |= OVER;
    release_upstream(exchange);
    end(exchange);
}

/* A response that ends before its request ends the latter's connection: nobody reads the rest. */
static void end_if_complete(struct nu_exchange *exchange)
{
    if (!(exchange->flags & RESPONSE_ENDED))
        return;
    charge_time(exchange);
    if (nu_unlikely(!(exchange->flags & REQUEST_ENDED)))
        release_upstream(exchange);
    end(exchange);
}

/* --- The request's bytes ---------------------------------------------------------------------- */

static bool is_request_over(const struct nu_exchange *exchange)
{
    return exchange->flags & REQUEST_ENDED;
}

static void note_request_end(struct nu_exchange *exchange)
{
    if (is_request_over(exchange) && exchange->encoder)
        exchange->info->upstream.last_tx_us = nu_loop_now_us(loop_of(exchange));
}

/* Keeps request bytes until they may be sent; tells the owner when it is enough. */
static void keep_pending(struct nu_exchange *exchange, struct nu_buf *data)
{
    uint32_t limit = exchange->params.cluster->cluster->options.buffer_limit_bytes;
    nu_buf_move_all(&exchange->pending, data);
    if (limit && exchange->pending.len > limit && !(exchange->flags & ABOVE_HIGH)) {
        exchange->flags |= ABOVE_HIGH;
        exchange->ops->on_above_high(exchange);
    }
}

static void settle_pending(struct nu_exchange *exchange)
{
    if (nu_likely(!(exchange->flags & ABOVE_HIGH)))
        return;
    if (exchange->pending.len > exchange->params.cluster->cluster->options.buffer_limit_bytes / 2)
        return;
    exchange->flags &= (uint16_t)~ABOVE_HIGH;
    exchange->ops->on_below_low(exchange);
}

/* Sends what is left of the body of a request for a tunnel, and nothing that follows it. */
static void send_body_left(struct nu_exchange *exchange)
{
    size_t len = exchange->pending.len;
    if (len > exchange->body_left)
        len = (size_t)exchange->body_left;
    if (len == 0)
        return;
    struct nu_buf data = {0};
    exchange->body_left -= len;
    nu_buf_move(&data, &exchange->pending, len);
    exchange->encoder->ops->encode_data(exchange->encoder, &data, false);
    settle_pending(exchange);
}

/* The tunnel is granted: sends what came so far. */
static void send_kept(struct nu_exchange *exchange)
{
    struct nu_buf data = exchange->pending;
    bool ended = is_request_over(exchange) && !exchange->request_trailers;
    nu_buf_init(&exchange->pending);
    if (data.len || ended)
        exchange->encoder->ops->encode_data(exchange->encoder, &data, ended);
    if (exchange->request_trailers)
        exchange->encoder->ops->encode_trailers(exchange->encoder, exchange->request_trailers);
    note_request_end(exchange);
    settle_pending(exchange);
}

/* --- The response ----------------------------------------------------------------------------- */

static uint32_t status_of(const struct nu_headers *headers)
{
    return nu_status_parse(nu_headers_get_id(headers, NU_HEADER_STATUS));
}

static bool is_canary(const struct nu_headers *headers)
{
    return nu_headers_has_id(headers, NU_HEADER_X_ENVOY_UPSTREAM_CANARY) &&
           nu_str_eq(nu_headers_get_id(headers, NU_HEADER_X_ENVOY_UPSTREAM_CANARY), NU_STR("true"));
}

static void pass_headers(struct nu_exchange *exchange, uint32_t status, bool ended)
{
    exchange->flags |= RESPONSE_STARTED | (ended ? RESPONSE_ENDED : 0);
    exchange->info->upstream.first_rx_us = nu_loop_now_us(loop_of(exchange));
    charge(exchange, status);
    if (nu_unlikely(is_canary(&exchange->response_headers)))
        charge_canary(exchange, status);
    charge_host(exchange, status < 500);
    if (ended)
        exchange->info->upstream.last_rx_us = exchange->info->upstream.first_rx_us;
    end_if_complete(exchange);
    exchange->ops->on_headers(exchange, &exchange->response_headers, ended);
}

/* Ends it on our side, for a reason of ours. */
static void break_off(struct nu_exchange *exchange, enum nu_exchange_failure_kind kind)
{
    exchange->flags |= OVER;
    release_upstream(exchange);
    exchange->flags &= (uint16_t)~OVER;
    fail(exchange, kind, NU_RESET_LOCAL, nu_str_make(NULL, 0));
}

static bool grants_tunnel(enum nu_tunnel tunnel, uint32_t status)
{
    return tunnel == NU_TUNNEL_CONNECT ? status / 100 == 2 : status == 101;
}

/* A server that does not know WebSockets and answers the question as it would be without the
 * upgrade has said that there is none; what else it says is no answer to the client (Envoy's
 * rule). */
static void on_tunnel_answer(struct nu_exchange *exchange, uint32_t status, bool ended)
{
    enum nu_tunnel tunnel = exchange->params.tunnel;
    if (grants_tunnel(tunnel, status)) {
        exchange->flags &= (uint16_t)~WAITING;
        nu_timer_cancel(&exchange->timeout);
        pass_headers(exchange, status, ended);
        if (nu_exchange_is_active(exchange))
            send_kept(exchange);
    } else if (tunnel == NU_TUNNEL_WEBSOCKET && status < 400) {
        break_off(exchange, NU_EXCHANGE_NOT_UPGRADED);
    } else {
        pass_headers(exchange, status, ended);
    }
}

static void on_headers(struct nu_stream_decoder *decoder, bool ended)
{
    struct nu_exchange *exchange = exchange_of_decoder(decoder);
    uint32_t status = status_of(&exchange->response_headers);
    if (nu_unlikely(exchange->flags & WAITING))
        on_tunnel_answer(exchange, status, ended);
    else
        pass_headers(exchange, status, ended);
}

static void on_data(struct nu_stream_decoder *decoder, struct nu_buf *data, bool ended)
{
    struct nu_exchange *exchange = exchange_of_decoder(decoder);
    struct nu_upstream_info *info = &exchange->info->upstream;
    uint64_t now = nu_loop_now_us(loop_of(exchange));
    if (!info->first_rx_body_us)
        info->first_rx_body_us = now;
    if (ended) {
        exchange->flags |= RESPONSE_ENDED;
        info->last_rx_us = now;
    }
    end_if_complete(exchange);
    exchange->ops->on_data(exchange, data, ended);
}

static void on_trailers(struct nu_stream_decoder *decoder, struct nu_headers *trailers)
{
    struct nu_exchange *exchange = exchange_of_decoder(decoder);
    exchange->flags |= RESPONSE_ENDED;
    exchange->info->upstream.last_rx_us = nu_loop_now_us(loop_of(exchange));
    end_if_complete(exchange);
    exchange->ops->on_trailers(exchange, trailers);
}

static void on_1xx(struct nu_stream_decoder *decoder, struct nu_headers *headers)
{
    struct nu_exchange *exchange = exchange_of_decoder(decoder);
    charge(exchange, status_of(headers));
    if (exchange->ops->on_1xx)
        exchange->ops->on_1xx(exchange, headers);
}

static void on_reset(struct nu_stream_decoder *decoder, enum nu_reset_reason reason,
                     struct nu_str details)
{
    (void)details;
    struct nu_exchange *exchange = exchange_of_decoder(decoder);
    exchange->encoder = NULL;
    if (!nu_exchange_is_active(exchange))
        return;
    count_reset(exchange, reason);
    if (reason == NU_RESET_PROTOCOL_ERROR && exchange->info->upstream.protocol != NU_PROTOCOL_HTTP2)
        nu_counter_inc(&exchange->stats->upstream_cx_protocol_error);
    if (!(exchange->flags & RESPONSE_STARTED)) {
        charge(exchange, reason == NU_RESET_PROTOCOL_ERROR ? 502 : 503);
        charge_host(exchange, false);
    }
    fail(exchange, NU_EXCHANGE_RESET, reason, nu_str_make(NULL, 0));
}

static void on_above_high(struct nu_stream_decoder *decoder)
{
    struct nu_exchange *exchange = exchange_of_decoder(decoder);
    if (nu_exchange_is_active(exchange))
        exchange->ops->on_above_high(exchange);
}

static void on_below_low(struct nu_stream_decoder *decoder)
{
    struct nu_exchange *exchange = exchange_of_decoder(decoder);
    if (nu_exchange_is_active(exchange))
        exchange->ops->on_below_low(exchange);
}

static const struct nu_stream_decoder_ops decoder_ops = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_1xx = on_1xx,
    .on_reset = on_reset,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
};

/* --- The request ------------------------------------------------------------------------------ */

static void note_host(struct nu_exchange *exchange)
{
    const struct nu_host *host = exchange->host;
    struct nu_upstream_info *info = &exchange->info->upstream;
    info->host = host->address;
    info->host_name = host->hostname;
    info->host_metadata = host->metadata;
    if (exchange->ops->on_host)
        exchange->ops->on_host(exchange, host);
}

static void note_connection(struct nu_exchange *exchange, const struct nu_upstream_conn *conn)
{
    struct nu_upstream_info *info = &exchange->info->upstream;
    uint64_t now = nu_loop_now_us(loop_of(exchange));
    info->local = conn->local;
    info->remote = exchange->host->address;
    info->connection_id = conn->id;
    info->ssl = nu_connection_hold_ssl_info(&conn->conn, exchange->arena);
    info->protocol = conn->h2 ? NU_PROTOCOL_HTTP2 : NU_PROTOCOL_HTTP11;
    info->connect_start_us = conn->connect_start_us;
    info->connect_end_us = conn->connect_end_us;
    info->pool_ready_us = now;
    info->first_tx_us = now;
}

static void send_pending(struct nu_exchange *exchange)
{
    struct nu_stream_encoder *encoder = exchange->encoder;
    struct nu_buf data = exchange->pending;
    bool ended = is_request_over(exchange);
    bool only_headers = ended && data.len == 0 && !exchange->request_trailers;
    nu_buf_init(&exchange->pending);
    exchange->flags |= HEADERS_SENT;
    if (nu_unlikely(exchange->flags & WAITING)) {
        exchange->pending = data;
        encoder->ops->encode_headers(encoder, exchange->request_headers, false);
        if (exchange->encoder)
            send_body_left(exchange);
        return;
    }
    encoder->ops->encode_headers(encoder, exchange->request_headers, only_headers);
    if (data.len)
        encoder->ops->encode_data(encoder, &data, ended && !exchange->request_trailers);
    if (exchange->request_trailers)
        encoder->ops->encode_trailers(encoder, exchange->request_trailers);
}

void nu_exchange_begin_sending(struct nu_exchange *exchange, struct nu_stream_encoder *encoder)
{
    exchange->encoder = encoder;
    if (exchange->flags & HOLDING)
        encoder->ops->hold_read(encoder);
    send_pending(exchange);
    note_request_end(exchange);
    settle_pending(exchange);
}

static void on_ready(struct nu_pool_request *request, struct nu_stream_encoder *encoder,
                     const struct nu_upstream_conn *conn)
{
    struct nu_exchange *exchange = exchange_of_request(request);
    note_connection(exchange, conn);
    nu_exchange_begin_sending(exchange, encoder);
}

void nu_exchange_fail_to_connect(struct nu_exchange *exchange, enum nu_reset_reason reason,
                                 struct nu_str transport_failure, bool had_connection)
{
    if (!nu_exchange_is_active(exchange))
        return;
    exchange->info->upstream.transport_failure_reason =
        transport_failure.len ? nu_arena_dup(exchange->arena, transport_failure)
                              : transport_failure;
    charge(exchange, 503);
    if (reason != NU_RESET_OVERFLOW)
        charge_host(exchange, false);
    else if (!had_connection)
        exchange->info->upstream.host = (struct nu_address){0};
    fail(exchange, NU_EXCHANGE_RESET, reason, exchange->info->upstream.transport_failure_reason);
}

static void on_failure(struct nu_pool_request *request, enum nu_reset_reason reason,
                       struct nu_str transport_failure)
{
    nu_exchange_fail_to_connect(exchange_of_request(request), reason, transport_failure,
                                request->had_connection);
}

static const struct nu_pool_request_ops pool_ops = {
    .on_ready = on_ready,
    .on_failure = on_failure,
};

/* --- The life of an exchange ------------------------------------------------------------------ */

static void give_up(struct nu_exchange *exchange, enum nu_exchange_failure_kind kind)
{
    bool started = exchange->flags & RESPONSE_STARTED;
    if (!started) {
        if (kind == NU_EXCHANGE_TIMEOUT)
            charge(exchange, exchange->params.timeout_status);
        charge_host(exchange, false);
    }
    break_off(exchange, kind);
}

static void on_timeout(struct nu_timer *timer)
{
    struct nu_exchange *exchange = nu_container_of(timer, struct nu_exchange, timeout);
    nu_counter_inc(&exchange->stats->upstream_rq_timeout);
    nu_counter_inc(&exchange->host_stats->rq_timeout);
    give_up(exchange, NU_EXCHANGE_TIMEOUT);
}

static void on_max_duration(struct nu_timer *timer)
{
    struct nu_exchange *exchange = nu_container_of(timer, struct nu_exchange, duration_timer);
    nu_counter_inc(&exchange->stats->upstream_rq_max_duration_reached);
    give_up(exchange, NU_EXCHANGE_MAX_DURATION);
}

/* The request is complete: the clock of the timeout starts. */
static void on_request_end(struct nu_exchange *exchange)
{
    exchange->flags |= REQUEST_ENDED;
    exchange->request_end_us = nu_loop_now_us(loop_of(exchange));
    if (exchange->params.timeout_ms)
        nu_timer_arm(loop_of(exchange), &exchange->timeout, exchange->params.timeout_ms);
}

/* The end of its bytes is not awaited: the clock starts now. */
static void begin_tunnel(struct nu_exchange *exchange)
{
    struct nu_str length = nu_headers_get_id(exchange->request_headers, NU_HEADER_CONTENT_LENGTH);
    exchange->flags |= WAITING;
    if (!length.ptr || nu_str_to_u64(length, &exchange->body_left) != NU_OK)
        exchange->body_left = 0;
    if (exchange->params.timeout_ms)
        nu_timer_arm(loop_of(exchange), &exchange->timeout, exchange->params.timeout_ms);
    exchange->params.timeout_ms = 0;
}

static void init(struct nu_exchange *exchange, const struct nu_exchange_params *params,
                 struct nu_headers *headers)
{
    exchange->params = *params;
    exchange->stats = nu_cluster_local_stats(params->cluster);
    exchange->request_headers = headers;
    exchange->request_trailers = NULL;
    exchange->encoder = NULL;
    exchange->raw = NULL;
    exchange->request_end_us = 0;
    exchange->flags = STARTED;
    nu_buf_init(&exchange->pending);
    nu_timer_init(&exchange->timeout, on_timeout);
    nu_timer_init(&exchange->duration_timer, on_max_duration);
    nu_headers_init(&exchange->response_headers, exchange->arena, 24);
    exchange->decoder = (struct nu_stream_decoder){
        .ops = &decoder_ops,
        .arena = exchange->arena,
        .headers = &exchange->response_headers,
        .info = exchange->info,
    };
    exchange->pool_request.ops = &pool_ops;
    exchange->pool_request.decoder = &exchange->decoder;
    exchange->pool_request.waiting = false;
}

/* The host that the request is for, where connections are opened for one. */
static struct nu_str server_name_of(const struct nu_exchange *exchange)
{
    const struct nu_cluster_options *options = &exchange->params.cluster->cluster->options;
    const struct nu_headers *headers = exchange->request_headers;
    struct nu_str host = {0};
    if (nu_likely(!options->auto_sni && !options->auto_san))
        return host;
    if (options->auto_sni_header.len)
        host = nu_headers_get(headers, options->auto_sni_header);
    if (host.len == 0)
        host = nu_headers_get_id(headers, NU_HEADER_AUTHORITY);
    return nu_authority_split(host).host;
}

/* One for everybody, unless the client or the name sets its connections apart. */
static struct nu_pool *find_pool(struct nu_exchange *exchange, uint32_t index)
{
    struct nu_cluster_local *cluster = exchange->params.cluster;
    struct nu_stream_info *info = exchange->info;
    struct nu_pool_purpose purpose = {.server_name = server_name_of(exchange)};
    struct nu_proxy_data client;
    if (nu_unlikely(nu_cluster_names_client(cluster->cluster, cluster->hosts->hosts[index])) &&
        info->connection) {
        client = nu_proxy_data_of(info->connection);
        purpose.client = &client;
    }
    return nu_pool_get(cluster, index, exchange->params.priority, info->protocol, &purpose);
}

/* The pool of a host. False if there is no host, or no more pools are allowed. */
static bool choose_pool(struct nu_exchange *exchange)
{
    struct nu_cluster_local *cluster = exchange->params.cluster;
    int32_t index = nu_lb_choose(cluster->lb, &exchange->params.lb);
    if (nu_unlikely(index == NU_LB_NONE)) {
        nu_counter_inc(&cluster->lb_stats->lb_healthy_panic);
        nu_counter_inc(&exchange->stats->upstream_cx_none_healthy);
        return false;
    }
    struct nu_pool *pool = find_pool(exchange, (uint32_t)index);
    if (nu_unlikely(!pool))
        return false;
    exchange->pool_request.pool = pool;
    exchange->host = pool->host;
    exchange->host_stats = pool->host_stats;
    return true;
}

static void fail_without_host(struct nu_exchange *exchange)
{
    charge(exchange, 503);
    fail(exchange, NU_EXCHANGE_NO_HOST, NU_RESET_LOCAL, nu_str_make(NULL, 0));
}

void nu_exchange_start(struct nu_exchange *exchange, const struct nu_exchange_params *params,
                       struct nu_headers *headers, bool ended)
{
    bool overflow = false;
    init(exchange, params, headers);
    struct nu_cluster_local *cluster = params->cluster;
    exchange->info->upstream.attempt_count = 1;
    bool is_raw = nu_unlikely(params->raw != NULL);
    if (is_raw ? !nu_exchange_open_raw(exchange, &overflow) : !choose_pool(exchange)) {
        if (overflow)
            nu_exchange_fail_to_connect(exchange, NU_RESET_OVERFLOW, nu_str_make(NULL, 0), false);
        else
            fail_without_host(exchange);
        return;
    }
    note_host(exchange);
    uint64_t max_ms = cluster->cluster->options.max_stream_duration_ms;
    if (max_ms)
        nu_timer_arm(cluster->loop, &exchange->duration_timer, max_ms);
    if (nu_unlikely(params->tunnel != NU_TUNNEL_NONE))
        begin_tunnel(exchange);
    if (ended)
        on_request_end(exchange);
    exchange->info->upstream.pool_start_us = nu_loop_now_us(cluster->loop);
    if (!is_raw)
        nu_pool_start(exchange->pool_request.pool, &exchange->pool_request);
}

void nu_exchange_send_data(struct nu_exchange *exchange, struct nu_buf *data, bool ended)
{
    if (!nu_exchange_is_active(exchange)) {
        nu_buf_clear(data);
        return;
    }
    if (ended)
        on_request_end(exchange);
    if (nu_unlikely(!exchange->encoder || (exchange->flags & WAITING))) {
        keep_pending(exchange, data);
        if (exchange->encoder)
            send_body_left(exchange);
        return;
    }
    exchange->encoder->ops->encode_data(exchange->encoder, data, ended);
    note_request_end(exchange);
}

void nu_exchange_send_trailers(struct nu_exchange *exchange, struct nu_headers *trailers)
{
    if (!nu_exchange_is_active(exchange))
        return;
    on_request_end(exchange);
    exchange->request_trailers = trailers;
    if (exchange->encoder && !(exchange->flags & WAITING)) {
        exchange->encoder->ops->encode_trailers(exchange->encoder, trailers);
        note_request_end(exchange);
    }
}

void nu_exchange_hold_response(struct nu_exchange *exchange)
{
    if (!nu_exchange_is_active(exchange) || (exchange->flags & HOLDING))
        return;
    exchange->flags |= HOLDING;
    nu_counter_inc(&exchange->stats->upstream_flow_control_paused_reading_total);
    if (exchange->encoder)
        exchange->encoder->ops->hold_read(exchange->encoder);
}

void nu_exchange_release_response(struct nu_exchange *exchange)
{
    if (!nu_exchange_is_active(exchange) || !(exchange->flags & HOLDING))
        return;
    exchange->flags &= (uint16_t)~HOLDING;
    nu_counter_inc(&exchange->stats->upstream_flow_control_resumed_reading_total);
    if (exchange->encoder)
        exchange->encoder->ops->release_read(exchange->encoder);
}
