/* SPDX-License-Identifier: Apache-2.0 */
/* Byte views and the string builder: searching, comparing, number parsing. */
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

int nu_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = nu_ascii_lower(c);
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool nu_str_eq_nocase(struct nu_str a, struct nu_str b)
{
    return a.len == b.len && nu_str_starts_with_nocase(a, b);
}

bool nu_str_starts_with_nocase(struct nu_str s, struct nu_str prefix)
{
    if (s.len < prefix.len)
        return false;
    for (size_t i = 0; i < prefix.len; i++) {
        if (nu_ascii_lower(s.ptr[i]) != nu_ascii_lower(prefix.ptr[i]))
            return false;
    }
    return true;
}

bool nu_str_ends_with_nocase(struct nu_str s, struct nu_str suffix)
{
    return s.len >= suffix.len && nu_str_eq_nocase(nu_str_skip(s, s.len - suffix.len), suffix);
}

int nu_str_cmp(struct nu_str a, struct nu_str b)
{
    size_t n = nu_min_size(a.len, b.len);
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

size_t nu_str_find_char(struct nu_str s, char c)
{
    const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return at ? (size_t)(at - s.ptr) : NU_NPOS;
}

size_t nu_str_rfind_char(struct nu_str s, char c)
{
    const char *at = s.len ? memrchr(s.ptr, c, s.len) : NULL;
    return at ? (size_t)(at - s.ptr) : NU_NPOS;
}

size_t nu_str_find(struct nu_str s, struct nu_str needle)
{
    if (needle.len == 0)
        return 0;
    const char *at = s.len ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
    return at ? (size_t)(at - s.ptr) : NU_NPOS;
}

bool nu_str_contains_nocase(struct nu_str s, struct nu_str needle)
{
    for (size_t i = 0; i + needle.len <= s.len; i++) {
        if (nu_str_starts_with_nocase(nu_str_skip(s, i), needle))
            return true;
    }
    return false;
}

struct nu_str nu_str_trim(struct nu_str s)
{
    while (s.len && nu_ascii_is_blank(s.ptr[0]))
        s = nu_str_skip(s, 1);
    while (s.len && nu_ascii_is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct nu_str nu_str_split(struct nu_str *rest, char sep)
{
    size_t at = nu_str_find_char(*rest, sep);
    struct nu_str part = *rest;
    if (at == NU_NPOS) {
        *rest = nu_str_make(NULL, 0);
        return part;
    }
    part.len = at;
    *rest = nu_str_make(rest->ptr + at + 1, rest->len - at - 1);
    return part;
}

enum nu_result nu_str_to_u64(struct nu_str s, uint64_t *out)
{
    if (s.len == 0)
        return NU_INVALID;
    uint64_t value = 0;
    bool overflow = false;
    /* As many digits as always fit. */
    size_t i = nu_min_size(s.len, 19);
    for (const char *p = s.ptr, *safe = p + i; p < safe; p++) {
        unsigned digit = (unsigned char)*p - (unsigned)'0';
        if (nu_unlikely(digit > 9))
            return NU_INVALID;
        value = value * 10 + digit;
    }
    for (; nu_unlikely(i < s.len); i++) {
        if (!nu_ascii_is_digit(s.ptr[i]))
            return NU_INVALID;
        overflow |= __builtin_mul_overflow(value, 10u, &value);
        overflow |= __builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value);
    }
    if (overflow)
        return NU_OVERFLOW;
    *out = value;
    return NU_OK;
}

enum nu_result nu_str_to_i64(struct nu_str s, int64_t *out)
{
    bool negative = s.len && s.ptr[0] == '-';
    if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        s = nu_str_skip(s, 1);
    uint64_t magnitude = 0;
    enum nu_result result = nu_str_to_u64(s, &magnitude);
    if (result != NU_OK)
        return result;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1u : 0u))
        return NU_OVERFLOW;
    *out = (int64_t)(negative ? (uint64_t)0 - magnitude : magnitude);
    return NU_OK;
}

static struct nu_str skip_digits(struct nu_str s)
{
    while (s.len && nu_ascii_is_digit(s.ptr[0]))
        s = nu_str_skip(s, 1);
    return s;
}

/* Cuts one or more digits off; false when there are none. */
static bool take_digits(struct nu_str *s)
{
    struct nu_str rest = skip_digits(*s);
    bool found = rest.len < s->len;
    *s = rest;
    return found;
}

/*
 * RFC 8259, section 6. strtod takes much more: "+1", ".5", "1.", "01", hexadecimal, "inf", "nan".
 */
static bool is_json_number(struct nu_str s)
{
    if (nu_str_starts_with(s, NU_STR("-")))
        s = nu_str_skip(s, 1);
    if (nu_str_starts_with(s, NU_STR("0")))
        s = nu_str_skip(s, 1);
    else if (!take_digits(&s))
        return false;
    if (nu_str_starts_with(s, NU_STR("."))) {
        s = nu_str_skip(s, 1);
        if (!take_digits(&s))
            return false;
    }
    if (nu_str_starts_with_nocase(s, NU_STR("e"))) {
        s = nu_str_skip(s, 1);
        if (nu_str_starts_with(s, NU_STR("+")) || nu_str_starts_with(s, NU_STR("-")))
            s = nu_str_skip(s, 1);
        if (!take_digits(&s))
            return false;
    }
    return s.len == 0;
}

enum nu_result nu_str_to_double(struct nu_str s, double *out)
{
    if (!is_json_number(s))
        return NU_INVALID;
    char *text = nu_strndup(s.ptr, s.len);
    errno = 0;
    double value = strtod(text, NULL);
    nu_free(text);
    if (errno == ERANGE && (value > 1 || value < -1))
        return NU_OVERFLOW;
    *out = value;
    return NU_OK;
}

