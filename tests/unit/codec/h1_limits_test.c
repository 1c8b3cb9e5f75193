/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of heads, trailers and chunk lines, pipelines, and what the encoders write. */
#include "harness/test.h"

#include "base/alloc.h"
#include "codec/h1_internal.h"
#include "harness/h1_driver.h"

static const struct nu_str head_start = NU_STR_INIT("GET / HTTP/1.1\r\nhost: a\r\n");

static void add_field(struct nu_strbuf *bytes, size_t value_len)
{
    nu_strbuf_add(bytes, NU_STR("x: "));
    memset(nu_strbuf_reserve(bytes, value_len), 'v', value_len);
    nu_strbuf_commit(bytes, value_len);
    nu_strbuf_add(bytes, NU_STR("\r\n"));
}

/* What is heard of `bytes` in pieces of `step`, without the headers. */
static void expect_request(const struct nu_strbuf *bytes, size_t step, const char *end)
{
    struct h1_requests run;
    h1_requests_init(&run);
    struct nu_str all = nu_strbuf_str(bytes);
    for (size_t at = 0; at < all.len && !run.failed; at += step) {
        size_t piece = step < all.len - at ? step : all.len - at;
        h1_wire_receive(&run.wire, nu_str_make(all.ptr + at, piece), false);
        h1_requests_run(&run);
    }
    struct nu_str text = h1_requests_text(&run);
    struct nu_str want = nu_str_from(end);
    assert_true(text.len >= want.len);
    assert_str(nu_str_skip(text, text.len - want.len), end);
    h1_requests_finish(&run);
}

static void expect_in_all_steps(const struct nu_strbuf *bytes, const char *end)
{
    static const size_t steps[] = {SIZE_MAX / 2, 65536, 4096, 1000, 7};
    for (size_t i = 0; i < NU_ARRAY_LEN(steps); i++)
        expect_request(bytes, steps[i], end);
}

TEST(a_head_may_have_60_kib_and_not_a_byte_more)
{
    size_t fixed = head_start.len + 5 + 2; /* "x: ", two CRLF */
    for (size_t more = 0; more < 2; more++) {
        struct nu_strbuf bytes = {0};
        nu_strbuf_add(&bytes, head_start);
        add_field(&bytes, 60 * 1024 - fixed + more);
        nu_strbuf_add(&bytes, NU_STR("\r\n"));
        expect_in_all_steps(&bytes, more ? "!431 http1.headers_too_large" : "v.");
        nu_strbuf_finish(&bytes);
    }
}

/* Else each packet of the last bytes would come in a block of its own, and all before it be copied. */
TEST(a_head_near_a_large_limit_has_room_for_a_read_behind_it)
{
    enum { LIMIT = 96 * 1024, FIRST = 60 * 1024 };
    struct h1_requests run;
    struct nu_strbuf bytes = {0};
    h1_requests_init(&run);
    run.wire.options.max_head_bytes = LIMIT;
    nu_strbuf_add(&bytes, head_start);
    add_field(&bytes, LIMIT - head_start.len - 100);
    struct nu_str all = nu_strbuf_str(&bytes);
    h1_wire_receive(&run.wire, nu_str_first(all, FIRST), true);
    h1_requests_run(&run);
    h1_wire_receive(&run.wire, nu_str_skip(all, FIRST), true);
    h1_requests_run(&run);
    const struct nu_buf *in = &run.wire.conn.in;
    assert_ptr_equal(in->first, in->last);
    assert_int_equal(in->len, all.len);
    assert_true(nu_block_room(in->last->block) >= NU_BLOCK_WORTH_FILLING);
    h1_requests_finish(&run);
    nu_strbuf_finish(&bytes);
}

static size_t arena_bytes(const struct nu_arena *arena)
{
    size_t bytes = 0;
    for (const struct nu_block *block = arena->blocks; block; block = block->next_free)
        bytes += block->size;
    return bytes;
}

