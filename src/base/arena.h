/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arenas: memory that is given out by bumping a pointer and freed all at once. A stream's arena
 * lives as long as the stream, a configuration's as long as its snapshot. Nothing from an arena is
 * freed alone, and nothing that lives longer may point into one.
 *
 * The arena struct is open so that allocation inlines; its fields are private. It may be carved
 * from its own first block (nu_arena_create) or be a member (nu_arena_init).
 */
#ifndef NU_BASE_ARENA_H
#define NU_BASE_ARENA_H

#include "base/block.h"
#include "base/str.h"

struct nu_arena {
    char *at;                   /* next free byte, 16-byte aligned */
    char *end;                  /* behind the last free byte, 16-byte aligned */
    struct nu_block *blocks;    /* every block held, linked through next_free */
    struct nu_arena_free *free; /* what nu_arena_on_free registered, last first */
};

/* An empty arena: no memory is taken before the first allocation. */
void nu_arena_init(struct nu_arena *arena);
/* An arena whose first block has `size` bytes, for one of very many that hold little; what does not
 * fit takes blocks as ever. */
void nu_arena_init_small(struct nu_arena *arena, size_t size);
/* Runs the on_free callbacks, last registered first, and frees all memory. */
void nu_arena_finish(struct nu_arena *arena);
/* An arena that lives inside its own first block, for objects that own everything they allocate. */
struct nu_arena *nu_arena_create(void);
/* The same in the free end of `block`, of which the arena keeps a reference, if enough of it is
 * free: memory that was just read into and holds little. */
struct nu_arena *nu_arena_create_behind(struct nu_block *block);
/* Finishes a created arena and clears the pointer; NULL inside is allowed. */
void nu_arena_destroy(struct nu_arena **arena);

void *nu_arena_alloc_slow(struct nu_arena *arena, size_t size);

/* `size` bytes, 16-byte aligned, uninitialised; never NULL. */
static inline void *nu_arena_alloc(struct nu_arena *arena, size_t size)
{
    /*
     * What is left is a multiple of 16: if `size` fits, it does so rounded up. 0 takes the slow
     * way.
     */
    if (nu_likely(size - 1 < (size_t)(arena->end - arena->at))) {
        void *ptr = arena->at;
        arena->at += nu_align_up(size, 16);
        nu_unpoison(ptr, size);
        return ptr;
    }
    return nu_arena_alloc_slow(arena, size);
}

/* Zeroed memory. */
void *nu_arena_calloc(struct nu_arena *arena, size_t size);
/* `size` bytes, of which the first `zeroed` are. */
void *nu_arena_alloc_zeroed(struct nu_arena *arena, size_t size, size_t zeroed);
/* A copy of the bytes, with a NUL behind them that the view does not count. */
struct nu_str nu_arena_dup(struct nu_arena *arena, struct nu_str s);
char *nu_arena_strdup(struct nu_arena *arena, const char *s);
char *nu_arena_printf(struct nu_arena *arena, const char *fmt, ...) NU_PRINTF(2, 3);
/* The concatenation of two views, in fresh memory. */
struct nu_str nu_arena_concat(struct nu_arena *arena, struct nu_str a, struct nu_str b);

/* Calls fn(obj) when the arena is freed: for what an arena object holds outside of it. */
void nu_arena_on_free(struct nu_arena *arena, void (*fn)(void *obj), void *obj);
/* Keeps a reference of `block` until the arena is freed, so that views into it stay valid. */
void nu_arena_hold_block(struct nu_arena *arena, struct nu_block *block);

#endif
