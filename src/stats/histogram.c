/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histograms: the growing hash table a thread counts in, merging of tables, and the arithmetic of
 * quantiles, which repeats Envoy's to the last bit (the tests compare with recorded answers).
 */
#include "stats/histogram.h"

#include <math.h>
#include <string.h>

#include "stats/histogram_internal.h"
#include "stats/memory_internal.h"
#include "stats/value_internal.h"

const double nu_histogram_quantile_list[NU_HISTOGRAM_QUANTILES] = {
    0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1,
};

const double nu_histogram_bound_list[NU_HISTOGRAM_BOUNDS] = {
    0.5,  1,    5,     10,    25,    50,     100,    250,     500,     1000,
    2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
};

/* --- One thread's table --- */

enum { FIRST_SLOTS = 8, MAX_SLOTS = 2048 };

static size_t table_bytes(size_t slots)
{
    return sizeof(struct nu_histogram_table) + slots * (sizeof(uint64_t) + sizeof(uint16_t));
}

static struct nu_histogram_table *table_create(uint32_t slots)
{
    struct nu_histogram_table *table = nu_stat_alloc(table_bytes(slots));
    table->mask = slots - 1;
    return table;
}

static uint16_t key_at(struct nu_histogram_table *table, uint32_t slot, memory_order order)
{
    return atomic_load_explicit(&nu_histogram_keys(table)[slot], order);
}

/* The slot of `bin`, or the free one where it belongs. */
static uint32_t find_slot(struct nu_histogram_table *table, unsigned bin)
{
    uint32_t slot = bin & table->mask;
    for (;;) {
        uint16_t key = key_at(table, slot, memory_order_relaxed);
        if (key == 0 || key == bin + 1)
            return slot;
        slot = (slot + 1) & table->mask;
    }
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
    uint64_t value = atomic_load_explicit(to, memory_order_relaxed);
    atomic_store_explicit(to, value + n, memory_order_relaxed);
}

/* A key is stored after its count and with release order: a reader that sees it may use the
 * slot. */
static void table_add(struct nu_histogram_table *table, unsigned bin, uint64_t n)
{
    uint32_t slot = find_slot(table, bin);
    add(&table->counts[slot], n);
    add(&table->total, n);
    if (key_at(table, slot, memory_order_relaxed) == 0) {
        table->used++;
        atomic_store_explicit(&nu_histogram_keys(table)[slot], (uint16_t)(bin + 1),
                              memory_order_release);
    }
}

/* The old table is kept, as a reader may be in it; all old ones together are smaller than the
 * new. */
static struct nu_histogram_table *table_grow(struct nu_histogram_table *old)
{
    struct nu_histogram_table *table = table_create((old->mask + 1) * 2);
    table->older = old;
    for (uint32_t slot = 0; slot <= old->mask; slot++) {
        uint16_t key = key_at(old, slot, memory_order_relaxed);
        if (key)
            table_add(table, key - 1u, atomic_load(&old->counts[slot]));
    }
    return table;
}

/* A sample whose bin stands in another slot than its own. */
static bool add_to_present(struct nu_histogram_table *table, unsigned bin)
{
    uint32_t slot = find_slot(table, bin);
    if (key_at(table, slot, memory_order_relaxed) == 0)
        return false;
    add(&table->counts[slot], 1);
    add(&table->total, 1);
    return true;
}

void nu_histogram_record_slow(struct nu_histogram *histogram, unsigned bin)
{
    struct nu_histogram_table *table =
        atomic_load_explicit(&histogram->table, memory_order_relaxed);
    struct nu_histogram_table *before = table;
    if (nu_likely(table != NULL) && add_to_present(table, bin))
        return;
    if (!table)
        table = table_create(FIRST_SLOTS);
    else if (table->used * 4 >= (table->mask + 1) * 3 && table->mask + 1 < MAX_SLOTS)
        table = table_grow(table);
    table_add(table, bin, 1);
    if (table != before)
        atomic_store_explicit(&histogram->table, table, memory_order_release);
}

void nu_histogram_finish(struct nu_histogram *histogram)
{
    struct nu_histogram_table *table = histogram->table;
    while (table) {
        struct nu_histogram_table *older = table->older;
        nu_stat_free(table, table_bytes(table->mask + 1));
        table = older;
    }
    histogram->table = NULL;
}

/* --- Merging --- */

uint64_t nu_histogram_total(const struct nu_histogram *histogram)
{
    struct nu_histogram_table *table =
        atomic_load_explicit(&histogram->table, memory_order_acquire);
    return table ? atomic_load_explicit(&table->total, memory_order_relaxed) : 0;
}

static void bins_add(struct nu_histogram_bins *bins, unsigned bin, uint64_t count)
{
    if (bins->end == 0 || bin < bins->first)
        bins->first = bin;
    if (bin >= bins->end)
        bins->end = bin + 1;
    bins->counts[bin] += count;
}

