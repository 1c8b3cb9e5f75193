/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building and asking rings. Envoy's arithmetic is kept to the last bit, doubles included: which
 * host a key belongs to must be the same on both sides of a migration.
 */
#include "upstream/lb/hash_ring.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/murmur_hash.h"
#include "base/xxhash.h"

void nu_hash_hosts_share(struct nu_hash_host *hosts, uint32_t count, double share)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += hosts[i].weight;
    for (uint32_t i = 0; i < count; i++)
        hosts[i].weight = hosts[i].weight * share / sum;
}

/* A place on its way: order makes the sorting of equal hashes certain. */
struct place {
    uint64_t hash;
    uint32_t host;
    uint32_t order;
};

struct builder {
    const struct nu_hash_ring_params *params;
    struct place *places; /* owned */
    size_t cap;
    uint32_t count;
    struct nu_strbuf text; /* "KEY_NUMBER" */
};

static uint64_t hash_of(enum nu_hash_function function, struct nu_str text)
{
    return function == NU_HASH_MURMUR2 ? nu_murmur_hash2(text) : nu_xxhash64(text);
}

static void add_place(struct builder *builder, uint32_t host, size_t key_len, uint64_t number)
{
    builder->text.len = key_len;
    nu_strbuf_add_u64(&builder->text, number);
    if (builder->count == builder->cap) {
        builder->cap = builder->cap ? builder->cap * 2 : 64;
        builder->places = nu_realloc(builder->places, builder->cap * sizeof(*builder->places));
    }
    builder->places[builder->count] = (struct place){
        .hash = hash_of(builder->params->function, nu_strbuf_str(&builder->text)),
        .host = host,
        .order = builder->count,
    };
    builder->count++;
}

static int by_hash(const void *a_ptr, const void *b_ptr)
{
    const struct place *a = a_ptr;
    const struct place *b = b_ptr;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

static double smallest_weight(const struct nu_hash_host *hosts, uint32_t count)
{
    double smallest = 1;
    for (uint32_t i = 0; i < count; i++)
        smallest = fmin(smallest, hosts[i].weight);
    return smallest;
}

/* Places in all: the lightest host gets a whole number of them, unless that is too many. */
static double scale_of(const struct nu_hash_host *hosts, uint32_t count,
                       const struct nu_hash_ring_params *params)
{
    double smallest = smallest_weight(hosts, count);
    return fmin(ceil(smallest * (double)params->min_size) / smallest, (double)params->max_size);
}

/* Gives every host its places. Running sums carry fractions of a place over to the next host. */
static void place_hosts(struct builder *builder, const struct nu_hash_host *hosts, uint32_t count,
                        double scale, struct nu_hash_ring *ring)
{
    double target = 0;
    for (uint32_t host = 0; host < count; host++) {
        builder->text.len = 0;
        nu_strbuf_add(&builder->text, hosts[host].key);
        nu_strbuf_add_char(&builder->text, '_');
        size_t key_len = builder->text.len;
        uint64_t number = 0;
        target += scale * hosts[host].weight;
        while ((double)builder->count < target)
            add_place(builder, host, key_len, number++);
        ring->min_per_host = number < ring->min_per_host ? number : ring->min_per_host;
        ring->max_per_host = number > ring->max_per_host ? number : ring->max_per_host;
    }
}

struct nu_hash_ring *nu_hash_ring_create(const struct nu_hash_host *hosts, uint32_t count,
                                         const struct nu_hash_ring_params *params)
{
    struct builder builder = {.params = params};
    double scale = scale_of(hosts, count, params);
    uint64_t size = (uint64_t)ceil(scale);
    struct nu_hash_ring head = {.size = size, .min_per_host = size};
    place_hosts(&builder, hosts, count, scale, &head);
    if (builder.count)
        qsort(builder.places, builder.count, sizeof(*builder.places), by_hash);
    struct nu_hash_ring *ring =
        nu_alloc(sizeof(*ring) + builder.count * (sizeof(ring->places[0]) + sizeof(uint32_t)));
    *ring = head;
    ring->count = builder.count;
    ring->hosts = (uint32_t *)(void *)(ring->places + builder.count);
    for (uint32_t i = 0; i < builder.count; i++) {
        ring->places[i] = builder.places[i].hash;
        ring->hosts[i] = builder.places[i].host;
    }
    nu_free(builder.places);
    nu_strbuf_finish(&builder.text);
    return ring;
}

uint32_t nu_hash_ring_find(const struct nu_hash_ring *ring, uint64_t hash, uint32_t attempt)
{
    if (ring->count == 0)
        return NU_HASH_NO_HOST;
    uint32_t low = 0;
    uint32_t high = ring->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ring->places[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    uint32_t place = low == ring->count ? 0 : low;
    return ring->hosts[((uint64_t)place + attempt) % ring->count];
}
