/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small heap objects of any size that come and go with every request: free lists for each thread,
 * by size, in front of the heap. For libraries that take an allocator of ours (nghttp2), and for
 * objects that outlive a stream's arena. What a list keeps is bounded; larger objects are the
 * heap's.
 *
 * An object is freed on the thread that it was made on. Out of memory ends the process.
 */
#ifndef NU_BASE_SMALL_H
#define NU_BASE_SMALL_H

#include "base/compiler.h"

/* `size` bytes, uninitialised, 16-byte aligned; never NULL, also for 0. */
void *nu_small_alloc(size_t size) __attribute__((returns_nonnull));
/* Zeroed memory. */
void *nu_small_calloc(size_t count, size_t size) __attribute__((returns_nonnull));
/* Grows or shrinks; `ptr` may be NULL. */
void *nu_small_realloc(void *ptr, size_t size) __attribute__((returns_nonnull));
/* Frees what one of the above returned; NULL is allowed. */
void nu_small_free(void *ptr);

/* Frees the calling thread's free lists; call it before a thread ends. */
void nu_small_cache_clear(void);
/* Bytes on the calling thread's free lists. */
size_t nu_small_cache_bytes(void);

#endif
