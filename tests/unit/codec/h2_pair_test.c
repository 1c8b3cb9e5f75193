/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 exchanges between two sessions of ours: heads, bodies, trailers, windows, resets, ends. */
#include "harness/h2_pair.h"

static struct nu_str value_of(const struct nu_headers *headers, const char *name)
{
    return nu_headers_get(headers, nu_str_from(name));
}

/* A GET that the server has received. */
static struct h2_heard *exchange_get(struct h2_pair *pair, struct h2_heard **server)
{
    struct h2_heard *client = h2_open(pair);
    h2_send_head(client, h2_request_head(client, "GET"), true);
    h2_pair_run(pair);
    *server = &pair->server.heard[pair->server.count - 1];
    assert_true((*server)->has_head && (*server)->ended);
    return client;
}

TEST(a_request_and_its_response_pass)
{
    struct h2_pair pair;
    struct h2_heard *server;
    h2_pair_init(&pair);
    h2_pair_start(&pair);
    struct h2_heard *client = exchange_get(&pair, &server);
    assert_str(value_of(&server->headers, ":method"), "GET");
    assert_str(value_of(&server->headers, ":path"), "/x?y");
    assert_str(value_of(&server->headers, ":scheme"), "http");
    assert_str(value_of(&server->headers, ":authority"), "a.example");
    struct nu_headers *head = h2_response_head(server, "200");
    nu_headers_add(head, NU_STR("x-thing"), NU_STR("one"));
    nu_headers_add(head, NU_STR("connection"), NU_STR("close"));
    h2_send_head(server, head, false);
    h2_send_bytes(server, 5, true);
    h2_pair_run(&pair);
    assert_true(client->has_head && client->ended);
    assert_str(value_of(&client->headers, ":status"), "200");
    assert_str(value_of(&client->headers, "x-thing"), "one");
    assert_null(value_of(&client->headers, "connection").ptr);
    assert_int_equal(client->body.len, 5);
    assert_int_equal(nu_h2_session_stream_count(pair.client.session), 0);
    assert_int_equal(nu_h2_session_stream_count(pair.server.session), 0);
    assert_int_equal(pair.client.stream_ends, 1);
    h2_pair_finish(&pair);
}

/* One that comes behind another field makes the message a bad one. */
TEST(pseudo_headers_go_first_and_names_in_lower_case)
{
    struct h2_pair pair;
    h2_pair_init(&pair);
    h2_pair_start(&pair);
    struct h2_heard *client = h2_open(&pair);
    struct nu_headers *head = h2_make_headers(client);
    nu_headers_add_id(head, NU_HEADER_ACCEPT, NU_STR("a"));
    nu_headers_add(head, NU_STR(":unknown"), NU_STR("b"));
    nu_headers_add_id(head, NU_HEADER_METHOD, NU_STR("GET"));
    nu_headers_add(head, NU_STR("X-Thing"), NU_STR("c"));
    nu_headers_add(head, NU_STR("User-Agent"), NU_STR("d"));
    nu_headers_add_id(head, NU_HEADER_STATUS, NU_STR("200")); /* of another section */
    nu_headers_add_id(head, NU_HEADER_AUTHORITY, NU_STR("a.example"));
    nu_headers_add_id(head, NU_HEADER_SCHEME, NU_STR("http"));
    nu_headers_add_id(head, NU_HEADER_PATH, NU_STR("/"));
    h2_send_head(client, head, true);
    h2_pair_run(&pair);
    struct h2_heard *server = &pair.server.heard[0];
    assert_true(server->has_head && server->ended && !client->was_reset);
    assert_int_equal(nu_headers_count(&server->headers), 7);
    assert_str(value_of(&server->headers, ":path"), "/");
    assert_str(value_of(&server->headers, "accept"), "a");
    assert_str(value_of(&server->headers, "x-thing"), "c");
    assert_str(value_of(&server->headers, "user-agent"), "d");
    h2_pair_finish(&pair);
}

