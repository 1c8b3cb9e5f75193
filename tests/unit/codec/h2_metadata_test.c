/* SPDX-License-Identifier: Apache-2.0 */
/* METADATA between two sessions of ours, and what peers may send in its place. */
#include "harness/h2_pair.h"

static void init(struct h2_pair *pair)
{
    h2_pair_init(pair);
    pair->client.options.allow_metadata = true;
    pair->server.options.allow_metadata = true;
}

static struct nu_str heard_of(const struct h2_heard *heard)
{
    return nu_strbuf_str(&heard->metadata);
}

/* A POST whose head the server has received. */
static struct h2_heard *begin(struct h2_pair *pair, struct h2_heard **server)
{
    struct h2_heard *client = h2_open(pair);
    h2_send_head(client, h2_request_head(client, "POST"), false);
    h2_pair_run(pair);
    *server = &pair->server.heard[pair->server.count - 1];
    assert_true((*server)->has_head && !(*server)->ended);
    return client;
}

/* Puts bytes on the wire in the client's place. */
static void receive(struct h2_pair *pair, struct nu_str bytes)
{
    nu_buf_append(&pair->server.conn.in, bytes);
    h2_side_dispatch(&pair->server);
    nu_loop_run_once(pair->loop);
}

/* A side's peer reads nothing, and reads again. */
static void stall(struct h2_side *side)
{
    struct nu_codec *codec = nu_h2_session_codec(side->session);
    nu_buf_append(&side->conn.out, NU_STR("\0\0\1\xff\0\0\0\0\0x")); /* of no known type */
    side->conn.buffer_limit = 1;
    side->conn.above_high = true;
    codec->ops->on_above_high(codec);
}

static void go_on(struct h2_side *side)
{
    struct nu_codec *codec = nu_h2_session_codec(side->session);
    side->conn.buffer_limit = 1024 * 1024;
    side->conn.above_high = false;
    codec->ops->on_below_low(codec);
}

TEST(metadata_passes_where_it_was_put)
{
    struct h2_pair pair;
    struct h2_heard *server;
    init(&pair);
    h2_pair_start(&pair);
    struct h2_heard *client = begin(&pair, &server);
    h2_send_metadata(client, "a", NU_STR("1"));
    h2_send_bytes(client, 5, false);
    h2_send_metadata(client, "b", NU_STR("2"));
    h2_send_metadata(client, "c", NU_STR(""));
    h2_send_bytes(client, 4, true);
    h2_pair_run(&pair);
    assert_str(heard_of(server), " a=1@0 b=2@5 c=@5");
    assert_true(server->ended);
    assert_int_equal(server->body.len, 9);
    h2_send_metadata(server, "d", NU_STR("early"));
    h2_send_head(server, h2_response_head(server, "200"), false);
    h2_send_bytes(server, 3, false);
    h2_send_metadata(server, "e", NU_STR("late"));
    h2_send_trailers(server, "x-end", "1");
    h2_pair_run(&pair);
    assert_str(heard_of(client), " d=early@0 e=late@3");
    assert_true(client->ended && client->trailers);
    h2_pair_finish(&pair);
}

TEST(metadata_of_a_request_goes_out_with_its_head)
{
    struct h2_pair pair;
    init(&pair);
    h2_pair_start(&pair);
    struct h2_heard *client = h2_open(&pair);
    h2_send_head(client, h2_request_head(client, "POST"), false);
    h2_send_metadata(client, "a", NU_STR("1"));
    h2_send_bytes(client, 5, true);
    h2_pair_run(&pair);
    assert_str(heard_of(&pair.server.heard[0]), " a=1@0");
    assert_true(pair.server.heard[0].ended);
    h2_pair_finish(&pair);
}

TEST(metadata_waits_for_a_head_that_cannot_be_sent)
{
    struct h2_pair pair;
    init(&pair);
    h2_pair_start(&pair);
    stall(&pair.client);
    struct h2_heard *client = h2_open(&pair);
    h2_send_head(client, h2_request_head(client, "POST"), false);
    h2_send_metadata(client, "a", NU_STR("1"));
    nu_loop_run_once(pair.loop);
    assert_int_equal(pair.client.conn.out.len, 10);
    go_on(&pair.client);
    h2_pair_run(&pair);
    assert_str(heard_of(&pair.server.heard[0]), " a=1@0");
    h2_pair_finish(&pair);
}