const uint64_t nu_powers_of_ten[20] = {
    1u,
    10u,
    100u,
    1000u,
    10000u,
    100000u,
    1000000u,
    10000000u,
    100000000u,
    1000000000u,
    10000000000u,
    100000000000u,
    1000000000000u,
    10000000000000u,
    100000000000000u,
    1000000000000000u,
    10000000000000000u,
    100000000000000000u,
    1000000000000000000u,
    10000000000000000000u,
};

/* 1 + log10(n), from the bit length and one comparison. */
static unsigned decimal_digits(uint64_t n)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(n | 1);
    unsigned guess = bits * 1233 >> 12;
    return guess + (n >= nu_powers_of_ten[guess]);
}

size_t nu_u64_to_chars(uint64_t n, char *out)
{
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    if (n < 10) {
        out[0] = (char)('0' + n);
        return 1;
    }
    unsigned len = decimal_digits(n);
    char *at = out + len;
    for (; n >= 100; n /= 100)
        memcpy(at -= 2, pairs + n % 100 * 2, 2);
    if (n >= 10)
        memcpy(out, pairs + n * 2, 2);
    else
        out[0] = (char)('0' + n);
    return len;
}

/* The length of the well-formed UTF-8 sequence at `p`, or 0. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    unsigned char c = p[0];
    if (c < 0x80)
        return 1;
    size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) || (c == 0xf0 && p[1] < 0x90) ||
        (c == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

bool nu_str_is_utf8(struct nu_str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    for (size_t i = 0; i < s.len;) {
        size_t len = utf8_sequence(p + i, s.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

size_t nu_utf8_count(struct nu_str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.len; i++)
        count += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    return count;
}

size_t nu_utf8_write(uint32_t c, char out[NU_UTF8_MAX])
{
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    unsigned tail = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    out[0] = (char)(lead[tail] | c >> 6 * tail);
    for (unsigned i = 1; i <= tail; i++)
        out[i] = (char)(0x80 | (c >> 6 * (tail - i) & 0x3f));
    return tail + 1;
}

unsigned nu_str_distance(struct nu_str a, struct nu_str b, unsigned limit)
{
    enum { MAX_LEN = 64 };
    if (a.len > MAX_LEN || b.len > MAX_LEN)
        return limit + 1;
    unsigned row[MAX_LEN + 1];
    for (unsigned j = 0; j <= b.len; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            bool same = nu_ascii_lower(a.ptr[i - 1]) == nu_ascii_lower(b.ptr[j - 1]);
            unsigned replace = diagonal + (same ? 0u : 1u);
            diagonal = row[j];
            row[j] = nu_min_u32(replace, nu_min_u32(row[j], row[j - 1]) + 1);
        }
    }
    return nu_min_u32(row[b.len], limit + 1);
}

void nu_nearest_consider_as(struct nu_nearest *nearest, const char *candidate, struct nu_str name)
{
    unsigned distance = nu_str_distance(nearest->name, name, nearest->distance - 1);
    if (distance < nearest->distance) {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}

void nu_strbuf_finish(struct nu_strbuf *sb)
{
    nu_free(sb->data);
    *sb = (struct nu_strbuf){0};
}

void nu_strbuf_clear(struct nu_strbuf *sb)
{
    sb->len = 0;
    if (sb->data)
        sb->data[0] = '\0';
}

char *nu_strbuf_reserve(struct nu_strbuf *sb, size_t n)
{
    if (n >= sb->cap - sb->len) { /* the end is a zero byte more */
        sb->cap = nu_max_size(sb->len + n + 1, sb->cap + sb->cap / 2 + 64);
        sb->data = nu_realloc(sb->data, sb->cap);
    }
    return sb->data + sb->len;
}

void nu_strbuf_commit(struct nu_strbuf *sb, size_t n)
{
    sb->len += n;
    sb->data[sb->len] = '\0';
}

void nu_strbuf_add(struct nu_strbuf *sb, struct nu_str s)
{
    char *to = nu_strbuf_reserve(sb, s.len);
    if (s.len)
        memcpy(to, s.ptr, s.len);
    nu_strbuf_commit(sb, s.len);
}

void nu_strbuf_add_cstr(struct nu_strbuf *sb, const char *s)
{
    nu_strbuf_add(sb, nu_str_from(s));
}

void nu_strbuf_add_char(struct nu_strbuf *sb, char c)
{
    *nu_strbuf_reserve(sb, 1) = c;
    nu_strbuf_commit(sb, 1);
}

void nu_strbuf_add_u64(struct nu_strbuf *sb, uint64_t n)
{
    size_t len = nu_u64_to_chars(n, nu_strbuf_reserve(sb, 20));
    nu_strbuf_commit(sb, len);
}

void nu_strbuf_addv(struct nu_strbuf *sb, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    size_t room = sb->cap > sb->len ? sb->cap - sb->len : 0;
    int len = vsnprintf(room ? sb->data + sb->len : NULL, room, fmt, args);
    if (len > 0 && (size_t)len >= room)
        vsnprintf(nu_strbuf_reserve(sb, (size_t)len), (size_t)len + 1, fmt, again);
    va_end(again);
    if (len > 0)
        sb->len += (size_t)len;
}

void nu_strbuf_addf(struct nu_strbuf *sb, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    nu_strbuf_addv(sb, fmt, args);
    va_end(args);
}

struct nu_str nu_strbuf_str(const struct nu_strbuf *sb)
{
    return nu_str_make(sb->data, sb->len);
}

char *nu_strbuf_take(struct nu_strbuf *sb)
{
    nu_strbuf_reserve(sb, 0);
    sb->data[sb->len] = '\0';
    char *data = sb->data;
    *sb = (struct nu_strbuf){0};
    return data;
}