/* A small value that joins a large one must not cost another large one. */
TEST(a_head_of_repeated_fields_takes_memory_as_its_bytes_do)
{
    enum { LONG = 56000, FIELDS = 97, BOUND = 512 * 1024 };
    struct h1_requests run;
    struct nu_strbuf bytes = {0};
    h1_requests_init(&run);
    nu_strbuf_add(&bytes, head_start);
    nu_strbuf_add(&bytes, NU_STR("user-agent: "));
    memset(nu_strbuf_reserve(&bytes, LONG), 'v', LONG);
    nu_strbuf_commit(&bytes, LONG);
    for (int i = 0; i < FIELDS; i++)
        nu_strbuf_add(&bytes, NU_STR("\r\nuser-agent: w"));
    h1_wire_receive(&run.wire, nu_strbuf_str(&bytes), false);
    h1_requests_run(&run);
    struct h1_heard *heard = &run.heard[0];
    assert_in_range(arena_bytes(&heard->arena), 0, BOUND);
    h1_wire_receive(&run.wire, NU_STR("\r\ncontent-length: 1\r\n\r\n"), false);
    h1_requests_run(&run);
    assert_true(heard->has_head);
    assert_in_range(arena_bytes(&heard->arena), 0, BOUND);
    struct nu_str value = nu_headers_get(&heard->headers, NU_STR("user-agent"));
    assert_int_equal(value.len, LONG + 2 * FIELDS);
    assert_true(nu_str_starts_with(nu_str_skip(value, LONG - 1), NU_STR("v,w,w")));
    nu_strbuf_finish(&bytes);
    h1_requests_finish(&run);
}

TEST(a_target_counts_for_the_limit)
{
    struct nu_strbuf bytes = {0};
    nu_strbuf_add(&bytes, NU_STR("GET /"));
    memset(nu_strbuf_reserve(&bytes, 61440), 'a', 61440);
    nu_strbuf_commit(&bytes, 61440);
    expect_in_all_steps(&bytes, "!431 http1.headers_too_large");
    nu_strbuf_finish(&bytes);
}

TEST(a_mistake_behind_the_limit_is_not_seen)
{
    struct nu_strbuf bytes = {0};
    nu_strbuf_add(&bytes, NU_STR("GET /"));
    memset(nu_strbuf_reserve(&bytes, 61440), 'a', 61440);
    nu_strbuf_commit(&bytes, 61440);
    nu_strbuf_add(&bytes, NU_STR("\x01 HTTP/9.9\r\nbad name: x\r\n\r\n"));
    expect_in_all_steps(&bytes, "!431 http1.headers_too_large");
    nu_strbuf_finish(&bytes);
}

TEST(a_hundred_fields_are_enough)
{
    for (size_t fields = 99; fields <= 100; fields++) {
        struct nu_strbuf bytes = {0};
        nu_strbuf_add(&bytes, head_start);
        for (size_t i = 0; i < fields; i++)
            add_field(&bytes, 1);
        nu_strbuf_add(&bytes, NU_STR("\r\n"));
        expect_in_all_steps(&bytes, fields == 99 ? "x=v." : "!431 http1.too_many_headers");
        nu_strbuf_finish(&bytes);
    }
}

TEST(trailers_have_the_same_limits)
{
    static const struct nu_str start =
        NU_STR_INIT("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n");
    struct nu_strbuf bytes = {0};
    nu_strbuf_add(&bytes, start);
    add_field(&bytes, 60 * 1024);
    nu_strbuf_add(&bytes, NU_STR("\r\n"));
    expect_in_all_steps(&bytes, "~ !431 http1.headers_too_large");
    nu_strbuf_clear(&bytes);
    nu_strbuf_add(&bytes, start);
    for (int i = 0; i < 101; i++)
        add_field(&bytes, 1);
    nu_strbuf_add(&bytes, NU_STR("\r\n"));
    expect_in_all_steps(&bytes, "~ !431 http1.too_many_headers");
    nu_strbuf_finish(&bytes);
}

