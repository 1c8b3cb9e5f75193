/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON format; expected texts are Envoy's for the same names and samples. */
#include "fixture.h"

TEST(nothing_is_an_empty_list)
{
    struct sample f = sample_open("c");
    check_render(f.stats, "format=json&filter=nothing", "{\"stats\":[]}");
    check_render(f.stats, "format=json&filter=nothing&histogram_buckets=cumulative",
                 "{\"stats\":[]}");
    sample_close(&f);
}

TEST(numbers_and_texts_are_name_and_value)
{
    struct sample f = sample_open("c");
    nu_counter_add(&f.block->ant_total, 12345678901234567890u);
    nu_text_set(&f.block->version_text, NU_STR("v1 \"q\"\n\\x"));
    check_render(f.stats, "format=json&filter=ant|text|active",
                 "{\"stats\":[{\"name\":\"c.version_text\",\"value\":\"v1 \\\"q\\\"\\n\\\\x\"},"
                 "{\"name\":\"c.ant_total\",\"value\":12345678901234567890},"
                 "{\"name\":\"c.cx_active\",\"value\":0}]}");
    sample_close(&f);
}

static const char quantiles[] =
    "{\"cumulative\":1,\"interval\":1},{\"cumulative\":3.075,\"interval\":3.075},"
    "{\"cumulative\":125,\"interval\":125},{\"cumulative\":2025000,\"interval\":2025000},"
    "{\"cumulative\":12300000,\"interval\":12300000},"
    "{\"cumulative\":12650000,\"interval\":12650000},"
    "{\"cumulative\":12930000,\"interval\":12930000},"
    "{\"cumulative\":12965000,\"interval\":12965000},"
    "{\"cumulative\":12993000,\"interval\":12993000},"
    "{\"cumulative\":1.3e+07,\"interval\":1.3e+07}";
static const char nulls[] =
    "{\"cumulative\":null,\"interval\":null},{\"cumulative\":null,\"interval\":null},"
    "{\"cumulative\":null,\"interval\":null},{\"cumulative\":null,\"interval\":null},"
    "{\"cumulative\":null,\"interval\":null},{\"cumulative\":null,\"interval\":null},"
    "{\"cumulative\":null,\"interval\":null},{\"cumulative\":null,\"interval\":null},"
    "{\"cumulative\":null,\"interval\":null},{\"cumulative\":null,\"interval\":null}";
static const char bins[] = "{\"lower_bound\":1,\"width\":0.1,\"count\":1},"
                           "{\"lower_bound\":3,\"width\":0.1,\"count\":1},"
                           "{\"lower_bound\":7,\"width\":0.1,\"count\":1},"
                           "{\"lower_bound\":120,\"width\":10,\"count\":1},"
                           "{\"lower_bound\":1200000,\"width\":1e+05,\"count\":1},"
                           "{\"lower_bound\":2e+06,\"width\":1e+05,\"count\":1},"
                           "{\"lower_bound\":1.2e+07,\"width\":1e+06,\"count\":1}";

static void check_size(struct nu_stats *stats, const char *query, char *expected)
{
    check_render(stats, query, expected);
    nu_free(expected);
}

static char *quantile_text(const char *values)
{
    return nu_asprintf("{\"stats\":[{\"histograms\":{\"supported_quantiles\":"
                       "[0,25,50,75,90,95,99,99.5,99.9,100],\"computed_quantiles\":["
                       "{\"name\":\"c.size\",\"values\":[%s]}]}}]}",
                       values);
}

TEST(histograms_are_one_object_of_quantiles)
{
    struct sample f = sample_open("c");
    check_size(f.stats, "format=json&filter=size", quantile_text(nulls));
    record_sizes(&f.block->size);
    nu_stats_flush(f.stats);
    check_size(f.stats, "format=json&filter=size", quantile_text(quantiles));
    check_size(f.stats, "format=json&filter=size&histogram_buckets=summary",
               quantile_text(quantiles));
    sample_close(&f);
}

TEST(detailed_histograms_show_their_bins)
{
    struct sample f = sample_open("c");
    record_sizes(&f.block->size);
    nu_stats_flush(f.stats);
    check_size(f.stats, "format=json&filter=size&histogram_buckets=detailed",
               nu_asprintf("{\"stats\":[{\"histograms\":{\"supported_percentiles\":"
                           "[0,25,50,75,90,95,99,99.5,99.9,100],\"details\":["
                           "{\"name\":\"c.size\",\"totals\":[%s],\"intervals\":[%s],"
                           "\"percentiles\":[%s]}]}}]}",
                           bins, bins, quantiles));
    sample_close(&f);
}

TEST(bucket_histograms_are_a_list)
{
    struct sample f = sample_open("c");
    record_sizes(&f.block->size);
    nu_stats_flush(f.stats);
    char *text = render_sliced(f.stats, "format=json&filter=size&histogram_buckets=disjoint", 1000);
    const char *head = "{\"stats\":[{\"histograms\":[{\"name\":\"c.size\",\"buckets\":["
                       "{\"upper_bound\":0.5,\"interval\":0,\"cumulative\":0},"
                       "{\"upper_bound\":1,\"interval\":0,\"cumulative\":0},"
                       "{\"upper_bound\":5,\"interval\":2,\"cumulative\":2},";
    const char *tail = "{\"upper_bound\":60000,\"interval\":0,\"cumulative\":0},"
                       "{\"upper_bound\":3e+05,\"interval\":0,\"cumulative\":0},"
                       "{\"upper_bound\":6e+05,\"interval\":0,\"cumulative\":0},"
                       "{\"upper_bound\":1800000,\"interval\":1,\"cumulative\":1},"
                       "{\"upper_bound\":3600000,\"interval\":1,\"cumulative\":1}]}]}]}";
    assert_true(nu_str_starts_with(nu_str_from(text), nu_str_from(head)));
    assert_true(nu_str_ends_with(nu_str_from(text), nu_str_from(tail)));
    nu_free(text);
    sample_close(&f);
}

TEST(several_histograms_share_the_object)
{
    struct sample f = sample_open("c");
    struct nu_stat_set *other = nu_stat_set_create(f.stats, &sample_stats_table, NU_STR("d"));
    check_size(f.stats, "format=json&filter=(zebra|size)",
               nu_asprintf("{\"stats\":[{\"name\":\"c.zebra_total\",\"value\":0},"
                           "{\"name\":\"d.zebra_total\",\"value\":0},{\"histograms\":{"
                           "\"supported_quantiles\":[0,25,50,75,90,95,99,99.5,99.9,100],"
                           "\"computed_quantiles\":[{\"name\":\"c.size\",\"values\":[%s]},"
                           "{\"name\":\"d.size\",\"values\":[%s]}]}}]}",
                           nulls, nulls));
    nu_stat_set_destroy(&other);
    sample_close(&f);
}

TEST_MAIN()
