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
#include "http/locality.h"
#include "http/metadata.h"
#include "stats/stats.h"
#include "upstream/hosts/host_check.h"
#include "upstream/outlier/host_outlier.h"

struct nu_host;
struct nu_host_report;
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
    struct nu_stat_set *model;      /* of the statistics of hosts; owned */
    /* Calls fn(obj) when no thread can be reading `obj` any more, which hosts have replaced; NULL:
     * nobody else reads. */
    void (*retire)(struct nu_host_keeper *keeper, void (*fn)(void *obj), void *obj);
    struct nu_outlier_inbox outliers;
    struct nu_unwell_inbox unwell;
};

void nu_host_keeper_init(struct nu_host_keeper *keeper, struct nu_stats *stats,
                         struct nu_loop *loop);
/* Frees what is left on the list; no host of this keeper is in use any more. The loop is there. */
void nu_host_keeper_finish(struct nu_host_keeper *keeper);

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
    NU_HOST_EXCLUDED_FLAGS = NU_HOST_PENDING_ACTIVE_HC | NU_HOST_EXCLUDED_VIA_IMMEDIATE_HC_FAIL |
                             NU_HOST_EDS_STATUS_DRAINING,
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

/* Where a host is reached when that is not one address for ever. */
struct nu_host_addresses {
    struct nu_address address; /* what it is known by */
    struct nu_str text;        /* of it */
    uint32_t count;
    struct nu_address list[]; /* in the order in which they are tried */
};

struct nu_host {
    _Atomic uint32_t refs;
    _Atomic uint32_t flags;  /* of enum nu_host_flag */
    _Atomic uint32_t weight; /* at least 1; as flags, an update may change it */
    _Atomic uint32_t priority;
    _Atomic uint8_t eds_health;    /* enum nu_eds_health */
    _Atomic bool is_canary;        /* its metadata say so */
    struct nu_host_keeper *keeper; /* borrowed */
    struct nu_host *next_dead;     /* the keeper's */
    struct nu_address address;
    struct nu_str address_text;  /* "1.2.3.4:80"; owned */
    struct nu_str hostname;      /* owned; may be empty */
    struct nu_locality locality; /* owned */
    char *texts;                 /* owned: what these point to */
    _Atomic bool is_used;        /* it was chosen; only of hosts that are made by need */
    bool is_announced;           /* observers know it before it is in a set. Main thread */
    _Atomic uint64_t used_us;    /* when it was chosen last (monotonic); only of hosts that
                                        requests name; 0: never */
    struct nu_stat_set *stats;   /* cx_total, rq_total ...; owned; not rendered by /stats */
    struct nu_host_outlier *_Atomic outlier; /* owned; NULL without outlier detection; of a host
                                                that a worker made it comes later */
    struct nu_host_report *_Atomic report;   /* owned; NULL where reports of load say nothing; of a
                                              host that a worker made it comes later */
    struct nu_stat_set *zone_stats; /* borrowed: the cluster's, of requests from our zone to that
                                        of the host; NULL where either is unknown */
    const struct nu_metadata *locality_metadata; /* owned; may be NULL */
    struct nu_host_check_place *check_place;     /* owned; NULL: checked where it serves */
    _Atomic bool is_told_unwell;                 /* it is in the keeper's inbox of these */
    struct nu_host *next_unwell;
    struct nu_host_monitor *monitor; /* borrowed: who checks it; NULL: nobody. Main thread */
    /* What an update may replace, and threads read through functions below: */
    const struct nu_host_addresses *_Atomic addresses;  /* owned; NULL: `address` */
    struct nu_metadata_slot metadata;                   /* owned */
    const struct nu_transport_match *_Atomic transport; /* borrowed: the cluster's; NULL: as all */
    /* When it became fit for traffic (monotonic): made, or passed its health check. Slow start
     * counts from here. */
    _Atomic uint64_t fit_since_us;
    /* Requests at work in all threads; counted only where the cluster's balancer asks for it. */
    _Alignas(64) _Atomic uint32_t active;
};

/* What a host is made of; it is copied. */
struct nu_host_params {
    struct nu_address address;
    const struct nu_address *list; /* all addresses of it, in the order to try; NULL: one */
    uint32_t list_count;
    const struct nu_host_check_place *check_place; /* NULL: checked where it serves */
    struct nu_str hostname;
    struct nu_locality locality;
    const struct nu_metadata *locality_metadata; /* NULL: none */
    const struct nu_metadata *metadata;
    const struct nu_transport_match *transport;
    uint32_t weight;
    uint32_t priority;
    enum nu_eds_health eds_health;
};

