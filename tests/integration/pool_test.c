/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connection pools over real sockets: limits of connections and breakers, socket options, and what
 * happens to a pool when its host leaves the cluster.
 */
#include "harness/origin.h"

#include <netinet/tcp.h>

#define HEAD_END "< \r\n\r\n | "
#define OK_2 "> HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
#define SERVE HEAD_END OK_2 " | again"
/* Answers the first request when told to, later ones at once. */
#define SERVE_LATER HEAD_END "pause | " OK_2 " | again"

static void expect(struct fixture *f, struct exchange_client *client, const char *events)
{
    assert_true(exchange_wait(f->base.loop, client));
    assert_str(nu_strbuf_str(&client->events), events);
}

/* One request that is answered. */
static void serve_one(struct fixture *f)
{
    struct exchange_client client;
    exchange_start(&client, &f->params, "GET", true);
    expect(f, &client, "200 [ok] end");
    exchange_finish(&client);
}

static bool is_paused(void *arg)
{
    const struct upstream *upstream = arg;
    return upstream->count && upstream->connections[0]->paused;
}

/* Until the upstream has the first request. */
static void wait_paused(struct fixture *f)
{
    assert_true(harness_wait(f->base.loop, is_paused, &f->upstream));
}

/* --- Limits of a connection ------------------------------------------------------------------- */

TEST(connection_ends_after_its_number_of_requests)
{
    struct fixture f;
    fixture_init(&f, SERVE);
    f.base.cluster->options.max_requests_per_connection = 2;
    fixture_start(&f);
    for (int i = 0; i < 4; i++)
        serve_one(&f);
    assert_stats(&f, "upstream_cx_total=2 upstream_cx_max_requests=2 upstream_cx_active=0 "
                     "upstream_cx_destroy_local=2 upstream_rq_total=4");
    fixture_finish(&f);
}

TEST(idle_connection_ends_after_its_timeout)
{
    struct fixture f;
    fixture_init(&f, SERVE);
    f.base.cluster->options.idle_timeout_ms = 1000;
    fixture_start(&f);
    serve_one(&f);
    harness_advance(f.base.loop, 600);
    /* Used again: the time starts anew. */
    serve_one(&f);
    harness_advance(f.base.loop, 999);
    assert_stats(&f, "upstream_cx_active=1 upstream_cx_idle_timeout=0");
    harness_advance(f.base.loop, 2);
    assert_stats(&f, "upstream_cx_active=0 upstream_cx_idle_timeout=1 "
                     "upstream_cx_destroy_local=1 upstream_cx_total=1");
    fixture_finish(&f);
}

TEST(busy_connection_is_not_idle)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, SERVE_LATER);
    f.base.cluster->options.idle_timeout_ms = 1000;
    fixture_start(&f);
    exchange_start(&client, &f.params, "GET", true);
    wait_paused(&f);
    harness_advance(f.base.loop, 5000);
    assert_false(client.over);
    upstream_resume(&f.upstream);
    expect(&f, &client, "200 [ok] end");
    assert_stats(&f, "upstream_cx_idle_timeout=0 upstream_cx_active=1");
    exchange_finish(&client);
    fixture_finish(&f);
}

TEST(old_connection_ends_with_its_request)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, SERVE_LATER);
    f.base.cluster->options.max_connection_duration_ms = 1000;
    fixture_start(&f);
    exchange_start(&client, &f.params, "GET", true);
    wait_paused(&f);
    harness_advance(f.base.loop, 1001);
    assert_false(client.over);
    upstream_resume(&f.upstream);
    expect(&f, &client, "200 [ok] end");
    assert_stats(&f, "upstream_cx_max_duration_reached=1 upstream_cx_active=0");
    exchange_finish(&client);
    fixture_finish(&f);
}

TEST(old_idle_connection_ends_at_once)
{
    struct fixture f;
    fixture_init(&f, SERVE);
    f.base.cluster->options.max_connection_duration_ms = 1000;
    fixture_start(&f);
    serve_one(&f);
    harness_advance(f.base.loop, 1001);
    assert_stats(&f, "upstream_cx_max_duration_reached=1 upstream_cx_active=0");
    fixture_finish(&f);
}

