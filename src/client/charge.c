/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What answers add to the cluster's statistics. Response codes are charged when the response's head
 * comes, or when a failure stands in its place, as Envoy does.
 */
#include "client/exchange_internal.h"

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

static bool is_canary(const struct nu_headers *headers)
{
    return nu_headers_has_id(headers, NU_HEADER_X_ENVOY_UPSTREAM_CANARY) &&
           nu_str_eq(nu_headers_get_id(headers, NU_HEADER_X_ENVOY_UPSTREAM_CANARY), NU_STR("true"));
}

static void charge_canary(const struct nu_exchange *exchange, uint32_t status)
{
    struct nu_response_stats *canary = exchange->params.cluster->canary;
    if (exchange->params.charging == NU_CHARGE_NOTHING)
        return;
    nu_codes_inc(&canary->upstream_rq, status);
    nu_counter_inc(&canary->upstream_rq_completed);
}

void nu_exchange_charge(struct nu_exchange *exchange, uint32_t status)
{
    const struct nu_exchange_params *params = &exchange->params;
    charge_cluster(params->cluster, params->is_internal, status, params->charging);
}

void nu_exchange_charge_answer(struct nu_exchange *exchange, const struct nu_attempt *attempt,
                               uint32_t status)
{
    nu_exchange_charge(exchange, status);
    if (nu_unlikely(is_canary(&attempt->response_headers)))
        charge_canary(exchange, status);
    nu_attempt_charge_host(attempt, status < 500);
}

void nu_exchange_charge_retried(struct nu_exchange *exchange, uint32_t status)
{
    struct nu_response_stats *retried = exchange->params.cluster->retried;
    if (nu_likely(exchange->params.charging != NU_CHARGE_COMPLETED))
        nu_codes_inc(&retried->upstream_rq, status);
    nu_counter_inc(&retried->upstream_rq_completed);
}

void nu_exchange_count_refused(struct nu_cluster_local *cluster, bool is_internal,
                               enum nu_charging charging)
{
    nu_cluster_local_stats(cluster); /* makes the blocks */
    charge_cluster(cluster, is_internal, 503, charging);
}

void nu_exchange_charge_time(struct nu_exchange *exchange)
{
    if (!exchange->request_end_us || nu_unlikely(exchange->params.charging == NU_CHARGE_NOTHING))
        return;
    uint64_t ms = (nu_loop_now_us(nu_exchange_loop(exchange)) - exchange->request_end_us) / 1000;
    nu_histogram_record(&exchange->stats->upstream_rq_time, ms);
    nu_histogram_record(&responses_of(exchange)->upstream_rq_time, ms);
}
