/* SPDX-License-Identifier: Apache-2.0 */
/* Values of the specification's own implementation, and of Envoy's statistics. */
#include "harness/test.h"

#include "base/xxhash.h"

TEST(known_values)
{
    assert_int_equal(nu_xxhash64(NU_STR("")), 0xef46db3751d8e999u);
    assert_int_equal(nu_xxhash64(NU_STR("a")), 0xd24ec4f1a98c6e5bu);
    assert_int_equal(nu_xxhash64(NU_STR("abc")), 0x44bc2cf5ad770999u);
    assert_int_equal(nu_xxhash64(NU_STR("7")), 1750302349509622455u); /* Envoy's, of a version */
    assert_int_equal(nu_xxhash64(NU_STR("Nobody inspects the spammish repetition")),
                     0xfbcea83c8a378bf1u);
}

TEST(seed_is_part_of_the_hash)
{
    assert_int_equal(nu_xxhash64_seeded(NU_STR(""), 1), 0xd5afba1336a3be4bu);
    assert_int_equal(nu_xxhash64_seeded(NU_STR("a"), 1), 0xdec2bc81c3cd46c6u);
    assert_int_equal(nu_xxhash64_seeded(NU_STR("10.0.0.1:80"), 1), 0xa456919bcbffaa92u);
    assert_int_equal(nu_xxhash64_seeded(NU_STR("Nobody inspects the spammish repetition"), 1),
                     0x43f425448d954db6u);
}

TEST_MAIN()
