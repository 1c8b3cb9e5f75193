/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens: parsing against a second parser that is written another way, primality against OpenSSL at
 * full strength. The first eight bytes are also taken as a number, as few inputs are digits alone.
 */
#include <openssl/bn.h>

#include "base/assert.h"
#include "prime/decimal.h"
#include "prime/prime.h"
#include "prime/token.h"
#include "fuzz/target.h"

enum { MAX_DIGITS = 60 }; /* OpenSSL would take too long on more to be asked that often */

struct verdict {
    enum nu_result result;
    uint64_t value;
    size_t digits; /* behind the leading zeros; at least 1 */
};

/* The rules of Rust's str::parse::<u64>(), one character at a time. */
static struct verdict parse_again(const uint8_t *data, size_t size)
{
    static const struct verdict invalid = {NU_INVALID, 0, 0};
    struct verdict verdict = {NU_OK, 0, 0};
    size_t i = size > 0 && data[0] == '+' ? 1 : 0;
    if (i == size)
        return invalid;
    nu_u128 value = 0;
    for (; i < size; i++) {
        if (data[i] < 0x30 || data[i] > 0x39)
            return invalid;
        verdict.digits += verdict.digits || data[i] != 0x30;
        if (value <= UINT64_MAX)
            value = value * 10u + (unsigned)(data[i] - 0x30);
    }
    verdict.digits += verdict.digits == 0;
    verdict.value = (uint64_t)value;
    if (verdict.digits > MAX_DIGITS)
        verdict.result = NU_TOO_LARGE;
    else if (value > UINT64_MAX)
        verdict.result = NU_OVERFLOW;
    return verdict;
}

static bool openssl_says_prime(BIGNUM *number)
{
    int answer = BN_check_prime(number, NULL, NULL);
    nu_assert(answer >= 0);
    BN_free(number);
    return answer == 1;
}

static BIGNUM *from_u64(uint64_t n)
{
    BIGNUM *number = BN_new();
    nu_assert(number && BN_set_word(number, n));
    return number;
}

static BIGNUM *from_digits(struct nu_str digits)
{
    char text[MAX_DIGITS + 1];
    BIGNUM *number = NULL;
    memcpy(text, digits.ptr, digits.len);
    text[digits.len] = '\0';
    nu_assert(BN_dec2bn(&number, text) == (int)digits.len);
    return number;
}

static bool decimal_says_prime(struct nu_str digits)
{
    bool is_prime;
    nu_assert(nu_prime_is_prime_decimal(digits, MAX_DIGITS, &is_prime) == NU_OK);
    return is_prime;
}

static void check_token(struct nu_str text, struct verdict want)
{
    struct nu_prime_token token;
    nu_assert(nu_prime_parse_token(text, MAX_DIGITS, &token) == want.result);
    if (want.result == NU_INVALID)
        return;
    nu_assert(token.digits.len == want.digits);
    nu_assert(token.digits.ptr + token.digits.len == text.ptr + text.len);
    if (want.result == NU_TOO_LARGE)
        return;
    bool is_prime = openssl_says_prime(from_digits(token.digits));
    nu_assert(decimal_says_prime(token.digits) == is_prime);
    if (want.result == NU_OK) {
        nu_assert(token.value == want.value);
        nu_assert(nu_prime_is_prime_u64(token.value) == is_prime);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_token(nu_str_make((const char *)data, size), parse_again(data, size));
    if (size >= 8) {
        uint64_t n;
        memcpy(&n, data, sizeof(n));
        nu_assert(nu_prime_is_prime_u64(n) == openssl_says_prime(from_u64(n)));
    }
    return 0;
}
