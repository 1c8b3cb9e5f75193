/* SPDX-License-Identifier: Apache-2.0 */
/* Header name ids through a perfect hash, and the character classes of names and values. */
#include "http/header_name.h"

#include <endian.h>

#include "http/header_scan.h"

#include "http/header_hash_generated.h"

_Static_assert(NU_HEADER_HASH_MAX_LEN + sizeof(": ") - 1 <= NU_HEADER_ROW_ROOM,
               "a longer name would go out cut");

const struct nu_header_row nu_header_rows[NU_HEADER_ID_COUNT] = {
#define X(id, name) [NU_HEADER_##id] = {name ": ", sizeof(name) - 1},
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

#define ONES ((uint64_t)0x0101010101010101u)
#define HALF_ONES 0x01010101u

/* Whether `text`, with the bits of `fold` set in each byte, is `known`: by words that overlap at
 * the end. */
static inline bool is_equal(const char *known, const char *text, size_t len, unsigned fold)
{
    if (len >= 8) {
        size_t at = 0;
        for (; at + 8 < len; at += 8) {
            if (load_word(known + at) != (load_word(text + at) | fold * ONES))
                return false;
        }
        return load_word(known + len - 8) == (load_word(text + len - 8) | fold * ONES);
    }
    if (len >= 4)
        return load_half(known) == (load_half(text) | fold * HALF_ONES) &&
               load_half(known + len - 4) == (load_half(text + len - 4) | fold * HALF_ONES);
    for (size_t i = 0; i < len; i++) {
        if (known[i] != (char)((unsigned char)text[i] | fold))
            return false;
    }
    return true;
}

static inline uint16_t load_quarter(const char *p)
{
    uint16_t w;
    memcpy(&w, p, sizeof(w));
    return w;
}

/* What tools/gen_header_hash.py makes of a name, on a machine of either byte order. */
static inline uint64_t key_of(const char *text, size_t len)
{
    uint32_t middle;
    uint32_t last;
    if (nu_likely(len >= 4)) {
        middle = le32toh(load_half(text + (len - 4) / 2));
        last = le32toh(load_half(text + len - 4));
        return ((uint64_t)(middle | 0x20 * HALF_ONES) << 32 | (last | 0x20 * HALF_ONES)) + len;
    }
    middle = le16toh(load_quarter(text + (len - 2) / 2));
    last = le16toh(load_quarter(text + len - 2));
    return ((uint64_t)(middle | 0x2020) << 32 | (last | 0x2020)) + len;
}

enum nu_header_id nu_header_id_guess(struct nu_str name)
{
    if (nu_unlikely(name.len < 2 || name.len > NU_HEADER_HASH_MAX_LEN))
        return NU_HEADER_OTHER;
    return (enum nu_header_id)nu_header_hash_slots[NU_HEADER_HASH(key_of(name.ptr, name.len))];
}

static inline enum nu_header_id id_of(struct nu_str name, unsigned fold)
{
    enum nu_header_id id = nu_header_id_guess(name);
    const struct nu_header_row *row = &nu_header_rows[id];
    if (row->len != name.len || !is_equal(row->text, name.ptr, name.len, fold))
        return NU_HEADER_OTHER;
    return id;
}

enum nu_header_id nu_header_id_of(struct nu_str name)
{
    return id_of(name, 0);
}

/* Among token characters only letters change when bit 0x20 is set, but for '_' and '^', which
 * become characters that no known name has. */
enum nu_header_id nu_header_id_of_token(struct nu_str name)
{
    return id_of(name, 0x20);
}

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
#if NU_HEADER_SCAN
    while (end - p >= 16) {
        unsigned unusual = nu_scan_unusual_in_name(p);
        if (!unusual) {
            p += 16;
            continue;
        }
        p += __builtin_ctz(unusual);
        if (!is_token[(unsigned char)*p])
            return p;
        p++;
    }
#endif
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

const char *nu_header_value_end(const char *p, const char *end)
{
#if NU_HEADER_SCAN
    while (end - p >= 16) {
        unsigned control = nu_scan_control(p);
        if (!control) {
            p += 16;
            continue;
        }
        p += __builtin_ctz(control);
        if (*p != '\t')
            return p;
        p++;
    }
#endif
    while (p < end && is_value_char(*p))
        p++;
    return p;
}

const char *nu_plain_path_end(const char *p, const char *end)
{
#if NU_HEADER_SCAN
    while (end - p >= 16) {
        unsigned other = nu_scan_unusual_in_path(p);
        if (other)
            return p + __builtin_ctz(other);
        p += 16;
    }
#endif
    while (p < end && *p >= '!' && *p <= '~' && *p != '#')
        p++;
    return p;
}

const char *nu_plain_text_end(const char *p, const char *end)
{
#if NU_HEADER_SCAN
    while (end - p >= 16) {
        unsigned other = nu_scan_no_text(p);
        if (other)
            return p + __builtin_ctz(other);
        p += 16;
    }
#endif
    while (p < end && *p >= ' ' && *p <= '~')
        p++;
    return p;
}

bool nu_header_value_is_valid(struct nu_str value)
{
    return value.len == 0 ||
           nu_header_value_end(value.ptr, value.ptr + value.len) == value.ptr + value.len;
}
