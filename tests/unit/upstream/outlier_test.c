/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outlier detection: which results put a host aside, for how long, and how many hosts may be. Time
 * is the fake clock's; results are reported as workers do.
 */
#include "harness/cluster.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/thread.h"
#include "harness/config.h"
#include "runtime/runtime.h"
#include "upstream/outlier/outlier_internal.h"

enum { HOSTS_MAX = 16 };

struct fixture {
    struct cluster_fixture base;
    struct nu_outlier_config config;
    struct nu_host *hosts[HOSTS_MAX]; /* borrowed: the set's */
    uint32_t count;
    struct config_fixture runtime_text;
    struct nu_runtime *runtime;
};

/* Of `count` hosts any number may be aside. The test changes f->config, then calls start. */
static void setup(struct fixture *f, uint32_t count)
{
    memset(f, 0, sizeof(*f));
    nu_clock_fake_install(1000000000, 1700000000000000);
    nu_random_seed(1);
    cluster_fixture_init(&f->base);
    nu_outlier_config_init(&f->config);
    f->config.values[NU_OUTLIER_MAX_EJECTION_PERCENT] = 100;
    f->count = count;
}

static void start(struct fixture *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        char address[32];
        snprintf(address, sizeof(address), "10.0.0.%u:80", i + 1);
        f->hosts[i] = cluster_host(&f->base, address, 1);
    }
    nu_outlier_create(f->base.cluster, f->base.loop, &f->config, NULL);
    struct nu_host *hosts[HOSTS_MAX];
    memcpy(hosts, f->hosts, sizeof(hosts));
    cluster_fixture_start(&f->base, cluster_host_set(hosts, f->count));
}

static void setup_and_start(struct fixture *f, uint32_t count)
{
    setup(f, count);
    start(f);
}

static void finish(struct fixture *f)
{
    if (f->runtime) {
        nu_runtime_unref(&f->runtime);
        config_close(&f->runtime_text);
    }
    cluster_fixture_finish(&f->base);
    nu_clock_fake_remove();
}

/* Settings of the runtime, as a flow mapping; the thread's and the main thread's. */
static void set_runtime(struct fixture *f, const char *values)
{
    char yaml[512];
    snprintf(yaml, sizeof(yaml), "layers: [{name: a, static_layer: {%s}}]", values);
    config_open(&f->runtime_text);
    const void *proto =
        config_yaml(&f->runtime_text, "envoy.config.bootstrap.v3.LayeredRuntime", yaml);
    f->runtime = nu_runtime_from_proto(proto, &f->runtime_text.ctx);
    f->base.loop->runtime = f->runtime;
}

static void report(struct fixture *f, uint32_t host, enum nu_outlier_result result, uint32_t status)
{
    nu_outlier_report(f->hosts[host]->outlier, result, status, f->runtime);
}

/* So many answers of a status, and what the main thread makes of them. */
static void answer(struct fixture *f, uint32_t host, unsigned count, uint32_t status)
{
    for (unsigned i = 0; i < count; i++)
        report(f, host, NU_OUTLIER_ANSWERED, status);
    nu_loop_run_once(f->base.loop);
}

static void meet(struct fixture *f, uint32_t host, unsigned count, enum nu_outlier_result result)
{
    for (unsigned i = 0; i < count; i++)
        report(f, host, result, 0);
    nu_loop_run_once(f->base.loop);
}

static bool is_aside(const struct fixture *f, uint32_t host)
{
    return nu_host_has_flag(f->hosts[host], NU_HOST_FAILED_OUTLIER_CHECK);
}

static void pass(struct fixture *f, uint64_t ms)
{
    harness_advance(f->base.loop, ms);
}

static uint64_t stat(const struct fixture *f, const char *name)
{
    char full[96];
    snprintf(full, sizeof(full), "outlier_detection.ejections_%s", name);
    return cluster_stat(&f->base, full);
}

static struct nu_outlier_rates rates(const struct fixture *f)
{
    return nu_outlier_rates(f->base.cluster->outlier, NU_OUTLIER_EXTERNAL);
}

static double rate(const struct fixture *f, uint32_t host)
{
    return nu_host_outlier_rate(f->hosts[host], NU_OUTLIER_EXTERNAL);
}

/* --- Failures in a row ------------------------------------------------------------------------ */