TEST(trailers_and_interim_responses_pass)
{
    struct h2_pair pair;
    h2_pair_init(&pair);
    h2_pair_start(&pair);
    struct h2_heard *client = h2_open(&pair);
    h2_send_head(client, h2_request_head(client, "POST"), false);
    h2_pair_run(&pair);
    struct h2_heard *server = &pair.server.heard[0];
    assert_true(server->has_head && !server->ended);
    server->encoder->ops->encode_1xx(server->encoder, h2_response_head(server, "100"));
    h2_pair_run(&pair);
    assert_int_equal(client->interims, 1);
    h2_send_bytes(client, 3, false);
    h2_send_trailers(client, "x-sum", "7");
    h2_pair_run(&pair);
    assert_true(server->ended);
    assert_int_equal(server->body.len, 3);
    assert_str(value_of(server->trailers, "x-sum"), "7");
    h2_send_head(server, h2_response_head(server, "200"), false);
    h2_send_trailers(server, "grpc-status", "0");
    h2_pair_run(&pair);
    assert_true(client->ended);
    assert_int_equal(client->body.len, 0);
    assert_str(value_of(client->trailers, "grpc-status"), "0");
    h2_pair_finish(&pair);
}

TEST(a_body_beyond_the_window_waits_for_its_reader)
{
    enum { WINDOW = 65535, BODY = 4 * 1024 * 1024 };
    struct h2_pair pair;
    struct h2_heard *server;
    h2_pair_init(&pair);
    pair.client.options.stream_window_bytes = WINDOW;
    pair.client.options.connection_window_bytes = WINDOW;
    h2_pair_start(&pair);
    struct h2_heard *client = exchange_get(&pair, &server);
    client->encoder->ops->hold_read(client->encoder);
    h2_send_head(server, h2_response_head(server, "200"), false);
    h2_send_bytes(server, BODY, false);
    h2_pair_run(&pair);
    assert_int_equal(client->body.len, 0);
    assert_int_equal(server->highs, 1);
    client->encoder->ops->release_read(client->encoder);
    h2_pair_run(&pair);
    assert_int_equal(client->body.len, BODY);
    assert_int_equal(server->lows, 1);
    h2_send_trailers(server, "x-end", "1");
    h2_pair_run(&pair);
    assert_true(client->ended);
    h2_pair_finish(&pair);
}

TEST(trailers_wait_behind_a_body_that_waits)
{
    enum { WINDOW = 65535, BODY = 100000 };
    struct h2_pair pair;
    struct h2_heard *server;
    h2_pair_init(&pair);
    pair.client.options.stream_window_bytes = WINDOW;
    h2_pair_start(&pair);
    struct h2_heard *client = exchange_get(&pair, &server);
    client->encoder->ops->hold_read(client->encoder);
    h2_send_head(server, h2_response_head(server, "200"), false);
    h2_send_bytes(server, BODY, false);
    struct nu_headers *trailers = h2_make_headers(server);
    nu_headers_add(trailers, NU_STR("grpc-status"), NU_STR("0")); /* a name that we know */
    nu_headers_add(trailers, NU_STR("x-end"), NU_STR("1"));
    server->encoder->ops->encode_trailers(server->encoder, trailers);
    h2_pair_run(&pair);
    assert_int_equal(client->body.len, 0);
    client->encoder->ops->release_read(client->encoder);
    h2_pair_run(&pair);
    assert_int_equal(client->body.len, BODY);
    assert_str(value_of(client->trailers, "grpc-status"), "0");
    assert_str(value_of(client->trailers, "x-end"), "1");
    h2_pair_finish(&pair);
}

TEST(a_reset_reaches_the_other_side)
{
    struct h2_pair pair;
    struct h2_heard *server;
    h2_pair_init(&pair);
    h2_pair_start(&pair);
    struct h2_heard *client = exchange_get(&pair, &server);
    client->encoder->ops->reset(client->encoder, NU_RESET_LOCAL);
    h2_pair_run(&pair);
    assert_true(server->was_reset);
    assert_int_equal(server->reset, NU_RESET_REMOTE);
    assert_str(server->details, "http2.remote_reset");
    assert_false(client->was_reset);
    client = exchange_get(&pair, &server);
    server->encoder->ops->reset(server->encoder, NU_RESET_LOCAL_REFUSED);
    h2_pair_run(&pair);
    assert_true(client->was_reset);
    assert_int_equal(client->reset, NU_RESET_REMOTE_REFUSED);
    assert_int_equal(nu_counter_get(&pair.server.stats.rx_reset), 1);
    assert_int_equal(nu_counter_get(&pair.server.stats.tx_reset), 1);
    h2_pair_finish(&pair);
}

