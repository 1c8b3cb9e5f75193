/* SPDX-License-Identifier: Apache-2.0 */
/* Health checks of a cluster's hosts over real sockets, on a clock that stands still. */
#include "harness/cluster.h"
#include "harness/upstream.h"
#include "upstream/health/checker.h"
#include "upstream/health/grpc_probe.h"
#include "upstream/health/http_probe.h"
#include "upstream/health/tcp_probe.h"

#define OK "> HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
#define GET "< \r\n\r\n"
#define HEALTHY GET " | " OK " | again"

static const struct nu_health_statuses ok_alone[] = {{200, 201}};

struct fixture {
    struct cluster_fixture base;
    struct upstream upstream;
    struct nu_health_http http;
    struct nu_health_tcp tcp;
    struct nu_health_config config;
    struct nu_health_checker *checker;
    struct nu_init_manager init;
    bool is_warm;
};

static bool *warm_flag;

static void on_warm(struct nu_init_manager *manager)
{
    (void)manager;
    *warm_flag = true;
}

static void fixture_init(struct fixture *f, const char *script)
{
    *f = (struct fixture){.http = {.method = NU_STR_INIT("GET"),
                                   .path = NU_STR_INIT("/h"),
                                   .expected = ok_alone,
                                   .expected_count = 1}};
    nu_clock_fake_install(5000000, 1000000000);
    cluster_fixture_init(&f->base);
    upstream_init(&f->upstream, f->base.loop, script);
    nu_init_manager_init(&f->init, "test");
    f->config = (struct nu_health_config){
        .rules = {.unhealthy_threshold = 2,
                  .healthy_threshold = 2,
                  .timeout_ms = 500,
                  .interval_ms = 1000,
                  .unhealthy_interval_ms = 2000,
                  .unhealthy_edge_interval_ms = 3000,
                  .healthy_edge_interval_ms = 4000,
                  .no_traffic_interval_ms = 5000,
                  .no_traffic_healthy_interval_ms = 6000},
        .probe = &nu_health_http_probe,
        .settings = &f->http,
        .reuses_connection = true,
    };
}

/* Starts the checks of the hosts, whose references it takes over. */
static void fixture_start_hosts(struct fixture *f, struct nu_host **hosts, uint32_t count)
{
    warm_flag = &f->is_warm;
    f->checker = nu_health_checker_create(f->base.cluster, &f->config, f->base.loop);
    cluster_fixture_start(&f->base, cluster_host_set(hosts, count));
    nu_health_checker_start(f->checker, &f->init);
    nu_init_manager_start(&f->init, on_warm);
}

static void fixture_start(struct fixture *f)
{
    struct nu_host *host = cluster_host(&f->base, f->upstream.address, 1);
    fixture_start_hosts(f, &host, 1);
}

static void fixture_finish(struct fixture *f)
{
    upstream_finish(&f->upstream);
    cluster_fixture_finish(&f->base);
    nu_init_manager_finish(&f->init);
    nu_clock_fake_remove();
}

/* --- Waiting ---------------------------------------------------------------------------------- */

struct goal {
    const struct cluster_fixture *base;
    const char *name;
    uint64_t value;
};

static bool is_reached(void *arg)
{
    const struct goal *goal = arg;
    return cluster_stat(goal->base, goal->name) == goal->value;
}

/* Turns the loop until the statistic health_check.NAME has this value. */
static void await(struct fixture *f, const char *name, uint64_t value)
{
    char full[64];
    snprintf(full, sizeof(full), "health_check.%s", name);
    struct goal goal = {&f->base, full, value};
    if (!harness_wait(f->base.loop, is_reached, &goal))
        print_error("%s is %llu, not %llu\n", full,
                    (unsigned long long)cluster_stat(&f->base, full), (unsigned long long)value);
    assert_int_equal(cluster_stat(&f->base, full), value);
}

static uint64_t attempts(const struct fixture *f)
{
    return cluster_stat(&f->base, "health_check.attempt");
}

/* The next check comes after exactly so long. */
static void expect_pause(struct fixture *f, uint64_t ms)
{
    uint64_t before = attempts(f);
    harness_advance(f->base.loop, ms - 1);
    assert_int_equal(attempts(f), before);
    harness_advance(f->base.loop, 1);
    assert_int_equal(attempts(f), before + 1);
}

