/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How sets look to Prometheus. There a statistic is a metric, its name without what tags took out,
 * and labels; all sets that have a metric are printed together. With 10,000 clusters a million
 * names would have to be taken apart and grouped for each scrape. Instead this is done once per
 * set:
 *
 *     shape    what tag rules make of the names of one table: which metric and which labels each
 *              position has, given as places; shared by all sets for which it comes out the same
 *     series   a shape and what is left of the prefix ("cluster."): the sets in it have the same
 *              metrics and differ in label values only
 *     values   a set's own label values, which the shape refers to by number
 *
 * The members of a family of response codes are taken to be treated alike within their class: one
 * code of each is looked at. Main thread.
 */
#ifndef NU_STATS_SERIES_INTERNAL_H
#define NU_STATS_SERIES_INTERNAL_H

#include "stats/registry_internal.h"

/* The four parts of a Prometheus rendering, in their order. */
enum nu_metric_kind {
    NU_METRIC_COUNTER,
    NU_METRIC_GAUGE,
    NU_METRIC_TEXT,
    NU_METRIC_HISTOGRAM,
    NU_METRIC_KIND_COUNT
};

enum nu_label_source {
    NU_LABEL_OF_SET,  /* the set's value number `at` */
    NU_LABEL_OF_NAME, /* `len` bytes of the statistic's own name from `at` on */
    NU_LABEL_FIXED    /* `fixed` */
};

struct nu_label {
    const char *label; /* belongs to the tag rules */
    struct nu_str fixed;
    uint32_t at;
    uint32_t len;
    uint32_t source; /* enum nu_label_source */
    uint32_t unused;
};

/* A part of a name that is left out; counted from behind the prefix. */
struct nu_pattern_cut {
    uint32_t begin;
    uint32_t end;
};

/* What the rules make of a position. One piece of memory, zero where nothing is, so that memcmp
 * tells whether two are the same: the labels are followed by the cuts. */
struct nu_pattern {
    uint16_t variant; /* which of the series' prefixes */
    uint16_t label_count;
    uint16_t cut_count;
    uint16_t unused;
    struct nu_label labels[];
};

/* Positions of one metric. */
struct nu_metric {
    char *suffix;   /* owned; behind the prefix of the variant */
    uint32_t first; /* in the shape's positions */
    uint32_t count;
};

struct nu_metric_range {
    uint32_t first;
    uint32_t count;
};

struct nu_shape {
    uint32_t refs;
    struct nu_str key; /* owned */
    const struct nu_stat_table *table;
    uint16_t variant_count;
    uint16_t pattern_count;
    struct nu_pattern **patterns; /* owned */
    uint16_t *sample_patterns;    /* owned; by sample */
    uint32_t *positions;          /* owned; the positions, metric by metric */
    struct nu_metric *metrics;    /* owned; by kind, variant and suffix */
    uint32_t metric_count;
    struct nu_metric_range *ranges; /* owned; [kind * variant_count + variant] */
};

struct nu_series {
    struct nu_series *next;
    struct nu_series *prev;
    struct nu_str key; /* owned */
    struct nu_shape *shape;
    char **prefixes;           /* owned; one per variant, with their dot */
    struct nu_stat_set **sets; /* owned; by prefix, dots before all else */
    size_t set_count;          /* 0: it is out of use and only listed for who holds the table */
    size_t set_cap;
};

struct nu_series_table {
    struct nu_series *first; /* new ones come first */
    struct nu_map by_key;
    struct nu_map shapes; /* by key */
    unsigned holds;
    bool has_empty; /* some series in the list has lost its last set */
};

struct nu_series_table *nu_series_table_create(void);
void nu_series_table_destroy(struct nu_series_table **table);

/*
 * While somebody holds the table, no series is freed or taken out of the list: who walks it may
 * keep pointers into it. One that has lost its last set stays, empty, until the last hold is
 * released.
 */
void nu_series_table_hold(struct nu_series_table *table);
void nu_series_table_release(struct nu_series_table *table);

/* Puts a set into its series, if it is in none; returns how many names it had to take apart. */
size_t nu_series_classify(struct nu_stat_set *set);
/* Takes a set out of its series. */
void nu_series_forget(struct nu_stat_set *set);

/* What the rules make of the position. */
const struct nu_pattern *nu_shape_pattern(const struct nu_shape *shape, uint32_t position);
/* The set's label value number `index`, escaped for output. */
struct nu_str nu_series_value(const struct nu_stat_set *set, uint32_t index);
/* The index of the first set of the series whose prefix is above `prefix`. */
size_t nu_series_above(const struct nu_series *series, struct nu_str prefix);

/* Order of names token by token: as memcmp, but '.' comes before every other byte. */
int nu_stat_name_cmp(struct nu_str a, struct nu_str b);
enum nu_metric_kind nu_stat_metric_kind(unsigned kind);

/* --- Between series.c and shape.c --- */

/* What is found about one set while its names are taken apart. */
struct nu_shape_draft {
    const struct nu_stat_table *table;
    struct nu_strbuf
        variants; /* what the rules leave of the prefix: texts with a NUL behind each */
    uint16_t variant_count;
    struct nu_strbuf values; /* label values, escaped, with a NUL behind each */
    uint32_t value_count;
    struct nu_pattern **patterns; /* owned until a shape takes them */
    uint16_t pattern_count;
    uint16_t *sample_patterns; /* likewise */
    uint32_t sample_count;
};

/* Applies the tag rules to the names of a set. */
void nu_shape_draft_init(struct nu_shape_draft *draft, const struct nu_stat_set *set);
void nu_shape_draft_finish(struct nu_shape_draft *draft);
/* Bytes that tell drafts of different shapes apart. */
void nu_shape_draft_key(const struct nu_shape_draft *draft, struct nu_strbuf *out);
/* Makes a shape of a draft, with no reference; takes what the draft owns that it needs. */
struct nu_shape *nu_shape_create(struct nu_shape_draft *draft, const struct nu_stat_layout *layout,
                                 struct nu_str key);
void nu_shape_destroy(struct nu_shape *shape);

#endif
