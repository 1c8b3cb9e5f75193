/* SPDX-License-Identifier: Apache-2.0 */
/* The Prometheus format; expected texts are Envoy's for the same names and samples. */
#include "fixture.h"

TEST(series_and_their_order_are_envoys)
{
    static const char *const names[] = {
#define TEXT(line) line,
#define PROM(line)
#include "envoy_order.inc"
#undef TEXT
#undef PROM
    };
    static const char *const lines[] = {
#define TEXT(line)
#define PROM(line) line,
#include "envoy_order.inc"
#undef TEXT
#undef PROM
    };
    static struct single singles[NU_ARRAY_LEN(names)];
    struct nu_stats *stats = nu_stats_create();
    for (size_t i = 0; i < NU_ARRAY_LEN(names); i++) {
        char *name = nu_strndup(names[i], strlen(names[i]) - strlen(": 0"));
        single_create(&singles[i], stats, name);
        singles[i].prefix = name;
    }
    struct nu_strbuf expected = {0};
    for (size_t i = 0; i < NU_ARRAY_LEN(lines); i++)
        nu_strbuf_addf(&expected, "%s\n", lines[i]);
    check_render(stats, "format=prometheus", expected.data);
    nu_strbuf_finish(&expected);
    nu_stats_destroy(&stats);
    for (size_t i = 0; i < NU_ARRAY_LEN(names); i++)
        nu_free(singles[i].prefix);
}

TEST(codes_are_labels)
{
    static const unsigned codes[] = {200, 204, 404, 503, 599, 600, 200};
    struct sample f = sample_open("cluster.c0");
    struct nu_stat_set *other =
        nu_stat_set_create(f.stats, &sample_stats_table, NU_STR("cluster.b"));
    struct sample_stats *block = nu_stat_set_block(other);
    nu_codes_inc(&block->upstream_rq, 404);
    for (size_t i = 0; i < NU_ARRAY_LEN(codes); i++)
        nu_codes_inc(&f.block->upstream_rq, codes[i]);
    check_render(
        f.stats, "format=prometheus&filter=_rq_",
        "# TYPE envoy_cluster_upstream_rq counter\n"
        "envoy_cluster_upstream_rq{envoy_response_code=\"404\",envoy_cluster_name=\"b\"} 1\n"
        "envoy_cluster_upstream_rq{envoy_response_code=\"200\",envoy_cluster_name=\"c0\"} 2\n"
        "envoy_cluster_upstream_rq{envoy_response_code=\"204\",envoy_cluster_name=\"c0\"} 1\n"
        "envoy_cluster_upstream_rq{envoy_response_code=\"404\",envoy_cluster_name=\"c0\"} 1\n"
        "envoy_cluster_upstream_rq{envoy_response_code=\"503\",envoy_cluster_name=\"c0\"} 1\n"
        "envoy_cluster_upstream_rq{envoy_response_code=\"599\",envoy_cluster_name=\"c0\"} 1\n"
        "# TYPE envoy_cluster_upstream_rq_unknown counter\n"
        "envoy_cluster_upstream_rq_unknown{envoy_cluster_name=\"c0\"} 1\n"
        "# TYPE envoy_cluster_upstream_rq_xx counter\n"
        "envoy_cluster_upstream_rq_xx{envoy_response_code_class=\"4\",envoy_cluster_name="
        "\"b\"} 1\n"
        "envoy_cluster_upstream_rq_xx{envoy_response_code_class=\"2\",envoy_cluster_name="
        "\"c0\"} 3\n"
        "envoy_cluster_upstream_rq_xx{envoy_response_code_class=\"4\",envoy_cluster_name="
        "\"c0\"} 1\n"
        "envoy_cluster_upstream_rq_xx{envoy_response_code_class=\"5\",envoy_cluster_name="
        "\"c0\"} 2\n");
    nu_stat_set_destroy(&other);
    sample_close(&f);
}

#define UNSORTED_STATS(X, S) \
    X(S, COUNTER, downstream_rq_2xx, "Good ones.") \
    X(S, COUNTER, downstream_rq_1xx, "Interim ones.") \
    X(S, COUNTER, downstream_rq_4xx, "Bad ones.")

