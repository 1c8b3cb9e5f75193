/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as digits, which nu_hex_value reads back. */
#include "harness/test.h"

#include "base/hex.h"

TEST(every_byte_has_two_digits)
{
    for (unsigned i = 0; i < 256; i++) {
        unsigned char byte = (unsigned char)i;
        char out[] = {'.', '.', '.'};
        nu_hex_write(&byte, 1, out);
        assert_int_equal(nu_hex_value(out[0]) * 16 + nu_hex_value(out[1]), i);
        assert_int_equal(out[2], '.');
    }
}

TEST(digits_stand_in_the_order_of_the_bytes)
{
    static const unsigned char bytes[] = {0x00, 0x9a, 0xbf, 0x5e};
    char out[8];
    nu_hex_write(bytes, sizeof(bytes), out);
    assert_str(nu_str_make(out, sizeof(out)), "009abf5e");
}

TEST_MAIN()
