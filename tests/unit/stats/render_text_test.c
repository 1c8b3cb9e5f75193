/* SPDX-License-Identifier: Apache-2.0 */
/* The text format. */
#include "fixture.h"

TEST(texts_come_first_then_numbers_by_name_then_histograms)
{
    struct sample f = sample_open("cluster.c");
    check_render(f.stats, "",
                 "cluster.c.version_text: \"\"\n"
                 "cluster.c.ant_total: 0\n"
                 "cluster.c.cx_active: 0\n"
                 "cluster.c.zebra_total: 0\n"
                 "cluster.c.size: No recorded values\n");
    nu_counter_add(&f.block->ant_total, 12345678901234567890u);
    nu_gauge_set(&f.block->cx_active, 3);
    nu_text_set(&f.block->version_text, NU_STR("v1 \"q\"\n\\x"));
    nu_codes_inc(&f.block->upstream_rq, 503);
    nu_codes_inc(&f.block->upstream_rq, 200);
    nu_codes_inc(&f.block->upstream_rq, 600);
    nu_counter_inc(&f.block->rare);
    check_render(f.stats, "",
                 "cluster.c.version_text: \"v1 \"q\"\n\\x\"\n"
                 "cluster.c.ant_total: 12345678901234567890\n"
                 "cluster.c.cx_active: 3\n"
                 "cluster.c.rare: 1\n"
                 "cluster.c.upstream_rq_200: 1\n"
                 "cluster.c.upstream_rq_2xx: 1\n"
                 "cluster.c.upstream_rq_503: 1\n"
                 "cluster.c.upstream_rq_5xx: 1\n"
                 "cluster.c.upstream_rq_unknown: 1\n"
                 "cluster.c.zebra_total: 0\n"
                 "cluster.c.size: No recorded values\n");
    sample_close(&f);
}

TEST(nested_prefixes_are_in_one_order)
{
    static const char *const prefixes[] = {"cluster.c.circuit", "cluster.c-x", "cluster",
                                           "cluster.c.rare",    "a",           "cluster.d"};
    struct sample f = sample_open("cluster.c");
    static struct nu_stat_set *sets[NU_ARRAY_LEN(prefixes)];
    for (size_t i = 0; i < NU_ARRAY_LEN(prefixes); i++)
        sets[i] = nu_stat_set_create(f.stats, &sample_stats_table, nu_str_from(prefixes[i]));
    check_render(f.stats, "type=Gauges",
                 "a.cx_active: 0\n"
                 "cluster.c-x.cx_active: 0\n"
                 "cluster.c.circuit.cx_active: 0\n"
                 "cluster.c.cx_active: 0\n"
                 "cluster.c.rare.cx_active: 0\n"
                 "cluster.cx_active: 0\n"
                 "cluster.d.cx_active: 0\n");
    for (size_t i = 0; i < NU_ARRAY_LEN(prefixes); i++)
        nu_stat_set_destroy(&sets[i]);
    sample_close(&f);
}

TEST(names_are_in_envoys_order)
{
    static const char *const lines[] = {
#define TEXT(line) line,
#define PROM(line)
#include "envoy_order.inc"
#undef TEXT
#undef PROM
    };
    static struct single singles[NU_ARRAY_LEN(lines)];
    struct nu_stats *stats = nu_stats_create();
    struct nu_strbuf expected = {0};
    for (size_t i = NU_ARRAY_LEN(lines); i-- > 0;) {
        char *name = nu_strndup(lines[i], strlen(lines[i]) - strlen(": 0"));
        single_create(&singles[i], stats, name);
        singles[i].prefix = name;
    }
    for (size_t i = 0; i < NU_ARRAY_LEN(lines); i++)
        nu_strbuf_addf(&expected, "%s\n", lines[i]);
    check_render(stats, "", expected.data);
    nu_strbuf_finish(&expected);
    nu_stats_destroy(&stats);
    for (size_t i = 0; i < NU_ARRAY_LEN(lines); i++)
        nu_free(singles[i].prefix);
}