TEST(so_many_5xx_in_a_row_put_a_host_aside)
{
    struct fixture f;
    setup_and_start(&f, 2);
    answer(&f, 0, 4, 500);
    assert_false(is_aside(&f, 0));
    answer(&f, 0, 1, 599);
    assert_true(is_aside(&f, 0));
    assert_false(is_aside(&f, 1));
    assert_int_equal(stat(&f, "active"), 1);
    assert_int_equal(stat(&f, "total"), 1);
    assert_int_equal(stat(&f, "enforced_total"), 1);
    assert_int_equal(stat(&f, "consecutive_5xx"), 1);
    assert_int_equal(stat(&f, "detected_consecutive_5xx"), 1);
    assert_int_equal(stat(&f, "enforced_consecutive_5xx"), 1);
    assert_int_equal(stat(&f, "overflow"), 0);
    finish(&f);
}

TEST(host_that_is_aside_is_unhealthy_in_the_set_that_workers_get)
{
    struct fixture f;
    setup_and_start(&f, 2);
    answer(&f, 0, 5, 500);
    nu_loop_run_once(f.base.loop);
    assert_int_equal(cluster_local(&f.base)->hosts->priorities[0].healthy.count, 1);
    assert_int_equal(cluster_stat(&f.base, "membership_healthy"), 1);
    pass(&f, 10000);
    pass(&f, 20000);
    nu_loop_run_once(f.base.loop);
    assert_int_equal(cluster_local(&f.base)->hosts->priorities[0].healthy.count, 2);
    assert_int_equal(cluster_stat(&f.base, "membership_healthy"), 2);
    finish(&f);
}

static const uint32_t statuses_that_are_fine[] = {100, 200, 204, 301, 404, 429, 499, 600, 999};

TEST(other_answer_ends_the_row)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(statuses_that_are_fine); i++) {
        struct fixture f;
        setup_and_start(&f, 2);
        answer(&f, 0, 4, 503);
        answer(&f, 0, 1, statuses_that_are_fine[i]);
        answer(&f, 0, 4, 503);
        assert_false(is_aside(&f, 0));
        answer(&f, 0, 1, 503);
        assert_true(is_aside(&f, 0));
        finish(&f);
    }
}

TEST(gateway_failures_are_502_503_and_504_alone)
{
    struct fixture f;
    setup(&f, 2);
    f.config.values[NU_OUTLIER_CONSECUTIVE_5XX] = 100;
    f.config.values[NU_OUTLIER_CONSECUTIVE_GATEWAY_FAILURE] = 3;
    f.config.values[NU_OUTLIER_ENFORCING_CONSECUTIVE_GATEWAY_FAILURE] = 100;
    start(&f);
    answer(&f, 0, 2, 502);
    answer(&f, 0, 1, 500); /* ends the row of gateway failures */
    answer(&f, 0, 1, 503);
    answer(&f, 0, 1, 504);
    assert_false(is_aside(&f, 0));
    answer(&f, 0, 1, 502);
    assert_true(is_aside(&f, 0));
    assert_int_equal(stat(&f, "detected_consecutive_gateway_failure"), 1);
    assert_int_equal(stat(&f, "enforced_consecutive_gateway_failure"), 1);
    assert_int_equal(stat(&f, "total"), 0);
    finish(&f);
}

TEST(row_that_is_not_enforced_is_only_counted_and_begins_anew)
{
    struct fixture f;
    setup_and_start(&f, 2);
    answer(&f, 0, 4, 503);
    answer(&f, 0, 1, 503);
    assert_int_equal(stat(&f, "detected_consecutive_gateway_failure"), 1);
    assert_int_equal(stat(&f, "enforced_consecutive_gateway_failure"), 0);
    assert_int_equal(stat(&f, "enforced_consecutive_5xx"), 1);
    finish(&f);
}

TEST(row_of_0_is_never_reached)
{
    struct fixture f;
    setup(&f, 1);
    f.config.values[NU_OUTLIER_CONSECUTIVE_5XX] = 0;
    start(&f);
    answer(&f, 0, 1000, 500);
    assert_false(is_aside(&f, 0));
    assert_int_equal(stat(&f, "detected_consecutive_5xx"), 0);
    finish(&f);
}

