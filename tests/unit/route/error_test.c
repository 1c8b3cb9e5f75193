/* SPDX-License-Identifier: Apache-2.0 */
/* Mistakes in route tables: Envoy's words, with the place in the file; all of them in one run. */
#include "route_fixture.h"

static void expect_errors(const char *yaml, const char *want)
{
    struct nu_strbuf text = {0};
    load_with(yaml,
              (struct nu_route_factory){.validate_clusters = true, .has_cluster = has_cluster});
    assert_null(table);
    nu_error_list_sort(&ctx.errors);
    nu_error_list_format(&ctx.errors, &text);
    assert_str(nu_strbuf_str(&text), want);
    nu_strbuf_finish(&text);
    unload();
}

#define ROUTES "name: rc\nvirtual_hosts:\n- name: v\n  domains: ['*']\n  routes:\n  - match:\n"
#define ROUTE ROUTES "      prefix: /\n"
#define AT "r.yaml:"
#define FIRST " virtual_hosts[0].routes[0]."

TEST(a_domain_may_be_taken_once)
{
    expect_errors("name: rc\nvirtual_hosts:\n- name: a\n  domains: ['*.x']\n- name: b\n  domains:\n"
                  "  - '*.X'\n",
                  AT "7:5: virtual_hosts[1].domains[0]: Only unique values for domains are "
                     "permitted. Duplicate entry of domain *.x in route rc\n");
    expect_errors("name: rc\nvirtual_hosts:\n- name: a\n  domains: ['*', q, '*']\n",
                  AT "4:21: virtual_hosts[0].domains[2]: Only a single wildcard domain is "
                     "permitted in route rc\n");
}

TEST(clusters_must_exist)
{
    expect_errors(ROUTE "    route: {cluster: nope}\n",
                  AT "8:22:" FIRST "route.cluster: route: unknown cluster 'nope'\n");
    expect_errors(ROUTE "    route:\n      weighted_clusters:\n        clusters:\n"
                        "        - {name: nope, weight: 1}\n",
                  AT "11:18:" FIRST "route.weighted_clusters.clusters[0].name: route: unknown "
                     "weighted cluster 'nope'\n");
}

TEST(clusters_need_not_exist_where_the_table_says_so)
{
    load_with(
        "{validate_clusters: false, virtual_hosts: [{name: v, domains: ['*'], routes: [{match: "
        "{prefix: /}, route: {cluster: nope}}]}]}",
        (struct nu_route_factory){.validate_clusters = true, .has_cluster = has_cluster});
    assert_non_null(table);
    unload();
}

TEST(weights_must_add_up)
{
    expect_errors(ROUTE "    route: {weighted_clusters: {clusters: [{name: c, weight: 0}]}}\n",
                  AT "8:43:" FIRST "route.weighted_clusters.clusters: Sum of weights in the "
                     "weighted_cluster must be greater than 0.\n");
    expect_errors(ROUTE "    name: rt\n    route:\n      weighted_clusters:\n        clusters:\n"
                        "        - {name: c, weight: 4294967295}\n        - {name: c, weight: 1}\n",
                  AT "12:9:" FIRST "route.weighted_clusters.clusters: The sum of weights of all "
                     "weighted clusters of route rt exceeds 4294967295\n");
    expect_errors(ROUTE "    route: {weighted_clusters: {clusters: [{name: c}]}}\n",
                  AT "8:44:" FIRST "route.weighted_clusters.clusters[0].weight: Field 'weight' is "
                     "missing in: name: \"c\"\n");
}

TEST(rewrites_exclude_each_other)
{
    expect_errors(ROUTE "    route:\n      cluster: c\n      prefix_rewrite: /a\n"
                        "      regex_rewrite: {pattern: {regex: a}, substitution: b}\n",
                  AT "11:22:" FIRST "route.regex_rewrite: Specify only one of prefix_rewrite, "
                     "regex_rewrite or path_rewrite_policy\n");
}

TEST(what_routing_needs_may_not_be_edited)
{
    expect_errors(ROUTE "    route: {cluster: c}\n    request_headers_to_add:\n"
                        "    - header: {key: Host, value: x}\n"
                        "    response_headers_to_remove: [a, ':status']\n",
                  AT "10:21:" FIRST "request_headers_to_add[0].header.key: :-prefixed or host "
                     "headers may not be modified: 'Host'\n" AT "11:37:" FIRST
                     "response_headers_to_remove[1]: :-prefixed or host headers may not be "
                     "removed: ':status'\n");
}

TEST(append_may_be_said_in_one_way)
{
    expect_errors(ROUTE "    route: {cluster: c}\n    request_headers_to_add:\n"
                        "    - header: {key: x, value: x}\n      append: true\n"
                        "      append_action: OVERWRITE_IF_EXISTS\n",
                  AT "11:15:" FIRST "request_headers_to_add[0].append: Both append and "
                     "append_action are set and it's not allowed\n");
}

TEST(formats_are_checked)
{
    expect_errors(ROUTE "    route: {cluster: c}\n    request_headers_to_add:\n"
                        "    - header: {key: x, value: '%BAD%'}\n",
                  AT "10:31:" FIRST
                     "request_headers_to_add[0].header.value: Not supported field in "
                     "StreamInfo: BAD\n");
}

TEST(bodies_have_a_bound)
{
    expect_errors("max_direct_response_body_size_bytes: 2\n" ROUTE
                  "    direct_response: {status: 200, body: {inline_string: abc}}\n",
                  AT "9:42:" FIRST
                     "direct_response.body: response body size is 3 bytes; maximum is "
                     "2\n");
    load("max_direct_response_body_size_bytes: 0\n" ROUTE
         "    direct_response: {status: 200, body: {inline_string: abc}}\n");
    unload();
}

TEST(all_mistakes_are_reported_in_one_run)
{
    expect_errors(ROUTES
                  "      safe_regex: {regex: 'a('}\n    route: {cluster: nope}\n"
                  "  - match: {prefix: /, headers: [{name: x, string_match: {safe_regex: "
                  "{regex: '['}}}]}\n    redirect: {regex_rewrite: {pattern: {regex: ')'}}}\n",
                  AT "7:27:" FIRST "match.safe_regex.regex: missing ): a(\n" AT "8:22:" FIRST
                     "route.cluster: route: unknown cluster 'nope'\n" AT
                     "9:79: virtual_hosts[0].routes[1].match.headers[0].string_match.safe_regex."
                     "regex: missing ]: [\n" AT "10:49: virtual_hosts[0].routes[1].redirect."
                     "regex_rewrite.pattern.regex: unexpected ): )\n");
}

TEST_MAIN()
