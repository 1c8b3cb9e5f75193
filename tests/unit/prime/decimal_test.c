/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers beyond 64 bits: known primes and composites, composites made here, bounds. */
#include "harness/test.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>

#include "base/random.h"
#include "prime/decimal.h"
#include "prime/prime.h"

static bool is_prime(struct nu_str digits)
{
    bool answer = false;
    assert_int_equal(nu_prime_is_prime_decimal(digits, NU_PRIME_DIGITS_MAX, &answer), NU_OK);
    return answer;
}

static bool is_prime_number(const BIGNUM *number)
{
    char *text = BN_bn2dec(number);
    bool answer = is_prime(nu_str_from(text));
    OPENSSL_free(text);
    return answer;
}

/* 2^exponent - 1 */
static bool is_mersenne_prime(int exponent)
{
    BIGNUM *number = BN_new();
    BN_set_bit(number, exponent);
    BN_sub_word(number, 1);
    bool answer = is_prime_number(number);
    BN_free(number);
    return answer;
}

TEST(mersenne_primes_are_primes)
{
    static const int exponents[] = {61, 89, 107, 127, 521, 607};
    for (size_t i = 0; i < NU_ARRAY_LEN(exponents); i++)
        assert_true(is_mersenne_prime(exponents[i]));
}

/* Prime exponents whose Mersenne numbers are composite, without small factors most of them. */
TEST(mersenne_composites_are_composite)
{
    static const int exponents[] = {67, 71, 101, 103, 109, 137, 139, 149, 199, 257, 523, 1061};
    for (size_t i = 0; i < NU_ARRAY_LEN(exponents); i++)
        assert_false(is_mersenne_prime(exponents[i]));
}

TEST(smallest_primes_beyond_64_bits_are_found)
{
    assert_true(is_prime(NU_STR("18446744073709551629")));  /* 2^64 + 13 */
    assert_false(is_prime(NU_STR("18446744073709551616"))); /* 2^64 */
    assert_false(is_prime(NU_STR("18446744073709551617"))); /* 2^64 + 1 = 274177 * ... */
    assert_false(is_prime(NU_STR("18446744073709551627")));
}

TEST(strong_pseudoprimes_to_many_bases_are_composite)
{
    static const char *const numbers[] = {
        "318665857834031151167461",  /* to the first 12 primes */
        "3317044064679887385961981", /* to the first 13 */
        /* to every base below 100 (Bleichenbacher) */
        "68528663395046912244223605902738356719751082784386681071",
        /* to every prime base below 307 (Arnault) */
        "28871482380507712126714295971303939919776094592797227009265160241974323037991527331163289"
        "83144639225941977803110929349655578418949441740933805615113979999421542416933972905423711"
        "00275104208013496673175515285922696291677532547504444585610194940420003990443211677661994"
        "96295392502696987193290703735640322737012784538991261203092448414947289768854060249767681"
        "22077071687938121709811322297802059565867",
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(numbers); i++)
        assert_false(is_prime(nu_str_from(numbers[i])));
}

TEST(products_of_two_large_primes_are_composite)
{
    BIGNUM *p = BN_new();
    BIGNUM *q = BN_new();
    BIGNUM *n = BN_new();
    BN_CTX *context = BN_CTX_new();
    for (int bits = 40; bits <= 256; bits += 24) {
        assert_int_equal(BN_generate_prime_ex(p, bits, 0, NULL, NULL, NULL), 1);
        assert_int_equal(BN_generate_prime_ex(q, bits, 0, NULL, NULL, NULL), 1);
        BN_mul(n, p, q, context);
        assert_true(is_prime_number(p));
        assert_false(is_prime_number(n));
        BN_sqr(n, p, context);
        assert_false(is_prime_number(n));
    }
    BN_CTX_free(context);
    BN_free(p);
    BN_free(q);
    BN_free(n);
}

/* A known prime times each of the primes that the text is divided by. */
TEST(every_small_factor_is_found_in_any_length_of_text)
{
    BIGNUM *n = BN_new();
    for (int exponent = 61; exponent <= 127; exponent += 66) {
        for (BN_ULONG p = 2; p <= 97; p++) {
            BN_zero(n);
            BN_set_bit(n, exponent);
            BN_sub_word(n, 1);
            BN_mul_word(n, p);
            assert_false(is_prime_number(n));
        }
    }
    BN_free(n);
}

TEST(random_numbers_agree_with_openssl_at_full_strength)
{
    BIGNUM *n = BN_new();
    BN_CTX *context = BN_CTX_new();
    nu_random_seed(89);
    for (int i = 0; i < 400; i++) {
        unsigned char bytes[16];
        uint64_t halves[2] = {nu_random_u64(), nu_random_u64() | (uint64_t)1 << 56};
        memcpy(bytes, halves, sizeof(bytes));
        BN_bin2bn(bytes, 9 + i % 8, n);
        int want = BN_check_prime(n, context, NULL);
        assert_int_equal(is_prime_number(n), want);
    }
    BN_CTX_free(context);
    BN_free(n);
}

TEST(numbers_of_64_bits_get_the_exact_answer)
{
    assert_true(is_prime(NU_STR("2")));
    assert_false(is_prime(NU_STR("0")));
    assert_false(is_prime(NU_STR("1")));
    assert_true(is_prime(NU_STR("18446744073709551557")));
    assert_false(is_prime(NU_STR("3825123056546413051")));
}

TEST(leading_zeros_change_nothing)
{
    assert_true(is_prime(NU_STR("000000000000000000000000000000000000000000000000000007")));
    assert_true(is_prime(NU_STR("0000170141183460469231731687303715884105727"))); /* 2^127 - 1 */
    assert_false(is_prime(NU_STR("00000000000000000000000000000000000")));
}

TEST(anything_but_digits_is_invalid)
{
    static const struct nu_str table[] = {
        NU_STR_INIT(""),
        NU_STR_INIT("+7"),
        NU_STR_INIT("-7"),
        NU_STR_INIT("170141183460469231731687303715884105727 "),
        NU_STR_INIT("17014118346046923173168730371588410572x"),
        NU_STR_INIT("1\0"),
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        bool answer;
        assert_int_equal(nu_prime_is_prime_decimal(table[i], NU_PRIME_DIGITS_MAX, &answer),
                         NU_INVALID);
    }
}

TEST(the_bounds_on_digits_hold)
{
    bool answer;
    char text[NU_PRIME_DIGITS_MAX + 11];
    memset(text, '0', 10);
    memset(text + 10, '2', NU_PRIME_DIGITS_MAX + 1);
    struct nu_str allowed = nu_str_make(text, NU_PRIME_DIGITS_MAX + 10);
    struct nu_str more = nu_str_make(text, NU_PRIME_DIGITS_MAX + 11);
    assert_int_equal(nu_prime_is_prime_decimal(allowed, SIZE_MAX, &answer), NU_OK);
    assert_false(answer);
    assert_int_equal(nu_prime_is_prime_decimal(more, SIZE_MAX, &answer), NU_TOO_LARGE);
    assert_int_equal(nu_prime_is_prime_decimal(NU_STR("0012345"), 5, &answer), NU_OK);
    assert_int_equal(nu_prime_is_prime_decimal(NU_STR("00123456"), 5, &answer), NU_TOO_LARGE);
}

TEST_MAIN()
