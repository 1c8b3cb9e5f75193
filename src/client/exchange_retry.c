/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Further attempts of an exchange: whether there is one, the pause before it, and what the one
 * before leaves behind. A retry holds a place of the breaker from its decision until it has its own
 * answer, and counts as a success when that is not to be tried again (Envoy's rules).
 */
#include "client/exchange_internal.h"

#include "base/random.h"
#include "runtime/runtime.h"

enum decision {
    NO_RETRY,
    RETRY,
    NO_OVERFLOW, /* too many retries are at work */
    NO_LIMIT,    /* this request has had its own */
};

static const struct nu_retry_rules *rules_of(const struct nu_exchange *exchange)
{
    return exchange->params.retry;
}

/* --- Decisions -------------------------------------------------------------------------------- */

/* The retry that was made, or was to be made, counts no longer. */
static void settle(struct nu_tries *tries)
{
    const struct nu_exchange_params *params = &tries->exchange->params;
    nu_timer_cancel(&tries->pause);
    tries->is_pending = false;
    if (!tries->is_counted)
        return;
    tries->is_counted = false;
    nu_cluster_breaker_sub(params->cluster, params->priority, NU_BREAKER_RETRIES);
}

static bool is_switched_off(const struct nu_exchange *exchange)
{
    const struct nu_runtime *runtime = nu_exchange_loop(exchange)->runtime;
    return runtime &&
           !nu_runtime_feature_enabled(runtime, NU_STR("upstream.use_retry"), 100, nu_random_u64());
}

static enum decision decide(struct nu_tries *tries, bool is_wanted)
{
    struct nu_exchange *exchange = tries->exchange;
    const struct nu_exchange_params *params = &exchange->params;
    if (tries->is_counted && !is_wanted) {
        nu_counter_inc(&exchange->stats->upstream_rq_retry_success);
        nu_exchange_count_also(exchange, NU_ROUTE_COUNTER(upstream_rq_retry_success));
    }
    settle(tries);
    if (!is_wanted)
        return NO_RETRY;
    if (tries->retry.left == 0) {
        nu_counter_inc(&exchange->stats->upstream_rq_retry_limit_exceeded);
        nu_exchange_count_also(exchange, NU_ROUTE_COUNTER(upstream_rq_retry_limit_exceeded));
        nu_stream_info_set_flag(exchange->info, NU_FLAG_UPSTREAM_RETRY_LIMIT_EXCEEDED);
        return NO_LIMIT;
    }
    tries->retry.left--;
    if (!nu_cluster_allows_retry(params->cluster, params->priority)) {
        nu_counter_inc(&exchange->stats->upstream_rq_retry_overflow);
        nu_exchange_count_also(exchange, NU_ROUTE_COUNTER(upstream_rq_retry_overflow));
        nu_stream_info_set_flag(exchange->info, NU_FLAG_UPSTREAM_OVERFLOW);
        return NO_OVERFLOW;
    }
    if (is_switched_off(exchange))
        return NO_RETRY;
    tries->is_counted = true;
    nu_cluster_breaker_add(params->cluster, params->priority, NU_BREAKER_RETRIES);
    nu_counter_inc(&exchange->stats->upstream_rq_retry);
    nu_exchange_count_also(exchange, NU_ROUTE_COUNTER(upstream_rq_retry));
    return RETRY;
}

/* --- The next attempt ------------------------------------------------------------------------- */

/* Arms the pause; `asked_ms` is what the answer asked for, or 0. */
static void schedule(struct nu_tries *tries, uint64_t asked_ms, bool after_timeout)
{
    struct nu_exchange *exchange = tries->exchange;
    uint64_t ms = asked_ms ? asked_ms : nu_retry_next_pause_ms(&tries->retry);
    nu_counter_inc(asked_ms ? &exchange->stats->upstream_rq_retry_backoff_ratelimited
                            : &exchange->stats->upstream_rq_retry_backoff_exponential);
    tries->is_pending = true;
    tries->after_timeout = after_timeout;
    nu_timer_arm(nu_exchange_loop(exchange), &tries->pause, ms);
}

/* What is known of the upstream begins anew; what was sent and received adds up. */
static void reset_info(struct nu_upstream_info *info)
{
    const struct nu_upstream_info old = *info;
    *info = (struct nu_upstream_info){
        .cluster = old.cluster,
        .cluster_observability = old.cluster_observability,
        .cluster_metadata = old.cluster_metadata,
        .attempt_count = old.attempt_count + 1,
        .header_bytes_sent = old.header_bytes_sent,
        .header_bytes_received = old.header_bytes_received,
        .decompressed_header_bytes_sent = old.decompressed_header_bytes_sent,
        .decompressed_header_bytes_received = old.decompressed_header_bytes_received,
        .wire_bytes_sent = old.wire_bytes_sent,
        .wire_bytes_received = old.wire_bytes_received,
    };
}

/* Beside one that is still at work: that one notes what it learns in a copy. */
static struct nu_attempt *add_attempt(struct nu_exchange *exchange)
{
    struct nu_attempt *older = exchange->attempt;
    struct nu_attempt *attempt = nu_arena_alloc(exchange->arena, sizeof(*attempt));
    struct nu_stream_info *copy = nu_arena_alloc(exchange->arena, sizeof(*copy));
    *copy = *exchange->info;
    older->decoder.info = copy;
    nu_attempt_init(attempt, exchange);
    attempt->older = older;
    return attempt;
}

static void begin_next(struct nu_timer *timer)
{
    struct nu_tries *tries = nu_container_of(timer, struct nu_tries, pause);
    struct nu_exchange *exchange = tries->exchange;
    tries->is_pending = false;
    if (exchange->attempt->is_over)
        nu_attempt_renew(exchange->attempt);
    else
        exchange->attempt = add_attempt(exchange);
    reset_info(&exchange->info->upstream);
    if (exchange->ops->on_retry)
        exchange->ops->on_retry(exchange, tries->after_timeout);
    nu_exchange_rewind(exchange, &tries->body);
    nu_tries_fill_context(exchange);
    nu_exchange_try(exchange);
}

/* --- What attempts come to -------------------------------------------------------------------- */

bool nu_tries_go_on(const struct nu_attempt *attempt)
{
    const struct nu_exchange *exchange = attempt->exchange;
    if (nu_exchange_is_answered(exchange))
        return false;
    for (const struct nu_attempt *a = exchange->attempt; a; a = a->older) {
        if (a != attempt && !a->is_over)
            return true;
    }
    return exchange->tries->is_pending;
}

/* A server that has not taken all of the request, or says more, is of no use any more. */
static void leave_answer(struct nu_attempt *attempt, bool ended)
{
    struct nu_exchange *exchange = attempt->exchange;
    nu_attempt_charge_host(attempt, false);
    if (ended && nu_exchange_is_request_over(exchange)) {
        if (exchange->flags & NU_EXCHANGE_HOLDING)
            attempt->encoder->ops->release_read(attempt->encoder);
        attempt->encoder = NULL; /* the connection goes back to its pool by itself */
    }
    nu_attempt_drop(attempt);
}

/* The answer stands: the others are given up. */
static void take_answer(struct nu_attempt *attempt)
{
    struct nu_exchange *exchange = attempt->exchange;
    uint32_t count = exchange->info->upstream.attempt_count;
    nu_tries_close(nu_tries_of(exchange));
    for (struct nu_attempt *a = exchange->attempt; a; a = a->older) {
        if (a != attempt)
            nu_attempt_drop(a);
    }
    if (attempt->decoder.info != exchange->info) {
        exchange->info->upstream = attempt->decoder.info->upstream;
        exchange->info->upstream.attempt_count = count;
        attempt->decoder.info = exchange->info;
    }
    exchange->attempt = attempt;
    attempt->older = NULL;
}

void nu_tries_take_interim(struct nu_attempt *attempt)
{
    take_answer(attempt);
}

bool nu_tries_settle_headers(struct nu_attempt *attempt, uint32_t status, bool ended,
                             bool is_wanted)
{
    struct nu_exchange *exchange = attempt->exchange;
    const struct nu_headers *headers = &attempt->response_headers;
    struct nu_tries *tries = nu_tries_of(exchange);
    if (tries->is_open) {
        enum decision decision = NO_RETRY;
        if (!attempt->is_retried)
            decision = decide(tries, is_wanted);
        if (decision == RETRY) {
            nu_exchange_charge_retried(exchange, status);
            leave_answer(attempt, ended);
            schedule(tries, nu_retry_asked_pause_ms(rules_of(exchange), headers), false);
            return true;
        }
        bool is_bad = attempt->is_retried ? is_wanted : decision != NO_RETRY;
        if (is_bad && nu_tries_go_on(attempt)) {
            nu_attempt_charge_host(attempt, false);
            nu_attempt_drop(attempt);
            return true;
        }
    }
    take_answer(attempt);
    return false;
}

bool nu_tries_take_failure(struct nu_attempt *attempt, enum nu_reset_reason reason, bool is_timeout)
{
    struct nu_exchange *exchange = attempt->exchange;
    struct nu_tries *tries = nu_tries_of(exchange);
    if (!tries->is_open || attempt->is_retried)
        return false;
    tries->had_begun |= attempt->decoder.info->upstream.first_tx_us != 0;
    if (decide(tries, nu_retry_wants_reset(rules_of(exchange), reason, tries->had_begun)) != RETRY)
        return false;
    nu_attempt_charge_host(attempt, false);
    nu_attempt_drop(attempt);
    schedule(tries, 0, is_timeout);
    return true;
}

void nu_tries_hedge(struct nu_attempt *attempt)
{
    struct nu_exchange *exchange = attempt->exchange;
    nu_attempt_report_timeout(attempt);
    if (attempt->is_retried) /* it is idle as well: that is one retry, which may not have begun */
        return;
    if (nu_exchange_is_answered(exchange) || !nu_exchange_has_tries(exchange))
        return;
    struct nu_tries *tries = nu_tries_of(exchange);
    if (!tries->is_open || decide(tries, true) != RETRY)
        return;
    attempt->is_retried = true;
    schedule(tries, 0, true);
}

/* --- The request's body ----------------------------------------------------------------------- */

/* More of the request than may be kept. False if the exchange failed of that: nobody has what came
 * so far. */
static bool abandon(struct nu_exchange *exchange)
{
    nu_counter_inc(&exchange->stats->retry_or_shadow_abandoned);
    nu_tries_close(exchange->tries);
    if (!exchange->attempt->is_over)
        return true;
    nu_exchange_fail(exchange, NU_EXCHANGE_BODY_LIMIT, NU_RESET_LOCAL, nu_str_make(NULL, 0));
    return false;
}

bool nu_tries_keep(struct nu_exchange *exchange, struct nu_buf *data)
{
    if (!exchange->tries && nu_exchange_is_answered(exchange))
        return true;
    struct nu_tries *tries = nu_tries_of(exchange);
    if (tries->is_open) {
        if (tries->body.len + data->len <= exchange->params.body_limit)
            nu_buf_collect_shared(&tries->body, data);
        else if (!abandon(exchange))
            goto dropped;
    }
    if (!exchange->attempt->is_over)
        return true;
dropped:
    nu_buf_clear(data);
    return false;
}

/* --- Life ------------------------------------------------------------------------------------- */

struct nu_tries *nu_tries_of(struct nu_exchange *exchange)
{
    if (exchange->tries)
        return exchange->tries;
    struct nu_tries *tries = nu_arena_calloc(exchange->arena, sizeof(*tries));
    tries->exchange = exchange;
    tries->is_open = true;
    nu_retry_init(&tries->retry, rules_of(exchange), nu_exchange_loop(exchange)->runtime);
    nu_timer_init(&tries->pause, begin_next);
    return exchange->tries = tries;
}

void nu_tries_close(struct nu_tries *tries)
{
    settle(tries);
    tries->is_open = false;
    nu_buf_clear(&tries->body);
}
