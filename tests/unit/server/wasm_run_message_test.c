/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as `nuncio wasm run` reads them: cut at every byte, they are the same. */
#include "harness/test.h"

#include "server/wasm_run/message.h"

enum kind { REQUEST, RESPONSE, RESPONSE_TO_HEAD };

static void init(struct nu_wasm_run_message *message, enum kind kind)
{
    if (kind == REQUEST)
        nu_wasm_run_message_init(message);
    else
        nu_wasm_run_message_init_response(message, kind == RESPONSE_TO_HEAD);
}

/* Feeds the text in two pieces; what is left stays in `in`. */
static void feed(struct nu_wasm_run_message *message, struct nu_str text, size_t cut,
                 struct nu_strbuf *in)
{
    nu_strbuf_add(in, nu_str_first(text, cut));
    nu_wasm_run_message_feed(message, in);
    nu_strbuf_add(in, nu_str_skip(text, cut));
    nu_wasm_run_message_feed(message, in);
}

static void assert_read(enum kind kind, const char *text, const char *head, const char *body,
                        const char *trailers, const char *rest)
{
    struct nu_str bytes = nu_str_from(text);
    for (size_t cut = 0; cut <= bytes.len; cut++) {
        struct nu_wasm_run_message message;
        struct nu_strbuf in = {0};
        init(&message, kind);
        feed(&message, bytes, cut, &in);
        assert_int_equal(message.phase, NU_WASM_RUN_COMPLETE);
        assert_str(nu_strbuf_str(&message.head), head);
        assert_str(nu_strbuf_str(&message.body), body);
        assert_int_equal(message.body_bytes, strlen(body));
        assert_str(nu_strbuf_str(&message.trailers), trailers);
        assert_str(nu_strbuf_str(&in), rest);
        nu_strbuf_finish(&in);
        nu_wasm_run_message_finish(&message);
    }
}

TEST(a_request_ends_with_its_head)
{
    assert_read(REQUEST, "GET / HTTP/1.1\r\na: b\r\n\r\n", "GET / HTTP/1.1\na: b\n", "", "", "");
}

TEST(a_length_marks_off_the_next_request)
{
    assert_read(REQUEST, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET",
                "POST / HTTP/1.1\nContent-Length: 3\n", "abc", "", "GET");
    assert_read(REQUEST, "POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
                "POST / HTTP/1.1\ncontent-length: 0\n", "", "", "");
}

TEST(chunks_have_their_trailers)
{
    assert_read(REQUEST,
                "PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
                "3\r\nabc\r\n1A;x\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nt: 1\r\n\r\nrest",
                "PUT / HTTP/1.1\ntransfer-encoding: chunked\n", "abcabcdefghijklmnopqrstuvwxyz",
                "t: 1\n", "rest");
}

TEST(responses_without_a_body_have_none)
{
    assert_read(RESPONSE_TO_HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n",
                "HTTP/1.1 200 OK\ncontent-length: 3\n", "", "", "");
    assert_read(RESPONSE, "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content\n", "", "",
                "");
}

TEST(interim_responses_are_passed_over)
{
    assert_read(RESPONSE,
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
                "HTTP/1.1 200 OK\ncontent-length: 1\n", "x", "", "");
}

TEST(a_response_may_end_with_its_connection)
{
    struct nu_wasm_run_message message;
    struct nu_strbuf in = {0};
    init(&message, RESPONSE);
    feed(&message, NU_STR("HTTP/1.1 200 OK\r\n\r\nabc"), 20, &in);
    assert_int_equal(message.phase, NU_WASM_RUN_BODY_REST);
    nu_wasm_run_message_end(&message);
    assert_int_equal(message.phase, NU_WASM_RUN_COMPLETE);
    assert_str(nu_strbuf_str(&message.body), "abc");
    nu_strbuf_finish(&in);
    nu_wasm_run_message_finish(&message);
}

static void assert_fails(enum kind kind, const char *text)
{
    struct nu_wasm_run_message message;
    struct nu_strbuf in = {0};
    init(&message, kind);
    feed(&message, nu_str_from(text), 0, &in);
    nu_wasm_run_message_end(&message);
    assert_int_equal(message.phase, NU_WASM_RUN_FAILED);
    nu_strbuf_finish(&in);
    nu_wasm_run_message_finish(&message);
}

TEST(what_is_not_whole_has_failed)
{
    assert_fails(REQUEST, "");
    assert_fails(REQUEST, "GET / HTTP/1.1\r\n");
    assert_fails(REQUEST, "POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\na");
    assert_fails(REQUEST, "POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n");
    assert_fails(REQUEST, "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx\r\n");
    assert_fails(REQUEST, "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc");
    assert_fails(RESPONSE, "HTTP/1.1 OK\r\n\r\n");
}

TEST(of_a_long_body_the_first_bytes_are_kept)
{
    struct nu_wasm_run_message message;
    struct nu_strbuf in = {0};
    size_t size = NU_WASM_RUN_BODY_KEPT + 5;
    nu_wasm_run_message_init(&message);
    nu_strbuf_addf(&in, "POST / HTTP/1.1\r\ncontent-length: %zu\r\n\r\n", size);
    memset(nu_strbuf_reserve(&in, size), 'x', size);
    nu_strbuf_commit(&in, size);
    nu_wasm_run_message_feed(&message, &in);
    assert_int_equal(message.phase, NU_WASM_RUN_COMPLETE);
    assert_int_equal(message.body.len, NU_WASM_RUN_BODY_KEPT);
    assert_int_equal(message.body_bytes, size);
    nu_strbuf_finish(&in);
    nu_wasm_run_message_finish(&message);
}

TEST(a_head_without_an_end_is_not_kept_for_ever)
{
    struct nu_wasm_run_message message;
    struct nu_strbuf in = {0};
    size_t size = NU_WASM_RUN_HEAD_MAX + 1;
    nu_wasm_run_message_init(&message);
    memset(nu_strbuf_reserve(&in, size), 'x', size);
    nu_strbuf_commit(&in, size);
    nu_wasm_run_message_feed(&message, &in);
    assert_int_equal(message.phase, NU_WASM_RUN_FAILED);
    nu_strbuf_finish(&in);
    nu_wasm_run_message_finish(&message);
}

TEST_MAIN()
