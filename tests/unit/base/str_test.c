/* SPDX-License-Identifier: Apache-2.0 */
/* Byte views: comparing, searching, cutting, numbers, UTF-8, edit distance. */
#include "harness/test.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

static const struct nu_str null_view = {NULL, 0};

TEST(the_empty_view_may_have_a_null_pointer_everywhere)
{
    assert_true(nu_str_eq(null_view, NU_STR("")));
    assert_true(nu_str_eq_nocase(null_view, NU_STR("")));
    assert_true(nu_str_starts_with(NU_STR("a"), null_view));
    assert_true(nu_str_starts_with(null_view, null_view));
    assert_false(nu_str_starts_with(null_view, NU_STR("a")));
    assert_true(nu_str_ends_with(null_view, null_view));
    assert_true(nu_str_ends_with_nocase(null_view, null_view));
    assert_int_equal(nu_str_cmp(null_view, NU_STR("")), 0);
    assert_true(nu_str_find_char(null_view, 'a') == NU_NPOS);
    assert_true(nu_str_rfind_char(null_view, 'a') == NU_NPOS);
    assert_int_equal(nu_str_find(null_view, null_view), 0);
    assert_true(nu_str_find(null_view, NU_STR("a")) == NU_NPOS);
    assert_true(nu_str_contains_nocase(null_view, null_view));
    assert_true(nu_str_is_empty(nu_str_trim(null_view)));
    assert_true(nu_str_is_empty(nu_str_skip(null_view, 3)));
    assert_true(nu_str_is_empty(nu_str_first(null_view, 3)));
    assert_true(nu_str_is_utf8(null_view));
    assert_int_equal(nu_str_distance(null_view, NU_STR("ab"), 5), 2);
    assert_true(nu_str_is_empty(nu_str_from(NULL)));
}

TEST(views_of_equal_bytes_are_equal_wherever_they_are)
{
    char copy[] = "token";
    assert_true(nu_str_eq(NU_STR("token"), nu_str_from(copy)));
    assert_false(nu_str_eq(NU_STR("token"), NU_STR("Token")));
    assert_false(nu_str_eq(NU_STR("token"), NU_STR("toke")));
    assert_true(nu_str_eq(NU_STR("a\0b"), NU_STR("a\0b")));
    assert_false(nu_str_eq(NU_STR("a\0b"), NU_STR("a\0c")));
}

TEST(case_is_ignored_for_ascii_letters_only)
{
    assert_true(nu_str_eq_nocase(NU_STR("Content-Length"), NU_STR("cONTENT-lENGTH")));
    assert_false(nu_str_eq_nocase(NU_STR("@"), NU_STR("`")));
    assert_false(nu_str_eq_nocase(NU_STR("["), NU_STR("{")));
    assert_false(nu_str_eq_nocase(NU_STR("\xc3\x84"), NU_STR("\xc3\xa4")));
    assert_true(nu_str_starts_with_nocase(NU_STR("Bearer x"), NU_STR("bearer ")));
    assert_false(nu_str_starts_with_nocase(NU_STR("Bear"), NU_STR("bearer")));
    assert_true(nu_str_ends_with_nocase(NU_STR("a.EXAMPLE"), NU_STR(".example")));
    assert_false(nu_str_ends_with_nocase(NU_STR("ample"), NU_STR(".example")));
}

TEST(ascii_case_mapping_leaves_other_bytes_alone)
{
    for (int i = 0; i < 256; i++) {
        char c = (char)i;
        bool is_upper = i >= 'A' && i <= 'Z';
        bool is_lower = i >= 'a' && i <= 'z';
        assert_int_equal(nu_ascii_lower(c), is_upper ? (char)(i + 32) : c);
        assert_int_equal(nu_ascii_upper(c), is_lower ? (char)(i - 32) : c);
        assert_int_equal(nu_ascii_is_digit(c), i >= '0' && i <= '9');
    }
}

TEST(hex_digits_have_their_value_and_other_bytes_none)
{
    for (int i = 0; i < 256; i++) {
        const char *digits = "0123456789abcdef";
        const char *at = i ? strchr(digits, i >= 'A' && i <= 'F' ? i + 32 : i) : NULL;
        assert_int_equal(nu_hex_value((char)i), at ? (int)(at - digits) : -1);
    }
}

