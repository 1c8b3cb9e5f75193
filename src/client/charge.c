/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What answers add to the cluster's statistics, and what outlier detection is told of hosts.
 * Response codes are charged when the response's head comes, or when a failure stands in its place,
 * as Envoy does.
 */
#include "client/exchange_internal.h"

#include "http/grpc.h"
#include "match/predicate.h"

static struct nu_response_stats *responses_of(const struct nu_exchange *exchange)
{
    return exchange->params.cluster->responses[exchange->params.is_internal];
}

static void charge_response(struct nu_response_stats *stats, uint32_t status)
{
    nu_codes_inc(&stats->upstream_rq, status);
    nu_counter_inc(&stats->upstream_rq_completed);
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
    charge_response(responses, status);
}

/* The host is one, or says so of its answer. */
static bool is_canary(const struct nu_attempt *attempt, const struct nu_headers *answer)
{
    return nu_host_is_canary(attempt->host) ||
           (answer && nu_headers_has_id(answer, NU_HEADER_X_ENVOY_UPSTREAM_CANARY) &&
            nu_str_eq(nu_headers_get_id(answer, NU_HEADER_X_ENVOY_UPSTREAM_CANARY),
                      NU_STR("true")));
}

/* Virtual clusters and routes have answers by status whatever is hidden of the cluster's. */
static void charge_also(const struct nu_exchange_params *params, uint32_t status)
{
    if (params->charging == NU_CHARGE_NOTHING)
        return;
    for (struct nu_route_stats *const *stats = params->also; *stats; stats++) {
        nu_codes_inc(&(*stats)->upstream_rq, status);
        nu_counter_inc(&(*stats)->upstream_rq_completed);
    }
}

static void charge(const struct nu_exchange_params *params, uint32_t status)
{
    charge_cluster(params->cluster, params->is_internal, status, params->charging);
    if (nu_unlikely(params->also != NULL))
        charge_also(params, status);
}

void nu_exchange_charge(struct nu_exchange *exchange, uint32_t status)
{
    charge(&exchange->params, status);
}

void nu_attempt_charge(const struct nu_attempt *attempt, uint32_t status,
                       const struct nu_headers *answer)
{
    const struct nu_exchange_params *params = &attempt->exchange->params;
    struct nu_stat_set *zone = attempt->host->zone_stats; /* from our zone to the host's */
    charge(params, status);
    if (nu_unlikely(params->charging == NU_CHARGE_NOTHING))
        return;
    if (nu_unlikely(is_canary(attempt, answer)))
        charge_response(params->cluster->canary, status);
    if (nu_unlikely(zone != NULL))
        charge_response(nu_stat_set_block(zone), status);
}

void nu_exchange_add_also(const struct nu_exchange *exchange, size_t counter)
{
    for (struct nu_route_stats *const *stats = exchange->params.also; *stats; stats++)
        nu_counter_inc((struct nu_counter *)((char *)*stats + counter));
}

static unsigned grpc_to_http(int64_t status)
{
    bool has_name = status >= 0 && status < NU_GRPC_STATUS_COUNT;
    return has_name ? nu_grpc_status_to_http((enum nu_grpc_status)status) : 500;
}

/* Whether a status is there, and stands for none of HTTP's 5xx. */
static bool is_grpc_success(const struct nu_headers *headers)
{
    int64_t status;
    return headers && nu_grpc_response_status(headers, NULL, 0, &status) &&
           grpc_to_http(status) < 500;
}

static void charge_host(struct nu_exchange *exchange, struct nu_attempt *attempt, uint32_t status,
                        bool ended)
{
    if (nu_likely(!(exchange->flags & NU_EXCHANGE_GRPC)) || status >= 500)
        nu_attempt_charge_host(attempt, status < 500);
    else if (ended)
        nu_attempt_charge_host(attempt, is_grpc_success(&attempt->response_headers));
    else
        attempt->awaits_grpc_status = true;
}

