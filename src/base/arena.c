/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arenas over blocks. The first two blocks are small ones, which hold an ordinary stream; what does
 * not fit gets a block of the fitting class, so a configuration's arena grows by larger steps.
 */
#include "base/arena.h"

#include <stdio.h>

#include "base/assert.h"

struct nu_arena_free {
    struct nu_arena_free *next;
    void (*fn)(void *obj);
    void *obj;
};

void nu_arena_init(struct nu_arena *arena)
{
    *arena = (struct nu_arena){0};
}

static void run_on_free(struct nu_arena *arena)
{
    while (arena->free) {
        struct nu_arena_free *entry = arena->free;
        arena->free = entry->next;
        entry->fn(entry->obj);
    }
}

static void free_blocks(struct nu_block *block)
{
    while (block) {
        struct nu_block *next = block->next_free;
        nu_block_unref(block);
        block = next;
    }
}

void nu_arena_finish(struct nu_arena *arena)
{
    run_on_free(arena);
    struct nu_block *blocks = arena->blocks;
    nu_arena_init(arena);
    free_blocks(blocks);
}

enum { ALIGN = 16 };

/* Makes `block` the one that allocations come from, behind its first `used` bytes. */
static void take_block(struct nu_arena *arena, struct nu_block *block, size_t used)
{
    uintptr_t data = (uintptr_t)block->data;
    size_t first = nu_align_up(data + used, ALIGN) - data;
    size_t room = (block->size - first) / ALIGN * ALIGN;
    block->fill = block->size;
    block->next_free = arena->blocks;
    arena->blocks = block;
    arena->at = block->data + first;
    arena->end = arena->at + room;
    nu_poison(arena->at, room);
}

void nu_arena_init_small(struct nu_arena *arena, size_t size)
{
    nu_arena_init(arena);
    take_block(arena, nu_block_get_exact(size), 0);
}

/* An arena at an aligned place of `block`, whose reference it takes over. */
static struct nu_arena *create_at(struct nu_block *block, size_t offset)
{
    struct nu_arena *arena = (struct nu_arena *)(void *)(block->data + offset);
    nu_arena_init(arena);
    take_block(arena, block, offset + sizeof(*arena));
    return arena;
}

struct nu_arena *nu_arena_create(void)
{
    return create_at(nu_block_get(NU_BLOCK_SMALL), 0);
}

struct nu_arena *nu_arena_create_behind(struct nu_block *block)
{
    enum { WORTH_SHARING = 5120 };
    if (block->block_class != NU_BLOCK_SMALL || nu_block_room(block) < WORTH_SHARING)
        return nu_arena_create();
    uintptr_t data = (uintptr_t)block->data;
    nu_block_ref(block);
    return create_at(block, nu_align_up(data + block->fill, ALIGN) - data);
}

void nu_arena_destroy(struct nu_arena **arena)
{
    struct nu_arena *own = *arena;
    if (!own)
        return;
    *arena = NULL;
    run_on_free(own);
    free_blocks(own->blocks); /* with one of which it goes itself */
}

/* A large object has a block of its own; the one before it keeps serving small ones. */
static NU_NOINLINE void *alloc_oversized(struct nu_arena *arena, size_t size)
{
    struct nu_arena before = *arena;
    size_t rounded = nu_align_up(size, ALIGN);
    take_block(arena, nu_block_get_size(rounded + ALIGN), 0);
    void *ptr = arena->at;
    arena->at += rounded;
    nu_unpoison(ptr, size);
    if (before.blocks) {
        arena->at = before.at;
        arena->end = before.end;
    }
    return ptr;
}

void *nu_arena_alloc_slow(struct nu_arena *arena, size_t size)
{
    nu_assert(size < UINT32_MAX - 2 * ALIGN);
    size_t rounded = nu_align_up(nu_max_size(size, 1), ALIGN);
    if (rounded <= (size_t)(arena->end - arena->at)) { /* only for a size of 0 */
        void *ptr = arena->at;
        arena->at += rounded;
        nu_unpoison(ptr, size);
        return ptr;
    }
    bool is_large = arena->blocks && arena->blocks->next_free;
    enum nu_block_class step = is_large ? NU_BLOCK_MEDIUM : NU_BLOCK_SMALL;
    if (nu_unlikely(rounded + ALIGN > nu_block_size(step)))
        return alloc_oversized(arena, size);
    take_block(arena, nu_block_get(step), 0);
    void *ptr = arena->at;
    arena->at += rounded;
    nu_unpoison(ptr, size);
    return ptr;
}

void *nu_arena_alloc_zeroed(struct nu_arena *arena, size_t size, size_t zeroed)
{
    void *ptr = nu_arena_alloc(arena, size);
    nu_hide(zeroed);
    memset(ptr, 0, zeroed);
    return ptr;
}

void *nu_arena_calloc(struct nu_arena *arena, size_t size)
{
    return nu_arena_alloc_zeroed(arena, size, size);
}

struct nu_str nu_arena_dup(struct nu_arena *arena, struct nu_str s)
{
    char *copy = nu_arena_alloc(arena, s.len + 1);
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return nu_str_make(copy, s.len);
}

char *nu_arena_strdup(struct nu_arena *arena, const char *s)
{
    size_t size = strlen(s) + 1;
    return memcpy(nu_arena_alloc(arena, size), s, size);
}

char *nu_arena_printf(struct nu_arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    size_t size = len < 0 ? 1 : (size_t)len + 1;
    char *out = nu_arena_alloc(arena, size);
    out[0] = '\0';
    vsnprintf(out, size, fmt, again);
    va_end(again);
    va_end(args);
    return out;
}

struct nu_str nu_arena_concat(struct nu_arena *arena, struct nu_str a, struct nu_str b)
{
    char *out = nu_arena_alloc(arena, a.len + b.len + 1);
    if (a.len)
        memcpy(out, a.ptr, a.len);
    if (b.len)
        memcpy(out + a.len, b.ptr, b.len);
    out[a.len + b.len] = '\0';
    return nu_str_make(out, a.len + b.len);
}

void nu_arena_on_free(struct nu_arena *arena, void (*fn)(void *obj), void *obj)
{
    struct nu_arena_free *entry = nu_arena_alloc(arena, sizeof(*entry));
    entry->next = arena->free;
    entry->fn = fn;
    entry->obj = obj;
    arena->free = entry;
}

static void unref_block(void *obj)
{
    nu_block_unref(obj);
}

void nu_arena_hold_block(struct nu_arena *arena, struct nu_block *block)
{
    for (const struct nu_block *own = arena->blocks; own; own = own->next_free) {
        if (own == block)
            return;
    }
    nu_block_ref(block);
    nu_arena_on_free(arena, unref_block, block);
}
