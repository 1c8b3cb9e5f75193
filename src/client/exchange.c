/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exchange: the request's bytes on their way to the present attempt, the response on its way to
 * the owner, the deadline over all, and the one end that each exchange has.
 */
#include "client/exchange_internal.h"

#include "http/grpc.h"
#include "http/status.h"

bool nu_exchange_is_active(const struct nu_exchange *exchange)
{
    return (exchange->flags & (NU_EXCHANGE_STARTED | NU_EXCHANGE_OVER)) == NU_EXCHANGE_STARTED;
}

static struct nu_stream_encoder *encoder_of(const struct nu_exchange *exchange)
{
    return exchange->attempt->encoder;
}

/* --- The end ---------------------------------------------------------------------------------- */

static void end(struct nu_exchange *exchange)
{
    struct nu_attempt *attempt = exchange->attempt;
    exchange->flags |= NU_EXCHANGE_OVER;
    nu_timer_cancel(&exchange->timeout);
    nu_attempt_stop_timers(attempt);
    if (nu_unlikely(exchange->tries != NULL))
        nu_tries_close(exchange->tries);
    nu_buf_clear(&exchange->pending);
    /* A connection goes back to its pool without a hold of ours. */
    if (attempt->encoder && (exchange->flags & NU_EXCHANGE_HOLDING))
        attempt->encoder->ops->release_read(attempt->encoder);
    attempt->encoder = NULL;
}

/* Gives up what is still at work. */
static void release_attempts(struct nu_exchange *exchange)
{
    exchange->flags |= NU_EXCHANGE_OVER;
    for (struct nu_attempt *a = exchange->attempt; a; a = a->older) {
        if (a->is_over)
            continue;
        a->is_over = true;
        nu_attempt_stop_timers(a);
        nu_attempt_release(a);
    }
}

void nu_exchange_fail(struct nu_exchange *exchange, enum nu_exchange_failure_kind kind,
                      enum nu_reset_reason reason, struct nu_str transport_failure)
{
    struct nu_exchange_failure failure = {
        .kind = kind,
        .reason = reason,
        .transport_failure = transport_failure,
        .response_started = nu_exchange_is_answered(exchange),
        .is_retry = exchange->info->upstream.attempt_count > 1,
    };
    release_attempts(exchange);
    end(exchange);
    exchange->ops->on_failed(exchange, &failure);
}

void nu_exchange_cancel(struct nu_exchange *exchange)
{
    if (!nu_exchange_is_active(exchange))
        return;
    release_attempts(exchange);
    end(exchange);
}

/* A response that ends before its request ends the latter's connection: nobody reads the rest. */
static void end_if_complete(struct nu_exchange *exchange)
{
    if (!(exchange->flags & NU_EXCHANGE_RESPONSE_ENDED))
        return;
    nu_exchange_charge_time(exchange);
    if (nu_unlikely(!(exchange->flags & NU_EXCHANGE_REQUEST_ENDED)))
        nu_attempt_release(exchange->attempt);
    end(exchange);
}

/* Ends it on our side, for a reason of ours. */
static void break_off(struct nu_exchange *exchange, enum nu_exchange_failure_kind kind)
{
    nu_exchange_fail(exchange, kind, NU_RESET_LOCAL, nu_str_make(NULL, 0));
}

/* --- The request's bytes ---------------------------------------------------------------------- */

static void note_request_end(struct nu_exchange *exchange)
{
    if (nu_exchange_is_request_over(exchange) && encoder_of(exchange))
        exchange->info->upstream.last_tx_us = nu_loop_now_us(nu_exchange_loop(exchange));
}

/* Keeps request bytes until they may be sent; tells the owner when it is enough. */
static void keep_pending(struct nu_exchange *exchange, struct nu_buf *data)
{
    uint32_t limit = exchange->params.cluster->cluster->options.buffer_limit_bytes;
    nu_buf_collect(&exchange->pending, data);
    if (limit && exchange->pending.len > limit && !(exchange->flags & NU_EXCHANGE_ABOVE_HIGH)) {
        exchange->flags |= NU_EXCHANGE_ABOVE_HIGH;
        exchange->ops->on_above_high(exchange);
    }
}