void nu_exchange_charge_answer(struct nu_exchange *exchange, struct nu_attempt *attempt,
                               uint32_t status, bool ended)
{
    nu_attempt_charge(attempt, status, &attempt->response_headers);
    charge_host(exchange, attempt, status, ended);
}

void nu_attempt_charge_end(struct nu_attempt *attempt, const struct nu_headers *trailers)
{
    if (nu_likely(!attempt->awaits_grpc_status))
        return;
    attempt->awaits_grpc_status = false;
    nu_attempt_charge_host(attempt, is_grpc_success(trailers));
}

void nu_exchange_charge_retried(struct nu_exchange *exchange, uint32_t status)
{
    struct nu_response_stats *retried = exchange->params.cluster->retried;
    if (nu_likely(exchange->params.charging != NU_CHARGE_COMPLETED))
        nu_codes_inc(&retried->upstream_rq, status);
    nu_counter_inc(&retried->upstream_rq_completed);
}

void nu_exchange_count_refused(const struct nu_exchange_params *params)
{
    nu_cluster_local_stats(params->cluster); /* makes the blocks */
    charge(params, 503);
}

static void charge_time_also(const struct nu_exchange *exchange, uint64_t ms)
{
    for (struct nu_route_stats *const *stats = exchange->params.also; *stats; stats++)
        nu_histogram_record(&(*stats)->upstream_rq_time, ms);
}

void nu_exchange_charge_time(struct nu_exchange *exchange)
{
    const struct nu_attempt *attempt = exchange->attempt;
    if (!exchange->request_end_us || nu_unlikely(exchange->params.charging == NU_CHARGE_NOTHING))
        return;
    uint64_t ms = (nu_loop_now_us(nu_exchange_loop(exchange)) - exchange->request_end_us) / 1000;
    nu_histogram_record(&exchange->stats->upstream_rq_time, ms);
    nu_histogram_record(&responses_of(exchange)->upstream_rq_time, ms);
    if (nu_unlikely(exchange->params.also != NULL))
        charge_time_also(exchange, ms);
    if (nu_unlikely(is_canary(attempt, &attempt->response_headers)))
        nu_histogram_record(&exchange->params.cluster->canary->upstream_rq_time, ms);
    if (nu_unlikely(attempt->host->zone_stats != NULL)) {
        struct nu_response_stats *zone = nu_stat_set_block(attempt->host->zone_stats);
        nu_histogram_record(&zone->upstream_rq_time, ms);
    }
}

/* --- Outlier detection ------------------------------------------------------------------------ */

/* What an answer counts as where the cluster says which ones are errors: an error keeps a status of
 * 5xx, and what is none has none. */
static uint32_t judge(const struct nu_attempt *attempt, const struct nu_match_predicate *matcher,
                      uint32_t status)
{
    if (!nu_match_predicate_holds(matcher, &attempt->response_headers))
        return 200;
    return status >= 500 ? status : 500;
}

void nu_attempt_report_answer(const struct nu_attempt *attempt, uint32_t status)
{
    const struct nu_exchange *exchange = attempt->exchange;
    const struct nu_match_predicate *matcher =
        exchange->params.cluster->cluster->options.error_matcher;
    int64_t grpc_status;
    if (nu_unlikely(exchange->flags & NU_EXCHANGE_GRPC)) {
        if (nu_grpc_response_status(&attempt->response_headers, NULL, 0, &grpc_status))
            status = grpc_to_http(grpc_status);
    } else if (nu_unlikely(matcher != NULL)) {
        status = judge(attempt, matcher, status);
    }
    nu_attempt_report(attempt, NU_OUTLIER_ANSWERED, status);
}

void nu_attempt_report_timeout(struct nu_attempt *attempt)
{
    if (attempt->is_late)
        return;
    attempt->is_late = true;
    nu_attempt_report(attempt, NU_OUTLIER_TIMED_OUT, attempt->exchange->params.timeout_status);
}
