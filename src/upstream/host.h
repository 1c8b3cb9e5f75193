/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host: one upstream address of a cluster. It is a lasting object with an identity (pools key on
 * it, and it outlives the host sets that list it), shared by all threads, immutable but for its
 * health, what an update may change in place, and counters. References are counted atomically.
 *
 * Health is a set of flags, as Envoy's: each says who holds the host to be unwell. The main thread
 * alone writes them; a change counts for balancers once the cluster has a new host set, which
 * nu_cluster_health_changed makes.
 */
#ifndef NU_UPSTREAM_HOST_H
#define NU_UPSTREAM_HOST_H

#include <stdatomic.h>

#include "base/address.h"
#include "base/str.h"
#include "event/loop.h"
#include "stats/stats.h"

struct nu_host;
struct nu_metadata;
struct nu_transport_match;

/*
 * Frees hosts. Their statistics are the main thread's, so a worker that drops the last reference
 * leaves the host on this list, and a message tells the main thread to look. One a process, owned
 * by the cluster manager.
 */
struct nu_host_keeper {
    struct nu_stats *stats;         /* borrowed */
    struct nu_loop *loop;           /* borrowed: the main thread's */
    struct nu_task task;            /* on its way while `dead` is not empty */
    _Atomic(struct nu_host *) dead; /* newest first */
};

void nu_host_keeper_init(struct nu_host_keeper *keeper, struct nu_stats *stats,
                         struct nu_loop *loop);
/* Frees what is left on the list; no host of this keeper is in use any more. The loop is there. */
void nu_host_keeper_finish(struct nu_host_keeper *keeper);

struct nu_locality {
    struct nu_str region;
    struct nu_str zone;
    struct nu_str sub_zone;
};

static inline bool nu_locality_eq(const struct nu_locality *a, const struct nu_locality *b)
{
    return nu_str_eq(a->region, b->region) && nu_str_eq(a->zone, b->zone) &&
           nu_str_eq(a->sub_zone, b->sub_zone);
}

/* By region, zone and sub-zone, as strings. */
int nu_locality_cmp(const struct nu_locality *a, const struct nu_locality *b);

/* Who says what of a host's health: flag, bit, and its name in /clusters. */
#define NU_HOST_FLAGS(X) \
    X(FAILED_ACTIVE_HC, 0x1, "failed_active_hc") \
    X(FAILED_OUTLIER_CHECK, 0x2, "failed_outlier_check") \
    X(FAILED_EDS_HEALTH, 0x4, "failed_eds_health") \
    X(DEGRADED_ACTIVE_HC, 0x8, "degraded_active_hc") \
    X(DEGRADED_EDS_HEALTH, 0x10, "degraded_eds_health") \
    X(PENDING_DYNAMIC_REMOVAL, 0x20, "pending_dynamic_removal") \
    X(PENDING_ACTIVE_HC, 0x40, "pending_active_hc") \
    X(EXCLUDED_VIA_IMMEDIATE_HC_FAIL, 0x80, "excluded_via_immediate_hc_fail") \
    X(ACTIVE_HC_TIMEOUT, 0x100, "active_hc_timeout") \
    X(EDS_STATUS_DRAINING, 0x200, "eds_status_draining")

#define NU_HOST_FLAG_ENTRY(name, bit, text) NU_HOST_##name = bit,
enum nu_host_flag { NU_HOST_FLAGS(NU_HOST_FLAG_ENTRY) };
#undef NU_HOST_FLAG_ENTRY

enum {
    /* Any of these makes a host unhealthy; else any of the next degraded; else it is healthy. */
    NU_HOST_UNHEALTHY_FLAGS = NU_HOST_FAILED_ACTIVE_HC | NU_HOST_FAILED_OUTLIER_CHECK |
                              NU_HOST_FAILED_EDS_HEALTH | NU_HOST_EDS_STATUS_DRAINING,
    NU_HOST_DEGRADED_FLAGS = NU_HOST_DEGRADED_ACTIVE_HC | NU_HOST_DEGRADED_EDS_HEALTH,
    /* Hosts that are not counted when the share of healthy ones is computed. */
    NU_HOST_EXCLUDED_FLAGS = NU_HOST_PENDING_ACTIVE_HC | NU_HOST_EXCLUDED_VIA_IMMEDIATE_HC_FAIL,
};

