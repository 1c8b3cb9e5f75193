/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM's metrics: the ids under which a guest knows custom statistics (stats/custom.h). An id's two
 * lowest bits are the metric's type, as in Envoy: counters are 4, 8, 12, gauges 5, 9, histograms 6,
 * 10. Belongs to the VM's thread, where it is made and ended.
 */
#ifndef NU_WASM_METRICS_H
#define NU_WASM_METRICS_H

#include "stats/custom.h"
#include "wasm/abi.h"

enum { NU_WASM_METRIC_IDS_MAX = 16 * 1024 }; /* of a type */

struct nu_wasm_metric {
    struct nu_custom_stat *stat;
    union {
        struct nu_counter *counter;
        struct nu_gauge *gauge;
        struct nu_histogram *histogram;
    };
};

struct nu_wasm_metric_list {
    struct nu_wasm_metric *items; /* owned; an item's index + 1 is its id's upper bits */
    uint32_t count;
    uint32_t cap;
};

/* Zeroed memory is one without metrics. */
struct nu_wasm_metrics {
    struct nu_wasm_metric_list of[NU_CUSTOM_KIND_COUNT];
};

void nu_wasm_metrics_finish(struct nu_wasm_metrics *metrics);

/*
 * Defines a metric. Who defines one again gets a new id, as in Envoy, but not without end: then it
 * is one that the metric has already. NU_WASM_INTERNAL_FAILURE where there is no room; NU_WASM_BAD_
 * ARGUMENT for a type that there is not.
 */
enum nu_wasm_status nu_wasm_metrics_define(struct nu_wasm_metrics *metrics,
                                           struct nu_custom_scope *scope, uint32_t type,
                                           struct nu_str name, uint32_t *id);
/* The metric with this id, or NULL. */
static inline struct nu_wasm_metric *nu_wasm_metrics_find(const struct nu_wasm_metrics *metrics,
                                                          uint32_t id)
{
    if ((id & 3) == 3)
        return NULL;
    const struct nu_wasm_metric_list *list = &metrics->of[id & 3];
    uint32_t index = (id >> 2) - 1;
    return index < list->count ? &list->items[index] : NULL;
}

#endif
