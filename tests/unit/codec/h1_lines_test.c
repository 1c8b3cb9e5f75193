/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field lines are read by two readers: whole ones, sixteen bytes at a time, and all others byte by
 * byte. Both must come to the same, for any byte in any place.
 */
#include "harness/test.h"

#include "harness/h1_driver.h"

enum { TEXT_MAX = 512 };

/* What is heard of a head that comes in pieces of `step` bytes. */
static void hear(struct nu_str bytes, size_t step, char text[TEXT_MAX])
{
    struct h1_requests run;
    h1_requests_init(&run);
    for (size_t at = 0; at < bytes.len && !run.failed; at += step) {
        h1_wire_receive(&run.wire, nu_str_first(nu_str_skip(bytes, at), step), false);
        h1_requests_run(&run);
    }
    struct nu_str heard = h1_requests_text(&run);
    assert_true(heard.len < TEXT_MAX);
    memcpy(text, heard.ptr, heard.len);
    text[heard.len] = '\0';
    h1_requests_finish(&run);
}

static void expect_alike(const char *field)
{
    char bytes[256];
    char whole[TEXT_MAX];
    char pieces[TEXT_MAX];
    int len = snprintf(bytes, sizeof(bytes), "GET / HTTP/1.1\r\nhost: a\r\n%s\r\n\r\n", field);
    hear(nu_str_make(bytes, (size_t)len), (size_t)len, whole);
    hear(nu_str_make(bytes, (size_t)len), 1, pieces);
    assert_string_equal(whole, pieces);
}

/* Puts every byte but NUL, which ends a C string, in every place of `field`. */
static void expect_alike_with_any_byte(const char *field)
{
    char copy[64];
    for (size_t i = 0; i < strlen(field); i++) {
        for (int c = 1; c < 256; c++) {
            snprintf(copy, sizeof(copy), "%s", field);
            copy[i] = (char)c;
            expect_alike(copy);
        }
    }
}

TEST(a_short_known_name_is_read_alike)
{
    expect_alike_with_any_byte("Accept: */*");
    expect_alike_with_any_byte("te: trailers");
}

TEST(the_beginning_of_a_known_name_is_another_name)
{
    static const char name[] = "accept-encoding-and-more";
    for (size_t len = 1; len < sizeof(name); len++) {
        char field[64];
        snprintf(field, sizeof(field), "%.*s: a", (int)len, name);
        expect_alike(field);
    }
}

TEST(a_long_known_name_is_read_alike)
{
    expect_alike_with_any_byte("Access-Control-Request-Method: a");
    expect_alike_with_any_byte("x-forwarded-host: a"); /* sixteen bytes */
}

TEST(an_unknown_name_is_read_alike)
{
    expect_alike_with_any_byte("X-Some-Unknown-Name: and a value");
    expect_alike_with_any_byte("x: y");
}

TEST(blanks_are_read_alike)
{
    static const char *const fields[] = {
        "accept:",    "accept: ",   "accept:a",   "accept:  a", "accept:\ta",
        "accept: a ", "accept: \t", "accept : a", " accept: a", "accept: a\t",
        "accept:: a", "accept",     ":",          ": a",        "a",
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(fields); i++)
        expect_alike(fields[i]);
}

/* A head may end with its block: nothing is read beyond. */
TEST(fields_at_the_end_of_a_block_are_read_alike)
{
    static const char start[] = "GET / HTTP/1.1\r\nhost: a\r\nx: ";
    static const char end[] = "\r\nAccept: b\r\n\r\n";
    size_t room = nu_block_size(NU_BLOCK_SMALL);
    for (size_t len = room - 64; len <= room; len++) {
        struct nu_strbuf bytes = {0};
        nu_strbuf_add_cstr(&bytes, start);
        for (size_t i = strlen(start) + strlen(end); i < len; i++)
            nu_strbuf_add_char(&bytes, 'v');
        nu_strbuf_add_cstr(&bytes, end);
        struct h1_requests run;
        h1_requests_init(&run);
        h1_wire_receive(&run.wire, nu_strbuf_str(&bytes), false);
        h1_requests_run(&run);
        struct nu_str heard = h1_requests_text(&run);
        assert_false(run.failed);
        assert_true(nu_str_starts_with(heard, NU_STR("GET / a x=vv")));
        assert_true(nu_str_ends_with(heard, NU_STR("vv accept=b.")));
        assert_int_equal(heard.len,
                         len - strlen(start) - strlen(end) + strlen("GET / a x= accept=b."));
        h1_requests_finish(&run);
        nu_strbuf_finish(&bytes);
    }
}

TEST_MAIN()
