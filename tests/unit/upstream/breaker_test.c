/* SPDX-License-Identifier: Apache-2.0 */
/* Breakers of retries and of single hosts, and how they are configured. */
#include "harness/cluster.h"
#include "harness/cluster_config.h"
#include "runtime/runtime.h"

struct fixture {
    struct cluster_fixture base;
    struct nu_cluster_local *local;
};

/* A cluster with one host whose default priority has these limits. */
static void setup(struct fixture *f, const struct nu_breaker_limits *limits)
{
    cluster_fixture_init(&f->base);
    nu_cluster_set_limits(f->base.cluster, NU_PRIORITY_DEFAULT, limits);
    struct nu_host *host = cluster_host(&f->base, "1.0.0.1:80", 1);
    cluster_fixture_start(&f->base, cluster_host_set(&host, 1));
    f->local = cluster_local(&f->base);
    nu_cluster_local_stats(f->local);
}

static void add(struct fixture *f, enum nu_breaker_kind kind, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        nu_cluster_breaker_add(f->local, NU_PRIORITY_DEFAULT, kind);
}

static void sub(struct fixture *f, enum nu_breaker_kind kind, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        nu_cluster_breaker_sub(f->local, NU_PRIORITY_DEFAULT, kind);
}

/* How many retries are allowed at once, by making them. */
static unsigned room_for_retries(struct fixture *f)
{
    unsigned count = 0;
    while (nu_cluster_allows_retry(f->local, NU_PRIORITY_DEFAULT)) {
        add(f, NU_BREAKER_RETRIES, 1);
        count++;
    }
    sub(f, NU_BREAKER_RETRIES, count);
    return count;
}

static uint64_t stat(const struct fixture *f, const char *name)
{
    char full[64];
    snprintf(full, sizeof(full), "circuit_breakers.default.%s", name);
    return cluster_stat(&f->base, full);
}

static struct nu_breaker_limits with_budget(double percent, uint32_t min_concurrency)
{
    struct nu_breaker_limits limits = nu_breaker_limits_default;
    limits.track_remaining = true;
    limits.retry_budget = (struct nu_retry_budget){
        .is_set = true, .percent = percent, .min_concurrency = min_concurrency};
    return limits;
}

TEST(retries_are_limited_by_number)
{
    struct fixture f;
    struct nu_breaker_limits limits = nu_breaker_limits_default;
    limits.max[NU_BREAKER_RETRIES] = 2;
    setup(&f, &limits);
    assert_int_equal(room_for_retries(&f), 2);
    add(&f, NU_BREAKER_RETRIES, 2);
    assert_int_equal(stat(&f, "rq_retry_open"), 1);
    sub(&f, NU_BREAKER_RETRIES, 2);
    assert_int_equal(stat(&f, "rq_retry_open"), 0);
    cluster_fixture_finish(&f.base);
}

TEST(retry_budget_follows_the_requests_that_are_at_work_or_wait)
{
    struct fixture f;
    struct nu_breaker_limits limits = with_budget(25, 1);
    setup(&f, &limits);
    assert_int_equal(room_for_retries(&f), 1);
    add(&f, NU_BREAKER_REQUESTS, 9);
    add(&f, NU_BREAKER_PENDING, 2);
    assert_int_equal(room_for_retries(&f), 2); /* 2.75 */
    add(&f, NU_BREAKER_PENDING, 1);
    assert_int_equal(room_for_retries(&f), 3);
    sub(&f, NU_BREAKER_PENDING, 3);
    sub(&f, NU_BREAKER_REQUESTS, 9);
    assert_int_equal(room_for_retries(&f), 1);
    cluster_fixture_finish(&f.base);
}

TEST(retry_budget_may_be_nothing)
{
    struct fixture f;
    struct nu_breaker_limits limits = with_budget(0, 0);
    setup(&f, &limits);
    add(&f, NU_BREAKER_REQUESTS, 1000);
    assert_int_equal(room_for_retries(&f), 0);
    sub(&f, NU_BREAKER_REQUESTS, 1000);
    cluster_fixture_finish(&f.base);
}