TEST(an_answer_before_the_end_of_its_request_arrives_whole)
{
    struct h2_pair pair;
    h2_pair_init(&pair);
    h2_pair_start(&pair);
    struct h2_heard *client = h2_open(&pair);
    h2_send_head(client, h2_request_head(client, "POST"), false);
    h2_pair_run(&pair);
    struct h2_heard *server = &pair.server.heard[0];
    h2_send_head(server, h2_response_head(server, "413"), false);
    h2_send_bytes(server, 9, true);
    server->encoder->ops->reset(server->encoder, NU_RESET_LOCAL);
    h2_pair_run(&pair);
    assert_true(client->ended && !client->was_reset);
    assert_int_equal(client->body.len, 9);
    assert_int_equal(nu_h2_session_stream_count(pair.client.session), 0);
    h2_pair_finish(&pair);
}

TEST(goaway_lets_open_streams_finish_and_no_other_begin)
{
    struct h2_pair pair;
    struct h2_heard *server;
    h2_pair_init(&pair);
    h2_pair_start(&pair);
    struct h2_heard *client = exchange_get(&pair, &server);
    struct nu_codec *codec = nu_h2_session_codec(pair.server.session);
    codec->ops->drain(codec);
    h2_pair_run(&pair);
    assert_int_equal(pair.client.goaways, 1);
    nu_h2_session_goaway(pair.server.session);
    h2_pair_run(&pair);
    assert_int_equal(pair.client.goaways, 2);
    assert_false(nu_h2_session_can_open(pair.client.session));
    h2_send_head(server, h2_response_head(server, "204"), true);
    h2_pair_run(&pair);
    assert_true(client->ended);
    assert_false(pair.client.failed || pair.server.failed);
    h2_pair_finish(&pair);
}

/* A client's GOAWAY and a request behind it, or a broken one, as they come in two reads. */
static void receive_cut(struct h2_pair *pair, struct nu_str bytes, size_t cut)
{
    h2_pair_init(pair);
    h2_pair_start(pair);
    nu_buf_append(&pair->server.conn.in, nu_str_first(bytes, cut));
    h2_side_dispatch(&pair->server);
    h2_pair_run(pair);
    nu_buf_append(&pair->server.conn.in, nu_str_skip(bytes, cut));
    h2_side_dispatch(&pair->server);
    h2_pair_run(pair);
}

TEST(a_request_behind_the_goaway_of_its_client_is_served)
{
    static const struct nu_str bytes = NU_STR_INIT("\0\0\x0a\x07\0\0\0\0\0"
                                                   "\0\0\0\0\0\0\0\0no"
                                                   "\0\0\x25\x01\x05\0\0\0\x01"
                                                   "\0\x07:method\x03GET\x86\0\x0a:authority\x01"
                                                   "a\0\x05:path\x01/");
    for (size_t cut = 1; cut < bytes.len; cut++) {
        struct h2_pair pair;
        receive_cut(&pair, bytes, cut);
        assert_int_equal(pair.server.count, 1);
        assert_true(pair.server.heard[0].has_head && pair.server.heard[0].ended);
        assert_false(pair.server.failed);
        h2_pair_finish(&pair);
    }
}

TEST(a_broken_goaway_ends_the_connection)
{
    static const struct nu_str frames[] = {
        NU_STR_INIT("\0\0\x08\x07\0\0\0\0\x01"
                    "\0\0\0\0\0\0\0\0"), /* of a stream */
        NU_STR_INIT("\0\0\x07\x07\0\0\0\0\0"
                    "\0\0\0\0\0\0\0"), /* too short */
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(frames); i++) {
        for (size_t cut = 1; cut < frames[i].len; cut++) {
            struct h2_pair pair;
            receive_cut(&pair, frames[i], cut);
            assert_true(pair.server.failed);
            assert_int_equal(pair.server.kind, NU_H2_PROTOCOL_ERROR);
            h2_pair_finish(&pair);
        }
    }
}

TEST(a_head_without_an_end_is_bounded)
{
    static const struct nu_str frame = NU_STR_INIT("\0\0\5\x09\0\0\0\0\1\0\1a\1b");
    struct h2_pair pair;
    h2_pair_init(&pair);
    h2_pair_start(&pair);
    nu_buf_append(&pair.server.conn.in, NU_STR("\0\0\1\1\0\0\0\0\1\x82"));
    for (unsigned i = 0; i < 5000 && !pair.server.failed; i++) {
        nu_buf_append(&pair.server.conn.in, frame);
        h2_side_dispatch(&pair.server);
        nu_loop_run_once(pair.loop);
        assert_true(pair.server.heard[0].was_reset == (i >= pair.server.options.max_headers - 1));
    }
    assert_int_equal(nu_counter_get(&pair.server.stats.header_overflow), 1);
    assert_str(pair.server.heard[0].details, "http2.too_many_headers");
    assert_true(pair.server.failed);
    assert_int_equal(pair.server.conn.in.len, 0);
    h2_pair_finish(&pair);
}