static struct nu_host *first_host(const struct fixture *f)
{
    return f->base.cluster->hosts->hosts[0];
}

static uint32_t flags(const struct fixture *f)
{
    return atomic_load(&first_host(f)->flags);
}

/* Somebody has used the cluster. */
static void make_traffic(struct fixture *f)
{
    nu_counter_inc(&nu_cluster_local_stats(cluster_local(&f->base))->upstream_cx_total);
}

/* --- Schedules -------------------------------------------------------------------------------- */

TEST(host_is_unhealthy_until_its_first_check)
{
    struct fixture f;
    fixture_init(&f, HEALTHY);
    fixture_start(&f);
    assert_int_equal(flags(&f), NU_HOST_FAILED_ACTIVE_HC);
    assert_int_equal(cluster_stat(&f.base, "membership_healthy"), 0);
    assert_int_equal(attempts(&f), 1);
    assert_false(f.is_warm);
    await(&f, "success", 1);
    nu_loop_run_once(f.base.loop);
    assert_int_equal(flags(&f), 0);
    assert_int_equal(cluster_stat(&f.base, "health_check.healthy"), 1);
    assert_int_equal(cluster_stat(&f.base, "membership_healthy"), 1);
    assert_true(f.is_warm);
    fixture_finish(&f);
}

TEST(cluster_without_hosts_is_warm_at_once)
{
    struct fixture f;
    fixture_init(&f, HEALTHY);
    fixture_start_hosts(&f, NULL, 0);
    nu_loop_run_once(f.base.loop);
    assert_true(f.is_warm);
    fixture_finish(&f);
}

TEST(failure_makes_the_cluster_warm_too)
{
    struct fixture f;
    fixture_init(&f, GET " | close");
    fixture_start(&f);
    await(&f, "network_failure", 1);
    nu_loop_run_once(f.base.loop);
    assert_true(f.is_warm);
    fixture_finish(&f);
}

TEST(without_traffic_checks_are_rare)
{
    struct fixture f;
    fixture_init(&f, HEALTHY);
    fixture_start(&f);
    for (uint64_t i = 1; i < 4; i++) {
        await(&f, "success", i);
        expect_pause(&f, 6000);
    }
    fixture_finish(&f);
}

TEST(with_traffic_the_interval_holds)
{
    struct fixture f;
    fixture_init(&f, HEALTHY);
    fixture_start(&f);
    make_traffic(&f);
    for (uint64_t i = 1; i < 4; i++) {
        await(&f, "success", i);
        expect_pause(&f, 1000);
    }
    assert_int_equal(f.upstream.count, 1);
    fixture_finish(&f);
}

TEST(each_state_has_its_interval)
{
    struct fixture f;
    fixture_init(&f, GET " | " OK " | " GET " | close");
    f.config.reuses_connection = true;
    fixture_start(&f);
    make_traffic(&f);
    await(&f, "success", 1);
    expect_pause(&f, 1000); /* healthy */
    await(&f, "failure", 1);
    expect_pause(&f, 3000); /* on the way to unhealthy; this one passes */
    await(&f, "success", 2);
    expect_pause(&f, 1000);
    await(&f, "failure", 2);
    f.upstream.script = GET " | close";
    expect_pause(&f, 3000);
    await(&f, "failure", 3);
    assert_int_equal(flags(&f), NU_HOST_FAILED_ACTIVE_HC);
    f.upstream.script = HEALTHY;
    expect_pause(&f, 2000); /* unhealthy */
    await(&f, "success", 3);
    assert_int_equal(flags(&f), NU_HOST_FAILED_ACTIVE_HC);
    expect_pause(&f, 4000); /* on the way to healthy */
    await(&f, "success", 4);
    assert_int_equal(flags(&f), 0);
    expect_pause(&f, 1000);
    fixture_finish(&f);
}

