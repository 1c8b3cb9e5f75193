/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash multiplies 8-byte words into a 128-bit product and folds it, with the process's seed in
 * every step. The map probes linearly and keeps at most two thirds of its slots in use; removal
 * shifts the followers back, so there are no tombstones.
 */
#include "base/hash.h"

#include "base/alloc.h"
#include "base/random.h"

static uint64_t seeds[2];

/* Before main, so that hashing never has to ask; a constructor for a constant, nothing more. */
__attribute__((constructor)) static void make_seeds(void)
{
    nu_random_fill(seeds, sizeof(seeds));
    seeds[0] |= 1;
    seeds[1] |= 1;
}

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    nu_u128 product = (nu_u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t load32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* Up to seven bytes as one word; where the parts overlap, the length, hashed as well, says how. */
static inline uint64_t load_short(const char *p, size_t len)
{
    if (len >= 4)
        return load32(p) << 32 | load32(p + len - 4);
    if (len == 0)
        return 0;
    return (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[len / 2] << 8 |
           (unsigned char)p[len - 1];
}

uint64_t nu_hash(struct nu_str key)
{
    uint64_t h = seeds[0] ^ key.len;
    const char *p = key.ptr;
    size_t left = key.len;
    for (; left > 8; left -= 8, p += 8)
        h = fold(h ^ load64(p), seeds[1] ^ 0x9e3779b97f4a7c15u);
    uint64_t last = key.len >= 8 ? load64(p + left - 8) : load_short(p, left);
    h = fold(h ^ last, seeds[1] ^ 0xc2b2ae3d27d4eb4fu);
    return fold(h ^ seeds[1], seeds[0] ^ 0x165667b19e3779f9u);
}

void nu_map_finish(struct nu_map *map)
{
    nu_free(map->slots);
    *map = (struct nu_map){0};
}

/* The slot that holds `key`, or the free one where it belongs. */
static struct nu_map_entry *find_slot(const struct nu_map *map, struct nu_str key, uint64_t hash)
{
    size_t mask = map->cap - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct nu_map_entry *slot = &map->slots[i];
        if (!slot->key.ptr || (slot->hash == hash && nu_str_eq(slot->key, key)))
            return slot;
    }
}

void *nu_map_get(const struct nu_map *map, struct nu_str key)
{
    if (map->count == 0)
        return NULL;
    return find_slot(map, key, nu_hash(key))->value;
}

static void grow(struct nu_map *map)
{
    struct nu_map old = *map;
    map->cap = old.cap ? old.cap * 2 : 8;
    map->slots = nu_calloc(map->cap, sizeof(*map->slots));
    nu_map_for_each(entry, &old)
    {
        *find_slot(map, entry->key, entry->hash) = *entry;
    }
    nu_free(old.slots);
}

void *nu_map_put(struct nu_map *map, struct nu_str key, void *value)
{
    if ((map->count + 1) * 3 > map->cap * 2)
        grow(map);
    if (!key.ptr)
        key.ptr = "";
    uint64_t hash = nu_hash(key);
    struct nu_map_entry *slot = find_slot(map, key, hash);
    void *before = slot->value;
    if (!slot->key.ptr)
        map->count++;
    *slot = (struct nu_map_entry){key, hash, value};
    return before;
}

void *nu_map_remove(struct nu_map *map, struct nu_str key)
{
    if (map->count == 0)
        return NULL;
    struct nu_map_entry *slot = find_slot(map, key, nu_hash(key));
    if (!slot->key.ptr)
        return NULL;
    void *value = slot->value;
    size_t mask = map->cap - 1;
    size_t hole = (size_t)(slot - map->slots);
    for (size_t i = (hole + 1) & mask; map->slots[i].key.ptr; i = (i + 1) & mask) {
        size_t home = map->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct nu_map_entry){{NULL, 0}, 0, NULL};
    map->count--;
    return value;
}
