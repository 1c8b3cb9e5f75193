/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a program under test: counts the allocations of every thread but the first in a
 * number that the test reads, in the file that COUNT_ALLOCS names.
 */
#include "shared_count.h"

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);

__attribute__((constructor)) static void prepare(void)
{
    open_shared_count("COUNT_ALLOCS");
}

static void count(void)
{
    if (gettid() != getpid())
        add_to_shared_count();
}

void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

void *calloc(size_t count_of, size_t size)
{
    count();
    return __libc_calloc(count_of, size);
}

void *realloc(void *ptr, size_t size)
{
    count();
    return __libc_realloc(ptr, size);
}
