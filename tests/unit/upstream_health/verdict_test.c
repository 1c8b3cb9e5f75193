/* SPDX-License-Identifier: Apache-2.0 */
/* Thresholds and intervals of health checks. */
#include "upstream/health/verdict.h"

#include "base/random.h"
#include "harness/test.h"
#include "upstream/hosts/host.h"

/* Each interval has a number of its own. */
static const struct nu_health_rules rules = {
    .unhealthy_threshold = 3,
    .healthy_threshold = 2,
    .timeout_ms = 1,
    .interval_ms = 1000,
    .unhealthy_interval_ms = 2000,
    .unhealthy_edge_interval_ms = 3000,
    .healthy_edge_interval_ms = 4000,
    .no_traffic_interval_ms = 5000,
    .no_traffic_healthy_interval_ms = 6000,
};

/* A host that has had a first result. */
struct subject {
    struct nu_health_tally tally;
    uint32_t flags;
};

static struct subject known(uint32_t flags)
{
    return (struct subject){.tally = {.has_result = true}, .flags = flags};
}

static struct nu_health_step passes(struct subject *s, bool degraded)
{
    struct nu_health_step step = nu_health_pass(&rules, &s->tally, s->flags, degraded);
    s->flags = step.flags;
    return step;
}

static struct nu_health_step fails(struct subject *s, enum nu_health_failure failure,
                                   bool retriable)
{
    struct nu_health_step step = nu_health_fail(&rules, &s->tally, s->flags, failure, retriable);
    s->flags = step.flags;
    return step;
}

/* --- Passing ---------------------------------------------------------------------------------- */

TEST(first_pass_of_all_makes_healthy_at_once)
{
    struct subject s = {.flags = NU_HOST_FAILED_ACTIVE_HC};
    struct nu_health_step step = passes(&s, false);
    assert_int_equal(step.flags, 0);
    assert_int_equal(step.change, NU_HEALTH_CHANGED);
    assert_int_equal(step.events, NU_HEALTH_EVENT_ADDED);
    assert_true(step.is_first);
}

TEST(later_passes_wait_for_the_threshold)
{
    struct subject s = known(NU_HOST_FAILED_ACTIVE_HC);
    struct nu_health_step step = passes(&s, false);
    assert_int_equal(step.flags, NU_HOST_FAILED_ACTIVE_HC);
    assert_int_equal(step.change, NU_HEALTH_PENDING);
    assert_int_equal(step.events, 0);
    step = passes(&s, false);
    assert_int_equal(step.flags, 0);
    assert_int_equal(step.change, NU_HEALTH_CHANGED);
    assert_false(step.is_first);
}

TEST(failure_between_passes_starts_their_count_again)
{
    struct subject s = known(NU_HOST_FAILED_ACTIVE_HC);
    passes(&s, false);
    fails(&s, NU_HEALTH_NETWORK, false);
    assert_int_equal(passes(&s, false).change, NU_HEALTH_PENDING);
    assert_int_equal(passes(&s, false).change, NU_HEALTH_CHANGED);
}

TEST(passes_of_a_healthy_host_change_nothing)
{
    struct subject s = known(0);
    struct nu_health_step step = passes(&s, false);
    assert_int_equal(step.change, NU_HEALTH_UNCHANGED);
    assert_int_equal(step.events, 0);
}

TEST(coming_back_ends_timeout_and_exclusion)
{
    struct subject s = {.flags = NU_HOST_FAILED_ACTIVE_HC | NU_HOST_ACTIVE_HC_TIMEOUT |
                                 NU_HOST_EXCLUDED_VIA_IMMEDIATE_HC_FAIL |
                                 NU_HOST_FAILED_OUTLIER_CHECK};
    assert_int_equal(passes(&s, false).flags, NU_HOST_FAILED_OUTLIER_CHECK);
}

TEST(exclusion_stays_until_the_threshold_is_reached)
{
    uint32_t out = NU_HOST_FAILED_ACTIVE_HC | NU_HOST_EXCLUDED_VIA_IMMEDIATE_HC_FAIL;
    struct subject s = known(out);
    assert_int_equal(passes(&s, false).flags, out);
}

TEST(degraded_host_is_marked_and_unmarked)
{
    struct subject s = known(0);
    struct nu_health_step step = passes(&s, true);
    assert_int_equal(step.flags, NU_HOST_DEGRADED_ACTIVE_HC);
    assert_int_equal(step.change, NU_HEALTH_CHANGED);
    assert_int_equal(step.events, NU_HEALTH_EVENT_DEGRADED);
    assert_int_equal(passes(&s, true).change, NU_HEALTH_UNCHANGED);
    step = passes(&s, false);
    assert_int_equal(step.flags, 0);
    assert_int_equal(step.events, NU_HEALTH_EVENT_UNDEGRADED);
}

