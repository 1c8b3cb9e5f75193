/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What statistics cost: nanoseconds to count, bytes and milliseconds for many clusters. A rendering
 * is made in slices of 64 KiB; the longest slice is what other work on the main thread has to wait.
 *
 *     stats_bench [CLUSTERS]
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/thread.h"
#include "stats/cluster_stats.h"
#include "stats/custom.h"
#include "stats/render.h"
#include "stats/stats.h"

enum { COUNTS = 10000000, WORKERS = 4, SLICE = 65536 };

static double elapsed_ms(uint64_t since_us)
{
    return (double)(nu_clock_monotonic_us() - since_us) / 1000;
}

/* --- Counting --- */

static void count_all(struct nu_cluster_traffic_stats *block, unsigned i)
{
    nu_counter_inc(&block->upstream_rq_total);
    nu_gauge_inc(&block->upstream_rq_active);
    nu_codes_inc(&block->upstream_rq, i % 16 ? 200 : 503);
    nu_histogram_record(&block->upstream_rq_time, i % 50);
    nu_gauge_dec(&block->upstream_rq_active);
}

/* As a wasm guest counts. */
static void bench_custom(struct nu_stats *stats)
{
    struct nu_custom_scope *scope = nu_custom_scope_create(stats);
    struct nu_custom_stat *stat = nu_custom_scope_define(scope, NU_CUSTOM_GAUGE, NU_STR("gauge"));
    struct nu_gauge *gauge = nu_custom_stat_gauge(stat);
    uint64_t start = nu_clock_monotonic_us();
    for (unsigned i = 0; i < COUNTS; i++) {
        nu_custom_gauge_add(gauge, 1);
        __asm__ volatile("" ::: "memory");
    }
    printf("a gauge of all threads: %.2f ns\n", elapsed_ms(start) * 1e6 / COUNTS);
    start = nu_clock_monotonic_us();
    for (unsigned i = 0; i < COUNTS / 10; i++)
        nu_custom_stat_counter(nu_custom_scope_define(scope, NU_CUSTOM_COUNTER, NU_STR("counter")));
    printf("defining a custom counter again: %.2f ns\n", elapsed_ms(start) * 1e7 / COUNTS);
    nu_custom_scope_destroy(&scope);
}

static void bench_counting(struct nu_stats *stats)
{
    struct nu_stat_set *set =
        nu_stat_set_create(stats, &nu_cluster_traffic_stats_table, NU_STR("cluster.bench"));
    struct nu_cluster_traffic_stats *block = nu_stat_set_block(set);
    uint64_t start = nu_clock_monotonic_us();
    for (unsigned i = 0; i < COUNTS; i++) {
        nu_counter_inc(&block->upstream_rq_total);
        __asm__ volatile("" ::: "memory");
    }
    printf("a counter: %.2f ns\n", elapsed_ms(start) * 1e6 / COUNTS);
    start = nu_clock_monotonic_us();
    for (unsigned i = 0; i < COUNTS; i++) {
        nu_histogram_record(&block->upstream_rq_time, i % 2500);
        __asm__ volatile("" ::: "memory");
    }
    printf("a histogram: %.2f ns\n", elapsed_ms(start) * 1e6 / COUNTS);
    start = nu_clock_monotonic_us();
    for (unsigned i = 0; i < COUNTS; i++) {
        count_all(block, i);
        __asm__ volatile("" ::: "memory");
    }
    printf("counter, gauge up and down, code, histogram: %.2f ns\n",
           elapsed_ms(start) * 1e6 / COUNTS);
    nu_stat_set_destroy(&set);
}

/* --- Many clusters --- */

static struct nu_stat_set *make_cluster(struct nu_stats *stats, unsigned number)
{
    char prefix[80];
    int len = snprintf(prefix, sizeof(prefix), "cluster.service_%05u", number);
    struct nu_str name = nu_str_make(prefix, (size_t)len);
    nu_stat_set_create(stats, &nu_cluster_lb_stats_table, name);
    struct nu_cluster_membership_stats *membership =
        nu_stat_set_block(nu_stat_set_create(stats, &nu_cluster_membership_stats_table, name));
    nu_gauge_set(&membership->membership_total, 1);
    struct nu_cluster_update_stats *update =
        nu_stat_set_block(nu_stat_set_create(stats, &nu_cluster_update_stats_table, name));
    nu_counter_inc(&update->update_success);
    struct nu_stat_set *traffic = nu_stat_set_create(stats, &nu_cluster_traffic_stats_table, name);
    snprintf(prefix + len, sizeof(prefix) - (size_t)len, ".circuit_breakers.default");
    nu_stat_set_create(stats, &nu_circuit_breaker_stats_table, nu_str_from(prefix));
    snprintf(prefix + len, sizeof(prefix) - (size_t)len, ".circuit_breakers.high");
    nu_stat_set_create(stats, &nu_circuit_breaker_stats_table, nu_str_from(prefix));
    return traffic;
}

