/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the heap's figures and the resident size. */
#include "admin/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

static uint64_t resident_bytes(void)
{
    unsigned long long total = 0;
    unsigned long long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%llu %llu", &total, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void nu_memory_figures_read(struct nu_memory_figures *out)
{
    struct mallinfo2 info = mallinfo2();
    out->allocated = info.uordblks + info.hblkhd;
    out->heap_size = info.arena + info.hblkhd;
    out->heap_free = info.fordblks;
    out->physical = resident_bytes();
}