TEST(used_only_shows_what_was_ever_changed)
{
    struct sample f = sample_open("cluster.c");
    check_render(f.stats, "usedonly", "");
    nu_gauge_set(&f.block->cx_active, 0);
    nu_counter_inc(&f.block->ant_total);
    nu_stats_reset_counters(f.stats);
    nu_histogram_record(&f.block->size, 5);
    check_render(f.stats, "usedonly", "cluster.c.ant_total: 0\ncluster.c.cx_active: 0\n");
    nu_stats_flush(f.stats);
    check_render(f.stats, "usedonly&filter=size",
                 "cluster.c.size: P0(5,5) P25(5.025,5.025) P50(5.05,5.05) P75(5.075,5.075) "
                 "P90(5.09,5.09) P95(5.095,5.095) P99(5.099,5.099) P99.5(5.0995,5.0995) "
                 "P99.9(5.0999,5.0999) P100(5.1,5.1)\n");
    sample_close(&f);
}

TEST(a_filter_may_match_any_part_of_the_full_name)
{
    struct sample f = sample_open("cluster.c");
    check_render(f.stats, "filter=c\\.(ant|z)",
                 "cluster.c.ant_total: 0\ncluster.c.zebra_total: 0\n");
    check_render(f.stats, "filter=^ant", "");
    sample_close(&f);
}

TEST(a_type_shows_one_kind)
{
    struct sample f = sample_open("cluster.c");
    nu_codes_inc(&f.block->upstream_rq, 204);
    check_render(f.stats, "type=Counters",
                 "cluster.c.ant_total: 0\ncluster.c.upstream_rq_204: 1\n"
                 "cluster.c.upstream_rq_2xx: 1\ncluster.c.zebra_total: 0\n");
    check_render(f.stats, "type=Gauges", "cluster.c.cx_active: 0\n");
    check_render(f.stats, "type=Histograms", "cluster.c.size: No recorded values\n");
    check_render(f.stats, "type=TextReadouts", "cluster.c.version_text: \"\"\n");
    check_render(f.stats, "hidden=only", "");
    sample_close(&f);
}

/* The texts are Envoy's, for the same samples. */
static const char both_summary[] =
    "P0(1,1) P25(3.075,3.075) P50(125,125) P75(2025000,2025000) P90(12300000,12300000) "
    "P95(12650000,12650000) P99(12930000,12930000) P99.5(12965000,12965000) "
    "P99.9(12993000,12993000) P100(13000000,13000000)";
static const char total_summary[] =
    "P0(nan,1) P25(nan,3.075) P50(nan,125) P75(nan,2025000) P90(nan,12300000) "
    "P95(nan,12650000) P99(nan,12930000) P99.5(nan,12965000) P99.9(nan,12993000) "
    "P100(nan,13000000)";
static const char bins[] =
    "1,0.1:1, 3,0.1:1, 7,0.1:1, 120,10:1, 1200000,100000:1, 2000000,100000:1, 12000000,1000000:1";

static void check_size(struct nu_stats *stats, const char *query, char *expected)
{
    check_render(stats, query, expected);
    nu_free(expected);
}

TEST(a_histogram_shows_the_last_interval_and_all)
{
    struct sample f = sample_open("cluster.c");
    record_sizes(&f.block->size);
    check_render(f.stats, "filter=size", "cluster.c.size: No recorded values\n");
    nu_stats_flush(f.stats);
    check_size(f.stats, "filter=size", nu_asprintf("cluster.c.size: %s\n", both_summary));
    check_size(f.stats, "filter=size&histogram_buckets=detailed",
               nu_asprintf("cluster.c.size:\n  totals=%s\n  intervals=%s\n  summary=%s\n", bins,
                           bins, both_summary));
    nu_stats_flush(f.stats);
    check_size(f.stats, "filter=size&histogram_buckets=summary",
               nu_asprintf("cluster.c.size: %s\n", total_summary));
    check_size(f.stats, "filter=size&histogram_buckets=detailed",
               nu_asprintf("cluster.c.size:\n  totals=%s\n  intervals=\n  summary=%s\n", bins,
                           total_summary));
    sample_close(&f);
}

TEST(a_histogram_shows_buckets)
{
    struct sample f = sample_open("cluster.c");
    record_sizes(&f.block->size);
    nu_stats_flush(f.stats);
    check_render(f.stats, "filter=size&histogram_buckets=disjoint",
                 "cluster.c.size: B0.5(0,0) B1(0,0) B5(2,2) B10(1,1) B25(0,0) B50(0,0) B100(0,0) "
                 "B250(1,1) B500(0,0) B1000(0,0) B2500(0,0) B5000(0,0) B10000(0,0) B30000(0,0) "
                 "B60000(0,0) B300000(0,0) B600000(0,0) B1.8e+06(1,1) B3.6e+06(1,1)\n");
    nu_stats_flush(f.stats);
    check_render(f.stats, "filter=size&histogram_buckets=cumulative",
                 "cluster.c.size: B0.5(0,0) B1(0,0) B5(0,2) B10(0,3) B25(0,3) B50(0,3) B100(0,3) "
                 "B250(0,4) B500(0,4) B1000(0,4) B2500(0,4) B5000(0,4) B10000(0,4) B30000(0,4) "
                 "B60000(0,4) B300000(0,4) B600000(0,4) B1.8e+06(0,5) B3.6e+06(0,6)\n");
    sample_close(&f);
}