/* Every worker sends 20 requests to every cluster. */
static void make_traffic(struct nu_stat_set **sets, unsigned clusters)
{
    for (unsigned worker = 1; worker <= WORKERS; worker++) {
        nu_thread_enter(worker, "bench");
        for (unsigned i = 0; i < clusters; i++) {
            struct nu_cluster_traffic_stats *block = nu_stat_set_block(sets[i]);
            for (unsigned request = 0; request < 20; request++)
                count_all(block, request * 31 + i);
        }
    }
    nu_thread_enter(NU_THREAD_MAIN, "bench");
}

static void bench_render(struct nu_stats *stats, const char *what, struct nu_stats_options options)
{
    struct nu_strbuf out = {0};
    size_t bytes = 0;
    size_t slices = 0;
    double longest = 0;
    uint64_t start = nu_clock_monotonic_us();
    struct nu_stats_render *render = nu_stats_render_create(stats, &options);
    for (bool more = true; more; slices++) {
        nu_strbuf_clear(&out);
        uint64_t slice_start = nu_clock_monotonic_us();
        more = nu_stats_render_next(render, &out, SLICE);
        double slice = elapsed_ms(slice_start);
        longest = slice > longest ? slice : longest;
        bytes += out.len;
    }
    nu_stats_render_destroy(&render);
    nu_strbuf_finish(&out);
    printf("  %-22s %8.1f ms %10zu bytes %6zu slices, the longest %.2f ms\n", what,
           elapsed_ms(start), bytes, slices, longest);
}

static void bench_all_formats(struct nu_stats *stats)
{
    bench_render(stats, "text", (struct nu_stats_options){.format = NU_STATS_TEXT});
    bench_render(stats, "json", (struct nu_stats_options){.format = NU_STATS_JSON});
    bench_render(stats, "prometheus", (struct nu_stats_options){.format = NU_STATS_PROMETHEUS});
    bench_render(stats, "prometheus, used only",
                 (struct nu_stats_options){.format = NU_STATS_PROMETHEUS, .used_only = true});
}

static void bench_flush(struct nu_stats *stats, const char *what)
{
    uint64_t start = nu_clock_monotonic_us();
    nu_stats_flush(stats);
    printf("  flush, %s: %.2f ms\n", what, elapsed_ms(start));
}

static void bench_clusters(struct nu_stats *stats, unsigned clusters)
{
    struct nu_stat_set **sets = calloc(clusters, sizeof(*sets));
    uint64_t start = nu_clock_monotonic_us();
    for (unsigned i = 0; i < clusters; i++)
        sets[i] = make_cluster(stats, i);
    printf("%u idle clusters: made in %.1f ms, %zu bytes each\n", clusters, elapsed_ms(start),
           nu_stats_memory_bytes() / clusters);
    bench_flush(stats, "idle");
    bench_render(stats, "prometheus, first",
                 (struct nu_stats_options){.format = NU_STATS_PROMETHEUS});
    bench_all_formats(stats);
    make_traffic(sets, clusters);
    printf("the same with traffic on %d workers: %zu bytes each\n", WORKERS,
           nu_stats_memory_bytes() / clusters);
    bench_flush(stats, "all changed");
    bench_flush(stats, "none changed");
    bench_all_formats(stats);
    free(sets);
}

int main(int argc, char **argv)
{
    unsigned clusters = argc > 1 ? (unsigned)atoi(argv[1]) : 10000;
    struct nu_stats *stats = nu_stats_create();
    bench_counting(stats);
    bench_custom(stats);
    bench_clusters(stats, clusters ? clusters : 1);
    nu_stats_destroy(&stats);
    return 0;
}