TEST(a_large_block_passes_in_several_frames)
{
    enum { LENGTH = 60000 };
    static char value[LENGTH];
    struct h2_pair pair;
    struct h2_heard *server;
    init(&pair);
    h2_pair_start(&pair);
    struct h2_heard *client = begin(&pair, &server);
    memset(value, 'v', LENGTH);
    h2_send_metadata(client, "name", nu_str_make(value, LENGTH));
    h2_pair_run(&pair);
    assert_int_equal(heard_of(server).len, strlen(" name=") + LENGTH + strlen("@0"));
    h2_pair_finish(&pair);
}

TEST(metadata_without_leave_is_dropped_on_either_side)
{
    for (int side = 0; side < 2; side++) {
        struct h2_pair pair;
        struct h2_heard *server;
        h2_pair_init(&pair);
        pair.client.options.allow_metadata = side == 0;
        pair.server.options.allow_metadata = side == 1;
        h2_pair_start(&pair);
        struct h2_heard *client = begin(&pair, &server);
        h2_send_metadata(client, "a", NU_STR("1"));
        h2_send_bytes(client, 2, true);
        h2_pair_run(&pair);
        assert_true(server->ended);
        assert_int_equal(heard_of(server).len, 0);
        assert_false(pair.server.failed || pair.client.failed);
        h2_pair_finish(&pair);
    }
}

TEST(metadata_behind_the_end_of_its_message_is_dropped)
{
    struct h2_pair pair;
    struct h2_heard *server;
    init(&pair);
    h2_pair_start(&pair);
    struct h2_heard *client = begin(&pair, &server);
    h2_send_bytes(client, 2, true);
    h2_send_metadata(client, "a", NU_STR("1"));
    h2_pair_run(&pair);
    receive(&pair, NU_STR("\0\0\5\x4d\4\0\0\0\1\0\1a\1b"));
    assert_true(server->ended);
    assert_int_equal(heard_of(server).len, 0);
    assert_false(pair.server.failed);
    h2_pair_finish(&pair);
}

/* --- Blocks as a peer may cut and write them --------------------------------------------------- */

TEST(a_block_is_one_however_its_frames_are_cut)
{
    static const struct nu_str block = NU_STR_INIT("\0\3one\2xy\x40\5three\0\x0f\0\1z\xbe");
    for (size_t cut = 0; cut <= block.len; cut++) {
        struct h2_pair pair;
        struct h2_heard *server;
        init(&pair);
        h2_pair_start(&pair);
        begin(&pair, &server);
        char head[9] = {0, 0, (char)cut, 0x4d, 0, 0, 0, 0, 1};
        char last[9] = {0, 0, (char)(block.len - cut), 0x4d, 4, 0, 0, 0, 1};
        receive(&pair, nu_str_make(head, sizeof(head)));
        receive(&pair, nu_str_first(block, cut));
        receive(&pair, nu_str_make(last, sizeof(last)));
        receive(&pair, nu_str_skip(block, cut));
        assert_str(heard_of(server), " one=xy@0 three=@0 accept-charset=z@0 three=@0");
        h2_pair_finish(&pair);
    }
}

TEST(an_empty_block_is_counted_and_told_to_nobody)
{
    struct h2_pair pair;
    struct h2_heard *server;
    init(&pair);
    h2_pair_start(&pair);
    begin(&pair, &server);
    receive(&pair, NU_STR("\0\0\0\x4d\4\0\0\0\1"));
    receive(&pair, NU_STR("\0\0\0\x4d\0\0\0\0\1"));
    receive(&pair, NU_STR("\0\0\0\x4d\4\0\0\0\1"));
    assert_int_equal(nu_counter_get(&pair.server.stats.metadata_empty_frames), 2);
    assert_int_equal(heard_of(server).len, 0);
    h2_pair_finish(&pair);
}

TEST(what_is_no_block_ends_the_connection)
{
    static const struct nu_str frames[] = {
        NU_STR_INIT("\0\0\4\x4d\4\0\0\0\1\0\5ab"), /* cut off */
        NU_STR_INIT("\0\0\1\x4d\4\0\0\0\1\xbe"),   /* an entry that is not there */
        NU_STR_INIT("\0\0\1\x4d\4\0\0\0\1\x80"),   /* and never is */
        NU_STR_INIT("\0\0\7\x4d\4\0\0\0\1\0\x7f\xff\xff\xff\xff\x7f"),
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(frames); i++) {
        struct h2_pair pair;
        struct h2_heard *server;
        init(&pair);
        h2_pair_start(&pair);
        begin(&pair, &server);
        receive(&pair, frames[i]);
        assert_true(pair.server.failed);
        assert_int_equal(pair.server.kind, NU_H2_PROTOCOL_ERROR);
        assert_str(pair.server.failure, "codec_error:The_user_callback_function_failed");
        h2_pair_finish(&pair);
    }
}