TEST(degraded_pass_below_the_threshold_is_still_pending)
{
    struct subject s = known(NU_HOST_FAILED_ACTIVE_HC);
    struct nu_health_step step = passes(&s, true);
    assert_int_equal(step.flags, NU_HOST_FAILED_ACTIVE_HC | NU_HOST_DEGRADED_ACTIVE_HC);
    assert_int_equal(step.change, NU_HEALTH_PENDING);
}

TEST(host_that_waits_for_its_first_result_is_looked_at_whatever_that_is)
{
    struct subject s = {.flags = NU_HOST_FAILED_ACTIVE_HC | NU_HOST_PENDING_ACTIVE_HC};
    struct nu_health_step step = fails(&s, NU_HEALTH_NETWORK, false);
    assert_int_equal(step.flags, NU_HOST_FAILED_ACTIVE_HC);
    assert_int_equal(step.change, NU_HEALTH_CHANGED);
}

TEST(successes_are_logged_on_demand_unless_something_changed)
{
    struct nu_health_rules logging = rules;
    struct nu_health_tally tally = {0};
    logging.log_successes = true;
    assert_int_equal(nu_health_pass(&logging, &tally, NU_HOST_FAILED_ACTIVE_HC, false).events,
                     NU_HEALTH_EVENT_ADDED);
    assert_int_equal(nu_health_pass(&logging, &tally, 0, false).events, NU_HEALTH_EVENT_PASSED);
    assert_int_equal(nu_health_pass(&logging, &tally, 0, true).events,
                     NU_HEALTH_EVENT_PASSED | NU_HEALTH_EVENT_DEGRADED);
}

/* --- Failing ---------------------------------------------------------------------------------- */

TEST(network_failures_wait_for_the_threshold)
{
    struct subject s = known(0);
    assert_int_equal(fails(&s, NU_HEALTH_NETWORK, false).change, NU_HEALTH_PENDING);
    assert_int_equal(fails(&s, NU_HEALTH_NETWORK_TIMEOUT, false).change, NU_HEALTH_PENDING);
    struct nu_health_step step = fails(&s, NU_HEALTH_NETWORK, false);
    assert_int_equal(step.change, NU_HEALTH_CHANGED);
    assert_int_equal(step.flags, NU_HOST_FAILED_ACTIVE_HC);
    assert_int_equal(step.events, NU_HEALTH_EVENT_EJECTED);
}

TEST(pass_between_failures_starts_their_count_again)
{
    struct subject s = known(0);
    fails(&s, NU_HEALTH_NETWORK, false);
    fails(&s, NU_HEALTH_NETWORK, false);
    passes(&s, false);
    assert_int_equal(fails(&s, NU_HEALTH_NETWORK, false).change, NU_HEALTH_PENDING);
}

TEST(what_the_host_says_itself_counts_at_once)
{
    struct subject s = known(0);
    assert_int_equal(fails(&s, NU_HEALTH_ACTIVE, false).change, NU_HEALTH_CHANGED);
    s = known(0);
    assert_int_equal(fails(&s, NU_HEALTH_PASSIVE, false).change, NU_HEALTH_CHANGED);
}

TEST(retriable_answers_wait_for_the_threshold)
{
    struct subject s = known(0);
    assert_int_equal(fails(&s, NU_HEALTH_ACTIVE, true).change, NU_HEALTH_PENDING);
    assert_int_equal(fails(&s, NU_HEALTH_ACTIVE, true).change, NU_HEALTH_PENDING);
    assert_int_equal(fails(&s, NU_HEALTH_ACTIVE, true).change, NU_HEALTH_CHANGED);
}

TEST(failures_of_an_unhealthy_host_change_nothing)
{
    struct subject s = known(NU_HOST_FAILED_ACTIVE_HC);
    struct nu_health_step step = fails(&s, NU_HEALTH_NETWORK, false);
    assert_int_equal(step.change, NU_HEALTH_UNCHANGED);
    assert_int_equal(step.events, 0);
}

TEST(timeout_is_marked_while_the_host_is_unhealthy)
{
    struct subject s = known(0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fails(&s, NU_HEALTH_NETWORK_TIMEOUT, false).flags, 0);
    assert_int_equal(fails(&s, NU_HEALTH_NETWORK_TIMEOUT, false).flags,
                     NU_HOST_FAILED_ACTIVE_HC | NU_HOST_ACTIVE_HC_TIMEOUT);
    assert_int_equal(fails(&s, NU_HEALTH_NETWORK, false).flags, NU_HOST_FAILED_ACTIVE_HC);
}

