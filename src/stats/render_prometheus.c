/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus exposition: all series of a metric together, under one TYPE line. First every set gets
 * its series (stats/series_internal.h), once in its life. Then the metrics of all series are merged
 * by name, kind after kind, and within a metric the sets of its series by prefix.
 *
 * Between slices sets may come and go. Series are held for the time of the rendering; within them
 * the place is found again by the prefix printed last. However fast sets change, each slice gets
 * on.
 */
#include "base/alloc.h"
#include "stats/custom.h"
#include "stats/number_internal.h"
#include "stats/render_internal.h"

void nu_stats_render_prometheus_begin(struct nu_stats_render *render)
{
    render->options.type = NU_STATS_ALL; /* Envoy ignores it here */
    render->prometheus.next_set = render->stats->head[0];
    render->prometheus.generation = render->stats->generation;
    nu_series_table_hold(render->stats->series);
}

void nu_stats_render_prometheus_end(struct nu_stats_render *render)
{
    struct nu_prometheus *prom = &render->prometheus;
    nu_series_table_release(render->stats->series);
    nu_free(prom->streams);
    nu_free(prom->members);
    nu_strbuf_finish(&prom->name);
    nu_strbuf_finish(&prom->last_prefix);
}

/* --- Finding the series --- */

/* Taking a name apart costs about as much as printing some lines. */
enum { CLASSIFY_WORK = 256, SETS_AT_ONCE = 32, SERIES_AT_ONCE = 32, AT_ONCE_WORK = 2048 };

static void begin_kind(struct nu_stats_render *render, enum nu_metric_kind kind)
{
    struct nu_prometheus *prom = &render->prometheus;
    prom->kind = kind;
    prom->stream_count = 0;
    prom->next_series = render->stats->series->first;
    prom->state = NU_PROMETHEUS_GATHER;
}

/* Classifies one set, or goes over some that have a series. */
static void classify_step(struct nu_stats_render *render)
{
    struct nu_prometheus *prom = &render->prometheus;
    struct nu_stats *stats = render->stats;
    if (prom->generation != stats->generation)
        prom->next_set = nu_stats_lower_bound(stats, nu_strbuf_str(&prom->last_prefix));
    prom->generation = stats->generation;
    render->extra_work = AT_ONCE_WORK;
    size_t names = 0;
    for (unsigned i = 0; i < SETS_AT_ONCE && prom->next_set && names == 0; i++) {
        names = nu_series_classify(nu_unconst(prom->next_set));
        prom->next_set = prom->next_set->next[0];
    }
    render->extra_work += CLASSIFY_WORK * names;
    nu_strbuf_clear(&prom->last_prefix);
    if (prom->next_set)
        nu_strbuf_add(&prom->last_prefix, nu_stat_set_prefix(prom->next_set));
    else
        begin_kind(render, NU_METRIC_COUNTER);
}

/* --- The heap of metrics --- */

static const char *prefix_of(const struct nu_prometheus_stream *stream)
{
    return stream->series->prefixes[stream->variant];
}

static const char *suffix_of(const struct nu_prometheus_stream *stream)
{
    return stream->series->shape->metrics[stream->metric].suffix;
}

/* The order of the metrics' names, each of two parts, as nu_stat_name_cmp has it. */
static int compare_names(const struct nu_prometheus_stream *a, const struct nu_prometheus_stream *b)
{
    const char *at[] = {prefix_of(a), prefix_of(b)};
    const char *next[] = {suffix_of(a), suffix_of(b)};
    for (;; at[0]++, at[1]++) {
        for (unsigned i = 0; i < 2; i++) {
            if (!*at[i] && next[i]) {
                at[i] = next[i];
                next[i] = NULL;
            }
        }
        if (*at[0] != *at[1] || !*at[0])
            return nu_stat_name_cmp(nu_str_make(at[0], *at[0] != '\0'),
                                    nu_str_make(at[1], *at[1] != '\0'));
    }
}

static bool is_less(const struct nu_prometheus_stream *a, const struct nu_prometheus_stream *b)
{
    return compare_names(a, b) < 0;
}

static void swap(struct nu_prometheus_stream *a, struct nu_prometheus_stream *b)
{
    struct nu_prometheus_stream tmp = *a;
    *a = *b;
    *b = tmp;
}

