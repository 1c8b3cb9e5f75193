/* SPDX-License-Identifier: Apache-2.0 */
/* Outlier detection: which results put a host aside, for how long, and how many hosts may be. */
#include "harness/outlier.h"

#include <pthread.h>

#include "base/thread.h"

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