/* --- Bounds ------------------------------------------------------------------------------------ */

TEST(a_stream_that_brings_too_much_ends_its_connection)
{
    struct h2_pair pair;
    struct h2_heard *server;
    init(&pair);
    pair.server.options.max_metadata_bytes = 12;
    h2_pair_start(&pair);
    struct h2_heard *client = begin(&pair, &server);
    h2_send_metadata(client, "a", NU_STR("12"));
    h2_send_metadata(client, "b", NU_STR("12"));
    h2_pair_run(&pair);
    assert_str(heard_of(server), " a=12@0 b=12@0");
    assert_false(pair.server.failed);
    h2_send_metadata(client, "c", NU_STR(""));
    h2_pair_run(&pair);
    assert_true(pair.server.failed);
    h2_pair_finish(&pair);
}

TEST(blocks_that_are_coming_are_bounded_over_all_streams)
{
    struct h2_pair pair;
    struct h2_heard *server;
    init(&pair);
    pair.server.options.max_metadata_bytes = 12;
    h2_pair_start(&pair);
    begin(&pair, &server);
    begin(&pair, &server);
    /* Eight bytes of a block that goes on, on each stream. */
    receive(&pair, nu_str_make("\0\0\x08\x4d\0\0\0\0\1abcdefgh", 17));
    assert_false(pair.server.failed);
    /* One of them ends, as far as it counts. */
    receive(&pair, nu_str_make("\0\0\4\x03\0\0\0\0\1\0\0\0\x08", 13));
    receive(&pair, nu_str_make("\0\0\x08\x4d\0\0\0\0\3abcdefgh", 17));
    assert_false(pair.server.failed);
    begin(&pair, &server);
    receive(&pair, nu_str_make("\0\0\x08\x4d\0\0\0\0\5abcdefgh", 17));
    assert_true(pair.server.failed);
    h2_pair_finish(&pair);
}

TEST(a_table_makes_no_more_of_a_block_than_is_allowed)
{
    enum { ENTRY = 1000, TIMES = 200 };
    static char frame[9 + 6 + ENTRY + TIMES];
    struct h2_pair pair;
    struct h2_heard *server;
    init(&pair);
    pair.server.options.max_metadata_bytes = 100 * 1024;
    h2_pair_start(&pair);
    begin(&pair, &server);
    size_t len = sizeof(frame) - 9;
    memcpy(frame, (char[]){0, (char)(len >> 8), (char)len, 0x4d, 4, 0, 0, 0, 1}, 9);
    memcpy(frame + 9, "\x40\1a\x7f\xe9\x06", 6); /* a value of 127 + 105 + 6 * 128 */
    memset(frame + 15, 'x', ENTRY);
    memset(frame + 15 + ENTRY, '\xbe', TIMES); /* and so again */
    receive(&pair, nu_str_make(frame, sizeof(frame)));
    assert_true(pair.server.failed);
    assert_int_equal(heard_of(server).len, 0);
    h2_pair_finish(&pair);
}

/* The client reads nothing: what waits for it is bounded, and its stream pays for it alone. */
TEST(too_much_that_waits_to_be_sent_resets_its_stream)
{
    enum { LENGTH = 10000 };
    static char value[LENGTH];
    struct h2_pair pair;
    struct h2_heard *server;
    init(&pair);
    h2_pair_start(&pair);
    struct h2_heard *client = begin(&pair, &server);
    stall(&pair.server);
    memset(value, 'v', LENGTH);
    for (int i = 0; i < 200; i++)
        h2_send_metadata(server, "name", nu_str_make(value, LENGTH));
    nu_loop_run_once(pair.loop);
    assert_true(server->was_reset);
    assert_int_equal(server->reset, NU_RESET_OVERFLOW);
    assert_false(pair.server.failed);
    go_on(&pair.server);
    h2_pair_run(&pair);
    assert_true(client->was_reset);
    assert_false(pair.client.failed || pair.server.failed);
    h2_pair_finish(&pair);
}

TEST(what_waits_when_the_connection_ends_is_freed)
{
    struct h2_pair pair;
    struct h2_heard *server;
    init(&pair);
    h2_pair_start(&pair);
    struct h2_heard *client = begin(&pair, &server);
    stall(&pair.client);
    h2_send_metadata(client, "a", NU_STR("1"));
    receive(&pair, NU_STR("\0\0\3\x4d\0\0\0\0\1\0\1a"));
    h2_pair_finish(&pair);
    assert_int_equal(heard_of(server).len, 0);
}

TEST_MAIN()
