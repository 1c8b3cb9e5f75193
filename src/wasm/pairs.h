/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header maps as they cross the boundary: a count, the lengths of each name and value, then the
 * bytes, each with a NUL behind it. An empty map of headers has no bytes at all; other maps, and
 * lists, which are pairs without values, then have a count of none.
 */
#ifndef NU_WASM_PAIRS_H
#define NU_WASM_PAIRS_H

#include "base/str.h"
#include "nuncio/headers.h"

enum {
    NU_WASM_PAIRS_MAX = 1024,
    NU_WASM_PAIRS_BYTES_MAX = 1024 * 1024,
};

/* Bytes that the map takes. */
size_t nu_wasm_pairs_size(const struct nu_headers *headers);
/* Writes them to `out`, which has so many. */
void nu_wasm_pairs_write(const struct nu_headers *headers, uint8_t *out);

struct nu_wasm_pair {
    struct nu_str name;
    struct nu_str value;
};

/* A walk over encoded pairs. */
struct nu_wasm_pairs {
    struct nu_str lengths;
    struct nu_str bytes;
    uint32_t left;
};

/*
 * Checks a guest's pairs as a whole and begins to walk them. False, as Envoy judges it, if they are
 * too many or too large or do not add up; the walk is empty then.
 */
NU_MUST_USE bool nu_wasm_pairs_begin(struct nu_wasm_pairs *walk, struct nu_str encoded);
/* The next pair, views into what was given; false at the end. */
bool nu_wasm_pairs_next(struct nu_wasm_pairs *walk, struct nu_wasm_pair *pair);

/* Numbers in a guest's memory are little-endian. */
static inline uint32_t nu_wasm_get_u32(const char *at)
{
    const unsigned char *b = (const unsigned char *)at;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline void nu_wasm_put_u32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static inline void nu_wasm_put_u64(uint8_t *at, uint64_t value)
{
    nu_wasm_put_u32(at, (uint32_t)value);
    nu_wasm_put_u32(at + 4, (uint32_t)(value >> 32));
}

/* The same at the end of a string. */
static inline void nu_wasm_add_u32(struct nu_strbuf *out, uint32_t value)
{
    uint8_t bytes[4];
    nu_wasm_put_u32(bytes, value);
    nu_strbuf_add(out, nu_str_make((const char *)bytes, sizeof(bytes)));
}

static inline void nu_wasm_add_u64(struct nu_strbuf *out, uint64_t value)
{
    uint8_t bytes[8];
    nu_wasm_put_u64(bytes, value);
    nu_strbuf_add(out, nu_str_make((const char *)bytes, sizeof(bytes)));
}

/* Pairs of values of any kind: their halves are appended to the text one by one, names and values
 * in turn, each followed by nu_wasm_half_end. */
struct nu_wasm_halves {
    struct nu_strbuf *out;
    size_t length_at; /* where the next one's length goes */
    size_t begin;     /* where it began */
};

void nu_wasm_halves_begin(struct nu_wasm_halves *halves, size_t pairs, struct nu_strbuf *out);
void nu_wasm_half_end(struct nu_wasm_halves *halves);

#endif