void nu_histogram_merge(const struct nu_histogram *histogram, struct nu_histogram_bins *bins)
{
    struct nu_histogram_table *table =
        atomic_load_explicit(&histogram->table, memory_order_acquire);
    if (!table)
        return;
    for (uint32_t slot = 0; slot <= table->mask; slot++) {
        uint16_t key = key_at(table, slot, memory_order_acquire);
        if (key)
            bins_add(bins, key - 1u,
                     atomic_load_explicit(&table->counts[slot], memory_order_relaxed));
    }
}

void nu_histogram_bins_clear(struct nu_histogram_bins *bins)
{
    memset(&bins->counts[bins->first], 0, (bins->end - bins->first) * sizeof(bins->counts[0]));
    bins->first = 0;
    bins->end = 0;
}

static size_t snapshot_bytes(size_t bucket_count)
{
    return sizeof(struct nu_histogram_snapshot) + bucket_count * sizeof(struct nu_histogram_bucket);
}

struct nu_histogram_snapshot *nu_histogram_snapshot_create(const struct nu_histogram_bins *bins)
{
    uint32_t count = 0;
    for (unsigned bin = bins->first; bin < bins->end; bin++)
        count += bins->counts[bin] != 0;
    if (count == 0)
        return NULL;
    struct nu_histogram_snapshot *snapshot = nu_stat_alloc(snapshot_bytes(count));
    for (unsigned bin = bins->first; bin < bins->end; bin++) {
        if (bins->counts[bin] == 0)
            continue;
        snapshot->buckets[snapshot->bucket_count++] =
            (struct nu_histogram_bucket){.count = bins->counts[bin], .bin = (uint16_t)bin};
        snapshot->count += bins->counts[bin];
    }
    return snapshot;
}

void nu_histogram_snapshot_destroy(struct nu_histogram_snapshot **snapshot)
{
    if (*snapshot)
        nu_stat_free(*snapshot, snapshot_bytes((*snapshot)->bucket_count));
    *snapshot = NULL;
}

/* --- Arithmetic --- */

struct two_digits {
    double digits; /* 10 to 99, or 0 for bin 0 */
    double power;  /* the value is digits / 10 * power */
};

/* The division comes before the product: 110 is 1.1 * 100 and thus 110.00000000000001. */
static struct two_digits split(unsigned bin)
{
    if (bin == 0)
        return (struct two_digits){0, 0};
    if (bin < 10)
        return (struct two_digits){bin * 10, 1};
    if (bin < NU_HISTOGRAM_LINEAR)
        return (struct two_digits){bin, 10};
    unsigned above = bin - NU_HISTOGRAM_LINEAR;
    return (struct two_digits){10 + above % 90, (double)nu_powers_of_ten[2 + above / 90]};
}

double nu_histogram_bin_start(unsigned bin)
{
    struct two_digits value = split(bin);
    return value.digits / 10.0 * value.power;
}

double nu_histogram_bin_width(unsigned bin)
{
    return split(bin).power / 10.0;
}

static double interpolate(const struct nu_histogram_bucket *bucket, double below, double target)
{
    double start = nu_histogram_bin_start(bucket->bin);
    double width = nu_histogram_bin_width(bucket->bin);
    return start + (target - below) / (double)bucket->count * width;
}

void nu_histogram_quantiles(const struct nu_histogram_snapshot *snapshot, const double *quantiles,
                            size_t count, double *out)
{
    uint32_t at = 0;
    double below = 0;
    for (size_t i = 0; i < count; i++) {
        if (!snapshot) {
            out[i] = (double)NAN;
            continue;
        }
        double target = quantiles[i] * (double)snapshot->count;
        while (at + 1 < snapshot->bucket_count &&
               below + (double)snapshot->buckets[at].count < target)
            below += (double)snapshot->buckets[at++].count;
        out[i] = interpolate(&snapshot->buckets[at], below, target);
    }
}

double nu_histogram_sum(const struct nu_histogram_snapshot *snapshot)
{
    double sum = 0;
    for (uint32_t i = 0; snapshot && i < snapshot->bucket_count; i++) {
        unsigned bin = snapshot->buckets[i].bin;
        double middle = nu_histogram_bin_start(bin) + nu_histogram_bin_width(bin) / 2;
        sum += middle * (double)snapshot->buckets[i].count;
    }
    return sum;
}

uint64_t nu_histogram_count(const struct nu_histogram_snapshot *snapshot)
{
    return snapshot ? snapshot->count : 0;
}

void nu_histogram_counts_below(const struct nu_histogram_snapshot *snapshot, const double *bounds,
                               size_t count, uint64_t *out)
{
    uint32_t at = 0;
    uint64_t below = 0;
    for (size_t i = 0; i < count; i++) {
        while (snapshot && at < snapshot->bucket_count &&
               nu_histogram_bin_start(snapshot->buckets[at].bin) < bounds[i])
            below += snapshot->buckets[at++].count;
        out[i] = below;
    }
}
