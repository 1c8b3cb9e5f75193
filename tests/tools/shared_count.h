/* SPDX-License-Identifier: Apache-2.0 */
/* For what is preloaded into a program under test: a number that the test reads, in a file of one. */
#ifndef NU_TESTS_TOOLS_SHARED_COUNT_H
#define NU_TESTS_TOOLS_SHARED_COUNT_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic(uint64_t) *shared;

/* `variable` names the environment variable that names the file. Without one nothing is counted. */
static inline void open_shared_count(const char *variable)
{
    const char *path = getenv(variable);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED)
        shared = map;
}

static inline void add_to_shared_count(void)
{
    if (shared)
        atomic_fetch_add_explicit(shared, 1, memory_order_relaxed);
}

#endif
