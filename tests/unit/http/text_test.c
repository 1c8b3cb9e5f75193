/* SPDX-License-Identifier: Apache-2.0 */
/* Status phrases, queries, dates. */
#include "harness/test.h"

#include <time.h>

#include "http/date.h"
#include "http/query.h"
#include "http/status.h"

TEST(status_reasons_are_envoys)
{
    assert_str(nu_status_reason(200), "OK");
    assert_str(nu_status_reason(413), "Payload Too Large");
    assert_str(nu_status_reason(414), "URI Too Long");
    assert_str(nu_status_reason(599), "Last Unassigned Server Error Code");
    assert_str(nu_status_reason(306), "Unknown");
    assert_str(nu_status_reason(418), "Unknown");
    assert_str(nu_status_reason(600), "Unknown");
    assert_str(nu_status_reason(0), "Unknown");
}

TEST(a_status_line_has_the_code_and_its_reason)
{
    for (uint32_t status = 0; status < 1000; status++) {
        char code[3];
        struct nu_str line = nu_status_line(status);
        bool has_reason = !nu_str_eq(nu_status_reason(status), NU_STR("Unknown"));
        assert_int_equal(line.ptr != NULL, has_reason);
        if (!has_reason)
            continue;
        nu_status_format(status, code);
        assert_memory_equal(line.ptr, code, 3);
        assert_int_equal(line.ptr[3], ' ');
    }
    assert_str(nu_status_line(200), "200 OK");
    assert_str(nu_status_line(599), "599 Last Unassigned Server Error Code");
}

TEST(status_class_and_text)
{
    char text[3];
    assert_int_equal(nu_status_class(404), 4);
    assert_int_equal(nu_status_class(99), 0);
    assert_int_equal(nu_status_class(600), 0);
    nu_status_format(307, text);
    assert_memory_equal(text, "307", 3);
    assert_int_equal(nu_status_parse(NU_STR("503")), 503);
    assert_int_equal(nu_status_parse(NU_STR("99")), 0);
    assert_int_equal(nu_status_parse(NU_STR("099")), 0);
    assert_int_equal(nu_status_parse(NU_STR("2000")), 0);
    assert_int_equal(nu_status_parse(NU_STR("2x0")), 0);
    assert_true(nu_status_is_bodiless(204));
    assert_false(nu_status_is_bodiless(205));
}

TEST(query_gives_the_first_value_unescaped_by_nobody)
{
    static const struct {
        const char *path;
        const char *value; /* of "a"; NULL: none */
    } cases[] = {
        {"/q?a=b", "b"},     {"/q?a", ""},        {"/q?a=", ""},      {"/q?x=1&a=b", "b"},
        {"/q?a=c&a=b", "c"}, {"/q?a=%62", "%62"}, {"/q?&a=b&", "b"},  {"/q?a=b=c", "b=c"},
        {"/q?a=b;x", "b;x"}, {"/q??a=b", NULL},   {"/q?%61=b", NULL}, {"/q?A=b", NULL},
        {"/q?a;a=b", NULL},  {"/q?&&", NULL},     {"/q?", NULL},      {"/q", NULL},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        struct nu_str value = nu_query_get(nu_str_from(cases[i].path), NU_STR("a"));
        if (cases[i].value)
            assert_str(value, cases[i].value);
        else
            assert_null(value.ptr);
        assert_int_equal(cases[i].value != NULL, value.ptr != NULL);
    }
}

TEST(percent_decoding_leaves_bad_escapes)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    assert_str(nu_percent_decode(&arena, NU_STR("b%20c%2")), "b c%2");
    assert_str(nu_percent_decode(&arena, NU_STR("%zz%")), "%zz%");
    assert_str(nu_percent_decode(&arena, NU_STR("a+b")), "a+b");
    nu_arena_finish(&arena);
}

static struct nu_str date(uint64_t second)
{
    static char text[NU_DATE_LEN];
    nu_date_format(second, text);
    return nu_str_make(text, NU_DATE_LEN);
}

TEST(dates_are_written_in_the_fixed_form)
{
    assert_str(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_str(date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_str(date(951782400), "Tue, 29 Feb 2000 00:00:00 GMT");
    assert_str(date(4107542399), "Sun, 28 Feb 2100 23:59:59 GMT");
    assert_str(date(4107542400), "Mon, 01 Mar 2100 00:00:00 GMT");
    assert_str(date(253402300799), "Fri, 31 Dec 9999 23:59:59 GMT");
}

TEST(dates_agree_with_the_c_library)
{
    for (uint64_t second = 1; second < 8000000000; second += 86400 * 13 + 3607) {
        time_t time = (time_t)second;
        struct tm tm;
        char want[40];
        gmtime_r(&time, &tm);
        strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        assert_str(date(second), want);
    }
}

TEST(the_date_cache_changes_with_the_second)
{
    struct nu_date_cache cache = {0};
    assert_str(nu_date_cache_get(&cache, 784111777 * 1000000ull + 999999),
               "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_str(nu_date_cache_get(&cache, 784111778 * 1000000ull), "Sun, 06 Nov 1994 08:49:38 GMT");
    cache.text[0] = 'X';
    assert_int_equal(nu_date_cache_get(&cache, 784111778 * 1000000ull + 5).ptr[0], 'X');
}

TEST_MAIN()