TEST(failures_that_come_while_a_host_is_aside_do_not_count)
{
    struct fixture f;
    setup_and_start(&f, 2);
    answer(&f, 0, 5, 500);
    answer(&f, 0, 50, 500);
    assert_int_equal(stat(&f, "detected_consecutive_5xx"), 1);
    pass(&f, 10000);
    pass(&f, 20000);
    assert_false(is_aside(&f, 0));
    answer(&f, 0, 4, 500);
    assert_false(is_aside(&f, 0));
    finish(&f);
}

/* --- Where failures come from ----------------------------------------------------------------- */

struct origin_case {
    const char *name;
    bool split;
    enum nu_outlier_result result;
    uint32_t status;
    const char *detected; /* by five of them; "" for nothing */
};

static const struct origin_case origin_cases[] = {
    {"no connection", false, NU_OUTLIER_FAILED, 0, "consecutive_5xx consecutive_gateway_failure"},
    {"timeout", false, NU_OUTLIER_TIMED_OUT, 0, "consecutive_5xx consecutive_gateway_failure"},
    {"timeout that is answered with 504", false, NU_OUTLIER_TIMED_OUT, 504,
     "consecutive_5xx consecutive_gateway_failure"},
    {"timeout that is answered with 204", false, NU_OUTLIER_TIMED_OUT, 204, ""},
    {"500", false, NU_OUTLIER_ANSWERED, 500, "consecutive_5xx"},
    {"connection", false, NU_OUTLIER_CONNECTED, 0, ""},
    {"no connection", true, NU_OUTLIER_FAILED, 0, "consecutive_local_origin_failure"},
    {"timeout", true, NU_OUTLIER_TIMED_OUT, 0, "consecutive_local_origin_failure"},
    {"timeout that is answered with 204", true, NU_OUTLIER_TIMED_OUT, 204,
     "consecutive_local_origin_failure"},
    {"500", true, NU_OUTLIER_ANSWERED, 500, "consecutive_5xx"},
    {"503", true, NU_OUTLIER_ANSWERED, 503, "consecutive_5xx consecutive_gateway_failure"},
    {"404", true, NU_OUTLIER_ANSWERED, 404, ""},
};

TEST(results_count_by_their_origin)
{
    static const char *const kinds[] = {"consecutive_5xx", "consecutive_gateway_failure",
                                        "consecutive_local_origin_failure"};
    for (size_t i = 0; i < NU_ARRAY_LEN(origin_cases); i++) {
        const struct origin_case *c = &origin_cases[i];
        struct fixture f;
        print_message("  %s%s\n", c->name, c->split ? ", split" : "");
        setup(&f, 2);
        f.config.splits_origins = c->split;
        start(&f);
        for (int n = 0; n < 5; n++)
            report(&f, 0, c->result, c->status);
        nu_loop_run_once(f.base.loop);
        for (size_t k = 0; k < NU_ARRAY_LEN(kinds); k++) {
            char name[64], wanted[64];
            snprintf(name, sizeof(name), "detected_%s", kinds[k]);
            snprintf(wanted, sizeof(wanted), "%s", kinds[k]);
            assert_int_equal(stat(&f, name), strstr(c->detected, wanted) ? 1 : 0);
        }
        assert_int_equal(is_aside(&f, 0), c->detected[0] != '\0');
        finish(&f);
    }
}

TEST(plain_connection_is_a_success_of_its_kind)
{
    struct fixture f;
    setup_and_start(&f, 2);
    meet(&f, 0, 4, NU_OUTLIER_FAILED);
    meet(&f, 0, 1, NU_OUTLIER_SERVED);
    meet(&f, 0, 4, NU_OUTLIER_FAILED);
    assert_false(is_aside(&f, 0));
    finish(&f);
}

TEST(connection_ends_a_row_of_failures_on_our_side_and_no_other)
{
    struct fixture f;
    setup(&f, 2);
    f.config.splits_origins = true;
    start(&f);
    meet(&f, 0, 4, NU_OUTLIER_FAILED);
    answer(&f, 0, 4, 500);
    meet(&f, 0, 1, NU_OUTLIER_CONNECTED);
    meet(&f, 0, 4, NU_OUTLIER_FAILED);
    assert_false(is_aside(&f, 0));
    answer(&f, 0, 1, 500);
    assert_true(is_aside(&f, 0));
    assert_int_equal(stat(&f, "enforced_consecutive_5xx"), 1);
    finish(&f);
}