TEST(ends_are_compared_at_the_end)
{
    assert_true(nu_str_ends_with(NU_STR("www.example"), NU_STR(".example")));
    assert_false(nu_str_ends_with(NU_STR("www.examplE"), NU_STR(".example")));
    assert_false(nu_str_ends_with(NU_STR("ample"), NU_STR("example")));
}

TEST(order_is_by_unsigned_bytes_then_length)
{
    assert_true(nu_str_cmp(NU_STR("a"), NU_STR("b")) < 0);
    assert_true(nu_str_cmp(NU_STR("ab"), NU_STR("a")) > 0);
    assert_true(nu_str_cmp(NU_STR("a"), NU_STR("ab")) < 0);
    assert_true(nu_str_cmp(NU_STR("\xff"), NU_STR("a")) > 0);
    assert_true(nu_str_cmp(NU_STR("a\0"), NU_STR("a")) > 0);
    assert_int_equal(nu_str_cmp(NU_STR("same"), NU_STR("same")), 0);
}

TEST(searching_finds_the_first_and_the_last)
{
    assert_int_equal(nu_str_find_char(NU_STR("a:b:c"), ':'), 1);
    assert_int_equal(nu_str_rfind_char(NU_STR("a:b:c"), ':'), 3);
    assert_true(nu_str_find_char(NU_STR("abc"), '\0') == NU_NPOS);
    assert_int_equal(nu_str_find_char(NU_STR("a\0b"), 'b'), 2);
    assert_int_equal(nu_str_find(NU_STR("aabaab"), NU_STR("ab")), 1);
    assert_true(nu_str_find(NU_STR("ab"), NU_STR("abc")) == NU_NPOS);
    assert_int_equal(nu_str_find(NU_STR("ab"), NU_STR("")), 0);
    assert_true(nu_str_contains_nocase(NU_STR("Keep-Alive, CLOSE"), NU_STR("close")));
    assert_true(nu_str_contains_nocase(NU_STR("x"), NU_STR("")));
    assert_false(nu_str_contains_nocase(NU_STR("clos"), NU_STR("close")));
}

/* A view that ends before its buffer does must not be read behind its end. */
TEST(searching_stays_inside_the_view)
{
    struct nu_str view = nu_str_make("abcd", 2);
    assert_true(nu_str_find_char(view, 'c') == NU_NPOS);
    assert_true(nu_str_find(view, NU_STR("bc")) == NU_NPOS);
    assert_false(nu_str_contains_nocase(view, NU_STR("BC")));
    assert_false(nu_str_starts_with(view, NU_STR("abc")));
}

TEST(cuts_beyond_the_end_stop_there)
{
    assert_str(nu_str_skip(NU_STR("abc"), 1), "bc");
    assert_str(nu_str_skip(NU_STR("abc"), 4), "");
    assert_str(nu_str_first(NU_STR("abc"), 2), "ab");
    assert_str(nu_str_first(NU_STR("abc"), SIZE_MAX), "abc");
    assert_str(nu_str_skip(NU_STR("abc"), SIZE_MAX), "");
}

TEST(trim_takes_spaces_and_tabs_from_both_ends_only)
{
    assert_str(nu_str_trim(NU_STR(" \t a b\t ")), "a b");
    assert_str(nu_str_trim(NU_STR(" \t ")), "");
    assert_str(nu_str_trim(NU_STR("\na\r")), "\na\r");
}

static size_t count_parts(struct nu_str rest, char sep)
{
    size_t count = 0;
    while (rest.ptr) {
        nu_str_split(&rest, sep);
        count++;
    }
    return count;
}

TEST(split_visits_every_part_also_empty_ones)
{
    struct nu_str rest = NU_STR("a,,b,");
    assert_str(nu_str_split(&rest, ','), "a");
    assert_str(nu_str_split(&rest, ','), "");
    assert_str(nu_str_split(&rest, ','), "b");
    assert_non_null(rest.ptr);
    assert_str(nu_str_split(&rest, ','), "");
    assert_null(rest.ptr);
    assert_int_equal(count_parts(NU_STR(""), ','), 1);
    assert_int_equal(count_parts(NU_STR(","), ','), 2);
    assert_int_equal(count_parts(null_view, ','), 0);
}

