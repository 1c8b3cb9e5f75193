/* SPDX-License-Identifier: Apache-2.0 */
/* Redirects and direct responses. The locations are what an Envoy 1.36 answered. */
#include "route_fixture.h"

#include "format/format.h"

static const struct {
    const char *scheme; /* of the request and in x-forwarded-proto */
    const char *host;
    const char *path;
} requests[] = {
    {"http", "x", "/a/b?q=1"}, {"http", "x:80", "/a"},     {"http", "x:443", "/a"},
    {"http", "x:8080", "/a?"}, {"http", "[::1]:80", "/a"}, {"http", "[::1]", "/a"},
    {"http", "X.Com", "/A?q"}, {"http", "x:080", "/a"},    {"https", "x:443", "/a?q"},
    {"https", "x:80", "/a"},   {"https", "x", "/a"},
};

static const struct {
    const char *redirect;
    uint32_t status;
    const char *locations[11]; /* by request */
} table_of_redirects[] = {
    {"{}",
     301,
     {"http://x/a/b?q=1", "http://x:80/a", "http://x:443/a", "http://x:8080/a?",
      "http://[::1]:80/a", "http://[::1]/a", "http://X.Com/A?q", "http://x:080/a",
      "https://x:443/a?q", "https://x:80/a", "https://x/a"}},
    {"{\"https_redirect\": true}",
     301,
     {"https://x/a/b?q=1", "https://x/a", "https://x:443/a", "https://x:8080/a?", "https://[::1]/a",
      "https://[::1]/a", "https://X.Com/A?q", "https://x:080/a", "https://x:443/a?q",
      "https://x:80/a", "https://x/a"}},
    {"{\"https_redirect\": false}",
     301,
     {"http://x/a/b?q=1", "http://x:80/a", "http://x:443/a", "http://x:8080/a?",
      "http://[::1]:80/a", "http://[::1]/a", "http://X.Com/A?q", "http://x:080/a",
      "https://x:443/a?q", "https://x:80/a", "https://x/a"}},
    {"{\"scheme_redirect\": \"ftp\"}",
     301,
     {"ftp://x/a/b?q=1", "ftp://x/a", "ftp://x:443/a", "ftp://x:8080/a?", "ftp://[::1]/a",
      "ftp://[::1]/a", "ftp://X.Com/A?q", "ftp://x:080/a", "ftp://x/a?q", "ftp://x:80/a",
      "ftp://x/a"}},
    {"{\"scheme_redirect\": \"https\"}",
     301,
     {"https://x/a/b?q=1", "https://x/a", "https://x:443/a", "https://x:8080/a?", "https://[::1]/a",
      "https://[::1]/a", "https://X.Com/A?q", "https://x:080/a", "https://x:443/a?q",
      "https://x:80/a", "https://x/a"}},
    {"{\"scheme_redirect\": \"http\"}",
     301,
     {"http://x/a/b?q=1", "http://x:80/a", "http://x:443/a", "http://x:8080/a?",
      "http://[::1]:80/a", "http://[::1]/a", "http://X.Com/A?q", "http://x:080/a", "http://x/a?q",
      "http://x:80/a", "http://x/a"}},
    {"{\"scheme_redirect\": \"HTTPS\"}",
     301,
     {"HTTPS://x/a/b?q=1", "HTTPS://x/a", "HTTPS://x:443/a", "HTTPS://x:8080/a?", "HTTPS://[::1]/a",
      "HTTPS://[::1]/a", "HTTPS://X.Com/A?q", "HTTPS://x:080/a", "HTTPS://x/a?q", "HTTPS://x:80/a",
      "HTTPS://x/a"}},
    {"{\"scheme_redirect\": \"\"}",
     301,
     {"http://x/a/b?q=1", "http://x:80/a", "http://x:443/a", "http://x:8080/a?",
      "http://[::1]:80/a", "http://[::1]/a", "http://X.Com/A?q", "http://x:080/a",
      "https://x:443/a?q", "https://x:80/a", "https://x/a"}},
    {"{\"host_redirect\": \"new.com\"}",
     301,
     {"http://new.com/a/b?q=1", "http://new.com/a", "http://new.com/a", "http://new.com/a?",
      "http://new.com/a", "http://new.com/a", "http://new.com/A?q", "http://new.com/a",
      "https://new.com/a?q", "https://new.com/a", "https://new.com/a"}},
    {"{\"host_redirect\": \"new.com:99\"}",
     301,
     {"http://new.com:99/a/b?q=1", "http://new.com:99/a", "http://new.com:99/a",
      "http://new.com:99/a?", "http://new.com:99/a", "http://new.com:99/a", "http://new.com:99/A?q",
      "http://new.com:99/a", "https://new.com:99/a?q", "https://new.com:99/a",
      "https://new.com:99/a"}},
    {"{\"host_redirect\": \"\"}",
     301,
     {"http://x/a/b?q=1", "http://x:80/a", "http://x:443/a", "http://x:8080/a?",
      "http://[::1]:80/a", "http://[::1]/a", "http://X.Com/A?q", "http://x:080/a",
      "https://x:443/a?q", "https://x:80/a", "https://x/a"}},
    {"{\"port_redirect\": 8443}",
     301,
     {"http://x:8443/a/b?q=1", "http://x:8443/a", "http://x:8443/a", "http://x:8443/a?",
      "http://[::1]:8443/a", "http://[::1]:8443/a", "http://X.Com:8443/A?q", "http://x:8443/a",
      "https://x:8443/a?q", "https://x:8443/a", "https://x:8443/a"}},
    {"{\"port_redirect\": 443, \"https_redirect\": true}",
     301,
     {"https://x:443/a/b?q=1", "https://x:443/a", "https://x:443/a", "https://x:443/a?",
      "https://[::1]:443/a", "https://[::1]:443/a", "https://X.Com:443/A?q", "https://x:443/a",
      "https://x:443/a?q", "https://x:443/a", "https://x:443/a"}},
    {"{\"port_redirect\": 80}",
     301,
     {"http://x:80/a/b?q=1", "http://x:80/a", "http://x:80/a", "http://x:80/a?",
      "http://[::1]:80/a", "http://[::1]:80/a", "http://X.Com:80/A?q", "http://x:80/a",
      "https://x:80/a?q", "https://x:80/a", "https://x:80/a"}},
    {"{\"port_redirect\": 443}",
     301,
     {"http://x:443/a/b?q=1", "http://x:443/a", "http://x:443/a", "http://x:443/a?",
      "http://[::1]:443/a", "http://[::1]:443/a", "http://X.Com:443/A?q", "http://x:443/a",
      "https://x:443/a?q", "https://x:443/a", "https://x:443/a"}},
    {"{\"port_redirect\": 8080, \"https_redirect\": true, \"host_redirect\": \"n.com\"}",
     301,
     {"https://n.com:8080/a/b?q=1", "https://n.com:8080/a", "https://n.com:8080/a",
      "https://n.com:8080/a?", "https://n.com:8080/a", "https://n.com:8080/a",
      "https://n.com:8080/A?q", "https://n.com:8080/a", "https://n.com:8080/a?q",
      "https://n.com:8080/a", "https://n.com:8080/a"}},
    {"{\"host_redirect\": \"n.com:99\", \"port_redirect\": 7}",
     301,
     {"http://n.com:99:7/a/b?q=1", "http://n.com:99:7/a", "http://n.com:99:7/a",
      "http://n.com:99:7/a?", "http://n.com:99:7/a", "http://n.com:99:7/a", "http://n.com:99:7/A?q",
      "http://n.com:99:7/a", "https://n.com:99:7/a?q", "https://n.com:99:7/a",
      "https://n.com:99:7/a"}},
    {"{\"path_redirect\": \"/new\"}",
     301,
     {"http://x/new?q=1", "http://x:80/new", "http://x:443/new", "http://x:8080/new?",
      "http://[::1]:80/new", "http://[::1]/new", "http://X.Com/new?q", "http://x:080/new",
      "https://x:443/new?q", "https://x:80/new", "https://x/new"}},
    {"{\"path_redirect\": \"/new?z=1\"}",
     301,
     {"http://x/new?z=1", "http://x:80/new?z=1", "http://x:443/new?z=1", "http://x:8080/new?z=1",
      "http://[::1]:80/new?z=1", "http://[::1]/new?z=1", "http://X.Com/new?z=1",
      "http://x:080/new?z=1", "https://x:443/new?z=1", "https://x:80/new?z=1",
      "https://x/new?z=1"}},
    {"{\"path_redirect\": \"/new?z=1\", \"strip_query\": true}",
     301,
     {"http://x/new?z=1", "http://x:80/new?z=1", "http://x:443/new?z=1", "http://x:8080/new?z=1",
      "http://[::1]:80/new?z=1", "http://[::1]/new?z=1", "http://X.Com/new?z=1",
      "http://x:080/new?z=1", "https://x:443/new?z=1", "https://x:80/new?z=1",
      "https://x/new?z=1"}},
    {"{\"path_redirect\": \"new\"}",
     301,
     {"http://x/new?q=1", "http://x:80/new", "http://x:443/new", "http://x:8080/new?",
      "http://[::1]:80/new", "http://[::1]/new", "http://X.Com/new?q", "http://x:080/new",
      "https://x:443/new?q", "https://x:80/new", "https://x/new"}},
    {"{\"path_redirect\": \"\"}",
     301,
     {"http://x/a/b?q=1", "http://x:80/a", "http://x:443/a", "http://x:8080/a?",
      "http://[::1]:80/a", "http://[::1]/a", "http://X.Com/A?q", "http://x:080/a",
      "https://x:443/a?q", "https://x:80/a", "https://x/a"}},
    {"{\"path_redirect\": \"/new\", \"strip_query\": true}",
     301,
     {"http://x/new", "http://x:80/new", "http://x:443/new", "http://x:8080/new",
      "http://[::1]:80/new", "http://[::1]/new", "http://X.Com/new", "http://x:080/new",
      "https://x:443/new", "https://x:80/new", "https://x/new"}},
    {"{\"prefix_rewrite\": \"/new\"}",
     301,
     {"http://x/new/b?q=1", "http://x:80/new", "http://x:443/new", "http://x:8080/new?",
      "http://[::1]:80/new", "http://[::1]/new", "http://X.Com/new?q", "http://x:080/new",
      "https://x:443/new?q", "https://x:80/new", "https://x/new"}},
    {"{\"prefix_rewrite\": \"/new\", \"strip_query\": true}",
     301,
     {"http://x/new/b", "http://x:80/new", "http://x:443/new", "http://x:8080/new",
      "http://[::1]:80/new", "http://[::1]/new", "http://X.Com/new", "http://x:080/new",
      "https://x:443/new", "https://x:80/new", "https://x/new"}},
    {"{\"prefix_rewrite\": \"/new?k=v\"}",
     301,
     {"http://x/new?k=v/b?q=1", "http://x:80/new?k=v", "http://x:443/new?k=v",
      "http://x:8080/new?k=v?", "http://[::1]:80/new?k=v", "http://[::1]/new?k=v",
      "http://X.Com/new?k=v?q", "http://x:080/new?k=v", "https://x:443/new?k=v?q",
      "https://x:80/new?k=v", "https://x/new?k=v"}},
    {"{\"prefix_rewrite\": \"\"}",
     301,
     {"http://x/a/b?q=1", "http://x:80/a", "http://x:443/a", "http://x:8080/a?",
      "http://[::1]:80/a", "http://[::1]/a", "http://X.Com/A?q", "http://x:080/a",
      "https://x:443/a?q", "https://x:80/a", "https://x/a"}},
    {"{\"regex_rewrite\": {\"pattern\": {\"regex\": \"/a(.*)\"}, \"substitution\": \"/R\\\\1\"}}",
     301,
     {"http://x/R/b?q=1", "http://x:80/R", "http://x:443/R", "http://x:8080/R?",
      "http://[::1]:80/R", "http://[::1]/R", "http://X.Com/A?q", "http://x:080/R",
      "https://x:443/R?q", "https://x:80/R", "https://x/R"}},
    {"{\"regex_rewrite\": {\"pattern\": {\"regex\": \"[a-z]\"}, \"substitution\": \"X\"}, "
     "\"strip_query\": true}",
     301,
     {"http://x/X/X", "http://x:80/X", "http://x:443/X", "http://x:8080/X", "http://[::1]:80/X",
      "http://[::1]/X", "http://X.Com/A", "http://x:080/X", "https://x:443/X", "https://x:80/X",
      "https://x/X"}},
    {"{\"strip_query\": true}",
     301,
     {"http://x/a/b", "http://x:80/a", "http://x:443/a", "http://x:8080/a", "http://[::1]:80/a",
      "http://[::1]/a", "http://X.Com/A", "http://x:080/a", "https://x:443/a", "https://x:80/a",
      "https://x/a"}},
    {"{\"https_redirect\": true, \"strip_query\": true, \"host_redirect\": \"h\", "
     "\"path_redirect\": \"/p\"}",
     301,
     {"https://h/p", "https://h/p", "https://h/p", "https://h/p", "https://h/p", "https://h/p",
      "https://h/p", "https://h/p", "https://h/p", "https://h/p", "https://h/p"}},
    {"{\"response_code\": \"FOUND\"}",
     302,
     {"http://x/a/b?q=1", "http://x:80/a", "http://x:443/a", "http://x:8080/a?",
      "http://[::1]:80/a", "http://[::1]/a", "http://X.Com/A?q", "http://x:080/a",
      "https://x:443/a?q", "https://x:80/a", "https://x/a"}},
    {"{\"response_code\": \"SEE_OTHER\"}",
     303,
     {"http://x/a/b?q=1", "http://x:80/a", "http://x:443/a", "http://x:8080/a?",
      "http://[::1]:80/a", "http://[::1]/a", "http://X.Com/A?q", "http://x:080/a",
      "https://x:443/a?q", "https://x:80/a", "https://x/a"}},
    {"{\"response_code\": \"TEMPORARY_REDIRECT\"}",
     307,
     {"http://x/a/b?q=1", "http://x:80/a", "http://x:443/a", "http://x:8080/a?",
      "http://[::1]:80/a", "http://[::1]/a", "http://X.Com/A?q", "http://x:080/a",
      "https://x:443/a?q", "https://x:80/a", "https://x/a"}},
    {"{\"response_code\": \"PERMANENT_REDIRECT\"}",
     308,
     {"http://x/a/b?q=1", "http://x:80/a", "http://x:443/a", "http://x:8080/a?",
      "http://[::1]:80/a", "http://[::1]/a", "http://X.Com/A?q", "http://x:080/a",
      "https://x:443/a?q", "https://x:80/a", "https://x/a"}},
    {"{\"port_redirect\": 8443, \"https_redirect\": true}",
     301,
     {"https://x:8443/a/b?q=1", "https://x:8443/a", "https://x:8443/a", "https://x:8443/a?",
      "https://[::1]:8443/a", "https://[::1]:8443/a", "https://X.Com:8443/A?q", "https://x:8443/a",
      "https://x:8443/a?q", "https://x:8443/a", "https://x:8443/a"}},
    {"{\"scheme_redirect\": \"https\", \"port_redirect\": 443}",
     301,
     {"https://x:443/a/b?q=1", "https://x:443/a", "https://x:443/a", "https://x:443/a?",
      "https://[::1]:443/a", "https://[::1]:443/a", "https://X.Com:443/A?q", "https://x:443/a",
      "https://x:443/a?q", "https://x:443/a", "https://x:443/a"}},
    {"{\"scheme_redirect\": \"http\", \"port_redirect\": 80}",
     301,
     {"http://x:80/a/b?q=1", "http://x:80/a", "http://x:80/a", "http://x:80/a?",
      "http://[::1]:80/a", "http://[::1]:80/a", "http://X.Com:80/A?q", "http://x:80/a",
      "http://x:80/a?q", "http://x:80/a", "http://x:80/a"}},
};