enum nu_host_health {
    NU_HOST_UNHEALTHY,
    NU_HOST_DEGRADED,
    NU_HOST_HEALTHY,
};

/* What the control plane says of a host; the numbers of the API's HealthStatus. */
enum nu_eds_health {
    NU_EDS_UNKNOWN,
    NU_EDS_HEALTHY,
    NU_EDS_UNHEALTHY,
    NU_EDS_DRAINING,
    NU_EDS_TIMEOUT,
    NU_EDS_DEGRADED,
    NU_EDS_HEALTH_COUNT,
};

struct nu_host {
    _Atomic uint32_t refs;
    _Atomic uint32_t flags;  /* of enum nu_host_flag */
    _Atomic uint32_t weight; /* at least 1; as flags, an update may change it */
    _Atomic uint32_t priority;
    _Atomic uint8_t eds_health;    /* enum nu_eds_health */
    struct nu_host_keeper *keeper; /* borrowed */
    struct nu_host *next_dead;     /* the keeper's */
    struct nu_address address;
    struct nu_str address_text;         /* "1.2.3.4:80"; owned */
    struct nu_str hostname;             /* borrowed: the cluster's configuration; may be empty */
    struct nu_locality locality;        /* borrowed: the cluster's configuration */
    const struct nu_metadata *metadata; /* borrowed: the cluster's configuration; may be NULL */
    struct nu_stat_set *stats;          /* cx_total, rq_total ...; owned; not rendered by /stats */
    const struct nu_transport_match *transport; /* borrowed: the cluster's; NULL: as all hosts */
    /* When it became fit for traffic (monotonic): made, or passed its health check. Slow start
     * counts from here. */
    _Atomic uint64_t fit_since_us;
    /* Requests at work in all threads; counted only where the cluster's balancer asks for it. */
    _Alignas(64) _Atomic uint32_t active;
};

/* What a host is made of. The names live as long as the cluster, since streams that used the host
 * print them after it is gone. */
struct nu_host_params {
    struct nu_address address;
    struct nu_str hostname;
    struct nu_locality locality;
    const struct nu_metadata *metadata;
    const struct nu_transport_match *transport;
    uint32_t weight;
    uint32_t priority;
    enum nu_eds_health eds_health;
};

/* A host with one reference. Main thread. */
struct nu_host *nu_host_create(struct nu_host_keeper *keeper, const struct nu_host_params *params);
/* Any numbered thread. */
struct nu_host *nu_host_ref(struct nu_host *host);
void nu_host_unref(struct nu_host *host);

/* Sets or clears a flag; returns whether that changed it. Main thread. */
bool nu_host_set_flag(struct nu_host *host, enum nu_host_flag flag);
bool nu_host_clear_flag(struct nu_host *host, enum nu_host_flag flag);
/* Notes what the control plane says, with its flags; returns whether a flag changed. Main
 * thread. */
bool nu_host_set_eds_health(struct nu_host *host, enum nu_eds_health health);

/* Any thread. */
static inline bool nu_host_has_flag(const struct nu_host *host, enum nu_host_flag flag)
{
    return atomic_load_explicit(&host->flags, memory_order_relaxed) & flag;
}

static inline enum nu_host_health nu_host_health(const struct nu_host *host)
{
    uint32_t flags = atomic_load_explicit(&host->flags, memory_order_relaxed);
    if (flags & NU_HOST_UNHEALTHY_FLAGS)
        return NU_HOST_UNHEALTHY;
    return flags & NU_HOST_DEGRADED_FLAGS ? NU_HOST_DEGRADED : NU_HOST_HEALTHY;
}

static inline uint32_t nu_host_weight(const struct nu_host *host)
{
    return atomic_load_explicit(&host->weight, memory_order_relaxed);
}

static inline uint32_t nu_host_priority(const struct nu_host *host)
{
    return atomic_load_explicit(&host->priority, memory_order_relaxed);
}

/* What is told of its health: what we found ourselves, else what the control plane says. */
enum nu_eds_health nu_host_health_status(const struct nu_host *host);
/* Appends the flags as /clusters prints them: "/failed_active_hc/...", or "healthy". */
void nu_host_print_flags(const struct nu_host *host, struct nu_strbuf *out);

#endif