TEST(the_end_of_the_connection_resets_its_streams)
{
    struct h2_pair pair;
    struct h2_heard *server;
    h2_pair_init(&pair);
    h2_pair_start(&pair);
    struct h2_heard *client = exchange_get(&pair, &server);
    h2_pair_finish(&pair);
    assert_true(client->was_reset && server->was_reset);
    assert_int_equal(client->reset, NU_RESET_CONNECTION_TERMINATION);
}

TEST(the_pieces_of_a_cookie_are_joined)
{
    struct h2_pair pair;
    h2_pair_init(&pair);
    h2_pair_start(&pair);
    struct h2_heard *client = h2_open(&pair);
    struct nu_headers *head = h2_request_head(client, "GET");
    nu_headers_add(head, NU_STR("cookie"), NU_STR("a=1"));
    nu_headers_add(head, NU_STR("x-other"), NU_STR("o"));
    nu_headers_add(head, NU_STR("cookie"), NU_STR("b=2"));
    h2_send_head(client, head, true);
    h2_pair_run(&pair);
    struct h2_heard *server = &pair.server.heard[0];
    assert_str(value_of(&server->headers, "cookie"), "a=1; b=2");
    h2_pair_finish(&pair);
}

TEST(heads_beyond_the_share_of_a_turn_are_told_in_later_ones)
{
    enum { REQUESTS = 7, SHARE = 3 };
    struct h2_pair pair;
    h2_pair_init(&pair);
    pair.server.max_heads = SHARE;
    h2_pair_start(&pair);
    for (int i = 0; i < REQUESTS; i++) {
        struct h2_heard *client = h2_open(&pair);
        h2_send_head(client, h2_request_head(client, "POST"), false);
        h2_send_bytes(client, 4, i != 5);
    }
    nu_loop_run_once(pair.loop);
    struct nu_stream_encoder *given_up = pair.client.heard[5].encoder;
    given_up->ops->reset(given_up, NU_RESET_LOCAL);
    nu_loop_run_once(pair.loop);
    h2_carry(&pair.client, &pair.server);
    unsigned told = 0;
    for (unsigned i = 0; i < pair.server.count; i++)
        told += pair.server.heard[i].has_head;
    assert_int_equal(told, SHARE);
    h2_pair_run(&pair);
    for (unsigned i = 0; i < REQUESTS; i++) {
        assert_true(pair.server.heard[i].ended == (i != 5));
        assert_true(pair.server.heard[i].was_reset == (i == 5));
    }
    h2_pair_finish(&pair);
}

/* --- Tunnels ---------------------------------------------------------------------------------- */

/* What the client sends for an upgrade as HTTP/1 has it. */
static struct h2_heard *open_upgrade(struct h2_pair *pair, struct h2_heard **server)
{
    struct h2_heard *client = h2_open(pair);
    struct nu_headers *head = h2_request_head(client, "GET");
    nu_headers_add(head, NU_STR("x-before"), NU_STR("1"));
    nu_headers_add(head, NU_STR("connection"), NU_STR("keep-alive, Upgrade"));
    nu_headers_add(head, NU_STR("upgrade"), NU_STR("websocket"));
    nu_headers_add(head, NU_STR("content-length"), NU_STR("0"));
    h2_send_head(client, head, false);
    h2_pair_run(pair);
    *server = &pair->server.heard[0];
    return client;
}

