/* SPDX-License-Identifier: Apache-2.0 */
/* Envoy's rules of thresholds and intervals. */
#include "upstream/health/verdict.h"

#include "base/random.h"
#include "runtime/runtime.h"
#include "upstream/hosts/host.h"

/* A host that waited for its first result is looked at anew by balancing, whatever that was. */
static void clear_pending(struct nu_health_step *step)
{
    if (!(step->flags & NU_HOST_PENDING_ACTIVE_HC))
        return;
    step->flags &= ~(uint32_t)NU_HOST_PENDING_ACTIVE_HC;
    step->change = NU_HEALTH_CHANGED;
}

static void come_back(struct nu_health_step *step)
{
    step->flags &= ~(uint32_t)(NU_HOST_FAILED_ACTIVE_HC | NU_HOST_ACTIVE_HC_TIMEOUT |
                               NU_HOST_EXCLUDED_VIA_IMMEDIATE_HC_FAIL);
    step->change = NU_HEALTH_CHANGED;
    step->events |= NU_HEALTH_EVENT_ADDED;
}

static void set_degraded(struct nu_health_step *step, bool degraded)
{
    if (degraded == !!(step->flags & NU_HOST_DEGRADED_ACTIVE_HC))
        return;
    step->flags ^= NU_HOST_DEGRADED_ACTIVE_HC;
    step->events |= degraded ? NU_HEALTH_EVENT_DEGRADED : NU_HEALTH_EVENT_UNDEGRADED;
    if (step->change == NU_HEALTH_UNCHANGED)
        step->change = NU_HEALTH_CHANGED;
}

struct nu_health_step nu_health_pass(const struct nu_health_rules *rules,
                                     struct nu_health_tally *tally, uint32_t flags, bool degraded)
{
    struct nu_health_step step = {.flags = flags, .is_first = !tally->has_result};
    tally->failures = 0;
    if (flags & NU_HOST_FAILED_ACTIVE_HC) {
        /* The first result of all counts at once, so that a start is quick. */
        if (step.is_first || ++tally->passes == rules->healthy_threshold)
            come_back(&step);
        else
            step.change = NU_HEALTH_PENDING;
    }
    if (step.change != NU_HEALTH_CHANGED && rules->log_successes)
        step.events |= NU_HEALTH_EVENT_PASSED;
    clear_pending(&step);
    set_degraded(&step, degraded);
    tally->has_result = true;
    return step;
}

bool nu_health_is_network(enum nu_health_failure failure)
{
    return failure == NU_HEALTH_NETWORK || failure == NU_HEALTH_NETWORK_TIMEOUT;
}

static void note_timeout(struct nu_health_step *step, enum nu_health_failure failure)
{
    if (failure == NU_HEALTH_NETWORK_TIMEOUT && (step->flags & NU_HOST_FAILED_ACTIVE_HC))
        step->flags |= NU_HOST_ACTIVE_HC_TIMEOUT;
    else
        step->flags &= ~(uint32_t)NU_HOST_ACTIVE_HC_TIMEOUT;
}

struct nu_health_step nu_health_fail(const struct nu_health_rules *rules,
                                     struct nu_health_tally *tally, uint32_t flags,
                                     enum nu_health_failure failure, bool retriable)
{
    struct nu_health_step step = {.flags = flags, .is_first = !tally->has_result};
    bool at_once = !nu_health_is_network(failure) && !retriable;
    tally->passes = 0;
    if (!(flags & NU_HOST_FAILED_ACTIVE_HC)) {
        if (at_once || ++tally->failures == rules->unhealthy_threshold) {
            step.flags |= NU_HOST_FAILED_ACTIVE_HC;
            step.change = NU_HEALTH_CHANGED;
            step.events |= NU_HEALTH_EVENT_EJECTED;
        } else {
            step.change = NU_HEALTH_PENDING;
        }
    }
    note_timeout(&step, failure);
    clear_pending(&step);
    if (step.is_first || rules->log_failures)
        step.events |= NU_HEALTH_EVENT_FAILED;
    tally->has_result = true;
    return step;
}

/* --- Pauses ----------------------------------------------------------------------------------- */

static uint64_t base_interval(const struct nu_health_rules *rules,
                              const struct nu_health_pace *pace)
{
    bool at_edge = pace->change == NU_HEALTH_PENDING;
    if (!pace->has_traffic)
        return pace->passed && !at_edge ? rules->no_traffic_healthy_interval_ms
                                        : rules->no_traffic_interval_ms;
    if (pace->passed)
        return at_edge ? rules->healthy_edge_interval_ms : rules->interval_ms;
    return at_edge ? rules->unhealthy_edge_interval_ms : rules->unhealthy_interval_ms;
}

static uint64_t jittered(const struct nu_health_rules *rules, uint64_t base_ms, uint64_t jitter_ms,
                         const struct nu_runtime *runtime)
{
    uint64_t share_ms = base_ms / 100 * rules->interval_jitter_percent +
                        base_ms % 100 * rules->interval_jitter_percent / 100;
    uint64_t pause_ms = base_ms;
    if (share_ms)
        pause_ms += nu_random_below(share_ms);
    if (jitter_ms)
        pause_ms += nu_random_below(jitter_ms);
    uint64_t most = nu_runtime_integer(runtime, NU_STR("health_check.max_interval"), UINT64_MAX);
    uint64_t least = nu_runtime_integer(runtime, NU_STR("health_check.min_interval"), 0);
    if (pause_ms > most)
        pause_ms = most;
    if (pause_ms < least)
        pause_ms = least;
    return pause_ms ? pause_ms : 1;
}

uint64_t nu_health_next_ms(const struct nu_health_rules *rules, const struct nu_health_pace *pace)
{
    return jittered(rules, base_interval(rules, pace), rules->interval_jitter_ms, pace->runtime);
}

uint64_t nu_health_first_ms(const struct nu_health_rules *rules, const struct nu_runtime *runtime)
{
    return rules->initial_jitter_ms ? jittered(rules, 0, rules->initial_jitter_ms, runtime) : 0;
}
