/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts in /stats: their rows are whole in slices of any size, and outlive updates in between. */
#include "fixture.h"

#include "upstream/hosts/host.h"

enum { HOSTS = 3, COLUMNS = 9 };

static void start(struct admin_fixture *f, bool shows_hosts)
{
    struct nu_host *hosts[HOSTS];
    admin_open(f);
    f->clusters.cluster->shows_hosts = shows_hosts;
    for (uint32_t i = 0; i < HOSTS; i++) {
        char address[32];
        snprintf(address, sizeof(address), "10.0.0.%u:80", HOSTS - i);
        hosts[i] = cluster_host(&f->clusters, address, 1);
    }
    cluster_fixture_start(&f->clusters, cluster_host_set(hosts, HOSTS));
}

static size_t count_of(const struct nu_strbuf *text, const char *needle)
{
    size_t count = 0;
    for (const char *at = text->data; at && (at = strstr(at, needle)); at++)
        count++;
    return count;
}

static void check_slices(const char *target, const char *needle, size_t expected)
{
    struct admin_fixture f;
    struct nu_strbuf whole = {0};
    struct nu_strbuf parts = {0};
    start(&f, true);
    admin_ask(&f, "GET", target, 1 << 20, &whole);
    admin_ask(&f, "GET", target, 1, &parts);
    assert_int_equal(count_of(&whole, needle), expected);
    assert_str(nu_strbuf_str(&parts), whole.data);
    nu_strbuf_finish(&whole);
    nu_strbuf_finish(&parts);
    admin_close(&f);
}

TEST(every_format_has_all_rows_in_slices_of_any_size)
{
    check_slices("/stats", ".endpoint.10.0.0.", HOSTS * COLUMNS);
    check_slices("/stats?format=json", ".endpoint.10.0.0.", HOSTS * COLUMNS);
    check_slices("/stats?type=Gauges", ".endpoint.10.0.0.", HOSTS * 3);
    check_slices("/stats?type=Histograms", ".endpoint.", 0);
    check_slices("/stats?hidden=only", ".endpoint.", 0);
    check_slices("/stats/prometheus", "envoy_endpoint_address=\"10.0.0.", HOSTS * COLUMNS);
    check_slices("/stats/prometheus", "# TYPE envoy_cluster_endpoint_", COLUMNS);
    check_slices("/stats/prometheus?filter=endpoint.*10.0.0.2_80.cx_total",
                 "envoy_endpoint_address=\"10.0.0.2:80\"} 0\n", 1);
}

TEST(a_cluster_that_does_not_ask_for_it_shows_no_hosts)
{
    struct admin_fixture f;
    start(&f, false);
    assert_answer(&f, "GET", "/stats?filter=endpoint", 200, "");
    assert_answer(&f, "GET", "/stats/prometheus?filter=endpoint", 200, "");
    admin_close(&f);
}

TEST(figures_and_health_are_those_of_the_host)
{
    struct admin_fixture f;
    start(&f, true);
    struct nu_host *host = f.clusters.cluster->hosts->hosts[0];
    struct nu_host_stats *stats = nu_stat_set_block(host->stats);
    nu_counter_add(&stats->rq_timeout, 7);
    nu_gauge_add(&stats->rq_active, 2);
    nu_host_set_flag(host, NU_HOST_DEGRADED_EDS_HEALTH);
    assert_answer(&f, "GET", "/stats?filter=10.0.0.3_80.(rq_timeout|rq_active|healthy)", 200,
                  "cluster.c.endpoint.10.0.0.3_80.rq_timeout: 7\n"
                  "cluster.c.endpoint.10.0.0.3_80.rq_active: 2\n"
                  "cluster.c.endpoint.10.0.0.3_80.healthy: 0\n");
    assert_answer(&f, "GET", "/stats?filter=endpoint.*healthy", 200,
                  "cluster.c.endpoint.10.0.0.3_80.healthy: 0\n"
                  "cluster.c.endpoint.10.0.0.2_80.healthy: 1\n"
                  "cluster.c.endpoint.10.0.0.1_80.healthy: 1\n");
    admin_close(&f);
}

TEST(hosts_may_go_between_slices)
{
    struct admin_fixture f;
    struct nu_strbuf body = {0};
    start(&f, true);
    struct nu_admin_param filter = {NU_STR("filter"), NU_STR("endpoint")};
    struct nu_admin_request request = {.admin = &f.admin,
                                       .arena = &f.arena,
                                       .method = NU_STR("GET"),
                                       .path = NU_STR("/stats"),
                                       .params = &filter,
                                       .param_count = 1};
    struct nu_admin_response response = {0};
    nu_admin_handle(&request, &response);
    while (!body.len)
        assert_true(response.source->next(response.state, &body, 1));
    struct nu_host *only = cluster_host(&f.clusters, "10.1.1.1:80", 1);
    struct nu_host_set *set = cluster_host_set(&only, 1);
    nu_cluster_manager_set_hosts(f.clusters.manager, f.clusters.cluster, set);
    nu_host_set_unref(set);
    nu_loop_run_once(f.clusters.loop);
    while (response.source->next(response.state, &body, 1))
        continue;
    response.source->finish(response.state);
    assert_int_equal(count_of(&body, ".endpoint.10.0.0."), HOSTS * COLUMNS);
    assert_int_equal(count_of(&body, "10.1.1.1"), 0);
    nu_strbuf_finish(&body);
    admin_close(&f);
}

TEST_MAIN()
