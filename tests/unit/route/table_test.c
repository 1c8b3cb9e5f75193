/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the virtual host and the route of a request, as an Envoy 1.36 does it. */
#include "route_fixture.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"
#include "runtime/runtime.h"

#define HOST(name, domains) \
    "- {name: " name ", domains: [" domains "], routes: [{name: " name \
    ", match: {prefix: ''}, route: {cluster: c}}]}\n"

static const char many_hosts[] = "virtual_hosts:\n" HOST("exact", "foo.com")
    HOST("suffix", "'*.foo.com'") HOST("dash", "'*-bar.foo.com'") HOST("prefix", "'foo.*'")
        HOST("longer", "'foo.bar.*'") HOST("any", "'*'") HOST("upper", "WWW.Upper.com")
            HOST("port", "'p.com:8080'") HOST("v6", "'[::1]'") HOST("end", "'*x'");

static void expect_hosts(const char *const (*cases)[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct nu_str got = route_of(cases[i][0], "/");
        if (!nu_str_eq(got, nu_str_from(cases[i][1])))
            fail_msg("%s: got %.*s, not %s", cases[i][0], NU_STR_ARG(got), cases[i][1]);
    }
}

TEST(hosts_are_found_exactly_then_by_suffix_then_by_prefix)
{
    static const char *const cases[][2] = {
        {"foo.com", "exact"},
        {"FOO.com", "exact"},
        {"foo.com:80", "prefix"},
        {"a.foo.com", "suffix"},
        {"a.b.foo.com", "suffix"},
        {".foo.com", "any"},
        {"x-bar.foo.com", "dash"},
        {"-bar.foo.com", "suffix"},
        {"foo.org", "prefix"},
        {"foo.", "any"},
        {"foo.bar.org", "longer"},
        {"foo.bar.", "prefix"},
        {"foo.bar.foo.com", "suffix"},
        {"www.upper.com", "upper"},
        {"p.com:8080", "port"},
        {"p.com", "any"},
        {"[::1]", "v6"},
        {"[::1]:80", "any"},
        {"x", "any"},
        {"zx", "end"},
        {"foo.comx", "end"},
        {"", "any"},
    };
    load(many_hosts);
    expect_hosts(cases, NU_ARRAY_LEN(cases));
    unload();
}

TEST(ports_are_left_out_where_asked)
{
    static const char *const cases[][2] = {
        {"foo.com:80", "exact"}, {"foo.com:", "exact"}, {"foo.com:x", "exact"},
        {"[::1]:80", "v6"},      {"p.com:8080", "any"}, {"p.com:8080:80", "port"},
    };
    struct nu_strbuf yaml = {0};
    nu_strbuf_addf(&yaml, "%signore_port_in_host_matching: true\n", many_hosts);
    load(yaml.data);
    expect_hosts(cases, NU_ARRAY_LEN(cases));
    unload();
    nu_strbuf_finish(&yaml);
}

TEST(without_a_host_there_is_no_route)
{
    load("virtual_hosts:\n" HOST("only", "only.com"));
    assert_str(route_of("only.com", "/"), "only");
    assert_str(route_of("other.com", "/"), "-");
    assert_null(match.virtual_host);
    unload();
}

TEST(a_host_without_a_matching_route_has_no_fallback)
{
    load("virtual_hosts:\n"
         "- {name: v, domains: [a.com], routes: [{match: {prefix: /x}, route: {cluster: c}}]}\n"
         "- {name: any, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: c}}]}\n");
    assert_str(route_of("a.com", "/y"), "-");
    assert_str(match.virtual_host->name, "v");
    assert_null(match.route);
    unload();
}

/* One virtual host whose routes, named by number, have these matches. */
static void load_matches(const char *const *matches, size_t count, const char *more)
{
    struct nu_strbuf yaml = {0};
    nu_strbuf_addf(&yaml, "%svirtual_hosts:\n- name: v\n  domains: ['*']\n  routes:\n", more);
    for (size_t i = 0; i < count; i++)
        nu_strbuf_addf(&yaml, "  - {name: '%zu', match: {%s}, route: {cluster: c}}\n", i,
                       matches[i]);
    load(yaml.data);
    nu_strbuf_finish(&yaml);
}