TEST(last_used_connection_is_used_first)
{
    struct fixture f;
    struct exchange_client clients[3];
    fixture_init(&f, SERVE);
    fixture_start(&f);
    for (int i = 0; i < 3; i++)
        exchange_start(&clients[i], &f.params, "GET", true);
    for (int i = 0; i < 3; i++) {
        expect(&f, &clients[i], "200 [ok] end");
        exchange_finish(&clients[i]);
    }
    assert_stats(&f, "upstream_cx_total=3 upstream_rq_pending_total=3");
    uint64_t id = 0;
    for (int i = 0; i < 3; i++) {
        struct exchange_client client;
        exchange_start(&client, &f.params, "GET", true);
        expect(&f, &client, "200 [ok] end");
        if (i == 0)
            id = client.info.upstream.connection_id;
        assert_int_equal(client.info.upstream.connection_id, id);
        exchange_finish(&client);
    }
    assert_stats(&f, "upstream_cx_total=3 upstream_rq_total=6");
    fixture_finish(&f);
}

static int int_option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    getsockopt(fd, level, name, &value, &len);
    return value;
}

TEST(keepalive_probes_are_set)
{
    struct fixture f;
    fixture_init(&f, SERVE);
    struct nu_cluster_options *options = &f.base.cluster->options;
    options->tcp_keepalive = true;
    options->keepalive_probes = 3;
    options->keepalive_time_s = 20;
    options->keepalive_interval_s = 7;
    fixture_start(&f);
    serve_one(&f);
    const struct nu_pool *pool = nu_list_first(&f.params.cluster->pools, struct nu_pool, link);
    const struct nu_upstream_conn *conn =
        nu_list_first(&pool->ready, struct nu_upstream_conn, link);
    int fd = conn->conn.fd;
    assert_int_equal(int_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(int_option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
    assert_int_equal(int_option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 20);
    assert_int_equal(int_option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 7);
    assert_int_equal(int_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    fixture_finish(&f);
}

/* --- Breakers --------------------------------------------------------------------------------- */

struct breaker_case {
    const char *name;
    enum nu_breaker_kind kind;
    uint32_t max;
    /* Of the first request, which the upstream keeps waiting, and of a second one meanwhile. */
    const char *first, *second;
    const char *stats;
};

static const struct breaker_case breaker_cases[] = {
    {"no request may wait", NU_BREAKER_PENDING, 0, "failed: overflow", "failed: overflow",
     "upstream_rq_pending_overflow=2 upstream_cx_total=0 upstream_rq_503=2"},
    {"one request", NU_BREAKER_REQUESTS, 1, "200 [ok] end", "failed: overflow",
     "upstream_rq_pending_overflow=1 upstream_cx_total=2 upstream_rq_total=1 upstream_rq_503=1"},
    {"one connection: the second waits", NU_BREAKER_CONNECTIONS, 1, "200 [ok] end", "200 [ok] end",
     "upstream_cx_overflow=1 upstream_cx_total=1 upstream_rq_total=2"},
    {"no connection: the first is allowed", NU_BREAKER_CONNECTIONS, 0, "200 [ok] end",
     "200 [ok] end", "upstream_cx_total=1 upstream_rq_total=2"},
    {"one pool is enough for one host", NU_BREAKER_POOLS, 1, "200 [ok] end", "200 [ok] end",
     "upstream_cx_pool_overflow=0 upstream_cx_total=2"},
    {"no pool", NU_BREAKER_POOLS, 0, "failed: no host", "failed: no host",
     "upstream_cx_pool_overflow=2 upstream_cx_total=0 upstream_rq_503=2"},
};

TEST(breakers_refuse_what_is_over_their_limit)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(breaker_cases); i++) {
        const struct breaker_case *c = &breaker_cases[i];
        struct fixture f;
        struct exchange_client first, second;
        struct nu_breaker_limits limits = nu_breaker_limits_default;
        print_message("  %s\n", c->name);
        fixture_init(&f, SERVE_LATER);
        limits.max[c->kind] = c->max;
        nu_cluster_set_limits(f.base.cluster, NU_PRIORITY_DEFAULT, &limits);
        fixture_start(&f);
        exchange_start(&first, &f.params, "GET", true);
        if (!first.over)
            wait_paused(&f);
        exchange_start(&second, &f.params, "GET", true);
        while (!first.over || !second.over) {
            upstream_resume(&f.upstream);
            nu_loop_run_once(f.base.loop);
        }
        assert_str(nu_strbuf_str(&first.events), c->first);
        assert_str(nu_strbuf_str(&second.events), c->second);
        assert_stats(&f, c->stats);
        assert_stats(&f, "upstream_rq_active=0 upstream_rq_pending_active=0 "
                         "circuit_breakers.default.rq_pending_open=0 "
                         "circuit_breakers.default.rq_open=0");
        exchange_finish(&first);
        exchange_finish(&second);
        fixture_finish(&f);
    }
}

TEST(priorities_have_pools_and_limits_of_their_own)
{
    struct fixture f;
    struct exchange_client low, high;
    struct nu_breaker_limits limits = nu_breaker_limits_default;
    fixture_init(&f, SERVE);
    limits.max[NU_BREAKER_PENDING] = 0;
    nu_cluster_set_limits(f.base.cluster, NU_PRIORITY_DEFAULT, &limits);
    fixture_start(&f);
    exchange_start(&low, &f.params, "GET", true);
    f.params.priority = NU_PRIORITY_HIGH;
    exchange_start(&high, &f.params, "GET", true);
    expect(&f, &low, "failed: overflow");
    expect(&f, &high, "200 [ok] end");
    exchange_finish(&low);
    exchange_finish(&high);
    fixture_finish(&f);
}

/* --- Hosts that go ---------------------------------------------------------------------------- */

static void remove_hosts(struct fixture *f)
{
    struct nu_host_set *nobody = nu_host_set_create(NULL, 0);
    nu_cluster_manager_set_hosts(f->base.manager, f->base.cluster, nobody);
    nu_host_set_unref(nobody);
    /* The message. */
    nu_loop_run_once(f->base.loop);
    assert_int_equal(f->params.cluster->hosts->count, 0);
}

/* The same at once, before a connect that is under way can be seen to succeed. */
static void remove_hosts_now(struct fixture *f)
{
    struct nu_host_set *nobody = nu_host_set_create(NULL, 0);
    nu_cluster_table_set_hosts(&f->base.table, f->base.cluster, nobody);
    nu_host_set_unref(nobody);
}

static size_t count_pools(const struct fixture *f)
{
    size_t count = 0;
    const struct nu_list *pools = &f->params.cluster->pools;
    for (const struct nu_list *link = pools->next; link != pools; link = link->next)
        count++;
    return count;
}

TEST(idle_connections_of_a_host_that_went_are_closed)
{
    struct fixture f;
    fixture_init(&f, SERVE);
    fixture_start(&f);
    serve_one(&f);
    assert_int_equal(count_pools(&f), 1);
    remove_hosts(&f);
    assert_stats(&f, "upstream_cx_active=0 upstream_cx_destroy_local=1");
    assert_int_equal(count_pools(&f), 0);
    fixture_finish(&f);
}

/* The pool's last request waits for its connection, and ends it by being what cannot be sent. */
TEST(pool_of_a_host_that_went_may_end_while_it_serves)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, SERVE);
    fixture_start(&f);
    exchange_start(&client, &f.params, "NO METHOD", true);
    remove_hosts_now(&f);
    expect(&f, &client, "failed: local reset");
    assert_int_equal(count_pools(&f), 0);
    exchange_finish(&client);
    fixture_finish(&f);
}

