/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subset balancer: a request's criteria find a subset of hosts, in which another balancer
 * chooses; fallbacks say what becomes of requests that no subset is for.
 */
#ifndef NU_UPSTREAM_LB_SUBSET_H
#define NU_UPSTREAM_LB_SUBSET_H

#include "upstream/lb/lb.h"
#include "upstream/hosts/subset.h"

/* The class for a cluster whose settings have subsets; made in `arena`, since what it asks of
 * contexts and counts depends on the balancer inside. */
const struct nu_lb_class *nu_subset_lb_class(const struct nu_subset_settings *settings,
                                             struct nu_arena *arena);

#endif
