/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that are opened ahead of requests, over real sockets. */
#include "harness/origin.h"
#include "upstream/lb/lb_foresight.h"
#include "upstream/pool/pool.h"

#define HEAD_END "< \r\n\r\n | "
#define OK_2 "> HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
#define SERVE HEAD_END OK_2 " | again"
/* Answers the first request when told to, later ones at once. */
#define SERVE_LATER HEAD_END "pause | " OK_2 " | again"

static void serve_one(struct fixture *f)
{
    struct exchange_client client;
    exchange_start(&client, &f->params, "GET", true);
    assert_true(exchange_wait(f->base.loop, &client));
    assert_str(nu_strbuf_str(&client.events), "200 [ok] end");
    exchange_finish(&client);
}

/* What the worker counts, and what there really is. */
static void assert_totals(struct fixture *f, uint64_t waiting, uint64_t active, uint64_t capacity)
{
    const struct nu_stream_counts *totals = f->params.cluster->totals;
    assert_non_null(totals);
    assert_int_equal(totals->waiting, waiting);
    assert_int_equal(totals->active, active);
    assert_int_equal(totals->capacity, capacity);
}

/* As the configuration does it. */
static void set_predictive_ratio(struct fixture *f, float ratio)
{
    struct nu_cluster *cluster = f->base.cluster;
    cluster->options.predictive_ratio = ratio;
    cluster->lb_class = nu_lb_foresee_class(cluster->lb_class, &cluster->arena);
}

struct ratio_case {
    float ratio;
    uint32_t max_connections;
    const char *stats;
};

static const struct ratio_case ratio_cases[] = {
    {1, 10, "upstream_cx_total=1 upstream_cx_overflow=0"},
    {1.5F, 10, "upstream_cx_total=2 upstream_cx_overflow=0"},
    {2, 10, "upstream_cx_total=2 upstream_cx_overflow=0"},
    {3, 10, "upstream_cx_total=3 upstream_cx_overflow=0"},
    {3, 2, "upstream_cx_total=2 upstream_cx_overflow=1"},
    {3, 0, "upstream_cx_total=1 upstream_cx_overflow=1"},
};

TEST(a_host_has_room_by_its_ratio_within_the_breaker)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(ratio_cases); i++) {
        const struct ratio_case *c = &ratio_cases[i];
        struct fixture f;
        struct exchange_client client;
        struct nu_breaker_limits limits = nu_breaker_limits_default;
        fixture_init(&f, SERVE_LATER);
        f.base.cluster->options.preconnect_ratio = c->ratio;
        limits.max[NU_BREAKER_CONNECTIONS] = c->max_connections;
        nu_cluster_set_limits(f.base.cluster, NU_PRIORITY_DEFAULT, &limits);
        fixture_start(&f);
        exchange_start(&client, &f.params, "GET", true);
        assert_stats(&f, c->stats);
        exchange_finish(&client);
        fixture_finish(&f);
    }
}

TEST(busy_connections_make_room_for_as_many_streams_again)
{
    struct fixture f;
    struct exchange_client clients[3];
    fixture_init(&f, SERVE_LATER);
    f.base.cluster->options.preconnect_ratio = 2;
    fixture_start(&f);
    for (uint64_t i = 0; i < 3; i++) {
        exchange_start(&clients[i], &f.params, "GET", true);
        wait_stat(&f, "upstream_rq_active", i + 1);
        wait_stat(&f, "upstream_cx_active", 2 * (i + 1));
    }
    for (int i = 0; i < 3; i++)
        exchange_finish(&clients[i]);
    fixture_finish(&f);
}

TEST(an_unwell_host_gets_no_connection_ahead)
{
    struct fixture f;
    fixture_init(&f, SERVE);
    f.base.cluster->options.preconnect_ratio = 3;
    set_predictive_ratio(&f, 3);
    fixture_start(&f);
    nu_host_set_flag(f.base.cluster->hosts->hosts[0], NU_HOST_DEGRADED_ACTIVE_HC);
    for (int i = 0; i < 3; i++)
        serve_one(&f);
    assert_stats(&f, "upstream_cx_total=1");
    fixture_finish(&f);
}

TEST(a_host_that_refuses_is_not_tried_for_ever)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, SERVE);
    f.base.cluster->options.preconnect_ratio = 3;
    upstream_refuse(&f.upstream);
    fixture_start(&f);
    exchange_start(&client, &f.params, "GET", true);
    assert_true(exchange_wait(f.base.loop, &client));
    wait_stat(&f, "upstream_cx_active", 0);
    assert_stats(&f, "upstream_cx_total=3 upstream_cx_connect_fail=3");
    exchange_finish(&client);
    fixture_finish(&f);
}

