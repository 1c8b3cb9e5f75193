/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Primality of 64-bit numbers. Small numbers are looked up in a sieve, multiples of the first
 * primes drop out by division, what is below 2^32 goes to prime/prime32.h. The rest goes through
 * the strong probable prime test of Miller and Rabin with a set of bases for which it is known to
 * make no mistake:
 *
 *     n < 2^64         2, 325, 9375, 28178, 450775, 9780504, 1795265022       Sinclair 2011
 *
 * It was checked against Feitsma's list of all base-2 pseudoprimes below 2^64.
 *
 * Base 2 goes first and alone, as it finds out nearly every composite. The other bases then run
 * side by side: one modular multiplication waits for the one before it, so several chains at once
 * cost little more than one.
 */
#include "prime/prime.h"

#include <pthread.h>

#include "prime/prime32.h"

enum {
    SIEVE_LIMIT = 1 << 16,
    SIEVE_ROOT = 1 << 8,
    WORD_BITS = 64,
    LANES_MAX = 6,
};

/* Bit i stands for 2i + 1 and is set when that is not a prime. */
static uint64_t sieve[SIEVE_LIMIT / 2 / WORD_BITS];
static pthread_once_t sieve_once = PTHREAD_ONCE_INIT;

static inline bool is_struck(uint32_t odd)
{
    uint32_t i = odd / 2;
    return sieve[i / WORD_BITS] >> (i % WORD_BITS) & 1;
}

static void strike(uint32_t odd)
{
    uint32_t i = odd / 2;
    sieve[i / WORD_BITS] |= (uint64_t)1 << (i % WORD_BITS);
}

/* On first use, as it takes some ten microseconds. */
static void build_sieve(void)
{
    strike(1);
    for (uint32_t p = 3; p < SIEVE_ROOT; p += 2) {
        if (is_struck(p))
            continue;
        for (uint32_t multiple = p * p; multiple < SIEVE_LIMIT; multiple += 2 * p)
            strike(multiple);
    }
}

static bool is_small_prime(uint32_t n)
{
    if (n % 2 == 0)
        return n == 2;
    pthread_once(&sieve_once, build_sieve);
    return !is_struck(n);
}

/* The compiler turns each of these divisions into one multiplication and a comparison. */
static bool has_small_factor(uint64_t n)
{
    return n % 2 == 0 || n % 3 == 0 || n % 5 == 0 || n % 7 == 0 || n % 11 == 0 || n % 13 == 0 ||
           n % 17 == 0 || n % 19 == 0 || n % 23 == 0 || n % 29 == 0 || n % 31 == 0 || n % 37 == 0 ||
           n % 41 == 0 || n % 43 == 0 || n % 47 == 0 || n % 53 == 0;
}

/* Arithmetic modulo an odd n in Montgomery's form, where x stands as x * 2^64 mod n. */
struct ring {
    uint64_t n;
    uint64_t inverse; /* n * inverse is 1 modulo 2^64 */
    uint64_t one;
    uint64_t minus_one;
    uint64_t square; /* 2^128 mod n, which brings a plain number into the form */
};

static inline uint64_t multiply(const struct ring *ring, uint64_t a, uint64_t b)
{
    nu_u128 product = (nu_u128)a * b;
    uint64_t multiple = (uint64_t)product * ring->inverse;
    uint64_t high = (uint64_t)(product >> 64);
    uint64_t reduction = (uint64_t)(((nu_u128)multiple * ring->n) >> 64);
    return high - reduction + (high < reduction ? ring->n : 0);
}

static inline uint64_t twice(const struct ring *ring, uint64_t x)
{
    uint64_t room = ring->n - x;
    return x < room ? x + x : x - room;
}

static void ring_init(struct ring *ring, uint64_t n)
{
    uint64_t inverse = (n * 3) ^ 2; /* right in the lowest 5 bits; each step doubles them */
    for (int bits = 5; bits < 64; bits *= 2)
        inverse *= 2 - n * inverse;
    ring->n = n;
    ring->inverse = inverse;
    ring->one = (0 - n) % n;
    ring->minus_one = n - ring->one;
    ring->square = (uint64_t)((nu_u128)ring->one * ring->one % n);
}

/* Where the bits of the exponent begin behind its highest one; -1 when there are none. */
static inline int second_bit(uint64_t exponent)
{
    return 62 - __builtin_clzll(exponent);
}

static uint64_t power_of_two(const struct ring *ring, uint64_t exponent)
{
    uint64_t x = twice(ring, ring->one);
    for (int bit = second_bit(exponent); bit >= 0; bit--) {
        x = multiply(ring, x, x);
        if (exponent >> bit & 1)
            x = twice(ring, x);
    }
    return x;
}

static inline void power(const struct ring *ring, uint64_t *x, const uint64_t *base, int lanes,
                         uint64_t exponent)
{
    for (int lane = 0; lane < lanes; lane++)
        x[lane] = base[lane];
    for (int bit = second_bit(exponent); bit >= 0; bit--) {
        for (int lane = 0; lane < lanes; lane++)
            x[lane] = multiply(ring, x[lane], x[lane]);
        if (exponent >> bit & 1) {
            for (int lane = 0; lane < lanes; lane++)
                x[lane] = multiply(ring, x[lane], base[lane]);
        }
    }
}

/* Whether each x is 1, or becomes -1 when it is squared fewer than `s` times. */
static inline bool pass(const struct ring *ring, uint64_t *x, int lanes, int s)
{
    bool passed[LANES_MAX];
    for (int lane = 0; lane < lanes; lane++)
        passed[lane] = x[lane] == ring->one || x[lane] == ring->minus_one;
    for (int i = 1; i < s; i++) {
        for (int lane = 0; lane < lanes; lane++) {
            x[lane] = multiply(ring, x[lane], x[lane]);
            passed[lane] |= x[lane] == ring->minus_one;
        }
    }
    bool all = true;
    for (int lane = 0; lane < lanes; lane++)
        all &= passed[lane];
    return all;
}

__attribute__((always_inline)) static inline bool
bases_pass(const struct ring *ring, const uint32_t *bases, int lanes, uint64_t d, int s)
{
    uint64_t base[LANES_MAX];
    uint64_t x[LANES_MAX];
    for (int lane = 0; lane < lanes; lane++)
        base[lane] = multiply(ring, bases[lane], ring->square);
    power(ring, x, base, lanes, d);
    return pass(ring, x, lanes, s);
}

/*
 * With n - 1 = d * 2^s and d odd, n is a strong probable prime to the base a when a^d is 1, or one
 * of a^(d * 2^i) for i < s is -1. The bases must be below n.
 */
static bool is_strong_probable_prime(uint64_t n)
{
    static const uint32_t others[] = {325, 9375, 28178, 450775, 9780504, 1795265022};
    struct ring ring;
    ring_init(&ring, n);
    int s = __builtin_ctzll(n - 1);
    uint64_t d = (n - 1) >> s;
    uint64_t x = power_of_two(&ring, d);
    if (!pass(&ring, &x, 1, s))
        return false;
    return bases_pass(&ring, others, NU_ARRAY_LEN(others), d, s);
}

bool nu_prime_is_prime_u64(uint64_t n)
{
    if (n < SIEVE_LIMIT)
        return is_small_prime((uint32_t)n);
    if (has_small_factor(n))
        return false;
    return n >> 32 ? is_strong_probable_prime(n) : nu_prime_is_prime_u32((uint32_t)n);
}
