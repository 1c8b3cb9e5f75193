/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens: the text that a client sends as its number. What counts as a number is exactly what
 * Rust's str::parse::<u64>() takes.
 */
#ifndef NU_PRIME_TOKEN_H
#define NU_PRIME_TOKEN_H

#include "base/str.h"

struct nu_prime_token {
    struct nu_str digits; /* borrowed from the token: no sign, no leading zeros; "0" for zero */
    uint64_t value;       /* the number, with NU_OK only */
};

/*
 * Reads a token: one '+' or none, then ASCII digits, at least one; leading zeros are allowed. Any
 * thread. Returns, in this order,
 *   NU_INVALID    anything else: `*out` is left alone
 *   NU_TOO_LARGE  more than `max_digits` digits behind the leading zeros
 *   NU_OVERFLOW   a number beyond 64 bits; `out->digits` is set (prime/decimal.h takes them)
 *   NU_OK         `out->digits` and `out->value` are set
 */
NU_MUST_USE enum nu_result nu_prime_parse_token(struct nu_str token, size_t max_digits,
                                                struct nu_prime_token *out);

/* The digits without leading zeros, of which one stays when there is nothing else. */
struct nu_str nu_prime_skip_zeros(struct nu_str digits);

#endif