TEST(a_worker_has_room_by_the_predictive_ratio)
{
    struct fixture f;
    fixture_init(&f, SERVE);
    set_predictive_ratio(&f, 3);
    fixture_start(&f);
    assert_totals(&f, 0, 0, 0);
    serve_one(&f);
    assert_stats(&f, "upstream_cx_active=1");
    assert_totals(&f, 0, 0, 1);
    serve_one(&f);
    wait_stat(&f, "upstream_cx_active", 2);
    assert_totals(&f, 0, 0, 2);
    for (int i = 0; i < 5; i++)
        serve_one(&f);
    wait_stat(&f, "upstream_cx_active", 3);
    assert_totals(&f, 0, 0, 3);
    fixture_finish(&f);
}

TEST(counts_end_with_what_they_count)
{
    struct fixture f;
    struct exchange_client first, second;
    fixture_init(&f, SERVE_LATER);
    set_predictive_ratio(&f, 2);
    struct nu_breaker_limits limits = nu_breaker_limits_default;
    limits.max[NU_BREAKER_CONNECTIONS] = 1;
    nu_cluster_set_limits(f.base.cluster, NU_PRIORITY_DEFAULT, &limits);
    fixture_start(&f);
    exchange_start(&first, &f.params, "GET", true);
    assert_totals(&f, 1, 0, 1);
    wait_stat(&f, "upstream_rq_active", 1);
    assert_totals(&f, 0, 1, 0);
    exchange_start(&second, &f.params, "GET", true);
    assert_totals(&f, 1, 1, 0);
    exchange_finish(&second);
    assert_totals(&f, 0, 1, 0);
    exchange_finish(&first);
    wait_stat(&f, "upstream_cx_active", 0);
    assert_totals(&f, 0, 0, 0);
    fixture_finish(&f);
}

TEST(a_client_connection_has_its_own_connections)
{
    struct fixture f;
    fixture_init(&f, SERVE);
    f.base.cluster->options.pools_per_connection = true;
    fixture_start(&f);
    struct nu_connection_info info[2] = {{.id = 1}, {.id = 2}};
    for (int i = 0; i < 4; i++) {
        struct exchange_client client;
        exchange_prepare(&client, "GET");
        client.info.connection = &info[i % 2];
        exchange_begin(&client, &f.params, true);
        assert_true(exchange_wait(f.base.loop, &client));
        assert_str(nu_strbuf_str(&client.events), "200 [ok] end");
        exchange_finish(&client);
    }
    assert_stats(&f, "upstream_cx_total=2 upstream_rq_total=4");
    fixture_finish(&f);
}

static bool has_waiting(const struct nu_cluster_local *cluster)
{
    struct nu_pool *pool;
    nu_list_for_each(pool, &cluster->pools, struct nu_pool, link)
    {
        if (pool->waiting_count)
            return true;
    }
    return false;
}

/* The breaker is full: pools with a purpose that are idle make room for others. */
TEST(connections_ahead_do_not_take_the_place_of_the_request)
{
    struct fixture f;
    struct exchange_client client;
    struct nu_connection_info info = {.id = 1};
    struct nu_breaker_limits limits = nu_breaker_limits_default;
    fixture_init(&f, SERVE_LATER);
    f.base.cluster->options.pools_per_connection = true;
    set_predictive_ratio(&f, 3);
    limits.max[NU_BREAKER_CONNECTIONS] = 0;
    nu_cluster_set_limits(f.base.cluster, NU_PRIORITY_DEFAULT, &limits);
    fixture_start(&f);
    struct nu_host *hosts[] = {cluster_host(&f.base, f.upstream.address, 1),
                               cluster_host(&f.base, f.upstream.address, 1)};
    struct nu_host_set *set = cluster_host_set(hosts, 2);
    nu_cluster_manager_set_hosts(f.base.manager, f.base.cluster, set);
    nu_host_set_unref(set);
    nu_loop_run_once(f.base.loop);
    exchange_prepare(&client, "GET");
    client.info.connection = &info;
    exchange_begin(&client, &f.params, true);
    assert_true(has_waiting(f.params.cluster));
    exchange_finish(&client); /* and its connection is told of its end later */
    fixture_finish(&f);
}

TEST_MAIN()