TEST(an_upgrade_is_an_extended_connect_on_the_wire)
{
    struct h2_pair pair;
    struct h2_heard *server;
    h2_pair_init(&pair);
    pair.server.options.allow_connect = true;
    h2_pair_start(&pair);
    struct h2_heard *client = open_upgrade(&pair, &server);
    assert_true(server->has_head && !server->ended);
    assert_str(value_of(&server->headers, ":method"), "GET");
    assert_str(value_of(&server->headers, ":path"), "/x?y");
    assert_null(value_of(&server->headers, ":protocol").ptr);
    assert_str(value_of(&server->headers, "upgrade"), "websocket");
    assert_str(value_of(&server->headers, "connection"), "upgrade");
    assert_str(value_of(&server->headers, "x-before"), "1");
    assert_null(value_of(&server->headers, "content-length").ptr);
    struct nu_headers *head = h2_response_head(server, "101");
    nu_headers_add(head, NU_STR("upgrade"), NU_STR("websocket"));
    nu_headers_add(head, NU_STR("connection"), NU_STR("upgrade"));
    h2_send_head(server, head, false);
    h2_send_bytes(server, 5, false);
    h2_pair_run(&pair);
    assert_str(value_of(&client->headers, ":status"), "101");
    assert_str(value_of(&client->headers, "upgrade"), "websocket");
    assert_str(value_of(&client->headers, "connection"), "upgrade");
    assert_int_equal(client->body.len, 5);
    h2_send_bytes(client, 7, true);
    h2_pair_run(&pair);
    assert_true(server->ended && !client->ended);
    assert_int_equal(server->body.len, 7);
    h2_send_bytes(server, 1, true);
    h2_pair_run(&pair);
    assert_true(client->ended);
    h2_pair_finish(&pair);
}

TEST(a_refused_upgrade_is_an_ordinary_response)
{
    struct h2_pair pair;
    struct h2_heard *server;
    h2_pair_init(&pair);
    pair.server.options.allow_connect = true;
    h2_pair_start(&pair);
    struct h2_heard *client = open_upgrade(&pair, &server);
    h2_send_head(server, h2_response_head(server, "403"), false);
    h2_send_bytes(server, 2, true);
    h2_pair_run(&pair);
    assert_str(value_of(&client->headers, ":status"), "403");
    assert_null(value_of(&client->headers, "upgrade").ptr);
    assert_true(client->ended);
    h2_pair_finish(&pair);
}

TEST(an_upgrade_that_the_server_has_not_allowed_is_a_broken_message)
{
    struct h2_pair pair;
    struct h2_heard *server;
    h2_pair_init(&pair);
    h2_pair_start(&pair);
    open_upgrade(&pair, &server);
    assert_false(server->has_head);
    assert_true(pair.server.failure.len > 0);
    h2_pair_finish(&pair);
}

TEST(a_connect_has_neither_scheme_nor_path)
{
    struct h2_pair pair;
    h2_pair_init(&pair);
    h2_pair_start(&pair);
    struct h2_heard *client = h2_open(&pair);
    h2_send_head(client, h2_request_head(client, "CONNECT"), false);
    h2_pair_run(&pair);
    struct h2_heard *server = &pair.server.heard[0];
    assert_true(server->has_head && !server->ended);
    assert_str(value_of(&server->headers, ":method"), "CONNECT");
    assert_str(value_of(&server->headers, ":authority"), "a.example");
    assert_null(value_of(&server->headers, ":path").ptr);
    assert_null(value_of(&server->headers, ":scheme").ptr);
    h2_send_head(server, h2_response_head(server, "200"), false);
    h2_pair_run(&pair);
    assert_str(value_of(&client->headers, ":status"), "200");
    h2_pair_finish(&pair);
}

/* Beyond the window, so that the reset has to wait for the client. */
TEST(what_a_tunnel_had_to_say_comes_before_its_break)
{
    enum { BODY = 300000 };
    struct h2_pair pair;
    h2_pair_init(&pair);
    pair.client.options.stream_window_bytes = 65535;
    h2_pair_start(&pair);
    struct h2_heard *client = h2_open(&pair);
    h2_send_head(client, h2_request_head(client, "CONNECT"), false);
    h2_pair_run(&pair);
    struct h2_heard *server = &pair.server.heard[0];
    client->encoder->ops->hold_read(client->encoder);
    h2_send_head(server, h2_response_head(server, "200"), false);
    h2_send_bytes(server, BODY, false);
    h2_pair_run(&pair);
    server->encoder->ops->reset(server->encoder, NU_RESET_CONNECT_ERROR);
    h2_pair_run(&pair);
    assert_false(client->was_reset);
    client->encoder->ops->release_read(client->encoder);
    h2_pair_run(&pair);
    assert_int_equal(client->body.len, BODY);
    assert_true(client->was_reset);
    assert_int_equal(client->reset, NU_RESET_CONNECT_ERROR);
    h2_pair_finish(&pair);
}

TEST_MAIN()
