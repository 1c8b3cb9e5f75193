/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Token parsing: a sign more than base's integer parser takes, and the digits kept for big numbers.
 */
#include "prime/token.h"

struct nu_str nu_prime_skip_zeros(struct nu_str digits)
{
    while (digits.len > 1 && digits.ptr[0] == '0')
        digits = nu_str_skip(digits, 1);
    return digits;
}

enum nu_result nu_prime_parse_token(struct nu_str token, size_t max_digits,
                                    struct nu_prime_token *out)
{
    if (token.len && token.ptr[0] == '+')
        token = nu_str_skip(token, 1);
    uint64_t value = 0;
    enum nu_result result = nu_str_to_u64(token, &value);
    if (result == NU_INVALID)
        return result;
    out->digits = nu_prime_skip_zeros(token);
    out->value = value;
    return out->digits.len > max_digits ? NU_TOO_LARGE : result;
}