/* Whether a single route with this match takes each of the paths: "1." and so on. */
static void expect_paths(const char *condition, const char *more, const char *want)
{
    static const char *const paths[] = {"/a",   "/a/",    "/ab",   "/a?x", "/a/b", "/A",  "/",
                                        "/a;p", "/a;p/b", "/a?/b", "/?a",  "/a.b", "//a", "/a/?y"};
    load_matches(&condition, 1, more);
    for (size_t i = 0; i < NU_ARRAY_LEN(paths); i++) {
        bool found = !nu_str_eq(route_of("x", paths[i]), NU_STR("-"));
        if (found != (want[i] == '1'))
            fail_msg("%s with %s: %d", condition, paths[i], found);
    }
    unload();
}

TEST(paths_match_without_their_query)
{
    expect_paths("prefix: /a", "", "11111..111.1.1");
    expect_paths("prefix: /a, case_sensitive: false", "", "111111.111.1.1");
    expect_paths("prefix: ''", "", "11111111111111");
    expect_paths("prefix: '/a?x'", "", "..............");
    expect_paths("prefix: /a/", "", ".1..1........1");
    expect_paths("path: /a", "", "1..1.....1....");
    expect_paths("path: /A, case_sensitive: false", "", "1..1.1...1....");
    expect_paths("path: ''", "", "..............");
    expect_paths("safe_regex: {regex: /a}", "", "1..1.....1....");
    expect_paths("safe_regex: {regex: '/a.*'}", "", "11111..111.1.1");
    expect_paths("safe_regex: {regex: /A}, case_sensitive: false", "", ".....1........");
    expect_paths("safe_regex: {regex: '/a[?]x'}", "", "..............");
    expect_paths("path_separated_prefix: /aa", "", "..............");
    expect_paths("path_separated_prefix: /a/b", "", "....1.........");
    expect_paths("prefix: a", "", "..............");
}

TEST(path_parameters_are_left_out_where_asked)
{
    static const char more[] = "ignore_path_parameters_in_path_matching: true\n";
    expect_paths("prefix: /a", more, "11111..111.1.1");
    expect_paths("path: /a", more, "1..1...111....");
    expect_paths("safe_regex: {regex: /a}", more, "1..1...111....");
}

TEST(a_separated_prefix_ends_at_a_slash)
{
    const char *condition = "path_separated_prefix: /ab";
    load_matches(&condition, 1, "");
    assert_str(route_of("x", "/ab"), "0");
    assert_str(route_of("x", "/ab/c"), "0");
    assert_str(route_of("x", "/ab?c"), "0");
    assert_str(route_of("x", "/abc"), "-");
    assert_str(route_of("x", "/a"), "-");
    unload();
}

TEST(the_first_route_that_matches_wins)
{
    static const char *const matches[] = {
        "prefix: /a, headers: [{name: x, string_match: {exact: '1'}}]",
        "path: /a/b",
        "prefix: /a, query_parameters: [{name: q}]",
        "safe_regex: {regex: '/a/.*'}",
        "prefix: /a",
        "prefix: /b, grpc: {}",
        "prefix: /b",
        "prefix: /c, runtime_fraction: {default_value: {numerator: 30}}",
        "prefix: /c",
    };
    load_matches(matches, NU_ARRAY_LEN(matches), "");
    assert_str(route_of("h", "/a/b"), "1");
    assert_str(route_of("h", "/a/b?q"), "1");
    assert_str(route_of("h", "/a?q"), "2");
    assert_str(route_of("h", "/a/c"), "3");
    assert_str(route_of("h", "/ac"), "4");
    assert_str(route_of("h", "/b"), "6");
    request("h", "/a/b");
    add("x", "1");
    assert_true(find());
    assert_str(match.route->name, "0");
    request("h", "/b");
    add("content-type", "application/grpc+proto");
    assert_true(find());
    assert_str(match.route->name, "5");
    random_number = 129;
    assert_str(route_of("h", "/c"), "7");
    random_number = 130;
    assert_str(route_of("h", "/c"), "8");
    unload();
}

