/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last answer to a health check, which stands for others until the present period of the cache
 * ends. One for all threads, without a lock. Periods follow each other from the cache's making on,
 * as Envoy's timer has them, so an answer stands for at most one.
 */
#ifndef NU_FILTERS_HTTP_HEALTH_CHECK_CACHE_H
#define NU_FILTERS_HTTP_HEALTH_CHECK_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/compiler.h"

struct nu_health_cache {
    uint64_t start_us;
    uint64_t period_us;       /* 0: nothing is kept */
    _Atomic uint64_t content; /* period << 16 | degraded << 15 | status; 0: none */
};

struct nu_health_answer {
    uint32_t status;
    bool degraded;
};

void nu_health_cache_init(struct nu_health_cache *cache, uint64_t now_us, uint64_t period_us);
/* Keeps an answer. Any thread. */
void nu_health_cache_put(struct nu_health_cache *cache, uint64_t now_us,
                         const struct nu_health_answer *answer);
/* The answer that stands; false if there is none. Any thread. */
bool nu_health_cache_get(const struct nu_health_cache *cache, uint64_t now_us,
                         struct nu_health_answer *answer);

#endif
