/* SPDX-License-Identifier: Apache-2.0 */
/* Mirror policies: which ones hold, where they send, and what they make of the headers. */
#include "route/mirror_policy.h"
#include "route_fixture.h"

static const struct nu_mirror_policies *mirrors_of(const char *path)
{
    request("h", path);
    assert_true(find());
    return match.route->mirrors;
}

static void assert_cluster(const char *path, const char *cluster)
{
    const struct nu_mirror_policies *mirrors = mirrors_of(path);
    assert_non_null(mirrors);
    assert_int_equal(mirrors->count, 1);
    assert_str(nu_mirror_policy_cluster(&mirrors->items[0], &headers), cluster);
}

TEST(the_nearest_level_replaces_those_above)
{
    load("{request_mirror_policies: [{cluster: table}], virtual_hosts: ["
         "{name: a, domains: [a], routes: [{match: {prefix: /}, route: {cluster: c}}]},"
         "{name: h, domains: [h], request_mirror_policies: [{cluster: host}], routes: ["
         "{match: {prefix: /own}, route: {cluster: c, request_mirror_policies: [{cluster: r}]}},"
         "{match: {prefix: /}, route: {cluster: c}}]}]}");
    assert_cluster("/own", "r");
    assert_cluster("/", "host");
    request("a", "/");
    assert_true(find());
    assert_str(match.route->mirrors->items[0].cluster, "table");
    unload();
}

TEST(there_are_none_unless_they_are_asked_for)
{
    load("{virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: "
         "{cluster: c}}]}]}");
    assert_null(mirrors_of("/"));
    unload();
}

/* One policy, given as YAML, applied to a request for `host`. */
static struct nu_str host_of_copy(const char *policy, const char *host)
{
    char yaml[512];
    snprintf(yaml, sizeof(yaml),
             "{virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: "
             "{cluster: c, request_mirror_policies: [{cluster: s, %s}]}}]}]}",
             policy);
    load(yaml);
    request(host, "/");
    assert_true(find());
    nu_mirror_policy_apply(&match.route->mirrors->items[0], &headers, &info);
    return nu_headers_get(&headers, NU_STR(":authority"));
}

TEST(the_host_of_a_copy)
{
    static const struct {
        const char *policy;
        const char *host;
        const char *copy;
    } cases[] = {
        {"", "a", "a-shadow"},
        {"", "a:80", "a-shadow:80"},
        {"", "[::1]", "[::1]-shadow"},
        {"", "[::1]:80", "[::1]-shadow:80"},
        {"disable_shadow_host_suffix_append: true", "a:80", "a:80"},
        {"host_rewrite_literal: b", "a:80", "b"},
        {"host_rewrite_literal: 'b:81', disable_shadow_host_suffix_append: true", "a", "b:81"},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        assert_str(host_of_copy(cases[i].policy, cases[i].host), cases[i].copy);
        unload();
    }
}

TEST(mutations_follow_one_another)
{
    load("{virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: "
         "{cluster: c, request_mirror_policies: [{cluster: s, request_headers_mutations: ["
         "{append: {header: {key: x-a, value: 'of %REQ(x-b)%'}}}, {remove: x-b},"
         "{append: {header: {key: x-c, value: 'of %REQ(x-b)%'}}},"
         "{remove_on_match: {key_matcher: {prefix: x-secret}}},"
         "{remove_on_match: {key_matcher: {prefix: ':'}}}]}]}}]}]}");
    request("h", "/p");
    add("x-b", "1");
    add("x-secret", "2");
    add("x-secret-too", "3");
    assert_true(find());
    nu_mirror_policy_apply(&match.route->mirrors->items[0], &headers, &info);
    assert_str(nu_headers_get(&headers, NU_STR("x-a")), "of 1");
    assert_str(nu_headers_get(&headers, NU_STR("x-c")), "of ");
    assert_false(nu_headers_has(&headers, NU_STR("x-b")));
    assert_false(nu_headers_has(&headers, NU_STR("x-secret")));
    assert_false(nu_headers_has(&headers, NU_STR("x-secret-too")));
    assert_str(nu_headers_get(&headers, NU_STR(":path")), "/p");
    unload();
}

TEST(a_header_may_name_the_cluster)
{
    load("{virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: "
         "{cluster: c, request_mirror_policies: [{cluster_header: X-To}]}}]}]}");
    const struct nu_mirror_policies *mirrors = mirrors_of("/");
    assert_int_equal(nu_mirror_policy_cluster(&mirrors->items[0], &headers).len, 0);
    add("x-to", "s");
    assert_str(nu_mirror_policy_cluster(&mirrors->items[0], &headers), "s");
    unload();
}

TEST_MAIN()