TEST(unsigned_numbers_are_digits_only_and_know_their_overflow)
{
    static const struct {
        struct nu_str text;
        enum nu_result result;
        uint64_t value;
    } table[] = {
        {NU_STR_INIT("0"), NU_OK, 0},
        {NU_STR_INIT("00012"), NU_OK, 12},
        {NU_STR_INIT("18446744073709551615"), NU_OK, UINT64_MAX},
        {NU_STR_INIT("18446744073709551616"), NU_OVERFLOW, 0},
        {NU_STR_INIT("36893488147419103232"), NU_OVERFLOW, 0},
        {NU_STR_INIT("100000000000000000000000000"), NU_OVERFLOW, 0},
        {NU_STR_INIT("100000000000000000000000000x"), NU_INVALID, 0},
        {NU_STR_INIT(""), NU_INVALID, 0},
        {NU_STR_INIT("+1"), NU_INVALID, 0},
        {NU_STR_INIT("-1"), NU_INVALID, 0},
        {NU_STR_INIT(" 1"), NU_INVALID, 0},
        {NU_STR_INIT("1 "), NU_INVALID, 0},
        {NU_STR_INIT("1\0"), NU_INVALID, 0},
        {NU_STR_INIT("0x1"), NU_INVALID, 0},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        uint64_t value = 77;
        assert_int_equal(nu_str_to_u64(table[i].text, &value), table[i].result);
        assert_true(value == (table[i].result == NU_OK ? table[i].value : 77));
    }
}

TEST(signed_numbers_reach_both_ends_of_their_range)
{
    static const struct {
        const char *text;
        enum nu_result result;
        int64_t value;
    } table[] = {
        {"-9223372036854775808", NU_OK, INT64_MIN},
        {"9223372036854775807", NU_OK, INT64_MAX},
        {"+5", NU_OK, 5},
        {"-0", NU_OK, 0},
        {"9223372036854775808", NU_OVERFLOW, 0},
        {"-9223372036854775809", NU_OVERFLOW, 0},
        {"-18446744073709551616", NU_OVERFLOW, 0},
        {"-", NU_INVALID, 0},
        {"", NU_INVALID, 0},
        {"+-5", NU_INVALID, 0},
        {"5-", NU_INVALID, 0},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        int64_t value = 77;
        assert_int_equal(nu_str_to_i64(nu_str_from(table[i].text), &value), table[i].result);
        assert_true(value == (table[i].result == NU_OK ? table[i].value : 77));
    }
}

static void assert_double(const char *text, double want)
{
    double value = 77;
    assert_int_equal(nu_str_to_double(nu_str_from(text), &value), NU_OK);
    if (memcmp(&value, &want, sizeof(value)) != 0)
        fail_msg("%s is read as %.17g", text, value);
}

TEST(floating_point_numbers_have_the_forms_of_json)
{
    assert_double("0", 0);
    assert_double("-0", -0.0);
    assert_double("0.5", 0.5);
    assert_double("-12.25e2", -1225);
    assert_double("1E+3", 1000);
    assert_double("1e-3", 0.001);
    assert_double("10", 10);
    assert_double("0e5", 0);
    assert_double("1.7976931348623157e308", DBL_MAX);
    assert_double("5e-324", 5e-324);
    assert_double("1e-400", 0);
}

