/* SPDX-License-Identifier: Apache-2.0 */
/* Writing pairs for guests, and reading what they hand out. */
#include "wasm/pairs.h"

enum {
    COUNT_BYTES = 4,
    LENGTHS_BYTES = 8,
};

size_t nu_wasm_pairs_size(const struct nu_headers *headers)
{
    size_t size = 0;
    size_t cursor = 0;
    struct nu_str name;
    struct nu_str value;
    while (nu_headers_next(headers, &cursor, &name, &value))
        size += LENGTHS_BYTES + name.len + 1 + value.len + 1;
    return size ? COUNT_BYTES + size : 0;
}

static uint8_t *put_bytes(uint8_t *at, struct nu_str s)
{
    if (s.len)
        memcpy(at, s.ptr, s.len);
    at[s.len] = 0;
    return at + s.len + 1;
}

void nu_wasm_pairs_write(const struct nu_headers *headers, uint8_t *out)
{
    size_t cursor = 0;
    struct nu_str name;
    struct nu_str value;
    size_t count = nu_headers_count(headers);
    uint8_t *lengths = out + COUNT_BYTES;
    uint8_t *bytes = lengths + count * LENGTHS_BYTES;
    nu_wasm_put_u32(out, (uint32_t)count);
    while (nu_headers_next(headers, &cursor, &name, &value)) {
        nu_wasm_put_u32(lengths, (uint32_t)name.len);
        nu_wasm_put_u32(lengths + 4, (uint32_t)value.len);
        lengths += LENGTHS_BYTES;
        bytes = put_bytes(put_bytes(bytes, name), value);
    }
}

/* Cuts a text and the NUL behind it off `bytes`. */
static bool take(struct nu_str *bytes, uint32_t length, struct nu_str *out)
{
    if (length >= bytes->len || bytes->ptr[length] != '\0')
        return false;
    *out = nu_str_first(*bytes, length);
    *bytes = nu_str_skip(*bytes, (size_t)length + 1);
    return true;
}

static bool adds_up(struct nu_wasm_pairs walk)
{
    struct nu_wasm_pair pair;
    while (walk.left) {
        if (!take(&walk.bytes, nu_wasm_get_u32(walk.lengths.ptr), &pair.name) ||
            !take(&walk.bytes, nu_wasm_get_u32(walk.lengths.ptr + 4), &pair.value))
            return false;
        walk.lengths = nu_str_skip(walk.lengths, LENGTHS_BYTES);
        walk.left--;
    }
    return walk.bytes.len == 0;
}

bool nu_wasm_pairs_begin(struct nu_wasm_pairs *walk, struct nu_str encoded)
{
    *walk = (struct nu_wasm_pairs){.left = 0};
    if (encoded.len == 0 || (encoded.len == 1 && encoded.ptr[0] == '\0'))
        return true;
    if (encoded.len > NU_WASM_PAIRS_BYTES_MAX || encoded.len < COUNT_BYTES)
        return false;
    struct nu_wasm_pairs found = {.left = nu_wasm_get_u32(encoded.ptr)};
    encoded = nu_str_skip(encoded, COUNT_BYTES);
    if (found.left > NU_WASM_PAIRS_MAX || (size_t)found.left * LENGTHS_BYTES > encoded.len)
        return false;
    found.lengths = nu_str_first(encoded, (size_t)found.left * LENGTHS_BYTES);
    found.bytes = nu_str_skip(encoded, found.lengths.len);
    if (!adds_up(found))
        return false;
    *walk = found;
    return true;
}

bool nu_wasm_pairs_next(struct nu_wasm_pairs *walk, struct nu_wasm_pair *pair)
{
    if (walk->left == 0)
        return false;
    walk->left--;
    uint32_t name_length = nu_wasm_get_u32(walk->lengths.ptr);
    uint32_t value_length = nu_wasm_get_u32(walk->lengths.ptr + 4);
    walk->lengths = nu_str_skip(walk->lengths, LENGTHS_BYTES);
    return take(&walk->bytes, name_length, &pair->name) &&
           take(&walk->bytes, value_length, &pair->value);
}

void nu_wasm_halves_begin(struct nu_wasm_halves *halves, size_t pairs, struct nu_strbuf *out)
{
    size_t lengths = LENGTHS_BYTES * pairs;
    nu_wasm_add_u32(out, (uint32_t)pairs);
    *halves = (struct nu_wasm_halves){.out = out, .length_at = out->len};
    if (lengths)
        memset(nu_strbuf_reserve(out, lengths), 0, lengths);
    nu_strbuf_commit(out, lengths);
    halves->begin = out->len;
}

void nu_wasm_half_end(struct nu_wasm_halves *halves)
{
    struct nu_strbuf *out = halves->out;
    nu_wasm_put_u32((uint8_t *)out->data + halves->length_at, (uint32_t)(out->len - halves->begin));
    nu_strbuf_add_char(out, '\0');
    halves->length_at += sizeof(uint32_t);
    halves->begin = out->len;
}
