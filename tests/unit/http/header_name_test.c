/* SPDX-License-Identifier: Apache-2.0 */
/* Header names by number, and the character classes of names and values. */
#include "harness/test.h"

#include "http/header_name.h"

TEST(every_listed_name_has_its_id)
{
    for (unsigned id = 1; id < NU_HEADER_ID_COUNT; id++) {
        struct nu_str name = nu_header_name_of((enum nu_header_id)id);
        assert_int_equal(nu_header_id_of(name), id);
    }
    assert_int_equal(nu_header_id_of(NU_STR(":status")), NU_HEADER_STATUS);
    assert_int_equal(nu_header_id_of(NU_STR("x-request-id")), NU_HEADER_X_REQUEST_ID);
}

/* Near misses share length and most characters with a listed name, which is what a hash of a few
 * characters could take for it. */
TEST(a_name_that_differs_in_one_character_is_another)
{
    for (unsigned id = 1; id < NU_HEADER_ID_COUNT; id++) {
        struct nu_str name = nu_header_name_of((enum nu_header_id)id);
        char copy[64];
        for (size_t i = 0; i < name.len; i++) {
            memcpy(copy, name.ptr, name.len);
            copy[i] = copy[i] == '0' ? '1' : '0';
            assert_int_equal(nu_header_id_of(nu_str_make(copy, name.len)), NU_HEADER_OTHER);
        }
        memcpy(copy, name.ptr, name.len);
        copy[name.len] = 's';
        assert_int_not_equal(nu_header_id_of(nu_str_make(copy, name.len + 1)), id);
        assert_int_not_equal(nu_header_id_of(nu_str_first(name, name.len - 1)), id);
    }
}

TEST(short_long_and_odd_names_have_no_id)
{
    char longest[300];
    memset(longest, 'x', sizeof(longest));
    for (size_t len = 0; len < sizeof(longest); len++)
        assert_int_equal(nu_header_id_of(nu_str_make(longest, len)), NU_HEADER_OTHER);
    assert_int_equal(nu_header_id_of(nu_str_make(NULL, 0)), NU_HEADER_OTHER);
    assert_int_equal(nu_header_id_of(NU_STR("Host")), NU_HEADER_OTHER);
    assert_int_equal(nu_header_id_of(NU_STR("\xff\xff\xff\xff")), NU_HEADER_OTHER);
}

TEST(lowering_changes_ascii_letters_only)
{
    char bytes[256 + 7];
    for (size_t offset = 0; offset < 8; offset++) {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (char)i;
        nu_header_name_lower(bytes + offset, sizeof(bytes) - offset);
        for (size_t i = 0; i < sizeof(bytes); i++) {
            char want = i < offset ? (char)i : nu_ascii_lower((char)i);
            assert_int_equal(bytes[i], want);
        }
    }
}

TEST(names_are_tokens)
{
    const char *token = "!#$%&'*+-.^_`|~09azAZ";
    for (int c = 0; c < 256; c++) {
        bool want =
            c && (strchr(token, c) || nu_ascii_is_alpha((char)c) || nu_ascii_is_digit((char)c));
        char byte = (char)c;
        assert_int_equal(nu_header_name_is_valid(nu_str_make(&byte, 1)), want);
        assert_int_equal(nu_is_token_char(byte), want);
    }
    assert_false(nu_header_name_is_valid(NU_STR("")));
    assert_false(nu_header_name_is_valid(NU_STR("a b")));
    assert_false(nu_header_name_is_valid(NU_STR("a:")));
}

TEST(values_have_no_control_character_but_tab)
{
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        bool want = c == '\t' || (c >= 0x20 && c != 0x7f);
        assert_int_equal(nu_header_value_is_valid(nu_str_make(&byte, 1)), want);
    }
    assert_true(nu_header_value_is_valid(NU_STR("")));
}

TEST_MAIN()
