/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing cookies as Envoy does it: tests/compat/cases/hash/cookie.yaml and its like. */
#include "harness/test.h"

#include "http/cookie.h"
#include "http/headers.h"

static struct nu_arena arena;
static struct nu_headers headers;

static struct nu_str find(const char *first, const char *second, const char *name)
{
    nu_headers_clear(&headers);
    if (first)
        nu_headers_add(&headers, NU_STR("cookie"), nu_str_from(first));
    nu_headers_add(&headers, NU_STR("x"), NU_STR("who=no"));
    if (second)
        nu_headers_add(&headers, NU_STR("cookie"), nu_str_from(second));
    return nu_cookie_find(&headers, nu_str_from(name));
}

static void begin(void)
{
    nu_arena_init(&arena);
    nu_headers_init(&headers, &arena, 8);
}

TEST(values_are_found)
{
    begin();
    assert_str(find("who=one", NULL, "who"), "one");
    assert_str(find("a=b; who=one; c=d", NULL, "who"), "one");
    assert_str(find("b=1;who=one", NULL, "who"), "one");
    assert_str(find("a=1", "who=two", "who"), "two");
    assert_str(find("who=one; who=two", "who=three", "who"), "one");
    assert_str(find("who=a=b", NULL, "who"), "a=b");
    assert_str(find("who=", NULL, "who"), "");
    nu_arena_finish(&arena);
}

TEST(names_keep_their_case_and_blanks_count_in_values)
{
    begin();
    assert_str(find("Who=one; who=two", NULL, "who"), "two");
    assert_str(find("   who= one ", NULL, "who"), " one ");
    assert_str(find("who=\"one\"", NULL, "who"), "one");
    assert_str(find("who=\"", NULL, "who"), "\"");
    nu_arena_finish(&arena);
}

TEST(what_is_not_there_is_not_found)
{
    begin();
    assert_null(find(NULL, NULL, "who").ptr);
    assert_null(find("who", "", "who").ptr);
    assert_null(find("whoever=1; ; =; who ;", NULL, "who").ptr);
    nu_arena_finish(&arena);
}

TEST(all_parts_are_written)
{
    begin();
    const struct nu_cookie_attribute attributes[] = {{NU_STR("SameSite"), NU_STR("Lax")},
                                                     {NU_STR("Secure"), {0}}};
    const struct nu_set_cookie cookie = {
        .name = NU_STR("who"),
        .value = NU_STR("me"),
        .path = NU_STR("/p"),
        .max_age_seconds = 90,
        .attributes = attributes,
        .attribute_count = 2,
    };
    assert_str(nu_set_cookie_format(&cookie, &arena),
               "who=\"me\"; Max-Age=90; Path=/p; SameSite=Lax; Secure; HttpOnly");
    nu_arena_finish(&arena);
}

TEST(absent_parts_are_left_out)
{
    begin();
    const struct nu_set_cookie cookie = {.name = NU_STR("who"), .value = NU_STR("me")};
    assert_str(nu_set_cookie_format(&cookie, &arena), "who=\"me\"; HttpOnly");
    nu_arena_finish(&arena);
}

TEST_MAIN()
