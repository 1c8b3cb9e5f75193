/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares every number below a bound with a segmented sieve and checks the known counts of primes.
 * The bound is 10^7, or what the first argument says: 4294967296 runs for some minutes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "prime/prime.h"

enum { SEGMENT = 1 << 20, ROOT_MAX = 1 << 16 };

static const struct {
    uint64_t below;
    uint64_t count;
} known[] = {
    {10, 4},
    {100, 25},
    {1000, 168},
    {10000, 1229},
    {100000, 9592},
    {1000000, 78498},
    {10000000, 664579},
    {100000000, 5761455},
    {1000000000, 50847534},
    {4294967296, 203280221},
};

static uint32_t small_primes[6542];
static size_t small_count;
static unsigned char composite[SEGMENT];
static int failures;

static void find_small_primes(void)
{
    for (uint32_t n = 2; n < ROOT_MAX; n++) {
        bool is_prime = true;
        for (size_t i = 0; i < small_count && small_primes[i] * small_primes[i] <= n; i++)
            is_prime &= n % small_primes[i] != 0;
        if (is_prime)
            small_primes[small_count++] = n;
    }
}

static void sieve_segment(uint64_t low)
{
    for (size_t i = 0; i < SEGMENT; i++)
        composite[i] = low + i < 2;
    for (size_t i = 0; i < small_count; i++) {
        uint64_t p = small_primes[i];
        if (p * p >= low + SEGMENT)
            break;
        uint64_t first = (low + p - 1) / p * p;
        if (first < p * p)
            first = p * p;
        for (uint64_t multiple = first; multiple < low + SEGMENT; multiple += p)
            composite[multiple - low] = 1;
    }
}

static void check_number(uint64_t n, bool is_prime)
{
    if (nu_prime_is_prime_u64(n) == is_prime)
        return;
    printf("wrong answer for %llu\n", (unsigned long long)n);
    failures++;
}

static void check_count(uint64_t below, uint64_t count)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(known); i++) {
        if (known[i].below != below)
            continue;
        printf("%llu primes below %llu\n", (unsigned long long)count, (unsigned long long)below);
        failures += count != known[i].count;
    }
}

int main(int argc, char **argv)
{
    uint64_t bound = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    uint64_t count = 0;
    find_small_primes();
    for (uint64_t low = 0; low < bound; low += SEGMENT) {
        sieve_segment(low);
        for (uint64_t n = low; n < low + SEGMENT && n < bound; n++) {
            check_number(n, !composite[n - low]);
            count += !composite[n - low];
            check_count(n + 1, count);
        }
    }
    printf("%d wrong\n", failures);
    return failures ? 1 : 0;
}
