/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Primality of numbers that fit in 32 bits, behind prime/prime.h: one modular exponentiation where
 * larger numbers take seven. No state; any thread may call.
 */
#ifndef NU_PRIME_PRIME32_H
#define NU_PRIME_PRIME32_H

#include <stdbool.h>

#include "base/compiler.h"

/* Whether `n`, which is at least 65536 and has no prime factor below 54, is a prime number. */
bool nu_prime_is_prime_u32(uint32_t n);

#endif
