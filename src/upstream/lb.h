/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load balancers: one object per worker and cluster, rebuilt when the worker gets a new host set. A
 * class makes it; choosing a host happens on the worker and takes no lock.
 */
#ifndef NU_UPSTREAM_LB_H
#define NU_UPSTREAM_LB_H

#include "upstream/host.h"

struct nu_lb;

/* What a choice may depend on. */
struct nu_lb_context {
    struct nu_str override_host; /* "ip:port" that a filter asks for; empty: none */
};

enum { NU_LB_NONE = -1 };

struct nu_lb_class {
    const char *name;
    /* A balancer over `hosts` (borrowed; it lives longer). */
    struct nu_lb *(*create)(const struct nu_host_set *hosts);
    void (*destroy)(struct nu_lb *lb);
    /* The index of a host in the set, or NU_LB_NONE. */
    int32_t (*choose)(struct nu_lb *lb, const struct nu_lb_context *context);
};

/* The base of every balancer. */
struct nu_lb {
    const struct nu_lb_class *cls;
    const struct nu_host_set *hosts; /* borrowed */
};

/* Round robin; with weights that differ, each host's share follows its weight. */
extern const struct nu_lb_class nu_lb_round_robin;

/* The asked-for override host if the set has it, else what the class chooses. */
int32_t nu_lb_choose(struct nu_lb *lb, const struct nu_lb_context *context);

#endif
