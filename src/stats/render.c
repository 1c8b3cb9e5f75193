/* SPDX-License-Identifier: Apache-2.0 */
/* Renderings: their options, their slices, and what the formats share. */
#include "stats/render.h"

#include "base/alloc.h"
#include "base/regex.h"
#include "stats/custom_internal.h"
#include "stats/render_internal.h"

/* --- Options --- */

void nu_stats_options_finish(struct nu_stats_options *options)
{
    if (options->filter)
        nu_regex_destroy(&options->filter);
    if (options->rows)
        options->rows->destroy(options->rows);
    *options = (struct nu_stats_options){0};
}

struct word {
    const char *text;
    int value;
};

static const struct word format_words[] = {
    {"text", NU_STATS_TEXT},
    {"json", NU_STATS_JSON},
    {"prometheus", NU_STATS_PROMETHEUS},
    {NULL, 0},
};
static const struct word type_words[] = {
    {"All", NU_STATS_ALL},
    {"Counters", NU_STATS_COUNTERS},
    {"Gauges", NU_STATS_GAUGES},
    {"Histograms", NU_STATS_HISTOGRAMS},
    {"TextReadouts", NU_STATS_TEXT_READOUTS},
    {NULL, 0},
};
static const struct word bucket_words[] = {
    {"cumulative", NU_STATS_BUCKETS_CUMULATIVE},
    {"disjoint", NU_STATS_BUCKETS_DISJOINT},
    {"detailed", NU_STATS_BUCKETS_DETAILED},
    {"summary", NU_STATS_BUCKETS_SUMMARY},
    {NULL, 0},
};
static const struct word hidden_words[] = {
    {"include", 0},
    {"only", 1},
    {"exclude", 0},
    {NULL, 0},
};

/* An empty value is the default, 0. */
static enum nu_result pick_word(const struct word *words, struct nu_str value, const char *usage,
                                int *out, struct nu_strbuf *error)
{
    *out = 0;
    if (value.len == 0)
        return NU_OK;
    for (; words->text; words++) {
        if (nu_str_eq(value, nu_str_from(words->text))) {
            *out = words->value;
            return NU_OK;
        }
    }
    nu_strbuf_add_cstr(error, usage);
    return NU_INVALID;
}

static enum nu_result set_format(struct nu_stats_options *options, struct nu_str value,
                                 struct nu_strbuf *error)
{
    if (nu_str_eq(value, NU_STR("html")) || nu_str_eq(value, NU_STR("active-html")))
        return NU_UNSUPPORTED;
    int format;
    enum nu_result result = pick_word(
        format_words, value, "usage: /stats?format=(html|active-html|json|prometheus|text)\n\n",
        &format, error);
    options->format = (enum nu_stats_format)format;
    return result;
}

static enum nu_result set_filter(struct nu_stats_options *options, struct nu_str value,
                                 struct nu_strbuf *error)
{
    if (options->filter)
        nu_regex_destroy(&options->filter);
    if (value.len == 0)
        return NU_OK;
    options->filter = nu_regex_create(value, NULL);
    if (options->filter)
        return NU_OK;
    nu_strbuf_add_cstr(error, "Invalid re2 regex");
    return NU_INVALID;
}

enum nu_result nu_stats_options_set(struct nu_stats_options *options, struct nu_str key,
                                    struct nu_str value, struct nu_strbuf *error)
{
    int word = 0;
    enum nu_result result = NU_OK;
    if (nu_str_eq(key, NU_STR("format")))
        return set_format(options, value, error);
    if (nu_str_eq(key, NU_STR("filter")))
        return set_filter(options, value, error);
    if (nu_str_eq(key, NU_STR("usedonly"))) {
        options->used_only = true;
    } else if (nu_str_eq(key, NU_STR("text_readouts"))) {
        options->text_readouts = true;
    } else if (nu_str_eq(key, NU_STR("type"))) {
        result = pick_word(type_words, value, "invalid &type= param", &word, error);
        options->type = (enum nu_stats_type)word;
    } else if (nu_str_eq(key, NU_STR("histogram_buckets"))) {
        result =
            pick_word(bucket_words, value,
                      "usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary)\n",
                      &word, error);
        options->buckets = (enum nu_stats_buckets)word;
    } else if (nu_str_eq(key, NU_STR("hidden"))) {
        result = pick_word(hidden_words, value, "usage: /stats?hidden=(include|only|exclude)\n\n",
                           &word, error);
        options->hidden_only = word != 0;
    }
    return result;
}

enum nu_result nu_stats_options_check(const struct nu_stats_options *options,
                                      struct nu_strbuf *error)
{
    bool is_other = options->buckets == NU_STATS_BUCKETS_DISJOINT ||
                    options->buckets == NU_STATS_BUCKETS_DETAILED;
    if (options->format != NU_STATS_PROMETHEUS || !is_other)
        return NU_OK;
    nu_strbuf_add_cstr(error, "unsupported prometheus histogram bucket mode");
    return NU_INVALID;
}

/* --- Slices --- */