TEST(a_chunk_line_does_not_go_on_for_ever)
{
    static const char fill[] = {'0', 'x'};
    for (size_t i = 0; i < NU_ARRAY_LEN(fill); i++) {
        struct nu_strbuf bytes = {0};
        nu_strbuf_add(&bytes, NU_STR("POST / HTTP/1.1\r\nhost: a\r\n"
                                     "transfer-encoding: chunked\r\n\r\n0;"));
        if (fill[i] == '0') /* zeros of the size, without an extension */
            bytes.len--;
        memset(nu_strbuf_reserve(&bytes, 5000), fill[i], 5000);
        nu_strbuf_commit(&bytes, 5000);
        expect_in_all_steps(&bytes, "~ !400 http1.codec_error");
        nu_strbuf_finish(&bytes);
    }
}

/* A request whose head has come in pieces of `step` bytes, with the start of its body in a block of
 * its own behind the last of them: how many bytes of that block are the body that was heard. */
static size_t heard_in_place(size_t step)
{
    enum { BODY = 65000 };
    static const struct nu_str head =
        NU_STR_INIT("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 999999\r\n\r\n");
    static char body[BODY];
    struct h1_requests run;
    h1_requests_init(&run);
    for (size_t at = 0; at < head.len; at += step)
        h1_wire_receive(&run.wire, nu_str_make(head.ptr + at, nu_min_size(step, head.len - at)),
                        true);
    h1_wire_receive(&run.wire, nu_str_make(body, BODY), true);
    const struct nu_block *block = run.wire.conn.in.last->block;
    size_t in_place = 0;
    h1_requests_run(&run);
    assert_int_equal(run.heard[0].body.len, BODY);
    for (struct nu_slice *slice = run.heard[0].body.first; slice; slice = slice->next)
        in_place += slice->block == block ? slice->len : 0;
    h1_requests_finish(&run);
    return in_place;
}

TEST(a_body_that_comes_with_its_head_stays_where_it_is)
{
    assert_int_equal(heard_in_place(SIZE_MAX / 2), 65000);
}

TEST(a_body_behind_a_head_in_pieces_is_copied_no_further_than_a_head_may_go)
{
    assert_true(heard_in_place(10) >= 65000 - 60 * 1024);
}

