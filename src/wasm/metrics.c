/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids of metrics. A filter that defines its metrics for every request, instead of once, is common
 * enough; it must neither fill the memory nor fail one day.
 */
#include "wasm/metrics.h"

#include "base/alloc.h"

void nu_wasm_metrics_finish(struct nu_wasm_metrics *metrics)
{
    for (size_t i = 0; i < NU_CUSTOM_KIND_COUNT; i++)
        nu_free(metrics->of[i].items);
    *metrics = (struct nu_wasm_metrics){0};
}

static uint32_t id_of(uint32_t index, enum nu_custom_kind kind)
{
    return (index + 1) << 2 | (uint32_t)kind;
}

/* This thread's part of the statistic. */
static struct nu_wasm_metric make(struct nu_custom_stat *stat, enum nu_custom_kind kind)
{
    struct nu_wasm_metric metric = {.stat = stat};
    switch (kind) {
    case NU_CUSTOM_COUNTER:
        metric.counter = nu_custom_stat_counter(stat);
        break;
    case NU_CUSTOM_GAUGE:
        metric.gauge = nu_custom_stat_gauge(stat);
        break;
    case NU_CUSTOM_HISTOGRAM:
        metric.histogram = nu_custom_stat_histogram(stat);
        break;
    case NU_CUSTOM_KIND_COUNT:
        break;
    }
    return metric;
}

static void add(struct nu_wasm_metric_list *list, struct nu_wasm_metric metric)
{
    if (list->count == list->cap) {
        list->cap = list->cap * 2 + 4;
        list->items = nu_realloc(list->items, list->cap * sizeof(*list->items));
    }
    list->items[list->count++] = metric;
}

/* The id that a metric was given last. */
static bool find_id(const struct nu_wasm_metric_list *list, enum nu_custom_kind kind,
                    const struct nu_custom_stat *stat, uint32_t *id)
{
    for (uint32_t i = list->count; i-- > 0;) {
        if (list->items[i].stat == stat) {
            *id = id_of(i, kind);
            return true;
        }
    }
    return false;
}

enum nu_wasm_status nu_wasm_metrics_define(struct nu_wasm_metrics *metrics,
                                           struct nu_custom_scope *scope, uint32_t type,
                                           struct nu_str name, uint32_t *id)
{
    enum nu_custom_kind kind = (enum nu_custom_kind)type;
    if (type >= NU_CUSTOM_KIND_COUNT)
        return NU_WASM_BAD_ARGUMENT;
    struct nu_custom_stat *stat = scope ? nu_custom_scope_define(scope, kind, name) : NULL;
    if (!stat)
        return NU_WASM_INTERNAL_FAILURE;
    struct nu_wasm_metric_list *list = &metrics->of[kind];
    if (list->count == NU_WASM_METRIC_IDS_MAX)
        return find_id(list, kind, stat, id) ? NU_WASM_OK : NU_WASM_INTERNAL_FAILURE;
    add(list, make(stat, kind));
    *id = id_of(list->count - 1, kind);
    return NU_WASM_OK;
}
