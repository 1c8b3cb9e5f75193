/* SPDX-License-Identifier: Apache-2.0 */
/* Host values, as an Envoy 1.36 judges and strips them. */
#include "harness/test.h"

#include "http/authority.h"

TEST(authority_holds_only_uri_characters)
{
    assert_true(nu_authority_is_valid(NU_STR("example.com:80"), true));
    assert_true(nu_authority_is_valid(NU_STR("[::1]:80"), true));
    assert_true(nu_authority_is_valid(NU_STR("!$%&'()*+,-.;=_~"), true));
    assert_true(nu_authority_is_valid(NU_STR(""), true));
    const char bad[] = " \"#/<>?\\^`{|}\x7f\x80\xff\t";
    for (size_t i = 0; i < sizeof(bad); i++)
        assert_false(nu_authority_is_valid(nu_str_make(bad + i, 1), true));
}

TEST(an_at_sign_is_for_http1_only)
{
    assert_true(nu_authority_is_valid(NU_STR("u@h"), true));
    assert_false(nu_authority_is_valid(NU_STR("u@h"), false));
}

TEST(any_port_is_stripped_if_it_is_a_number)
{
    static const char *const cases[][2] = {
        {"a", "a"},
        {"a:80", "a"},
        {"a:99999", "a"},
        {"a:4294967295", "a"},
        {"a:4294967296", "a:4294967296"},
        {"a:", "a:"},
        {"a:x", "a:x"},
        {"a:-1", "a:-1"},
        {"a:+80", "a"},
        {"a:00080", "a"},
        {"a:80:90", "a:80"},
        {"[::1]", "[::1]"},
        {"[::1]:80", "[::1]"},
        {"[::1", "[:"},
        {"::1", ":"},
        {":80", ""},
        {"", ""},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++)
        assert_str(nu_authority_strip_port(nu_str_from(cases[i][0]), 0), cases[i][1]);
}

TEST(only_the_matching_port_is_stripped)
{
    assert_str(nu_authority_strip_port(NU_STR("a:80"), 80), "a");
    assert_str(nu_authority_strip_port(NU_STR("a:080"), 80), "a");
    assert_str(nu_authority_strip_port(NU_STR("a:81"), 80), "a:81");
    assert_str(nu_authority_strip_port(NU_STR("[::1]:80"), 80), "[::1]");
}

TEST(a_trailing_dot_is_stripped_also_before_a_port)
{
    static const char *const cases[][2] = {
        {"a.", "a"},
        {"a.:80", "a:80"},
        {"a.b", "a.b"},
        {"a..", "a."},
        {".", ""},
        {"a", "a"},
        {"[::1].:80", "[::1]:80"},
        {"a.:x", "a:x"},
        {"a.:", "a:"},
        {"a.b:80", "a.b:80"},
    };
    struct nu_arena arena;
    nu_arena_init(&arena);
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++)
        assert_str(nu_authority_strip_trailing_dot(&arena, nu_str_from(cases[i][0])), cases[i][1]);
    nu_arena_finish(&arena);
}

TEST(authority_is_split_in_host_and_port)
{
    struct nu_authority parts = nu_authority_split(NU_STR("[::1]:80"));
    assert_str(parts.host, "::1");
    assert_str(parts.port, "80");
    assert_true(parts.is_bracketed);
    parts = nu_authority_split(NU_STR("a.b"));
    assert_str(parts.host, "a.b");
    assert_null(parts.port.ptr);
    parts = nu_authority_split(NU_STR("a:"));
    assert_str(parts.host, "a");
    assert_non_null(parts.port.ptr);
}

TEST(lowering_copies_only_when_needed)
{
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_str lower = NU_STR("a.b:80");
    assert_ptr_equal(nu_authority_lower(&arena, lower).ptr, lower.ptr);
    assert_str(nu_authority_lower(&arena, NU_STR("A.Example.COM")), "a.example.com");
    nu_arena_finish(&arena);
}

TEST_MAIN()
