/* SPDX-License-Identifier: Apache-2.0 */
/* What the rendering tests share: a small table, other threads, and whole renderings. */
#ifndef NU_TESTS_STATS_FIXTURE_H
#define NU_TESTS_STATS_FIXTURE_H

#include "harness/test.h"

#include "base/alloc.h"
#include "base/regex.h"
#include "base/thread.h"
#include "stats/render.h"
#include "stats/stats.h"
#include "stats/tags.h"

#define SAMPLE_STATS(X, S) \
    X(S, COUNTER, zebra_total, "Zebras.") \
    X(S, COUNTER, ant_total, "Ants.") \
    X(S, GAUGE, cx_active, "Connections.") \
    X(S, CODES, upstream_rq, "Answers.") \
    X(S, LAZY_COUNTER, rare, "Seldom.") \
    X(S, LAZY_HISTOGRAM, rare_time, "Seldom.") \
    X(S, TEXT, version_text, "A version.") \
    X(S, HISTOGRAM, size, "Sizes.")

struct sample_stats {
    SAMPLE_STATS(NU_STAT_FIELD, )
};
__attribute__((unused)) NU_STAT_TABLE(sample_stats, SAMPLE_STATS, "sample.<name>", "A sample.");

/* One block of them, under `prefix`. */
struct sample {
    struct nu_stats *stats;
    struct nu_stat_set *set;
    struct sample_stats *block;
};

__attribute__((unused)) static struct sample sample_open(const char *prefix)
{
    struct sample sample = {.stats = nu_stats_create()};
    sample.set = nu_stat_set_create(sample.stats, &sample_stats_table, nu_str_from(prefix));
    sample.block = nu_stat_set_block(sample.set);
    return sample;
}

__attribute__((unused)) static void sample_close(struct sample *sample)
{
    nu_stat_set_destroy(&sample->set);
    nu_stats_destroy(&sample->stats);
    assert_int_equal(nu_stats_memory_bytes(), 0);
}

/* A table of one counter, for names that come one by one. */
struct single_stats {
    struct nu_counter value;
};

struct single {
    struct nu_stat_desc desc;
    struct nu_stat_table table;
    char *prefix;
    struct nu_stat_set *set;
};

/* A counter with that full name, split at its last dot. */
__attribute__((unused)) static void single_create(struct single *single, struct nu_stats *stats,
                                                  const char *name)
{
    const char *dot = strrchr(name, '.');
    const char *own = dot ? dot + 1 : name;
    single->desc = (struct nu_stat_desc){own, "", 0, NU_STAT_COUNTER, (uint8_t)strlen(own)};
    single->table =
        (struct nu_stat_table){"", "", &single->desc, 1, sizeof(struct single_stats), false};
    struct nu_str prefix = dot ? nu_str_make(name, (size_t)(dot - name)) : NU_STR("");
    single->set = nu_stat_set_create(stats, &single->table, prefix);
}

/* A query string, "usedonly&filter=x", as options. */
__attribute__((unused)) static struct nu_stats_options options_of(const char *query)
{
    struct nu_stats_options options = {0};
    struct nu_strbuf error = {0};
    for (struct nu_str rest = nu_str_from(query); rest.ptr;) {
        struct nu_str value = nu_str_split(&rest, '&');
        struct nu_str key = nu_str_split(&value, '=');
        assert_int_equal(nu_stats_options_set(&options, key, value, &error), NU_OK);
    }
    nu_strbuf_finish(&error);
    return options;
}

/* A whole rendering in slices of that size, for the caller to free. */
__attribute__((unused)) static char *render_sliced(struct nu_stats *stats, const char *query,
                                                   size_t slice)
{
    struct nu_stats_options options = options_of(query);
    struct nu_stats_render *render = nu_stats_render_create(stats, &options);
    struct nu_strbuf out = {0};
    while (nu_stats_render_next(render, &out, slice))
        continue;
    nu_stats_render_destroy(&render);
    return nu_strbuf_take(&out);
}

__attribute__((unused)) static void check_render_(struct nu_stats *stats, const char *query,
                                                  const char *expected, const char *file, int line)
{
    static const size_t slices[] = {1, 100, 1000000};
    for (size_t i = 0; i < NU_ARRAY_LEN(slices); i++) {
        char *text = render_sliced(stats, query, slices[i]);
        nu_assert_str_(nu_str_from(text), nu_str_from(expected), file, line);
        nu_free(text);
    }
}
/* The rendering is that text, whatever the size of the slices. */
#define check_render(stats, query, expected) \
    check_render_(stats, query, expected, __FILE__, __LINE__)

/* The sizes for which the expected texts of histograms were recorded from Envoy. */
__attribute__((unused)) static void record_sizes(struct nu_histogram *histogram)
{
    static const uint64_t sizes[] = {1, 3, 7, 120, 1230000, 2000000, 12345678};
    for (size_t i = 0; i < NU_ARRAY_LEN(sizes); i++)
        nu_histogram_record(histogram, sizes[i]);
}

#endif
