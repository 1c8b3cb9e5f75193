/* SPDX-License-Identifier: Apache-2.0 */
/* An answer and the number of its period in one word. */
#include "filters/http/health_check/cache.h"

enum { STATUS_BITS = 15, DEGRADED = 1 << STATUS_BITS, CONTENT_BITS = 16 };

static uint64_t period_of(const struct nu_health_cache *cache, uint64_t now_us)
{
    return (now_us - cache->start_us) / cache->period_us + 1;
}

void nu_health_cache_init(struct nu_health_cache *cache, uint64_t now_us, uint64_t period_us)
{
    cache->start_us = now_us;
    cache->period_us = period_us;
    atomic_init(&cache->content, 0);
}

void nu_health_cache_put(struct nu_health_cache *cache, uint64_t now_us,
                         const struct nu_health_answer *answer)
{
    if (!cache->period_us)
        return;
    uint64_t content = period_of(cache, now_us) << CONTENT_BITS |
                       (answer->degraded ? DEGRADED : 0) | (answer->status & (DEGRADED - 1));
    atomic_store_explicit(&cache->content, content, memory_order_relaxed);
}

bool nu_health_cache_get(const struct nu_health_cache *cache, uint64_t now_us,
                         struct nu_health_answer *answer)
{
    if (!cache->period_us)
        return false;
    uint64_t content = atomic_load_explicit(&cache->content, memory_order_relaxed);
    if (content >> CONTENT_BITS != period_of(cache, now_us))
        return false;
    answer->status = content & (DEGRADED - 1);
    answer->degraded = content & DEGRADED;
    return true;
}
