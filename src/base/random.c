/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nu_random_u64 is xoshiro256** (Blackman and Vigna, public domain algorithm), seeded from the
 * kernel on a thread's first use.
 */
#include "base/random.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { POOL_SIZE = 4096 };

static _Thread_local struct {
    unsigned char bytes[POOL_SIZE];
    size_t left; /* unused bytes, at the front */
} pool;

static _Thread_local struct {
    uint64_t s[4];
    bool seeded;
} fast;

static void kernel_random(unsigned char *out, size_t len)
{
    while (len) {
        ssize_t n = getrandom(out, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            perror("nuncio: getrandom");
            abort();
        }
        out += n;
        len -= (size_t)n;
    }
}

void nu_random_fill(void *out, size_t len)
{
    if (len > POOL_SIZE / 4) {
        kernel_random(out, len);
        return;
    }
    if (pool.left < len) {
        kernel_random(pool.bytes, POOL_SIZE);
        pool.left = POOL_SIZE;
    }
    pool.left -= len;
    memcpy(out, pool.bytes + pool.left, len);
    memset(pool.bytes + pool.left, 0, len);
}

void nu_random_fill_16(unsigned char out[16])
{
    enum { LEN = 16 };
    if (nu_unlikely(pool.left < LEN)) {
        nu_random_fill(out, LEN);
        return;
    }
    pool.left -= LEN;
    memcpy(out, pool.bytes + pool.left, LEN);
    memset(pool.bytes + pool.left, 0, LEN);
}

static inline uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

/* splitmix64, the seeding that xoshiro's authors recommend. */
void nu_random_seed(uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        fast.s[i] = z ^ (z >> 31);
    }
    fast.seeded = true;
}

NU_COLD static void seed_from_kernel(void)
{
    uint64_t seed;
    nu_random_fill(&seed, sizeof(seed));
    nu_random_seed(seed);
}

uint64_t nu_random_u64(void)
{
    if (nu_unlikely(!fast.seeded))
        seed_from_kernel();
    uint64_t *s = fast.s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t nu_random_below(uint64_t bound)
{
    nu_u128 product = (nu_u128)nu_random_u64() * bound;
    uint64_t low = (uint64_t)product;
    if (low < bound) {
        uint64_t threshold = (0 - bound) % bound;
        while (low < threshold) {
            product = (nu_u128)nu_random_u64() * bound;
            low = (uint64_t)product;
        }
    }
    return (uint64_t)(product >> 64);
}