TEST(check_that_gets_no_answer_ends_with_its_time)
{
    struct fixture f;
    fixture_init(&f, GET " | pause");
    fixture_start(&f);
    harness_advance(f.base.loop, 499);
    assert_int_equal(cluster_stat(&f.base, "health_check.failure"), 0);
    harness_advance(f.base.loop, 1);
    assert_int_equal(cluster_stat(&f.base, "health_check.network_failure"), 1);
    assert_int_equal(flags(&f), NU_HOST_FAILED_ACTIVE_HC | NU_HOST_ACTIVE_HC_TIMEOUT);
    expect_pause(&f, 5000);
    fixture_finish(&f);
}

TEST(connection_that_does_not_come_up_ends_with_the_check)
{
    struct fixture f;
    fixture_init(&f, HEALTHY);
    upstream_blackhole(&f.upstream);
    fixture_start(&f);
    harness_advance(f.base.loop, 500);
    assert_int_equal(cluster_stat(&f.base, "health_check.network_failure"), 1);
    fixture_finish(&f);
}

TEST(first_check_waits_for_its_jitter)
{
    struct fixture f;
    fixture_init(&f, HEALTHY);
    f.config.rules.initial_jitter_ms = 100;
    fixture_start(&f);
    assert_int_equal(attempts(&f), 0);
    harness_advance(f.base.loop, 100);
    assert_int_equal(attempts(&f), 1);
    fixture_finish(&f);
}

/* --- Hosts that come and go ------------------------------------------------------------------- */

static void set_hosts(struct fixture *f, struct nu_host *const *hosts, uint32_t count)
{
    struct nu_host_set *set = nu_host_set_create(hosts, count);
    nu_cluster_manager_set_hosts(f->base.manager, f->base.cluster, set);
    nu_host_set_unref(set);
}

TEST(new_host_is_checked_at_once)
{
    struct fixture f;
    fixture_init(&f, HEALTHY);
    fixture_start(&f);
    await(&f, "success", 1);
    struct nu_host *hosts[] = {nu_host_ref(first_host(&f)),
                               cluster_host(&f.base, f.upstream.address, 1)};
    set_hosts(&f, hosts, 2);
    assert_int_equal(attempts(&f), 2);
    assert_int_equal(cluster_stat(&f.base, "membership_healthy"), 1);
    await(&f, "healthy", 2);
    for (int i = 0; i < 2; i++)
        nu_host_unref(hosts[i]);
    fixture_finish(&f);
}

TEST(host_that_goes_amid_a_check_is_forgotten)
{
    struct fixture f;
    fixture_init(&f, GET " | pause");
    fixture_start(&f);
    struct nu_host *host = nu_host_ref(first_host(&f));
    set_hosts(&f, NULL, 0);
    assert_null(host->monitor);
    nu_loop_run_once(f.base.loop);
    assert_true(f.is_warm);
    harness_advance(f.base.loop, 100000);
    assert_int_equal(attempts(&f), 1);
    assert_int_equal(cluster_stat(&f.base, "health_check.failure"), 0);
    nu_host_unref(host);
    fixture_finish(&f);
}

TEST(healthy_host_that_goes_is_counted_no_more)
{
    struct fixture f;
    fixture_init(&f, HEALTHY);
    fixture_start(&f);
    await(&f, "healthy", 1);
    set_hosts(&f, NULL, 0);
    assert_int_equal(cluster_stat(&f.base, "health_check.healthy"), 0);
    fixture_finish(&f);
}

TEST(host_that_is_not_to_be_checked_is_healthy)
{
    struct fixture f;
    fixture_init(&f, HEALTHY);
    const struct nu_host_check_place place = {.is_off = true};
    struct nu_host_params params = {.weight = 1, .check_place = &place};
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(f.upstream.address), &params.address),
                     NU_OK);
    struct nu_host *host = nu_host_create(f.base.keeper, &params);
    fixture_start_hosts(&f, &host, 1);
    nu_loop_run_once(f.base.loop);
    assert_int_equal(flags(&f), 0);
    assert_int_equal(attempts(&f), 0);
    assert_true(f.is_warm);
    fixture_finish(&f);
}

