/* SPDX-License-Identifier: Apache-2.0 */
/* The response on its way to the owner, and what becomes of attempts that fail. */
#include "client/exchange_internal.h"

/* A response that ends before its request ends the latter's connection: nobody reads the rest. */
static void end_if_complete(struct nu_exchange *exchange)
{
    if (!(exchange->flags & NU_EXCHANGE_RESPONSE_ENDED))
        return;
    nu_exchange_charge_time(exchange);
    if (nu_unlikely(exchange->params.cluster->is_metered))
        nu_exchange_meter_time(exchange);
    if (nu_unlikely(!(exchange->flags & NU_EXCHANGE_REQUEST_ENDED)))
        nu_attempt_release(exchange->attempt);
    nu_exchange_finish(exchange);
}

static void note_head(struct nu_exchange *exchange, bool ended)
{
    struct nu_upstream_info *info = &exchange->info->upstream;
    info->first_rx_us = nu_loop_now_us(nu_exchange_loop(exchange));
    if (ended)
        info->last_rx_us = info->first_rx_us;
}

static void pass_headers(struct nu_exchange *exchange, uint32_t status, bool ended)
{
    struct nu_attempt *attempt = exchange->attempt;
    exchange->flags |=
        NU_EXCHANGE_RESPONSE_STARTED | (ended ? (unsigned)NU_EXCHANGE_RESPONSE_ENDED : 0);
    note_head(exchange, ended);
    nu_exchange_charge_answer(exchange, attempt, status, ended);
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
            nu_exchange_send_kept(exchange);
    } else if (is_not_upgraded(exchange, status)) {
        nu_exchange_break_off(exchange, NU_EXCHANGE_NOT_UPGRADED);
    } else {
        pass_headers(exchange, status, ended);
    }
}

/* What there is behind the head is nobody's: a connection that still has some to read ends. */
static bool divert(struct nu_attempt *attempt, bool ended)
{
    struct nu_exchange *exchange = attempt->exchange;
    if (!exchange->ops->diverts(exchange, &attempt->response_headers))
        return false;
    if (!ended || !nu_exchange_is_request_over(exchange))
        nu_attempt_release(attempt);
    attempt->is_over = true;
    note_head(exchange, ended);
    nu_exchange_finish(exchange);
    return true;
}

void nu_exchange_on_headers(struct nu_attempt *attempt, bool ended)
{
    struct nu_exchange *exchange = attempt->exchange;
    uint32_t status = nu_headers_status(&attempt->response_headers);
    if (nu_likely(!is_not_upgraded(exchange, status)))
        nu_attempt_report_answer(attempt, status);
    if (nu_exchange_has_tries(exchange) && nu_tries_take_headers(attempt, status, ended))
        return;
    if (nu_unlikely(exchange->flags & NU_EXCHANGE_ASKS) && divert(attempt, ended))
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
    if (nu_exchange_has_tries(exchange))
        nu_tries_take_interim(attempt);
    exchange->flags |= NU_EXCHANGE_INTERIM;
    nu_attempt_charge(attempt, nu_headers_status(headers), headers);
    if (exchange->ops->on_1xx)
        exchange->ops->on_1xx(exchange, headers);
}

/* --- Failures --------------------------------------------------------------------------------- */

/* Whether a failure of one attempt is not the exchange's, since there is, or will be, another. */
static bool goes_on(struct nu_attempt *attempt, enum nu_reset_reason reason, bool is_timeout)
{
    struct nu_exchange *exchange = attempt->exchange;
    return nu_exchange_has_tries(exchange) && !nu_exchange_is_answered(exchange) &&
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
    if (!nu_exchange_has_begun(exchange)) {
        nu_attempt_charge(attempt, reason == NU_RESET_PROTOCOL_ERROR ? 502 : 503, NULL);
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
    if (reason != NU_RESET_OVERFLOW || had_connection) {
        nu_attempt_charge(attempt, 503, NULL);
    } else {
        info->host = (struct nu_address){0};
        nu_exchange_charge(exchange, 503);
    }
    if (reason != NU_RESET_OVERFLOW)
        nu_attempt_charge_host(attempt, false);
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
    if (!nu_exchange_has_begun(exchange) && is_timeout) {
        nu_attempt_charge(attempt, exchange->params.timeout_status, NULL);
        nu_attempt_charge_host(attempt, false);
    }
    nu_exchange_break_off(exchange, kind);
}

static void count_timeout(struct nu_attempt *attempt)
{
    struct nu_exchange *exchange = attempt->exchange;
    nu_counter_inc(&exchange->stats->upstream_rq_timeout);
    nu_exchange_count_also(exchange, NU_ROUTE_COUNTER(upstream_rq_timeout));
    nu_counter_inc(&attempt->host_stats->rq_timeout);
    nu_attempt_charge_end(attempt, NULL);
    if (nu_exchange_is_answered(exchange))
        return;
    if (nu_unlikely(attempt->meter != NULL))
        attempt->meter->hides_time = true;
    nu_attempt_report_timeout(attempt);
    if (nu_exchange_has_begun(exchange))
        return;
    nu_attempt_charge(attempt, exchange->params.timeout_status, NULL);
    nu_attempt_charge_host(attempt, false);
}

/* All attempts together took too long; there may be none, between two of them. */
void nu_exchange_on_timeout(struct nu_timer *timer)
{
    struct nu_exchange *exchange = nu_container_of(timer, struct nu_exchange, timeout);
    for (struct nu_attempt *a = exchange->attempt; a; a = a->older) {
        if (!a->is_over && nu_likely(!a->lookup))
            count_timeout(a);
    }
    nu_exchange_break_off(exchange, NU_EXCHANGE_TIMEOUT);
}
