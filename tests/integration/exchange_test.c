/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges with scripted upstreams over real sockets: what a response, an end, a reset or a
 * timeout in each phase becomes, which statistics move, and what is left of the connection.
 */
#include "harness/origin.h"

/* --- One exchange ----------------------------------------------------------------------------- */

#define HEAD_END "< \r\n\r\n | "
#define OK_2 "> HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

struct exchange_case {
    const char *name;
    const char *script;
    const char *method;
    const char *events;
    const char *stats;
};

static const struct exchange_case cases[] = {
    {"length", HEAD_END OK_2, "GET", "200 [ok] end",
     "upstream_rq_total=1 upstream_rq_200=1 upstream_cx_active=1 upstream_cx_destroy=0"},
    {"no body", HEAD_END "> HTTP/1.1 204 No Content\r\n\r\n", "GET", "204 end",
     "upstream_cx_active=1 upstream_rq_204=1"},
    {"chunked",
     HEAD_END "> HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "GET",
     "200 [ok] end", "upstream_cx_active=1"},
    {"head", HEAD_END "> HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", "HEAD", "200 end",
     "upstream_cx_active=1"},
    {"interim", HEAD_END "> HTTP/1.1 103 Early Hints\r\n\r\n | " OK_2, "GET", "103 200 [ok] end",
     "upstream_rq_103=1 upstream_rq_200=1 upstream_cx_active=1"},
    {"body to the end", HEAD_END "> HTTP/1.1 200 OK\r\n\r\nok | close", "GET", "200 [ok] end",
     "upstream_cx_active=0 upstream_cx_destroy=1 upstream_cx_protocol_error=0"},
    {"says close", HEAD_END "> HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
     "GET", "200 end",
     "upstream_cx_active=0 upstream_cx_destroy_local=1 upstream_cx_close_notify=1"},
    {"extra bytes", HEAD_END OK_2 "HTTP/1.1 200 OK\r\n\r\n", "GET", "200 [ok] end",
     "upstream_cx_active=0 upstream_cx_destroy_local=1 upstream_cx_protocol_error=1"},
    {"closed before a byte", HEAD_END "close", "GET", "failed: connection termination",
     "upstream_rq_503=1 upstream_cx_destroy_remote_with_active_rq=1 upstream_rq_active=0"},
    {"reset before a byte", HEAD_END "reset", "GET", "failed: connection termination",
     "upstream_rq_503=1 upstream_cx_destroy_remote_with_active_rq=1"},
    {"closed in the head", HEAD_END "> HTTP/1.1 200 | close", "GET", "failed: protocol error",
     "upstream_rq_502=1 upstream_cx_protocol_error=1 upstream_cx_active=0"},
    {"closed in the body", HEAD_END "> HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok | close",
     "GET", "200 [ok] failed: protocol error (late)",
     "upstream_rq_200=1 upstream_rq_502=0 upstream_cx_active=0"},
    {"closed in a chunk",
     HEAD_END "> HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nok | close", "GET",
     "200 [ok] failed: protocol error (late)", "upstream_cx_active=0"},
    {"garbage", HEAD_END "> nonsense\r\n\r\n", "GET", "failed: protocol error",
     "upstream_rq_502=1 upstream_cx_protocol_error=1 upstream_cx_destroy_local_with_active_rq=1"},
    {"two lengths", HEAD_END "> HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
     "GET", "failed: protocol error", "upstream_rq_502=1 upstream_cx_active=0"},
    {"closed while connecting", "close", "GET", "failed: connection termination",
     "upstream_rq_503=1 upstream_cx_active=0"},
};

TEST(each_way_a_response_goes)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(cases); i++) {
        const struct exchange_case *c = &cases[i];
        struct fixture f;
        struct exchange_client client;
        print_message("  %s\n", c->name);
        fixture_init(&f, c->script);
        fixture_start(&f);
        exchange_start(&client, &f.params, c->method, true);
        assert_true(exchange_wait(f.base.loop, &client));
        assert_str(nu_strbuf_str(&client.events), c->events);
        assert_stats(&f, c->stats);
        assert_stats(&f, "upstream_rq_active=0 upstream_rq_pending_active=0");
        exchange_finish(&client);
        fixture_finish(&f);
    }
}

