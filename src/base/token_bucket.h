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
    int64_t token_ns; /* the time that a token takes to come; constant */
    int64_t full_ns;  /* the time that a full bucket takes; constant */
    /* Before the clock began, if it has run for less than a full bucket takes. */
    _Alignas(64) _Atomic int64_t empty_ns;
};

/* A full bucket at the time `now_us` (monotonic): `max` tokens, of which `fill` (at least 1) come
 * every `interval_us` (at least 1). Times are cut at some 70 years. */
static inline void nu_token_bucket_init(struct nu_token_bucket *bucket, uint32_t max, uint32_t fill,
                                        uint64_t interval_us, uint64_t now_us)
{
    const uint64_t longest_ns = (uint64_t)INT64_MAX / 4;
    uint64_t longest_us = longest_ns / 1000;
    uint64_t token_ns = (interval_us < longest_us ? interval_us : longest_us) * 1000 / fill;
    token_ns = token_ns ? token_ns : 1;
    bool fits = max <= longest_ns / token_ns;
    bucket->token_ns = (int64_t)token_ns;
    bucket->full_ns = (int64_t)(fits ? token_ns * max : longest_ns);
    atomic_init(&bucket->empty_ns, (int64_t)(now_us * 1000) - bucket->full_ns);
}

/* Takes a token; false if there is none. Any thread. */
static inline bool nu_token_bucket_take(struct nu_token_bucket *bucket, uint64_t now_us)
{
    int64_t now_ns = (int64_t)(now_us * 1000);
    int64_t before = atomic_load_explicit(&bucket->empty_ns, memory_order_relaxed);
    int64_t after;
    do {
        int64_t oldest = now_ns - bucket->full_ns;
        after = (before > oldest ? before : oldest) + bucket->token_ns;
        if (after > now_ns)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&bucket->empty_ns, &before, after,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

#endif
