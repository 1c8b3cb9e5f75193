/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an overloaded host's requests go: hosts are shuffled as far as it takes. The random numbers
 * are those of the Mersenne twister (Matsumoto and Nishimura, 1998), seeded with the hash, as with
 * Envoy.
 */
#include "upstream/lb/bounded_load.h"

enum { WORDS = 624, SHIFT = 397 };

struct twister {
    uint32_t words[WORDS];
    uint32_t next; /* to be given out; WORDS: all were */
};

static void seed_twister(struct twister *twister, uint32_t seed)
{
    twister->words[0] = seed;
    for (uint32_t i = 1; i < WORDS; i++) {
        uint32_t before = twister->words[i - 1];
        twister->words[i] = 1812433253u * (before ^ before >> 30) + i;
    }
    twister->next = WORDS;
}

static void refill(struct twister *twister)
{
    uint32_t *words = twister->words;
    for (uint32_t i = 0; i < WORDS; i++) {
        uint32_t both = (words[i] & 0x80000000u) | (words[(i + 1) % WORDS] & 0x7fffffffu);
        words[i] = words[(i + SHIFT) % WORDS] ^ both >> 1 ^ (both & 1 ? 0x9908b0dfu : 0);
    }
    twister->next = 0;
}

static uint32_t next_number(struct twister *twister)
{
    if (twister->next == WORDS)
        refill(twister);
    uint32_t word = twister->words[twister->next++];
    word ^= word >> 11;
    word ^= word << 7 & 0x9d2c5680u;
    word ^= word << 15 & 0xefc60000u;
    return word ^ word >> 18;
}

/* Any number below `bound` as likely as any other. */
static uint32_t next_below(struct twister *twister, uint32_t bound)
{
    const uint64_t width = (UINT64_C(1) << 32) / bound;
    uint64_t number;
    do {
        number = next_number(twister) / width;
    } while (number >= bound);
    return (uint32_t)number;
}

/* The i-th host of the order, which is shuffled up to there. */
static uint32_t shuffle_one(uint32_t *order, uint32_t count, uint32_t i, struct twister *twister)
{
    uint32_t other = i + next_below(twister, count - i);
    uint32_t host = order[other];
    order[other] = order[i];
    order[i] = host;
    return host;
}

uint32_t nu_bounded_load_choose(uint32_t preferred, uint32_t count, uint64_t hash, uint32_t *order,
                                nu_load_fn *load, void *arg)
{
    uint32_t least = preferred;
    double least_load = load(arg, preferred);
    if (least_load <= 1)
        return preferred;
    struct twister twister;
    seed_twister(&twister, (uint32_t)hash);
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t host = shuffle_one(order, count, i, &twister);
        if (host == preferred)
            continue;
        double host_load = load(arg, host);
        if (host_load <= 1)
            return host;
        if (host_load < least_load) {
            least = host;
            least_load = host_load;
        }
    }
    return least;
}
