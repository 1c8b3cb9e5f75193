/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns by weight for balancers that pick from lists: earliest deadline first (edf.h), with the
 * weights of hosts as they are at each pick; a host that has just become fit begins with a small
 * one (slow start). One worker's.
 */
#ifndef NU_UPSTREAM_LB_TURN_H
#define NU_UPSTREAM_LB_TURN_H

#include "upstream/lb/edf.h"
#include "upstream/lb/lb_source.h"

/* The weight of a host but for slow start; above 0. */
typedef double nu_lb_weight_fn(const struct nu_lb *lb, const struct nu_host *host);

/* Whether some host of the set is in slow start now: then weights differ. */
bool nu_lb_has_slow_start(const struct nu_lb *lb);
/* The n-th host of a list, which has some, by weight. The turn is made on first use. */
uint32_t nu_lb_turn_pick(struct nu_lb *lb, const struct nu_host_list *list, struct nu_edf *turn,
                         nu_lb_weight_fn *weight);

#endif