/* --- Two exchanges, one after the other ------------------------------------------------------- */

struct reuse_case {
    const char *name;
    const char *script;
    const char *between; /* a statistic to wait for before the second one; NULL: none */
    const char *events;  /* of the second */
    const char *stats;
};

static const struct reuse_case reuse_cases[] = {
    {"kept alive", HEAD_END OK_2 " | again", NULL, "200 [ok] end",
     "upstream_cx_total=1 upstream_rq_total=2 upstream_rq_pending_total=1"},
    {"said close", HEAD_END "> HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
     NULL, "200 end", "upstream_cx_total=2 upstream_cx_close_notify=2"},
    {"closed while idle", HEAD_END OK_2 " | close", "upstream_cx_active=0", "200 [ok] end",
     "upstream_cx_total=2 upstream_cx_destroy_remote=2 upstream_cx_destroy_with_active_rq=0"},
    {"bytes while idle", HEAD_END OK_2 " | pause | > HTTP/1.1 500 Late\r\n\r\n",
     "upstream_cx_active=0", "200 [ok] end",
     "upstream_cx_total=2 upstream_rq_500=0 upstream_cx_destroy_local=1"},
    {"second response unasked", HEAD_END OK_2 "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
     NULL, "200 [ok] end", "upstream_cx_total=2 upstream_cx_protocol_error=2"},
};

TEST(what_is_left_of_a_connection)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(reuse_cases); i++) {
        const struct reuse_case *c = &reuse_cases[i];
        struct fixture f;
        struct exchange_client first, second;
        print_message("  %s\n", c->name);
        fixture_init(&f, c->script);
        fixture_start(&f);
        exchange_start(&first, &f.params, "GET", true);
        assert_true(exchange_wait(f.base.loop, &first));
        upstream_resume(&f.upstream);
        if (c->between)
            assert_stats(&f, c->between);
        exchange_start(&second, &f.params, "GET", true);
        assert_true(exchange_wait(f.base.loop, &second));
        assert_str(nu_strbuf_str(&second.events), c->events);
        assert_stats(&f, c->stats);
        exchange_finish(&first);
        exchange_finish(&second);
        fixture_finish(&f);
    }
}

/* The close is under way when the request goes out: without retries it is a 503, as in Envoy. */
TEST(request_into_a_closing_connection_fails)
{
    struct fixture f;
    struct exchange_client first, second;
    fixture_init(&f, HEAD_END OK_2 " | pause | close");
    fixture_start(&f);
    exchange_start(&first, &f.params, "GET", true);
    assert_true(exchange_wait(f.base.loop, &first));
    /* Both in one turn: the pool cannot have seen the end yet. */
    upstream_resume(&f.upstream);
    exchange_start(&second, &f.params, "GET", true);
    assert_true(exchange_wait(f.base.loop, &second));
    assert_str(nu_strbuf_str(&second.events), "failed: connection termination");
    assert_stats(&f, "upstream_cx_total=1 upstream_rq_503=1 "
                     "upstream_cx_destroy_remote_with_active_rq=1");
    exchange_finish(&first);
    exchange_finish(&second);
    fixture_finish(&f);
}

/* --- Early responses -------------------------------------------------------------------------- */

TEST(early_response_ends_the_request_and_its_connection)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, HEAD_END "> HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n");
    fixture_start(&f);
    exchange_start(&client, &f.params, "POST", false);
    exchange_send(&client, "half of", false);
    assert_true(exchange_wait(f.base.loop, &client));
    assert_str(nu_strbuf_str(&client.events), "413 end");
    /* The rest of the request goes nowhere. */
    exchange_send(&client, " the body", true);
    assert_stats(&f, "upstream_cx_active=0 upstream_cx_destroy_local=1 upstream_rq_413=1");
    assert_true(harness_wait_flag(f.base.loop, &f.upstream.connections[0]->ended));
    assert_int_equal(
        nu_str_find(nu_strbuf_str(&f.upstream.connections[0]->received), NU_STR("the body")),
        NU_NPOS);
    exchange_finish(&client);
    fixture_finish(&f);
}