/* --- How many --------------------------------------------------------------------------------- */

TEST(share_of_hosts_aside_is_bounded)
{
    struct fixture f;
    setup(&f, 10);
    f.config.values[NU_OUTLIER_MAX_EJECTION_PERCENT] = 29;
    start(&f);
    for (uint32_t host = 0; host < 4; host++)
        answer(&f, host, 5, 500);
    assert_true(is_aside(&f, 0) && is_aside(&f, 1));
    assert_false(is_aside(&f, 2) || is_aside(&f, 3));
    assert_int_equal(stat(&f, "active"), 2);
    assert_int_equal(stat(&f, "overflow"), 2);
    assert_int_equal(stat(&f, "detected_consecutive_5xx"), 4);
    finish(&f);
}

TEST(default_share_leaves_few_hosts_alone)
{
    struct fixture f;
    setup(&f, 9);
    f.config.values[NU_OUTLIER_MAX_EJECTION_PERCENT] = 10;
    start(&f);
    answer(&f, 0, 5, 500);
    assert_false(is_aside(&f, 0));
    assert_int_equal(stat(&f, "overflow"), 1);
    finish(&f);
}

TEST(one_host_may_always_go_if_that_is_configured)
{
    struct fixture f;
    setup(&f, 2);
    f.config.values[NU_OUTLIER_MAX_EJECTION_PERCENT] = 0;
    f.config.always_ejects_one = true;
    start(&f);
    answer(&f, 0, 5, 500);
    answer(&f, 1, 5, 500);
    assert_true(is_aside(&f, 0));
    assert_false(is_aside(&f, 1));
    finish(&f);
}

/* --- How long --------------------------------------------------------------------------------- */

/* Passes intervals of 10 s until the host is back, and returns their number. */
static unsigned intervals_aside(struct fixture *f, uint32_t host)
{
    unsigned count = 0;
    while (is_aside(f, host) && count < 1000) {
        pass(f, 10000);
        count++;
    }
    return count;
}

TEST(time_grows_with_each_ejection_up_to_its_bound)
{
    static const unsigned intervals[] = {3, 6, 9, 10, 10, 10};
    struct fixture f;
    setup(&f, 2);
    f.config.values[NU_OUTLIER_MAX_EJECTION_TIME] = 100000;
    start(&f);
    for (size_t i = 0; i < NU_ARRAY_LEN(intervals); i++) {
        answer(&f, 0, 5, 500);
        assert_int_equal(intervals_aside(&f, 0), intervals[i]);
        assert_int_equal(f.hosts[0]->outlier->ejections, i + 1);
        assert_int_equal(stat(&f, "active"), 0);
    }
    finish(&f);
}

TEST(time_shrinks_with_each_interval_that_a_host_is_back)
{
    struct fixture f;
    setup_and_start(&f, 2);
    for (int i = 0; i < 3; i++) {
        answer(&f, 0, 5, 500);
        intervals_aside(&f, 0);
    }
    assert_int_equal(f.hosts[0]->outlier->backoff, 3);
    pass(&f, 10000);
    assert_int_equal(f.hosts[0]->outlier->backoff, 2);
    pass(&f, 10000);
    answer(&f, 0, 5, 500);
    assert_int_equal(intervals_aside(&f, 0), 6);
    for (int i = 0; i < 5; i++)
        pass(&f, 10000);
    assert_int_equal(f.hosts[0]->outlier->backoff, 0);
    assert_int_equal(f.hosts[0]->outlier->ejections, 4);
    finish(&f);
}

TEST(jitter_lengthens_the_time_by_chance)
{
    bool seen[12] = {false};
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct fixture f;
        setup(&f, 2);
        f.config.values[NU_OUTLIER_MAX_EJECTION_TIME_JITTER] = 50000;
        start(&f);
        nu_random_seed(seed);
        answer(&f, 0, 5, 500);
        unsigned count = intervals_aside(&f, 0);
        assert_in_range(count, 3, 8);
        seen[count] = true;
        finish(&f);
    }
    for (int i = 4; i <= 8; i++)
        assert_true(seen[i]);
}

