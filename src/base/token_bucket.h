/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token bucket that threads share without a lock. Tokens come evenly, so that all there is to
 * keep is one point in time: when the bucket, as full as it is, would have been empty.
 */
#ifndef NU_BASE_TOKEN_BUCKET_H
#define NU_BASE_TOKEN_BUCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct nu_token_bucket {
    uint64_t token_ns; /* the time that a token takes to come; constant */
    uint64_t full_ns;  /* the time that a full bucket takes; constant */
    _Alignas(64) _Atomic uint64_t empty_ns;
};

/* A full bucket at the time `now_us` (monotonic): `max` tokens, of which `fill` (at least 1) come
 * every `interval_us` (at least 1). */
static inline void nu_token_bucket_init(struct nu_token_bucket *bucket, uint32_t max, uint32_t fill,
                                        uint64_t interval_us, uint64_t now_us)
{
    uint64_t token_ns = interval_us * 1000 / fill;
    bucket->token_ns = token_ns ? token_ns : 1;
    bucket->full_ns = bucket->token_ns * max;
    uint64_t now_ns = now_us * 1000;
    atomic_init(&bucket->empty_ns, now_ns > bucket->full_ns ? now_ns - bucket->full_ns : 0);
}

/* Takes a token; false if there is none. Any thread. */
static inline bool nu_token_bucket_take(struct nu_token_bucket *bucket, uint64_t now_us)
{
    uint64_t now_ns = now_us * 1000;
    uint64_t before = atomic_load_explicit(&bucket->empty_ns, memory_order_relaxed);
    uint64_t after;
    do {
        uint64_t oldest = now_ns > bucket->full_ns ? now_ns - bucket->full_ns : 0;
        after = (before > oldest ? before : oldest) + bucket->token_ns;
        if (after > now_ns)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&bucket->empty_ns, &before, after,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

#endif