struct unsorted_stats {
    UNSORTED_STATS(NU_STAT_FIELD, )
};
NU_STAT_TABLE(unsorted_stats, UNSORTED_STATS, "http.<prefix>", "In the order of their use.");

TEST(series_of_one_metric_are_sorted_by_name_whatever_the_table_s_order)
{
    struct nu_stats *stats = nu_stats_create();
    nu_stat_set_create(stats, &unsorted_stats_table, NU_STR("http.e"));
    check_render(stats, "format=prometheus",
                 "# TYPE envoy_http_downstream_rq_xx counter\n"
                 "envoy_http_downstream_rq_xx{envoy_response_code_class=\"1\","
                 "envoy_http_conn_manager_prefix=\"e\"} 0\n"
                 "envoy_http_downstream_rq_xx{envoy_response_code_class=\"2\","
                 "envoy_http_conn_manager_prefix=\"e\"} 0\n"
                 "envoy_http_downstream_rq_xx{envoy_response_code_class=\"4\","
                 "envoy_http_conn_manager_prefix=\"e\"} 0\n");
    nu_stats_destroy(&stats);
}

TEST(kinds_follow_each_other_and_texts_only_on_demand)
{
    struct nu_stats *stats = nu_stats_create();
    struct nu_stat_set *set = nu_stat_set_create(stats, &sample_stats_table, NU_STR("x"));
    struct sample_stats *block = nu_stat_set_block(set);
    nu_text_set(&block->version_text, NU_STR("v1 \"q\"\n\\x"));
    check_render(stats, "format=prometheus&filter=zebra|active|version",
                 "# TYPE envoy_x_zebra_total counter\n"
                 "envoy_x_zebra_total{} 0\n"
                 "# TYPE envoy_x_cx_active gauge\n"
                 "envoy_x_cx_active{} 0\n");
    check_render(stats, "format=prometheus&text_readouts&filter=active|version",
                 "# TYPE envoy_x_cx_active gauge\n"
                 "envoy_x_cx_active{} 0\n"
                 "# TYPE envoy_x_version_text gauge\n"
                 "envoy_x_version_text{text_value=\"v1 \\\"q\\\"\\n\\\\x\"} 0\n");
    nu_stats_destroy(&stats);
}

/* The sizes under the name "size" alone, which has no labels of its own. */
static struct sample setup_sizes(void)
{
    struct sample f = {.stats = nu_stats_create()};
    f.set = nu_stat_set_create(f.stats, &sample_stats_table, NU_STR(""));
    f.block = nu_stat_set_block(f.set);
    record_sizes(&f.block->size);
    nu_stats_flush(f.stats);
    return f;
}

TEST(a_histogram_has_all_buckets)
{
    struct sample f = setup_sizes();
    nu_stats_flush(f.stats);
    check_render(f.stats, "format=prometheus&filter=size",
                 "# TYPE envoy_size histogram\n"
                 "envoy_size_bucket{le=\"0.5\"} 0\n"
                 "envoy_size_bucket{le=\"1\"} 0\n"
                 "envoy_size_bucket{le=\"5\"} 2\n"
                 "envoy_size_bucket{le=\"10\"} 3\n"
                 "envoy_size_bucket{le=\"25\"} 3\n"
                 "envoy_size_bucket{le=\"50\"} 3\n"
                 "envoy_size_bucket{le=\"100\"} 3\n"
                 "envoy_size_bucket{le=\"250\"} 4\n"
                 "envoy_size_bucket{le=\"500\"} 4\n"
                 "envoy_size_bucket{le=\"1000\"} 4\n"
                 "envoy_size_bucket{le=\"2500\"} 4\n"
                 "envoy_size_bucket{le=\"5000\"} 4\n"
                 "envoy_size_bucket{le=\"10000\"} 4\n"
                 "envoy_size_bucket{le=\"30000\"} 4\n"
                 "envoy_size_bucket{le=\"60000\"} 4\n"
                 "envoy_size_bucket{le=\"300000\"} 4\n"
                 "envoy_size_bucket{le=\"600000\"} 4\n"
                 "envoy_size_bucket{le=\"1800000\"} 5\n"
                 "envoy_size_bucket{le=\"3600000\"} 6\n"
                 "envoy_size_bucket{le=\"+Inf\"} 7\n"
                 "envoy_size_sum{} 15800136.150000000372529029846191\n"
                 "envoy_size_count{} 7\n");
    sample_close(&f);
}

