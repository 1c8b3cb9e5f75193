/* SPDX-License-Identifier: Apache-2.0 */
/* 64-bit primality against a plain sieve, OpenSSL, and the numbers that fool weaker tests. */
#include "harness/test.h"

#include <openssl/bn.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/random.h"
#include "prime/prime.h"

enum { MILLION = 1000000 };

/* composite[n] for every n below the limit, struck out the way Eratosthenes did. */
static unsigned char *plain_sieve(size_t limit)
{
    unsigned char *composite = nu_calloc(limit, 1);
    composite[0] = composite[1] = 1;
    for (size_t p = 2; p < limit; p++) {
        if (composite[p])
            continue;
        for (size_t multiple = 2 * p; multiple < limit; multiple += p)
            composite[multiple] = 1;
    }
    return composite;
}

TEST(every_number_below_a_million_agrees_with_a_plain_sieve)
{
    unsigned char *composite = plain_sieve(MILLION);
    for (size_t n = 0; n < MILLION; n++) {
        if (nu_prime_is_prime_u64(n) == (composite[n] != 0))
            fail_msg("wrong answer for %zu", n);
    }
    nu_free(composite);
}

TEST(counts_of_primes_below_powers_of_ten_are_right)
{
    static const struct {
        uint64_t below;
        unsigned count;
    } table[] = {{10, 4}, {100, 25}, {1000, 168}, {10000, 1229}, {100000, 9592}, {1000000, 78498}};
    unsigned count = 0;
    uint64_t n = 0;
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        for (; n < table[i].below; n++)
            count += nu_prime_is_prime_u64(n);
        assert_int_equal(count, table[i].count);
    }
}

static void assert_all(const uint64_t *numbers, size_t count, bool is_prime)
{
    for (size_t i = 0; i < count; i++) {
        if (nu_prime_is_prime_u64(numbers[i]) != is_prime)
            fail_msg("%llu is %sa prime", (unsigned long long)numbers[i], is_prime ? "" : "not ");
    }
}

TEST(zero_and_one_are_not_primes_and_two_is)
{
    assert_false(nu_prime_is_prime_u64(0));
    assert_false(nu_prime_is_prime_u64(1));
    assert_true(nu_prime_is_prime_u64(2));
    assert_true(nu_prime_is_prime_u64(3));
    assert_true(nu_prime_is_prime_u64(32323));
}

/* The smallest composites that pass for the first 1, 2, 3 ... prime bases (OEIS A014233). */
TEST(smallest_strong_pseudoprimes_to_the_first_primes_are_composite)
{
    static const uint64_t psi[] = {
        2047,          1373653,       25326001,        3215031751,
        2152302898747, 3474749660383, 341550071728321, 3825123056546413051,
    };
    assert_all(psi, NU_ARRAY_LEN(psi), false);
}

/* (k + 1)(rk + 1) again: most of those below 2^32 that pass for base 2, whatever the factors. */
TEST(products_of_the_pseudoprimes_shape_below_two_to_the_32_are_composite)
{
    for (uint64_t r = 2; r <= 16; r++) {
        for (uint64_t k = 1; (k + 1) * (r * k + 1) <= UINT32_MAX; k++) {
            if (nu_prime_is_prime_u64((k + 1) * (r * k + 1)))
                fail_msg("wrong answer for k %llu, r %llu", (unsigned long long)k,
                         (unsigned long long)r);
        }
    }
}

TEST(first_number_beyond_the_three_base_set_is_composite)
{
    static const uint64_t numbers[] = {4759123141}; /* passes for 2, 7 and 61 */
    static const uint64_t next[] = {4759123151};
    assert_all(numbers, 1, false);
    assert_all(next, 1, true);
}

/* (k + 1)(rk + 1), the shape that yields most of them; each passes for base 2, some for 3, 5, 7. */
TEST(strong_pseudoprimes_near_the_top_of_64_bits_are_composite)
{
    static const uint64_t numbers[] = {
        18442979630128095121u, 18446602774641402961u, 18446478771701727181u,
        18446237522301759787u, 18446181391949807341u, 18445092345720137527u,
        18445061508715413601u, 18444802462166681281u, 18446743208455367653u,
    };
    assert_all(numbers, NU_ARRAY_LEN(numbers), false);
}