/* How the upstream ends while the request still comes, and what that is. */
static const struct {
    const char *script;
    const char *events;
} upload_ends[] = {
    {HEAD_END "shut", "failed: connection termination"},
    {HEAD_END "close", "failed: connection termination"},
    {HEAD_END "reset", "failed: connection termination"},
    {HEAD_END "> HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n | shut", "503 end"},
    {HEAD_END "> HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n | close", "503 end"},
    {HEAD_END "> HTTP/1.1 503 No\r\n\r\nbye | shut", "503 [bye] end"},
    {HEAD_END "> HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n | shut",
     "200 failed: protocol error (late)"},
};

TEST(upstream_that_ends_while_the_request_comes)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(upload_ends); i++) {
        struct fixture f;
        struct exchange_client client;
        fixture_init(&f, upload_ends[i].script);
        fixture_start(&f);
        exchange_start(&client, &f.params, "POST", false);
        exchange_send(&client, "half of", false);
        assert_true(exchange_wait(f.base.loop, &client));
        assert_str(nu_strbuf_str(&client.events), upload_ends[i].events);
        exchange_send(&client, " the body", true);
        assert_stats(&f, "upstream_cx_total=1 upstream_cx_active=0 upstream_rq_active=0");
        exchange_finish(&client);
        fixture_finish(&f);
    }
}

TEST(response_may_begin_while_the_request_goes_on)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, HEAD_END "> HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
                              " | < 0\r\n\r\n | > ok");
    fixture_start(&f);
    exchange_start(&client, &f.params, "POST", false);
    struct stat_wait wait = {&f.base, "upstream_rq_200", 1};
    assert_true(harness_wait(f.base.loop, has_value, &wait));
    exchange_send(&client, "body", false);
    exchange_send(&client, "", true);
    assert_true(exchange_wait(f.base.loop, &client));
    assert_str(nu_strbuf_str(&client.events), "200 [ok] end");
    assert_stats(&f, "upstream_cx_active=1 upstream_cx_destroy=0");
    exchange_finish(&client);
    fixture_finish(&f);
}

/* --- Connecting ------------------------------------------------------------------------------- */

TEST(refused_connection_fails_with_the_systems_reason)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, "");
    upstream_refuse(&f.upstream);
    fixture_start(&f);
    exchange_start(&client, &f.params, "GET", true);
    assert_true(exchange_wait(f.base.loop, &client));
    assert_str(nu_strbuf_str(&client.events),
               "failed: remote connection failure, delayed connect error: Connection refused");
    assert_stats(&f, "upstream_cx_connect_fail=1 upstream_cx_connect_timeout=0 upstream_rq_503=1 "
                     "upstream_rq_total=0 upstream_rq_pending_failure_eject=1 "
                     "upstream_cx_destroy_remote=1 upstream_cx_active=0");
    exchange_finish(&client);
    fixture_finish(&f);
}

TEST(connect_timeout_fails_everybody_who_waits)
{
    struct fixture f;
    struct exchange_client clients[2];
    fixture_init(&f, "");
    upstream_blackhole(&f.upstream);
    f.base.cluster->options.connect_timeout_ms = 250;
    fixture_start(&f);
    for (int i = 0; i < 2; i++)
        exchange_start(&clients[i], &f.params, "GET", true);
    harness_advance(f.base.loop, 249);
    assert_stats(&f, "upstream_cx_total=2 upstream_rq_pending_active=2 upstream_cx_active=2");
    harness_advance(f.base.loop, 2);
    for (int i = 0; i < 2; i++)
        assert_str(nu_strbuf_str(&clients[i].events), "failed: connection timeout");
    /* The first to time out takes all who wait along. */
    assert_stats(&f, "upstream_rq_503=2 upstream_rq_pending_failure_eject=2 "
                     "upstream_cx_connect_fail=2 upstream_cx_connect_timeout=2 "
                     "upstream_cx_active=0 upstream_rq_total=0");
    for (int i = 0; i < 2; i++)
        exchange_finish(&clients[i]);
    fixture_finish(&f);
}

