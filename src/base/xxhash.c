/* SPDX-License-Identifier: Apache-2.0 */
/* xxHash64 as its specification has it: four lanes over blocks of 32 bytes, then the rest. */
#include "base/xxhash.h"

#include <endian.h>

static const uint64_t prime1 = 11400714785074694791u;
static const uint64_t prime2 = 14029467366897019727u;
static const uint64_t prime3 = 1609587929392839161u;
static const uint64_t prime4 = 9650029242287828579u;
static const uint64_t prime5 = 2870177450012600261u;

static uint64_t rotate(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static uint64_t read64(const char *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof(x));
    return le64toh(x);
}

static uint32_t read32(const char *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof(x));
    return le32toh(x);
}

static uint64_t mix(uint64_t lane, uint64_t input)
{
    return rotate(lane + input * prime2, 31) * prime1;
}

static uint64_t merge(uint64_t hash, uint64_t lane)
{
    return (hash ^ mix(0, lane)) * prime1 + prime4;
}

/* Takes all whole blocks from `bytes`. */
static uint64_t hash_blocks(struct nu_str *bytes, uint64_t seed)
{
    enum { BLOCK = 32 };
    uint64_t lanes[4] = {seed + prime1 + prime2, seed + prime2, seed, seed - prime1};
    for (; bytes->len >= BLOCK; *bytes = nu_str_skip(*bytes, BLOCK)) {
        for (size_t i = 0; i < 4; i++)
            lanes[i] = mix(lanes[i], read64(bytes->ptr + 8 * i));
    }
    uint64_t hash =
        rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
    for (size_t i = 0; i < 4; i++)
        hash = merge(hash, lanes[i]);
    return hash;
}

uint64_t nu_xxhash64_seeded(struct nu_str bytes, uint64_t seed)
{
    size_t total = bytes.len;
    uint64_t hash = total >= 32 ? hash_blocks(&bytes, seed) : seed + prime5;
    hash += total;
    for (; bytes.len >= 8; bytes = nu_str_skip(bytes, 8))
        hash = rotate(hash ^ mix(0, read64(bytes.ptr)), 27) * prime1 + prime4;
    for (; bytes.len >= 4; bytes = nu_str_skip(bytes, 4))
        hash = rotate(hash ^ read32(bytes.ptr) * prime1, 23) * prime2 + prime3;
    for (; bytes.len; bytes = nu_str_skip(bytes, 1))
        hash = rotate(hash ^ (uint8_t)bytes.ptr[0] * prime5, 11) * prime1;
    hash = (hash ^ hash >> 33) * prime2;
    hash = (hash ^ hash >> 29) * prime3;
    return hash ^ hash >> 32;
}

uint64_t nu_xxhash64(struct nu_str bytes)
{
    return nu_xxhash64_seeded(bytes, 0);
}
