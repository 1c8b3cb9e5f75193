/* SPDX-License-Identifier: Apache-2.0 */
/* What routes do to headers: edits in their order, hosts, paths. The outcomes are an Envoy
 * 1.36's. */
#include "route_fixture.h"

/* A table of one route; each level in flow style, or empty. */
static void load_levels(const char *weighted, const char *route, const char *host, const char *top)
{
    struct nu_strbuf yaml = {0};
    nu_strbuf_addf(&yaml,
                   "{%s%s virtual_hosts: [{name: v, domains: ['*'], %s%s routes: [{match: "
                   "{prefix: /}, %s%s route: {weighted_clusters: {clusters: [{name: c, weight: 1, "
                   "%s}]}}}]}]}",
                   top, *top ? "," : "", host, *host ? "," : "", route, *route ? "," : "",
                   weighted);
    load(yaml.data);
    nu_strbuf_finish(&yaml);
}

static struct nu_str sent(void)
{
    assert_true(find());
    nu_route_finalize_request(&match, &headers, &info, false);
    return dump(&headers);
}

static struct nu_str answered(void)
{
    assert_true(find());
    nu_route_finalize_response(&match, &response, &headers, &info);
    return dump(&response);
}

#define ADDS(direction, ...) #direction "_headers_to_add: [" __VA_ARGS__ "]"
#define ADD(key, value) "{header: {key: " key ", value: '" value "'}}"
#define ADD_BY(key, value, action) \
    "{header: {key: " key ", value: '" value "'}, append_action: " action "}"
#define BOTH(add) ADDS(request, add) ", " ADDS(response, add)

TEST(levels_append_from_the_most_specific_up)
{
    load_levels(BOTH(ADD("x-a", "w")), BOTH(ADD("x-a", "r")), BOTH(ADD("x-a", "v")),
                BOTH(ADD("x-a", "c")));
    request("h", "/");
    add("x-a", "orig");
    assert_str(sent(), "x-a=orig;x-a=w;x-a=r;x-a=v;x-a=c;");
    assert_str(answered(), "x-a=w;x-a=r;x-a=v;x-a=c;");
    unload();
}

TEST(most_specific_wins_turns_the_levels_around_but_not_the_cluster)
{
    load_levels(BOTH(ADD("x-a", "w")), BOTH(ADD("x-a", "r")), BOTH(ADD("x-a", "v")),
                BOTH(ADD("x-a", "c")) ", most_specific_header_mutations_wins: true");
    request("h", "/");
    assert_str(sent(), "x-a=w;x-a=c;x-a=v;x-a=r;");
    assert_str(answered(), "x-a=w;x-a=c;x-a=v;x-a=r;");
    unload();
}

TEST(the_last_level_to_overwrite_wins)
{
    const char *top = BOTH(ADD_BY("x-a", "c", "OVERWRITE_IF_EXISTS_OR_ADD"));
    load_levels("", BOTH(ADD_BY("x-a", "r", "OVERWRITE_IF_EXISTS_OR_ADD")), "", top);
    request("h", "/");
    add("x-a", "orig");
    assert_str(sent(), "x-a=c;");
    unload();
}

TEST(removal_and_addition_meet_in_the_order_of_levels)
{
    load_levels("", "request_headers_to_remove: [X-A]", ADDS(request, ADD("x-a", "v")), "");
    request("h", "/");
    add("x-a", "orig");
    assert_str(sent(), "x-a=v;");
    unload();
    load_levels("", ADDS(request, ADD("x-a", "r")), "request_headers_to_remove: [x-a]", "");
    request("h", "/");
    add("x-a", "orig");
    assert_str(sent(), "");
    unload();
}

static void expect_edit(const char *adds, const char *want)
{
    struct nu_strbuf route = {0};
    nu_strbuf_addf(&route, "request_headers_to_add: [%s]", adds);
    load_levels("", route.data, "", "");
    request("h", "/p");
    add("x-a", "orig");
    assert_str(sent(), want);
    unload();
    nu_strbuf_finish(&route);
}

