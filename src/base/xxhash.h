/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xxHash64, which Envoy fixes where its hashes are seen from outside: versions in statistics, rings
 * and Maglev tables, a route's hash policy. Not for tables whose keys a peer picks: see
 * base/hash.h.
 */
#ifndef NU_BASE_XXHASH_H
#define NU_BASE_XXHASH_H

#include "base/str.h"

uint64_t nu_xxhash64_seeded(struct nu_str bytes, uint64_t seed);
/* With the seed 0. */
uint64_t nu_xxhash64(struct nu_str bytes);

#endif