TEST(check_goes_to_the_place_of_the_endpoint)
{
    struct fixture f;
    fixture_init(&f, HEALTHY);
    const struct nu_host_check_place place = {.port = f.upstream.port,
                                              .hostname = NU_STR_INIT("hc.example")};
    struct nu_host_params params = {.weight = 1, .check_place = &place};
    assert_int_equal(nu_address_parse_ip_port(NU_STR("127.0.0.1:1"), &params.address), NU_OK);
    struct nu_host *host = nu_host_create(f.base.keeper, &params);
    fixture_start_hosts(&f, &host, 1);
    await(&f, "success", 1);
    assert_str(nu_strbuf_str(&f.upstream.connections[0]->received),
               "GET /h HTTP/1.1\r\nhost: hc.example\r\nuser-agent: Envoy/HC\r\n\r\n");
    fixture_finish(&f);
}

/* --- Word from clients' responses ------------------------------------------------------------- */

TEST(response_takes_its_host_out)
{
    struct fixture f;
    fixture_init(&f, HEALTHY);
    fixture_start(&f);
    await(&f, "success", 1);
    nu_host_tell_unwell(first_host(&f));
    await(&f, "passive_failure", 1);
    assert_int_equal(flags(&f), NU_HOST_FAILED_ACTIVE_HC | NU_HOST_EXCLUDED_VIA_IMMEDIATE_HC_FAIL);
    nu_loop_run_once(f.base.loop);
    assert_int_equal(cluster_stat(&f.base, "membership_excluded"), 1);
    expect_pause(&f, 6000); /* as it would have been */
    await(&f, "success", 2);
    expect_pause(&f, 5000);
    await(&f, "success", 3);
    assert_int_equal(flags(&f), 0);
    fixture_finish(&f);
}

TEST(word_of_a_host_that_nobody_checks_is_lost)
{
    struct fixture f;
    fixture_init(&f, HEALTHY);
    fixture_start(&f);
    struct nu_host *host = nu_host_ref(first_host(&f));
    set_hosts(&f, NULL, 0);
    nu_host_tell_unwell(host);
    nu_loop_run_once(f.base.loop);
    nu_loop_run_once(f.base.loop);
    assert_int_equal(cluster_stat(&f.base, "health_check.passive_failure"), 0);
    nu_host_unref(host);
    fixture_finish(&f);
}

/* --- Answers ---------------------------------------------------------------------------------- */

/* What one check says of an answer. */
struct answer {
    const char *script;
    const char *stat;
};

TEST(answers_are_judged)
{
    static const struct answer answers[] = {
        {GET " | " OK, "success"},
        {GET " | > HTTP/1.1 200 OK\r\n\r\nto the end | close", "success"},
        {GET " | > HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
         "success"},
        {GET " | > HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", "failure"},
        {GET " | > HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok | close", "network_failure"},
        {GET " | > nonsense\r\n\r\n", "network_failure"},
        {GET " | reset", "network_failure"},
        {GET " | shut", "network_failure"},
        {"close", "network_failure"},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(answers); i++) {
        struct fixture f;
        fixture_init(&f, answers[i].script);
        fixture_start(&f);
        await(&f, answers[i].stat, 1);
        assert_int_equal(attempts(&f), 1);
        fixture_finish(&f);
    }
}

TEST(bytes_between_checks_end_the_connection)
{
    struct fixture f;
    fixture_init(&f, GET " | " OK "> more | again");
    fixture_start(&f);
    await(&f, "success", 1);
    expect_pause(&f, 6000);
    await(&f, "success", 2);
    assert_int_equal(f.upstream.count, 2);
    fixture_finish(&f);
}

TEST(endless_body_ends_with_the_check)
{
    struct fixture f;
    fixture_init(&f, GET " | > HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n");
    fixture_start(&f);
    harness_advance(f.base.loop, 0);
    harness_advance(f.base.loop, 500);
    assert_int_equal(cluster_stat(&f.base, "health_check.network_failure"), 1);
    fixture_finish(&f);
}

/* --- TCP -------------------------------------------------------------------------------------- */

static const struct nu_str pong_pieces[] = {NU_STR_INIT("PO"), NU_STR_INIT("NG")};

static void use_tcp(struct fixture *f)
{
    f->tcp = (struct nu_health_tcp){.send = NU_STR_INIT("PING"), .receive = {pong_pieces, 2}};
    f->config.probe = &nu_health_tcp_probe;
    f->config.settings = &f->tcp;
}

