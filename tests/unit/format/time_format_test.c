/* SPDX-License-Identifier: Apache-2.0 */
/* Time formats. The expected texts were printed by Envoy 1.36.4 for the same formats; only the time
 * differs: 2026-11-23T06:09:54.226904Z. */
#include "harness/test.h"

#include <stdlib.h>
#include <time.h>

#include "format/time_format.h"

static const uint64_t SEEN_US = 1795414194226904u;

static struct nu_arena arena;
static char text[8192];

static struct nu_str format(const char *spec, bool is_local, uint64_t us)
{
    const struct nu_time_format *compiled =
        nu_time_format_compile(&arena, nu_str_from(spec), is_local);
    assert_true(nu_time_format_room(compiled) < sizeof(text));
    return nu_str_make(text, nu_time_format_write(compiled, us, text));
}

struct time_case {
    const char *spec;
    const char *expected;
};

static const struct time_case utc_cases[] = {
    {"%Y-%m-%dT%H:%M:%E3SZ", "2026-11-23T06:09:54.226Z"},
    {"%Y-%m-%dT%H:%M:%S", "2026-11-23T06:09:54"},
    {"%s", "1795414194"},
    {"%s.%3f", "1795414194.226"},
    {"%s.%6f", "1795414194.226904"},
    {"%s.%9f", "1795414194.226904000"},
    {"%ss%3f", "1795414194s226"},
    {"%f", "226904000"},
    {"%1f", "2"},
    {"%S.%f", "54.226904000"},
    {"%3f%6f%f", "226226904226904000"},
    {"%E3S", "54.226"},
    {"%E9S", "54.226904000"},
    {"%E15S", "54.226904000000000"},
    {"%E18S", "54.226904000000000000"},
    {"%E1S", "54.2"},
    {"%E0S", "54"},
    {"%E*S", "54.226904"},
    {"%E3f", "226"},
    {"%E6f", "226904"},
    {"%E*f", "226904"},
    {"%Ef", "%Ef"},
    {"%E4Y", "2026"},
    {"%Ez", "+00:00"},
    {"%E*z", "+00:00:00"},
    {"%ET", "T"},
    {"%z", "+0000"},
    {"%:z", "+00:00"},
    {"%::z", "+00:00:00"},
    {"%Z", "UTC"},
    {"%c", "Mon Nov 23 06:09:54 2026"},
    {"%D", "11/23/26"},
    {"%F", "2026-11-23"},
    {"%T", "06:09:54"},
    {"%x", "11/23/26"},
    {"%X", "06:09:54"},
    {"%e", "23"},
    {"%j", "327"},
    {"%U", "47"},
    {"%W", "47"},
    {"%V", "48"},
    {"%a", "Mon"},
    {"%A", "Monday"},
    {"%b", "Nov"},
    {"%B", "November"},
    {"%h", "Nov"},
    {"%p", "AM"},
    {"%P", "am"},
    {"%I", "06"},
    {"%l", " 6"},
    {"%k", " 6"},
    {"%r", "06:09:54 AM"},
    {"%R", "06:09"},
    {"%C", "20"},
    {"%g", "26"},
    {"%G", "2026"},
    {"%y", "26"},
    {"%u", "1"},
    {"%w", "1"},
    {"%t", "\t"},
    {"%%", "%"},
    {"%%f", "%226904000"},
    {"%Q", "%Q"},
    {"%E", "%E"},
    {"%", "%"},
    {"%+", "%+"},
    {"%L", "%L"},
    {"%i", "%i"},
    {"%v", "%v"},
    {"%0f", "%0f"},
    {"%10f", "      %10f"},
    {"%OS", "54"},
    {"%Od", "23"},
    {"%-d", "23"},
    {"%_d", "23"},
    {"%^a", "MON"},
    {"abc", "abc"},
    {"", ""},
};

TEST(every_conversion_prints_what_envoy_prints)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(utc_cases); i++)
        assert_str(format(utc_cases[i].spec, false, SEEN_US), utc_cases[i].expected);
    nu_arena_finish(&arena);
}

TEST(local_formats_use_the_time_zone)
{
    setenv("TZ", "America/New_York", 1);
    tzset();
    assert_str(format("%Y-%m-%dT%H:%M:%E3S%z", true, SEEN_US), "2026-11-23T01:09:54.226-0500");
    assert_str(format("%Ez %Z", true, SEEN_US), "-05:00 EST");
    assert_str(format("%z", false, SEEN_US), "+0000");
    unsetenv("TZ");
    tzset();
    nu_arena_finish(&arena);
}

TEST(a_second_that_is_kept_gets_its_own_fraction)
{
    const struct nu_time_format *compiled =
        nu_time_format_compile(&arena, NU_STR("%S.%3f|%6f|%1f"), false);
    for (int round = 0; round < 2; round++) {
        size_t len = nu_time_format_write(compiled, SEEN_US, text);
        assert_str(nu_str_make(text, len), "54.226|226904|2");
        len = nu_time_format_write(compiled, SEEN_US - 226904 + 7, text);
        assert_str(nu_str_make(text, len), "54.000|000007|0");
    }
    size_t len = nu_time_format_write(compiled, SEEN_US + 1000000, text);
    assert_str(nu_str_make(text, len), "55.226|226904|2");
    nu_arena_finish(&arena);
}

TEST(fractions_without_trailing_zeros_are_not_kept)
{
    const struct nu_time_format *compiled =
        nu_time_format_compile(&arena, NU_STR("%E*S %E*f"), false);
    static const struct time_case cases[] = {{"500000", "54.5 5"}, {"000000", "54 0"}};
    uint64_t second = SEEN_US - SEEN_US % 1000000;
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        uint64_t us = second + strtoull(cases[i].spec, NULL, 10);
        size_t len = nu_time_format_write(compiled, us, text);
        assert_str(nu_str_make(text, len), cases[i].expected);
    }
    nu_arena_finish(&arena);
}

TEST(many_formats_share_the_cache_without_mixing)
{
    const struct nu_time_format *formats[20];
    char spec[16];
    char expected[16];
    for (int i = 0; i < 20; i++) {
        snprintf(spec, sizeof(spec), "%d:%%S", i);
        formats[i] = nu_time_format_compile(&arena, nu_str_from(spec), false);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20; i++) {
            snprintf(expected, sizeof(expected), "%d:54", i);
            size_t len = nu_time_format_write(formats[i], SEEN_US, text);
            assert_str(nu_str_make(text, len), expected);
        }
    }
    nu_arena_finish(&arena);
}

TEST(a_wide_conversion_stays_in_its_room)
{
    struct nu_str wide = format("%300d|%200Y", false, SEEN_US);
    assert_int_equal(wide.len, 501);
    assert_true(nu_str_ends_with(wide, NU_STR("2026")));
    nu_arena_finish(&arena);
}

TEST(line_breaks_are_found)
{
    static const char *const yes[] = {"%n", "%En", "%On", "%3n", "%-3n", "a%^n"};
    static const char *const no[] = {"n", "%", "%Y", "%0%", "%-", "", "%E3n"};
    for (size_t i = 0; i < NU_ARRAY_LEN(yes); i++)
        assert_true(nu_time_format_has_newline(nu_str_from(yes[i])));
    for (size_t i = 0; i < NU_ARRAY_LEN(no); i++)
        assert_false(nu_time_format_has_newline(nu_str_from(no[i])));
}

TEST_MAIN()
