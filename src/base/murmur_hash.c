/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MurmurHash2, 64A: words of eight bytes are mixed and folded in one after the other, then what is
 * left as one shorter word. The seed is the one of libstdc++'s std::hash.
 */
#include "base/murmur_hash.h"

#include <endian.h>

static const uint64_t factor = 0xc6a4a7935bd1e995u;
static const uint64_t seed = 0xc70f6907u;

static uint64_t shift_mix(uint64_t x)
{
    return x ^ x >> 47;
}

/* Up to eight bytes as a little-endian number. */
static uint64_t read_word(const char *p, size_t len)
{
    uint64_t x = 0;
    memcpy(&x, p, len);
    return le64toh(x);
}

uint64_t nu_murmur_hash2(struct nu_str bytes)
{
    uint64_t hash = seed ^ bytes.len * factor;
    for (; bytes.len >= 8; bytes = nu_str_skip(bytes, 8))
        hash = (hash ^ shift_mix(read_word(bytes.ptr, 8) * factor) * factor) * factor;
    if (bytes.len)
        hash = (hash ^ read_word(bytes.ptr, bytes.len)) * factor;
    return shift_mix(shift_mix(hash) * factor);
}
