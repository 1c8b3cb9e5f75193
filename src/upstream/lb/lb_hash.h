/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Balancers by hash: requests with the same hash go to the same host, as long as it is there. Rings
 * and Maglev tables are built with the host set, on the main thread, and shared by all workers.
 */
#ifndef NU_UPSTREAM_LB_HASH_H
#define NU_UPSTREAM_LB_HASH_H

#include "upstream/lb/hash_ring.h"
#include "upstream/lb/lb.h"

enum nu_hash_table_kind { NU_HASH_RING, NU_HASH_MAGLEV };

struct nu_hash_policy;

/* How a cluster hashes; from its configuration. Its class decides whether `ring` or `maglev_size`
 * counts. */
struct nu_hash_lb_settings {
    const struct nu_hash_policy *policy; /* goes before the route's; NULL: that decides */
    struct nu_hash_ring_params ring;
    uint32_t maglev_size;
    uint32_t balance_percent;  /* a host may have so much of its share; 0: any load */
    bool by_hostname;          /* hosts are hashed by name, not by address */
    bool by_locality;          /* locality weights count */
    struct nu_stat_set *stats; /* borrowed: the cluster's, of the table */
};

/* The class for tables of this kind and settings. */
const struct nu_lb_class *nu_hash_lb_class(enum nu_hash_table_kind kind,
                                           const struct nu_hash_lb_settings *settings);
/* The bounded ones are for settings with a balance_percent. */
extern const struct nu_lb_class nu_lb_ring_hash;
extern const struct nu_lb_class nu_lb_ring_hash_bounded;
extern const struct nu_lb_class nu_lb_maglev;
extern const struct nu_lb_class nu_lb_maglev_bounded;

#endif
