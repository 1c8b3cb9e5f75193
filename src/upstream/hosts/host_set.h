/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hosts of a cluster at one time, as balancers see them: by priority, health and locality, with
 * the load of each priority. Immutable once it is sealed, shared by all threads, counted; a worker
 * keeps the one that it was sent last. A change of health makes a new set of the same hosts.
 * Only a set that a worker has made for itself alone may grow (nu_host_set_append).
 *
 *     nu_host_set_create -> nu_host_set_take_assignment (if there is one) -> sealed, by the cluster
 */
#ifndef NU_UPSTREAM_HOST_SET_H
#define NU_UPSTREAM_HOST_SET_H

#include "upstream/hosts/assignment.h"
#include "upstream/hosts/host.h"
#include "upstream/hosts/priority_load.h"

enum { NU_PRIORITIES_MAX = 129 }; /* the API's */

/* Some hosts of a set. */
struct nu_host_list {
    const uint32_t *index; /* into hosts[]; NULL: those from `first` on */
    uint32_t first;
    uint32_t count;
    bool weighted; /* their weights differ */
};

/* The hosts of a priority in one locality. */
struct nu_host_locality {
    const struct nu_locality *name; /* borrowed: a host's */
    struct nu_host_list all;
    struct nu_host_list healthy;
    struct nu_host_list degraded;
    uint32_t excluded_count;
    double healthy_weight; /* its share of requests; 0 without locality weights */
    double degraded_weight;
};

struct nu_host_priority {
    struct nu_host_list all;
    struct nu_host_list healthy;
    struct nu_host_list degraded;
    uint32_t excluded_count; /* hosts that do not count for load and panic */
    uint32_t slot;           /* see nu_host_set_slot */
    bool in_panic;           /* too few are healthy: all are used */
    bool has_local_locality; /* the first locality is this process's */
    uint32_t locality_count; /* 0 unless localities matter */
    struct nu_host_locality *localities;
};

struct nu_host_set {
    _Atomic uint32_t refs;
    uint32_t count;
    uint32_t max_weight;
    bool weighted;  /* weights differ */
    bool is_sealed; /* what follows is there */
    bool is_plain;  /* every choice is among the healthy hosts of priority 0, wherever they are */
    uint8_t panic_percent;               /* the share of healthy hosts below which there is panic */
    uint32_t priority_count;             /* at least 1; some may have no hosts */
    uint32_t slot_count;                 /* how many lists there are over all priorities */
    struct nu_host_priority *priorities; /* owned */
    struct nu_priority_load *loads;      /* for each priority; owned with them */
    void *details;                       /* owned: localities, lists of indices; may be NULL */
    struct nu_assignment *assignment;    /* one reference; NULL: nothing but hosts was assigned */
    void *shared;                        /* what the balancer's class made for all workers */
    void (*free_shared)(void *shared);
    struct nu_host *hosts[]; /* one reference each; by priority, else as they were given */
};

/* How a cluster wants its sets. */
struct nu_host_set_settings {
    uint32_t panic_percent;         /* with a smaller share of healthy hosts there is panic */
    bool with_localities;           /* localities matter */
    const struct nu_locality *here; /* where this process is; NULL: nowhere */
};

/* A set of `count` hosts, of which it takes references of its own. Main thread. */
struct nu_host_set *nu_host_set_create(struct nu_host *const *hosts, uint32_t count);
/* The same with room for `room` more hosts. */
struct nu_host_set *nu_host_set_create_roomy(struct nu_host *const *hosts, uint32_t count,
                                             uint32_t room);
/* Adds a healthy host of priority 0 and weight 1, of which it takes a reference, to a sealed set of
 * such hosts that has room for it, and that nobody but the caller has. False if the set is another
 * one. Any numbered thread. */
bool nu_host_set_append(struct nu_host_set *set, struct nu_host *host);
/* What else was assigned (takes the reference over; NULL: nothing); before the set is sealed. Main
 * thread. */
void nu_host_set_take_assignment(struct nu_host_set *set, struct nu_assignment *assignment);
/* Sorts the hosts by their present health and computes loads. Once; a set that is sealed stays as
 * it is. Main thread. */
void nu_host_set_seal(struct nu_host_set *set, const struct nu_host_set_settings *settings);
/* How healthy each priority of a sealed set is: percent, with overprovisioning. Returns the sum of
 * all, at most 100. Any thread. */
uint32_t nu_host_set_health(const struct nu_host_set *set, struct nu_priority_load *health);
/* What the load of a priority depends on; of a sealed set. */
struct nu_priority_state nu_host_set_state(const struct nu_host_set *set, uint32_t index);
/* Whether too few hosts of priority 0 are healthy for this threshold. */
bool nu_host_set_is_in_panic(const struct nu_host_set *set, uint32_t panic_percent);
/* Any numbered thread, as for hosts. */
struct nu_host_set *nu_host_set_ref(struct nu_host_set *set);
void nu_host_set_unref(struct nu_host_set *set);
/* Whether `host` is in the set. */
bool nu_host_set_has(const struct nu_host_set *set, const struct nu_host *host);

/* The list's n-th host, as an index of the set. */
static inline uint32_t nu_host_list_at(const struct nu_host_list *list, uint32_t n)
{
    return list->index ? list->index[n] : list->first + n;
}

/*
 * The lists of a sealed set are numbered, for balancers that keep something for each of them: those
 * of a priority begin at its `slot`, and then come those of its localities.
 */
enum {
    NU_SLOT_ALL,
    NU_SLOT_HEALTHY,
    NU_SLOT_DEGRADED,
    NU_SLOTS_PER_PRIORITY,
    NU_SLOTS_PER_LOCALITY = 2, /* healthy, degraded */
};

#endif
