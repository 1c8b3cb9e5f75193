/* SPDX-License-Identifier: Apache-2.0 */
/* From reports to weights. */
#include "upstream/lb/reported_weights.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "upstream/cluster_manager.h"

struct nu_reported_weights {
    struct nu_cluster_observer observer;
    struct nu_cluster *cluster; /* borrowed: owns this */
    struct nu_loop *loop;       /* borrowed: the main thread's */
    struct nu_reported_settings settings;
    struct nu_timer period;
};

const struct nu_load_metrics *nu_reported_metrics(const struct nu_reported_weights *weights)
{
    return &weights->settings.metrics;
}

void nu_host_report_note(struct nu_host_report *report, uint32_t weight, uint64_t now_us)
{
    uint64_t none = 0;
    atomic_store_explicit(&report->weight, weight, memory_order_relaxed);
    atomic_store_explicit(&report->last_us, now_us, memory_order_relaxed);
    atomic_compare_exchange_strong_explicit(&report->since_us, &none, now_us, memory_order_release,
                                            memory_order_relaxed);
}

/* --- Weights ---------------------------------------------------------------------------------- */

/* Whether the host's weight holds. One whose reports have become too old begins anew. */
static bool find_weight(const struct nu_reported_weights *weights, const struct nu_host *host,
                        uint64_t now_us, uint32_t *weight)
{
    const struct nu_reported_settings *settings = &weights->settings;
    struct nu_host_report *report = nu_host_report(host);
    uint64_t since_us = atomic_load_explicit(&report->since_us, memory_order_acquire);
    if (!since_us || since_us + settings->blackout_ms * 1000 > now_us)
        return false;
    uint64_t last_us = atomic_load_explicit(&report->last_us, memory_order_relaxed);
    if (last_us + settings->expiration_ms * 1000 < now_us) {
        atomic_store_explicit(&report->since_us, 0, memory_order_relaxed);
        return false;
    }
    *weight = atomic_load_explicit(&report->weight, memory_order_relaxed);
    return true;
}

static bool set_weight(struct nu_host *host, uint32_t weight)
{
    uint32_t old = nu_host_weight(host);
    nu_host_set_weight(host, weight);
    return nu_host_weight(host) != old;
}

static int by_value(const void *a_ptr, const void *b_ptr)
{
    uint32_t a = *(const uint32_t *)a_ptr;
    uint32_t b = *(const uint32_t *)b_ptr;
    return a < b ? -1 : a > b;
}

/* Whether a weight of the list changed. */
static bool update_list(const struct nu_reported_weights *weights, const struct nu_host_list *list,
                        uint64_t now_us)
{
    struct nu_host *const *hosts = weights->cluster->hosts->hosts;
    uint32_t *known = nu_alloc((list->count + 1) * sizeof(*known));
    uint32_t *others = nu_alloc((list->count + 1) * sizeof(*others));
    uint32_t known_count = 0, other_count = 0;
    bool changed = false;
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t index = nu_host_list_at(list, i);
        if (find_weight(weights, hosts[index], now_us, &known[known_count]))
            changed |= set_weight(hosts[index], known[known_count++]);
        else
            others[other_count++] = index;
    }
    qsort(known, known_count, sizeof(*known), by_value);
    uint32_t median = known_count ? known[known_count / 2] : 1;
    for (uint32_t i = 0; i < other_count; i++)
        changed |= set_weight(hosts[others[i]], median);
    nu_free(known);
    nu_free(others);
    return changed;
}

static void on_period(struct nu_timer *timer)
{
    struct nu_reported_weights *weights =
        nu_container_of(timer, struct nu_reported_weights, period);
    const struct nu_host_set *set = weights->cluster->hosts;
    uint64_t now_us = nu_loop_now_us(weights->loop);
    bool changed = false;
    for (uint32_t i = 0; i < set->priority_count; i++)
        changed |= update_list(weights, &set->priorities[i].all, now_us);
    if (changed)
        nu_cluster_manager_reweigh(weights->cluster->manager, weights->cluster);
    nu_timer_arm(weights->loop, timer, weights->settings.period_ms);
}

/* --- Life ------------------------------------------------------------------------------------- */

/* The first hosts come when the cluster is taken into use: the periods begin with them. */
static void on_hosts(struct nu_cluster_observer *observer, const struct nu_host_change *change)
{
    struct nu_reported_weights *weights =
        nu_container_of(observer, struct nu_reported_weights, observer);
    for (uint32_t i = 0; i < change->added_count; i++) {
        if (!nu_host_report(change->added[i]))
            atomic_store_explicit(&change->added[i]->report,
                                  nu_calloc(1, sizeof(struct nu_host_report)),
                                  memory_order_release);
    }
    if (!nu_timer_is_armed(&weights->period))
        nu_timer_arm(weights->loop, &weights->period, weights->settings.period_ms);
}

static void destroy(struct nu_cluster_observer *observer)
{
    struct nu_reported_weights *weights =
        nu_container_of(observer, struct nu_reported_weights, observer);
    nu_timer_cancel(&weights->period);
    weights->cluster->reported = NULL;
    nu_free(weights);
}

void nu_reported_weights_create(struct nu_cluster *cluster, struct nu_loop *loop,
                                const struct nu_reported_settings *settings)
{
    struct nu_reported_weights *weights = nu_calloc(1, sizeof(*weights));
    weights->cluster = cluster;
    weights->loop = loop;
    weights->settings = *settings;
    nu_timer_init(&weights->period, on_period);
    weights->observer.on_hosts = on_hosts;
    weights->observer.destroy = destroy;
    nu_cluster_add_observer(cluster, &weights->observer);
    cluster->reported = weights;
}
