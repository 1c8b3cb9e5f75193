/* SPDX-License-Identifier: Apache-2.0 */
/* Outlier detection by rates: of successes among all hosts, of failures of each. */
#include "harness/outlier.h"

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

TEST_MAIN()