TEST(health_check_that_succeeds_takes_a_host_back)
{
    struct fixture f;
    setup_and_start(&f, 2);
    answer(&f, 0, 5, 500);
    nu_outlier_on_checked(f.base.cluster->outlier, f.hosts[0]);
    assert_false(is_aside(&f, 0));
    assert_int_equal(stat(&f, "active"), 0);
    nu_outlier_on_checked(f.base.cluster->outlier, f.hosts[1]);
    assert_int_equal(stat(&f, "active"), 0);
    finish(&f);
}

TEST(health_check_takes_no_host_back_if_that_is_configured)
{
    struct fixture f;
    setup(&f, 2);
    f.config.unejects_when_checked = false;
    start(&f);
    answer(&f, 0, 5, 500);
    nu_outlier_on_checked(f.base.cluster->outlier, f.hosts[0]);
    assert_true(is_aside(&f, 0));
    finish(&f);
}

/* --- Rates ------------------------------------------------------------------------------------ */

/* `good` answers of 100 from each host but the last, `bad` from that. */
static void answer_all(struct fixture *f, unsigned good, unsigned bad)
{
    for (uint32_t host = 0; host < f->count; host++) {
        unsigned successes = host + 1 == f->count ? bad : good;
        for (unsigned i = 0; i < 100; i++)
            report(f, host, NU_OUTLIER_ANSWERED, i % 2 && i / 2 < 100 - successes ? 500 : 200);
    }
    nu_loop_run_once(f->base.loop);
}

/* Results of one in every two, so that no row gets long: at most 50 of 100 are failures. */
TEST(host_far_below_the_average_is_put_aside)
{
    struct fixture f;
    setup_and_start(&f, 5);
    answer_all(&f, 100, 50);
    pass(&f, 10000);
    assert_true(rates(&f).average == 90);
    assert_true(rates(&f).threshold == 90 - 1.9 * 20);
    assert_true(rate(&f, 0) == 100);
    assert_true(rate(&f, 4) == 50);
    assert_true(is_aside(&f, 4));
    assert_int_equal(stat(&f, "enforced_success_rate"), 1);
    assert_int_equal(stat(&f, "detected_success_rate"), 1);
    assert_int_equal(stat(&f, "success_rate"), 1);
    assert_int_equal(stat(&f, "total"), 1);
    pass(&f, 10000); /* an interval without results */
    assert_true(rates(&f).average == -1);
    assert_true(rates(&f).threshold == -1);
    assert_true(rate(&f, 0) == -1);
    finish(&f);
}

TEST(hosts_that_are_all_alike_have_no_outlier)
{
    struct fixture f;
    setup_and_start(&f, 5);
    answer_all(&f, 60, 60);
    pass(&f, 10000);
    assert_true(rates(&f).average == 60);
    assert_true(rates(&f).threshold == 60);
    assert_int_equal(stat(&f, "detected_success_rate"), 0);
    finish(&f);
}

TEST(rates_need_enough_hosts)
{
    struct fixture f;
    setup_and_start(&f, 4);
    answer_all(&f, 100, 50);
    pass(&f, 10000);
    assert_true(rates(&f).average == -1);
    assert_true(rate(&f, 0) == -1);
    assert_false(is_aside(&f, 3));
    finish(&f);
}

TEST(rates_need_enough_hosts_with_enough_results)
{
    struct fixture f;
    setup_and_start(&f, 5);
    f.count = 4; /* the fifth gets no requests */
    answer_all(&f, 100, 50);
    pass(&f, 10000);
    assert_true(rates(&f).average == -1);
    assert_true(rate(&f, 3) == 50); /* shown all the same */
    assert_false(is_aside(&f, 3));
    finish(&f);
}

TEST(results_of_one_interval_are_forgotten_in_the_next)
{
    struct fixture f;
    setup(&f, 5);
    f.config.values[NU_OUTLIER_ENFORCING_SUCCESS_RATE] = 0;
    start(&f);
    answer_all(&f, 100, 50);
    pass(&f, 10000);
    answer_all(&f, 100, 100);
    pass(&f, 10000);
    assert_true(rates(&f).average == 100);
    assert_int_equal(stat(&f, "detected_success_rate"), 1);
    assert_int_equal(stat(&f, "enforced_success_rate"), 0);
    finish(&f);
}

