/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time. All code asks here, so that tests can put a clock of their own in its place. Loops read
 * the clock once a turn and keep the answer (event/loop.h); ask there on the request path.
 */
#ifndef NU_BASE_CLOCK_H
#define NU_BASE_CLOCK_H

#include <stdbool.h>

#include "base/compiler.h"

/* Microseconds that never go back, from an arbitrary start. Any thread. */
uint64_t nu_clock_monotonic_us(void);
/* Microseconds since 1970-01-01 UTC; may jump when the system's clock is set. Any thread. */
uint64_t nu_clock_realtime_us(void);

/*
 * Replaces both clocks, for tests: time stands still until nu_clock_fake_advance. Set it before
 * other threads run; advancing is safe from any thread.
 */
void nu_clock_fake_install(uint64_t monotonic_us, uint64_t realtime_us);
void nu_clock_fake_advance(uint64_t us);
void nu_clock_fake_remove(void);
bool nu_clock_is_fake(void);

#endif
