/* SPDX-License-Identifier: Apache-2.0 */
/* malloc wrappers that end the process instead of returning NULL. */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

NU_NORETURN NU_COLD static void out_of_memory(size_t size)
{
    fprintf(stderr, "nuncio: out of memory (%zu bytes asked)\n", size);
    abort();
}

void *nu_alloc(size_t size)
{
    void *ptr = malloc(size ? size : 1);
    if (nu_unlikely(!ptr))
        out_of_memory(size);
    return ptr;
}

void *nu_calloc(size_t count, size_t size)
{
    void *ptr = calloc(count ? count : 1, size ? size : 1);
    if (nu_unlikely(!ptr))
        out_of_memory(size);
    return ptr;
}

void *nu_realloc(void *ptr, size_t size)
{
    void *grown = realloc(ptr, size ? size : 1);
    if (nu_unlikely(!grown))
        out_of_memory(size);
    return grown;
}

char *nu_strdup(const char *s)
{
    return nu_strndup(s, strlen(s));
}

char *nu_strndup(const char *s, size_t len)
{
    char *copy = nu_alloc(len + 1);
    if (len)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

void nu_free(void *ptr)
{
    free(ptr);
}

char *nu_asprintf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *out = NULL;
    int len = vasprintf(&out, fmt, args);
    va_end(args);
    if (nu_unlikely(len < 0))
        out_of_memory(0);
    return out;
}