static void start(const char *scheme, const char *host, const char *path)
{
    request(host, path);
    nu_headers_set(&headers, NU_STR(":scheme"), nu_str_from(scheme));
    nu_headers_set(&headers, NU_STR("x-forwarded-proto"), nu_str_from(scheme));
    assert_true(find());
}

static void load_action(const char *condition, const char *action)
{
    struct nu_strbuf yaml = {0};
    nu_strbuf_addf(&yaml,
                   "{virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {%s}, %s}]}]}",
                   condition, action);
    load(yaml.data);
    nu_strbuf_finish(&yaml);
}

TEST(redirects_lead_where_envoys_lead)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(table_of_redirects); i++) {
        struct nu_strbuf action = {0};
        nu_strbuf_addf(&action, "redirect: %s", table_of_redirects[i].redirect);
        load_action("prefix: /a, case_sensitive: false", action.data);
        for (size_t k = 0; k < NU_ARRAY_LEN(requests); k++) {
            start(requests[k].scheme, requests[k].host, requests[k].path);
            assert_str(nu_route_redirect_location(&match, &headers, false),
                       table_of_redirects[i].locations[k]);
            assert_int_equal(nu_route_redirect_status(&match), table_of_redirects[i].status);
        }
        unload();
        nu_strbuf_finish(&action);
    }
}