TEST(many_small_chunks_make_few_slices)
{
    struct h1_requests run;
    h1_requests_init(&run);
    struct nu_strbuf bytes = {0};
    nu_strbuf_add(&bytes,
                  NU_STR("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 2000; i++)
        nu_strbuf_add(&bytes, NU_STR("1\r\nx\r\n"));
    h1_wire_receive(&run.wire, nu_strbuf_str(&bytes), true);
    h1_requests_run(&run);
    unsigned slices = 0;
    for (struct nu_slice *slice = run.heard[0].body.first; slice; slice = slice->next)
        slices++;
    assert_int_equal(run.heard[0].body.len, 2000);
    assert_true(slices < 10);
    nu_strbuf_finish(&bytes);
    h1_requests_finish(&run);
}

/* For a peer that does not read, from one that writes a byte at a time. */
TEST(small_chunks_that_wait_share_blocks)
{
    struct nu_buf out = {0};
    for (int i = 0; i < 2000; i++) {
        struct nu_buf data = {0};
        nu_buf_append(&data, NU_STR("x"));
        nu_h1_write_chunk(&out, &data);
    }
    unsigned slices = 0;
    for (struct nu_slice *slice = out.first; slice; slice = slice->next)
        slices++;
    assert_int_equal(out.len, 2000 * 6);
    assert_true(slices < 10);
    nu_buf_clear(&out);
}

TEST(a_long_pipeline_goes_on_in_the_next_turn)
{
    struct h1_requests run;
    h1_requests_init(&run);
    for (int i = 0; i < 100; i++)
        h1_wire_receive(&run.wire, NU_STR("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), false);
    run.server.codec.ops->dispatch(&run.server.codec);
    assert_int_equal(run.count, 1); /* the first one waits for its answer */
    h1_requests_run(&run);
    assert_int_equal(run.count, 100);
    h1_requests_finish(&run);
}

TEST(no_request_begins_while_the_client_does_not_read)
{
    struct h1_requests run;
    h1_requests_init(&run);
    h1_wire_receive(&run.wire, NU_STR("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), false);
    run.wire.conn.above_high = true;
    run.server.codec.ops->dispatch(&run.server.codec);
    assert_int_equal(run.count, 0);
    run.wire.conn.above_high = false;
    run.server.codec.ops->on_below_low(&run.server.codec);
    assert_true(run.wire.conn.redeliver);
    run.server.codec.ops->dispatch(&run.server.codec);
    assert_int_equal(run.count, 1);
    h1_requests_finish(&run);
}

/* --- What is sent ----------------------------------------------------------------------------- */

static void assert_out(const struct nu_buf *out, const char *expected)
{
    char text[4096];
    size_t len = nu_buf_copy_out(out, 0, text, sizeof(text));
    assert_str(nu_str_make(text, len), expected);
}

struct sent {
    const char *method; /* of the request that is answered */
    const char *version;
    const char *status;
    const char *length; /* content-length, or NULL */
    const char *body;   /* NULL: the head is all */
    const char *expected;
    bool must_close;
};

static const struct sent responses[] = {
    {"GET", "1.1", "200", NULL, NULL, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false},
    {"GET", "1.1", "200", "2", "ok", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", false},
    {"GET", "1.1", "200", NULL, "ok",
     "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false},
    {"GET", "1.1", "200", "1", "ok", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\no", true},
    {"GET", "1.1", "200", "3", "ok", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok", true},
    {"GET", "1.1", "200", "3", NULL, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false},
    {"GET", "1.1", "200", "x", "ok",
     "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false},
    {"GET", "1.0", "200", NULL, "ok", "HTTP/1.0 200 OK\r\n\r\nok", true},
    {"HEAD", "1.1", "200", "2", "ok", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", false},
    {"HEAD", "1.1", "200", "2", NULL, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", false},
    {"GET", "1.1", "204", "2", "ok", "HTTP/1.1 204 No Content\r\n\r\n", false},
    {"GET", "1.1", "204", NULL, NULL, "HTTP/1.1 204 No Content\r\n\r\n", false},
    {"GET", "1.1", "304", "2", "ok", "HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\n\r\n",
     false},
    {"GET", "1.1", "304", NULL, "ok", "HTTP/1.1 304 Not Modified\r\n\r\n", false},
};

static void send_response(const struct sent *c)
{
    struct h1_requests run;
    h1_requests_init(&run);
    struct nu_strbuf request = {0};
    nu_strbuf_addf(&request, "%s / HTTP/%s\r\nhost: a\r\n\r\n", c->method, c->version);
    h1_wire_receive(&run.wire, nu_strbuf_str(&request), false);
    run.server.codec.ops->dispatch(&run.server.codec);
    struct h1_heard *heard = &run.heard[0];
    struct nu_headers headers;
    nu_headers_init(&headers, &heard->arena, 4);
    nu_headers_add_id(&headers, NU_HEADER_STATUS, nu_str_from(c->status));
    nu_headers_add_id(&headers, NU_HEADER_TRANSFER_ENCODING, NU_STR("gzip")); /* never goes out */
    if (c->length) {
        nu_headers_add_id(&headers, NU_HEADER_CONTENT_LENGTH, nu_str_from(c->length));
        nu_headers_add_id(&headers, NU_HEADER_CONTENT_LENGTH, NU_STR("77"));
    }
    heard->encoder->ops->encode_headers(heard->encoder, &headers, !c->body);
    struct nu_buf body = {0};
    if (c->body) {
        nu_buf_append(&body, nu_str_from(c->body));
        heard->encoder->ops->encode_data(heard->encoder, &body, true);
    }
    assert_out(&run.wire.conn.out, c->expected);
    assert_int_equal(nu_h1_server_must_close(&run.server), c->must_close);
    nu_strbuf_finish(&request);
    h1_requests_finish(&run);
}

TEST(responses_are_framed_by_what_is_sent_and_nothing_else)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(responses); i++)
        send_response(&responses[i]);
}

/* Sends a response whose head has a header of `len` bytes, with a known name or another one, and
 * expects all of it. */
static void send_long_response(size_t len, bool has_known_name)
{
    struct h1_requests run;
    struct nu_strbuf value = {0};
    struct nu_strbuf expected = {0};
    struct nu_headers headers;
    h1_requests_init(&run);
    h1_wire_receive(&run.wire, NU_STR("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), false);
    run.server.codec.ops->dispatch(&run.server.codec);
    for (size_t i = 0; i < len; i++)
        nu_strbuf_add_char(&value, 'v');
    nu_headers_init(&headers, &run.heard[0].arena, 4);
    nu_headers_add_id(&headers, NU_HEADER_STATUS, NU_STR("418"));
    if (has_known_name)
        nu_headers_add_id(&headers, NU_HEADER_ACCESS_CONTROL_REQUEST_METHOD, nu_strbuf_str(&value));
    else
        nu_headers_add(&headers, nu_strbuf_str(&value), NU_STR("b"));
    run.heard[0].encoder->ops->encode_headers(run.heard[0].encoder, &headers, true);
    nu_strbuf_addf(&expected, "HTTP/1.1 418 Unknown\r\n%s%.*s%s\r\ncontent-length: 0\r\n\r\n",
                   has_known_name ? "access-control-request-method: " : "",
                   NU_STR_ARG(nu_strbuf_str(&value)), has_known_name ? "" : ": b");
    char *sent = nu_alloc(expected.len + 1);
    size_t sent_len = nu_buf_copy_out(&run.wire.conn.out, 0, sent, expected.len + 1);
    assert_true(nu_str_eq(nu_str_make(sent, sent_len), nu_strbuf_str(&expected)));
    nu_free(sent);
    nu_strbuf_finish(&value);
    nu_strbuf_finish(&expected);
    h1_requests_finish(&run);
}

TEST(a_head_of_any_size_is_written_whole)
{
    size_t room = nu_block_size(NU_BLOCK_SMALL);
    for (size_t len = room - 400; len < room + 100; len++) {
        send_long_response(len, true);
        send_long_response(len, false);
    }
    send_long_response(5 * room, true);
}

/* A client whose request is about to be sent. */
static void begin_request(struct h1_response *run, const char *method, const char *length)
{
    h1_response_init(run, nu_str_from(method));
    nu_headers_add_id(&run->request, NU_HEADER_HOST, NU_STR("other")); /* never goes out */
    if (length)
        nu_headers_add_id(&run->request, NU_HEADER_CONTENT_LENGTH, nu_str_from(length));
}

TEST(a_request_without_its_body_keeps_no_length_of_it)
{
    struct h1_response run;
    begin_request(&run, "GET", "5");
    run.encoder->ops->encode_headers(run.encoder, &run.request, true);
    assert_out(&run.wire.conn.out, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    h1_response_finish(&run);
}

TEST(a_request_that_ends_before_its_length_fails)
{
    struct h1_response run;
    begin_request(&run, "POST", "5");
    const struct nu_stream_encoder_ops *encoder = run.encoder->ops;
    encoder->encode_headers(run.encoder, &run.request, false);
    struct nu_buf body = {0};
    nu_buf_append(&body, NU_STR("abc"));
    encoder->encode_data(run.encoder, &body, true);
    assert_true(run.failed);
    assert_int_equal(run.end, NU_H1_END_ABORTED);
    h1_response_finish(&run);
}

TEST(a_request_longer_than_its_length_is_cut_and_its_connection_spent)
{
    struct h1_response run;
    begin_request(&run, "POST", "2");
    run.encoder->ops->encode_headers(run.encoder, &run.request, false);
    struct nu_buf body = {0};
    nu_buf_append(&body, NU_STR("okGET /smuggled"));
    run.encoder->ops->encode_data(run.encoder, &body, true);
    assert_out(&run.wire.conn.out, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nok");
    run.wire.conn.tx_bytes = run.wire.conn.out.len;
    nu_buf_clear(&run.wire.conn.out);
    h1_wire_receive(&run.wire, NU_STR("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), false);
    h1_response_run(&run);
    assert_str(h1_response_text(&run), "200 content-length=0.x");
    h1_response_finish(&run);
}

TEST(what_is_no_request_line_is_not_sent)
{
    static const char *const bad[][2] = {
        {"GET / HTTP/1.1\r\nx:", "/"}, {"", "/"},   {"GET", "/a b"},
        {"GET", "/\r\nx: y"},          {"GET", ""},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(bad); i++) {
        struct h1_response run;
        begin_request(&run, bad[i][0], NULL);
        nu_headers_set_id(&run.request, NU_HEADER_PATH, nu_str_from(bad[i][1]));
        run.encoder->ops->encode_headers(run.encoder, &run.request, true);
        assert_true(run.failed);
        assert_int_equal(run.wire.conn.out.len, 0);
        h1_response_finish(&run);
    }
}

TEST(trailers_that_frame_or_route_a_message_are_not_sent)
{
    struct h1_response run;
    begin_request(&run, "POST", NULL);
    run.encoder->ops->encode_headers(run.encoder, &run.request, false);
    nu_buf_clear(&run.wire.conn.out);
    struct nu_headers trailers;
    nu_headers_init(&trailers, &run.heard.arena, 4);
    nu_headers_add(&trailers, NU_STR("content-length"), NU_STR("5"));
    nu_headers_add(&trailers, NU_STR("transfer-encoding"), NU_STR("chunked"));
    nu_headers_add(&trailers, NU_STR("host"), NU_STR("b"));
    nu_headers_add(&trailers, NU_STR("authorization"), NU_STR("x"));
    nu_headers_add(&trailers, NU_STR("x-sum"), NU_STR("1"));
    run.encoder->ops->encode_trailers(run.encoder, &trailers);
    assert_out(&run.wire.conn.out, "0\r\nx-sum: 1\r\n\r\n");
    h1_response_finish(&run);
}

TEST(bytes_that_came_before_the_request_went_out_are_no_answer)
{
    struct h1_response run;
    begin_request(&run, "GET", NULL);
    run.encoder->ops->encode_headers(run.encoder, &run.request, true);
    h1_wire_receive(&run.wire, NU_STR("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), false);
    h1_response_run(&run);
    assert_str(h1_response_text(&run), "!protocol error http1.codec_error");
    h1_response_finish(&run);
}

TEST(a_response_that_ends_before_its_request_ends_the_exchange)
{
    struct h1_response run;
    begin_request(&run, "POST", "9");
    h1_response_send(&run, false);
    h1_wire_receive(&run.wire, NU_STR("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), false);
    h1_response_run(&run);
    assert_str(h1_response_text(&run), "200 content-length=0.x");
    h1_response_finish(&run);
}

TEST(interim_responses_are_counted)
{
    struct h1_response run;
    begin_request(&run, "GET", NULL);
    h1_response_send(&run, true);
    for (int i = 0; i < 101; i++)
        h1_wire_receive(&run.wire, NU_STR("HTTP/1.1 102 X\r\n\r\n"), false);
    h1_response_run(&run);
    assert_true(run.failed);
    h1_response_finish(&run);
}

TEST_MAIN()