struct nu_stats_render *nu_stats_render_create(struct nu_stats *stats,
                                               struct nu_stats_options *options)
{
    struct nu_stats_render *render = nu_calloc(1, sizeof(*render));
    nu_custom_stats_list(stats);
    render->stats = stats;
    render->options = *options;
    *options = (struct nu_stats_options){0};
    switch (render->options.format) {
    case NU_STATS_TEXT:
        render->step = nu_stats_render_text_step;
        break;
    case NU_STATS_JSON:
        render->step = nu_stats_render_json_step;
        break;
    case NU_STATS_PROMETHEUS:
        render->step = nu_stats_render_prometheus_step;
        nu_stats_render_prometheus_begin(render);
        break;
    }
    return render;
}

void nu_stats_render_destroy(struct nu_stats_render **render)
{
    struct nu_stats_render *old = *render;
    if (!old)
        return;
    if (old->is_walking)
        nu_stat_walk_finish(&old->walk);
    if (old->options.format == NU_STATS_PROMETHEUS)
        nu_stats_render_prometheus_end(old);
    nu_stats_options_finish(&old->options);
    nu_strbuf_finish(&old->scratch);
    nu_free(old);
    *render = NULL;
}

/* What looking at a statistic costs when nothing is printed for it, measured in bytes of output. */
enum { STEP_WORK = 64 };

bool nu_stats_render_next(struct nu_stats_render *render, struct nu_strbuf *out, size_t max_bytes)
{
    size_t work = 0;
    while (work < max_bytes) {
        size_t before = out->len;
        render->extra_work = 0;
        if (!render->step(render, out))
            return false;
        work += nu_max_size(out->len - before, STEP_WORK) + render->extra_work;
    }
    return true;
}

/* --- What text and JSON share --- */

static bool type_is_wanted(const struct nu_stats_render *render, unsigned kind)
{
    switch (render->options.type) {
    case NU_STATS_ALL:
        return true;
    case NU_STATS_COUNTERS:
        return nu_stat_metric_kind(kind) == NU_METRIC_COUNTER;
    case NU_STATS_GAUGES:
        return nu_stat_metric_kind(kind) == NU_METRIC_GAUGE;
    case NU_STATS_HISTOGRAMS:
        return nu_stat_metric_kind(kind) == NU_METRIC_HISTOGRAM;
    case NU_STATS_TEXT_READOUTS:
        return nu_stat_metric_kind(kind) == NU_METRIC_TEXT;
    }
    return false;
}

static bool is_used(const struct nu_stat_ref *ref)
{
    switch (nu_stat_kind_phase(nu_stat_desc_at(ref->set->layout, ref->position)->kind)) {
    case NU_STAT_PHASE_TEXTS:
        return nu_stat_read_text(ref->set, ref->position).len > 0;
    case NU_STAT_PHASE_HISTOGRAMS:
        return nu_stat_read_histogram(ref->set, ref->position) != NULL;
    case NU_STAT_PHASE_NUMBERS:
    case NU_STAT_PHASE_COUNT:
        break;
    }
    return nu_stat_read(ref->set, ref->position).used;
}

bool nu_stats_render_wants(const struct nu_stats_render *render, const struct nu_stat_ref *ref)
{
    const struct nu_stats_options *options = &render->options;
    if (options->hidden_only ||
        !type_is_wanted(render, nu_stat_desc_at(ref->set->layout, ref->position)->kind))
        return false;
    if (options->used_only && !is_used(ref))
        return false;
    return !options->filter || nu_regex_search(options->filter, ref->name);
}

enum nu_stat_walk_result nu_stats_render_walk(struct nu_stats_render *render,
                                              struct nu_stat_ref *ref)
{
    for (; render->phase < NU_STAT_PHASE_COUNT; render->phase++) {
        if (nu_stats_rows_are_due(render))
            return NU_STAT_WALK_ON;
        if (!render->is_walking) {
            nu_stat_walk_init(&render->walk, render->stats, (enum nu_stat_phase)render->phase);
            render->walk.used_only = render->options.used_only;
            render->is_walking = true;
        }
        enum nu_stat_walk_result result = nu_stat_walk_next(&render->walk, ref);
        if (result == NU_STAT_WALK_ON)
            render->extra_work = NU_STAT_WALK_ON_WORK;
        if (result != NU_STAT_WALK_END)
            return result;
        nu_stat_walk_finish(&render->walk);
        render->is_walking = false;
    }
    return NU_STAT_WALK_END;
}

void nu_histogram_figures(const struct nu_histogram_state *state, struct nu_histogram_figures *out)
{
    nu_histogram_quantiles(state ? state->interval : NULL, nu_histogram_quantile_list,
                           NU_HISTOGRAM_QUANTILES, out->interval_quantiles);
    nu_histogram_quantiles(state ? state->total : NULL, nu_histogram_quantile_list,
                           NU_HISTOGRAM_QUANTILES, out->total_quantiles);
}

static void make_disjoint(uint64_t *counts)
{
    for (unsigned i = NU_HISTOGRAM_BOUNDS; i-- > 1;)
        counts[i] -= counts[i - 1];
}

void nu_histogram_bucket_counts(const struct nu_histogram_state *state, bool disjoint,
                                struct nu_histogram_counts *out)
{
    nu_histogram_counts_below(state ? state->interval : NULL, nu_histogram_bound_list,
                              NU_HISTOGRAM_BOUNDS, out->interval);
    nu_histogram_counts_below(state ? state->total : NULL, nu_histogram_bound_list,
                              NU_HISTOGRAM_BOUNDS, out->total);
    if (disjoint) {
        make_disjoint(out->interval);
        make_disjoint(out->total);
    }
}
