/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request's bytes on their way to the present attempt: what waits for a connection, or for the
 * grant of a tunnel, and what goes out at once.
 */
#include "client/exchange_internal.h"

static void note_request_end(struct nu_exchange *exchange)
{
    if (nu_exchange_is_request_over(exchange) && nu_exchange_encoder(exchange))
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
    nu_attempt_meter_sent(exchange->attempt, len);
    nu_exchange_encoder(exchange)->ops->encode_data(nu_exchange_encoder(exchange), &data, false);
    settle_pending(exchange);
}

void nu_exchange_send_kept(struct nu_exchange *exchange)
{
    struct nu_stream_encoder *encoder = nu_exchange_encoder(exchange);
    struct nu_buf data = exchange->pending;
    bool ended = nu_exchange_is_request_over(exchange) && !exchange->request_trailers;
    nu_buf_init(&exchange->pending);
    if (nu_exchange_has_metadata(exchange))
        nu_exchange_send_kept_metadata(exchange);
    nu_attempt_meter_sent(exchange->attempt, data.len);
    if (data.len || ended)
        encoder->ops->encode_data(encoder, &data, ended);
    if (exchange->request_trailers)
        encoder->ops->encode_trailers(encoder, exchange->request_trailers);
    note_request_end(exchange);
    settle_pending(exchange);
}

/* An empty body goes on as one: what the upstream reads is not to depend on when it was connected. */
static void send_pending(struct nu_exchange *exchange)
{
    struct nu_stream_encoder *encoder = nu_exchange_encoder(exchange);
    struct nu_buf data = exchange->pending;
    bool ended = nu_exchange_is_request_over(exchange);
    bool has_metadata = nu_exchange_has_metadata(exchange);
    bool ends_without = ended && !data.len && !exchange->request_trailers;
    bool only_headers = ends_without && !has_metadata && (exchange->flags & NU_EXCHANGE_BODILESS);
    bool has_data = data.len || (ends_without && !only_headers);
    nu_buf_init(&exchange->pending);
    if (nu_unlikely(exchange->flags & NU_EXCHANGE_WAITING)) {
        exchange->pending = data;
        encoder->ops->encode_headers(encoder, exchange->request_headers, false);
        if (nu_exchange_encoder(exchange))
            send_body_left(exchange);
        return;
    }
    encoder->ops->encode_headers(encoder, exchange->request_headers, only_headers);
    if (nu_unlikely(has_metadata))
        nu_exchange_send_kept_metadata(exchange);
    if (has_data) {
        nu_attempt_meter_sent(exchange->attempt, data.len);
        encoder->ops->encode_data(encoder, &data, ended && !exchange->request_trailers);
    }
    if (exchange->request_trailers)
        encoder->ops->encode_trailers(encoder, exchange->request_trailers);
}

void nu_exchange_on_ready(struct nu_exchange *exchange)
{
    if (exchange->flags & NU_EXCHANGE_HOLDING)
        nu_exchange_encoder(exchange)->ops->hold_read(nu_exchange_encoder(exchange));
    send_pending(exchange);
    note_request_end(exchange);
    settle_pending(exchange);
}

static void find_body_left(struct nu_exchange *exchange)
{
    struct nu_str length = nu_headers_get_id(exchange->request_headers, NU_HEADER_CONTENT_LENGTH);
    if (!length.ptr || nu_str_to_u64(length, &exchange->body_left) != NU_OK)
        exchange->body_left = 0;
}

/* Once: the time of a tunnel, which is a request that may never end, is not begun anew with its
 * end. While a host is looked up the time stands still, as in Envoy. */
void nu_exchange_arm_timeout(struct nu_exchange *exchange)
{
    bool may_run =
        (exchange->flags & (NU_EXCHANGE_TIMED | NU_EXCHANGE_RUNNING)) == NU_EXCHANGE_TIMED;
    if (!may_run || !exchange->params.timeout_ms || nu_unlikely(exchange->attempt->lookup != NULL))
        return;
    exchange->flags |= NU_EXCHANGE_RUNNING;
    nu_timer_arm(nu_exchange_loop(exchange), &exchange->timeout, exchange->params.timeout_ms);
}

void nu_exchange_begin_tunnel(struct nu_exchange *exchange)
{
    exchange->flags |= NU_EXCHANGE_WAITING | NU_EXCHANGE_TIMED;
    find_body_left(exchange);
    nu_exchange_arm_timeout(exchange);
}

void nu_exchange_end_request(struct nu_exchange *exchange)
{
    exchange->flags |= NU_EXCHANGE_REQUEST_ENDED | NU_EXCHANGE_TIMED;
    exchange->request_end_us = nu_loop_now_us(nu_exchange_loop(exchange));
    nu_exchange_arm_timeout(exchange);
    if (nu_exchange_encoder(exchange))
        nu_attempt_time(exchange->attempt);
}

void nu_exchange_rewind(struct nu_exchange *exchange, const struct nu_buf *kept)
{
    nu_buf_clear(&exchange->pending);
    nu_buf_share(&exchange->pending, kept);
    if (exchange->flags & NU_EXCHANGE_WAITING)
        find_body_left(exchange);
}

void nu_exchange_send_data(struct nu_exchange *exchange, struct nu_buf *data, bool ended)
{
    if (!nu_exchange_is_active(exchange)) {
        nu_buf_clear(data);
        return;
    }
    if (ended)
        nu_exchange_end_request(exchange);
    if (nu_exchange_has_tries(exchange) && !nu_tries_keep(exchange, data))
        return;
    struct nu_stream_encoder *encoder = nu_exchange_encoder(exchange);
    if (nu_unlikely(!encoder || (exchange->flags & NU_EXCHANGE_WAITING))) {
        keep_pending(exchange, data);
        if (encoder)
            send_body_left(exchange);
        return;
    }
    nu_attempt_meter_sent(exchange->attempt, data->len);
    encoder->ops->encode_data(encoder, data, ended);
    note_request_end(exchange);
}

void nu_exchange_send_trailers(struct nu_exchange *exchange, struct nu_headers *trailers)
{
    if (!nu_exchange_is_active(exchange))
        return;
    nu_exchange_end_request(exchange);
    exchange->request_trailers = trailers;
    struct nu_stream_encoder *encoder = nu_exchange_encoder(exchange);
    if (encoder && !(exchange->flags & NU_EXCHANGE_WAITING)) {
        encoder->ops->encode_trailers(encoder, trailers);
        note_request_end(exchange);
    }
}
