/* SPDX-License-Identifier: Apache-2.0 */
/* What is a number and what is not, exactly as Rust's str::parse::<u64>() has it. */
#include "harness/test.h"

#include "prime/token.h"

enum { ANY_DIGITS = 4096 };

#define LONG_ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

TEST(tokens_that_fit_64_bits_give_their_number)
{
    static const struct {
        const char *token;
        uint64_t value;
        const char *digits;
    } table[] = {
        {"0", 0, "0"},
        {"7", 7, "7"},
        {"+7", 7, "7"},
        {"007", 7, "7"},
        {"+007", 7, "7"},
        {"+0", 0, "0"},
        {"0000", 0, "0"},
        {"32323", 32323, "32323"},
        {LONG_ZEROS "13", 13, "13"},
        {"9223372036854775808", 9223372036854775808u, "9223372036854775808"},
        {"18446744073709551557", 18446744073709551557u, "18446744073709551557"},
        {"18446744073709551615", UINT64_MAX, "18446744073709551615"},
        {"+" LONG_ZEROS "18446744073709551615", UINT64_MAX, "18446744073709551615"},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        struct nu_prime_token out;
        assert_int_equal(nu_prime_parse_token(nu_str_from(table[i].token), ANY_DIGITS, &out),
                         NU_OK);
        assert_true(out.value == table[i].value);
        assert_str(out.digits, table[i].digits);
    }
}

TEST(malformed_tokens_are_invalid)
{
    static const struct nu_str table[] = {
        NU_STR_INIT(""),
        NU_STR_INIT("+"),
        NU_STR_INIT("-"),
        NU_STR_INIT("++7"),
        NU_STR_INIT("+-7"),
        NU_STR_INIT("-7"),
        NU_STR_INIT("-0"),
        NU_STR_INIT(" 7"),
        NU_STR_INIT("7 "),
        NU_STR_INIT("+ 7"),
        NU_STR_INIT("7+"),
        NU_STR_INIT("7\n"),
        NU_STR_INIT("\t7"),
        NU_STR_INIT("7\0"),
        NU_STR_INIT("\0"),
        NU_STR_INIT("0x7"),
        NU_STR_INIT("7f"),
        NU_STR_INIT("1e3"),
        NU_STR_INIT("1_000"),
        NU_STR_INIT("1,000"),
        NU_STR_INIT("7.0"),
        NU_STR_INIT("7/"),
        NU_STR_INIT("7:"),
        NU_STR_INIT("seven"),
        NU_STR_INIT("\xd9\xa3") /* an Arabic digit */,
        NU_STR_INIT("\xef\xbc\x97") /* a full-width digit */,
        NU_STR_INIT("7\xff"),
        NU_STR_INIT("\xb2"),
        NU_STR_INIT("99999999999999999999999x"),
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        struct nu_prime_token out = {.value = 99};
        assert_int_equal(nu_prime_parse_token(table[i], ANY_DIGITS, &out), NU_INVALID);
        assert_int_equal(out.value, 99);
    }
    struct nu_prime_token out;
    assert_int_equal(nu_prime_parse_token(nu_str_make(NULL, 0), ANY_DIGITS, &out), NU_INVALID);
}

TEST(numbers_beyond_64_bits_overflow_and_keep_their_digits)
{
    static const char *const table[][2] = {
        {"18446744073709551616", "18446744073709551616"},
        {"+18446744073709551616", "18446744073709551616"},
        {"00018446744073709551616", "18446744073709551616"},
        {"20000000000000000000", "20000000000000000000"},
        {"99999999999999999999", "99999999999999999999"},
        {"100000000000000000000", "100000000000000000000"},
        {"36893488147419103232", "36893488147419103232"}, /* 2^65: wraps to 0 */
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(table); i++) {
        struct nu_prime_token out;
        assert_int_equal(nu_prime_parse_token(nu_str_from(table[i][0]), ANY_DIGITS, &out),
                         NU_OVERFLOW);
        assert_str(out.digits, table[i][1]);
    }
}

TEST(the_bound_counts_digits_behind_the_leading_zeros)
{
    struct nu_prime_token out;
    assert_int_equal(nu_prime_parse_token(NU_STR("+00012345"), 5, &out), NU_OK);
    assert_int_equal(nu_prime_parse_token(NU_STR("+000123456"), 5, &out), NU_TOO_LARGE);
    assert_int_equal(nu_prime_parse_token(NU_STR("99999999999999999999"), 19, &out), NU_TOO_LARGE);
    assert_int_equal(nu_prime_parse_token(NU_STR("99999999999999999999"), 20, &out), NU_OVERFLOW);
    assert_int_equal(nu_prime_parse_token(NU_STR("12345x"), 2, &out), NU_INVALID);
    assert_int_equal(nu_prime_parse_token(NU_STR("0"), 0, &out), NU_TOO_LARGE);
}

TEST(a_token_that_is_not_terminated_is_read_to_its_length_only)
{
    struct nu_prime_token out;
    assert_int_equal(nu_prime_parse_token(nu_str_make("137xyz", 3), ANY_DIGITS, &out), NU_OK);
    assert_int_equal(out.value, 137);
}

TEST_MAIN()
