/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core of nuncio's first job: a request passes when its token is a prime number. This header
 * answers for 64-bit numbers; prime/token.h reads the number out of a token and prime/decimal.h
 * answers for numbers of more than 64 bits. No state, no locks, no I/O: any thread may call.
 */
#ifndef NU_PRIME_PRIME_H
#define NU_PRIME_PRIME_H

#include <stdbool.h>

#include "base/compiler.h"

/*
 * Whether `n` is a prime number. The answer is exact for every `n`. The work is bounded: one look
 * into a table below 65536, one modular exponentiation below 2^32, else at most seven, well under 2
 * microseconds.
 */
bool nu_prime_is_prime_u64(uint64_t n);

#endif
