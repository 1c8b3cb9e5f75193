/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime's limits. Envoy asks the runtime whenever it looks at a limit; here the main thread
 * looks once for each snapshot, so that a request pays nothing for it.
 */
#include "upstream/hosts/breaker_runtime.h"

#include "runtime/runtime.h"

static const char *const priorities[NU_PRIORITY_COUNT] = {"default", "high"};

static const char *const kinds[NU_BREAKER_KIND_COUNT] = {
    [NU_BREAKER_CONNECTIONS] = "max_connections", [NU_BREAKER_PENDING] = "max_pending_requests",
    [NU_BREAKER_REQUESTS] = "max_requests",       [NU_BREAKER_RETRIES] = "max_retries",
    [NU_BREAKER_POOLS] = "max_connection_pools",
};

/* The keys of one priority have their beginning in common. */
struct keys {
    const struct nu_runtime *runtime;
    struct nu_strbuf text;
    size_t prefix;
};

/* Without keys in the runtime none is put together. */
static struct nu_str key(struct keys *keys, const char *name)
{
    if (!keys->prefix)
        return nu_str_make(NULL, 0);
    keys->text.len = keys->prefix;
    nu_strbuf_add_cstr(&keys->text, name);
    return nu_strbuf_str(&keys->text);
}

static uint32_t limit_of(struct keys *keys, const char *name, uint32_t configured)
{
    uint64_t value = nu_runtime_integer(keys->runtime, key(keys, name), configured);
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static struct nu_gauge *remaining_gauge(struct nu_circuit_breaker_remaining_stats *stats,
                                        enum nu_breaker_kind kind)
{
    switch (kind) {
    case NU_BREAKER_CONNECTIONS:
        return &stats->remaining_cx;
    case NU_BREAKER_PENDING:
        return &stats->remaining_pending;
    case NU_BREAKER_REQUESTS:
        return &stats->remaining_rq;
    case NU_BREAKER_RETRIES:
        return &stats->remaining_retries;
    case NU_BREAKER_POOLS:
    case NU_BREAKER_KIND_COUNT:
        break;
    }
    return &stats->remaining_cx_pools;
}

static int64_t room(uint32_t max, uint32_t current)
{
    return max > current ? max - current : 0;
}

static void set_max(struct nu_cluster *cluster, enum nu_priority priority,
                    enum nu_breaker_kind kind, uint32_t max)
{
    struct nu_breaker *breaker = &cluster->breakers[priority].of[kind];
    struct nu_stat_set *set = cluster->sets.remaining[priority];
    uint32_t current = atomic_load_explicit(&breaker->current, memory_order_relaxed);
    uint32_t before = atomic_exchange_explicit(&breaker->max, max, memory_order_relaxed);
    bool is_shown = kind != NU_BREAKER_RETRIES || !cluster->breakers[priority].budget_used;
    if (set && max != before && is_shown)
        nu_gauge_add(remaining_gauge(nu_stat_set_block(set), kind),
                     room(max, current) - room(before, current));
}

/* The runtime may hold nonsense: what is below nothing would count as without end. */
static double budget_percent(double percent)
{
    const double most = 1e9;
    if (!(percent > 0))
        return 0;
    return percent < most ? percent : most;
}

static void set_budget(struct nu_cluster *cluster, enum nu_priority priority, struct keys *keys)
{
    struct nu_breakers *breakers = &cluster->breakers[priority];
    const struct nu_retry_budget *configured = &breakers->configured_budget;
    const double no_percent = -1;
    const uint64_t no_number = UINT64_MAX;
    double percent =
        nu_runtime_double(keys->runtime, key(keys, "retry_budget.budget_percent"), no_percent);
    uint64_t min = nu_runtime_integer(keys->runtime,
                                      key(keys, "retry_budget.min_retry_concurrency"), no_number);
    bool is_set = configured->is_set || percent != no_percent || min != no_number;
    atomic_store_explicit(&breakers->budget.percent,
                          budget_percent(percent != no_percent ? percent : configured->percent),
                          memory_order_relaxed);
    atomic_store_explicit(&breakers->budget.min_concurrency,
                          min < UINT32_MAX ? (uint32_t)min : configured->min_concurrency,
                          memory_order_relaxed);
    atomic_store_explicit(&breakers->budget.is_set, is_set, memory_order_relaxed);
}

void nu_breakers_apply_runtime(struct nu_cluster *cluster, enum nu_priority priority,
                               const struct nu_runtime *runtime)
{
    struct keys keys = {.runtime = runtime};
    if (runtime && nu_runtime_key_count(runtime))
        nu_strbuf_addf(&keys.text, "circuit_breakers.%.*s.%s.", NU_STR_ARG(cluster->name),
                       priorities[priority]);
    keys.prefix = keys.text.len;
    for (int kind = 0; kind < NU_BREAKER_KIND_COUNT; kind++) {
        uint32_t configured = cluster->breakers[priority].of[kind].configured_max;
        set_max(cluster, priority, (enum nu_breaker_kind)kind,
                limit_of(&keys, kinds[kind], configured));
    }
    set_budget(cluster, priority, &keys);
    nu_strbuf_finish(&keys.text);
}
