/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers: bounds, spread, repeatability; that they are random is not a unit's test. */
#include "harness/test.h"

#include <pthread.h>

#include "base/random.h"

TEST(a_seed_makes_the_sequence_repeatable)
{
    uint64_t first[100];
    nu_random_seed(42);
    for (size_t i = 0; i < 100; i++)
        first[i] = nu_random_u64();
    nu_random_seed(42);
    for (size_t i = 0; i < 100; i++)
        assert_true(nu_random_u64() == first[i]);
    nu_random_seed(43);
    assert_true(nu_random_u64() != first[0]);
}

/* xoshiro256** from splitmix64(0): the state and the first results of the published algorithms. */
TEST(the_sequence_is_that_of_the_published_algorithm)
{
    nu_random_seed(0);
    assert_true(nu_random_u64() == 0x99ec5f36cb75f2b4u);
    assert_true(nu_random_u64() == 0xbf6e1f784956452au);
    assert_true(nu_random_u64() == 0x1a5f849d4933e6e0u);
}

TEST(numbers_below_a_bound_stay_there_and_reach_every_value)
{
    nu_random_seed(1);
    unsigned seen[10] = {0};
    for (int i = 0; i < 10000; i++) {
        uint64_t n = nu_random_below(10);
        assert_true(n < 10);
        seen[n]++;
    }
    for (size_t i = 0; i < 10; i++)
        assert_in_range(seen[i], 850, 1150);
    for (int i = 0; i < 100; i++) {
        assert_true(nu_random_below(1) == 0);
        assert_true(nu_random_below(UINT64_MAX) < UINT64_MAX);
        assert_true(nu_random_below(((uint64_t)1 << 63) + 1) <= (uint64_t)1 << 63);
    }
}

/*
 * Two thirds of the 64-bit range: a plain modulo or scaling would favour the lower half two to one.
 */
TEST(large_bounds_are_uniform_too)
{
    nu_random_seed(2);
    uint64_t bound = UINT64_MAX / 3 * 2;
    unsigned low = 0;
    for (int i = 0; i < 10000; i++)
        low += nu_random_below(bound) < bound / 2;
    assert_in_range(low, 4700, 5300);
}

TEST(filling_writes_all_bytes_and_none_beside_them)
{
    static const size_t lengths[] = {0, 1, 8, 16, 1023, 1024, 1025, 4096, 5000};
    static unsigned char bytes[5002];
    for (size_t k = 0; k < NU_ARRAY_LEN(lengths); k++) {
        size_t len = lengths[k];
        unsigned char any[5002] = {0};
        for (int round = 0; round < 12; round++) {
            memset(bytes, 0, sizeof(bytes));
            bytes[0] = 0xee;
            bytes[len + 1] = 0xee;
            nu_random_fill(bytes + 1, len);
            assert_int_equal(bytes[0], 0xee);
            assert_int_equal(bytes[len + 1], 0xee);
            for (size_t i = 1; i <= len; i++)
                any[i] |= bytes[i];
        }
        /* Twelve times zero at one place happens once in 2^96. */
        for (size_t i = 1; i <= len; i++)
            assert_int_not_equal(any[i], 0);
    }
}

TEST(no_sixteen_bytes_come_twice)
{
    enum { COUNT = 2000 };
    static uint64_t got[COUNT][2];
    for (size_t i = 0; i < COUNT; i++) {
        nu_random_fill(got[i], 16);
        for (size_t j = 0; j < i; j++)
            assert_false(got[i][0] == got[j][0] && got[i][1] == got[j][1]);
    }
}

static void *draw(void *out)
{
    *(uint64_t *)out = nu_random_u64();
    return NULL;
}

TEST(threads_have_sequences_of_their_own)
{
    uint64_t numbers[2] = {0, 0};
    for (size_t i = 0; i < 2; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, draw, &numbers[i]), 0);
        pthread_join(thread, NULL);
    }
    assert_true(numbers[0] != numbers[1]);
}

TEST_MAIN()
