/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MurmurHash2 for 64-bit machines (64A), as the standard library of GCC seeds it: the other hash
 * that Envoy's rings may be made with. Not for tables whose keys a peer picks: see base/hash.h.
 */
#ifndef NU_BASE_MURMUR_HASH_H
#define NU_BASE_MURMUR_HASH_H

#include "base/str.h"

uint64_t nu_murmur_hash2(struct nu_str bytes);

#endif