TEST(within_a_level_overwriting_comes_before_adding)
{
    expect_edit(ADD("x-a", "1") "," ADD_BY("x-a", "2", "OVERWRITE_IF_EXISTS_OR_ADD") "," ADD(
                    "x-a", "3") "," ADD_BY("x-a", "4", "OVERWRITE_IF_EXISTS_OR_ADD"),
                "x-a=4;x-a=1;x-a=3;");
}

TEST(within_a_level_no_value_sees_another)
{
    expect_edit(ADD_BY("x-a", "new", "OVERWRITE_IF_EXISTS_OR_ADD") "," ADD(
                    "x-b", "saw %REQ(x-a)%") "," ADD("x-c", "saw %REQ(x-b)%"),
                "x-a=new;x-b=saw orig;x-c=saw ;");
}

TEST(append_actions_look_at_what_is_there)
{
    expect_edit(ADD_BY("x-a", "n", "ADD_IF_ABSENT") "," ADD_BY(
                    "x-n", "1", "ADD_IF_ABSENT") "," ADD_BY("x-n", "2", "ADD_IF_ABSENT"),
                "x-a=orig;x-n=1;x-n=2;");
    expect_edit(
        ADD_BY("x-a", "n", "OVERWRITE_IF_EXISTS") "," ADD_BY("x-z", "n", "OVERWRITE_IF_EXISTS"),
        "x-a=n;");
    expect_edit("{header: {key: x-a, value: 'n'}, append: false}", "x-a=n;");
    expect_edit("{header: {key: x-a, value: 'n'}, append: true}", "x-a=orig;x-a=n;");
}

TEST(empty_values_are_added_only_when_kept)
{
    expect_edit(ADD("x-e", "%REQ(none)%") "," ADD("x-l", ""), "x-a=orig;");
    expect_edit("{header: {key: x-k, value: '%REQ(none)%'}, keep_empty_value: true}",
                "x-a=orig;x-k=;");
    expect_edit(ADD_BY("x-a", "%REQ(none)%", "OVERWRITE_IF_EXISTS_OR_ADD"), "x-a=orig;");
    expect_edit("{header: {key: x-a, value: '%REQ(none)%'}, keep_empty_value: true, "
                "append_action: OVERWRITE_IF_EXISTS_OR_ADD}",
                "x-a=;");
    expect_edit(ADD("X-P", "100%% %PROTOCOL% %REQ(:path)%"), "x-a=orig;x-p=100% HTTP/1.1 /p;");
}

TEST(a_value_that_no_header_may_have_is_left_out)
{
    load_levels("", ADDS(request, ADD("x-b", "%REQ(x-a)%")), "", "");
    request("h", "/");
    /* By reference, since a copy is made without line breaks. */
    nu_headers_add_ref(&headers, NU_HEADER_OTHER, NU_STR("x-a"), NU_STR("1\r\nx-evil: 2"));
    assert_str(sent(), "x-a=1\r\nx-evil: 2;");
    unload();
}

TEST(joined_names_stay_one_field)
{
    load_levels("",
                ADDS(request, ADD("accept", "n") "," ADD("cookie", "c=2")) ", " ADDS(
                    response, ADD("cache-control", "n") "," ADD("set-cookie", "n")),
                "", "");
    request("h", "/");
    add("accept", "a");
    add("cookie", "a=1");
    assert_str(sent(), "accept=a,n;cookie=a=1;cookie=c=2;");
    nu_headers_add(&response, NU_STR("cache-control"), NU_STR("o"));
    nu_headers_add(&response, NU_STR("set-cookie"), NU_STR("o"));
    assert_str(answered(), "cache-control=o,n;set-cookie=o;set-cookie=n;");
    unload();
}

TEST(more_edits_than_fit_the_stack_are_applied)
{
    struct nu_strbuf adds = {0};
    struct nu_strbuf want = {0};
    nu_strbuf_add_cstr(&want, "x-a=orig;");
    for (int i = 0; i < 40; i++) {
        nu_strbuf_addf(&adds, "%s" ADD("n%d", "v%d"), i ? "," : "", i, i);
        nu_strbuf_addf(&want, "n%d=v%d;", i, i);
    }
    expect_edit(adds.data, want.data);
    nu_strbuf_finish(&adds);
    nu_strbuf_finish(&want);
}

