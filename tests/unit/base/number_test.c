/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text: every double fits, reads back, and has no shorter form. */
#include "harness/test.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/number.h"
#include "base/random.h"

static struct nu_str print(double value)
{
    static char out[NU_DOUBLE_TEXT_MAX];
    return nu_str_make(out, nu_double_to_chars(value, out));
}

TEST(the_longest_numbers_fit)
{
    assert_str(print(-DBL_MAX), "-1.7976931348623157e+308");
    assert_str(print(-DBL_MIN), "-2.2250738585072014e-308");
    assert_str(print(-4.9406564584124654e-324), "-5e-324");
    assert_str(print(-1.2345678901234567e-300), "-1.2345678901234568e-300");
}

TEST(what_is_no_number_has_a_name)
{
    assert_str(print(NAN), "nan");
    assert_str(print(INFINITY), "inf");
    assert_str(print(-INFINITY), "-inf");
}

TEST(every_number_reads_back)
{
    nu_random_seed(5);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = nu_random_u64();
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (isnan(value) || isinf(value))
            continue;
        char text[NU_DOUBLE_TEXT_MAX + 1];
        text[nu_double_to_chars(value, text)] = '\0';
        double again = strtod(text, NULL);
        assert_memory_equal(&again, &value, sizeof(value));
    }
}

TEST_MAIN()