TEST(request_in_flight_outlives_its_host)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, SERVE_LATER);
    fixture_start(&f);
    exchange_start(&client, &f.params, "GET", true);
    wait_paused(&f);
    remove_hosts(&f);
    assert_stats(&f, "upstream_cx_active=1");
    upstream_resume(&f.upstream);
    expect(&f, &client, "200 [ok] end");
    assert_stats(&f, "upstream_cx_active=0 upstream_rq_total=1");
    assert_int_equal(count_pools(&f), 0);
    exchange_finish(&client);
    fixture_finish(&f);
}

TEST(request_in_flight_to_a_host_that_went_fails_at_the_end_of_the_process)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, SERVE_LATER);
    fixture_start(&f);
    exchange_start(&client, &f.params, "GET", true);
    wait_paused(&f);
    remove_hosts(&f);
    nu_cluster_table_finish(&f.base.table);
    assert_str(nu_strbuf_str(&client.events), "failed: connection termination");
    exchange_finish(&client);
    fixture_finish(&f);
}

/* What it logs at its end is the host's: its name, its metadata. */
TEST(host_that_went_stays_as_long_as_a_stream_shows_it)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, SERVE);
    fixture_start(&f);
    struct nu_host *host = nu_host_ref(f.base.cluster->hosts->hosts[0]);
    exchange_start(&client, &f.params, "GET", true);
    expect(&f, &client, "200 [ok] end");
    remove_hosts(&f);
    nu_loop_run_once(f.base.loop);
    assert_int_equal(count_pools(&f), 0);
    assert_int_equal(host->refs, 2);
    exchange_finish(&client);
    assert_int_equal(host->refs, 1);
    nu_host_unref(host);
    fixture_finish(&f);
}

