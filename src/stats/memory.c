/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counted allocation. The count is process-wide because the slow paths that allocate (a first
 * sample, a first response code) see a value and nothing around it.
 */
#include "stats/memory_internal.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "stats/stats.h"

static _Atomic size_t held_bytes;

void *nu_stat_alloc(size_t size)
{
    atomic_fetch_add_explicit(&held_bytes, size, memory_order_relaxed);
    return nu_calloc(1, size);
}

void nu_stat_free(void *ptr, size_t size)
{
    if (!ptr)
        return;
    atomic_fetch_sub_explicit(&held_bytes, size, memory_order_relaxed);
    nu_free(ptr);
}

size_t nu_stats_memory_bytes(void)
{
    return atomic_load_explicit(&held_bytes, memory_order_relaxed);
}
