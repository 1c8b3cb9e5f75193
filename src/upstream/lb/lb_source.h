/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where balancers choose from: first a priority, by loads and a random number, then its healthy or
 * degraded hosts, or all of them in panic. A class that uses nu_lb_source only picks from a list.
 */
#ifndef NU_UPSTREAM_LB_SOURCE_H
#define NU_UPSTREAM_LB_SOURCE_H

#include "upstream/lb/lb.h"

struct nu_lb_source {
    const struct nu_host_list *list; /* of the balancer's set; may be empty */
    uint32_t slot;                   /* the list's number in the set */
};

struct nu_lb_priority {
    uint32_t priority;
    bool degraded; /* which of its hosts the load is for */
};

/* The priority for a random number or hash, by loads that are 100 together. */
struct nu_lb_priority nu_lb_pick_priority(const struct nu_priority_load *loads, uint32_t count,
                                          uint64_t random);
/* The same by the loads of the context or the set. */
struct nu_lb_priority nu_lb_choose_priority(const struct nu_host_set *set,
                                            const struct nu_lb_context *context, uint64_t random);

/* As nu_lb_source, for sets that are not plain. */
bool nu_lb_find_source(struct nu_lb *lb, const struct nu_lb_context *context,
                       struct nu_lb_source *source);

/* Where to choose from; counts what Envoy counts on the way. False if nobody is to be chosen. */
static inline bool nu_lb_source(struct nu_lb *lb, const struct nu_lb_context *context,
                                struct nu_lb_source *source)
{
    const struct nu_host_set *set = lb->hosts;
    if (nu_unlikely(!set->is_plain))
        return nu_lb_find_source(lb, context, source);
    *source = (struct nu_lb_source){&set->priorities[0].healthy, NU_SLOT_HEALTHY};
    return true;
}

#endif