/* A host with one reference. Main thread; or a worker, for a host that it makes by need, whose
 * statistics the main thread adopts (nu_stat_set_adopt). */
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

/* Replaces the metadata, and the transport that goes with it. Main thread. */
void nu_host_set_metadata(struct nu_host *host, const struct nu_metadata *metadata,
                          const struct nu_transport_match *transport);
/* Replaces the addresses: connections are made to `list` from now on, in its order. Main thread. */
void nu_host_set_addresses(struct nu_host *host, const struct nu_address *address,
                           const struct nu_address *list, uint32_t count);

static inline void nu_host_set_weight(struct nu_host *host, uint32_t weight)
{
    atomic_store_explicit(&host->weight, weight ? weight : 1, memory_order_relaxed);
}

static inline void nu_host_set_priority(struct nu_host *host, uint32_t priority)
{
    atomic_store_explicit(&host->priority, priority, memory_order_relaxed);
}

/* The addresses today; NULL for a host that has one for ever. Any thread, until its next message. */
static inline const struct nu_host_addresses *nu_host_addresses(const struct nu_host *host)
{
    return atomic_load_explicit(&host->addresses, memory_order_acquire);
}

/* What it is known by today. */
static inline const struct nu_address *nu_host_address(const struct nu_host *host)
{
    const struct nu_host_addresses *now = nu_host_addresses(host);
    return nu_unlikely(now != NULL) ? &now->address : &host->address;
}

static inline struct nu_str nu_host_address_text(const struct nu_host *host)
{
    const struct nu_host_addresses *now = nu_host_addresses(host);
    return nu_unlikely(now != NULL) ? now->text : host->address_text;
}

/* Whether it has one address, which changes: connections may lead to earlier ones. */
static inline bool nu_host_is_at_one_address(const struct nu_host *host)
{
    const struct nu_host_addresses *now = nu_host_addresses(host);
    return nu_unlikely(now != NULL) && now->count == 1;
}

/* Whether its metadata call it a canary. */
static inline bool nu_host_is_canary(const struct nu_host *host)
{
    return atomic_load_explicit(&host->is_canary, memory_order_relaxed);
}

static inline struct nu_host_report *nu_host_report(const struct nu_host *host)
{
    return atomic_load_explicit(&host->report, memory_order_acquire);
}

static inline const struct nu_metadata *nu_host_metadata(const struct nu_host *host)
{
    return nu_metadata_slot_get(&host->metadata);
}

static inline const struct nu_transport_match *nu_host_transport(const struct nu_host *host)
{
    return atomic_load_explicit(&host->transport, memory_order_acquire);
}

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

/* Notes that a host was chosen, and whether it was since the last time. Any thread. */
static inline void nu_host_note_use(struct nu_host *host)
{
    if (!atomic_load_explicit(&host->is_used, memory_order_relaxed))
        atomic_store_explicit(&host->is_used, true, memory_order_relaxed);
}
static inline bool nu_host_take_use(struct nu_host *host)
{
    return atomic_exchange_explicit(&host->is_used, false, memory_order_relaxed);
}

/* Notes when a host was chosen, to a millisecond. Any thread. */
static inline void nu_host_touch(struct nu_host *host, uint64_t now_us)
{
    uint64_t used_us = atomic_load_explicit(&host->used_us, memory_order_relaxed);
    if (now_us - used_us >= 1000)
        atomic_store_explicit(&host->used_us, now_us, memory_order_relaxed);
}
static inline uint64_t nu_host_used_us(const struct nu_host *host)
{
    return atomic_load_explicit(&host->used_us, memory_order_relaxed);
}

/* Whether nothing but a passed health check kept it, and it failed. */
static inline bool nu_host_is_gone(const struct nu_host *host)
{
    return nu_host_has_flag(host, NU_HOST_PENDING_DYNAMIC_REMOVAL) &&
           nu_host_has_flag(host, NU_HOST_FAILED_ACTIVE_HC);
}

/* What is told of its health: what we found ourselves, else what the control plane says. */
enum nu_eds_health nu_host_health_status(const struct nu_host *host);
/* Appends the flags as /clusters prints them: "/failed_active_hc/...", or "healthy". */
void nu_host_print_flags(const struct nu_host *host, struct nu_strbuf *out);

#endif
