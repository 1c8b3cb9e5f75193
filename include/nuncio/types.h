/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types and attributes that the plug-in interface shares with nuncio itself.
 */
#ifndef NUNCIO_TYPES_H
#define NUNCIO_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Marks what the nuncio executable exports to plug-ins, and what a plug-in exports to nuncio. */
#define NUNCIO_API __attribute__((visibility("default")))

/* A view of bytes: it owns nothing. Whoever hands one out says how long the bytes live. */
struct nu_str {
    const char *ptr; /* need not be NUL-terminated; may be NULL when len is 0 */
    size_t len;
};

/* A view of a string literal, also in static initialisers through NU_STR_INIT. */
#ifdef __cplusplus
#define NU_STR(literal) (nu_str{"" literal, sizeof(literal) - 1})
#else
#define NU_STR(literal) ((struct nu_str){"" literal, sizeof(literal) - 1})
#endif
#define NU_STR_INIT(literal) \
    { \
        "" literal, sizeof(literal) - 1 \
    }
/* For printf: "%.*s" with NU_STR_ARG(view). */
#define NU_STR_ARG(s) (int)(s).len, (s).ptr

static inline struct nu_str nu_str_make(const char *ptr, size_t len)
{
    struct nu_str s = {ptr, len};
    return s;
}

/* A view of a NUL-terminated string; NULL gives the empty view. */
static inline struct nu_str nu_str_from(const char *s)
{
    return nu_str_make(s, s ? strlen(s) : 0);
}

static inline bool nu_str_eq(struct nu_str a, struct nu_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

#ifdef __cplusplus
}
#endif

#endif