/* As Envoy's gauges: open goes by max_retries, remaining is 0 from the first use on. */
TEST(gauges_of_retries_with_a_budget)
{
    struct fixture f;
    struct nu_breaker_limits limits = with_budget(100, 5);
    setup(&f, &limits);
    assert_int_equal(stat(&f, "remaining_retries"), 3);
    assert_true(nu_cluster_allows_retry(f.local, NU_PRIORITY_DEFAULT));
    assert_int_equal(stat(&f, "remaining_retries"), 0);
    add(&f, NU_BREAKER_RETRIES, 4);
    assert_int_equal(stat(&f, "remaining_retries"), 0);
    assert_int_equal(stat(&f, "rq_retry_open"), 1);
    assert_true(nu_cluster_allows_retry(f.local, NU_PRIORITY_DEFAULT));
    sub(&f, NU_BREAKER_RETRIES, 4);
    assert_int_equal(stat(&f, "remaining_retries"), 0);
    assert_int_equal(stat(&f, "rq_retry_open"), 0);
    cluster_fixture_finish(&f.base);
}

TEST(connections_of_a_host_are_limited_by_those_of_all_threads)
{
    struct fixture f;
    setup(&f, &nu_breaker_limits_default);
    struct nu_host *host = f.local->hosts->hosts[0];
    struct nu_host_stats *stats = nu_stat_set_block(host->stats);
    f.base.cluster->breakers[NU_PRIORITY_DEFAULT].max_host_connections = 2;
    nu_gauge_set(&stats->cx_active, 1);
    assert_true(nu_cluster_allows_connection(f.local, NU_PRIORITY_DEFAULT, host));
    nu_gauge_set(&stats->cx_active, 2);
    assert_false(nu_cluster_allows_connection(f.local, NU_PRIORITY_DEFAULT, host));
    assert_true(nu_cluster_allows_connection(f.local, NU_PRIORITY_HIGH, host));
    cluster_fixture_finish(&f.base);
}

/* --- Runtime ---------------------------------------------------------------------------------- */

/* Another runtime, of these static values; the one before ends. */
static void set_runtime(struct fixture *f, const char *values)
{
    struct config_fixture config;
    char yaml[512];
    snprintf(yaml, sizeof(yaml), "layers: [{name: a, static_layer: {%s}}]", values);
    config_open(&config);
    struct nu_runtime *runtime = nu_runtime_from_proto(
        config_yaml(&config, "envoy.config.bootstrap.v3.LayeredRuntime", yaml), &config.ctx);
    nu_cluster_manager_set_runtime(f->base.manager, runtime);
    nu_runtime_unref(&runtime);
    config_close(&config);
}

static struct nu_breaker_limits tracked(void)
{
    struct nu_breaker_limits limits = nu_breaker_limits_default;
    limits.track_remaining = true;
    limits.max[NU_BREAKER_REQUESTS] = 4;
    return limits;
}

TEST(runtime_overrules_limits_and_gives_them_back)
{
    struct fixture f;
    struct nu_breaker_limits limits = tracked();
    setup(&f, &limits);
    const struct nu_breaker *of = f.base.cluster->breakers[NU_PRIORITY_DEFAULT].of;
    set_runtime(&f, "circuit_breakers.c.default.max_requests: 2, "
                    "circuit_breakers.c.high.max_requests: 9, "
                    "circuit_breakers.d.default.max_connections: 9, "
                    "circuit_breakers.c.default.max_retries: 18446744073709551615");
    assert_int_equal(nu_breaker_max(&of[NU_BREAKER_REQUESTS]), 2);
    assert_int_equal(nu_breaker_max(&of[NU_BREAKER_CONNECTIONS]), 1024);
    assert_int_equal(nu_breaker_max(&of[NU_BREAKER_RETRIES]), UINT32_MAX);
    assert_int_equal(stat(&f, "remaining_rq"), 2);
    set_runtime(&f, "");
    assert_int_equal(nu_breaker_max(&of[NU_BREAKER_REQUESTS]), 4);
    assert_int_equal(stat(&f, "remaining_rq"), 4);
    cluster_fixture_finish(&f.base);
}

TEST(gauges_stay_right_when_a_limit_moves_below_its_count)
{
    struct fixture f;
    struct nu_breaker_limits limits = tracked();
    setup(&f, &limits);
    add(&f, NU_BREAKER_REQUESTS, 3);
    assert_int_equal(stat(&f, "rq_open"), 0);
    set_runtime(&f, "circuit_breakers.c.default.max_requests: 2");
    assert_int_equal(stat(&f, "remaining_rq"), 0);
    add(&f, NU_BREAKER_REQUESTS, 1);
    assert_int_equal(stat(&f, "rq_open"), 1);
    sub(&f, NU_BREAKER_REQUESTS, 3);
    assert_int_equal(stat(&f, "rq_open"), 0);
    assert_int_equal(stat(&f, "remaining_rq"), 1);
    set_runtime(&f, "");
    assert_int_equal(stat(&f, "remaining_rq"), 3);
    sub(&f, NU_BREAKER_REQUESTS, 1);
    assert_int_equal(stat(&f, "remaining_rq"), 4);
    cluster_fixture_finish(&f.base);
}