/* --- Hosts and paths -------------------------------------------------------------------------- */

static void load_route(const char *condition, const char *action)
{
    struct nu_strbuf yaml = {0};
    nu_strbuf_addf(&yaml,
                   "virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {%s}, route: "
                   "{cluster: c, %s}}]}]",
                   condition, action);
    load(yaml.data);
    nu_strbuf_finish(&yaml);
}

static void expect_path(const char *condition, const char *action, const char *path,
                        const char *want)
{
    load_route(condition, action);
    request("h", path);
    assert_true(find());
    nu_route_finalize_request(&match, &headers, &info, false);
    assert_str(nu_headers_get_id(&headers, NU_HEADER_PATH), want);
    assert_str(nu_headers_get_id(&headers, NU_HEADER_X_ENVOY_ORIGINAL_PATH), path);
    unload();
}

TEST(a_prefix_rewrite_replaces_what_matched)
{
    expect_path("prefix: /a", "prefix_rewrite: /n", "/a/b?q", "/n/b?q");
    expect_path("prefix: /a", "prefix_rewrite: /n", "/ab", "/nb");
    expect_path("prefix: /a", "prefix_rewrite: /", "/a/b", "//b");
    expect_path("prefix: /a, case_sensitive: false", "prefix_rewrite: /n", "/A/b", "/n/b");
    expect_path("path: /a", "prefix_rewrite: /n", "/a?x=1", "/n?x=1");
    expect_path("safe_regex: {regex: '/a.*'}", "prefix_rewrite: /n", "/ab/c?x", "/n?x");
    expect_path("path_separated_prefix: /aa", "prefix_rewrite: /n", "/aa/b?x", "/n/b?x");
    expect_path("prefix: /a", "prefix_rewrite: 'n'", "/a/b", "n/b");
    expect_path("prefix: /a", "prefix_rewrite: '/n?z=1'", "/a?q", "/n?z=1?q");
    expect_path("prefix: /a", "prefix_rewrite: /a", "/a/b", "/a/b");
}

TEST(a_regex_rewrite_does_not_see_the_query)
{
    expect_path("prefix: /",
                "regex_rewrite: {pattern: {regex: '/a/([^/]+)/(.*)'}, substitution: '/x/\\2/\\1'}",
                "/a/1/2/3?q=/a/b/c", "/x/2/3/1?q=/a/b/c");
    expect_path("prefix: /", "regex_rewrite: {pattern: {regex: a}, substitution: b}", "/aaa?a",
                "/bbb?a");
    expect_path("prefix: /", "regex_rewrite: {pattern: {regex: a}, substitution: b}", "/c", "/c");
    expect_path("prefix: /", "regex_rewrite: {pattern: {regex: /a}, substitution: '/\\1'}", "/a/b",
                "/a/b");
    expect_path("prefix: /",
                "regex_rewrite: {pattern: {regex: '(/a)'}, substitution: '\\0\\1\\\\'}", "/a/b",
                "/a/a\\/b");
    expect_path("prefix: /", "regex_rewrite: {pattern: {regex: '^/a'}, substitution: ''}", "/a?x",
                "/?x");
}

TEST(an_empty_rewrite_is_none)
{
    load_route("prefix: /a", "prefix_rewrite: ''");
    request("h", "/a/b");
    assert_str(sent(), "");
    unload();
}

static void expect_host(const char *action, const char *want_host, const char *want)
{
    load_route("prefix: /", action);
    request("x:81", "/a/b?c");
    add("x-h", "from.header");
    add("x-forwarded-host", "old");
    assert_true(find());
    nu_route_finalize_request(&match, &headers, &info, false);
    assert_str(nu_headers_get_id(&headers, NU_HEADER_AUTHORITY), want_host);
    nu_headers_remove(&headers, NU_STR("x-h"));
    assert_str(dump(&headers), want);
    unload();
}

