/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consistent hashing with bounded loads, as Envoy does it: a host that has more than its share of
 * the requests at work sends the next one to another host, which is the same one for the same hash.
 */
#ifndef NU_UPSTREAM_BOUNDED_LOAD_H
#define NU_UPSTREAM_BOUNDED_LOAD_H

#include <stdint.h>

/* How much of what a host may have it has; it takes one more unless that is above 1. */
typedef double nu_load_fn(void *arg, uint32_t host);

/*
 * `preferred` of `count` hosts if it takes one more; else the first one that does, in an order that
 * the hash decides; else the least loaded. `order` has room for `count` numbers.
 */
uint32_t nu_bounded_load_choose(uint32_t preferred, uint32_t count, uint64_t hash, uint32_t *order,
                                nu_load_fn *load, void *arg);

#endif