/* --- Time ------------------------------------------------------------------------------------- */

struct time_case {
    const char *name;
    const char *script;
    void (*set)(struct fixture *f);
    uint64_t ms;
    const char *events;
    const char *stats;
};

static void short_timeout(struct fixture *f)
{
    f->params.timeout_ms = 300;
}

static void short_stream(struct fixture *f)
{
    f->base.cluster->options.max_stream_duration_ms = 300;
}

static const struct time_case time_cases[] = {
    {"timeout before the response", HEAD_END "pause", short_timeout, 300, "failed: timeout",
     "upstream_rq_timeout=1 upstream_rq_504=1 upstream_cx_active=0 "
     "upstream_cx_destroy_local_with_active_rq=1"},
    {"timeout in the response", HEAD_END "> HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n | pause",
     short_timeout, 300, "200 failed: timeout (late)",
     "upstream_rq_timeout=1 upstream_rq_504=0 upstream_cx_active=0"},
    {"max stream duration", HEAD_END "pause", short_stream, 300, "failed: max duration",
     "upstream_rq_max_duration_reached=1 upstream_rq_timeout=0 upstream_cx_active=0"},
};

TEST(deadlines_end_an_exchange)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(time_cases); i++) {
        const struct time_case *c = &time_cases[i];
        struct fixture f;
        struct exchange_client client;
        print_message("  %s\n", c->name);
        fixture_init(&f, c->script);
        fixture_start(&f);
        c->set(&f);
        exchange_start(&client, &f.params, "GET", true);
        wait_stat(&f, "upstream_rq_active", 1);
        while (f.upstream.count == 0 || !f.upstream.connections[0]->paused)
            nu_loop_run_once(f.base.loop);
        for (int turn = 0; turn < 20; turn++)
            nu_loop_run_once(f.base.loop);
        harness_advance(f.base.loop, c->ms - 1);
        assert_false(client.over);
        harness_advance(f.base.loop, 2);
        assert_true(client.over);
        assert_str(nu_strbuf_str(&client.events), c->events);
        assert_stats(&f, c->stats);
        exchange_finish(&client);
        fixture_finish(&f);
    }
}

/* --- Giving up -------------------------------------------------------------------------------- */

TEST(cancel_before_the_connection_is_up_leaves_it_to_the_pool)
{
    struct fixture f;
    struct exchange_client first, second;
    fixture_init(&f, HEAD_END OK_2 " | again");
    fixture_start(&f);
    exchange_start(&first, &f.params, "GET", true);
    exchange_finish(&first);
    assert_stats(&f, "upstream_rq_cancelled=1 upstream_rq_pending_active=0 upstream_cx_active=1");
    exchange_start(&second, &f.params, "GET", true);
    assert_true(exchange_wait(f.base.loop, &second));
    assert_stats(&f, "upstream_cx_total=1 upstream_rq_total=1");
    exchange_finish(&second);
    fixture_finish(&f);
}

TEST(cancel_in_flight_closes_the_connection)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, HEAD_END "pause");
    fixture_start(&f);
    exchange_start(&client, &f.params, "GET", true);
    wait_stat(&f, "upstream_rq_active", 1);
    exchange_finish(&client);
    assert_stats(&f, "upstream_cx_active=0 upstream_rq_active=0 "
                     "upstream_cx_destroy_local_with_active_rq=1");
    fixture_finish(&f);
}

TEST(cluster_without_hosts_has_no_answer)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, "");
    cluster_fixture_start(&f.base, nu_host_set_create(NULL, 0));
    f.params.cluster = cluster_local(&f.base);
    exchange_start(&client, &f.params, "GET", true);
    assert_true(client.over);
    assert_str(nu_strbuf_str(&client.events), "failed: no host");
    assert_stats(&f, "upstream_cx_none_healthy=1 upstream_rq_503=1 upstream_cx_total=0");
    exchange_finish(&client);
    fixture_finish(&f);
}

