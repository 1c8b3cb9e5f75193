/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an exchange: its start, and the one end that each has. */
#include "client/exchange_internal.h"

#include "http/grpc.h"
#include "http/status.h"

bool nu_exchange_is_active(const struct nu_exchange *exchange)
{
    return (exchange->flags & (NU_EXCHANGE_STARTED | NU_EXCHANGE_OVER)) == NU_EXCHANGE_STARTED;
}

/* --- The end ---------------------------------------------------------------------------------- */

void nu_exchange_finish(struct nu_exchange *exchange)
{
    struct nu_attempt *attempt = exchange->attempt;
    exchange->flags |= NU_EXCHANGE_OVER;
    nu_timer_cancel(&exchange->timeout);
    nu_attempt_stop_timers(attempt);
    nu_attempt_stop_meter(attempt);
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
        nu_attempt_stop_meter(a);
        nu_attempt_release(a);
    }
}

/* An answer that promised a status behind its body. */
static bool is_grpc_open(const struct nu_exchange *exchange)
{
    if (nu_likely(!(exchange->flags & NU_EXCHANGE_GRPC)) || !nu_exchange_is_answered(exchange))
        return false;
    const struct nu_headers *headers = nu_exchange_response_headers(exchange);
    return nu_status_parse(nu_headers_get_id(headers, NU_HEADER_STATUS)) < 500;
}

void nu_exchange_fail(struct nu_exchange *exchange, enum nu_exchange_failure_kind kind,
                      enum nu_reset_reason reason, struct nu_str transport_failure)
{
    struct nu_exchange_failure failure = {
        .kind = kind,
        .reason = reason,
        .transport_failure = transport_failure,
        .response_started = nu_exchange_is_answered(exchange),
        .details = exchange->no_host,
        .is_retry = exchange->info->upstream.attempt_count > 1,
        .breaks_grpc = kind == NU_EXCHANGE_RESET && is_grpc_open(exchange),
    };
    if (nu_unlikely(exchange->params.cluster->is_metered))
        nu_exchange_meter_failure(exchange, kind);
    release_attempts(exchange);
    nu_exchange_finish(exchange);
    exchange->ops->on_failed(exchange, &failure);
}

void nu_exchange_cancel(struct nu_exchange *exchange)
{
    if (!nu_exchange_is_active(exchange))
        return;
    release_attempts(exchange);
    nu_exchange_finish(exchange);
}

void nu_exchange_break_off(struct nu_exchange *exchange, enum nu_exchange_failure_kind kind)
{
    nu_exchange_fail(exchange, kind, NU_RESET_LOCAL, nu_str_make(NULL, 0));
}

/* --- The life of an exchange ------------------------------------------------------------------ */

static void init(struct nu_exchange *exchange, struct nu_headers *headers)
{
    const struct nu_exchange_params *params = &exchange->params;
    exchange->stats = nu_cluster_local_stats(params->cluster);
    exchange->attempt = &exchange->first;
    exchange->request_headers = headers;
    exchange->request_trailers = NULL;
    exchange->request_end_us = 0;
    exchange->no_host = nu_str_make(NULL, 0);
    exchange->flags = NU_EXCHANGE_STARTED;
    if (nu_unlikely(nu_grpc_is_content_type(nu_headers_get_id(headers, NU_HEADER_CONTENT_TYPE))))
        exchange->flags |= NU_EXCHANGE_GRPC;
    if (nu_unlikely(params->asks_first))
        exchange->flags |= NU_EXCHANGE_ASKS;
    nu_buf_init(&exchange->pending);
    nu_timer_init(&exchange->timeout, nu_exchange_on_timeout);
    nu_attempt_init(&exchange->first, exchange);
    exchange->tries = NULL;
}

void nu_exchange_fail_without_host(struct nu_exchange *exchange)
{
    exchange->attempt->is_over = true;
    nu_exchange_charge(exchange, 503);
    nu_exchange_break_off(exchange, NU_EXCHANGE_NO_HOST);
}

/* Chooses where the newest attempt goes; false if the exchange failed of that, or it is to be looked
 * up first. */
static bool choose(struct nu_exchange *exchange)
{
    struct nu_attempt *attempt = exchange->attempt;
    switch (nu_attempt_choose(attempt)) {
    case NU_ATTEMPT_STARTED:
        break;
    case NU_ATTEMPT_NO_HOST:
        nu_exchange_fail_without_host(exchange);
        return false;
    case NU_ATTEMPT_LATER:
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

bool nu_exchange_start(struct nu_exchange *exchange, struct nu_headers *headers, bool ended)
{
    init(exchange, headers);
    exchange->info->upstream.attempt_count = 1;
    bool chosen = choose(exchange);
    if (nu_unlikely(!chosen && !exchange->first.lookup))
        return exchange->first.host != NULL;
    if (nu_unlikely(exchange->params.tunnel != NU_TUNNEL_NONE))
        nu_exchange_begin_tunnel(exchange);
    else if (nu_unlikely(nu_headers_has_id(headers, NU_HEADER_UPGRADE)))
        nu_headers_remove_id(headers, NU_HEADER_UPGRADE); /* else the body were a tunnel's bytes */
    if (ended) {
        exchange->flags |= NU_EXCHANGE_BODILESS;
        nu_exchange_end_request(exchange);
    }
    if (nu_likely(chosen))
        nu_attempt_begin(&exchange->first);
    return true;
}

void nu_exchange_on_looked_up(struct nu_exchange *exchange)
{
    nu_exchange_arm_timeout(exchange);
    nu_exchange_try(exchange);
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