TEST(a_summary_is_about_the_last_interval)
{
    struct sample f = setup_sizes();
    check_render(f.stats, "format=prometheus&histogram_buckets=summary&filter=size",
                 "# TYPE envoy_size summary\n"
                 "envoy_size{quantile=\"0\"} 1\n"
                 "envoy_size{quantile=\"0.25\"} 3.075000000000000177635683940025\n"
                 "envoy_size{quantile=\"0.5\"} 125\n"
                 "envoy_size{quantile=\"0.75\"} 2025000\n"
                 "envoy_size{quantile=\"0.9\"} 12300000\n"
                 "envoy_size{quantile=\"0.95\"} 12650000\n"
                 "envoy_size{quantile=\"0.99\"} 12930000\n"
                 "envoy_size{quantile=\"0.995\"} 12965000\n"
                 "envoy_size{quantile=\"0.999\"} 12993000\n"
                 "envoy_size{quantile=\"1\"} 13000000\n"
                 "envoy_size_sum{} 15800136.150000000372529029846191\n"
                 "envoy_size_count{} 7\n");
    nu_stats_flush(f.stats);
    check_render(f.stats, "format=prometheus&histogram_buckets=summary&filter=size",
                 "# TYPE envoy_size summary\n"
                 "envoy_size{quantile=\"0\"} nan\n"
                 "envoy_size{quantile=\"0.25\"} nan\n"
                 "envoy_size{quantile=\"0.5\"} nan\n"
                 "envoy_size{quantile=\"0.75\"} nan\n"
                 "envoy_size{quantile=\"0.9\"} nan\n"
                 "envoy_size{quantile=\"0.95\"} nan\n"
                 "envoy_size{quantile=\"0.99\"} nan\n"
                 "envoy_size{quantile=\"0.995\"} nan\n"
                 "envoy_size{quantile=\"0.999\"} nan\n"
                 "envoy_size{quantile=\"1\"} nan\n"
                 "envoy_size_sum{} 0\n"
                 "envoy_size_count{} 0\n");
    sample_close(&f);
}

TEST(the_labels_of_buckets_follow_the_tags)
{
    struct sample f = sample_open("cluster.c0");
    char *text = render_sliced(f.stats, "format=prometheus&filter=size", 1000);
    assert_non_null(
        strstr(text, "envoy_cluster_size_bucket{envoy_cluster_name=\"c0\",le=\"0.5\"} 0\n"));
    assert_non_null(strstr(text, "envoy_cluster_size_sum{envoy_cluster_name=\"c0\"} 0\n"));
    nu_free(text);
    text = render_sliced(f.stats, "format=prometheus&filter=size&histogram_buckets=summary", 1000);
    assert_non_null(
        strstr(text, "envoy_cluster_size{envoy_cluster_name=\"c0\",quantile=\"0\"} nan\n"));
    nu_free(text);
    sample_close(&f);
}

TEST(used_only_writes_no_type_without_series)
{
    struct sample f = sample_open("cluster.c0");
    nu_counter_inc(&f.block->zebra_total);
    struct nu_stat_set *idle =
        nu_stat_set_create(f.stats, &sample_stats_table, NU_STR("cluster.d"));
    check_render(f.stats, "format=prometheus&usedonly",
                 "# TYPE envoy_cluster_zebra_total counter\n"
                 "envoy_cluster_zebra_total{envoy_cluster_name=\"c0\"} 1\n");
    check_render(f.stats, "format=prometheus&hidden=only", "");
    nu_stat_set_destroy(&idle);
    sample_close(&f);
}

TEST(label_values_are_escaped)
{
    struct nu_stats *stats = nu_stats_create();
    struct nu_stat_set *set =
        nu_stat_set_create(stats, &sample_stats_table, NU_STR("cluster.a\"\\\n"));
    check_render(stats, "format=prometheus&filter=zebra",
                 "# TYPE envoy_cluster_zebra_total counter\n"
                 "envoy_cluster_zebra_total{envoy_cluster_name=\"a\\\"\\\\\\n\"} 0\n");
    nu_stat_set_destroy(&set);
    nu_stats_destroy(&stats);
}

