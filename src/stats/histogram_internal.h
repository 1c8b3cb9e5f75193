/* SPDX-License-Identifier: Apache-2.0 */
/* How the registry turns the tables of several threads into one snapshot. Main thread. */
#ifndef NU_STATS_HISTOGRAM_INTERNAL_H
#define NU_STATS_HISTOGRAM_INTERNAL_H

#include "stats/histogram.h"

/* Number of samples one thread recorded. */
uint64_t nu_histogram_total(const struct nu_histogram *histogram);
/* Where tables are merged; all zeros when empty. */
struct nu_histogram_bins {
    uint64_t counts[NU_HISTOGRAM_BINS];
    unsigned first; /* bins in use lie within first and end, */
    unsigned end;   /* both 0 if there are none */
};

/* Adds one thread's counts. */
void nu_histogram_merge(const struct nu_histogram *histogram, struct nu_histogram_bins *bins);
void nu_histogram_bins_clear(struct nu_histogram_bins *bins);

/* A snapshot of merged counts, NULL if all are 0. */
struct nu_histogram_snapshot *nu_histogram_snapshot_create(const struct nu_histogram_bins *bins);
/* Frees and clears; NULL inside is allowed. */
void nu_histogram_snapshot_destroy(struct nu_histogram_snapshot **snapshot);

#endif