static void settle_pending(struct nu_exchange *exchange)
{
    if (nu_likely(!(exchange->flags & NU_EXCHANGE_ABOVE_HIGH)))
        return;
    if (exchange->pending.len > exchange->params.cluster->cluster->options.buffer_limit_bytes / 2)
        return;
    exchange->flags &= (uint16_t)~NU_EXCHANGE_ABOVE_HIGH;
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
    encoder_of(exchange)->ops->encode_data(encoder_of(exchange), &data, false);
    settle_pending(exchange);
}

/* The tunnel is granted: sends what came so far. */
static void send_kept(struct nu_exchange *exchange)
{
    struct nu_stream_encoder *encoder = encoder_of(exchange);
    struct nu_buf data = exchange->pending;
    bool ended = nu_exchange_is_request_over(exchange) && !exchange->request_trailers;
    nu_buf_init(&exchange->pending);
    if (nu_exchange_has_metadata(exchange))
        nu_exchange_send_kept_metadata(exchange);
    if (data.len || ended)
        encoder->ops->encode_data(encoder, &data, ended);
    if (exchange->request_trailers)
        encoder->ops->encode_trailers(encoder, exchange->request_trailers);
    note_request_end(exchange);
    settle_pending(exchange);
}

static void send_pending(struct nu_exchange *exchange)
{
    struct nu_stream_encoder *encoder = encoder_of(exchange);
    struct nu_buf data = exchange->pending;
    bool ended = nu_exchange_is_request_over(exchange);
    bool has_metadata = nu_exchange_has_metadata(exchange);
    bool has_data = data.len || (has_metadata && ended && !exchange->request_trailers);
    bool only_headers = ended && !has_data && !exchange->request_trailers;
    nu_buf_init(&exchange->pending);
    if (nu_unlikely(exchange->flags & NU_EXCHANGE_WAITING)) {
        exchange->pending = data;
        encoder->ops->encode_headers(encoder, exchange->request_headers, false);
        if (encoder_of(exchange))
            send_body_left(exchange);
        return;
    }
    encoder->ops->encode_headers(encoder, exchange->request_headers, only_headers);
    if (nu_unlikely(has_metadata))
        nu_exchange_send_kept_metadata(exchange);
    if (has_data)
        encoder->ops->encode_data(encoder, &data, ended && !exchange->request_trailers);
    if (exchange->request_trailers)
        encoder->ops->encode_trailers(encoder, exchange->request_trailers);
}

void nu_exchange_on_ready(struct nu_exchange *exchange)
{
    if (exchange->flags & NU_EXCHANGE_HOLDING)
        encoder_of(exchange)->ops->hold_read(encoder_of(exchange));
    send_pending(exchange);
    note_request_end(exchange);
    settle_pending(exchange);
}

/* --- The response ----------------------------------------------------------------------------- */

static uint32_t status_of(const struct nu_headers *headers)
{
    return nu_status_parse(nu_headers_get_id(headers, NU_HEADER_STATUS));
}

static void pass_headers(struct nu_exchange *exchange, uint32_t status, bool ended)
{
    struct nu_attempt *attempt = exchange->attempt;
    struct nu_upstream_info *info = &exchange->info->upstream;
    exchange->flags |=
        NU_EXCHANGE_RESPONSE_STARTED | (ended ? (unsigned)NU_EXCHANGE_RESPONSE_ENDED : 0);
    info->first_rx_us = nu_loop_now_us(nu_exchange_loop(exchange));
    nu_exchange_charge_answer(exchange, attempt, status, ended);
    if (ended)
        info->last_rx_us = info->first_rx_us;
    end_if_complete(exchange);
    exchange->ops->on_headers(exchange, &attempt->response_headers, ended);
}

static bool grants_tunnel(enum nu_tunnel tunnel, uint32_t status)
{
    return tunnel == NU_TUNNEL_CONNECT ? status / 100 == 2 : status == 101;
}

/* A server that does not know WebSockets and answers the question as it would be without the
 * upgrade has said that there is none; what else it says is no answer to the client (Envoy's
 * rule). */
static bool is_not_upgraded(const struct nu_exchange *exchange, uint32_t status)
{
    enum nu_tunnel tunnel = exchange->params.tunnel;
    return (exchange->flags & NU_EXCHANGE_WAITING) && tunnel == NU_TUNNEL_WEBSOCKET &&
           status < 400 && !grants_tunnel(tunnel, status);
}