TEST(new_tag_rules_hold_for_sets_that_were_shown)
{
    static const struct nu_stat_tag_rule rules[] = {
        {.name = NU_STR_INIT("zone"), .fixed_value = NU_STR_INIT("a\"b"), .fixed = true},
        {.name = NU_STR_INIT("first"), .regex = NU_STR_INIT("^(cluster\\.(c\\d))")},
        {.name = NU_STR_INIT("across"), .regex = NU_STR_INIT("(0\\.ze(b))ra_total$")},
    };
    struct sample f = sample_open("cluster.c0");
    nu_codes_inc(&f.block->upstream_rq, 200);
    check_render(f.stats, "format=prometheus&filter=zebra",
                 "# TYPE envoy_cluster_zebra_total counter\n"
                 "envoy_cluster_zebra_total{envoy_cluster_name=\"c0\"} 0\n");
    struct nu_strbuf error = {0};
    struct nu_stat_tags_config config = {.rules = rules, .rule_count = NU_ARRAY_LEN(rules)};
    assert_int_equal(nu_stats_set_tags(f.stats, &config, &error), NU_OK);
    check_render(f.stats, "format=prometheus&filter=zebra|ant|_rq_",
                 "# TYPE envoy__ant_total counter\n"
                 "envoy__ant_total{zone=\"a\\\"b\",first=\"c0\"} 0\n"
                 "# TYPE envoy__upstream_rq_200 counter\n"
                 "envoy__upstream_rq_200{zone=\"a\\\"b\",first=\"c0\"} 1\n"
                 "# TYPE envoy__upstream_rq_2xx counter\n"
                 "envoy__upstream_rq_2xx{zone=\"a\\\"b\",first=\"c0\"} 1\n"
                 "# TYPE envoy_ra_total counter\n"
                 "envoy_ra_total{zone=\"a\\\"b\",first=\"c0\",across=\"b\"} 0\n");
    static const struct nu_stat_tag_rule bad = {.name = NU_STR_INIT("bad")};
    config = (struct nu_stat_tags_config){.rules = &bad, .rule_count = 1};
    assert_int_equal(nu_stats_set_tags(f.stats, &config, &error), NU_INVALID);
    assert_true(error.len > 0);
    nu_strbuf_finish(&error);
    sample_close(&f);
}

/* The same as for text: what stays is shown once, each metric under one TYPE line. */
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
    struct nu_stats_options options = options_of("format=prometheus");
    struct nu_stats_render *render = nu_stats_render_create(stats, &options);
    struct nu_strbuf out = {0};
    unsigned changes = 0;
    while (nu_stats_render_next(render, &out, 500)) {
        if (out.len == 0 || changes >= COUNT)
            continue;
        unsigned victim = changes * 7 % COUNT;
        if (victim % 2)
            nu_stat_set_destroy(&sets[victim]);
        snprintf(prefix, sizeof(prefix), "cluster.c%02u.new%u", changes * 13 % COUNT, changes);
        nu_stat_set_create(stats, &sample_stats_table, nu_str_from(prefix));
        changes++;
    }
    assert_int_equal(changes, COUNT);
    for (unsigned i = 0; i < COUNT; i += 2) {
        char line[100];
        snprintf(line, sizeof(line),
                 "\nenvoy_cluster_%szebra_total{envoy_cluster_name=\"c%02u\"} 0\n",
                 i % 3 ? "" : "x_", i);
        const char *at = strstr(out.data, line);
        assert_non_null(at);
        assert_null(strstr(at + 1, line));
    }
    const char *type = "# TYPE envoy_cluster_zebra_total counter\n";
    const char *at = strstr(out.data, type);
    assert_non_null(at);
    assert_null(strstr(at + 1, type));
    nu_strbuf_finish(&out);
    nu_stats_render_destroy(&render);
    nu_stats_destroy(&stats);
    assert_int_equal(nu_stats_memory_bytes(), 0);
}

TEST_MAIN()
