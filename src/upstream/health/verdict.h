/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one check's outcome means for a host, and when the next check is due: Envoy's rules, apart
 * from sockets, timers and the host itself.
 *
 *     outcome + tally + flags -> step: new flags, whether balancing changes, what is to be logged
 *     step + rules            -> pause until the next check
 */
#ifndef NU_UPSTREAM_HEALTH_VERDICT_H
#define NU_UPSTREAM_HEALTH_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

struct nu_runtime;

/* Why a check failed; with Envoy's names and numbers. */
#define NU_HEALTH_FAILURES(X) \
    X(ACTIVE)  /* the host said so */ \
    X(PASSIVE) /* it said so with a response to somebody */ \
    X(NETWORK) /* no answer: refused, reset, broken */ \
    X(NETWORK_TIMEOUT)

enum nu_health_failure {
#define X(id) NU_HEALTH_##id,
    NU_HEALTH_FAILURES(X)
#undef X
};

/* Settings of one health check; from its configuration, with defaults resolved. */
struct nu_health_rules {
    uint32_t unhealthy_threshold;
    uint32_t healthy_threshold;
    uint64_t timeout_ms;
    uint64_t interval_ms;
    uint64_t unhealthy_interval_ms;
    uint64_t unhealthy_edge_interval_ms;
    uint64_t healthy_edge_interval_ms;
    uint64_t no_traffic_interval_ms;
    uint64_t no_traffic_healthy_interval_ms;
    uint64_t initial_jitter_ms;
    uint64_t interval_jitter_ms;
    uint32_t interval_jitter_percent;
    bool log_failures;  /* every one, not just the first and those that change something */
    bool log_successes; /* likewise */
};

/* What is remembered of a host's checks. */
struct nu_health_tally {
    uint32_t passes;   /* since the host was found unhealthy, or failed last */
    uint32_t failures; /* since it passed last */
    bool has_result;   /* a first check is over */
};

/* What changes for balancing. */
enum nu_health_change {
    NU_HEALTH_UNCHANGED,
    NU_HEALTH_PENDING, /* on the way to a change, which a threshold holds back */
    NU_HEALTH_CHANGED,
};

/* What the event log is told, in the order of the lines. */
enum nu_health_event {
    NU_HEALTH_EVENT_EJECTED = 1 << 0,
    NU_HEALTH_EVENT_FAILED = 1 << 1,
    NU_HEALTH_EVENT_ADDED = 1 << 2,
    NU_HEALTH_EVENT_PASSED = 1 << 3,
    NU_HEALTH_EVENT_DEGRADED = 1 << 4,
    NU_HEALTH_EVENT_UNDEGRADED = 1 << 5,
};

struct nu_health_step {
    uint32_t flags; /* the host's from now on (enum nu_host_flag) */
    unsigned events;
    enum nu_health_change change;
    bool is_first; /* result of this host */
};

/* A check passed; `degraded`: the host asks to be spared. */
struct nu_health_step nu_health_pass(const struct nu_health_rules *rules,
                                     struct nu_health_tally *tally, uint32_t flags, bool degraded);
/* A check failed. `retriable`: it counts towards the threshold although the host answered. */
struct nu_health_step nu_health_fail(const struct nu_health_rules *rules,
                                     struct nu_health_tally *tally, uint32_t flags,
                                     enum nu_health_failure failure, bool retriable);

/* Whether the failure is the network's, which counts towards the threshold. */
bool nu_health_is_network(enum nu_health_failure failure);

/* What the next check's time depends on. */
struct nu_health_pace {
    bool passed;
    enum nu_health_change change;
    bool has_traffic;                 /* somebody has used the cluster */
    const struct nu_runtime *runtime; /* health_check.min_interval, max_interval; may be NULL */
};

/* The pause until the next check, at least 1. */
uint64_t nu_health_next_ms(const struct nu_health_rules *rules, const struct nu_health_pace *pace);
/* The pause before a host's first check; 0 is at once. */
uint64_t nu_health_first_ms(const struct nu_health_rules *rules, const struct nu_runtime *runtime);

#endif
