/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Circuit breakers: how many connections, pending requests, requests, retries and connection pools
 * a cluster may have at once, per priority. The counts are the process's, shared by all workers
 * through relaxed atomics on cache lines of their own; like Envoy's they are approximate under
 * contention, since looking and counting are two steps.
 */
#ifndef NU_UPSTREAM_BREAKER_H
#define NU_UPSTREAM_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/compiler.h"

enum nu_priority {
    NU_PRIORITY_DEFAULT,
    NU_PRIORITY_HIGH,
    NU_PRIORITY_COUNT,
};

enum nu_breaker_kind {
    NU_BREAKER_CONNECTIONS,
    NU_BREAKER_PENDING,
    NU_BREAKER_REQUESTS,
    NU_BREAKER_RETRIES,
    NU_BREAKER_POOLS,
    NU_BREAKER_KIND_COUNT,
};

struct nu_breaker {
    _Alignas(64) _Atomic uint32_t current;
    _Atomic uint32_t max;    /* the runtime's word, else as configured; the main thread writes it */
    uint32_t configured_max; /* constant */
    atomic_bool is_open; /* as its gauge says; one without room stays so once used, as Envoy's */
};

/* Retries as a share of the requests at work, in place of a fixed limit. */
struct nu_retry_budget {
    bool is_set;
    uint32_t min_concurrency; /* so many are always allowed */
    double percent;           /* of the requests that are at work or wait */
};

/* The one that counts; the main thread writes it, by the runtime. */
struct nu_present_budget {
    atomic_bool is_set;
    _Atomic uint32_t min_concurrency;
    _Atomic double percent;
};

struct nu_breakers {
    struct nu_breaker of[NU_BREAKER_KIND_COUNT];
    struct nu_retry_budget configured_budget; /* constant */
    struct nu_present_budget budget;
    uint32_t max_host_connections; /* of one host; constant */
    atomic_bool budget_used;       /* remaining_retries means nothing any more: it is 0 */
};

/* Without per_host_thresholds. */
enum { NU_HOST_CONNECTIONS_MAX = 1 << 30 };

static inline uint32_t nu_breaker_max(const struct nu_breaker *breaker)
{
    return atomic_load_explicit(&breaker->max, memory_order_relaxed);
}

/* Whether as many as are allowed are counted, or more. */
static inline bool nu_breaker_is_full(const struct nu_breaker *breaker)
{
    return atomic_load_explicit(&breaker->current, memory_order_relaxed) >= nu_breaker_max(breaker);
}

static inline bool nu_breakers_have_budget(const struct nu_breakers *breakers)
{
    return atomic_load_explicit(&breakers->budget.is_set, memory_order_relaxed);
}

/* Whether one more is allowed. Any thread. */
static inline bool nu_breaker_allows(const struct nu_breaker *breaker)
{
    return !nu_breaker_is_full(breaker);
}

/* How many retries may be at work now. Any thread. */
static inline uint64_t nu_breakers_max_retries(const struct nu_breakers *breakers)
{
    const struct nu_present_budget *budget = &breakers->budget;
    const struct nu_breaker *of = breakers->of;
    if (nu_likely(!nu_breakers_have_budget(breakers)))
        return nu_breaker_max(&of[NU_BREAKER_RETRIES]);
    double percent = atomic_load_explicit(&budget->percent, memory_order_relaxed);
    uint32_t min = atomic_load_explicit(&budget->min_concurrency, memory_order_relaxed);
    uint64_t active =
        (uint64_t)atomic_load_explicit(&of[NU_BREAKER_REQUESTS].current, memory_order_relaxed) +
        atomic_load_explicit(&of[NU_BREAKER_PENDING].current, memory_order_relaxed);
    uint64_t max = (uint64_t)(percent / 100.0 * (double)active);
    return max > min ? max : min;
}

/* Counts one more, or one less; both return the count before. */
static inline uint32_t nu_breaker_add(struct nu_breaker *breaker)
{
    return atomic_fetch_add_explicit(&breaker->current, 1, memory_order_relaxed);
}

static inline uint32_t nu_breaker_sub(struct nu_breaker *breaker)
{
    return atomic_fetch_sub_explicit(&breaker->current, 1, memory_order_relaxed);
}

#endif
