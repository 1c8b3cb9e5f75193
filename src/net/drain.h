/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether connections are to be given up: the process drains, or a listener does. Written by the
 * main thread, asked by workers each time that a response begins; a plain atomic load while nothing
 * drains.
 */
#ifndef NU_NET_DRAIN_H
#define NU_NET_DRAIN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "base/random.h"

enum nu_drain_mode {
    NU_DRAIN_OFF,
    NU_DRAIN_IMMEDIATE, /* every connection, with its next response */
    NU_DRAIN_GRADUAL,   /* a share of them that grows from none to all over the duration */
};

struct nu_drain {
    _Atomic uint32_t mode; /* enum nu_drain_mode */
    _Atomic uint64_t start_us;
    _Atomic uint64_t duration_us;
};

/* Begins (or, with OFF, ends) draining at the monotonic time `now_us`. Main thread. */
static inline void nu_drain_set(struct nu_drain *drain, enum nu_drain_mode mode, uint64_t now_us,
                                uint64_t duration_us)
{
    atomic_store_explicit(&drain->start_us, now_us, memory_order_relaxed);
    atomic_store_explicit(&drain->duration_us, duration_us, memory_order_relaxed);
    atomic_store_explicit(&drain->mode, mode, memory_order_release);
}

static inline bool nu_drain_is_on(const struct nu_drain *drain)
{
    return atomic_load_explicit(&drain->mode, memory_order_relaxed) != NU_DRAIN_OFF;
}

/* Whether a connection is to be closed now. Any thread. */
static inline bool nu_drain_should_close(const struct nu_drain *drain, uint64_t now_us)
{
    uint32_t mode = atomic_load_explicit(&drain->mode, memory_order_relaxed);
    if (nu_likely(mode == NU_DRAIN_OFF))
        return false;
    if (mode == NU_DRAIN_IMMEDIATE)
        return true;
    uint64_t start = atomic_load_explicit(&drain->start_us, memory_order_relaxed);
    uint64_t duration = atomic_load_explicit(&drain->duration_us, memory_order_relaxed);
    if (now_us >= start + duration)
        return true;
    return nu_random_below(duration) < now_us - start;
}

#endif
