/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a load assignment says besides its hosts: how many unhealthy ones are made up for, the
 * weights of localities, requests to drop. Immutable and counted, since the host sets of several
 * threads refer to it; most clusters have none.
 */
#ifndef NU_UPSTREAM_ASSIGNMENT_H
#define NU_UPSTREAM_ASSIGNMENT_H

#include <stdatomic.h>

#include "base/arena.h"
#include "runtime/runtime.h"
#include "upstream/hosts/host.h"

struct Envoy__Config__Endpoint__V3__ClusterLoadAssignment;
struct nu_factory;

enum { NU_OVERPROVISIONING_DEFAULT = 140 };

struct nu_locality_weight {
    struct nu_locality locality;
    uint32_t priority;
    uint32_t weight;
};

struct nu_assignment {
    _Atomic uint32_t refs;
    struct nu_arena arena;             /* owns everything below */
    uint32_t overprovisioning_percent; /* 140: full load while 5 of 7 hosts are healthy */
    bool weighted_priority_health;     /* health is a share of weights, not of hosts */
    struct nu_fraction drop;           /* this share of requests is refused */
    struct nu_str drop_category;       /* why; empty where none is */
    uint64_t stale_after_ms;           /* hosts go unless it comes again; 0: never */
    struct nu_locality_weight *locality_weights;
    size_t locality_weight_count;
};

/* One reference, with Envoy's defaults. Main thread. */
struct nu_assignment *nu_assignment_create(void);
/* What `proto` says, with one reference; NULL where that is nothing. Errors are added. Main
 * thread. */
struct nu_assignment *
nu_assignment_from_proto(struct nu_factory *factory,
                         const struct Envoy__Config__Endpoint__V3__ClusterLoadAssignment *proto);
/* Any thread; NULL is allowed. */
struct nu_assignment *nu_assignment_ref(struct nu_assignment *assignment);
void nu_assignment_unref(struct nu_assignment *assignment);

/* Whether they say the same of hosts and requests, however long it holds; NULL is allowed. */
bool nu_assignment_eq(const struct nu_assignment *a, const struct nu_assignment *b);

/* Whether requests are refused, and whether all of them are. NULL is allowed. */
static inline bool nu_assignment_drops(const struct nu_assignment *assignment)
{
    return nu_unlikely(assignment != NULL) && assignment->drop.numerator;
}
static inline bool nu_assignment_drops_all(const struct nu_assignment *assignment)
{
    return assignment->drop.numerator >= assignment->drop.denominator;
}

/* The weight of a locality; 0 where none is given. NULL is allowed. */
uint32_t nu_assignment_locality_weight(const struct nu_assignment *assignment, uint32_t priority,
                                       const struct nu_locality *locality);

#endif
