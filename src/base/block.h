/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference-counted memory blocks, the unit in which bytes from the network are held. Sockets read
 * into blocks; header views and body slices point into them; a block goes back to its thread's free
 * list when the last reference is dropped. Blocks come in three sizes, so that a free list serves
 * every connection of a worker.
 *
 * Counts are plain integers: a block and everything that points into it stay on one thread.
 */
#ifndef NU_BASE_BLOCK_H
#define NU_BASE_BLOCK_H

#include "base/assert.h"
#include "base/compiler.h"

enum nu_block_class {
    NU_BLOCK_SMALL,  /* 6 KiB: a request head and all that its stream takes */
    NU_BLOCK_MEDIUM, /* 16 KiB */
    NU_BLOCK_LARGE,  /* 64 KiB: bodies */
    NU_BLOCK_CLASS_COUNT,
    NU_BLOCK_HUGE = NU_BLOCK_CLASS_COUNT /* any other size, never kept on a free list */
};

/* Room at a block's end that a read goes into, rather than into another block. */
enum { NU_BLOCK_WORTH_FILLING = 512 };

struct nu_block {
    uint32_t refs;
    uint32_t size; /* bytes at data */
    uint32_t fill; /* bytes of data in use; the bytes behind are free for whoever ends at fill */
    uint32_t block_class;
    struct nu_block *next_free;
    char data[];
};

/* Usable bytes of a block of `block_class` (not HUGE). */
size_t nu_block_size(enum nu_block_class block_class);

/* A block with one reference, from the calling thread's free list where it can. */
struct nu_block *nu_block_get(enum nu_block_class block_class);
/* A block of at least `size` bytes, of the smallest class that holds them. */
struct nu_block *nu_block_get_size(size_t size);

/* A block of `size` bytes and no more, which no free list keeps. */
struct nu_block *nu_block_get_exact(size_t size);

static inline void nu_block_ref(struct nu_block *block)
{
    block->refs++;
}

void nu_block_release(struct nu_block *block);

/* Drops one reference; NULL is allowed. */
static inline void nu_block_unref(struct nu_block *block)
{
    if (!block)
        return;
    nu_debug_assert(block->refs > 0);
    if (--block->refs == 0)
        nu_block_release(block);
}

static inline size_t nu_block_room(const struct nu_block *block)
{
    return block->size - block->fill;
}

/* Frees the calling thread's free lists; call it before a thread ends. */
void nu_block_cache_clear(void);
/* Bytes on the calling thread's free lists. */
size_t nu_block_cache_bytes(void);

#endif
