/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-linear histograms with Envoy's bins: two significant decimal digits, so 0, 1 .. 9, 10 .. 99,
 * 100-109, 110-119 .. 990-999, 1000-1099 and so on. A thread counts into a table of its own, which
 * holds only the bins that were ever hit; the main thread merges the tables of all threads into a
 * snapshot now and then (nu_stats_flush) and computes quantiles from that.
 *
 * Samples are whole numbers: milliseconds, bytes or counts. Envoy keeps 1 .. 9 in bins that are a
 * tenth wide ([1, 1.1)) and the others in bins of one unit of their second digit ([10, 11),
 * [110, 120)); interpolated quantiles follow from these widths.
 */
#ifndef NU_STATS_HISTOGRAM_H
#define NU_STATS_HISTOGRAM_H

#include <stdatomic.h>

#include "base/str.h"

/* One thread's counts: a hash table of bins. The keys (bin + 1, 0 is free) stand behind the
 * counts. */
struct nu_histogram_table {
    struct nu_histogram_table *older; /* smaller tables a reader may still be looking at; owned */
    uint32_t mask;
    uint32_t used;
    _Atomic uint64_t total;
    _Atomic uint64_t counts[];
};

struct nu_histogram {
    _Atomic(struct nu_histogram_table *)
        table; /* NULL before the first sample; owned by the block */
};

enum {
    NU_HISTOGRAM_LINEAR = 100, /* bins 0 to 99 are the numbers themselves */
    /* and 90 more for each power of ten from 10^2 to 10^19 */
    NU_HISTOGRAM_BINS = NU_HISTOGRAM_LINEAR + 18 * 90,
};

/* The bin of a number. */
static inline unsigned nu_histogram_bin(uint64_t value)
{
    if (value < NU_HISTOGRAM_LINEAR)
        return (unsigned)value;
    unsigned bits = 64 - (unsigned)__builtin_clzll(value);
    unsigned exponent = bits * 1233 >> 12; /* log10(2) is 1233/4096: right, or one too large */
    exponent -= value < nu_powers_of_ten[exponent];
    uint64_t two_digits = value / nu_powers_of_ten[exponent - 1];
    return (exponent - 1) * 90 + (unsigned)two_digits;
}

static inline _Atomic uint16_t *nu_histogram_keys(struct nu_histogram_table *table)
{
    return (_Atomic uint16_t *)(void *)(table->counts + table->mask + 1);
}

void nu_histogram_record_slow(struct nu_histogram *histogram, unsigned bin);

/* Adds a sample. Only the thread whose block holds the histogram. */
static inline void nu_histogram_record(struct nu_histogram *histogram, uint64_t value)
{
    unsigned bin = nu_histogram_bin(value);
    struct nu_histogram_table *table =
        atomic_load_explicit(&histogram->table, memory_order_relaxed);
    if (nu_likely(table != NULL)) {
        unsigned slot = bin & table->mask;
        uint16_t key = atomic_load_explicit(&nu_histogram_keys(table)[slot], memory_order_relaxed);
        if (nu_likely(key == bin + 1)) {
            uint64_t count = atomic_load_explicit(&table->counts[slot], memory_order_relaxed);
            atomic_store_explicit(&table->counts[slot], count + 1, memory_order_relaxed);
            uint64_t total = atomic_load_explicit(&table->total, memory_order_relaxed);
            atomic_store_explicit(&table->total, total + 1, memory_order_relaxed);
            return;
        }
    }
    nu_histogram_record_slow(histogram, bin);
}

/* --- Reading: the main thread --- */

struct nu_histogram_bucket {
    uint64_t count; /* never 0 */
    uint16_t bin;
};

/* Merged counts at one moment: the bins that were hit, in ascending order. */
struct nu_histogram_snapshot {
    uint64_t count; /* of all samples */
    uint32_t bucket_count;
    struct nu_histogram_bucket buckets[];
};

/* Lower bound and width of a bin, with the rounding that Envoy's figures have. */
double nu_histogram_bin_start(unsigned bin);
double nu_histogram_bin_width(unsigned bin);

/*
 * Interpolated quantiles, `quantiles` ascending within 0 to 1; not-a-number for all when there are
 * no samples. `snapshot` may be NULL, here and below, and then has none.
 */
void nu_histogram_quantiles(const struct nu_histogram_snapshot *snapshot, const double *quantiles,
                            size_t count, double *out);
/* The sum of all samples, taking each for the middle of its bin. */
double nu_histogram_sum(const struct nu_histogram_snapshot *snapshot);
uint64_t nu_histogram_count(const struct nu_histogram_snapshot *snapshot);
/* For each of the ascending `bounds`, how many samples lie in bins that start below it. */
void nu_histogram_counts_below(const struct nu_histogram_snapshot *snapshot, const double *bounds,
                               size_t count, uint64_t *out);

/* What Envoy reports: P0 P25 P50 P75 P90 P95 P99 P99.5 P99.9 P100, and its default bucket
 * bounds. */
enum { NU_HISTOGRAM_QUANTILES = 10, NU_HISTOGRAM_BOUNDS = 19 };
extern const double nu_histogram_quantile_list[NU_HISTOGRAM_QUANTILES];
extern const double nu_histogram_bound_list[NU_HISTOGRAM_BOUNDS];

#endif
