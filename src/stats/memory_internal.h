/* SPDX-License-Identifier: Apache-2.0 */
/* Heap memory of the module, counted, so that a test can hold it to a bound. Any thread. */
#ifndef NU_STATS_MEMORY_INTERNAL_H
#define NU_STATS_MEMORY_INTERNAL_H

#include "base/compiler.h"

/* Zeroed memory. */
void *nu_stat_alloc(size_t size) __attribute__((malloc, returns_nonnull));
/* Frees memory of that size; NULL is allowed. */
void nu_stat_free(void *ptr, size_t size);

#endif