TEST(first_failure_is_logged_and_later_ones_on_demand)
{
    struct nu_health_rules logging = rules;
    struct nu_health_tally tally = {0};
    struct nu_health_step step =
        nu_health_fail(&rules, &tally, NU_HOST_FAILED_ACTIVE_HC, NU_HEALTH_NETWORK, false);
    assert_int_equal(step.events, NU_HEALTH_EVENT_FAILED);
    assert_true(step.is_first);
    step = nu_health_fail(&rules, &tally, NU_HOST_FAILED_ACTIVE_HC, NU_HEALTH_NETWORK, false);
    assert_int_equal(step.events, 0);
    logging.log_failures = true;
    step = nu_health_fail(&logging, &tally, 0, NU_HEALTH_ACTIVE, false);
    assert_int_equal(step.events, NU_HEALTH_EVENT_EJECTED | NU_HEALTH_EVENT_FAILED);
    assert_false(step.is_first);
}

TEST(threshold_of_zero_is_never_reached)
{
    struct nu_health_rules never = rules;
    struct nu_health_tally tally = {.has_result = true};
    never.unhealthy_threshold = 0;
    for (int i = 0; i < 100; i++)
        assert_int_equal(nu_health_fail(&never, &tally, 0, NU_HEALTH_NETWORK, false).flags, 0);
}

/* --- Intervals -------------------------------------------------------------------------------- */

static uint64_t next(bool passed, enum nu_health_change change, bool has_traffic)
{
    const struct nu_health_pace pace = {passed, change, has_traffic, NULL};
    return nu_health_next_ms(&rules, &pace);
}

TEST(interval_follows_result_and_edge)
{
    assert_int_equal(next(true, NU_HEALTH_UNCHANGED, true), 1000);
    assert_int_equal(next(true, NU_HEALTH_CHANGED, true), 1000);
    assert_int_equal(next(true, NU_HEALTH_PENDING, true), 4000);
    assert_int_equal(next(false, NU_HEALTH_UNCHANGED, true), 2000);
    assert_int_equal(next(false, NU_HEALTH_CHANGED, true), 2000);
    assert_int_equal(next(false, NU_HEALTH_PENDING, true), 3000);
}

TEST(without_traffic_there_are_two_intervals)
{
    assert_int_equal(next(true, NU_HEALTH_UNCHANGED, false), 6000);
    assert_int_equal(next(true, NU_HEALTH_CHANGED, false), 6000);
    assert_int_equal(next(true, NU_HEALTH_PENDING, false), 5000);
    assert_int_equal(next(false, NU_HEALTH_UNCHANGED, false), 5000);
    assert_int_equal(next(false, NU_HEALTH_PENDING, false), 5000);
}

/* The least and the greatest pause in many. */
static void bounds(const struct nu_health_rules *jittery, uint64_t *least, uint64_t *most)
{
    const struct nu_health_pace pace = {.passed = true, .has_traffic = true};
    *least = UINT64_MAX;
    *most = 0;
    nu_random_seed(7);
    for (int i = 0; i < 20000; i++) {
        uint64_t pause_ms = nu_health_next_ms(jittery, &pace);
        *least = pause_ms < *least ? pause_ms : *least;
        *most = pause_ms > *most ? pause_ms : *most;
    }
}

TEST(jitter_adds_less_than_itself)
{
    struct nu_health_rules jittery = rules;
    uint64_t least, most;
    jittery.interval_jitter_ms = 100;
    bounds(&jittery, &least, &most);
    assert_int_equal(least, 1000);
    assert_int_equal(most, 1099);
}

TEST(jitter_in_percent_is_of_the_interval)
{
    struct nu_health_rules jittery = rules;
    uint64_t least, most;
    jittery.interval_jitter_percent = 5;
    bounds(&jittery, &least, &most);
    assert_int_equal(least, 1000);
    assert_int_equal(most, 1049);
}

TEST(both_jitters_add_up)
{
    struct nu_health_rules jittery = rules;
    uint64_t least, most;
    jittery.interval_jitter_ms = 10;
    jittery.interval_jitter_percent = 1;
    bounds(&jittery, &least, &most);
    assert_int_equal(least, 1000);
    assert_int_equal(most, 1018);
}

TEST(pause_is_never_zero)
{
    struct nu_health_rules fast = {0};
    const struct nu_health_pace pace = {.passed = true, .has_traffic = true};
    assert_int_equal(nu_health_next_ms(&fast, &pace), 1);
}

TEST(first_check_comes_at_once_or_within_its_jitter)
{
    struct nu_health_rules jittery = rules;
    assert_int_equal(nu_health_first_ms(&rules, NULL), 0);
    jittery.initial_jitter_ms = 50;
    nu_random_seed(7);
    for (int i = 0; i < 1000; i++)
        assert_in_range(nu_health_first_ms(&jittery, NULL), 1, 49);
}

TEST_MAIN()
