/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Primality of decimal numbers of any size up to a bound, on OpenSSL's big numbers. Any thread; the
 * calls share nothing but OpenSSL's own random generators.
 */
#ifndef NU_PRIME_DECIMAL_H
#define NU_PRIME_DECIMAL_H

#include "base/str.h"

enum {
    NU_PRIME_DIGITS_MAX = 4096, /* no caller may allow more */
    NU_PRIME_ROUNDS = 32,       /* Miller-Rabin rounds on numbers beyond 64 bits */
};

/*
 * Whether the number with these ASCII digits (leading zeros allowed) is a prime, in `*is_prime`.
 * Returns NU_OK, NU_INVALID (empty, or not digits alone), NU_TOO_LARGE (more than `max_digits` or
 * NU_PRIME_DIGITS_MAX digits behind the leading zeros), or NU_IO_ERROR (OpenSSL has no memory or no
 * random numbers; `*is_prime` is then false).
 *
 * Exact up to 64 bits. Beyond, "not a prime" is certain, and a composite is taken for a prime with
 * a probability of at most 4^-32 = 2^-64, whoever chose it: the bases are drawn after the number is
 * known. (BN_check_prime would go on to 64 or, over 2048 bits, 128 rounds: 2^-128, 2^-256.)
 *
 * The work is bounded: trial division, then at most NU_PRIME_ROUNDS exponentiations. Those grow
 * with the cube of the digits and only a prime needs them all, a composite nearly always one. The
 * calling thread is busy meanwhile: for a prime about 1 ms at 100 digits, 10 ms at 300, 350 ms at
 * 1000, and 20 s at 4096. A worker should allow no more digits than its other streams can wait for.
 */
NU_MUST_USE enum nu_result nu_prime_is_prime_decimal(struct nu_str digits, size_t max_digits,
                                                     bool *is_prime);

#endif