TEST(runtime_may_set_a_retry_budget)
{
    struct fixture f;
    setup(&f, &nu_breaker_limits_default);
    set_runtime(&f, "circuit_breakers.c.default.retry_budget.budget_percent: 50.0");
    assert_int_equal(room_for_retries(&f), 3); /* the default of the other */
    add(&f, NU_BREAKER_REQUESTS, 10);
    assert_int_equal(room_for_retries(&f), 5);
    set_runtime(&f, "circuit_breakers.c.default.retry_budget.budget_percent: -50.0");
    add(&f, NU_BREAKER_RETRIES, 3);
    assert_false(nu_cluster_allows_retry(f.local, NU_PRIORITY_DEFAULT));
    sub(&f, NU_BREAKER_RETRIES, 3);
    set_runtime(&f, "circuit_breakers.c.default.retry_budget.min_retry_concurrency: 7");
    assert_int_equal(room_for_retries(&f), 7);
    set_runtime(&f, "");
    assert_int_equal(room_for_retries(&f), 3);
    sub(&f, NU_BREAKER_REQUESTS, 10);
    cluster_fixture_finish(&f.base);
}

/* --- Configuration ---------------------------------------------------------------------------- */

#define BREAKERS(text) "name: c\ncircuit_breakers: {" text "}\n" CLUSTER_ENDPOINT("127.0.0.1")

static const struct nu_breakers *built(struct cluster_config *f, const char *yaml,
                                       enum nu_priority priority)
{
    cluster_config_build(f, yaml);
    assert_config_errors(&f->config, "");
    return &f->cluster->breakers[priority];
}

TEST(retry_budget_is_read_with_its_defaults)
{
    struct cluster_config f;
    const struct nu_retry_budget *budget =
        &built(&f, BREAKERS("thresholds: [{retry_budget: {}}]"), NU_PRIORITY_DEFAULT)
             ->configured_budget;
    assert_true(budget->is_set);
    assert_int_equal(budget->min_concurrency, 3);
    assert_true(budget->percent == 20);
    assert_false(f.cluster->breakers[NU_PRIORITY_HIGH].configured_budget.is_set);
    cluster_config_finish(&f);
}

TEST(retry_budget_is_read)
{
    struct cluster_config f;
    const struct nu_retry_budget *budget =
        &built(&f,
               BREAKERS("thresholds: [{priority: HIGH, retry_budget: {budget_percent: {value: "
                        "12.5}, min_retry_concurrency: 0}}]"),
               NU_PRIORITY_HIGH)
             ->configured_budget;
    assert_true(budget->is_set);
    assert_int_equal(budget->min_concurrency, 0);
    assert_true(budget->percent == 12.5);
    cluster_config_finish(&f);
}

TEST(first_thresholds_of_a_priority_count)
{
    struct cluster_config f;
    const struct nu_breakers *breakers =
        built(&f, BREAKERS("thresholds: [{max_requests: 5}, {max_requests: 9, max_retries: 1}]"),
              NU_PRIORITY_DEFAULT);
    assert_int_equal(breakers->of[NU_BREAKER_REQUESTS].max, 5);
    assert_int_equal(breakers->of[NU_BREAKER_RETRIES].max, 3);
    cluster_config_finish(&f);
}

TEST(limits_of_hosts_are_read_by_priority)
{
    struct cluster_config f;
    const struct nu_breakers *breakers =
        built(&f, BREAKERS("per_host_thresholds: [{priority: HIGH, max_connections: 7}]"),
              NU_PRIORITY_HIGH);
    assert_int_equal(breakers->max_host_connections, 7);
    assert_int_equal(f.cluster->breakers[NU_PRIORITY_DEFAULT].max_host_connections,
                     NU_HOST_CONNECTIONS_MAX);
    cluster_config_finish(&f);
}

TEST(hosts_have_no_limit_but_of_connections)
{
    struct cluster_config f;
    cluster_config_build(&f,
                         BREAKERS("per_host_thresholds: [{max_requests: 1, retry_budget: {}}]"));
    assert_config_errors(&f.config, "t:2:57: circuit_breakers.per_host_thresholds[0].max_requests: "
                                    "unsupported field in per_host_thresholds\n"
                                    "t:2:74: circuit_breakers.per_host_thresholds[0].retry_budget: "
                                    "unsupported field in per_host_thresholds");
    assert_null(f.cluster);
    cluster_config_finish(&f);
}

TEST_MAIN()
