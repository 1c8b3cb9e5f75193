/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions: what matches, what is refused, rewrites. */
#include "harness/test.h"

#include "base/regex.h"

static struct nu_regex *compile(const char *pattern)
{
    struct nu_regex *regex = nu_regex_create(nu_str_from(pattern), NULL);
    assert_non_null(regex);
    return regex;
}

TEST(a_full_match_covers_the_whole_text_and_a_search_a_part)
{
    struct nu_regex *regex = compile("b+");
    assert_true(nu_regex_full_match(regex, NU_STR("bbb")));
    assert_false(nu_regex_full_match(regex, NU_STR("abbb")));
    assert_false(nu_regex_full_match(regex, NU_STR("bbbc")));
    assert_true(nu_regex_search(regex, NU_STR("abbbc")));
    assert_false(nu_regex_search(regex, NU_STR("acd")));
    assert_false(nu_regex_full_match(regex, nu_str_make(NULL, 0)));
    nu_regex_destroy(&regex);
    assert_null(regex);
    nu_regex_destroy(&regex);
}

TEST(the_whole_alternative_must_match_not_its_first_choice)
{
    struct nu_regex *regex = compile("a|ab");
    assert_true(nu_regex_full_match(regex, NU_STR("ab")));
    nu_regex_destroy(&regex);
}

TEST(the_empty_pattern_matches_the_empty_text)
{
    struct nu_regex *regex = nu_regex_create(nu_str_make(NULL, 0), NULL);
    assert_non_null(regex);
    assert_true(nu_regex_full_match(regex, NU_STR("")));
    assert_true(nu_regex_full_match(regex, nu_str_make(NULL, 0)));
    assert_false(nu_regex_full_match(regex, NU_STR("x")));
    assert_true(nu_regex_search(regex, NU_STR("x")));
    nu_regex_destroy(&regex);
}

TEST(nul_bytes_are_bytes_like_others)
{
    struct nu_regex *regex = compile("a.b");
    assert_true(nu_regex_full_match(regex, NU_STR("a\0b")));
    assert_false(nu_regex_full_match(regex, NU_STR("a")));
    nu_regex_destroy(&regex);
}

TEST(a_dot_takes_a_character_and_no_newline)
{
    struct nu_regex *regex = compile(".");
    assert_true(nu_regex_full_match(regex, NU_STR("\xc3\xbc")));
    assert_false(nu_regex_full_match(regex, NU_STR("\n")));
    assert_false(nu_regex_full_match(regex, NU_STR("\xff")));
    nu_regex_destroy(&regex);
}

TEST(what_does_not_compile_gives_a_reason)
{
    static const char *const patterns[] = {"(", "[a", "a{1001}", "(?=x)", "\\1", "*", "\xff"};
    for (size_t i = 0; i < NU_ARRAY_LEN(patterns); i++) {
        struct nu_strbuf error = {0};
        assert_null(nu_regex_create(nu_str_from(patterns[i]), &error));
        assert_true(error.len > 0);
        nu_strbuf_finish(&error);
        assert_null(nu_regex_create(nu_str_from(patterns[i]), NULL));
    }
}

/* A backtracking engine would not come back from this. */
TEST(nested_repeats_take_linear_time)
{
    char text[5001];
    memset(text, 'a', 5000);
    text[5000] = '!';
    struct nu_regex *regex = compile("(a+)+(a*)*");
    assert_false(nu_regex_full_match(regex, nu_str_make(text, sizeof(text))));
    assert_true(nu_regex_full_match(regex, nu_str_make(text, 5000)));
    nu_regex_destroy(&regex);
}

TEST(size_and_groups_are_known)
{
    struct nu_regex *small = compile("(a)(?:b)((c))");
    struct nu_regex *large = compile("(abc|def|ghi){20}");
    assert_int_equal(nu_regex_group_count(small), 3);
    assert_true(nu_regex_program_size(small) > 0);
    assert_true(nu_regex_program_size(large) > nu_regex_program_size(small));
    nu_regex_destroy(&small);
    nu_regex_destroy(&large);
}

static void assert_replaced(const char *pattern, const char *text, const char *rewrite,
                            const char *want, int count)
{
    struct nu_regex *regex = compile(pattern);
    struct nu_strbuf out = {0};
    nu_strbuf_add_cstr(&out, ">");
    assert_true(nu_regex_check_rewrite(regex, nu_str_from(rewrite), NULL));
    assert_int_equal(nu_regex_replace_all(regex, nu_str_from(text), nu_str_from(rewrite), &out),
                     count);
    assert_str(nu_strbuf_str(&out), want);
    nu_strbuf_finish(&out);
    nu_regex_destroy(&regex);
}

TEST(every_match_is_replaced)
{
    assert_replaced("a", "banana", "o", ">bonono", 3);
    assert_replaced("^/service/([^/]+)(/.*)$", "/service/foo/v1/api", "\\2/instance/\\1",
                    ">/v1/api/instance/foo", 1);
    assert_replaced("(a)(b)?", "a", "[\\1\\2\\0\\\\]", ">[aa\\]", 1);
    assert_replaced("x", "abc", "y", ">abc", 0);
    assert_replaced("", "ab", "-", ">-a-b-", 3);
    assert_replaced("x", "", "y", ">", 0);
}

TEST(a_rewrite_may_only_use_groups_that_exist)
{
    struct nu_regex *regex = compile("(a)");
    struct nu_strbuf error = {0};
    assert_true(nu_regex_check_rewrite(regex, NU_STR("\\0\\1"), &error));
    assert_int_equal(error.len, 0);
    assert_false(nu_regex_check_rewrite(regex, NU_STR("\\2"), &error));
    assert_true(error.len > 0);
    nu_strbuf_clear(&error);
    assert_false(nu_regex_check_rewrite(regex, NU_STR("\\x"), &error));
    assert_false(nu_regex_check_rewrite(regex, NU_STR("a\\"), NULL));
    nu_strbuf_finish(&error);
    nu_regex_destroy(&regex);
}

TEST(find_gives_the_match_and_its_groups)
{
    struct nu_regex *regex = nu_regex_create(NU_STR("b((c)|(x))"), NULL);
    struct nu_str groups[5];
    assert_true(nu_regex_find(regex, NU_STR("abcd"), groups, 5));
    assert_str(groups[0], "bc");
    assert_str(groups[1], "c");
    assert_str(groups[2], "c");
    assert_null(groups[3].ptr);
    assert_null(groups[4].ptr);
    assert_false(nu_regex_find(regex, NU_STR("acbd"), groups, 5));
    nu_regex_destroy(&regex);
}

TEST_MAIN()