TEST(request_that_waits_for_a_host_that_went_is_served)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, SERVE);
    fixture_start(&f);
    exchange_start(&client, &f.params, "GET", true);
    remove_hosts_now(&f);
    assert_stats(&f, "upstream_rq_pending_active=1");
    expect(&f, &client, "200 [ok] end");
    assert_stats(&f, "upstream_cx_active=0");
    assert_int_equal(count_pools(&f), 0);
    exchange_finish(&client);
    fixture_finish(&f);
}

/* Its connection has room for more streams, which nobody will ask for. */
TEST(http2_request_that_waits_for_a_host_that_went_keeps_its_connection)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, "< PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n | pause");
    nu_cluster_set_http(f.base.cluster, NU_CLUSTER_HTTP2);
    fixture_start(&f);
    exchange_start(&client, &f.params, "GET", true);
    remove_hosts_now(&f);
    wait_paused(&f);
    assert_str(nu_strbuf_str(&client.events), "");
    assert_stats(&f, "upstream_cx_active=1 upstream_rq_active=1");
    nu_exchange_cancel(&client.exchange);
    assert_stats(&f, "upstream_cx_active=0 upstream_rq_active=0");
    assert_int_equal(count_pools(&f), 0);
    exchange_finish(&client);
    fixture_finish(&f);
}

TEST(connection_that_comes_up_for_nobody_after_its_host_went_is_closed)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, SERVE);
    fixture_start(&f);
    exchange_start(&client, &f.params, "GET", true);
    exchange_finish(&client);
    remove_hosts_now(&f);
    assert_int_equal(count_pools(&f), 1);
    assert_stats(&f, "upstream_cx_active=0 upstream_rq_cancelled=1");
    assert_int_equal(count_pools(&f), 0);
    fixture_finish(&f);
}

/* --- Pools of one name each ------------------------------------------------------------------- */

static void name_host(struct exchange_client *client, const char *name)
{
    exchange_prepare(client, "GET");
    nu_headers_set_id(&client->headers, NU_HEADER_AUTHORITY, nu_str_from(name));
}

/* One request for a name that is answered. */
static void serve_name(struct fixture *f, const char *name)
{
    struct exchange_client client;
    name_host(&client, name);
    exchange_begin(&client, &f->params, true);
    expect(f, &client, "200 [ok] end");
    exchange_finish(&client);
}

static void start_with_names(struct fixture *f, enum nu_breaker_kind kind, uint32_t max)
{
    struct nu_breaker_limits limits = nu_breaker_limits_default;
    fixture_init(f, SERVE);
    f->base.cluster->options.auto_sni = true;
    limits.max[kind] = max;
    nu_cluster_set_limits(f->base.cluster, NU_PRIORITY_DEFAULT, &limits);
    fixture_start(f);
}

