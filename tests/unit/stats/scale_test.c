/* SPDX-License-Identifier: Apache-2.0 */
/* Thousands of clusters: what they cost in memory, and that no slice of a rendering is long. */
#include "fixture.h"

#include "stats/cluster_stats.h"

enum { CLUSTERS = 10000, RENDERED_CLUSTERS = 1000 };

/* The sets that every cluster has, and the blocks that the main thread fills. */
static void add_cluster(struct nu_stats *stats, unsigned number)
{
    static const struct {
        const struct nu_stat_table *table;
        const char *below;
    } sets[] = {
        {&nu_cluster_traffic_stats_table, ""},
        {&nu_cluster_lb_stats_table, ""},
        {&nu_circuit_breaker_stats_table, ".circuit_breakers.default"},
        {&nu_circuit_breaker_stats_table, ".circuit_breakers.high"},
    };
    char prefix[64];
    for (size_t i = 0; i < NU_ARRAY_LEN(sets); i++) {
        snprintf(prefix, sizeof(prefix), "cluster.service_%05u%s", number, sets[i].below);
        nu_stat_set_create(stats, sets[i].table, nu_str_from(prefix));
    }
    snprintf(prefix, sizeof(prefix), "cluster.service_%05u", number);
    struct nu_cluster_membership_stats *membership = nu_stat_set_block(
        nu_stat_set_create(stats, &nu_cluster_membership_stats_table, nu_str_from(prefix)));
    nu_gauge_set(&membership->membership_total, 1);
    struct nu_cluster_update_stats *update = nu_stat_set_block(
        nu_stat_set_create(stats, &nu_cluster_update_stats_table, nu_str_from(prefix)));
    nu_counter_inc(&update->update_success);
}

static struct nu_stats *make_clusters(unsigned count)
{
    struct nu_stats *stats = nu_stats_create();
    for (unsigned i = 0; i < count; i++)
        add_cluster(stats, i * 7919 % count);
    return stats;
}

TEST(an_idle_cluster_costs_less_than_1000_bytes)
{
    struct nu_stats *stats = make_clusters(CLUSTERS);
    assert_true(nu_stats_memory_bytes() / CLUSTERS < 1000);
    nu_stats_destroy(&stats);
    assert_int_equal(nu_stats_memory_bytes(), 0);
}

TEST(a_scrape_adds_less_than_200_bytes_a_cluster)
{
    struct nu_stats *stats = make_clusters(RENDERED_CLUSTERS);
    size_t before = nu_stats_memory_bytes();
    nu_free(render_sliced(stats, "format=prometheus&filter=nothing", 1 << 20));
    assert_true((nu_stats_memory_bytes() - before) / RENDERED_CLUSTERS < 200);
    nu_stats_destroy(&stats);
}

/* Renders all; each slice may be over its bound by a histogram at most. Returns the lines. */
static size_t render_all(struct nu_stats *stats, const char *query)
{
    enum { SLICE = 65536, HISTOGRAM = 4096 };
    struct nu_stats_options options = options_of(query);
    struct nu_stats_render *render = nu_stats_render_create(stats, &options);
    size_t lines = 0;
    struct nu_strbuf out = {0};
    for (bool more = true; more;) {
        nu_strbuf_clear(&out);
        more = nu_stats_render_next(render, &out, SLICE);
        assert_true(out.len <= SLICE + HISTOGRAM);
        for (char *at = out.data; at && (at = strchr(at, '\n')); at++)
            lines++;
    }
    nu_strbuf_finish(&out);
    nu_stats_render_destroy(&render);
    return lines;
}

TEST(all_clusters_are_in_every_format)
{
    struct nu_stats *stats = make_clusters(RENDERED_CLUSTERS);
    assert_int_equal(render_all(stats, "type=Gauges&filter=membership_total"), RENDERED_CLUSTERS);
    assert_int_equal(render_all(stats, "usedonly"), 2 * RENDERED_CLUSTERS);
    assert_int_equal(render_all(stats, "usedonly&format=prometheus"), 2 * RENDERED_CLUSTERS + 2);
    size_t text = render_all(stats, "");
    size_t prometheus = render_all(stats, "format=prometheus");
    assert_true(text > 90 * RENDERED_CLUSTERS);
    assert_true(prometheus > text);
    nu_stats_destroy(&stats);
}

TEST_MAIN()