/* --- Tunnels ---------------------------------------------------------------------------------- */

#define SWITCH "> HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"

/* A request for `tunnel` is on its way. */
static void start_tunnel(struct fixture *f, struct exchange_client *client, enum nu_tunnel tunnel,
                         const char *length)
{
    bool connects = tunnel == NU_TUNNEL_CONNECT;
    exchange_prepare(client, connects ? "CONNECT" : "GET");
    if (!connects) {
        nu_headers_add(&client->headers, NU_STR("connection"), NU_STR("upgrade"));
        nu_headers_add(&client->headers, NU_STR("upgrade"), NU_STR("x"));
    }
    if (length)
        nu_headers_add(&client->headers, NU_STR("content-length"), nu_str_from(length));
    f->params.tunnel = tunnel;
    exchange_begin(client, &f->params, false);
}

struct tunnel_case {
    const char *name;
    enum nu_tunnel tunnel;
    const char *script;
    const char *words; /* sent behind the head, before any answer */
    const char *events;
    const char *stats;
};

static const struct tunnel_case tunnel_cases[] = {
    {"granted", NU_TUNNEL_UPGRADE, HEAD_END "pause | " SWITCH " | < early | > late | close",
     "early", "101 [late] failed: connection termination (late)",
     "upstream_rq_101=1 upstream_cx_active=0"},
    {"connected", NU_TUNNEL_CONNECT,
     HEAD_END "pause | > HTTP/1.1 200 OK\r\n\r\n | < early | > late | close", "early",
     "200 [late] failed: connection termination (late)", "upstream_rq_200=1"},
    {"refused", NU_TUNNEL_UPGRADE, HEAD_END "pause | " OK_2, "GET / HTTP/1.1\r\n\r\n",
     "200 [ok] end",
     "upstream_rq_200=1 upstream_cx_destroy_local_with_active_rq=1 upstream_cx_active=0"},
    {"websocket refused", NU_TUNNEL_WEBSOCKET,
     HEAD_END "pause | > HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", "early", "404 end",
     "upstream_rq_404=1 upstream_cx_active=0"},
    {"websocket not known", NU_TUNNEL_WEBSOCKET, HEAD_END "pause | " OK_2, "early",
     "failed: not upgraded",
     "upstream_rq_200=0 upstream_rq_completed=0 upstream_cx_destroy_local_with_active_rq=1"},
    {"connect refused", NU_TUNNEL_CONNECT,
     HEAD_END "pause | > HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n", "early", "403 end",
     "upstream_rq_403=1 upstream_cx_active=0"},
    {"connect switched", NU_TUNNEL_CONNECT, HEAD_END "pause | " SWITCH, "early",
     "failed: protocol error", "upstream_rq_502=1 upstream_cx_active=0"},
    {"closed before the answer", NU_TUNNEL_UPGRADE, HEAD_END "pause | close", "early",
     "failed: connection termination", "upstream_rq_503=1"},
    {"reset in the tunnel", NU_TUNNEL_UPGRADE, HEAD_END "pause | " SWITCH " | < early | reset",
     "early", "101 failed: connection termination (late)",
     "upstream_cx_destroy_remote_with_active_rq=1 upstream_rq_active=0"},
};

/* The upstream has come to its pause, and the loop has nothing left to do. */
static void wait_pause(struct fixture *f)
{
    while (f->upstream.count == 0 || !f->upstream.connections[0]->paused)
        nu_loop_run_once(f->base.loop);
    for (int turn = 0; turn < 20; turn++)
        nu_loop_run_once(f->base.loop);
}

static bool upstream_got(const struct fixture *f, const char *text)
{
    return nu_str_find(nu_strbuf_str(&f->upstream.connections[0]->received), nu_str_from(text)) !=
           NU_NPOS;
}

