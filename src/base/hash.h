/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fast seeded hash for in-memory tables, and a map from strings to pointers. The seed is random
 * per process, so that a peer who picks the keys cannot aim at collisions. Never written to a wire:
 * the hashes that Envoy fixes (ring hash, Maglev) are elsewhere.
 */
#ifndef NU_BASE_HASH_H
#define NU_BASE_HASH_H

#include "base/str.h"

/* A 64-bit hash of the bytes under this process's seed. Any thread. */
uint64_t nu_hash(struct nu_str key);

/*
 * A string map with open addressing. Keys are borrowed views that must outlive the map.
 * Zero-initialise it. Reading is safe from many threads while nobody writes.
 */
struct nu_map_entry {
    struct nu_str key; /* ptr is NULL in a free slot */
    uint64_t hash;
    void *value;
};

struct nu_map {
    struct nu_map_entry *slots; /* owned */
    size_t cap;                 /* 0 or a power of two */
    size_t count;
};

void nu_map_finish(struct nu_map *map);
/* The value at `key`, or NULL. */
void *nu_map_get(const struct nu_map *map, struct nu_str key);
/* Sets the value (not NULL); returns the one that was there before, or NULL. */
void *nu_map_put(struct nu_map *map, struct nu_str key, void *value);
/* Takes the entry out; returns its value, or NULL. */
void *nu_map_remove(struct nu_map *map, struct nu_str key);

/* Walks all entries in no order; the map may not change meanwhile. `entry` is declared here. */
#define nu_map_for_each(entry, map) \
    for (struct nu_map_entry *entry = (map)->slots, \
                             *entry##_end_ = (map)->cap ? entry + (map)->cap : entry; \
         entry != entry##_end_; entry++) \
        if (!entry->key.ptr) { \
        } else

#endif
