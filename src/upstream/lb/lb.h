/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load balancers: one object per worker and cluster, rebuilt when the worker gets a new host set. A
 * class makes it; choosing a host happens on the worker and takes no lock. What is dear to compute
 * and the same for all workers a class computes once, on the main thread (`share`).
 */
#ifndef NU_UPSTREAM_LB_H
#define NU_UPSTREAM_LB_H

#include "upstream/hosts/host_set.h"
#include "upstream/lb/lb_settings.h"

struct nu_cluster;
struct nu_cluster_local;
struct nu_edf;
struct nu_lb;
struct nu_lb_context;
struct nu_lb_foreseen;
struct nu_lb_zones;
struct nu_map;

/* Whether a host will do; asked after a choice. */
typedef bool nu_lb_accepts_fn(const struct nu_lb_context *context, const struct nu_host *host);
/* The loads to choose a priority by, one for each of `count` priorities; they live until the choice
 * is made. NULL: those of the set. */
typedef const struct nu_priority_load *nu_lb_loads_fn(const struct nu_lb_context *context,
                                                      uint32_t count);
/* Fills in what balancers of `cluster` ask for: the choice is passed on to it. `inner` is a copy of
 * the context, which is the one to be found in its owner. */
typedef void nu_lb_complete_fn(const struct nu_lb_context *context, struct nu_lb_context *inner,
                               struct nu_cluster_local *cluster);

/* Hosts that a request names, as a cluster's policy override_host has it. */
struct nu_lb_named_hosts {
    const struct nu_str *addresses; /* "ip:port", best first */
    uint32_t count;
    uint32_t next; /* each choice takes one */
};

/* What a choice may depend on. */
struct nu_lb_context {
    struct nu_str override_host;     /* "ip:port" that a filter asks for; empty: none */
    struct nu_lb_named_hosts *named; /* NULL: the request names none */
    uint64_t hash;                   /* what hashing balancers choose by */
    bool has_hash;                   /* else they take a random number */
    const struct nu_value *criteria; /* a struct: which subset of hosts; NULL: none is asked for */
    const struct nu_address *destination; /* where it is to go; NULL: it says nothing */
    struct nu_str host_name;              /* "host:port" that it is for; empty: it says nothing */
    nu_lb_accepts_fn *accepts;            /* NULL: any host will do */
    uint32_t max_attempts;       /* how many more choices are made while none is accepted */
    nu_lb_loads_fn *loads;       /* NULL: those of the set */
    nu_lb_complete_fn *complete; /* for aggregates; NULL: nothing is to be filled in */
};

enum { NU_LB_NONE = -1 };

/* Whether the next choices can be made before they are asked for. */
enum nu_lb_foresight {
    NU_LB_UNFORESEEN,
    NU_LB_FORESEEN,
    NU_LB_FORESEEN_BY_WEIGHT, /* where weights differ */
};

struct nu_lb_class {
    const char *name;
    bool counts_active; /* reads host->active, which is counted then */
    bool uses_hash;     /* chooses by the context's hash */
    bool uses_criteria; /* chooses by the context's criteria */
    bool is_provided;   /* a type of cluster brings it, lb_policy CLUSTER_PROVIDED asks for it */
    bool knows_zones;   /* prefers the zone where this process is, if the cluster's settings do */
    enum nu_lb_foresight foresight;
    /* What balancers of this class share over all workers for a set that is sealed; NULL: nothing.
     * Freed with the set. Main thread. */
    void *(*share)(const struct nu_cluster *cluster, const struct nu_host_set *hosts,
                   const struct nu_host_set_settings *settings);
    void (*free_shared)(void *shared);
    /* A balancer over `hosts` (borrowed, as the worker's cluster; both live longer). */
    struct nu_lb *(*create)(struct nu_cluster_local *local, const struct nu_host_set *hosts);
    void (*destroy)(struct nu_lb *lb);
    /* The index of a host in the set, or NU_LB_NONE. */
    int32_t (*choose)(struct nu_lb *lb, const struct nu_lb_context *context);
    /* The set, which nobody else has, has got one more host, at `index`. A class that has this
     * chooses hosts that a worker knows before the main thread's next set brings them
     * (upstream/discovery/fresh_hosts.h). */
    void (*add)(struct nu_lb *lb, uint32_t index);
};

/* The base of every balancer. */
struct nu_lb {
    const struct nu_lb_class *cls;
    struct nu_cluster_local *local;        /* borrowed */
    const struct nu_host_set *hosts;       /* borrowed */
    const struct nu_lb_settings *settings; /* borrowed: the cluster's */
    struct nu_lb_zones *zones;             /* owned; NULL unless requests are kept in our zone */
    struct nu_edf *localities;             /* owned: turns of localities; NULL until there is one */
    struct nu_map *by_address;       /* owned: indices of many hosts; NULL until one is asked for */
    struct nu_lb_foreseen *foreseen; /* owned: choices ahead; NULL until there is one */
    uint32_t attempt;                /* how many choices were not accepted; those by hash differ */
};

/* Round robin; with weights that differ, each host's share follows its weight. */
extern const struct nu_lb_class nu_lb_round_robin;
/* Of a few hosts the one with the fewest requests; with weights that differ, weights are divided by
 * requests. */
extern const struct nu_lb_class nu_lb_least_request;
/* A random host, whatever its weight. */
extern const struct nu_lb_class nu_lb_random;

/* Seals a set and makes what balancers of the class share over it. Main thread. */
void nu_lb_prepare(const struct nu_lb_class *cls, const struct nu_cluster *cluster,
                   struct nu_host_set *set, const struct nu_host_set_settings *settings);
/* A balancer over `hosts`, whichever kind; owned by the caller. */
struct nu_lb *nu_lb_create(const struct nu_lb_class *cls, struct nu_cluster_local *local,
                           const struct nu_host_set *hosts);
/* Frees it and clears the pointer; NULL inside is allowed. */
void nu_lb_destroy(struct nu_lb **lb);

/* For classes: sets and frees the base. */
void nu_lb_init(struct nu_lb *lb, const struct nu_lb_class *cls, struct nu_cluster_local *local,
                const struct nu_host_set *hosts);
void nu_lb_finish(struct nu_lb *lb);

/* The asked-for override host if the set has it in a state that the cluster allows, else the next
 * one that the request names and the set has, whatever its state, else what the class chooses:
 * again, as long as the context does not accept it and allows more attempts. */
int32_t nu_lb_choose(struct nu_lb *lb, const struct nu_lb_context *context);

#endif