TEST(a_histogram_merges_threads)
{
    struct sample f = sample_open("cluster.c");
    nu_thread_index_ = 1;
    struct sample_stats *other = nu_stat_set_block(f.set);
    nu_thread_index_ = 0;
    nu_histogram_record(&f.block->size, 10);
    nu_histogram_record(&other->size, 20);
    nu_histogram_record(&other->rare_time, 1);
    nu_stats_flush(f.stats);
    check_render(f.stats, "type=Histograms&histogram_buckets=detailed&filter=size",
                 "cluster.c.size:\n  totals=10,1:1, 20,1:1\n  intervals=10,1:1, 20,1:1\n"
                 "  summary=P0(10,10) P25(10.5,10.5) P50(11,11) P75(20.5,20.5) P90(20.8,20.8) "
                 "P95(20.9,20.9) P99(20.98,20.98) P99.5(20.99,20.99) P99.9(20.998,20.998) "
                 "P100(21,21)\n");
    check_render(f.stats, "type=Histograms&filter=rare&histogram_buckets=detailed",
                 "cluster.c.rare_time:\n  totals=1,0.1:1\n  intervals=1,0.1:1\n"
                 "  summary=P0(1,1) P25(1.025,1.025) P50(1.05,1.05) P75(1.075,1.075) "
                 "P90(1.09,1.09) P95(1.095,1.095) P99(1.099,1.099) P99.5(1.0995,1.0995) "
                 "P99.9(1.0999,1.0999) P100(1.1,1.1)\n");
    sample_close(&f);
}

/* Every second set goes and others come while the text is made: those that stay appear once. */
TEST(sets_may_come_and_go_between_slices)
{
    enum { COUNT = 60 };
    static struct nu_stat_set *sets[COUNT];
    struct nu_stats *stats = nu_stats_create();
    char prefix[40];
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(prefix, sizeof(prefix), "cluster.c%02u%s", i, i % 3 ? "" : ".x");
        sets[i] = nu_stat_set_create(stats, &sample_stats_table, nu_str_from(prefix));
    }
    struct nu_stats_options options = {0};
    struct nu_stats_render *render = nu_stats_render_create(stats, &options);
    struct nu_strbuf out = {0};
    for (unsigned turn = 0; nu_stats_render_next(render, &out, 200); turn++) {
        if (turn >= COUNT)
            continue;
        unsigned victim = turn * 7 % COUNT;
        if (victim % 2)
            nu_stat_set_destroy(&sets[victim]);
        snprintf(prefix, sizeof(prefix), "cluster.c%02u.new%u", turn * 13 % COUNT, turn);
        nu_stat_set_create(stats, &sample_stats_table, nu_str_from(prefix));
    }
    for (unsigned i = 0; i < COUNT; i += 2) {
        char line[64];
        snprintf(line, sizeof(line), "\ncluster.c%02u%s.ant_total: 0\n", i, i % 3 ? "" : ".x");
        const char *at = strstr(out.data, line);
        assert_non_null(at);
        assert_null(strstr(at + 1, line));
    }
    nu_strbuf_finish(&out);
    nu_stats_render_destroy(&render);
    nu_stats_destroy(&stats);
    assert_int_equal(nu_stats_memory_bytes(), 0);
}

TEST(a_slice_stops_after_its_bytes)
{
    struct sample f = sample_open("cluster.c");
    struct nu_stats_options options = options_of("type=Counters");
    struct nu_stats_render *render = nu_stats_render_create(f.stats, &options);
    struct nu_strbuf out = {0};
    assert_true(nu_stats_render_next(render, &out, 1));
    assert_true(nu_stats_render_next(render, &out, 1));
    assert_str(nu_strbuf_str(&out), "cluster.c.ant_total: 0\n");
    nu_strbuf_finish(&out);
    nu_stats_render_destroy(&render);
    sample_close(&f);
}

TEST_MAIN()
