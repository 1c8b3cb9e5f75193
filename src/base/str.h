/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte views and a growable byte string. A view (struct nu_str) is a pointer and a length that owns
 * nothing: whoever hands one out says how long its bytes live. Text is ASCII or UTF-8 bytes, never
 * locale dependent. A builder (struct nu_strbuf) owns its heap memory.
 *
 * The view itself and the least that can be done with it are plug-ins' as well: nuncio/types.h.
 */
#ifndef NU_BASE_STR_H
#define NU_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "nuncio/types.h"

#include "base/compiler.h"
#include "base/result.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline bool nu_str_is_empty(struct nu_str s)
{
    return s.len == 0;
}

static inline bool nu_str_starts_with(struct nu_str s, struct nu_str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool nu_str_ends_with(struct nu_str s, struct nu_str suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

/* `s` without its first `n` bytes; `n` is cut to the length. */
static inline struct nu_str nu_str_skip(struct nu_str s, size_t n)
{
    n = nu_min_size(n, s.len);
    return (struct nu_str){n ? s.ptr + n : s.ptr, s.len - n}; /* NULL + 0 is undefined in C */
}

/* The first `n` bytes; `n` is cut to the length. */
static inline struct nu_str nu_str_first(struct nu_str s, size_t n)
{
    return (struct nu_str){s.ptr, nu_min_size(n, s.len)};
}

static inline char nu_ascii_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c | 0x20) : c;
}

static inline char nu_ascii_upper(char c)
{
    return (c >= 'a' && c <= 'z') ? (char)(c & ~0x20) : c;
}

static inline bool nu_ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool nu_ascii_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A blank inside a line: space or tab. */
static inline bool nu_ascii_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The value of a hexadecimal digit, or -1. */
int nu_hex_value(char c);

/* Equal but for the case of ASCII letters. */
bool nu_str_eq_nocase(struct nu_str a, struct nu_str b);
bool nu_str_starts_with_nocase(struct nu_str s, struct nu_str prefix);
bool nu_str_ends_with_nocase(struct nu_str s, struct nu_str suffix);
/* memcmp order, the shorter first among equals. */
int nu_str_cmp(struct nu_str a, struct nu_str b);

#define NU_NPOS ((size_t)-1)
/* Index of the first (last) `c`, or NU_NPOS. */
size_t nu_str_find_char(struct nu_str s, char c);
size_t nu_str_rfind_char(struct nu_str s, char c);
/* Index of the first occurrence of `needle`, or NU_NPOS; an empty needle is found at 0. */
size_t nu_str_find(struct nu_str s, struct nu_str needle);
bool nu_str_contains_nocase(struct nu_str s, struct nu_str needle);

/* Without spaces and tabs at both ends. */
struct nu_str nu_str_trim(struct nu_str s);
/*
 * Cuts the part before the first `sep` off `*rest` and returns it; without a `sep` returns all and
 * leaves `*rest` empty with a NULL pointer, so that `while (rest.ptr)` visits every part.
 */
struct nu_str nu_str_split(struct nu_str *rest, char sep);

/* Decimal digits only, no sign, no blank: NU_INVALID, or NU_OVERFLOW beyond 64 bits. */
NU_MUST_USE enum nu_result nu_str_to_u64(struct nu_str s, uint64_t *out);
/* With an optional '-' or '+'. */
NU_MUST_USE enum nu_result nu_str_to_i64(struct nu_str s, int64_t *out);
/* A number in JSON's form, the whole view: NU_INVALID, or NU_OVERFLOW beyond a double's range. Too
 * small ones become 0. */
NU_MUST_USE enum nu_result nu_str_to_double(struct nu_str s, double *out);

/* 10 to the power of the index. */
extern const uint64_t nu_powers_of_ten[20];

/* Writes `n` in decimal to `out` (at least 20 bytes), no NUL; returns the length. */
size_t nu_u64_to_chars(uint64_t n, char *out);

/* Whether the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool nu_str_is_utf8(struct nu_str s);
/* How many characters well-formed UTF-8 has. */
size_t nu_utf8_count(struct nu_str s);
enum { NU_UTF8_MAX = 4 };
/* Writes a character, at most U+10FFFF, as UTF-8; returns the length. */
size_t nu_utf8_write(uint32_t c, char out[NU_UTF8_MAX]);

/*
 * Number of single-character edits between two short strings (ASCII case ignored), or `limit + 1`
 * once it is known to exceed `limit`. For "did you mean" suggestions; strings over 64 bytes count
 * as over the limit.
 */
unsigned nu_str_distance(struct nu_str a, struct nu_str b, unsigned limit);

/* The one of several names that is nearest to a wanted one. */
struct nu_nearest {
    struct nu_str name;
    const char *best;  /* NULL: none is near enough */
    unsigned distance; /* of the best; at first one more than a name may have */
};
/* Looks at one, which is called `name`. */
void nu_nearest_consider_as(struct nu_nearest *nearest, const char *candidate, struct nu_str name);
static inline void nu_nearest_consider(struct nu_nearest *nearest, const char *candidate)
{
    nu_nearest_consider_as(nearest, candidate, nu_str_from(candidate));
}

/* A growable string. Zero-initialise it; nu_strbuf_finish frees it. Always NUL-terminated when data
 * is not NULL. */
struct nu_strbuf {
    char *data; /* owned; NULL while nothing was added */
    size_t len;
    size_t cap;
};

void nu_strbuf_finish(struct nu_strbuf *sb);
/* Keeps the memory, drops the content. */
void nu_strbuf_clear(struct nu_strbuf *sb);
/* Room for `n` more bytes; returns where they go. nu_strbuf_commit then adds them. */
char *nu_strbuf_reserve(struct nu_strbuf *sb, size_t n);
void nu_strbuf_commit(struct nu_strbuf *sb, size_t n);
void nu_strbuf_add(struct nu_strbuf *sb, struct nu_str s);
void nu_strbuf_add_cstr(struct nu_strbuf *sb, const char *s);
void nu_strbuf_add_char(struct nu_strbuf *sb, char c);
void nu_strbuf_add_u64(struct nu_strbuf *sb, uint64_t n);
void nu_strbuf_addf(struct nu_strbuf *sb, const char *fmt, ...) NU_PRINTF(2, 3);
void nu_strbuf_addv(struct nu_strbuf *sb, const char *fmt, va_list args);
/* A view of the content, valid until the next change. */
struct nu_str nu_strbuf_str(const struct nu_strbuf *sb);
/* The content as heap memory (never NULL), which the caller frees; the builder becomes empty. */
char *nu_strbuf_take(struct nu_strbuf *sb);

#ifdef __cplusplus
}
#endif

#endif