TEST(host_that_fails_too_often_is_put_aside)
{
    struct fixture f;
    setup(&f, 5);
    f.config.values[NU_OUTLIER_ENFORCING_SUCCESS_RATE] = 0;
    f.config.values[NU_OUTLIER_ENFORCING_FAILURE_PERCENTAGE] = 100;
    f.config.values[NU_OUTLIER_FAILURE_PERCENTAGE_THRESHOLD] = 40;
    start(&f);
    answer_all(&f, 61, 60);
    pass(&f, 10000);
    assert_true(is_aside(&f, 4));
    assert_false(is_aside(&f, 0));
    assert_int_equal(stat(&f, "enforced_failure_percentage"), 1);
    finish(&f);
}

TEST(failures_on_our_side_have_rates_of_their_own)
{
    struct fixture f;
    setup(&f, 5);
    f.config.splits_origins = true;
    f.config.values[NU_OUTLIER_CONSECUTIVE_LOCAL_ORIGIN_FAILURE] = 1000;
    f.config.values[NU_OUTLIER_ENFORCING_FAILURE_PERCENTAGE_LOCAL_ORIGIN] = 100;
    f.config.values[NU_OUTLIER_ENFORCING_LOCAL_ORIGIN_SUCCESS_RATE] = 0;
    start(&f);
    for (uint32_t host = 0; host < 4; host++)
        meet(&f, host, 100, NU_OUTLIER_CONNECTED);
    meet(&f, 4, 100, NU_OUTLIER_FAILED);
    pass(&f, 10000);
    struct nu_outlier_rates local = nu_outlier_rates(f.base.cluster->outlier, NU_OUTLIER_LOCAL);
    assert_true(local.average == 80);
    assert_true(nu_host_outlier_rate(f.hosts[4], NU_OUTLIER_LOCAL) == 0);
    assert_true(rate(&f, 4) == -1);
    assert_int_equal(stat(&f, "detected_local_origin_success_rate"), 1);
    assert_int_equal(stat(&f, "enforced_local_origin_success_rate"), 0);
    assert_int_equal(stat(&f, "enforced_local_origin_failure_percentage"), 1);
    assert_true(is_aside(&f, 4));
    finish(&f);
}

TEST(host_that_two_rules_find_is_put_aside_once)
{
    struct fixture f;
    setup(&f, 5);
    f.config.values[NU_OUTLIER_ENFORCING_FAILURE_PERCENTAGE] = 100;
    f.config.values[NU_OUTLIER_FAILURE_PERCENTAGE_THRESHOLD] = 40;
    start(&f);
    answer_all(&f, 100, 50);
    pass(&f, 10000);
    assert_int_equal(stat(&f, "detected_success_rate"), 1);
    assert_int_equal(stat(&f, "detected_failure_percentage"), 1);
    assert_int_equal(stat(&f, "enforced_total"), 1);
    assert_int_equal(stat(&f, "active"), 1);
    assert_int_equal(f.hosts[4]->outlier->ejections, 1);
    intervals_aside(&f, 4);
    assert_int_equal(stat(&f, "active"), 0);
    finish(&f);
}

/* --- Runtime ---------------------------------------------------------------------------------- */

TEST(runtime_overrules_limits_and_chances)
{
    struct fixture f;
    setup(&f, 2);
    set_runtime(&f, "outlier_detection.consecutive_5xx: 2, "
                    "outlier_detection.enforcing_consecutive_5xx: 0, "
                    "outlier_detection.consecutive_gateway_failure: 3, "
                    "outlier_detection.enforcing_consecutive_gateway_failure: 100");
    start(&f);
    answer(&f, 0, 2, 503);
    assert_int_equal(stat(&f, "detected_consecutive_5xx"), 1);
    assert_int_equal(stat(&f, "enforced_consecutive_5xx"), 0);
    answer(&f, 0, 1, 503);
    assert_true(is_aside(&f, 0));
    finish(&f);
}

TEST(runtime_overrules_times)
{
    struct fixture f;
    setup(&f, 2);
    set_runtime(&f, "outlier_detection.interval_ms: 100, outlier_detection.base_ejection_time_ms: "
                    "250, outlier_detection.max_ejection_time_ms: 270");
    start(&f);
    answer(&f, 0, 5, 500);
    pass(&f, 100);
    pass(&f, 100);
    assert_true(is_aside(&f, 0));
    pass(&f, 100);
    assert_false(is_aside(&f, 0));
    answer(&f, 0, 5, 500);
    pass(&f, 200);
    assert_true(is_aside(&f, 0));
    pass(&f, 100); /* 270 ms, not 500 */
    assert_false(is_aside(&f, 0));
    finish(&f);
}