TEST(a_request_without_a_path_has_no_route)
{
    const char *condition = "prefix: ''";
    load_matches(&condition, 1, "");
    request("h", "/");
    nu_headers_remove_id(&headers, NU_HEADER_PATH);
    assert_false(find());
    unload();
}

/* CONNECT has no path; the first route for it whose conditions hold wins, however many there are. */
TEST(connect_matcher_matches_what_has_no_path)
{
    struct nu_strbuf yaml = {0};
    nu_strbuf_addf(&yaml, "virtual_hosts:\n- name: v\n  domains: ['*']\n  routes:\n");
    for (int i = 0; i < 20; i++)
        nu_strbuf_addf(&yaml, "  - {name: p%d, match: {prefix: /%d}, route: {cluster: a}}\n", i, i);
    nu_strbuf_addf(
        &yaml, "  - {name: with, match: {connect_matcher: {}, headers: [{name: x, string_match: "
               "{exact: z}}]}, route: {cluster: a}}\n"
               "  - {name: all, match: {prefix: ''}, route: {cluster: a}}\n"
               "  - {name: any, match: {connect_matcher: {}}, route: {cluster: a}}\n"
               "  - {name: never, match: {connect_matcher: {}}, route: {cluster: a}}\n");
    load(yaml.data);
    assert_str(route_of("h", "/7"), "p7");
    assert_str(route_of("h", "/x"), "all");
    request("h", "/");
    nu_headers_remove_id(&headers, NU_HEADER_PATH);
    assert_true(find());
    assert_str(match.route->name, "any");
    add("x", "z");
    assert_true(find());
    assert_str(match.route->name, "with");
    unload();
    nu_strbuf_finish(&yaml);
}

TEST(upgrades_of_a_route)
{
    load("virtual_hosts:\n- name: v\n  domains: ['*']\n  routes:\n"
         "  - match: {prefix: /}\n"
         "    route: {cluster: a, upgrade_configs: [{upgrade_type: websocket}, "
         "{upgrade_type: x, enabled: false}]}\n");
    request("h", "/");
    assert_true(find());
    assert_int_equal(match.route->upgrade_count, 2);
    assert_str(match.route->upgrades[0].type, "websocket");
    assert_true(match.route->upgrades[0].is_enabled);
    assert_str(match.route->upgrades[1].type, "x");
    assert_false(match.route->upgrades[1].is_enabled);
    unload();
}

TEST(weighted_clusters_follow_the_random_number)
{
    load(
        "virtual_hosts:\n"
        "- name: v\n"
        "  domains: ['*']\n"
        "  routes:\n"
        "  - match: {prefix: /}\n"
        "    route:\n"
        "      weighted_clusters:\n"
        "        clusters: [{name: a, weight: 30}, {name: b, weight: 0}, {name: c, weight: 70}]\n");
    for (random_number = 0; random_number < 300; random_number++) {
        request("h", "/");
        assert_true(find());
        assert_str(match.cluster, random_number % 100 < 30 ? "a" : "c");
    }
    unload();
}

TEST(a_header_may_name_the_cluster)
{
    load("virtual_hosts:\n"
         "- name: v\n"
         "  domains: ['*']\n"
         "  routes:\n"
         "  - match: {prefix: /h}\n"
         "    route: {cluster_header: Host}\n"
         "  - match: {prefix: /}\n"
         "    route: {cluster_header: X-C, cluster_not_found_response_code: NOT_FOUND}\n");
    request("h", "/");
    assert_true(find());
    assert_int_equal(match.cluster.len, 0);
    assert_int_equal(match.route->cluster_not_found_status, 404);
    add("x-c", "e");
    add("x-c", "f");
    assert_true(find());
    assert_str(match.cluster, "e");
    request("hh", "/h");
    assert_true(find());
    assert_str(match.cluster, "hh");
    unload();
}

