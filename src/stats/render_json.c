/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: one array of {"name", "value"}, its last element an object with all histograms, if any is
 * shown. The shape of that object depends on the bucket mode and is Envoy's, oddities included.
 */
#include <math.h>

#include "stats/number_internal.h"
#include "stats/render_internal.h"

static void add_number(struct nu_stats_render *render, double value)
{
    nu_strbuf_clear(&render->scratch);
    nu_stat_add_json(&render->scratch, value);
    nu_json_raw(&render->json, nu_strbuf_str(&render->scratch));
}

static void add_member_number(struct nu_stats_render *render, const char *key, double value)
{
    nu_json_key(&render->json, nu_str_from(key));
    add_number(render, value);
}

static void add_member_u64(struct nu_json *json, const char *key, uint64_t value)
{
    nu_json_key(json, nu_str_from(key));
    nu_json_u64(json, value);
}

static void begin_list(struct nu_json *json, const char *key)
{
    nu_json_key(json, nu_str_from(key));
    nu_json_array_begin(json);
}

static bool is_bucket_mode(const struct nu_stats_render *render)
{
    return render->options.buckets == NU_STATS_BUCKETS_CUMULATIVE ||
           render->options.buckets == NU_STATS_BUCKETS_DISJOINT;
}

/* --- The object of all histograms --- */

static void begin_histograms(struct nu_stats_render *render)
{
    struct nu_json *json = &render->json;
    nu_json_object_begin(json);
    if (is_bucket_mode(render)) {
        begin_list(json, "histograms");
        return;
    }
    bool detailed = render->options.buckets == NU_STATS_BUCKETS_DETAILED;
    nu_json_key(json, NU_STR("histograms"));
    nu_json_object_begin(json);
    begin_list(json, detailed ? "supported_percentiles" : "supported_quantiles");
    for (unsigned i = 0; i < NU_HISTOGRAM_QUANTILES; i++)
        add_number(render, 100 * nu_histogram_quantile_list[i]);
    nu_json_array_end(json);
    begin_list(json, detailed ? "details" : "computed_quantiles");
}

static void end_histograms(struct nu_stats_render *render)
{
    nu_json_array_end(&render->json);
    if (!is_bucket_mode(render))
        nu_json_object_end(&render->json);
    nu_json_object_end(&render->json);
}

static void add_quantiles(struct nu_stats_render *render, const char *key,
                          const struct nu_histogram_state *state)
{
    struct nu_json *json = &render->json;
    struct nu_histogram_figures figures;
    nu_histogram_figures(state, &figures);
    begin_list(json, key);
    for (unsigned i = 0; i < NU_HISTOGRAM_QUANTILES; i++) {
        nu_json_object_begin(json);
        add_member_number(render, "cumulative", figures.total_quantiles[i]);
        add_member_number(render, "interval", figures.interval_quantiles[i]);
        nu_json_object_end(json);
    }
    nu_json_array_end(json);
}

static void add_bins(struct nu_stats_render *render, const char *key,
                     const struct nu_histogram_snapshot *snapshot)
{
    struct nu_json *json = &render->json;
    begin_list(json, key);
    for (uint32_t i = 0; snapshot && i < snapshot->bucket_count; i++) {
        const struct nu_histogram_bucket *bucket = &snapshot->buckets[i];
        nu_json_object_begin(json);
        add_member_number(render, "lower_bound", nu_histogram_bin_start(bucket->bin));
        add_member_number(render, "width", nu_histogram_bin_width(bucket->bin));
        add_member_u64(json, "count", bucket->count);
        nu_json_object_end(json);
    }
    nu_json_array_end(json);
}

static void add_buckets(struct nu_stats_render *render, const struct nu_histogram_state *state)
{
    struct nu_json *json = &render->json;
    struct nu_histogram_counts counts;
    nu_histogram_bucket_counts(state, render->options.buckets == NU_STATS_BUCKETS_DISJOINT,
                               &counts);
    begin_list(json, "buckets");
    for (unsigned i = 0; i < NU_HISTOGRAM_BOUNDS; i++) {
        nu_json_object_begin(json);
        add_member_number(render, "upper_bound", nu_histogram_bound_list[i]);
        add_member_u64(json, "interval", counts.interval[i]);
        add_member_u64(json, "cumulative", counts.total[i]);
        nu_json_object_end(json);
    }
    nu_json_array_end(json);
}

static void add_histogram(struct nu_stats_render *render, const struct nu_histogram_state *state)
{
    switch (render->options.buckets) {
    case NU_STATS_BUCKETS_DEFAULT:
    case NU_STATS_BUCKETS_SUMMARY:
        add_quantiles(render, "values", state);
        break;
    case NU_STATS_BUCKETS_CUMULATIVE:
    case NU_STATS_BUCKETS_DISJOINT:
        add_buckets(render, state);
        break;
    case NU_STATS_BUCKETS_DETAILED:
        add_bins(render, "totals", state ? state->total : NULL);
        add_bins(render, "intervals", state ? state->interval : NULL);
        add_quantiles(render, "percentiles", state);
        break;
    }
}

/* --- Steps --- */

static void begin_document(struct nu_stats_render *render)
{
    render->is_begun = true;
    nu_json_init(&render->json, render->json.out, false);
    nu_json_object_begin(&render->json);
    begin_list(&render->json, "stats");
}

static void end_document(struct nu_stats_render *render)
{
    if (render->has_histograms)
        end_histograms(render);
    nu_json_array_end(&render->json);
    nu_json_object_end(&render->json);
}

static void add_stat(struct nu_stats_render *render, const struct nu_stat_ref *ref)
{
    struct nu_json *json = &render->json;
    enum nu_stat_phase phase =
        nu_stat_kind_phase(nu_stat_desc_at(ref->set->layout, ref->position)->kind);
    if (phase == NU_STAT_PHASE_HISTOGRAMS && !render->has_histograms) {
        begin_histograms(render);
        render->has_histograms = true;
    }
    nu_json_object_begin(json);
    nu_json_key(json, NU_STR("name"));
    nu_json_string(json, ref->name);
    if (phase == NU_STAT_PHASE_HISTOGRAMS) {
        add_histogram(render, nu_stat_read_histogram(ref->set, ref->position));
    } else if (phase == NU_STAT_PHASE_TEXTS) {
        nu_json_key(json, NU_STR("value"));
        nu_json_string(json, nu_stat_read_text(ref->set, ref->position));
    } else {
        add_member_u64(json, "value", nu_stat_read(ref->set, ref->position).value);
    }
    nu_json_object_end(json);
}

static void add_figure(struct nu_stats_render *render)
{
    uint64_t value;
    if (!nu_stats_rows_next(render, &value))
        return;
    nu_json_object_begin(&render->json);
    nu_json_key(&render->json, NU_STR("name"));
    nu_json_string(&render->json, nu_strbuf_str(&render->scratch));
    add_member_u64(&render->json, "value", value);
    nu_json_object_end(&render->json);
}

bool nu_stats_render_json_step(struct nu_stats_render *render, struct nu_strbuf *out)
{
    render->json.out = out;
    if (!render->is_begun)
        begin_document(render);
    if (nu_stats_rows_are_due(render)) {
        add_figure(render);
        return true;
    }
    struct nu_stat_ref ref;
    enum nu_stat_walk_result result = nu_stats_render_walk(render, &ref);
    if (result == NU_STAT_WALK_END)
        end_document(render);
    else if (result == NU_STAT_WALK_FOUND && nu_stats_render_wants(render, &ref))
        add_stat(render, &ref);
    return result != NU_STAT_WALK_END;
}
