/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings of consistent hashing, as Envoy builds them: each host stands on the ring at many places,
 * in proportion to its weight, and a request goes to the host whose place follows its hash. For the
 * same keys and weights the choice is Envoy's own. A ring is immutable, and knows hosts only by
 * their place in the list it was made of.
 */
#ifndef NU_UPSTREAM_HASH_RING_H
#define NU_UPSTREAM_HASH_RING_H

#include "base/str.h"

/* A host as the tables of this kind see it. */
struct nu_hash_host {
    struct nu_str key; /* what is hashed: an address, a hostname, or a key from its metadata */
    double weight;     /* its share; those of all hosts are 1 together, at most */
};

#define NU_HASH_NO_HOST UINT32_MAX

/* Turns the weights of hosts, as configured, into shares that are `share` together. */
void nu_hash_hosts_share(struct nu_hash_host *hosts, uint32_t count, double share);

enum nu_hash_function { NU_HASH_XX, NU_HASH_MURMUR2 };

struct nu_hash_ring_params {
    uint64_t min_size; /* at most max_size */
    uint64_t max_size;
    enum nu_hash_function function;
};

struct nu_hash_ring {
    uint64_t size;         /* as it was meant to be: rounding may make the count differ by one */
    uint64_t min_per_host; /* places of the host that has the fewest */
    uint64_t max_per_host;
    uint32_t count;    /* places; none where a size of 0 is configured */
    uint32_t *hosts;   /* by place; in the ring's memory */
    uint64_t places[]; /* ascending */
};

/* A ring of at least one host; the caller frees it with nu_free. */
struct nu_hash_ring *nu_hash_ring_create(const struct nu_hash_host *hosts, uint32_t count,
                                         const struct nu_hash_ring_params *params);
/* The host for a hash, NU_HASH_NO_HOST on an empty ring; a later `attempt` (from 0) takes the one so
 * many places further on. */
uint32_t nu_hash_ring_find(const struct nu_hash_ring *ring, uint64_t hash, uint32_t attempt);

#endif
