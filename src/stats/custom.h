/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Custom statistics: single counters, gauges and histograms that are defined while the proxy runs,
 * by whatever name comes: those of wasm guests. Their full names begin with "wasmcustom.", which
 * Prometheus does not show. Tag rules apply to them as to all others.
 *
 * A statistic exists once, by its kind and name, as long as some scope has defined it:
 *
 *     scope = nu_custom_scope_create(stats)                 the main thread
 *     stat = nu_custom_scope_define(scope, kind, name)      any numbered thread
 *     value = nu_custom_stat_counter(stat)                  that thread's part, kept
 *     nu_counter_add(value, 1)                              no lock, no lookup
 *     nu_custom_scope_destroy(&scope)                       main, when nobody counts any more
 *
 * Defining takes a lock and a lookup. A gauge has one value for all threads, whoever sets it; a
 * counter and a histogram have a part for each thread.
 */
#ifndef NU_STATS_CUSTOM_H
#define NU_STATS_CUSTOM_H

#include "stats/stats.h"

#define NU_CUSTOM_NAMESPACE "wasmcustom"

enum nu_custom_kind {
    NU_CUSTOM_COUNTER,
    NU_CUSTOM_GAUGE,
    NU_CUSTOM_HISTOGRAM,
    NU_CUSTOM_KIND_COUNT,
};

enum {
    /* What the statistics of a scope may take, with all that is kept about them, as far as it was
     * not there for another scope's sake. */
    NU_CUSTOM_SCOPE_BYTES_MAX = 32 * 1024 * 1024,
    NU_CUSTOM_NAME_MAX = 16 * 1024,
};

struct nu_custom_scope;
struct nu_custom_stat;

struct nu_custom_scope *nu_custom_scope_create(struct nu_stats *stats);
/* Gives up what it defined, and clears the pointer; NULL inside is allowed. No thread may use any
 * of it any more, or it must be in another scope as well. */
void nu_custom_scope_destroy(struct nu_custom_scope **scope);

/*
 * The statistic "wasmcustom.NAME" of a kind, shown from now on; the same one for the same name.
 * Dots at the end of the name are dropped and control characters become '_'; no name at all is
 * "wasmcustom". NULL if the scope has no room for it, or the name is too long.
 */
struct nu_custom_stat *nu_custom_scope_define(struct nu_custom_scope *scope,
                                              enum nu_custom_kind kind, struct nu_str name);

/* The calling thread's part of a counter. */
struct nu_counter *nu_custom_stat_counter(struct nu_custom_stat *stat);
/* The calling thread's part of a histogram. */
struct nu_histogram *nu_custom_stat_histogram(struct nu_custom_stat *stat);
/* All threads' value of a gauge, only to be changed by the functions below. */
struct nu_gauge *nu_custom_stat_gauge(struct nu_custom_stat *stat);

/* Lets a counter count as used though nothing has been added to it. Any numbered thread. */
void nu_custom_stat_mark(struct nu_custom_stat *stat);

/* A counter's sum over all threads since the last reset. Any numbered thread. */
uint64_t nu_custom_stat_sum(const struct nu_custom_stat *stat);

static inline void nu_custom_gauge_touch(struct nu_gauge *gauge)
{
    if (nu_unlikely(!atomic_load_explicit(&gauge->touched, memory_order_relaxed)))
        atomic_store_explicit(&gauge->touched, 1, memory_order_relaxed);
}

static inline void nu_custom_gauge_set(struct nu_gauge *gauge, int64_t value)
{
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
    nu_custom_gauge_touch(gauge);
}

/* As in Envoy a gauge is a number of 64 bits without a sign: below 0 it goes round; and it is not
 * used by being made smaller. */
static inline void nu_custom_gauge_add(struct nu_gauge *gauge, int64_t n)
{
    atomic_fetch_add_explicit(&gauge->value, n, memory_order_relaxed);
    if (n > 0)
        nu_custom_gauge_touch(gauge);
}

#endif
