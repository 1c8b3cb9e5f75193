/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded loads; the twister against the numbers that the C++ standard gives for it. */
#include "harness/test.h"

#include "upstream/lb/bounded_load.c" /* NOLINT: its statics */

enum { HOSTS = 5 };

static double loads[HOSTS];
static unsigned asked;

static double load_of(void *arg, uint32_t host)
{
    (void)arg;
    asked++;
    return loads[host];
}

static uint32_t choose(uint32_t preferred, uint64_t hash)
{
    uint32_t order[HOSTS];
    asked = 0;
    return nu_bounded_load_choose(preferred, HOSTS, hash, order, load_of, NULL);
}

static void set_loads(double a, double b, double c, double d, double e)
{
    loads[0] = a, loads[1] = b, loads[2] = c, loads[3] = d, loads[4] = e;
}

TEST(twister_is_the_standards)
{
    struct twister twister;
    seed_twister(&twister, 5489);
    assert_int_equal(next_number(&twister), 3499211612u);
    for (int i = 2; i < 10000; i++)
        next_number(&twister);
    assert_int_equal(next_number(&twister), 4123659995u);
}

TEST(numbers_stay_below_their_bound)
{
    struct twister twister;
    seed_twister(&twister, 1);
    for (uint32_t bound = 1; bound < 300; bound++)
        assert_true(next_below(&twister, bound) < bound);
    assert_int_equal(next_below(&twister, 1), 0);
}

TEST(preferred_host_takes_what_it_can)
{
    set_loads(1, 0, 0, 0, 0);
    assert_int_equal(choose(0, 7), 0);
    assert_int_equal(asked, 1);
}

TEST(overloaded_host_passes_on_to_the_same_one_for_the_same_hash)
{
    unsigned seen[HOSTS] = {0};
    set_loads(1.5, 0, 1, 0.5, 0);
    for (uint64_t hash = 0; hash < 200; hash++) {
        uint32_t host = choose(0, hash);
        assert_int_not_equal(host, 0);
        assert_int_equal(choose(0, hash), host);
        seen[host]++;
    }
    for (int i = 1; i < HOSTS; i++)
        assert_true(seen[i] > 20);
}

TEST(only_the_lower_half_of_the_hash_decides_the_order)
{
    set_loads(2, 0, 0, 0, 0);
    for (uint64_t hash = 0; hash < 50; hash++)
        assert_int_equal(choose(0, hash), choose(0, hash | UINT64_C(0xabcdef) << 32));
}

TEST(least_loaded_is_taken_where_all_are_overloaded)
{
    set_loads(3, 2.5, 1.25, 2, 4);
    for (uint64_t hash = 0; hash < 20; hash++)
        assert_int_equal(choose(0, hash), 2);
    set_loads(1.1, 2, 2, 2, 2);
    assert_int_equal(choose(0, 3), 0);
    assert_int_equal(asked, HOSTS);
}

TEST_MAIN()
