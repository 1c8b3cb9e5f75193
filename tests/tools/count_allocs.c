/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a program under test: counts the allocations of every thread but the first in a
 * number that the test reads, in the file that COUNT_ALLOCS names.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);

static _Atomic(uint64_t) *shared;

__attribute__((constructor)) static void open_count(void)
{
    const char *path = getenv("COUNT_ALLOCS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED)
        shared = map;
}

static void count(void)
{
    if (shared && gettid() != getpid())
        atomic_fetch_add_explicit(shared, 1, memory_order_relaxed);
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
