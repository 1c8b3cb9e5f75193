/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual clusters and the statistics of routes: which a request counts under, and their names. */
#include "stats/http_stats.h"
#include "stats/stats.h"

#include "route_fixture.h"

static struct nu_stats *stats;

static void load_counted(const char *yaml)
{
    stats = nu_stats_create();
    load_with(yaml, (struct nu_route_factory){.has_cluster = has_cluster, .stats = stats});
}

static void unload_counted(void)
{
    unload();
    nu_stats_destroy(&stats);
}

#define ROUTES \
    "routes: [{match: {prefix: /plain}, route: {cluster: c}}, " \
    "{match: {prefix: /}, route: {cluster: c}, stat_prefix: r}]"
#define TWO \
    "virtual_clusters: [" \
    "{name: one, headers: [{name: ':path', string_match: {prefix: /1}}]}, " \
    "{name: two, headers: [{name: ':path', string_match: {prefix: /1/2}}, " \
    "{name: x-a, present_match: true}]}, " \
    "{name: posts, headers: [{name: x-a, present_match: true}]}], "

static const struct nu_virtual_cluster *cluster_of(const char *path, const char *value)
{
    request("h", path);
    if (value)
        nu_headers_add(&headers, NU_STR("x-a"), nu_str_from(value));
    assert_true(find());
    assert_true(match.virtual_host->has_virtual_clusters);
    return nu_route_virtual_cluster(&match, &headers);
}

TEST(first_virtual_cluster_whose_headers_all_match_counts)
{
    load_counted("{virtual_hosts: [{name: v, domains: ['*'], " TWO ROUTES "}]}");
    assert_non_null(table);
    assert_str(cluster_of("/1", NULL)->name, "one");
    assert_str(cluster_of("/1/2", "x")->name, "one");
    assert_str(cluster_of("/3", "x")->name, "posts");
    assert_str(cluster_of("/3", NULL)->name, "");
    unload_counted();
}

static void count(struct nu_stat_set *set)
{
    struct nu_route_stats *block = nu_stat_set_block(set);
    nu_counter_inc(&block->upstream_rq_total);
}

static uint64_t value_of(const char *name)
{
    uint64_t value = 0;
    assert_true(nu_stats_value(stats, nu_str_from(name), &value));
    return value;
}

TEST(names_are_those_of_the_configuration)
{
    load_counted("{virtual_hosts: [{name: 'a.b:1', domains: ['*'], " TWO ROUTES "}]}");
    count(cluster_of("/1", NULL)->stats);
    count(cluster_of("/3", NULL)->stats);
    count(match.route->stats);
    assert_int_equal(value_of("vhost.a.b:1.vcluster.one.upstream_rq_total"), 1);
    assert_int_equal(value_of("vhost.a.b:1.vcluster.other.upstream_rq_total"), 1);
    assert_int_equal(value_of("vhost.a.b:1.vcluster.posts.upstream_rq_total"), 0);
    assert_int_equal(value_of("vhost.a.b:1.route.r.upstream_rq_total"), 1);
    unload_counted();
}

TEST(a_virtual_host_and_a_route_without_them_count_nowhere_else)
{
    load_counted("{virtual_hosts: [{name: v, domains: ['*'], " ROUTES "}]}");
    request("h", "/plain");
    assert_true(find());
    assert_false(match.virtual_host->has_virtual_clusters);
    assert_null(match.route->stats);
    unload_counted();
}

TEST(only_a_route_to_a_cluster_has_statistics)
{
    load_counted("{virtual_hosts: [{name: v, domains: ['*'], routes: ["
                 "{match: {prefix: /}, direct_response: {status: 200}, stat_prefix: r}]}]}");
    request("h", "/");
    assert_true(find());
    assert_null(match.route->stats);
    unload_counted();
}

TEST(a_virtual_cluster_needs_headers)
{
    load_counted("{virtual_hosts: [{name: v, domains: ['*'], virtual_clusters: [{name: a}], " ROUTES
                 "}]}");
    assert_null(table);
    assert_int_equal(ctx.errors.count, 1);
    assert_string_equal(ctx.errors.items[0].path, "virtual_hosts[0].virtual_clusters[0].headers");
    assert_string_equal(ctx.errors.items[0].message, "virtual clusters must define 'headers'");
    unload_counted();
}

TEST_MAIN()
