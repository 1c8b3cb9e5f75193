/* SPDX-License-Identifier: Apache-2.0 */
/* How floating-point numbers are printed. */
#include "harness/test.h"

#include <math.h>

#include "stats/number_internal.h"

static void check(void (*add)(struct nu_strbuf *, double), double value, const char *expected)
{
    struct nu_strbuf out = {0};
    add(&out, value);
    assert_str(nu_strbuf_str(&out), expected);
    nu_strbuf_finish(&out);
}

TEST(plain_numbers_have_no_exponent_below_1e16)
{
    check(nu_stat_add_plain, 0, "0");
    check(nu_stat_add_plain, 1, "1");
    check(nu_stat_add_plain, 1.0995, "1.0995");
    check(nu_stat_add_plain, 117.50000000000001, "117.50000000000001");
    check(nu_stat_add_plain, 12300000, "12300000");
    check(nu_stat_add_plain, 3e5, "300000");
    check(nu_stat_add_plain, 1e15, "1000000000000000");
    check(nu_stat_add_plain, 1e16, "1e+16");
    check(nu_stat_add_plain, 12345678901234567890.0, "1.234567890123457e+19");
    check(nu_stat_add_plain, 0.1, "0.1");
    check(nu_stat_add_plain, 0.000125, "0.000125");
    check(nu_stat_add_plain, 0.0001, "0.0001");
    check(nu_stat_add_plain, 0.00001, "1e-05");
    check(nu_stat_add_plain, NAN, "nan");
    check(nu_stat_add_plain, 1e15 + 0.5, "1000000000000000.5");
}

TEST(json_numbers_take_the_shorter_form)
{
    check(nu_stat_add_json, 300000, "3e+05");
    check(nu_stat_add_json, 1800000, "1800000");
    check(nu_stat_add_json, 10000, "10000");
    check(nu_stat_add_json, 110.00000000000001, "110.00000000000001");
    check(nu_stat_add_json, NAN, "null");
}

TEST_MAIN()