TEST(tunnel_carries_nothing_before_it_is_granted)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(tunnel_cases); i++) {
        const struct tunnel_case *c = &tunnel_cases[i];
        struct fixture f;
        struct exchange_client client;
        print_message("  %s\n", c->name);
        fixture_init(&f, c->script);
        fixture_start(&f);
        start_tunnel(&f, &client, c->tunnel, NULL);
        exchange_send(&client, c->words, false);
        wait_pause(&f);
        assert_false(upstream_got(&f, c->words));
        upstream_resume(&f.upstream);
        assert_true(exchange_wait(f.base.loop, &client));
        assert_str(nu_strbuf_str(&client.events), c->events);
        assert_stats(&f, c->stats);
        /* What broke late was granted. */
        assert_int_equal(upstream_got(&f, c->words), strstr(c->events, "(late)") != NULL);
        exchange_finish(&client);
        fixture_finish(&f);
    }
}

TEST(body_before_a_tunnel_goes_ahead_of_the_grant)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, HEAD_END "< body | pause | " SWITCH " | < more | close");
    fixture_start(&f);
    start_tunnel(&f, &client, NU_TUNNEL_UPGRADE, "4");
    exchange_send(&client, "bo", false);
    exchange_send(&client, "dymore", false);
    wait_pause(&f);
    upstream_resume(&f.upstream);
    assert_true(exchange_wait(f.base.loop, &client));
    assert_str(nu_strbuf_str(&client.events), "101 failed: connection termination (late)");
    exchange_finish(&client);
    fixture_finish(&f);
}

TEST(words_before_the_grant_are_bounded)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, HEAD_END "pause | " SWITCH " | < 01234567890 | close");
    f.base.cluster->options.buffer_limit_bytes = 10;
    fixture_start(&f);
    start_tunnel(&f, &client, NU_TUNNEL_UPGRADE, NULL);
    wait_pause(&f);
    exchange_send(&client, "0123456789", false);
    assert_int_equal(client.above_high, 0);
    exchange_send(&client, "0", false);
    assert_int_equal(client.above_high, 1);
    assert_int_equal(client.below_low, 0);
    upstream_resume(&f.upstream);
    assert_true(exchange_wait(f.base.loop, &client));
    assert_int_equal(client.above_high, client.below_low);
    exchange_finish(&client);
    fixture_finish(&f);
}

TEST(timeout_of_a_tunnel_ends_with_the_grant)
{
    static const char *const scripts[] = {HEAD_END "pause", HEAD_END SWITCH " | pause | close"};
    static const char *const events[] = {"failed: timeout",
                                         "101 failed: connection termination (late)"};
    for (size_t i = 0; i < NU_ARRAY_LEN(scripts); i++) {
        struct fixture f;
        struct exchange_client client;
        fixture_init(&f, scripts[i]);
        fixture_start(&f);
        f.params.timeout_ms = 300;
        start_tunnel(&f, &client, NU_TUNNEL_UPGRADE, NULL);
        wait_pause(&f);
        harness_advance(f.base.loop, 299);
        assert_false(client.over);
        harness_advance(f.base.loop, 2);
        assert_int_equal(client.over, i == 0);
        upstream_resume(&f.upstream);
        assert_true(exchange_wait(f.base.loop, &client));
        assert_str(nu_strbuf_str(&client.events), events[i]);
        exchange_finish(&client);
        fixture_finish(&f);
    }
}

static bool upstream_has_ended(void *arg)
{
    const struct fixture *f = arg;
    return f->upstream.connections[0]->ended;
}

/* The bytes of a client that goes are written before the connection ends. */
TEST(last_words_of_a_tunnel_are_sent)
{
    struct fixture f;
    struct exchange_client client;
    fixture_init(&f, HEAD_END SWITCH);
    fixture_start(&f);
    start_tunnel(&f, &client, NU_TUNNEL_UPGRADE, NULL);
    wait_stat(&f, "upstream_rq_101", 1);
    exchange_send(&client, "bye", false);
    exchange_finish(&client);
    assert_stats(&f, "upstream_cx_active=0 upstream_cx_destroy_local_with_active_rq=1");
    assert_true(harness_wait(f.base.loop, upstream_has_ended, &f));
    assert_true(upstream_got(&f, "bye"));
    fixture_finish(&f);
}

TEST_MAIN()
