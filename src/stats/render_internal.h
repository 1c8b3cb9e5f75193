/* SPDX-License-Identifier: Apache-2.0 */
/* A rendering in progress, for the files that make the three formats. */
#ifndef NU_STATS_RENDER_INTERNAL_H
#define NU_STATS_RENDER_INTERNAL_H

#include "base/json.h"
#include "stats/render.h"
#include "stats/rows.h"
#include "stats/series_internal.h"
#include "stats/walk_internal.h"

/* The metrics of one series, variant and kind on their way out. */
struct nu_prometheus_stream {
    const struct nu_series *series;
    size_t set;      /* index in the series of the next set to print */
    uint32_t metric; /* index in the shape; the current one */
    uint32_t end;    /* behind the last of the kind and variant */
    uint16_t variant;
};

enum nu_prometheus_state {
    NU_PROMETHEUS_CLASSIFY, /* every set gets its series */
    NU_PROMETHEUS_GATHER,   /* all series with metrics of the kind go into the heap */
    NU_PROMETHEUS_PRINT     /* metric after metric is taken from the heap and printed */
};

/* Where a Prometheus rendering stands. */
struct nu_prometheus {
    enum nu_prometheus_state state;
    uint64_t generation; /* of the registry when next_set and the members' sets were right */
    const struct nu_stat_set *next_set;  /* to classify */
    const struct nu_series *next_series; /* to gather */
    enum nu_metric_kind kind;
    struct nu_prometheus_stream *streams; /* owned; a heap, the least name first */
    size_t stream_count;
    size_t stream_cap;
    /* The metric being printed */
    bool in_metric;
    struct nu_prometheus_stream *members; /* owned; the streams that have it */
    size_t member_count;
    size_t member_cap;
    struct nu_strbuf name; /* as printed */
    bool type_is_written;
    bool has_last;
    struct nu_strbuf last_prefix; /* of the set classified or printed last */
};

struct nu_stats_render {
    struct nu_stats *stats; /* borrowed */
    struct nu_stats_options options;
    /* Appends the next bit of output; false at the end. */
    bool (*step)(struct nu_stats_render *render, struct nu_strbuf *out);
    size_t extra_work; /* what a step did beside its output, in bytes it might have written */
    /* text and JSON */
    struct nu_stat_walk walk;
    bool is_walking;
    unsigned phase;
    struct nu_json json;
    bool is_begun;
    bool has_histograms;
    /* Prometheus */
    struct nu_prometheus prometheus;
    struct nu_strbuf scratch;
    /* The table of figures */
    size_t figure;        /* the next one, counted through */
    bool type_is_written; /* of the column at hand */
};

/* Whether the options ask for this statistic. */
bool nu_stats_render_wants(const struct nu_stats_render *render, const struct nu_stat_ref *ref);

bool nu_stats_render_text_step(struct nu_stats_render *render, struct nu_strbuf *out);
bool nu_stats_render_json_step(struct nu_stats_render *render, struct nu_strbuf *out);
bool nu_stats_render_prometheus_step(struct nu_stats_render *render, struct nu_strbuf *out);
void nu_stats_render_prometheus_begin(struct nu_stats_render *render);
void nu_stats_render_prometheus_end(struct nu_stats_render *render);

/* --- render_rows.c --- */

/* Text and JSON: whether it is the turn of the table's figures. */
bool nu_stats_rows_are_due(const struct nu_stats_render *render);
/* Takes the next one; true if it is wanted: then `scratch` is its name. */
bool nu_stats_rows_next(struct nu_stats_render *render, uint64_t *value);
/* The next one for Prometheus, wanted or not; false behind the last. */
bool nu_stats_rows_prometheus_step(struct nu_stats_render *render, struct nu_strbuf *out);

/* --- render.c --- */

/* The next statistic, wanted or not, over all phases. */
enum nu_stat_walk_result nu_stats_render_walk(struct nu_stats_render *render,
                                              struct nu_stat_ref *ref);

/* A histogram's figures: of the last interval and since the start. */
struct nu_histogram_figures {
    double interval_quantiles[NU_HISTOGRAM_QUANTILES];
    double total_quantiles[NU_HISTOGRAM_QUANTILES];
};
void nu_histogram_figures(const struct nu_histogram_state *state, struct nu_histogram_figures *out);

struct nu_histogram_counts {
    uint64_t interval[NU_HISTOGRAM_BOUNDS];
    uint64_t total[NU_HISTOGRAM_BOUNDS];
};
/* Per bucket: all below its bound, or, if `disjoint`, those above the bound before only. */
void nu_histogram_bucket_counts(const struct nu_histogram_state *state, bool disjoint,
                                struct nu_histogram_counts *out);

#endif
