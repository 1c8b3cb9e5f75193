/* SPDX-License-Identifier: Apache-2.0 */
/* Text: "name: value", a line each; of histograms the quantiles, the buckets or all there is. */
#include "stats/number_internal.h"
#include "stats/render_internal.h"

static void add_quantile_name(struct nu_strbuf *out, double quantile)
{
    nu_strbuf_add_char(out, 'P');
    nu_stat_add_plain(out, 100 * quantile);
}

/* P0(interval,total) P25(...) ... */
static void add_summary(const struct nu_histogram_state *state, struct nu_strbuf *out)
{
    struct nu_histogram_figures figures;
    nu_histogram_figures(state, &figures);
    for (unsigned i = 0; i < NU_HISTOGRAM_QUANTILES; i++) {
        if (i > 0)
            nu_strbuf_add_char(out, ' ');
        add_quantile_name(out, nu_histogram_quantile_list[i]);
        nu_strbuf_add_char(out, '(');
        nu_stat_add_plain(out, figures.interval_quantiles[i]);
        nu_strbuf_add_char(out, ',');
        nu_stat_add_plain(out, figures.total_quantiles[i]);
        nu_strbuf_add_char(out, ')');
    }
}

/* B0.5(interval,total) B1(...) ... */
static void add_buckets(const struct nu_histogram_state *state, bool disjoint,
                        struct nu_strbuf *out)
{
    struct nu_histogram_counts counts;
    nu_histogram_bucket_counts(state, disjoint, &counts);
    for (unsigned i = 0; i < NU_HISTOGRAM_BOUNDS; i++) {
        nu_strbuf_add_cstr(out, i > 0 ? " B" : "B");
        nu_stat_add_digits(out, nu_histogram_bound_list[i], 6);
        nu_strbuf_add_char(out, '(');
        nu_strbuf_add_u64(out, counts.interval[i]);
        nu_strbuf_add_char(out, ',');
        nu_strbuf_add_u64(out, counts.total[i]);
        nu_strbuf_add_char(out, ')');
    }
}

/* start,width:count, ... */
static void add_bins(const char *title, const struct nu_histogram_snapshot *snapshot,
                     struct nu_strbuf *out)
{
    nu_strbuf_add_cstr(out, title);
    for (uint32_t i = 0; snapshot && i < snapshot->bucket_count; i++) {
        const struct nu_histogram_bucket *bucket = &snapshot->buckets[i];
        if (i > 0)
            nu_strbuf_add_cstr(out, ", ");
        nu_stat_add_digits(out, nu_histogram_bin_start(bucket->bin), 15);
        nu_strbuf_add_char(out, ',');
        nu_stat_add_digits(out, nu_histogram_bin_width(bucket->bin), 15);
        nu_strbuf_add_char(out, ':');
        nu_strbuf_add_u64(out, bucket->count);
    }
}

static void add_histogram(enum nu_stats_buckets mode, const struct nu_histogram_state *state,
                          struct nu_strbuf *out)
{
    if (!state) {
        nu_strbuf_add_cstr(out, " No recorded values");
        return;
    }
    switch (mode) {
    case NU_STATS_BUCKETS_DEFAULT:
    case NU_STATS_BUCKETS_SUMMARY:
        nu_strbuf_add_char(out, ' ');
        add_summary(state, out);
        break;
    case NU_STATS_BUCKETS_CUMULATIVE:
    case NU_STATS_BUCKETS_DISJOINT:
        nu_strbuf_add_char(out, ' ');
        add_buckets(state, mode == NU_STATS_BUCKETS_DISJOINT, out);
        break;
    case NU_STATS_BUCKETS_DETAILED:
        add_bins("\n  totals=", state->total, out);
        add_bins("\n  intervals=", state->interval, out);
        nu_strbuf_add_cstr(out, "\n  summary=");
        add_summary(state, out);
        break;
    }
}

static void add_value(const struct nu_stats_render *render, const struct nu_stat_ref *ref,
                      struct nu_strbuf *out)
{
    switch (nu_stat_kind_phase(nu_stat_desc_at(ref->set->layout, ref->position)->kind)) {
    case NU_STAT_PHASE_TEXTS: /* as it is: Envoy escapes nothing here */
        nu_strbuf_add_cstr(out, " \"");
        nu_strbuf_add(out, nu_stat_read_text(ref->set, ref->position));
        nu_strbuf_add_char(out, '"');
        break;
    case NU_STAT_PHASE_HISTOGRAMS:
        add_histogram(render->options.buckets, nu_stat_read_histogram(ref->set, ref->position),
                      out);
        break;
    case NU_STAT_PHASE_NUMBERS:
    case NU_STAT_PHASE_COUNT:
        nu_strbuf_add_char(out, ' ');
        nu_strbuf_add_u64(out, nu_stat_read(ref->set, ref->position).value);
        break;
    }
}

static void add_figure(struct nu_stats_render *render, struct nu_strbuf *out)
{
    uint64_t value;
    if (!nu_stats_rows_next(render, &value))
        return;
    nu_strbuf_add(out, nu_strbuf_str(&render->scratch));
    nu_strbuf_add(out, NU_STR(": "));
    nu_strbuf_add_u64(out, value);
    nu_strbuf_add_char(out, '\n');
}

bool nu_stats_render_text_step(struct nu_stats_render *render, struct nu_strbuf *out)
{
    if (nu_stats_rows_are_due(render)) {
        add_figure(render, out);
        return true;
    }
    struct nu_stat_ref ref;
    enum nu_stat_walk_result result = nu_stats_render_walk(render, &ref);
    if (result == NU_STAT_WALK_END)
        return false;
    if (result == NU_STAT_WALK_ON || !nu_stats_render_wants(render, &ref))
        return true;
    nu_strbuf_add(out, ref.name);
    nu_strbuf_add_char(out, ':');
    add_value(render, &ref, out);
    nu_strbuf_add_char(out, '\n');
    return true;
}
