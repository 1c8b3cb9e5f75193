/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Renders the registry as text, JSON or Prometheus exposition, byte for byte as Envoy's /stats
 * does. A rendering is an object that is asked for one slice after the other, so that the main
 * thread can do other work in between, however many statistics there are. Sets may be created and
 * destroyed between slices: what exists all the time is shown once, what comes or goes is shown or
 * not. Values are read when their line is made. Main thread.
 */
#ifndef NU_STATS_RENDER_H
#define NU_STATS_RENDER_H

#include "base/str.h"

struct nu_regex;
struct nu_stats;
struct nu_stats_rows;

enum nu_stats_format { NU_STATS_TEXT, NU_STATS_JSON, NU_STATS_PROMETHEUS };

enum nu_stats_type {
    NU_STATS_ALL,
    NU_STATS_COUNTERS,
    NU_STATS_GAUGES,
    NU_STATS_HISTOGRAMS,
    NU_STATS_TEXT_READOUTS
};

enum nu_stats_buckets {
    NU_STATS_BUCKETS_DEFAULT, /* quantiles; for Prometheus cumulative buckets */
    NU_STATS_BUCKETS_CUMULATIVE,
    NU_STATS_BUCKETS_DISJOINT,
    NU_STATS_BUCKETS_DETAILED,
    NU_STATS_BUCKETS_SUMMARY
};

/* Zero-initialised it asks for everything as text. nu_stats_options_finish frees it. */
struct nu_stats_options {
    enum nu_stats_format format;
    enum nu_stats_type type; /* not for Prometheus */
    enum nu_stats_buckets buckets;
    bool used_only;
    bool hidden_only;           /* we have no hidden stats: nothing is shown */
    bool text_readouts;         /* Prometheus only: as gauges of 0 with the text in a label */
    struct nu_regex *filter;    /* owned; shown is what it finds a match in; NULL for all */
    struct nu_stats_rows *rows; /* owned; shown beside the sets (stats/rows.h); NULL for none */
};

void nu_stats_options_finish(struct nu_stats_options *options);
/*
 * Takes one query parameter of /stats; unknown ones are ignored, a later one overrides. NU_INVALID
 * with Envoy's text in `error` is for a 400. `format=html` is NU_UNSUPPORTED: not made here.
 */
NU_MUST_USE enum nu_result nu_stats_options_set(struct nu_stats_options *options, struct nu_str key,
                                                struct nu_str value, struct nu_strbuf *error);
/* After all parameters: whether they go together; NU_INVALID with a text likewise. */
NU_MUST_USE enum nu_result nu_stats_options_check(const struct nu_stats_options *options,
                                                  struct nu_strbuf *error);

struct nu_stats_render;

/* Begins a rendering; it takes `options` over and leaves zeros behind. */
struct nu_stats_render *nu_stats_render_create(struct nu_stats *stats,
                                               struct nu_stats_options *options);
/*
 * Appends the next slice to `out`: some `max_bytes`, a histogram's lines more at most. Also stops,
 * be it with nothing appended, after a like amount of work on statistics that are not shown.
 * Returns whether there is more.
 */
bool nu_stats_render_next(struct nu_stats_render *render, struct nu_strbuf *out, size_t max_bytes);
/* Ends a rendering at any point; NULL inside is allowed. */
void nu_stats_render_destroy(struct nu_stats_render **render);

#endif