TEST(carmichael_numbers_are_composite)
{
    static const uint64_t numbers[] = {
        561,   1105,  1729,  2465,  2821,  6601,  8911,  10585,
        15841, 29341, 41041, 46657, 52633, 62745, 63973, 75361,
    };
    assert_all(numbers, NU_ARRAY_LEN(numbers), false);
}

/* (6k + 1)(12k + 1)(18k + 1) is a Carmichael number when the three are primes. */
TEST(large_carmichael_numbers_are_composite)
{
    unsigned found = 0;
    for (uint64_t k = 242336; found < 100; k--) {
        uint64_t a = 6 * k + 1;
        uint64_t b = 12 * k + 1;
        uint64_t c = 18 * k + 1;
        if (!nu_prime_is_prime_u64(a) || !nu_prime_is_prime_u64(b) || !nu_prime_is_prime_u64(c))
            continue;
        assert_false(nu_prime_is_prime_u64(a * b * c));
        found++;
    }
}

TEST(squares_and_products_of_primes_near_two_to_the_32_are_composite)
{
    static const uint64_t primes[] = {4294967291, 4294967279, 4294967231, 4294967197, 4294967189};
    assert_all(primes, NU_ARRAY_LEN(primes), true);
    for (size_t i = 0; i < NU_ARRAY_LEN(primes); i++) {
        for (size_t j = 0; j <= i; j++)
            assert_false(nu_prime_is_prime_u64(primes[i] * primes[j]));
    }
}

TEST(only_the_known_primes_stand_below_two_to_the_64)
{
    for (uint64_t back = 1; back < 270; back++) {
        bool is_known =
            back == 59 || back == 83 || back == 95 || back == 179 || back == 189 || back == 257;
        assert_int_equal(nu_prime_is_prime_u64(0 - back), is_known);
    }
}

TEST(primes_around_the_widths_of_the_tables_are_found)
{
    static const uint64_t primes[] = {
        65521, 65537, 4294967311, 9223372036854775783u, 9223372036854775837u, 2305843009213693951u,
    };
    static const uint64_t composites[] = {
        65533,      65535,      65536,      65539 * 65539u,
        4294967295, 4294967296, 4294967297, 9223372036854775807u,
    };
    assert_all(primes, NU_ARRAY_LEN(primes), true);
    assert_all(composites, NU_ARRAY_LEN(composites), false);
}

/* n - 1 = d * 2^s with a large s is where the squarings at the end matter. */
TEST(numbers_one_above_a_multiple_of_a_power_of_two_agree_with_known_answers)
{
    static const uint64_t primes[] = {
        18446744069414584321u, /* 2^64 - 2^32 + 1 */
        4179340454199820289u,  /* 29 * 2^57 + 1 */
        1945555039024054273u,  /* 27 * 2^56 + 1 */
    };
    static const uint64_t composites[] = {
        9223372036854775809u, /* 2^63 + 1 */
        4611686018427387905u, /* 2^62 + 1 */
    };
    assert_all(primes, NU_ARRAY_LEN(primes), true);
    assert_all(composites, NU_ARRAY_LEN(composites), false);
}

static bool openssl_says_prime(uint64_t n, BIGNUM *number, BN_CTX *context)
{
    assert_int_equal(BN_set_word(number, n), 1);
    int answer = BN_check_prime(number, context, NULL);
    assert_true(answer >= 0);
    return answer == 1;
}

TEST(random_numbers_of_every_width_agree_with_openssl)
{
    BIGNUM *number = BN_new();
    BN_CTX *context = BN_CTX_new();
    nu_random_seed(32323);
    for (int i = 0; i < 4000; i++) {
        uint64_t n = nu_random_u64() >> (i % 48) | 1;
        bool want = openssl_says_prime(n, number, context);
        if (nu_prime_is_prime_u64(n) != want)
            fail_msg("wrong answer for %llu", (unsigned long long)n);
    }
    BN_CTX_free(context);
    BN_free(number);
}

TEST_MAIN()
