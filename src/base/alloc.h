/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heap memory that cannot fail: out of memory ends the process with one line on stderr, as Envoy
 * does. Callers therefore never check for NULL; memory is bounded by limits and watermarks instead.
 * Any thread. Everything here is freed with nu_free.
 */
#ifndef NU_BASE_ALLOC_H
#define NU_BASE_ALLOC_H

#include "base/compiler.h"

/* `size` bytes, uninitialised; never NULL, also for 0. */
void *nu_alloc(size_t size) __attribute__((malloc, returns_nonnull));
/* Zeroed memory for `count` items of `size` bytes; an overflowing product ends the process. */
void *nu_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/* Grows or shrinks; `ptr` may be NULL. */
void *nu_realloc(void *ptr, size_t size) __attribute__((returns_nonnull));
/* Copies of a NUL-terminated string, or of `len` bytes plus a NUL. */
char *nu_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *nu_strndup(const char *s, size_t len) __attribute__((malloc, returns_nonnull));
/* Frees; NULL is allowed. */
void nu_free(void *ptr);

/* A printf into fresh heap memory. */
char *nu_asprintf(const char *fmt, ...) NU_PRINTF(1, 2);

#endif