static void expect_location(const char *condition, const char *path, const char *want)
{
    load_action(condition, "redirect: {prefix_rewrite: /N}");
    start("http", "x", path);
    assert_str(nu_route_redirect_location(&match, &headers, false), want);
    unload();
}

TEST(a_prefix_rewrite_of_a_redirect_replaces_what_matched)
{
    expect_location("path: /a/b", "/a/b?q", "http://x/N?q");
    expect_location("safe_regex: {regex: '/a.*'}", "/a/b?q", "http://x/N?q");
    expect_location("path_separated_prefix: /a1", "/a1/b?q", "http://x/N/b?q");
    expect_location("prefix: /", "/a/", "http://x/Na/");
}

TEST(a_redirect_that_rewrites_the_path_changes_the_request)
{
    load_action("prefix: /a", "redirect: {prefix_rewrite: /n, strip_query: true}");
    start("http", "x", "/a/c?q=1");
    assert_str(nu_route_redirect_location(&match, &headers, false), "http://x/n/c");
    assert_str(nu_headers_get_id(&headers, NU_HEADER_PATH), "/n/c?q=1");
    assert_str(dump(&headers), "x-envoy-original-path=/a/c?q=1;");
    start("http", "x", "/a/c");
    nu_route_redirect_location(&match, &headers, true);
    assert_str(nu_headers_get_id(&headers, NU_HEADER_PATH), "/n/c");
    assert_str(dump(&headers), "");
    unload();
}