static void sift_down(struct nu_prometheus *prom)
{
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < prom->stream_count;
             child++) {
            if (is_less(&prom->streams[child], &prom->streams[least]))
                least = child;
        }
        if (least == at)
            return;
        swap(&prom->streams[at], &prom->streams[least]);
        at = least;
    }
}

static void sift_up(struct nu_prometheus *prom, size_t at)
{
    struct nu_prometheus_stream *heap = prom->streams;
    for (; at > 0 && is_less(&heap[at], &heap[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&heap[at], &heap[(at - 1) / 2]);
}

static void add_stream(struct nu_prometheus *prom, const struct nu_series *series, uint16_t variant)
{
    const struct nu_shape *shape = series->shape;
    const struct nu_metric_range *range =
        &shape->ranges[prom->kind * (unsigned)shape->variant_count + variant];
    if (range->count == 0)
        return;
    if (prom->stream_count == prom->stream_cap) {
        prom->stream_cap = prom->stream_cap * 2 + 16;
        prom->streams = nu_realloc(prom->streams, prom->stream_cap * sizeof(*prom->streams));
    }
    prom->streams[prom->stream_count] = (struct nu_prometheus_stream){
        .series = series,
        .variant = variant,
        .metric = range->first,
        .end = range->first + range->count,
    };
    sift_up(prom, prom->stream_count++);
}

/* Puts some series into the heap. */
static void gather_step(struct nu_stats_render *render)
{
    struct nu_prometheus *prom = &render->prometheus;
    render->extra_work = AT_ONCE_WORK;
    for (unsigned i = 0; i < SERIES_AT_ONCE && prom->next_series; i++) {
        const struct nu_series *series = prom->next_series;
        for (uint16_t variant = 0; variant < series->shape->variant_count; variant++)
            add_stream(prom, series, variant);
        prom->next_series = series->next;
    }
    if (!prom->next_series)
        prom->state = NU_PROMETHEUS_PRINT;
}

/* --- The metric at hand --- */

static void add_member(struct nu_prometheus *prom, const struct nu_prometheus_stream *stream)
{
    if (prom->member_count == prom->member_cap) {
        prom->member_cap = prom->member_cap * 2 + 4;
        prom->members = nu_realloc(prom->members, prom->member_cap * sizeof(*prom->members));
    }
    prom->members[prom->member_count++] = *stream;
}

static void advance_first(struct nu_prometheus *prom)
{
    struct nu_prometheus_stream *first = &prom->streams[0];
    if (++first->metric == first->end)
        *first = prom->streams[--prom->stream_count];
    sift_down(prom);
}

/* As Envoy has it: custom statistics without their namespace, but only under a name that begins as
 * Prometheus wants it; all others behind "envoy_". False: not shown. */
static bool make_name(struct nu_strbuf *out, struct nu_str prefix, struct nu_str suffix)
{
    static const struct nu_str custom = NU_STR_INIT(NU_CUSTOM_NAMESPACE ".");
    bool is_custom = nu_str_starts_with(prefix, custom);
    nu_strbuf_clear(out);
    if (!is_custom)
        nu_strbuf_add_cstr(out, "envoy_");
    nu_stat_tags_prometheus_name(out, is_custom ? nu_str_skip(prefix, custom.len) : prefix);
    nu_stat_tags_prometheus_name(out, suffix);
    return !is_custom || (out->len && !nu_ascii_is_digit(out->data[0]));
}

/* Takes all streams whose metric is the least one; false if none is left. */
static bool begin_metric(struct nu_prometheus *prom)
{
    if (prom->stream_count == 0)
        return false;
    const struct nu_prometheus_stream first = prom->streams[0];
    bool is_shown =
        make_name(&prom->name, nu_str_from(prefix_of(&first)), nu_str_from(suffix_of(&first)));
    prom->member_count = 0;
    while (prom->stream_count && compare_names(&prom->streams[0], &first) == 0) {
        if (is_shown)
            add_member(prom, &prom->streams[0]);
        advance_first(prom);
    }
    prom->in_metric = true;
    return true;
}

static void end_metric(struct nu_prometheus *prom)
{
    prom->in_metric = false;
    prom->has_last = false;
    prom->type_is_written = false;
}

static struct nu_str member_prefix(const struct nu_prometheus_stream *member)
{
    return nu_stat_set_prefix(member->series->sets[member->set]);
}

/* The member whose next set comes first, or NULL. */
static struct nu_prometheus_stream *next_member(struct nu_prometheus *prom)
{
    struct nu_prometheus_stream *best = NULL;
    for (size_t i = 0; i < prom->member_count; i++) {
        struct nu_prometheus_stream *member = &prom->members[i];
        if (member->set >= member->series->set_count)
            continue;
        if (!best || nu_stat_name_cmp(member_prefix(member), member_prefix(best)) < 0)
            best = member;
    }
    return best;
}

/* --- Lines --- */

static const char *type_name(const struct nu_stats_render *render)
{
    switch (render->prometheus.kind) {
    case NU_METRIC_COUNTER:
        return "counter";
    case NU_METRIC_GAUGE:
    case NU_METRIC_TEXT:
        return "gauge";
    case NU_METRIC_HISTOGRAM:
        break;
    case NU_METRIC_KIND_COUNT:
        break;
    }
    return render->options.buckets == NU_STATS_BUCKETS_SUMMARY ? "summary" : "histogram";
}

static void write_type(struct nu_stats_render *render, struct nu_strbuf *out)
{
    if (render->prometheus.type_is_written)
        return;
    render->prometheus.type_is_written = true;
    nu_strbuf_add_cstr(out, "# TYPE ");
    nu_strbuf_add(out, nu_strbuf_str(&render->prometheus.name));
    nu_strbuf_add_char(out, ' ');
    nu_strbuf_add_cstr(out, type_name(render));
    nu_strbuf_add_char(out, '\n');
}

static void add_label_value(struct nu_strbuf *out, const struct nu_label *label,
                            const struct nu_stat_set *set, struct nu_str own_name)
{
    switch ((enum nu_label_source)label->source) {
    case NU_LABEL_OF_SET:
        nu_strbuf_add(out, nu_series_value(set, label->at));
        break;
    case NU_LABEL_OF_NAME:
        nu_stat_escape_label(out, nu_str_first(nu_str_skip(own_name, label->at), label->len));
        break;
    case NU_LABEL_FIXED:
        nu_stat_escape_label(out, label->fixed);
        break;
    }
}

/* a="x",b="y" into `out`. */
static void add_labels(struct nu_strbuf *out, const struct nu_stat_set *set, uint32_t position)
{
    char buffer[NU_STAT_NAME_MAX];
    struct nu_str own_name = nu_stat_name_at(set->layout, position, buffer);
    const struct nu_pattern *pattern = nu_shape_pattern(set->series->shape, position);
    for (uint16_t i = 0; i < pattern->label_count; i++) {
        if (i > 0)
            nu_strbuf_add_char(out, ',');
        nu_strbuf_add_cstr(out, pattern->labels[i].label);
        nu_strbuf_add_cstr(out, "=\"");
        add_label_value(out, &pattern->labels[i], set, own_name);
        nu_strbuf_add_char(out, '"');
    }
}

/* name<suffix>{labels, */
static void begin_line(const struct nu_prometheus *prom, const char *suffix, struct nu_str labels,
                       struct nu_strbuf *out)
{
    nu_strbuf_add(out, nu_strbuf_str(&prom->name));
    nu_strbuf_add_cstr(out, suffix);
    nu_strbuf_add_char(out, '{');
    nu_strbuf_add(out, labels);
}

static void begin_extra_label(const char *label, struct nu_str labels, struct nu_strbuf *out)
{
    if (labels.len)
        nu_strbuf_add_char(out, ',');
    nu_strbuf_add_cstr(out, label);
    nu_strbuf_add_cstr(out, "=\"");
}

static void end_line_u64(uint64_t value, struct nu_strbuf *out)
{
    nu_strbuf_add_cstr(out, "} ");
    nu_strbuf_add_u64(out, value);
    nu_strbuf_add_char(out, '\n');
}

enum { SUM_DIGITS = 32 }; /* Envoy prints sums and quantiles to the last bit */

static void end_line_double(double value, struct nu_strbuf *out)
{
    nu_strbuf_add_cstr(out, "} ");
    nu_stat_add_digits(out, value, SUM_DIGITS);
    nu_strbuf_add_char(out, '\n');
}

static void add_totals(const struct nu_prometheus *prom,
                       const struct nu_histogram_snapshot *snapshot, struct nu_str labels,
                       struct nu_strbuf *out)
{
    begin_line(prom, "_sum", labels, out);
    end_line_double(nu_histogram_sum(snapshot), out);
    begin_line(prom, "_count", labels, out);
    end_line_u64(nu_histogram_count(snapshot), out);
}

static void add_bucket_line(const struct nu_prometheus *prom, const double *bound, uint64_t count,
                            struct nu_str labels, struct nu_strbuf *out)
{
    begin_line(prom, "_bucket", labels, out);
    begin_extra_label("le", labels, out);
    if (bound)
        nu_stat_add_plain(out, *bound);
    else
        nu_strbuf_add_cstr(out, "+Inf");
    nu_strbuf_add_char(out, '"');
    end_line_u64(count, out);
}

static void add_histogram(const struct nu_prometheus *prom, const struct nu_histogram_state *state,
                          struct nu_str labels, struct nu_strbuf *out)
{
    const struct nu_histogram_snapshot *total = state ? state->total : NULL;
    uint64_t counts[NU_HISTOGRAM_BOUNDS];
    nu_histogram_counts_below(total, nu_histogram_bound_list, NU_HISTOGRAM_BOUNDS, counts);
    for (unsigned i = 0; i < NU_HISTOGRAM_BOUNDS; i++)
        add_bucket_line(prom, &nu_histogram_bound_list[i], counts[i], labels, out);
    add_bucket_line(prom, NULL, nu_histogram_count(total), labels, out);
    add_totals(prom, total, labels, out);
}

/* A summary is about the last interval. */
static void add_summary(const struct nu_prometheus *prom, const struct nu_histogram_state *state,
                        struct nu_str labels, struct nu_strbuf *out)
{
    const struct nu_histogram_snapshot *interval = state ? state->interval : NULL;
    double values[NU_HISTOGRAM_QUANTILES];
    nu_histogram_quantiles(interval, nu_histogram_quantile_list, NU_HISTOGRAM_QUANTILES, values);
    for (unsigned i = 0; i < NU_HISTOGRAM_QUANTILES; i++) {
        begin_line(prom, "", labels, out);
        begin_extra_label("quantile", labels, out);
        nu_stat_add_plain(out, nu_histogram_quantile_list[i]);
        nu_strbuf_add_char(out, '"');
        end_line_double(values[i], out);
    }
    add_totals(prom, interval, labels, out);
}

static void add_text(const struct nu_prometheus *prom, struct nu_str text, struct nu_str labels,
                     struct nu_strbuf *out)
{
    begin_line(prom, "", labels, out);
    begin_extra_label("text_value", labels, out);
    nu_stat_escape_label(out, text);
    nu_strbuf_add_char(out, '"');
    end_line_u64(0, out);
}

static void add_series(const struct nu_stats_render *render, const struct nu_stat_set *set,
                       uint32_t position, struct nu_str labels, struct nu_strbuf *out)
{
    const struct nu_prometheus *prom = &render->prometheus;
    switch (prom->kind) {
    case NU_METRIC_COUNTER:
    case NU_METRIC_GAUGE:
        begin_line(prom, "", labels, out);
        end_line_u64(nu_stat_read(set, position).value, out);
        break;
    case NU_METRIC_TEXT:
        add_text(prom, nu_stat_read_text(set, position), labels, out);
        break;
    case NU_METRIC_HISTOGRAM:
        if (render->options.buckets == NU_STATS_BUCKETS_SUMMARY)
            add_summary(prom, nu_stat_read_histogram(set, position), labels, out);
        else
            add_histogram(prom, nu_stat_read_histogram(set, position), labels, out);
        break;
    case NU_METRIC_KIND_COUNT:
        break;
    }
}

/* --- Steps --- */

/* Puts the full name together, which only a filter needs. */
static bool passes_filter(struct nu_stats_render *render, const struct nu_stat_set *set,
                          uint32_t position)
{
    struct nu_strbuf *name = &render->scratch;
    nu_strbuf_clear(name);
    if (render->options.filter) {
        char buffer[NU_STAT_NAME_MAX];
        nu_stat_set_add_prefix(set, name);
        nu_strbuf_add(name, nu_stat_name_at(set->layout, position, buffer));
    }
    struct nu_stat_ref ref = {set, position, nu_strbuf_str(name)};
    return nu_stats_render_wants(render, &ref);
}

static void print_position(struct nu_stats_render *render, const struct nu_stat_set *set,
                           uint32_t position, struct nu_strbuf *out)
{
    if (!nu_stat_exists(set, position) || !passes_filter(render, set, position))
        return;
    nu_strbuf_clear(&render->scratch);
    add_labels(&render->scratch, set, position);
    write_type(render, out);
    add_series(render, set, position, nu_strbuf_str(&render->scratch), out);
}

/* A position, or, if it is of a response code, the next one that may have been counted. */
static uint32_t next_position(const struct nu_stat_set *set, uint32_t position)
{
    const struct nu_stat_layout *layout = set->layout;
    if (position < layout->table->count)
        return position;
    unsigned family = (position - layout->table->count) / NU_CODE_INDEXES;
    unsigned index = (position - layout->table->count) % NU_CODE_INDEXES;
    return nu_stat_code_position(layout, family, nu_stat_next_code(set, family, index));
}

/* Prints a set's share of the metric. */
static void print_set(struct nu_stats_render *render, const struct nu_prometheus_stream *member,
                      struct nu_strbuf *out)
{
    const struct nu_stat_set *set = member->series->sets[member->set];
    const struct nu_metric *metric = &member->series->shape->metrics[member->metric];
    const uint32_t *positions = &member->series->shape->positions[metric->first];
    bool is_lazy = nu_stat_kind_is_lazy(nu_stat_desc_at(set->layout, positions[0])->kind);
    if (!set->blocks && (is_lazy || render->options.used_only))
        return;
    for (uint32_t i = 0; i < metric->count; i++) {
        uint32_t next = next_position(set, positions[i]);
        if (next == positions[i]) {
            print_position(render, set, next, out);
            continue;
        }
        while (i + 1 < metric->count && positions[i + 1] < next) /* codes ascend */
            i++;
    }
}

/* Prints the next set of the metric, and those of other tables with the same prefix. */
static bool metric_step(struct nu_stats_render *render, struct nu_strbuf *out)
{
    struct nu_prometheus *prom = &render->prometheus;
    struct nu_prometheus_stream *member = next_member(prom);
    if (!member)
        return false;
    nu_strbuf_clear(&prom->last_prefix);
    nu_strbuf_add(&prom->last_prefix, member_prefix(member));
    prom->has_last = true;
    do {
        print_set(render, member, out);
        member->set++;
        member = next_member(prom);
    } while (member && nu_str_eq(member_prefix(member), nu_strbuf_str(&prom->last_prefix)));
    return true;
}

static bool kind_is_wanted(const struct nu_stats_render *render, enum nu_metric_kind kind)
{
    return kind != NU_METRIC_TEXT || render->options.text_readouts;
}

/* Goes on to the next kind; false behind the last. */
static bool next_kind(struct nu_stats_render *render)
{
    unsigned kind = render->prometheus.kind;
    do {
        kind++;
    } while (kind < NU_METRIC_KIND_COUNT && !kind_is_wanted(render, (enum nu_metric_kind)kind));
    if (kind == NU_METRIC_KIND_COUNT)
        return false;
    begin_kind(render, (enum nu_metric_kind)kind);
    return true;
}

/* After sets came or went: each member goes on behind the prefix printed last. */
static void find_place_again(struct nu_stats_render *render)
{
    struct nu_prometheus *prom = &render->prometheus;
    for (size_t i = 0; prom->has_last && i < prom->member_count; i++)
        prom->members[i].set =
            nu_series_above(prom->members[i].series, nu_strbuf_str(&prom->last_prefix));
    prom->generation = render->stats->generation;
}

static bool print_step(struct nu_stats_render *render, struct nu_strbuf *out)
{
    struct nu_prometheus *prom = &render->prometheus;
    if (prom->generation != render->stats->generation)
        find_place_again(render);
    if (prom->in_metric) {
        if (metric_step(render, out))
            return true;
        end_metric(prom);
    }
    return begin_metric(prom) || next_kind(render);
}

bool nu_stats_render_prometheus_step(struct nu_stats_render *render, struct nu_strbuf *out)
{
    switch (render->prometheus.state) {
    case NU_PROMETHEUS_CLASSIFY:
        classify_step(render);
        return true;
    case NU_PROMETHEUS_GATHER:
        gather_step(render);
        return true;
    case NU_PROMETHEUS_PRINT:
        break;
    }
    return print_step(render, out) || nu_stats_rows_prometheus_step(render, out);
}