TEST(a_host_rewrite_keeps_the_old_host_aside)
{
    expect_host("host_rewrite_literal: new.com", "new.com",
                "x-forwarded-host=old;x-envoy-original-host=x:81;");
    expect_host("host_rewrite_literal: new.com, append_x_forwarded_host: true", "new.com",
                "x-forwarded-host=old,x:81;x-envoy-original-host=x:81;");
    expect_host("host_rewrite_header: X-H", "from.header",
                "x-forwarded-host=old;x-envoy-original-host=x:81;");
    expect_host("host_rewrite_header: x-none", "x:81", "x-forwarded-host=old;");
    expect_host("host_rewrite_literal: ''", "x:81", "x-forwarded-host=old;");
    expect_host("host_rewrite_path_regex: {pattern: {regex: '^/(.+)/.*'}, substitution: "
                "'\\1.com'}",
                "a.com", "x-forwarded-host=old;x-envoy-original-host=x:81;");
    expect_host("append_x_forwarded_host: true", "x:81", "x-forwarded-host=old;");
    expect_host("auto_host_rewrite: true", "x:81", "x-forwarded-host=old;");
}

TEST(a_chosen_host_may_become_the_authority)
{
    load_route("prefix: /", "auto_host_rewrite: true, append_x_forwarded_host: true");
    request("x", "/");
    assert_true(find());
    nu_route_rewrite_host(&match, &headers, NU_STR(""), false);
    assert_str(dump(&headers), "");
    nu_route_rewrite_host(&match, &headers, NU_STR("up.com"), false);
    assert_str(nu_headers_get_id(&headers, NU_HEADER_AUTHORITY), "up.com");
    assert_str(dump(&headers), "x-envoy-original-host=x;x-forwarded-host=x;");
    unload();
}

TEST(envoy_headers_are_suppressed_where_asked)
{
    load_route("prefix: /", "prefix_rewrite: /n, host_rewrite_literal: h2");
    request("x", "/a");
    add("x-envoy-original-path", "client");
    assert_true(find());
    nu_route_finalize_request(&match, &headers, &info, true);
    assert_str(nu_headers_get_id(&headers, NU_HEADER_PATH), "/na");
    assert_str(dump(&headers), "x-envoy-original-path=client;");
    unload();
}

TEST(edits_come_before_rewrites_and_responses_after)
{
    load("virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, " ADDS(
        request,
        ADD("x-p", "%REQ(:path)% %REQ(:authority)%")) ", " ADDS(response,
                                                                ADD("x-p", "%REQ(:path)% "
                                                                           "%REQ(:authority)"
                                                                           "%")) ", route: "
                                                                                 "{cluster: "
                                                                                 "c, "
                                                                                 "prefix_"
                                                                                 "rewrite: "
                                                                                 "/new/, "
                                                                                 "host_"
                                                                                 "rewrite_"
                                                                                 "literal: "
                                                                                 "hh}}]}]");
    request("x", "/p");
    assert_str(sent(), "x-p=/p x;x-envoy-original-host=x;x-envoy-original-path=/p;");
    assert_str(answered(), "x-p=/new/p hh;");
    unload();
}

TEST(a_weighted_cluster_sets_its_host_first)
{
    load("virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: "
         "{host_rewrite_literal: rh, weighted_clusters: {clusters: [{name: c, weight: 1, "
         "host_rewrite_literal: wh}]}}}]}]");
    request("x", "/");
    assert_str(sent(), "x-envoy-original-host=wh;");
    assert_str(nu_headers_get_id(&headers, NU_HEADER_AUTHORITY), "rh");
    unload();
}

TEST(a_plain_route_changes_nothing)
{
    load_route("prefix: /", "timeout: 1s");
    request("x", "/");
    add("x-a", "1");
    assert_str(sent(), "x-a=1;");
    assert_str(answered(), "");
    unload();
}

TEST(without_a_route_nothing_is_changed)
{
    load("virtual_hosts: [{name: v, domains: ['*'], require_tls: ALL, " ADDS(response,
                                                                             ADD("x-v", "v")) "}]");
    request("x", "/");
    assert_true(find());
    assert_true(match.needs_tls);
    assert_str(sent(), "");
    assert_str(answered(), "");
    unload();
}

TEST_MAIN()
