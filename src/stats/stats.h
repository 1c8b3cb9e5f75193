/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry of all statistics. It holds sets: a set is one table of statistics (stats/table.h)
 * under one prefix, for instance the traffic figures of one cluster. A set is small and stores no
 * names; full names are "prefix.name", put together when somebody asks. What a thread counts is in
 * its block of the set, which exists only once the thread asked for it:
 *
 *     set = nu_stat_set_create(stats, &nu_dns_stats_table, NU_STR("dns.cares"));
 *     struct nu_dns_stats *block = nu_stat_set_block(set);       once per thread, kept
 *     nu_counter_inc(&block->resolve_total);                     no lookup, no lock, no call
 *
 * Threads: the registry and its sets belong to the main thread, which creates, destroys, renders,
 * flushes and resets. Any numbered thread (base/thread.h) may call nu_stat_set_block and then
 * counts into its own block; blocks never move and live as long as their set.
 *
 * Names: prefixes are used as given; what comes from a configuration passes nu_stats_sanitize where
 * Envoy does so (clusters, listeners; not the stat_prefix of an HTTP connection manager).
 */
#ifndef NU_STATS_STATS_H
#define NU_STATS_STATS_H

#include "base/str.h"
#include "stats/table.h"

struct nu_stats;
struct nu_stat_set;
struct nu_stat_tags_config;

/* --- The registry --- */

struct nu_stats *nu_stats_create(void);
/* Destroys the registry and every set left in it; no thread may count any more. NULL is allowed. */
void nu_stats_destroy(struct nu_stats **stats);

/*
 * Sets how tags are taken out of names (stats/tags.h) for Prometheus; Envoy's defaults hold before.
 * Not while a Prometheus rendering is under way: this belongs to the start of the server. A rule
 * that cannot be used leaves all as it was, adds its reason to `error` and gives NU_INVALID.
 */
NU_MUST_USE enum nu_result nu_stats_set_tags(struct nu_stats *stats,
                                             const struct nu_stat_tags_config *config,
                                             struct nu_strbuf *error);

/*
 * Closes a flush interval: merges what all threads recorded in histograms. Renderings show
 * histograms as of the last flush, and their "interval" is what came between the last two.
 */
void nu_stats_flush(struct nu_stats *stats);
/* Lets all counters start again from 0; they still count as used. Histograms and gauges stay. */
void nu_stats_reset_counters(struct nu_stats *stats);

/*
 * Looks up a counter or gauge by its full name; false when there is none that would be shown. Slow,
 * for tests and for the few places that know nothing but a name.
 */
bool nu_stats_value(const struct nu_stats *stats, struct nu_str name, uint64_t *value);

/* Heap bytes that all sets and blocks of the process hold. Any thread. */
size_t nu_stats_memory_bytes(void);

/*
 * Appends `name` as Envoy makes it part of a stat's name: ':' becomes '_', as do "://" and ":/" as
 * a whole; dots at the end are dropped.
 */
void nu_stats_sanitize(struct nu_strbuf *out, struct nu_str name);

/* --- Sets --- */

/*
 * The set of `table` under `prefix` (copied; empty for none). Asking again for the same table and
 * prefix gives the same set, as in Envoy two listeners with one stat_prefix count together; every
 * call is matched by one nu_stat_set_destroy.
 */
struct nu_stat_set *nu_stat_set_create(struct nu_stats *stats, const struct nu_stat_table *table,
                                       struct nu_str prefix);
/*
 * A set of its own that is never rendered: figures shown elsewhere, such as those of a host.
 * Counters and gauges only. Destroy it before the registry.
 */
struct nu_stat_set *nu_stat_set_create_private(struct nu_stats *stats,
                                               const struct nu_stat_table *table);
/* The same as `model`, a private set that lives longer, from any thread; the main thread adopts it
 * before it is shown. */
struct nu_stat_set *nu_stat_set_create_like(const struct nu_stat_set *model);
void nu_stat_set_adopt(struct nu_stat_set *set);
/*
 * Gives back one create. The last one frees the set and its blocks: the caller has made sure that
 * no worker uses a block of it any more (each worker dropped its copy and said so by a message).
 * Clears the pointer; NULL inside is allowed.
 */
void nu_stat_set_destroy(struct nu_stat_set **set);

/*
 * The calling thread's block: the table's struct, zeroed at first. Takes a short search and on
 * first use an allocation, so keep the pointer; get it when something is about to happen (the first
 * connection), not before, for an unused block is memory.
 */
void *nu_stat_set_block(struct nu_stat_set *set);

/* The sum over all threads of the counter at `offset` of the block, since the last reset. */
uint64_t nu_stat_set_counter(const struct nu_stat_set *set, size_t offset);
/* The same for a gauge. */
uint64_t nu_stat_set_gauge(const struct nu_stat_set *set, size_t offset);

#endif
