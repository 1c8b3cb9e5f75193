/* SPDX-License-Identifier: Apache-2.0 */
/* The tables as data: names that fit, meanings that say something, the documentation. */
#include "harness/test.h"

#include "stats/cluster_stats.h"
#include "stats/http_stats.h"
#include "stats/server_stats.h"

TEST(every_statistic_says_what_it_means)
{
    for (size_t t = 0; t < nu_stat_table_count; t++) {
        const struct nu_stat_table *table = nu_stat_tables[t];
        assert_true(table->count > 0 && strlen(table->about) > 0 && strlen(table->scope) > 0);
        for (uint16_t i = 0; i < table->count; i++) {
            struct nu_str meaning = nu_str_from(table->descs[i].meaning);
            assert_true(meaning.len > 4 && meaning.len <= 90);
            assert_true(nu_str_ends_with(meaning, NU_STR(".")));
            assert_int_equal(nu_str_find_char(meaning, '|'), NU_NPOS);
        }
    }
}

TEST(no_name_is_twice_in_a_table)
{
    for (size_t t = 0; t < nu_stat_table_count; t++) {
        const struct nu_stat_table *table = nu_stat_tables[t];
        for (uint16_t i = 0; i < table->count; i++) {
            assert_int_equal(table->descs[i].name_len, strlen(table->descs[i].name));
            for (uint16_t k = 0; k < i; k++)
                assert_string_not_equal(table->descs[i].name, table->descs[k].name);
        }
    }
}

/* Tables are shown under one prefix together, so their names may not meet. */
TEST(no_name_is_twice_in_a_scope)
{
    for (size_t t = 0; t < nu_stat_table_count; t++) {
        for (size_t u = 0; u < t; u++) {
            const struct nu_stat_table *a = nu_stat_tables[t];
            const struct nu_stat_table *b = nu_stat_tables[u];
            if (strcmp(a->scope, b->scope) != 0)
                continue;
            for (uint16_t i = 0; i < a->count; i++) {
                for (uint16_t k = 0; k < b->count; k++)
                    assert_string_not_equal(a->descs[i].name, b->descs[k].name);
            }
        }
    }
}

TEST(a_table_documents_itself)
{
    struct nu_strbuf out = {0};
    nu_stat_table_document(&nu_prime_authz_stats_table, &out);
    assert_str(nu_strbuf_str(&out),
               "## `http.<stat_prefix>.prime_authz`\n\nThe filter that lets prime numbers pass.\n\n"
               "| name | kind | meaning |\n| --- | --- | --- |\n"
               "| `allowed` | counter | Requests with a prime number. |\n"
               "| `denied` | counter | Requests with a number that is not prime. |\n"
               "| `missing` | counter | Requests without the header. |\n"
               "| `malformed` | counter | Requests whose header is no number. |\n\n");
    nu_strbuf_finish(&out);
}

static void check_documented(const struct nu_stat_table *table, const char *line)
{
    struct nu_strbuf out = {0};
    nu_stat_table_document(table, &out);
    assert_non_null(strstr(out.data, line));
    nu_strbuf_finish(&out);
}

TEST(the_documentation_names_the_kind)
{
    check_documented(&nu_server_stats_table, "| `concurrency` | gauge | Number of worker");
    check_documented(&nu_server_stats_table, "| `initialization_time_ms` | histogram | Time from");
    check_documented(&nu_response_stats_table,
                     "| `upstream_rq_<code>, _<n>xx, _unknown` | counter | Answers with");
    assert_string_equal(nu_stat_kind_name(NU_STAT_TEXT), "text");
}

TEST_MAIN()
