/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Earliest deadline first: a queue that gives its items in turn, each as often as its weight says.
 * An item that was picked is due again 1/weight later, and the one that is due first is next; those
 * that are due at the same time come in the order in which they were added. So shares are exact and
 * evenly spread, as Envoy's are. One thread's.
 */
#ifndef NU_UPSTREAM_EDF_H
#define NU_UPSTREAM_EDF_H

#include <stdbool.h>
#include <stdint.h>

struct nu_edf_entry;

struct nu_edf {
    struct nu_edf_entry *heap; /* owned; the first is due first */
    uint32_t count;
    uint64_t order; /* the next item to be added gets it */
};

/* The present weight of an item. One of 0 is not picked; some item has more. */
typedef double nu_edf_weight_fn(void *arg, uint32_t item);

/* A queue of the items 0 to count - 1, which begins anywhere in the cycle of picks, as if all those
 * before had been made: so frequent new queues do not favour the heavy items, which a cycle begins
 * with. */
void nu_edf_init(struct nu_edf *edf, uint32_t count, nu_edf_weight_fn *weight, void *arg);
void nu_edf_finish(struct nu_edf *edf);
/* The item that is due, which is then due again by its present weight. The queue is not empty. */
uint32_t nu_edf_pick(struct nu_edf *edf, nu_edf_weight_fn *weight, void *arg);

#endif
