/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of figures that are shown beside the sets, but are none themselves: those of hosts. Rows
 * are things with a name, columns what each of them has. Renderings show the table behind all
 * counters and gauges of sets, row by row; Prometheus behind everything, column by column. Whoever
 * asks for a rendering makes the table, the rendering owns it. Main thread.
 */
#ifndef NU_STATS_ROWS_H
#define NU_STATS_ROWS_H

#include "base/str.h"

struct nu_stats_column {
    struct nu_str name;
    bool is_gauge;
};

struct nu_stats_row {
    char *name;          /* in front of the columns' names, without the dot; owned */
    const void *subject; /* whose figures they are; held as long as the table */
};

struct nu_stats_rows {
    const struct nu_stats_column
        *columns;             /* borrowed: counters first, both kinds in text's order */
    const uint8_t *by_metric; /* borrowed: their indexes in Prometheus' order */
    size_t column_count;
    struct nu_str metric; /* in front of the columns' names in Prometheus; borrowed */
    struct nu_stats_row *rows;
    size_t row_count;
    uint64_t (*value)(const struct nu_stats_row *row, size_t column);
    /* Appends the row's labels, a="x",b="y", with values escaped. */
    void (*add_labels)(const struct nu_stats_rows *table, const struct nu_stats_row *row,
                       struct nu_strbuf *out);
    /* Frees the table and lets its subjects go. */
    void (*destroy)(struct nu_stats_rows *table);
};

/* Appends text as a value of a label: with '\', '"' and newlines escaped. */
void nu_stat_escape_label(struct nu_strbuf *out, struct nu_str value);

#endif
