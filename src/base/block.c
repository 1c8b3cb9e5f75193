/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block free lists: one per thread and size. A list keeps a bounded number of bytes; what comes
 * back beyond that returns to the heap, so that a burst does not stay in memory for ever.
 */
#include "base/block.h"

#include "base/alloc.h"
#include "base/assert.h"

/* Header and data of a block together. */
#define BLOCK_BYTES(total) ((total) - sizeof(struct nu_block))

/* An ordinary request, its stream and its exchange with an upstream fit into one of 6 KiB. */
enum { SMALL_BYTES = 6144 };

static const size_t class_sizes[NU_BLOCK_CLASS_COUNT] = {
    [NU_BLOCK_SMALL] = BLOCK_BYTES(SMALL_BYTES),
    [NU_BLOCK_MEDIUM] = BLOCK_BYTES(16384),
    [NU_BLOCK_LARGE] = BLOCK_BYTES(65536),
};

/* How many free blocks a thread keeps of each class: 4 MiB, 2 MiB and 4 MiB. */
enum { KEEP_SMALL = 682, KEEP_MEDIUM = 128, KEEP_LARGE = 64 };

static _Thread_local struct {
    struct nu_block *free;
    uint32_t room; /* how many more the list takes */
} cache[NU_BLOCK_CLASS_COUNT] = {
    [NU_BLOCK_SMALL] = {.room = KEEP_SMALL},
    [NU_BLOCK_MEDIUM] = {.room = KEEP_MEDIUM},
    [NU_BLOCK_LARGE] = {.room = KEEP_LARGE},
};

size_t nu_block_size(enum nu_block_class block_class)
{
    return class_sizes[block_class];
}

static struct nu_block *block_create(size_t size, enum nu_block_class block_class)
{
    struct nu_block *block = nu_alloc(sizeof(*block) + size);
    block->refs = 1;
    block->size = (uint32_t)size;
    block->fill = 0;
    block->block_class = block_class;
    block->next_free = NULL;
    return block;
}

struct nu_block *nu_block_get(enum nu_block_class block_class)
{
    struct nu_block *block = cache[block_class].free;
    if (nu_unlikely(!block))
        return block_create(class_sizes[block_class], block_class);
    cache[block_class].free = block->next_free;
    cache[block_class].room++;
    nu_unpoison(block->data, block->size);
    block->refs = 1;
    block->fill = 0;
    return block;
}

struct nu_block *nu_block_get_size(size_t size)
{
    if (nu_likely(size <= BLOCK_BYTES(SMALL_BYTES)))
        return nu_block_get(NU_BLOCK_SMALL);
    for (enum nu_block_class c = NU_BLOCK_SMALL; c < NU_BLOCK_CLASS_COUNT; c++) {
        if (size <= class_sizes[c])
            return nu_block_get(c);
    }
    return nu_block_get_exact(size);
}

struct nu_block *nu_block_get_exact(size_t size)
{
    nu_assert(size < UINT32_MAX);
    return block_create(size, NU_BLOCK_HUGE);
}

void nu_block_release(struct nu_block *block)
{
    uint32_t c = block->block_class;
    if (nu_unlikely(c >= NU_BLOCK_CLASS_COUNT || cache[c].room == 0)) {
        nu_free(block);
        return;
    }
    block->next_free = cache[c].free;
    cache[c].free = block;
    cache[c].room--;
    nu_poison(block->data, block->size);
}

void nu_block_cache_clear(void)
{
    for (int c = 0; c < NU_BLOCK_CLASS_COUNT; c++) {
        while (cache[c].free) {
            struct nu_block *block = cache[c].free;
            cache[c].free = block->next_free;
            cache[c].room++;
            nu_free(block);
        }
    }
}

size_t nu_block_cache_bytes(void)
{
    size_t bytes = 0;
    for (int c = 0; c < NU_BLOCK_CLASS_COUNT; c++) {
        for (const struct nu_block *block = cache[c].free; block; block = block->next_free)
            bytes += sizeof(*block) + block->size;
    }
    return bytes;
}
