/* SPDX-License-Identifier: Apache-2.0 */
/* Query parameters of /stats, with Envoy's answers to wrong ones. */
#include "harness/test.h"

#include "base/regex.h"
#include "stats/render.h"

static void check_error(const char *key, const char *value, const char *expected)
{
    struct nu_stats_options options = {0};
    struct nu_strbuf error = {0};
    assert_int_equal(nu_stats_options_set(&options, nu_str_from(key), nu_str_from(value), &error),
                     NU_INVALID);
    assert_str(nu_strbuf_str(&error), expected);
    nu_strbuf_finish(&error);
    nu_stats_options_finish(&options);
}

TEST(wrong_values_get_envoys_texts)
{
    check_error("format", "JSON",
                "usage: /stats?format=(html|active-html|json|prometheus|text)\n\n");
    check_error("type", "counters", "invalid &type= param");
    check_error("filter", "[", "Invalid re2 regex");
    check_error("hidden", "x", "usage: /stats?hidden=(include|only|exclude)\n\n");
    check_error("histogram_buckets", "x",
                "usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary)\n");
}

static void set(struct nu_stats_options *options, const char *key, const char *value)
{
    struct nu_strbuf error = {0};
    assert_int_equal(nu_stats_options_set(options, nu_str_from(key), nu_str_from(value), &error),
                     NU_OK);
    nu_strbuf_finish(&error);
}

TEST(flags_need_no_value_and_cannot_be_denied)
{
    struct nu_stats_options options = {0};
    set(&options, "usedonly", "false");
    set(&options, "text_readouts", "");
    assert_true(options.used_only && options.text_readouts);
    nu_stats_options_finish(&options);
}

TEST(empty_values_are_the_default)
{
    struct nu_stats_options options = {0};
    static const char *const keys[] = {"format", "type", "filter", "hidden", "histogram_buckets"};
    for (size_t i = 0; i < NU_ARRAY_LEN(keys); i++)
        set(&options, keys[i], "");
    assert_int_equal(options.format, NU_STATS_TEXT);
    assert_int_equal(options.type, NU_STATS_ALL);
    assert_int_equal(options.buckets, NU_STATS_BUCKETS_DEFAULT);
    assert_null(options.filter);
    nu_stats_options_finish(&options);
}

TEST(a_later_filter_replaces_the_earlier)
{
    struct nu_stats_options options = {0};
    set(&options, "filter", "a");
    set(&options, "filter", "b");
    assert_true(nu_regex_search(options.filter, NU_STR("b")));
    assert_false(nu_regex_search(options.filter, NU_STR("a")));
    nu_stats_options_finish(&options);
}

TEST(unknown_parameters_are_ignored)
{
    struct nu_stats_options options = {0};
    set(&options, "pretty", "");
    set(&options, "whatever", "x");
    nu_stats_options_finish(&options);
}

TEST(html_is_made_elsewhere)
{
    struct nu_stats_options options = {0};
    struct nu_strbuf error = {0};
    assert_int_equal(nu_stats_options_set(&options, NU_STR("format"), NU_STR("html"), &error),
                     NU_UNSUPPORTED);
}

TEST(prometheus_has_no_disjoint_or_detailed_buckets)
{
    struct nu_stats_options options = {0};
    struct nu_strbuf error = {0};
    set(&options, "histogram_buckets", "disjoint");
    assert_int_equal(nu_stats_options_check(&options, &error), NU_OK);
    set(&options, "format", "prometheus");
    assert_int_equal(nu_stats_options_check(&options, &error), NU_INVALID);
    assert_str(nu_strbuf_str(&error), "unsupported prometheus histogram bucket mode");
    set(&options, "histogram_buckets", "summary");
    assert_int_equal(nu_stats_options_check(&options, &error), NU_OK);
    nu_strbuf_finish(&error);
}

TEST_MAIN()
