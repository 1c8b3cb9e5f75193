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

TEST(a_token_has_the_id_of_its_lower_case)
{
    for (unsigned id = NU_HEADER_LAST_PSEUDO + 1; id < NU_HEADER_ID_COUNT; id++) {
        struct nu_str name = nu_header_name_of((enum nu_header_id)id);
        char copy[64];
        for (size_t i = 0; i < name.len; i++)
            copy[i] = i % 2 ? name.ptr[i] : nu_ascii_upper(name.ptr[i]);
        assert_int_equal(nu_header_id_of_token(nu_str_make(copy, name.len)), id);
        assert_int_equal(nu_header_id_of_token(name), id);
    }
}

/* Every other token character in every place of a listed name makes another name. */
TEST(a_token_that_differs_in_more_than_case_is_another)
{
    for (unsigned id = NU_HEADER_LAST_PSEUDO + 1; id < NU_HEADER_ID_COUNT; id++) {
        struct nu_str name = nu_header_name_of((enum nu_header_id)id);
        char copy[64];
        memcpy(copy, name.ptr, name.len);
        for (size_t i = 0; i < name.len; i++) {
            for (int c = 0; c < 256; c++) {
                if (!nu_is_token_char((char)c) || nu_ascii_lower((char)c) == name.ptr[i])
                    continue;
                copy[i] = (char)c;
                struct nu_str other = nu_str_make(copy, name.len);
                char lower[64];
                memcpy(lower, copy, name.len);
                nu_header_name_lower(lower, name.len);
                assert_int_equal(nu_header_id_of_token(other),
                                 nu_header_id_of(nu_str_make(lower, name.len)));
            }
            copy[i] = name.ptr[i];
        }
    }
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

/* Long texts are looked at by many bytes at once: each byte in each place of them. */
TEST(the_first_odd_byte_of_a_long_text_ends_it)
{
    for (size_t len = 1; len < 50; len++) {
        for (size_t at = 0; at < len; at++) {
            char text[50];
            memset(text, 'a', sizeof(text));
            const char *end = text + len;
            for (int c = 0; c < 256; c++) {
                text[at] = (char)c;
                const char *name_end = nu_is_token_char((char)c) ? end : text + at;
                bool is_value = c == '\t' || (c >= 0x20 && c != 0x7f);
                assert_ptr_equal(nu_header_name_end(text, end), name_end);
                assert_ptr_equal(nu_header_value_end(text, end), is_value ? end : text + at);
            }
        }
    }
}

TEST_MAIN()