static void on_tunnel_answer(struct nu_exchange *exchange, uint32_t status, bool ended)
{
    enum nu_tunnel tunnel = exchange->params.tunnel;
    if (grants_tunnel(tunnel, status)) {
        exchange->flags &= (uint16_t)~NU_EXCHANGE_WAITING;
        nu_timer_cancel(&exchange->timeout);
        pass_headers(exchange, status, ended);
        if (nu_exchange_is_active(exchange))
            send_kept(exchange);
    } else if (is_not_upgraded(exchange, status)) {
        break_off(exchange, NU_EXCHANGE_NOT_UPGRADED);
    } else {
        pass_headers(exchange, status, ended);
    }
}

void nu_exchange_on_headers(struct nu_attempt *attempt, bool ended)
{
    struct nu_exchange *exchange = attempt->exchange;
    uint32_t status = status_of(&attempt->response_headers);
    if (nu_likely(!is_not_upgraded(exchange, status)))
        nu_attempt_report_answer(attempt, status);
    if (nu_unlikely(exchange->tries != NULL) && nu_tries_take_headers(attempt, status, ended))
        return;
    if (nu_unlikely(exchange->flags & NU_EXCHANGE_WAITING))
        on_tunnel_answer(exchange, status, ended);
    else
        pass_headers(exchange, status, ended);
}

void nu_exchange_on_data(struct nu_exchange *exchange, struct nu_buf *data, bool ended)
{
    if (ended) {
        exchange->flags |= NU_EXCHANGE_RESPONSE_ENDED;
        nu_attempt_charge_end(exchange->attempt, NULL);
    }
    end_if_complete(exchange);
    exchange->ops->on_data(exchange, data, ended);
}

void nu_exchange_on_trailers(struct nu_exchange *exchange, struct nu_headers *trailers)
{
    exchange->flags |= NU_EXCHANGE_RESPONSE_ENDED;
    nu_attempt_charge_end(exchange->attempt, trailers);
    end_if_complete(exchange);
    exchange->ops->on_trailers(exchange, trailers);
}

void nu_exchange_on_1xx(struct nu_attempt *attempt, struct nu_headers *headers)
{
    struct nu_exchange *exchange = attempt->exchange;
    if (nu_unlikely(exchange->tries != NULL))
        nu_tries_take_interim(attempt);
    nu_exchange_charge(exchange, status_of(headers));
    if (exchange->ops->on_1xx)
        exchange->ops->on_1xx(exchange, headers);
}

/* --- Failures --------------------------------------------------------------------------------- */

/* Whether a failure of one attempt is not the exchange's, since there is, or will be, another. */
static bool goes_on(struct nu_attempt *attempt, enum nu_reset_reason reason, bool is_timeout)
{
    struct nu_exchange *exchange = attempt->exchange;
    return nu_unlikely(exchange->tries != NULL) && !nu_exchange_is_answered(exchange) &&
           nu_tries_take_failure(attempt, reason, is_timeout);
}

/* What the attempt failed of stands, unless another one may still answer. */
static void end_attempt(struct nu_attempt *attempt, enum nu_exchange_failure_kind kind,
                        enum nu_reset_reason reason, struct nu_str transport_failure)
{
    struct nu_exchange *exchange = attempt->exchange;
    if (nu_unlikely(exchange->tries != NULL) && nu_tries_go_on(attempt))
        nu_attempt_drop(attempt);
    else
        nu_exchange_fail(exchange, kind, reason, transport_failure);
}

void nu_exchange_on_reset(struct nu_attempt *attempt, enum nu_reset_reason reason)
{
    struct nu_exchange *exchange = attempt->exchange;
    nu_attempt_charge_end(attempt, NULL);
    nu_attempt_report(attempt, NU_OUTLIER_FAILED, 0);
    if (goes_on(attempt, reason, false))
        return;
    if (!nu_exchange_is_answered(exchange)) {
        nu_exchange_charge(exchange, reason == NU_RESET_PROTOCOL_ERROR ? 502 : 503);
        nu_attempt_charge_host(attempt, false);
    }
    end_attempt(attempt, NU_EXCHANGE_RESET, reason, nu_str_make(NULL, 0));
}

void nu_exchange_on_no_connection(struct nu_attempt *attempt, enum nu_reset_reason reason,
                                  struct nu_str transport_failure, bool had_connection)
{
    struct nu_exchange *exchange = attempt->exchange;
    struct nu_upstream_info *info = &attempt->decoder.info->upstream;
    if (!nu_exchange_is_active(exchange))
        return;
    info->transport_failure_reason = transport_failure.len
                                         ? nu_arena_dup(exchange->arena, transport_failure)
                                         : transport_failure;
    if (reason != NU_RESET_OVERFLOW)
        nu_attempt_report(attempt, NU_OUTLIER_FAILED, 0);
    if (goes_on(attempt, reason, false))
        return;
    nu_exchange_charge(exchange, 503);
    if (reason != NU_RESET_OVERFLOW)
        nu_attempt_charge_host(attempt, false);
    else if (!had_connection)
        info->host = (struct nu_address){0};
    end_attempt(attempt, NU_EXCHANGE_RESET, reason, info->transport_failure_reason);
}

