/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Big numbers. Small factors are looked for in the decimal text, nine digits at a time, before
 * anything is allocated: that alone turns away nine composites in ten. OpenSSL does the rest.
 */
#include "prime/decimal.h"

#include <openssl/bn.h>
#include <openssl/err.h>

#include "prime/prime.h"
#include "prime/token.h"

static bool is_all_digits(struct nu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!nu_ascii_is_digit(s.ptr[i]))
            return false;
    }
    return s.len > 0;
}

/*
 * The remainders by three products of primes, each below 2^32 so that a remainder times 10^9 fits
 * in 64 bits: 3 to 29, 31 to 47, 53 to 71.
 */
static bool has_small_factor(struct nu_str digits)
{
    enum { CHUNK = 9 };
    static const uint64_t powers[CHUNK + 1] = {1,      10,      100,      1000,      10000,
                                               100000, 1000000, 10000000, 100000000, 1000000000};
    if ((digits.ptr[digits.len - 1] - '0') % 2 == 0)
        return true;
    uint64_t a = 0;
    uint64_t b = 0;
    uint64_t c = 0;
    while (digits.len) {
        size_t n = nu_min_size(digits.len, CHUNK);
        uint64_t chunk = 0;
        for (size_t i = 0; i < n; i++)
            chunk = chunk * 10 + (uint64_t)(digits.ptr[i] - '0');
        a = (a * powers[n] + chunk) % (3u * 5 * 7 * 11 * 13 * 17 * 19 * 23 * 29);
        b = (b * powers[n] + chunk) % (31u * 37 * 41 * 43 * 47);
        c = (c * powers[n] + chunk) % (53u * 59 * 61 * 67 * 71);
        digits = nu_str_skip(digits, n);
    }
    return a % 3 == 0 || a % 5 == 0 || a % 7 == 0 || a % 11 == 0 || a % 13 == 0 || a % 17 == 0 ||
           a % 19 == 0 || a % 23 == 0 || a % 29 == 0 || b % 31 == 0 || b % 37 == 0 || b % 41 == 0 ||
           b % 43 == 0 || b % 47 == 0 || c % 53 == 0 || c % 59 == 0 || c % 61 == 0 || c % 67 == 0 ||
           c % 71 == 0;
}

/* OpenSSL calls this with kind 1 after each round that the number has passed; 0 stops it. */
static int after_round(int kind, int round, BN_GENCB *callback)
{
    bool *is_enough = BN_GENCB_get_arg(callback);
    *is_enough = kind == 1 && round + 1 >= NU_PRIME_ROUNDS;
    return !*is_enough;
}

/* 1, 0, or -1 when OpenSSL fails. */
static int check(const BIGNUM *number, BN_CTX *context, BN_GENCB *callback)
{
    if (!number || !context || !callback)
        return -1;
    bool is_enough = false;
    BN_GENCB_set(callback, after_round, &is_enough);
    int answer = BN_check_prime(number, context, callback);
    return is_enough ? 1 : answer;
}

static enum nu_result check_big(struct nu_str digits, bool *is_prime)
{
    char text[NU_PRIME_DIGITS_MAX + 1];
    memcpy(text, digits.ptr, digits.len);
    text[digits.len] = '\0';
    BIGNUM *number = NULL;
    BN_dec2bn(&number, text);
    BN_CTX *context = BN_CTX_new();
    BN_GENCB *callback = BN_GENCB_new();
    int answer = check(number, context, callback);
    BN_GENCB_free(callback);
    BN_CTX_free(context);
    BN_free(number);
    ERR_clear_error();
    *is_prime = answer == 1;
    return answer < 0 ? NU_IO_ERROR : NU_OK;
}

enum nu_result nu_prime_is_prime_decimal(struct nu_str digits, size_t max_digits, bool *is_prime)
{
    if (!is_all_digits(digits))
        return NU_INVALID;
    digits = nu_prime_skip_zeros(digits);
    if (digits.len > nu_min_size(max_digits, NU_PRIME_DIGITS_MAX))
        return NU_TOO_LARGE;
    uint64_t small;
    if (nu_str_to_u64(digits, &small) == NU_OK) {
        *is_prime = nu_prime_is_prime_u64(small);
        return NU_OK;
    }
    if (has_small_factor(digits)) {
        *is_prime = false;
        return NU_OK;
    }
    return check_big(digits, is_prime);
}
