/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain messages (codec/h1_second.h) are not shown to llhttp. This shows that nothing is lost by
 * it: whatever they may consist of, llhttp reads as our own reader does. Runs against every llhttp
 * version that h1_table_test.c names.
 */
#include "harness/test.h"

#include <llhttp.h>

/* What llhttp says of a message. */
struct heard {
    char text[256]; /* the target or the reason */
    size_t len;
    uint64_t content_length;
    size_t body;
    bool has_length;
    bool complete;
};

static struct heard *heard_of(llhttp_t *parser)
{
    return parser->data;
}

static int on_text(llhttp_t *parser, const char *at, size_t len)
{
    struct heard *heard = heard_of(parser);
    assert_true(heard->len + len <= sizeof(heard->text));
    memcpy(heard->text + heard->len, at, len);
    heard->len += len;
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct heard *heard = heard_of(parser);
    heard->has_length = parser->flags & F_CONTENT_LENGTH;
    heard->content_length = parser->content_length;
    assert_false(parser->flags & F_CHUNKED);
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    (void)at;
    heard_of(parser)->body += len;
    return 0;
}

static int on_complete(llhttp_t *parser)
{
    heard_of(parser)->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_text,
    .on_status = on_text,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* Shows llhttp the bytes as the codec would, and returns what it made of them; they must be
 * right. */
static llhttp_t hear(const char *bytes, llhttp_type_t type, struct heard *heard)
{
    llhttp_t parser;
    memset(heard, 0, sizeof(*heard));
    llhttp_init(&parser, type, &settings);
    llhttp_set_lenient_chunked_length(&parser, 1);
    parser.data = heard;
    enum llhttp_errno code = llhttp_execute(&parser, bytes, strlen(bytes));
    if (code != HPE_OK && code != HPE_PAUSED)
        print_error("llhttp refused \"%s\": %s\n", bytes, llhttp_get_error_reason(&parser));
    assert_true(code == HPE_OK || code == HPE_PAUSED);
    assert_int_equal(parser.http_major, 1);
    assert_int_equal(parser.http_minor, 1);
    return parser;
}

static bool is_plain_path_char(int c)
{
    return c >= '!' && c <= '~' && c != '#';
}

TEST(a_common_method_and_a_visible_path_are_read_alike)
{
    static const char *const methods[] = {"GET",   "PUT",    "POST",   "HEAD",
                                          "PATCH", "DELETE", "OPTIONS"};
    for (size_t m = 0; m < NU_ARRAY_LEN(methods); m++) {
        for (int a = 0; a < 256; a++) {
            for (int b = 0; b < 256; b++) {
                if (!is_plain_path_char(a) || !is_plain_path_char(b))
                    continue;
                const char path[] = {'/', (char)a, (char)b, 'x', (char)a, '\0'};
                char bytes[128];
                snprintf(bytes, sizeof(bytes), "%s %s HTTP/1.1\r\nHost: a\r\n\r\n", methods[m],
                         path);
                struct heard heard;
                hear(bytes, HTTP_REQUEST, &heard);
                assert_int_equal(heard.len, strlen(path));
                assert_memory_equal(heard.text, path, heard.len);
                assert_true(heard.complete);
                assert_false(heard.has_length);
            }
        }
    }
}

TEST(a_path_of_a_slash_alone_is_read_alike)
{
    struct heard heard;
    hear("GET / HTTP/1.1\r\n\r\n", HTTP_REQUEST, &heard);
    assert_str(nu_str_make(heard.text, heard.len), "/");
}

TEST(a_status_and_an_ascii_reason_are_read_alike)
{
    for (int status = 0; status < 1000; status++) {
        for (int c = ' '; c <= '~'; c++) {
            char reason[8];
            char bytes[64];
            snprintf(reason, sizeof(reason), "%c%c x%c", c, c, c);
            snprintf(bytes, sizeof(bytes), "HTTP/1.1 %03d %s\r\n", status, reason);
            struct heard heard;
            llhttp_t parser = hear(bytes, HTTP_RESPONSE, &heard);
            assert_int_equal(parser.status_code, status);
            assert_int_equal(heard.len, strlen(reason));
            assert_memory_equal(heard.text, reason, heard.len);
        }
    }
}

TEST(a_content_length_of_up_to_18_digits_is_read_alike)
{
    static const uint64_t numbers[] = {0,   1,           9,           10,
                                       255, 4294967295u, 4294967296u, 999999999999999999u};
    for (size_t i = 0; i < NU_ARRAY_LEN(numbers); i++) {
        for (int width = 1; width <= 18; width++) {
            char digits[32];
            char bytes[128];
            snprintf(digits, sizeof(digits), "%0*llu", width, (unsigned long long)numbers[i]);
            snprintf(bytes, sizeof(bytes), "POST / HTTP/1.1\r\nContent-Length:%s\r\n\r\n", digits);
            struct heard heard;
            hear(bytes, HTTP_REQUEST, &heard);
            assert_true(heard.has_length);
            assert_true(heard.content_length == numbers[i]);
            assert_int_equal(heard.complete, numbers[i] == 0);
        }
    }
}

TEST(the_body_is_as_long_as_its_length_says)
{
    struct heard heard;
    hear("POST / HTTP/1.1\r\ncontent-length:5\r\n\r\n1234567", HTTP_REQUEST, &heard);
    assert_int_equal(heard.body, 5);
    assert_true(heard.complete);
    hear("HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\n1234567", HTTP_RESPONSE, &heard);
    assert_int_equal(heard.body, 5);
    assert_true(heard.complete);
    hear("HTTP/1.1 200 OK\r\n\r\n1234567", HTTP_RESPONSE, &heard);
    assert_int_equal(heard.body, 7);
    assert_false(heard.complete);
}

TEST(a_plain_connection_field_changes_no_framing)
{
    static const char *const values[] = {"close", "keep-alive", "Close", "KEEP-ALIVE",
                                         "Keep-Alive"};
    for (size_t i = 0; i < NU_ARRAY_LEN(values); i++) {
        char bytes[128];
        struct heard heard;
        snprintf(bytes, sizeof(bytes),
                 "POST / HTTP/1.1\r\nconnection:%s\r\ncontent-length:3\r\n\r\nabcdef", values[i]);
        llhttp_t parser = hear(bytes, HTTP_REQUEST, &heard);
        assert_false(parser.upgrade);
        assert_int_equal(heard.body, 3);
        assert_true(heard.complete);
        snprintf(bytes, sizeof(bytes), "GET / HTTP/1.1\r\nconnection:%s\r\n\r\n", values[i]);
        hear(bytes, HTTP_REQUEST, &heard);
        assert_true(heard.complete);
        snprintf(bytes, sizeof(bytes),
                 "HTTP/1.1 200 OK\r\nconnection:%s\r\ncontent-length:3\r\n\r\nabcdef", values[i]);
        hear(bytes, HTTP_RESPONSE, &heard);
        assert_int_equal(heard.body, 3);
        assert_true(heard.complete);
    }
}

TEST_MAIN()