TEST(idle_pool_of_a_name_goes_once_with_its_host)
{
    struct fixture f;
    start_with_names(&f, NU_BREAKER_POOLS, 10);
    serve_name(&f, "a");
    serve_name(&f, "b");
    assert_int_equal(count_pools(&f), 2);
    remove_hosts(&f);
    assert_stats(&f, "upstream_cx_active=0 upstream_cx_destroy_local=2");
    assert_int_equal(count_pools(&f), 0);
    fixture_finish(&f);
}

/* Names are a client's choice: what is kept for them stays within the breakers. */
TEST(names_that_were_used_last_keep_their_connections)
{
    static const enum nu_breaker_kind kinds[] = {NU_BREAKER_CONNECTIONS, NU_BREAKER_POOLS};
    for (size_t i = 0; i < NU_ARRAY_LEN(kinds); i++) {
        struct fixture f;
        start_with_names(&f, kinds[i], 2);
        serve_name(&f, "a");
        serve_name(&f, "b");
        serve_name(&f, "a");
        serve_name(&f, "c"); /* in the place of b */
        serve_name(&f, "a");
        serve_name(&f, "c");
        assert_int_equal(count_pools(&f), 2);
        assert_stats(&f, "upstream_cx_total=3 upstream_cx_active=2 upstream_cx_destroy_local=1 "
                         "upstream_cx_pool_overflow=0 upstream_rq_200=6");
        fixture_finish(&f);
    }
}

/* The first one's client asks for another name as soon as it has its answer. */
struct follower {
    struct exchange_client first, second;
    struct fixture *f;
};

static void follow(struct exchange_client *client)
{
    struct follower *follower = nu_container_of(client, struct follower, first);
    if (!client->over)
        return;
    name_host(&follower->second, "b");
    exchange_begin(&follower->second, &follower->f->params, true);
}

TEST(connection_of_a_name_may_make_room_while_its_response_ends)
{
    struct fixture f;
    struct follower follower = {.f = &f};
    start_with_names(&f, NU_BREAKER_CONNECTIONS, 1);
    name_host(&follower.first, "a");
    follower.first.on_event = follow;
    exchange_begin(&follower.first, &f.params, true);
    expect(&f, &follower.first, "200 [ok] end");
    expect(&f, &follower.second, "200 [ok] end");
    exchange_finish(&follower.first);
    exchange_finish(&follower.second);
    serve_name(&f, "c");
    serve_name(&f, "d");
    assert_stats(&f, "upstream_cx_active=1");
    fixture_finish(&f);
}

TEST(host_that_stays_keeps_its_connections)
{
    struct fixture f;
    fixture_init(&f, SERVE);
    fixture_start(&f);
    serve_one(&f);
    struct nu_host *hosts[] = {cluster_host(&f.base, "127.0.0.1:1", 1),
                               nu_host_ref(f.base.cluster->hosts->hosts[0])};
    struct nu_host_set *set = cluster_host_set(hosts, 2);
    nu_cluster_manager_set_hosts(f.base.manager, f.base.cluster, set);
    nu_host_set_unref(set);
    nu_loop_run_once(f.base.loop);
    f.params.lb.override_host = nu_str_from(f.upstream.address);
    serve_one(&f);
    assert_stats(&f, "upstream_cx_total=1 upstream_rq_total=2 upstream_cx_active=1");
    fixture_finish(&f);
}

TEST(end_of_the_table_resets_what_is_in_flight)
{
    struct fixture f;
    struct exchange_client busy, waiting;
    struct nu_breaker_limits limits = nu_breaker_limits_default;
    fixture_init(&f, SERVE_LATER);
    limits.max[NU_BREAKER_CONNECTIONS] = 1;
    nu_cluster_set_limits(f.base.cluster, NU_PRIORITY_DEFAULT, &limits);
    fixture_start(&f);
    exchange_start(&busy, &f.params, "GET", true);
    wait_paused(&f);
    exchange_start(&waiting, &f.params, "GET", true);
    nu_cluster_table_finish(&f.base.table);
    assert_true(busy.over);
    assert_true(waiting.over);
    exchange_finish(&busy);
    exchange_finish(&waiting);
    fixture_finish(&f);
}

TEST_MAIN()