/* A reset of ours that another try may make good, unless the response began. */
void nu_exchange_on_try_over(struct nu_attempt *attempt, enum nu_exchange_failure_kind kind)
{
    struct nu_exchange *exchange = attempt->exchange;
    bool is_timeout = kind != NU_EXCHANGE_MAX_DURATION;
    nu_attempt_charge_end(attempt, NULL);
    if (is_timeout)
        nu_attempt_report_timeout(attempt);
    if (goes_on(attempt, NU_RESET_LOCAL, is_timeout))
        return;
    if (!nu_exchange_is_answered(exchange) && is_timeout) {
        nu_exchange_charge(exchange, exchange->params.timeout_status);
        nu_attempt_charge_host(attempt, false);
    }
    break_off(exchange, kind);
}

static void count_timeout(struct nu_attempt *attempt)
{
    struct nu_exchange *exchange = attempt->exchange;
    nu_counter_inc(&exchange->stats->upstream_rq_timeout);
    nu_counter_inc(&attempt->host_stats->rq_timeout);
    nu_attempt_charge_end(attempt, NULL);
    if (nu_exchange_is_answered(exchange))
        return;
    nu_attempt_report_timeout(attempt);
    nu_exchange_charge(exchange, exchange->params.timeout_status);
    nu_attempt_charge_host(attempt, false);
}

/* All attempts together took too long; there may be none, between two of them. */
static void on_timeout(struct nu_timer *timer)
{
    struct nu_exchange *exchange = nu_container_of(timer, struct nu_exchange, timeout);
    for (struct nu_attempt *a = exchange->attempt; a; a = a->older) {
        if (!a->is_over)
            count_timeout(a);
    }
    break_off(exchange, NU_EXCHANGE_TIMEOUT);
}

/* --- The life of an exchange ------------------------------------------------------------------ */

/* The request is complete: the clock of the timeout starts. */
static void on_request_end(struct nu_exchange *exchange)
{
    struct nu_loop *loop = nu_exchange_loop(exchange);
    exchange->flags |= NU_EXCHANGE_REQUEST_ENDED;
    exchange->request_end_us = nu_loop_now_us(loop);
    if (exchange->params.timeout_ms)
        nu_timer_arm(loop, &exchange->timeout, exchange->params.timeout_ms);
    if (nu_unlikely(exchange->tries != NULL) && encoder_of(exchange))
        nu_attempt_time(exchange->attempt);
}

static void find_body_left(struct nu_exchange *exchange)
{
    struct nu_str length = nu_headers_get_id(exchange->request_headers, NU_HEADER_CONTENT_LENGTH);
    if (!length.ptr || nu_str_to_u64(length, &exchange->body_left) != NU_OK)
        exchange->body_left = 0;
}

/* The end of its bytes is not awaited: the clock starts now. */
static void begin_tunnel(struct nu_exchange *exchange)
{
    exchange->flags |= NU_EXCHANGE_WAITING;
    find_body_left(exchange);
    if (exchange->params.timeout_ms)
        nu_timer_arm(nu_exchange_loop(exchange), &exchange->timeout, exchange->params.timeout_ms);
    exchange->params.timeout_ms = 0;
}

static void init(struct nu_exchange *exchange, const struct nu_exchange_params *params,
                 struct nu_headers *headers)
{
    exchange->params = *params;
    exchange->stats = nu_cluster_local_stats(params->cluster);
    exchange->attempt = &exchange->first;
    exchange->request_headers = headers;
    exchange->request_trailers = NULL;
    exchange->request_end_us = 0;
    exchange->flags = NU_EXCHANGE_STARTED;
    if (nu_unlikely(nu_grpc_is_content_type(nu_headers_get_id(headers, NU_HEADER_CONTENT_TYPE))))
        exchange->flags |= NU_EXCHANGE_GRPC;
    nu_buf_init(&exchange->pending);
    nu_timer_init(&exchange->timeout, on_timeout);
    nu_attempt_init(&exchange->first, exchange);
    exchange->tries = NULL;
    if (nu_unlikely(params->retry != NULL))
        nu_tries_init(exchange);
}

