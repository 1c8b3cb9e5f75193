/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory the process has, from the C library and the kernel. Any thread; not for hot
 * paths. */
#ifndef NU_ADMIN_MEMORY_H
#define NU_ADMIN_MEMORY_H

#include <stdint.h>

/* Bytes. */
struct nu_memory_figures {
    uint64_t allocated; /* in use by the heap */
    uint64_t heap_size; /* held by the heap, in use or not */
    uint64_t heap_free;
    uint64_t physical; /* resident; 0 if the kernel does not say */
};

void nu_memory_figures_read(struct nu_memory_figures *out);

#endif
