/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which locality's hosts a request goes to: localities in turn by their weights, or the zone where
 * this process is, as far as that is fair.
 *
 * Fair means that every host gets as much as if there were no zones. The processes like this one
 * are a cluster themselves, the local one. Where our zone has at least the share of the hosts that
 * it has of these processes, all requests stay in it; else the part that its hosts can take, and
 * the rest is spread over zones that have more hosts than processes. One worker's.
 */
#ifndef NU_UPSTREAM_LB_LOCALITY_H
#define NU_UPSTREAM_LB_LOCALITY_H

#include "upstream/lb/lb.h"

enum { NU_LB_TURNS = 2 }; /* of the healthy and of the degraded hosts of a priority */

/* What was computed for the hosts of priority 0 and those of the local cluster. */
struct nu_lb_zones {
    bool all_local;         /* every request stays in our zone, which is the first locality */
    bool local_is_in_panic; /* too few of the processes like this one are healthy */
    uint32_t local_share;   /* of 10000: else so many do */
    uint32_t count;
    uint64_t capacity[]; /* where the others go: capacities of localities, added up */
};

/* Computes the balancer's zones anew after either set changed; `local` is the local cluster's, NULL
 * while that is not there. */
void nu_lb_update_zones(struct nu_lb *lb, const struct nu_host_set *local);

/* The locality whose turn it is, where they have weights; false if none of that health has one. */
bool nu_lb_next_locality(struct nu_lb *lb, uint32_t priority, bool degraded, uint32_t *locality);
/* The locality for a request, by zones; counts what Envoy counts. */
uint32_t nu_lb_zone_locality(struct nu_lb *lb);

#endif
