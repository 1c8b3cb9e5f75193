/* SPDX-License-Identifier: Apache-2.0 */
/* Header name ids through a perfect hash, and the character classes of names and values. */
#include "http/header_name.h"

#include "http/header_hash_generated.h"

static const struct nu_str names[NU_HEADER_ID_COUNT] = {
#define X(id, name) [NU_HEADER_##id] = NU_STR_INIT(name),
    NU_HEADER_NAMES(X)
#undef X
};

static inline uint64_t load_word(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof(w));
    return w;
}

static inline uint32_t load_half(const char *p)
{
    uint32_t w;
    memcpy(&w, p, sizeof(w));
    return w;
}

/* Whether `len` bytes are equal, for short texts: by words that overlap at the end. */
static inline bool is_equal(const char *a, const char *b, size_t len)
{
    if (len < 8) {
        if (len < 4)
            return memcmp(a, b, len) == 0;
        return load_half(a) == load_half(b) && load_half(a + len - 4) == load_half(b + len - 4);
    }
    size_t at = 0;
    for (; at + 8 < len; at += 8) {
        if (load_word(a + at) != load_word(b + at))
            return false;
    }
    return load_word(a + len - 8) == load_word(b + len - 8);
}

enum nu_header_id nu_header_id_of(struct nu_str name)
{
    if (name.len < 2 || name.len > NU_HEADER_HASH_MAX_LEN)
        return NU_HEADER_OTHER;
    const char *text = name.ptr;
    size_t len = name.len;
    unsigned id = nu_header_hash_slots[NU_HEADER_HASH(text, len)];
    if (names[id].len != len || !is_equal(names[id].ptr, text, len))
        return NU_HEADER_OTHER;
    return (enum nu_header_id)id;
}

struct nu_str nu_header_name_of(enum nu_header_id id)
{
    return names[id];
}

#define ONES ((uint64_t)0x0101010101010101u)

/* Eight bytes at a time: bit 7 is set in each byte that holds 'A' to 'Z'. */
static inline uint64_t upper_bits(uint64_t w)
{
    uint64_t low7 = w & (0x7f * ONES);
    uint64_t from_a = low7 + (0x80 - 'A') * ONES;
    uint64_t past_z = low7 + (0x80 - 'Z' - 1) * ONES;
    return from_a & ~past_z & ~w & (0x80 * ONES);
}

bool nu_header_name_has_upper(struct nu_str name)
{
    const char *p = name.ptr;
    size_t left = name.len;
    uint64_t found = 0;
    for (; left >= 8; left -= 8, p += 8)
        found |= upper_bits(load_word(p));
    if (left && name.len >= 8)
        return (found | upper_bits(load_word(p + left - 8))) != 0;
    for (size_t i = 0; i < left; i++)
        found |= upper_bits((unsigned char)p[i]);
    return found != 0;
}

static inline void lower_word(char *p)
{
    uint64_t w = load_word(p);
    w |= upper_bits(w) >> 2;
    memcpy(p, &w, sizeof(w));
}

void nu_header_name_lower(char *name, size_t len)
{
    if (len < 8) {
        for (size_t i = 0; i < len; i++)
            name[i] = nu_ascii_lower(name[i]);
        return;
    }
    for (size_t at = 0; at + 8 < len; at += 8)
        lower_word(name + at);
    lower_word(name + len - 8);
}

/* Whether a byte is a token character: the digits, the letters and !#$%&'*+-.^_`|~ */
__extension__ static const bool is_token[256] = {
    ['!'] = true,         ['#' ... '\''] = true, ['*' ... '+'] = true,
    ['-' ... '.'] = true, ['0' ... '9'] = true,  ['A' ... 'Z'] = true,
    ['^' ... 'z'] = true, ['|'] = true,          ['~'] = true,
};

bool nu_is_token_char(char c)
{
    return is_token[(unsigned char)c];
}

const char *nu_header_name_end(const char *p, const char *end)
{
    while (p < end && is_token[(unsigned char)*p])
        p++;
    return p;
}

bool nu_header_name_is_valid(struct nu_str name)
{
    return name.len > 0 && nu_header_name_end(name.ptr, name.ptr + name.len) == name.ptr + name.len;
}

static inline bool is_value_char(char c)
{
    unsigned char u = (unsigned char)c;
    return (u >= 0x20 && u != 0x7f) || c == '\t';
}

/* Eight bytes at a time: bit 7 is set in bytes below 0x20 and in 0x7f; the lowest set one is right, the
 * ones above it may not be. */
static inline uint64_t control_bits(uint64_t w)
{
    uint64_t below = (w - 0x20 * ONES) & ~w;
    uint64_t not_del = w ^ 0x7f * ONES;
    uint64_t del = (not_del - ONES) & ~not_del;
    return (below | del) & 0x80 * ONES;
}

const char *nu_header_value_end(const char *p, const char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (end - p >= 8) {
        uint64_t found = control_bits(load_word(p));
        if (!found) {
            p += 8;
            continue;
        }
        p += __builtin_ctzll(found) / 8;
        if (*p != '\t')
            return p;
        p++;
    }
#endif
    while (p < end && is_value_char(*p))
        p++;
    return p;
}

bool nu_header_value_is_valid(struct nu_str value)
{
    return value.len == 0 ||
           nu_header_value_end(value.ptr, value.ptr + value.len) == value.ptr + value.len;
}
