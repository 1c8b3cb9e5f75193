/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host: one upstream address of a cluster. It is a lasting object with an identity (pools key on
 * it, and it outlives the host sets that list it), shared by all threads, immutable but for its
 * health flags and counters. References are counted atomically.
 */
#ifndef NU_UPSTREAM_HOST_H
#define NU_UPSTREAM_HOST_H

#include <stdatomic.h>

#include "base/address.h"
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

struct nu_host {
    _Atomic uint32_t refs;
    struct nu_host_keeper *keeper; /* borrowed */
    struct nu_host *next_dead;     /* the keeper's */
    struct nu_address address;
    struct nu_str address_text;         /* "1.2.3.4:80"; owned */
    struct nu_str hostname;             /* borrowed: the cluster's configuration; may be empty */
    struct nu_locality locality;        /* borrowed: the cluster's configuration */
    const struct nu_metadata *metadata; /* borrowed: the cluster's configuration; may be NULL */
    struct nu_stat_set *stats;          /* cx_total, rq_total ...; owned; not rendered by /stats */
    const struct nu_transport_match *transport; /* borrowed: the cluster's; NULL: as all hosts */
    uint32_t weight;                            /* at least 1 */
    uint32_t priority;
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
};

/* A host with one reference. Main thread. */
struct nu_host *nu_host_create(struct nu_host_keeper *keeper, const struct nu_host_params *params);
/* Any numbered thread. */
struct nu_host *nu_host_ref(struct nu_host *host);
void nu_host_unref(struct nu_host *host);

/*
 * The hosts of a cluster at one time: an immutable list with a count of references. A worker keeps
 * the one that it was sent last.
 */
struct nu_host_set {
    _Atomic uint32_t refs;
    uint32_t count;
    uint32_t max_weight;
    bool weighted;           /* weights differ */
    struct nu_host *hosts[]; /* one reference each */
};

/* A set of `count` hosts, of which it takes references of its own. Main thread. */
struct nu_host_set *nu_host_set_create(struct nu_host *const *hosts, uint32_t count);
/* Any numbered thread, as for hosts. */
struct nu_host_set *nu_host_set_ref(struct nu_host_set *set);
void nu_host_set_unref(struct nu_host_set *set);
/* Whether `host` is in the set. */
bool nu_host_set_has(const struct nu_host_set *set, const struct nu_host *host);

#endif