TEST(what_json_does_not_call_a_number_is_invalid)
{
    static const struct nu_str table[] = {
        NU_STR_INIT(""),     NU_STR_INIT("+1"),       NU_STR_INIT(".5"),    NU_STR_INIT("1."),
        NU_STR_INIT("01"),   NU_STR_INIT("-01"),      NU_STR_INIT("-"),     NU_STR_INIT("1e"),
        NU_STR_INIT("1e+"),  NU_STR_INIT("e5"),       NU_STR_INIT("0x10"),  NU_STR_INIT("inf"),
        NU_STR_INIT("nan"),  NU_STR_INIT("Infinity"), NU_STR_INIT("1 "),    NU_STR_INIT(" 1"),
        NU_STR_INIT("1\0"),  NU_STR_INIT("1.5\0"),    NU_STR_INIT("1.2.3"), NU_STR_INIT("1,5"),
        NU_STR_INIT("--1"),  NU_STR_INIT("1e5.5"),    NU_STR_INIT("."),     NU_STR_INIT("-.5"),
        NU_STR_INIT("1.e5"),
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        double value;
        if (nu_str_to_double(table[i], &value) != NU_INVALID)
            fail_msg("\"%.*s\" is taken", NU_STR_ARG(table[i]));
    }
}

TEST(floating_point_numbers_that_are_too_large_overflow)
{
    double value;
    assert_int_equal(nu_str_to_double(NU_STR("1e309"), &value), NU_OVERFLOW);
    assert_int_equal(nu_str_to_double(NU_STR("-1e309"), &value), NU_OVERFLOW);
}

TEST(a_long_decimal_fraction_is_a_number_too)
{
    char text[402];
    memset(text, '3', sizeof(text));
    text[0] = '0';
    text[1] = '.';
    double value;
    assert_int_equal(nu_str_to_double(nu_str_make(text, sizeof(text)), &value), NU_OK);
    assert_true(fabs(value - 1.0 / 3) < 1e-15);
}

TEST(numbers_are_written_in_decimal)
{
    char out[20];
    assert_str(nu_str_make(out, nu_u64_to_chars(0, out)), "0");
    assert_str(nu_str_make(out, nu_u64_to_chars(10, out)), "10");
    assert_str(nu_str_make(out, nu_u64_to_chars(99, out)), "99");
    assert_str(nu_str_make(out, nu_u64_to_chars(12345, out)), "12345");
    assert_str(nu_str_make(out, nu_u64_to_chars(UINT64_MAX, out)), "18446744073709551615");
    char expected[24];
    for (uint64_t power = 1; power < UINT64_MAX / 10; power *= 10) {
        for (uint64_t n = power - 1; n <= power + 1; n++) {
            snprintf(expected, sizeof(expected), "%llu", (unsigned long long)n);
            assert_str(nu_str_make(out, nu_u64_to_chars(n, out)), expected);
        }
    }
}

TEST(every_written_number_reads_back)
{
    char out[20];
    uint64_t n = 1;
    for (int i = 0; i < 64; i++, n = n * 2 + (uint64_t)(i & 1)) {
        uint64_t value;
        assert_int_equal(nu_str_to_u64(nu_str_make(out, nu_u64_to_chars(n, out)), &value), NU_OK);
        assert_true(value == n);
    }
}

TEST(utf8_is_told_from_other_bytes)
{
    static const struct nu_str good[] = {
        NU_STR_INIT("plain"),
        NU_STR_INIT("\0"),
        NU_STR_INIT("\xc2\x80"),
        NU_STR_INIT("\xdf\xbf"),
        NU_STR_INIT("\xe0\xa0\x80"),
        NU_STR_INIT("\xed\x9f\xbf"),
        NU_STR_INIT("\xee\x80\x80"),
        NU_STR_INIT("\xef\xbf\xbf"),
        NU_STR_INIT("\xf0\x90\x80\x80"),
        NU_STR_INIT("\xf4\x8f\xbf\xbf"),
    };
    static const struct nu_str bad[] = {
        NU_STR_INIT("\x80"),             /* a continuation alone */
        NU_STR_INIT("\xc2"),             /* cut short */
        NU_STR_INIT("\xe2\x82"),         /* cut short */
        NU_STR_INIT("\xf0\x90\x80"),     /* cut short */
        NU_STR_INIT("\xc2\x20"),         /* no continuation */
        NU_STR_INIT("\xe2\x82\x28"),     /* no continuation */
        NU_STR_INIT("\xc0\x80"),         /* overlong */
        NU_STR_INIT("\xc1\xbf"),         /* overlong */
        NU_STR_INIT("\xe0\x9f\xbf"),     /* overlong */
        NU_STR_INIT("\xf0\x8f\xbf\xbf"), /* overlong */
        NU_STR_INIT("\xed\xa0\x80"),     /* surrogate */
        NU_STR_INIT("\xed\xbf\xbf"),     /* surrogate */
        NU_STR_INIT("\xf4\x90\x80\x80"), /* beyond U+10FFFF */
        NU_STR_INIT("\xf5\x80\x80\x80"),
        NU_STR_INIT("\xfe"),
        NU_STR_INIT("\xff"),
        NU_STR_INIT("ok\xff"),
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(good); i++)
        assert_true(nu_str_is_utf8(good[i]));
    for (size_t i = 0; i < NU_ARRAY_LEN(bad); i++)
        assert_false(nu_str_is_utf8(bad[i]));
}

