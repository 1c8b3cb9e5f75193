/* SPDX-License-Identifier: Apache-2.0 */
/* The table of figures in renderings: one figure a step. Envoy shows them used or not. */
#include <stdlib.h>
#include <string.h>

#include "base/regex.h"
#include "stats/render_internal.h"

static size_t figure_count(const struct nu_stats_render *render)
{
    const struct nu_stats_rows *table = render->options.rows;
    return table ? table->row_count * table->column_count : 0;
}

bool nu_stats_rows_are_due(const struct nu_stats_render *render)
{
    return render->phase == NU_STAT_PHASE_HISTOGRAMS && render->figure < figure_count(render);
}

static bool type_is_wanted(const struct nu_stats_options *options, bool is_gauge)
{
    return options->format == NU_STATS_PROMETHEUS || options->type == NU_STATS_ALL ||
           options->type == (is_gauge ? NU_STATS_GAUGES : NU_STATS_COUNTERS);
}

/* Its full name goes into `scratch`. */
static bool is_wanted(struct nu_stats_render *render, const struct nu_stats_row *row, size_t column)
{
    const struct nu_stats_options *options = &render->options;
    const struct nu_stats_column *figure = &options->rows->columns[column];
    if (options->hidden_only || !type_is_wanted(options, figure->is_gauge))
        return false;
    nu_strbuf_clear(&render->scratch);
    nu_strbuf_add_cstr(&render->scratch, row->name);
    nu_strbuf_add_char(&render->scratch, '.');
    nu_strbuf_add(&render->scratch, figure->name);
    return !options->filter || nu_regex_search(options->filter, nu_strbuf_str(&render->scratch));
}

bool nu_stats_rows_next(struct nu_stats_render *render, uint64_t *value)
{
    const struct nu_stats_rows *table = render->options.rows;
    const struct nu_stats_row *row = &table->rows[render->figure / table->column_count];
    size_t column = render->figure++ % table->column_count;
    if (!is_wanted(render, row, column))
        return false;
    *value = table->value(row, column);
    return true;
}

/* --- Prometheus ------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct nu_stats_row *left = a;
    const struct nu_stats_row *right = b;
    return strcmp(left->name, right->name);
}

static void add_metric(struct nu_strbuf *out, const struct nu_stats_rows *table, size_t column)
{
    nu_strbuf_add(out, table->metric);
    nu_strbuf_add(out, table->columns[column].name);
}

static void add_line(struct nu_stats_render *render, const struct nu_stats_row *row, size_t column,
                     struct nu_strbuf *out)
{
    const struct nu_stats_rows *table = render->options.rows;
    const struct nu_stat_tagging *fixed = nu_stat_tags_fixed(render->stats->tags);
    add_metric(out, table, column);
    nu_strbuf_add_char(out, '{');
    for (size_t i = 0; i < fixed->tag_count; i++) {
        nu_strbuf_add_cstr(out, fixed->tags[i].label);
        nu_strbuf_add_cstr(out, "=\"");
        nu_stat_escape_label(out, fixed->tags[i].value);
        nu_strbuf_add_cstr(out, "\",");
    }
    table->add_labels(table, row, out);
    nu_strbuf_add_cstr(out, "} ");
    nu_strbuf_add_u64(out, table->value(row, column));
    nu_strbuf_add_char(out, '\n');
}

static void add_type(const struct nu_stats_rows *table, size_t column, struct nu_strbuf *out)
{
    nu_strbuf_add_cstr(out, "# TYPE ");
    add_metric(out, table, column);
    nu_strbuf_add_cstr(out, table->columns[column].is_gauge ? " gauge\n" : " counter\n");
}

bool nu_stats_rows_prometheus_step(struct nu_stats_render *render, struct nu_strbuf *out)
{
    const struct nu_stats_rows *table = render->options.rows;
    if (render->figure == figure_count(render))
        return false;
    if (render->figure == 0)
        qsort(table->rows, table->row_count, sizeof(*table->rows), by_name);
    size_t at = render->figure++ % table->row_count;
    size_t column = table->by_metric[(render->figure - 1) / table->row_count];
    if (at == 0)
        render->type_is_written = false;
    if (!is_wanted(render, &table->rows[at], column))
        return true;
    if (!render->type_is_written)
        add_type(table, column, out);
    render->type_is_written = true;
    add_line(render, &table->rows[at], column, out);
    return true;
}
