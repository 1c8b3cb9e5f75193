/* SPDX-License-Identifier: Apache-2.0 */
/* Values of libstdc++'s std::hash, whose hash this is. */
#include "harness/test.h"

#include "base/murmur_hash.h"

TEST(known_values)
{
    assert_int_equal(nu_murmur_hash2(NU_STR("")), 0x553e93901e462a6eu);
    assert_int_equal(nu_murmur_hash2(NU_STR("a")), 0x454ddee488c1ed6bu);
    assert_int_equal(nu_murmur_hash2(NU_STR("12345678")), 0x8c5b90a33a04dca5u);
    assert_int_equal(nu_murmur_hash2(NU_STR("10.0.0.1:80_0")), 0xbd8f6461ecffb28cu);
    assert_int_equal(nu_murmur_hash2(NU_STR("abcdefghijklmnopqrstuvwxyz")), 0x8a7ebd92a97321c3u);
    assert_int_equal(nu_murmur_hash2(NU_STR("Nobody inspects the spammish repetition")),
                     0xc3b23f5033ade0d1u);
}

TEST_MAIN()