TEST(runtime_overrules_the_share_of_hosts)
{
    struct fixture f;
    setup(&f, 4);
    set_runtime(&f, "outlier_detection.max_ejection_percent: 25");
    start(&f);
    answer(&f, 0, 5, 500);
    answer(&f, 1, 5, 500);
    assert_int_equal(stat(&f, "active"), 1);
    assert_int_equal(stat(&f, "overflow"), 1);
    finish(&f);
}

/* --- The event log ---------------------------------------------------------------------------- */

static void expect_ejection(struct fixture *f, enum nu_outlier_kind kind, bool enforced,
                            const char *line)
{
    struct nu_strbuf out = {0};
    nu_outlier_print_ejection(&out, f->hosts[0]->outlier, kind, enforced);
    assert_str(nu_strbuf_str(&out), line);
    nu_strbuf_finish(&out);
}

#define PLACE "\"cluster_name\":\"c\",\"upstream_url\":\"10.0.0.1:80\","
#define TIME "\"timestamp\":\"2023-11-14T22:13:20Z\","

TEST(events_are_lines_of_json)
{
    struct fixture f;
    setup_and_start(&f, 2);
    f.hosts[0]->outlier->ejections = 2;
    expect_ejection(&f, NU_OUTLIER_BY_CONSECUTIVE_GATEWAY, false,
                    "{\"type\":\"CONSECUTIVE_GATEWAY_FAILURE\"," TIME PLACE
                    "\"action\":\"EJECT\",\"num_ejections\":2,\"enforced\":false,"
                    "\"eject_consecutive_event\":{}}\n");
    f.base.cluster->outlier->rates[NU_OUTLIER_EXTERNAL] = (struct nu_outlier_rates){90.9, 52.3};
    f.hosts[0]->outlier->tally[NU_OUTLIER_EXTERNAL].success_rate = 50.99;
    expect_ejection(&f, NU_OUTLIER_BY_SUCCESS_RATE, true,
                    "{\"type\":\"SUCCESS_RATE\"," TIME PLACE
                    "\"action\":\"EJECT\",\"num_ejections\":2,\"enforced\":true,"
                    "\"eject_success_rate_event\":{\"host_success_rate\":50,"
                    "\"cluster_average_success_rate\":90,"
                    "\"cluster_success_rate_ejection_threshold\":52}}\n");
    f.hosts[0]->outlier->tally[NU_OUTLIER_LOCAL].success_rate = 7;
    expect_ejection(&f, NU_OUTLIER_BY_FAILURE_PERCENTAGE_LOCAL, true,
                    "{\"type\":\"FAILURE_PERCENTAGE_LOCAL_ORIGIN\"," TIME PLACE
                    "\"action\":\"EJECT\",\"num_ejections\":2,\"enforced\":true,"
                    "\"eject_failure_percentage_event\":{\"host_success_rate\":7}}\n");
    finish(&f);
}

TEST(return_is_an_event_and_tells_how_long_it_took)
{
    struct fixture f;
    struct nu_strbuf out = {0};
    setup_and_start(&f, 2);
    answer(&f, 0, 5, 500);
    nu_clock_fake_advance(61999000);
    nu_loop_run_once(f.base.loop); /* an old turn has the old time */
    nu_outlier_print_unejection(&out, f.hosts[0]->outlier);
    assert_str(nu_strbuf_str(&out),
               "{\"type\":\"CONSECUTIVE_5XX\",\"timestamp\":\"2023-11-14T22:14:"
               "21.999Z\",\"secs_since_last_action\":\"61\"," PLACE
               "\"action\":\"UNEJECT\",\"num_ejections\":1,"
               "\"enforced\":false}\n");
    nu_strbuf_finish(&out);
    finish(&f);
}

/* --- Hosts come and go ------------------------------------------------------------------------ */

static void set_hosts(struct fixture *f, uint32_t first, uint32_t count)
{
    struct nu_host_set *set = nu_host_set_create(&f->hosts[first], count);
    nu_cluster_manager_set_hosts(f->base.manager, f->base.cluster, set);
    nu_host_set_unref(set);
}