static bool is_sent_to_tls(const char *requirement, const char *proto, bool is_internal)
{
    struct nu_strbuf yaml = {0};
    nu_strbuf_addf(&yaml,
                   "virtual_hosts: [{name: v, domains: ['*'], require_tls: %s, routes: "
                   "[{match: {prefix: /a}, route: {cluster: c}}]}]",
                   requirement);
    load(yaml.data);
    request("h", "/a");
    nu_headers_set(&headers, NU_STR("x-forwarded-proto"), nu_str_from(proto));
    if (is_internal)
        add("x-envoy-internal", "true");
    assert_true(find());
    assert_int_equal(match.needs_tls, match.route == NULL);
    bool needs_tls = match.needs_tls;
    unload();
    nu_strbuf_finish(&yaml);
    return needs_tls;
}

TEST(tls_is_required_by_x_forwarded_proto)
{
    assert_false(is_sent_to_tls("NONE", "http", false));
    assert_true(is_sent_to_tls("ALL", "http", false));
    assert_true(is_sent_to_tls("ALL", "http", true));
    assert_true(is_sent_to_tls("ALL", "HTTPS", false));
    assert_false(is_sent_to_tls("ALL", "https", false));
    assert_true(is_sent_to_tls("EXTERNAL_ONLY", "http", false));
    assert_false(is_sent_to_tls("EXTERNAL_ONLY", "http", true));
}

TEST(internal_only_headers_are_removed)
{
    load("internal_only_headers: [X-Secret, via]\nvirtual_hosts: []\n");
    request("h", "/");
    add("x-secret", "1");
    add("via", "2");
    add("other", "3");
    nu_route_table_remove_internal(table, &headers);
    assert_str(dump(&headers), "other=3;");
    unload();
}

TEST(the_settings_of_a_route_are_kept)
{
    load("name: the-table\n"
         "virtual_hosts:\n"
         "- name: v\n"
         "  domains: ['*']\n"
         "  include_request_attempt_count: true\n"
         "  metadata: {filter_metadata: {ns: {k: v}}}\n"
         "  routes:\n"
         "  - match: {prefix: /set}\n"
         "    metadata: {filter_metadata: {ns: {k: r}}}\n"
         "    route:\n"
         "      cluster: c\n"
         "      timeout: 1.5s\n"
         "      idle_timeout: 0s\n"
         "      priority: HIGH\n"
         "      auto_host_rewrite: true\n"
         "      max_stream_duration: {max_stream_duration: 3s, grpc_timeout_header_max: 0s}\n"
         "  - {match: {prefix: /}, route: {cluster: c}}\n");
    request("h", "/set");
    assert_true(find());
    assert_true(match.virtual_host->include_request_attempt_count);
    assert_non_null(match.virtual_host->metadata);
    assert_non_null(match.route->metadata);
    assert_int_equal(match.route->timeout_ms, 0); /* max_stream_duration stands in its place */
    assert_true(match.route->idle_timeout.is_set);
    assert_int_equal(match.route->idle_timeout.ms, 0);
    assert_int_equal(match.route->max_stream_duration.ms, 3000);
    assert_true(match.route->grpc_timeout_max.is_set);
    assert_false(match.route->grpc_timeout_offset.is_set);
    assert_true(match.route->is_high_priority);
    assert_true(match.route->auto_host_rewrite);
    request("h", "/");
    assert_true(find());
    assert_int_equal(match.route->timeout_ms, 15000);
    assert_false(match.route->idle_timeout.is_set);
    assert_int_equal(match.route->cluster_not_found_status, 503);
    assert_null(match.route->metadata);
    unload();
}

TEST(runtime_keys_move_fractions)
{
    const char *condition =
        "prefix: /, runtime_fraction: {default_value: {numerator: 0}, runtime_key: k}";
    load_matches(&condition, 1, "");
    struct nu_runtime *runtime = nu_runtime_from_proto(
        (const void *)nu_config_read(
            &ctx, "rt", NU_STR("layers: [{name: s, static_layer: {k: 100}}]"), NU_CONFIG_YAML,
            &envoy__config__bootstrap__v3__layered_runtime__descriptor),
        &ctx);
    request("h", "/");
    struct nu_route_input input = {.headers = &headers, .info = &info, .runtime = runtime};
    assert_true(nu_route_table_match(table, &input, &match));
    input.runtime = NULL;
    assert_false(nu_route_table_match(table, &input, &match));
    nu_runtime_unref(&runtime);
    unload();
}

TEST_MAIN()
