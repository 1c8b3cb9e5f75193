/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maglev tables, as Envoy builds them: every slot of a table of prime size belongs to a host, each
 * host has as many as its weight says, and a request goes to the owner of the slot that its hash
 * falls on. For the same keys and weights the choice is Envoy's own. A table is immutable, and
 * knows hosts only by their place in the list it was made of.
 */
#ifndef NU_UPSTREAM_MAGLEV_TABLE_H
#define NU_UPSTREAM_MAGLEV_TABLE_H

#include "upstream/lb/hash_ring.h"

struct nu_maglev_table {
    uint64_t min_per_host; /* slots of the host that has the fewest */
    uint64_t max_per_host;
    uint32_t size;
    uint8_t width;   /* bytes of a slot: as few as the number of hosts needs */
    uint8_t slots[]; /* `size` numbers of hosts */
};

/* A table of at least one host; `size` is a prime number. The caller frees it with nu_free. */
struct nu_maglev_table *nu_maglev_table_create(const struct nu_hash_host *hosts, uint32_t count,
                                               uint32_t size);
/* The host for a hash; a later `attempt` (from 0) takes another slot. */
uint32_t nu_maglev_table_find(const struct nu_maglev_table *table, uint64_t hash, uint32_t attempt);

#endif