TEST(tcp_answer_may_come_in_pieces)
{
    struct fixture f;
    fixture_init(&f, "< PING | > xP | pause | > Oy | pause | > N | pause | > G");
    use_tcp(&f);
    fixture_start(&f);
    for (int i = 0; i < 3; i++) {
        while (!f.upstream.count || !f.upstream.connections[0]->paused)
            nu_loop_run_once(f.base.loop);
        assert_int_equal(cluster_stat(&f.base, "health_check.success"), 0);
        upstream_resume(&f.upstream);
    }
    await(&f, "success", 1);
    fixture_finish(&f);
}

TEST(tcp_connection_is_kept_between_checks)
{
    struct fixture f;
    fixture_init(&f, "< PING | > PONG | again");
    use_tcp(&f);
    fixture_start(&f);
    await(&f, "success", 1);
    expect_pause(&f, 6000);
    await(&f, "success", 2);
    assert_int_equal(f.upstream.count, 1);
    fixture_finish(&f);
}

TEST(tcp_host_that_closes_between_checks_has_failed)
{
    struct fixture f;
    fixture_init(&f, "< PING | > PONG | close");
    use_tcp(&f);
    fixture_start(&f);
    await(&f, "network_failure", 1);
    assert_int_equal(attempts(&f), 1);
    expect_pause(&f, 5000);
    fixture_finish(&f);
}

TEST(tcp_connect_is_enough_without_an_answer_to_wait_for)
{
    struct fixture f;
    fixture_init(&f, "pause");
    use_tcp(&f);
    f.tcp.receive.count = 0;
    fixture_start(&f);
    await(&f, "success", 1);
    expect_pause(&f, 6000);
    await(&f, "success", 2);
    assert_int_equal(f.upstream.count, 2);
    fixture_finish(&f);
}

TEST(tcp_host_that_says_too_much_takes_no_memory)
{
    struct fixture f;
    fixture_init(&f, "< PING | > xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx | pause");
    use_tcp(&f);
    f.base.cluster->options.buffer_limit_bytes = 16;
    fixture_start(&f);
    while (!f.upstream.count || !f.upstream.connections[0]->paused)
        nu_loop_run_once(f.base.loop);
    harness_advance(f.base.loop, 500);
    assert_int_equal(cluster_stat(&f.base, "health_check.network_failure"), 1);
    fixture_finish(&f);
}

/* --- HTTP/2 ----------------------------------------------------------------------------------- */

TEST(server_that_speaks_no_http2_fails)
{
    struct fixture f;
    fixture_init(&f, "< PRI | > HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n | pause");
    f.http.is_h2 = true;
    fixture_start(&f);
    await(&f, "network_failure", 1);
    assert_int_equal(cluster_stat(&f.base, "upstream_cx_protocol_error"), 1);
    fixture_finish(&f);
}

TEST(grpc_check_without_an_answer_ends_with_its_time)
{
    struct fixture f;
    static const struct nu_health_grpc grpc = {.message = NU_STR_INIT("\0\0\0\0\0")};
    fixture_init(&f, "< PRI | pause");
    f.config.probe = &nu_health_grpc_probe;
    f.config.settings = &grpc;
    fixture_start(&f);
    while (!f.upstream.count || !f.upstream.connections[0]->paused)
        nu_loop_run_once(f.base.loop);
    harness_advance(f.base.loop, 500);
    assert_int_equal(cluster_stat(&f.base, "health_check.network_failure"), 1);
    expect_pause(&f, 5000);
    fixture_finish(&f);
}

/* --- Workers ---------------------------------------------------------------------------------- */

TEST(workers_hear_of_a_failure)
{
    struct fixture f;
    fixture_init(&f, GET " | " OK " | " GET " | > HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n");
    fixture_start(&f);
    await(&f, "success", 1);
    nu_loop_run_once(f.base.loop);
    assert_int_equal(cluster_local(&f.base)->hosts->priorities[0].healthy.count, 1);
    expect_pause(&f, 6000);
    await(&f, "failure", 1);
    nu_loop_run_once(f.base.loop);
    nu_loop_run_once(f.base.loop);
    assert_int_equal(cluster_local(&f.base)->hosts->priorities[0].healthy.count, 0);
    fixture_finish(&f);
}

TEST_MAIN()
