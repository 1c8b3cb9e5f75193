/* SPDX-License-Identifier: Apache-2.0 */
/* Error lists: format, order, bounds. */
#include "harness/test.h"

#include "base/error.h"

static struct nu_position at(const char *source, uint32_t line, uint32_t column)
{
    return (struct nu_position){.source = source, .line = line, .column = column};
}

static void assert_listed(const struct nu_error_list *list, const char *want)
{
    struct nu_strbuf out = {0};
    nu_error_list_format(list, &out);
    assert_str(nu_strbuf_str(&out), want);
    nu_strbuf_finish(&out);
}

TEST(an_empty_list_prints_nothing)
{
    struct nu_error_list list = {0};
    nu_error_list_sort(&list);
    assert_listed(&list, "");
    nu_error_list_finish(&list);
    nu_error_list_finish(&list);
}

TEST(an_error_names_its_place_and_path)
{
    struct nu_error_list list = {0};
    nu_error_add(&list, at("envoy.yaml", 42, 17), "clusters[0].lb_polcy", "no such field in %s",
                 "Cluster");
    assert_listed(&list, "envoy.yaml:42:17: clusters[0].lb_polcy: no such field in Cluster\n");
    nu_error_list_finish(&list);
}

TEST(unknown_parts_are_left_out)
{
    struct nu_error_list list = {0};
    nu_error_add(&list, at(NULL, 0, 0), NULL, "only a message");
    nu_error_add(&list, at("file", 0, 0), NULL, "no line");
    nu_error_add(&list, at("file", 7, 0), NULL, "no column");
    nu_error_add(&list, at("file", 7, 1), "", "no path");
    nu_error_add(&list, at(NULL, 0, 0), "a.b", "no file");
    assert_listed(&list, "only a message\n"
                         "file: no line\n"
                         "file:7: no column\n"
                         "file:7:1: no path\n"
                         "a.b: no file\n");
    nu_error_list_finish(&list);
}

TEST(strings_are_copied)
{
    char source[] = "file";
    char path[] = "path";
    char word[] = "word";
    struct nu_error_list list = {0};
    nu_error_add(&list, at(source, 1, 2), path, "%s", word);
    memset(source, 'x', 4);
    memset(path, 'x', 4);
    memset(word, 'x', 4);
    assert_listed(&list, "file:1:2: path: word\n");
    nu_error_list_finish(&list);
}

/* What is quoted from a file may hold anything; an error stays one line of plain text. */
TEST(control_characters_in_an_error_are_written_as_escapes)
{
    struct nu_error_list list = {0};
    nu_error_add(&list, at("file", 1, 2), "a[\"\n\"]", "bad value \"%s\"", "x\ny\r\t\x1b[0m\x7f");
    assert_listed(&list, "file:1:2: a[\"\\n\"]: bad value \"x\\ny\\r\\t\\x1b[0m\\x7f\"\n");
    nu_error_list_finish(&list);
}

TEST(utf8_in_an_error_stays_as_it_is)
{
    struct nu_error_list list = {0};
    nu_error_add(&list, at(NULL, 0, 0), NULL, "no cluster \"%s\"", "z\xc3\xbcrich");
    assert_listed(&list, "no cluster \"z\xc3\xbcrich\"\n");
    nu_error_list_finish(&list);
}

TEST(sorting_is_by_place_and_keeps_the_order_at_one_place)
{
    struct nu_error_list list = {0};
    nu_error_add(&list, at("b", 1, 1), NULL, "5");
    nu_error_add(&list, at("a", 10, 1), NULL, "4");
    nu_error_add(&list, at("a", 9, 2), NULL, "2");
    nu_error_add(&list, at("a", 9, 2), NULL, "3");
    nu_error_add(&list, at("a", 9, 1), NULL, "1");
    nu_error_add(&list, at(NULL, 0, 0), NULL, "0");
    nu_error_list_sort(&list);
    for (size_t i = 0; i < list.count; i++)
        assert_int_equal(list.items[i].message[0], '0' + i);
    nu_error_list_finish(&list);
}

TEST(errors_over_the_bound_are_counted_only)
{
    struct nu_error_list list = {0};
    for (int i = 0; i < 1003; i++)
        nu_error_add(&list, at("f", 1, 1), NULL, "e");
    assert_int_equal(list.count, 1000);
    assert_int_equal(list.dropped, 3);
    struct nu_strbuf out = {0};
    nu_error_list_format(&list, &out);
    assert_true(nu_str_ends_with(nu_strbuf_str(&out), NU_STR("\n... and 3 more errors\n")));
    nu_strbuf_finish(&out);
    nu_error_list_finish(&list);
}

TEST(one_error_over_the_bound_is_one_error)
{
    struct nu_error_list list = {0};
    for (int i = 0; i < 1001; i++)
        nu_error_add(&list, at("f", 1, 1), NULL, "e");
    struct nu_strbuf out = {0};
    nu_error_list_format(&list, &out);
    assert_true(nu_str_ends_with(nu_strbuf_str(&out), NU_STR("\n... and 1 more error\n")));
    nu_strbuf_finish(&out);
    nu_error_list_finish(&list);
}

TEST_MAIN()