TEST(host_that_goes_is_aside_no_more)
{
    struct fixture f;
    setup_and_start(&f, 2);
    struct nu_host *first = nu_host_ref(f.hosts[0]);
    answer(&f, 0, 5, 500);
    set_hosts(&f, 1, 1);
    assert_int_equal(stat(&f, "active"), 0);
    /* A stream that still uses it reports. */
    answer(&f, 0, 5, 500);
    assert_int_equal(stat(&f, "detected_consecutive_5xx"), 1);
    nu_host_unref(first);
    finish(&f);
}

TEST(host_that_goes_with_its_report_on_the_way_is_let_go)
{
    struct fixture f;
    setup_and_start(&f, 2);
    for (int i = 0; i < 5; i++)
        report(&f, 0, NU_OUTLIER_ANSWERED, 500);
    set_hosts(&f, 1, 1);
    nu_loop_run_once(f.base.loop);
    nu_loop_run_once(f.base.loop);
    assert_int_equal(stat(&f, "detected_consecutive_5xx"), 0);
    finish(&f);
}

TEST(host_that_comes_is_watched)
{
    struct fixture f;
    setup_and_start(&f, 1);
    f.hosts[1] = cluster_host(&f.base, "10.0.0.9:80", 1);
    set_hosts(&f, 0, 2);
    nu_host_unref(f.hosts[1]);
    answer(&f, 1, 5, 500);
    assert_true(is_aside(&f, 1));
    finish(&f);
}

TEST(cluster_without_hosts_waits_for_them)
{
    struct fixture f;
    setup_and_start(&f, 0);
    pass(&f, 60000);
    f.hosts[0] = cluster_host(&f.base, "10.0.0.9:80", 1);
    set_hosts(&f, 0, 1);
    nu_host_unref(f.hosts[0]);
    answer(&f, 0, 5, 500);
    assert_int_equal(intervals_aside(&f, 0), 3);
    finish(&f);
}

TEST(report_on_its_way_at_the_end_of_the_process_is_dropped)
{
    struct fixture f;
    setup_and_start(&f, 2);
    for (int i = 0; i < 5; i++)
        report(&f, 0, NU_OUTLIER_ANSWERED, 500);
    nu_cluster_table_finish(&f.base.table);
    nu_cluster_manager_destroy(&f.base.manager);
    nu_loop_destroy(&f.base.loop);
    nu_stats_destroy(&f.base.stats);
    nu_clock_fake_remove();
}

/* --- Threads ---------------------------------------------------------------------------------- */

enum { REPORTS = 20000 };

struct reporter {
    pthread_t thread;
    unsigned index;
    struct fixture *f;
};

/* Rows of seven failures, a success behind each. */
static void *report_all(void *arg)
{
    struct reporter *reporter = arg;
    nu_thread_enter(reporter->index, "worker");
    for (unsigned i = 0; i < REPORTS; i++)
        report(reporter->f, i % 2, NU_OUTLIER_ANSWERED, i / 2 % 8 ? 503 : 200);
    nu_thread_leave();
    return NULL;
}

TEST(workers_report_while_the_main_thread_judges)
{
    struct fixture f;
    struct reporter reporters[2] = {{.index = 1, .f = &f}, {.index = 2, .f = &f}};
    setup_and_start(&f, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&reporters[i].thread, NULL, report_all, &reporters[i]), 0);
    for (int i = 0; i < 50; i++) {
        pass(&f, 10000);
        assert_in_range(stat(&f, "active"), 0, 2);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(reporters[i].thread, NULL);
    nu_loop_run_once(f.base.loop);
    uint64_t successes = 0, failures = 0;
    for (uint32_t host = 0; host < 2; host++) {
        const struct nu_outlier_counts *counts = &f.hosts[host]->outlier->counts[0];
        successes += counts->successes;
        failures += counts->failures;
    }
    assert_int_equal(successes, 2 * REPORTS / 8);
    assert_int_equal(failures, 2 * REPORTS / 8 * 7);
    assert_true(stat(&f, "detected_consecutive_5xx") >= 1);
    intervals_aside(&f, 0);
    intervals_aside(&f, 1);
    assert_int_equal(stat(&f, "active"), 0);
    finish(&f);
}

TEST_MAIN()