TEST(characters_are_written_as_utf8_and_counted)
{
    static const struct {
        uint32_t c;
        struct nu_str bytes;
    } samples[] = {
        {0, NU_STR_INIT("\0")},
        {0x7f, NU_STR_INIT("\x7f")},
        {0x80, NU_STR_INIT("\xc2\x80")},
        {0x7ff, NU_STR_INIT("\xdf\xbf")},
        {0x800, NU_STR_INIT("\xe0\xa0\x80")},
        {0xffff, NU_STR_INIT("\xef\xbf\xbf")},
        {0x10000, NU_STR_INIT("\xf0\x90\x80\x80")},
        {0x10ffff, NU_STR_INIT("\xf4\x8f\xbf\xbf")},
    };
    struct nu_strbuf all = {0};
    for (size_t i = 0; i < NU_ARRAY_LEN(samples); i++) {
        char out[NU_UTF8_MAX];
        struct nu_str written = nu_str_make(out, nu_utf8_write(samples[i].c, out));
        assert_true(nu_str_eq(written, samples[i].bytes));
        nu_strbuf_add(&all, written);
        assert_int_equal(nu_utf8_count(nu_strbuf_str(&all)), i + 1);
    }
    assert_int_equal(nu_utf8_count(nu_str_make(NULL, 0)), 0);
    nu_strbuf_finish(&all);
}

/* The view's last byte is the allocation's last: a sanitizer sees any read behind it. */
TEST(a_sequence_cut_by_the_end_of_memory_is_not_read_on)
{
    for (int first = 0xc2; first <= 0xf4; first++) {
        char *byte = nu_alloc(1);
        *byte = (char)first;
        assert_false(nu_str_is_utf8(nu_str_make(byte, 1)));
        nu_free(byte);
    }
}

TEST(distance_counts_edits_up_to_the_limit)
{
    assert_int_equal(nu_str_distance(NU_STR("lb_polcy"), NU_STR("lb_policy"), 3), 1);
    assert_int_equal(nu_str_distance(NU_STR("kitten"), NU_STR("sitting"), 9), 3);
    assert_int_equal(nu_str_distance(NU_STR("Same"), NU_STR("sAME"), 3), 0);
    assert_int_equal(nu_str_distance(NU_STR("abcdef"), NU_STR("uvwxyz"), 2), 3);
    assert_int_equal(nu_str_distance(NU_STR(""), NU_STR("abc"), 9), 3);
}

TEST(the_first_of_the_nearest_names_is_best)
{
    struct nu_nearest nearest = {.name = NU_STR("rnu"), .distance = 3};
    nu_nearest_consider(&nearest, "inspect");
    assert_null(nearest.best);
    nu_nearest_consider(&nearest, "ru");
    nu_nearest_consider(&nearest, "rn");
    assert_str(nu_str_from(nearest.best), "ru");
    nu_nearest_consider(&nearest, "rnu");
    assert_str(nu_str_from(nearest.best), "rnu");
}

TEST(distance_of_long_strings_is_over_the_limit)
{
    char text[65];
    memset(text, 'a', sizeof(text));
    struct nu_str longest = nu_str_make(text, 64);
    struct nu_str longer = nu_str_make(text, 65);
    assert_int_equal(nu_str_distance(longest, longest, 3), 0);
    assert_int_equal(nu_str_distance(longer, longest, 3), 4);
    assert_int_equal(nu_str_distance(longest, longer, 3), 4);
}

TEST_MAIN()
