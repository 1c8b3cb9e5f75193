/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of the requests each priority gets, by the health of all of them. The rules and their
 * rounding are Envoy's.
 *
 * The health of a priority is its share of healthy hosts times the overprovisioning factor, at most
 * 100: so some hosts may be unwell before requests go elsewhere. Load goes to the first priorities
 * up to their health, and what is left to degraded hosts in the same way; where all that together
 * is below 100, everything is scaled up. A priority with too few healthy hosts is in panic, unless
 * the others make up for it: then its requests go to all of its hosts. With every priority in panic
 * the load follows their sizes.
 */
#ifndef NU_UPSTREAM_PRIORITY_LOAD_H
#define NU_UPSTREAM_PRIORITY_LOAD_H

#include <stdbool.h>
#include <stdint.h>

/* The percent of requests that go to the healthy and to the degraded hosts of a priority; over all
 * priorities they add up to 100. */
struct nu_priority_load {
    uint8_t healthy;
    uint8_t degraded;
};

/* What load depends on. */
struct nu_priority_state {
    uint64_t healthy; /* numbers of hosts, or their weights */
    uint64_t degraded;
    uint64_t total;                    /* the same of all that are not excluded */
    uint32_t overprovisioning_percent; /* 140: full load while 5 of 7 are healthy */
    uint32_t host_count;               /* all hosts, excluded ones too */
    uint32_t fit_count;                /* healthy or degraded hosts */
    uint32_t counted_count;            /* hosts that are not excluded */
};

/* How healthy each priority is: percent, with overprovisioning. Returns the sum of all, at most
 * 100. */
uint32_t nu_priority_health(const struct nu_priority_state *states, uint32_t count,
                            struct nu_priority_load *health);
/* Whether too few hosts are fit for this threshold. */
bool nu_priority_is_in_panic(const struct nu_priority_state *state, uint32_t panic_percent);
/* Gives out the load over all priorities, of which there is at least one: `loads` were 0. Returns the
 * sum of their health, with which nu_priority_is_in_panic counts: at 100 nobody is in panic. */
uint32_t nu_priority_give_load(const struct nu_priority_state *states, uint32_t count,
                               uint32_t panic_percent, struct nu_priority_load *loads);

#endif
