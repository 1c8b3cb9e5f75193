/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks, real and fake. */
#include "harness/test.h"

#include <time.h>

#include "base/clock.h"

TEST(the_monotonic_clock_never_goes_back)
{
    uint64_t before = nu_clock_monotonic_us();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = nu_clock_monotonic_us();
        assert_true(now >= before);
        before = now;
    }
}

TEST(the_real_clock_counts_from_1970)
{
    uint64_t before = (uint64_t)time(NULL);
    uint64_t now = nu_clock_realtime_us();
    assert_in_range(now / 1000000, before, before + 60);
}

TEST(the_fake_clock_stands_still_until_it_is_advanced)
{
    nu_clock_fake_install(1000, 5000);
    assert_true(nu_clock_is_fake());
    assert_int_equal(nu_clock_monotonic_us(), 1000);
    assert_int_equal(nu_clock_monotonic_us(), 1000);
    assert_int_equal(nu_clock_realtime_us(), 5000);
    nu_clock_fake_advance(234);
    assert_int_equal(nu_clock_monotonic_us(), 1234);
    assert_int_equal(nu_clock_realtime_us(), 5234);
    nu_clock_fake_remove();
    assert_false(nu_clock_is_fake());
    assert_true(nu_clock_realtime_us() > 1000000000000000u);
}

TEST(a_fake_clock_installed_again_starts_over)
{
    nu_clock_fake_install(1, 2);
    nu_clock_fake_advance(100);
    nu_clock_fake_install(7, 8);
    assert_int_equal(nu_clock_monotonic_us(), 7);
    assert_int_equal(nu_clock_realtime_us(), 8);
    nu_clock_fake_remove();
}

TEST_MAIN()
