/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What track_cluster_stats asks for: how much of their timeouts requests and tries take, and the
 * sizes of messages. What is recorded, and when, is Envoy's. A metered attempt has decoder
 * operations in front of its own, so that others pay nothing for it.
 */
#include "client/exchange_internal.h"

static struct nu_attempt *attempt_of(struct nu_stream_decoder *decoder)
{
    return nu_container_of(decoder, struct nu_attempt, decoder);
}

/* Names and values, as Envoy measures a head. */
static uint64_t count_bytes(const struct nu_headers *headers)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < headers->used; i++) {
        if (headers->entries[i].name.ptr)
            bytes += headers->entries[i].name.len + headers->entries[i].value.len;
    }
    return bytes;
}

static uint64_t count_fields(const struct nu_headers *headers)
{
    return headers->used - headers->holes;
}

/* --- The response ----------------------------------------------------------------------------- */

static void measure_head(struct nu_attempt_meter *meter, const struct nu_headers *headers)
{
    meter->has_head = true;
    meter->head_bytes += count_bytes(headers);
    meter->head_fields += count_fields(headers);
}

static void on_headers(struct nu_stream_decoder *decoder, bool ended)
{
    struct nu_attempt_meter *meter = attempt_of(decoder)->meter;
    measure_head(meter, decoder->headers);
    meter->next->on_headers(decoder, ended);
}

static void on_1xx(struct nu_stream_decoder *decoder, struct nu_headers *headers)
{
    struct nu_attempt_meter *meter = attempt_of(decoder)->meter;
    measure_head(meter, headers);
    meter->next->on_1xx(decoder, headers);
}

static void on_data(struct nu_stream_decoder *decoder, struct nu_buf *data, bool ended)
{
    struct nu_attempt_meter *meter = attempt_of(decoder)->meter;
    meter->received += data->len;
    meter->next->on_data(decoder, data, ended);
}

void nu_attempt_start_meter(struct nu_attempt *attempt)
{
    const struct nu_attempt_meter *old = attempt->meter;
    struct nu_exchange *exchange = attempt->exchange;
    struct nu_attempt_meter *meter = nu_arena_alloc(exchange->arena, sizeof(*meter));
    *meter = (struct nu_attempt_meter){
        .next = old ? old->next : attempt->decoder.ops,
        .start_us = nu_loop_now_us(nu_exchange_loop(exchange)),
    };
    meter->ops = *meter->next;
    meter->ops.on_headers = on_headers;
    meter->ops.on_1xx = on_1xx;
    meter->ops.on_data = on_data;
    attempt->meter = meter;
    attempt->decoder.ops = &meter->ops;
}

/* --- Recording -------------------------------------------------------------------------------- */

static uint64_t ms_since(const struct nu_exchange *exchange, uint64_t start_us)
{
    return (nu_loop_now_us(nu_exchange_loop(exchange)) - start_us) / 1000;
}

/* Of a timeout that is endless nothing is ever used. */
static uint64_t percent_of(uint64_t ms, uint64_t timeout_ms)
{
    return timeout_ms ? ms * 100 / timeout_ms : 0;
}

static void record_budget(const struct nu_attempt *attempt)
{
    const struct nu_exchange *exchange = attempt->exchange;
    const struct nu_retry_rules *rules = exchange->params.retry;
    struct nu_stat_set *set = exchange->params.cluster->cluster->sets.budgets;
    if (!set || attempt->meter->hides_time)
        return;
    struct nu_timeout_budget_stats *stats = nu_stat_set_block(set);
    nu_histogram_record(&stats->upstream_rq_timeout_budget_per_try_percent_used,
                        percent_of(ms_since(exchange, attempt->meter->start_us),
                                   rules ? rules->per_try_timeout_ms : 0));
}

static void record_sizes(const struct nu_attempt *attempt)
{
    const struct nu_exchange *exchange = attempt->exchange;
    const struct nu_attempt_meter *meter = attempt->meter;
    struct nu_stat_set *set = exchange->params.cluster->cluster->sets.sizes;
    if (!set)
        return;
    struct nu_message_size_stats *stats = nu_stat_set_block(set);
    nu_histogram_record(&stats->upstream_rq_headers_size, count_bytes(exchange->request_headers));
    nu_histogram_record(&stats->upstream_rq_headers_count, count_fields(exchange->request_headers));
    nu_histogram_record(&stats->upstream_rq_body_size, meter->sent);
    if (!meter->has_head)
        return;
    nu_histogram_record(&stats->upstream_rs_headers_size, meter->head_bytes);
    nu_histogram_record(&stats->upstream_rs_headers_count, meter->head_fields);
    nu_histogram_record(&stats->upstream_rs_body_size, meter->received);
}

void nu_attempt_record_meter(struct nu_attempt *attempt)
{
    if (attempt->meter->is_over)
        return;
    attempt->meter->is_over = true;
    record_budget(attempt);
    record_sizes(attempt);
}

void nu_exchange_meter_time(const struct nu_exchange *exchange)
{
    struct nu_stat_set *set = exchange->params.cluster->cluster->sets.budgets;
    if (!set || !exchange->request_end_us)
        return;
    struct nu_timeout_budget_stats *stats = nu_stat_set_block(set);
    nu_histogram_record(
        &stats->upstream_rq_timeout_budget_percent_used,
        percent_of(ms_since(exchange, exchange->request_end_us), exchange->params.timeout_ms));
}

void nu_exchange_meter_failure(const struct nu_exchange *exchange,
                               enum nu_exchange_failure_kind kind)
{
    if (kind == NU_EXCHANGE_TIMEOUT || kind == NU_EXCHANGE_TRY_TIMEOUT ||
        kind == NU_EXCHANGE_TRY_IDLE)
        nu_exchange_meter_time(exchange);
}
