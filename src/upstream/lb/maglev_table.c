/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building and asking Maglev tables (Eisenbud et al., "Maglev: A Fast and Reliable Software Network
 * Load Balancer", listing 1), with weights as Envoy adds them: hosts take turns, each taking the
 * next free slot of its own permutation of them, and one of a third of the greatest weight takes a
 * turn in three.
 */
#include "upstream/lb/maglev_table.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/xxhash.h"

/* A host that takes turns. */
struct taker {
    const struct nu_hash_host *host;
    uint32_t index;  /* of the host, in the list that was given */
    uint64_t offset; /* the permutation: offset, offset + skip, offset + 2 * skip ... */
    uint64_t skip;
    uint64_t next; /* how far it has come */
    double target; /* a turn is due when weight times turns has reached it */
    uint64_t taken;
};

/* Hosts take turns in the order of their keys, so that the order of a configuration says nothing.
 */
static int by_key(const void *a_ptr, const void *b_ptr)
{
    const struct taker *a = a_ptr;
    const struct taker *b = b_ptr;
    int order = nu_str_cmp(a->host->key, b->host->key);
    if (order != 0)
        return order;
    return a->index < b->index ? -1 : 1;
}

static void set_slot(struct nu_maglev_table *table, uint32_t slot, uint32_t host)
{
    uint16_t host16 = (uint16_t)host;
    switch (table->width) {
    case 1:
        table->slots[slot] = (uint8_t)host;
        break;
    case 2:
        memcpy(&table->slots[(size_t)slot * 2], &host16, sizeof(host16));
        break;
    default:
        memcpy(&table->slots[(size_t)slot * 4], &host, sizeof(host));
    }
}

static uint32_t get_slot(const struct nu_maglev_table *table, uint32_t slot)
{
    uint16_t host16;
    uint32_t host;
    switch (table->width) {
    case 1:
        return table->slots[slot];
    case 2:
        memcpy(&host16, &table->slots[(size_t)slot * 2], sizeof(host16));
        return host16;
    default:
        memcpy(&host, &table->slots[(size_t)slot * 4], sizeof(host));
        return host;
    }
}

static struct taker *make_takers(const struct nu_hash_host *hosts, uint32_t count, uint32_t size)
{
    struct taker *takers = nu_alloc(count * sizeof(*takers));
    for (uint32_t i = 0; i < count; i++)
        takers[i] = (struct taker){
            .host = &hosts[i],
            .index = i,
            .offset = nu_xxhash64(hosts[i].key) % size,
            .skip = nu_xxhash64_seeded(hosts[i].key, 1) % (size - 1) + 1,
        };
    qsort(takers, count, sizeof(*takers), by_key);
    return takers;
}

static double greatest_weight(const struct nu_hash_host *hosts, uint32_t count)
{
    double greatest = 0;
    for (uint32_t i = 0; i < count; i++)
        greatest = fmax(greatest, hosts[i].weight);
    return greatest;
}

static uint32_t take_next(struct taker *taker, uint32_t size, bool *occupied)
{
    uint32_t slot;
    do {
        slot = (uint32_t)((taker->offset + taker->skip * taker->next++) % size);
    } while (occupied[slot]);
    occupied[slot] = true;
    taker->taken++;
    return slot;
}

static void fill(struct nu_maglev_table *table, struct taker *takers, uint32_t count,
                 double greatest)
{
    bool *occupied = nu_calloc(table->size, sizeof(*occupied));
    uint32_t filled = 0;
    for (uint32_t turn = 1; filled < table->size; turn++) {
        for (uint32_t i = 0; i < count && filled < table->size; i++) {
            struct taker *taker = &takers[i];
            if (turn * taker->host->weight < taker->target)
                continue;
            taker->target += greatest;
            set_slot(table, take_next(taker, table->size, occupied), taker->index);
            filled++;
        }
    }
    nu_free(occupied);
}

static void note_shares(struct nu_maglev_table *table, const struct taker *takers, uint32_t count)
{
    table->min_per_host = table->size;
    for (uint32_t i = 0; i < count; i++) {
        if (takers[i].taken < table->min_per_host)
            table->min_per_host = takers[i].taken;
        if (takers[i].taken > table->max_per_host)
            table->max_per_host = takers[i].taken;
    }
}

struct nu_maglev_table *nu_maglev_table_create(const struct nu_hash_host *hosts, uint32_t count,
                                               uint32_t size)
{
    nu_assert(count > 0 && size > 1);
    uint8_t width = count <= UINT8_MAX + 1 ? 1 : count <= UINT16_MAX + 1 ? 2 : 4;
    struct nu_maglev_table *table = nu_alloc(sizeof(*table) + (size_t)size * width);
    *table = (struct nu_maglev_table){.size = size, .width = width};
    struct taker *takers = make_takers(hosts, count, size);
    fill(table, takers, count, greatest_weight(hosts, count));
    note_shares(table, takers, count);
    nu_free(takers);
    return table;
}

uint32_t nu_maglev_table_find(const struct nu_maglev_table *table, uint64_t hash, uint32_t attempt)
{
    if (attempt > 0) /* as Envoy does it: far from the first one */
        hash ^= 0 - (uint64_t)attempt;
    return get_slot(table, (uint32_t)(hash % table->size));
}