/* Chooses where the newest attempt goes; false if the exchange failed of that. */
static bool choose(struct nu_exchange *exchange)
{
    struct nu_attempt *attempt = exchange->attempt;
    switch (nu_attempt_choose(attempt)) {
    case NU_ATTEMPT_STARTED:
        break;
    case NU_ATTEMPT_NO_HOST:
        attempt->is_over = true;
        nu_exchange_charge(exchange, 503);
        break_off(exchange, NU_EXCHANGE_NO_HOST);
        return false;
    case NU_ATTEMPT_OVERFLOW:
        nu_exchange_on_no_connection(attempt, NU_RESET_OVERFLOW, nu_str_make(NULL, 0), false);
        return false;
    }
    return true;
}

void nu_exchange_try(struct nu_exchange *exchange)
{
    if (choose(exchange))
        nu_attempt_begin(exchange->attempt);
}

void nu_exchange_rewind(struct nu_exchange *exchange, const struct nu_buf *kept)
{
    nu_buf_clear(&exchange->pending);
    nu_buf_share(&exchange->pending, kept);
    if (exchange->flags & NU_EXCHANGE_WAITING)
        find_body_left(exchange);
}

void nu_exchange_start(struct nu_exchange *exchange, const struct nu_exchange_params *params,
                       struct nu_headers *headers, bool ended)
{
    init(exchange, params, headers);
    exchange->info->upstream.attempt_count = 1;
    if (!choose(exchange))
        return;
    if (nu_unlikely(params->tunnel != NU_TUNNEL_NONE))
        begin_tunnel(exchange);
    if (ended)
        on_request_end(exchange);
    nu_attempt_begin(&exchange->first);
}

void nu_exchange_send_data(struct nu_exchange *exchange, struct nu_buf *data, bool ended)
{
    if (!nu_exchange_is_active(exchange)) {
        nu_buf_clear(data);
        return;
    }
    if (ended)
        on_request_end(exchange);
    if (nu_unlikely(exchange->tries != NULL) && !nu_tries_keep(exchange, data))
        return;
    struct nu_stream_encoder *encoder = encoder_of(exchange);
    if (nu_unlikely(!encoder || (exchange->flags & NU_EXCHANGE_WAITING))) {
        keep_pending(exchange, data);
        if (encoder)
            send_body_left(exchange);
        return;
    }
    encoder->ops->encode_data(encoder, data, ended);
    note_request_end(exchange);
}

void nu_exchange_send_trailers(struct nu_exchange *exchange, struct nu_headers *trailers)
{
    if (!nu_exchange_is_active(exchange))
        return;
    on_request_end(exchange);
    exchange->request_trailers = trailers;
    struct nu_stream_encoder *encoder = encoder_of(exchange);
    if (encoder && !(exchange->flags & NU_EXCHANGE_WAITING)) {
        encoder->ops->encode_trailers(encoder, trailers);
        note_request_end(exchange);
    }
}

/* Whichever try answers: it is held, or it is not. */
static void hold_tries(struct nu_exchange *exchange)
{
    for (struct nu_attempt *a = exchange->attempt; a; a = a->older) {
        if (a->encoder)
            a->encoder->ops->hold_read(a->encoder);
    }
}

static void release_tries(struct nu_exchange *exchange)
{
    for (struct nu_attempt *a = exchange->attempt; a; a = a->older) {
        if (a->encoder)
            a->encoder->ops->release_read(a->encoder);
    }
}

void nu_exchange_hold_response(struct nu_exchange *exchange)
{
    if (!nu_exchange_is_active(exchange) || (exchange->flags & NU_EXCHANGE_HOLDING))
        return;
    exchange->flags |= NU_EXCHANGE_HOLDING;
    nu_counter_inc(&exchange->stats->upstream_flow_control_paused_reading_total);
    hold_tries(exchange);
}

void nu_exchange_release_response(struct nu_exchange *exchange)
{
    if (!nu_exchange_is_active(exchange) || !(exchange->flags & NU_EXCHANGE_HOLDING))
        return;
    exchange->flags &= (uint16_t)~NU_EXCHANGE_HOLDING;
    nu_counter_inc(&exchange->stats->upstream_flow_control_resumed_reading_total);
    release_tries(exchange);
}
