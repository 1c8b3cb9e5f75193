/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparing the hosts of a cluster: a host is an outlier when its success rate is so many standard
 * deviations below the average, or when more of its results than a fixed share are failures. Only
 * hosts with enough results count, and only if there are enough of them.
 */
#include <math.h>

#include "upstream/outlier/outlier_internal.h"

static void take(const struct nu_outlier_counts *counts, struct nu_outlier_tally *tally,
                 bool is_judged)
{
    uint64_t successes = atomic_load_explicit(&counts->successes, memory_order_relaxed);
    uint64_t failures = atomic_load_explicit(&counts->failures, memory_order_relaxed);
    uint64_t good = successes - tally->successes;
    uint64_t all = good + failures - tally->failures;
    tally->successes = successes;
    tally->failures = failures;
    tally->volume = is_judged ? all : 0;
    tally->success_rate = all ? (double)good * 100.0 / (double)all : 0;
    tally->shown_rate = -1;
}

void nu_outlier_take_counts(struct nu_host_outlier *outlier)
{
    bool is_judged = !nu_outlier_is_ejected(outlier);
    for (int origin = 0; origin < NU_OUTLIER_ORIGIN_COUNT; origin++)
        take(&outlier->counts[origin], &outlier->tally[origin], is_judged);
}

/* What is asked of hosts with enough results, and what they have in common. */
struct group {
    uint64_t minimum_hosts;
    uint64_t minimum_volume;
    uint64_t hosts;
    double sum; /* of their success rates */
};

static bool is_member(const struct group *group, const struct nu_outlier_tally *tally)
{
    return tally->volume && tally->volume >= group->minimum_volume;
}

static void join(struct group *group, const struct nu_outlier_tally *tally)
{
    if (!is_member(group, tally))
        return;
    group->hosts++;
    group->sum += tally->success_rate;
}

static bool is_enough(const struct group *group)
{
    return group->hosts && group->hosts >= group->minimum_hosts;
}

/* The standard deviation of the members' success rates. */
static double deviation(struct nu_outlier *detector, enum nu_outlier_origin origin,
                        const struct group *group, double average)
{
    double squares = 0;
    struct nu_host_outlier *outlier;
    nu_list_for_each(outlier, &detector->hosts, struct nu_host_outlier, link)
    {
        const struct nu_outlier_tally *tally = &outlier->tally[origin];
        double distance = tally->success_rate - average;
        if (is_member(group, tally))
            squares += distance * distance;
    }
    return sqrt(squares / (double)group->hosts);
}

static void compare_with_average(struct nu_outlier *detector, enum nu_outlier_origin origin,
                                 const struct group *group)
{
    double factor = (double)nu_outlier_value(detector, NU_OUTLIER_SUCCESS_RATE_STDEV_FACTOR) / 1000;
    struct nu_outlier_rates *rates = &detector->rates[origin];
    rates->average = group->sum / (double)group->hosts;
    rates->threshold = rates->average - factor * deviation(detector, origin, group, rates->average);
    struct nu_host_outlier *outlier;
    nu_list_for_each(outlier, &detector->hosts, struct nu_host_outlier, link)
    {
        const struct nu_outlier_tally *tally = &outlier->tally[origin];
        if (!is_member(group, tally) || tally->success_rate >= rates->threshold)
            continue;
        nu_counter_inc(&nu_outlier_stats(detector)->ejections_success_rate);
        nu_outlier_detect(outlier, origin == NU_OUTLIER_LOCAL ? NU_OUTLIER_BY_SUCCESS_RATE_LOCAL
                                                              : NU_OUTLIER_BY_SUCCESS_RATE);
    }
}

static void compare_with_limit(struct nu_outlier *detector, enum nu_outlier_origin origin,
                               const struct group *group)
{
    double limit = (double)nu_outlier_value(detector, NU_OUTLIER_FAILURE_PERCENTAGE_THRESHOLD);
    struct nu_host_outlier *outlier;
    nu_list_for_each(outlier, &detector->hosts, struct nu_host_outlier, link)
    {
        const struct nu_outlier_tally *tally = &outlier->tally[origin];
        if (is_member(group, tally) && 100.0 - tally->success_rate >= limit)
            nu_outlier_detect(outlier, origin == NU_OUTLIER_LOCAL
                                           ? NU_OUTLIER_BY_FAILURE_PERCENTAGE_LOCAL
                                           : NU_OUTLIER_BY_FAILURE_PERCENTAGE);
    }
}

static void form(struct nu_outlier *detector, enum nu_outlier_origin origin, struct group *by_rate,
                 struct group *by_failures)
{
    struct nu_host_outlier *outlier;
    nu_list_for_each(outlier, &detector->hosts, struct nu_host_outlier, link)
    {
        struct nu_outlier_tally *tally = &outlier->tally[origin];
        if (nu_outlier_is_ejected(outlier)) /* for the other origin, a moment ago */
            tally->volume = 0;
        if (is_member(by_rate, tally) || is_member(by_failures, tally))
            tally->shown_rate = tally->success_rate;
        join(by_rate, tally);
        join(by_failures, tally);
    }
}

void nu_outlier_compare(struct nu_outlier *detector, enum nu_outlier_origin origin)
{
    struct group by_rate = {
        .minimum_hosts = nu_outlier_value(detector, NU_OUTLIER_SUCCESS_RATE_MINIMUM_HOSTS),
        .minimum_volume = nu_outlier_value(detector, NU_OUTLIER_SUCCESS_RATE_REQUEST_VOLUME),
    };
    struct group by_failures = {
        .minimum_hosts = nu_outlier_value(detector, NU_OUTLIER_FAILURE_PERCENTAGE_MINIMUM_HOSTS),
        .minimum_volume = nu_outlier_value(detector, NU_OUTLIER_FAILURE_PERCENTAGE_REQUEST_VOLUME),
    };
    detector->rates[origin] = (struct nu_outlier_rates){-1, -1};
    if (detector->host_count < by_rate.minimum_hosts &&
        detector->host_count < by_failures.minimum_hosts)
        return;
    form(detector, origin, &by_rate, &by_failures);
    if (is_enough(&by_rate))
        compare_with_average(detector, origin, &by_rate);
    if (is_enough(&by_failures))
        compare_with_limit(detector, origin, &by_failures);
}