TEST(tls_is_required_at_the_same_host_and_path)
{
    load("virtual_hosts: [{name: v, domains: ['*'], require_tls: ALL}]");
    start("http", "x:80", "/none?q");
    assert_str(nu_route_redirect_location(&match, &headers, false), "https://x:80/none?q");
    assert_int_equal(nu_route_redirect_status(&match), 301);
    unload();
}

static struct nu_str body_of(struct nu_str *content_type)
{
    struct nu_format_context context = {.request_headers = &headers, .info = &info};
    return nu_route_direct_body(&match, &context, &arena, content_type);
}

TEST(a_direct_response_has_its_body)
{
    struct nu_str content_type;
    load_action("prefix: /",
                "direct_response: {status: 404, body: {inline_string: 'no %REQ(x)%'}}");
    start("http", "x", "/");
    assert_int_equal(match.route->action, NU_ROUTE_DIRECT_RESPONSE);
    assert_int_equal(match.route->status, 404);
    assert_str(body_of(&content_type), "no %REQ(x)%");
    assert_int_equal(content_type.len, 0);
    assert_int_equal(nu_route_redirect_location(&match, &headers, false).len, 0);
    unload();
}

TEST(a_direct_response_may_be_formatted)
{
    struct nu_str content_type;
    load_action("prefix: /",
                "direct_response: {status: 200, body: {inline_string: B}, body_format: "
                "{text_format_source: {inline_string: '%REQ(:path)% %LOCAL_REPLY_BODY%'}, "
                "content_type: a/b}}");
    start("http", "x", "/p");
    assert_str(body_of(&content_type), "/p B");
    assert_str(content_type, "a/b");
    unload();
}

TEST(some_direct_responses_name_their_location)
{
    load_action("prefix: /", "direct_response: {status: 201}");
    start("http", "x:80", "/a?b");
    assert_str(nu_route_redirect_location(&match, &headers, false), "http://x:80/a?b");
    unload();
    load_action("prefix: /", "direct_response: {status: 304}");
    start("https", "x", "/a");
    assert_str(nu_route_redirect_location(&match, &headers, false), "https://x/a");
    unload();
}

TEST_MAIN()
