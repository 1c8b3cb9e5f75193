/* SPDX-License-Identifier: Apache-2.0 */
/* The system's clocks, or the test's. */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static bool fake;
static _Atomic uint64_t fake_monotonic_us;
static _Atomic uint64_t fake_realtime_us;

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t nu_clock_monotonic_us(void)
{
    if (nu_unlikely(fake))
        return atomic_load(&fake_monotonic_us);
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t nu_clock_realtime_us(void)
{
    if (nu_unlikely(fake))
        return atomic_load(&fake_realtime_us);
    return read_clock(CLOCK_REALTIME);
}

void nu_clock_fake_install(uint64_t monotonic_us, uint64_t realtime_us)
{
    atomic_store(&fake_monotonic_us, monotonic_us);
    atomic_store(&fake_realtime_us, realtime_us);
    fake = true;
}

void nu_clock_fake_advance(uint64_t us)
{
    atomic_fetch_add(&fake_monotonic_us, us);
    atomic_fetch_add(&fake_realtime_us, us);
}

void nu_clock_fake_remove(void)
{
    fake = false;
}

bool nu_clock_is_fake(void)
{
    return fake;
}
