/* SPDX-License-Identifier: Apache-2.0 */
/* URLs. The verdicts are those of an Envoy 1.36 for the same request line or referer. */
#include "harness/test.h"

#include "http/url.h"

static void expect(const char *method, const char *target, enum nu_target_result result,
                   const char *authority, const char *path)
{
    struct nu_url url;
    enum nu_target_result got =
        nu_request_target_parse(nu_str_from(method), nu_str_from(target), true, &url);
    if (got != result)
        fail_msg("%s %s: result %d, not %d", method, target, (int)got, (int)result);
    if (authority)
        assert_str(url.authority, authority);
    if (path)
        assert_str(url.path, path);
}

TEST(absolute_targets_give_scheme_authority_and_path)
{
    expect("GET", "http://h", NU_TARGET_ABSOLUTE, "h", "/");
    expect("GET", "HTTP://H:80/a?b", NU_TARGET_ABSOLUTE, "H:80", "/a?b");
    expect("GET", "https://h?x", NU_TARGET_ABSOLUTE, "h", "?x");
    expect("GET", "http://u:p@h:1/", NU_TARGET_ABSOLUTE, "h:1", "/");
    expect("GET", "http://@h/", NU_TARGET_ABSOLUTE, "h", "/");
    expect("GET", "http://[::1]:80/a", NU_TARGET_ABSOLUTE, "[::1]:80", "/a");
    expect("GET", "http://[1.2.3.4]/", NU_TARGET_ABSOLUTE, "[1.2.3.4]", "/");
    expect("GET", "http://[fe80::1%1]/", NU_TARGET_ABSOLUTE, "[fe80::1%1]", "/");
    expect("GET", "http://.../", NU_TARGET_ABSOLUTE, "...", "/");
    expect("GET", "http://h:00000000080/", NU_TARGET_ABSOLUTE, "h:00000000080", "/");
}

TEST(origin_targets_are_kept)
{
    expect("GET", "/a?b", NU_TARGET_ORIGIN, "", "/a?b");
    expect("GET", "//h/a", NU_TARGET_ORIGIN, "", "//h/a");
    expect("OPTIONS", "*", NU_TARGET_ORIGIN, "", "*");
}

TEST(strict_check_refuses_urls)
{
    static const char *const targets[] = {
        "http://",
        "http:///a",
        "http://?x",
        "http://:80/",
        "http://h:/",
        "http://h:x/",
        "http://h:65536",
        "http://h;x/y",
        "http://h%20/",
        "http://h_x/",
        "http://[::1/",
        "http://[]/",
        "http://[::g]/",
        "http://u@u@h/",
        "http://[::1]x/",
        "http://[a%en0]",
        "http://h:-1/",
        "http://[::1]:",
        "*",
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(targets); i++)
        expect("GET", targets[i], NU_TARGET_INVALID_URL, NULL, NULL);
}

TEST(loose_check_refuses_request_lines)
{
    static const char *const targets[] = {
        "",
        "a",
        "a/b",
        "?x",
        "h:80",
        "http:/a",
        "http:h",
        "://",
        "1h://x",
        "x_://h",
        "http://h#f",
        "http://h\\a",
        "http://a@@b/",
        "http://h\"/",
        "/\x80",
        "http://h/\xff",
        "/a\tb",
        "http://h^/",
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(targets); i++)
        expect("GET", targets[i], NU_TARGET_MALFORMED, NULL, NULL);
}

TEST(control_characters_and_other_schemes_have_their_own_verdict)
{
    expect("GET", "/a\x01", NU_TARGET_INVALID_CHARACTERS, NULL, NULL);
    expect("GET", "http://h\x7f", NU_TARGET_INVALID_CHARACTERS, NULL, NULL);
    expect("GET", "ftp://h/", NU_TARGET_INVALID_SCHEME, NULL, NULL);
    expect("GET", "x1+-.://h", NU_TARGET_INVALID_SCHEME, NULL, NULL);
}

TEST(connect_takes_host_and_port_only)
{
    expect("CONNECT", "h:80", NU_TARGET_CONNECT, "h:80", "");
    expect("CONNECT", "[::1]:0", NU_TARGET_CONNECT, "[::1]:0", "");
    expect("CONNECT", "h", NU_TARGET_INVALID_URL, NULL, NULL);
    expect("CONNECT", "h:80/", NU_TARGET_INVALID_URL, NULL, NULL);
    expect("CONNECT", "u@h:80", NU_TARGET_INVALID_URL, NULL, NULL);
    expect("CONNECT", "/", NU_TARGET_INVALID_URL, NULL, NULL);
    expect("CONNECT", "h\\:80", NU_TARGET_MALFORMED, NULL, NULL);
}

TEST(without_allow_absolute_a_url_is_a_path)
{
    struct nu_url url;
    assert_int_equal(nu_request_target_parse(NU_STR("GET"), NU_STR("http://h/a"), false, &url),
                     NU_TARGET_ORIGIN);
    assert_str(url.path, "http://h/a");
}

TEST(url_parts_are_told_apart)
{
    struct nu_url url;
    assert_true(nu_url_parse(NU_STR("https://u@[::1]:8443/a?b#c"), &url));
    assert_str(url.scheme, "https");
    assert_str(url.userinfo, "u");
    assert_str(url.host, "::1");
    assert_str(url.authority, "[::1]:8443");
    assert_int_equal(url.port, 8443);
    assert_true(url.has_fragment);
    assert_true(nu_url_parse(NU_STR("x://h"), &url));
    assert_false(url.has_port);
    assert_null(url.userinfo.ptr);
    assert_false(nu_url_parse(NU_STR("/a"), &url));
}

TEST(referer_is_a_url_or_a_plain_reference)
{
    static const char *const good[] = {
        "http://a/b", "https://a", "ftp://a",    "a",          "/a",
        "",           "//a/b",     "*",          "?",          "a/b:c",
        "./a:b",      "/:",        "http://h/#", "http://@h/", "http://h/<\">",
    };
    static const char *const bad[] = {
        "http://",       "http:///", "http://a b", "http://a#f", "about:blank", "http://u@a/",
        "http://a:x/",   "#",        "a:b/c",      "?:",         "/[",          "http://h/#x",
        "http://a/\xe4", "/a b",
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(good); i++)
        assert_true(nu_referer_is_valid(nu_str_from(good[i])));
    for (size_t i = 0; i < NU_ARRAY_LEN(bad); i++)
        assert_false(nu_referer_is_valid(nu_str_from(bad[i])));
}

TEST_MAIN()
