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

TEST_MAIN()
