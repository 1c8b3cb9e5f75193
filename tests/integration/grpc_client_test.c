/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC streams and calls with scripted upstreams over real sockets. The upstreams speak HTTP/1.1, on
 * which a cluster without HTTP/2 makes them run as well: what a response means is the same. What a
 * real Envoy's client says of the same answers stands in tests/e2e/test_wasm_grpc.py too.
 */
#include "harness/origin.h"

#include "client/grpc_call.h"
#include "route/retry_policy.h"

#define HEAD "< \r\n\r\n | "
#define OK_HEAD \
    "> HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n" \
    "transfer-encoding: chunked\r\n\r\n"
#define END(trailers) "> 0\r\n" trailers "\r\n"

/* --- A stream whose events are written down ------------------------------------------------------ */

struct grpc_client {
    struct nu_grpc_stream *stream;
    struct nu_grpc_call *call;
    struct nu_strbuf events;
    bool over;
    const char *destroy_at; /* the event that ends it: "initial", "message", "trailing" */
};

static void note(struct grpc_client *client, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (client->events.len)
        nu_strbuf_add_char(&client->events, ' ');
    nu_strbuf_addv(&client->events, fmt, args);
    va_end(args);
    assert_false(client->over);
}

static void destroy_at(struct grpc_client *client, const char *event)
{
    if (!client->destroy_at || strcmp(client->destroy_at, event) != 0)
        return;
    nu_grpc_stream_destroy(&client->stream);
    client->over = true;
}

static void on_initial(struct nu_grpc_stream *stream, const struct nu_headers *metadata)
{
    struct grpc_client *client = stream->owner;
    note(client, "initial %zu", nu_headers_count(metadata));
    destroy_at(client, "initial");
}

static void on_message(struct nu_grpc_stream *stream, struct nu_buf *message)
{
    char bytes[64];
    struct grpc_client *client = stream->owner;
    size_t n = nu_buf_copy_out(message, 0, bytes, sizeof(bytes));
    note(client, "[%.*s]", (int)n, bytes);
    destroy_at(client, "message");
}

static void on_trailing(struct nu_grpc_stream *stream, const struct nu_headers *metadata)
{
    struct grpc_client *client = stream->owner;
    note(client, "trailing %zu", nu_headers_count(metadata));
    destroy_at(client, "trailing");
}

static void on_closed(struct nu_grpc_stream *stream, const struct nu_grpc_end *end)
{
    struct grpc_client *client = stream->owner;
    note(client, "closed %d %.*s", end->status, NU_STR_ARG(end->message));
    client->over = true;
}

static const struct nu_grpc_stream_ops stream_ops = {
    .on_initial_metadata = on_initial,
    .on_message = on_message,
    .on_trailing_metadata = on_trailing,
    .on_closed = on_closed,
};

static const struct nu_grpc_params plain = {
    .cluster = NU_STR_INIT("c"),
    .service = NU_STR_INIT("test.Test"),
    .method = NU_STR_INIT("Do"),
    .max_message_bytes = 1000,
};

static void open_stream(struct fixture *f, struct grpc_client *client,
                        const struct nu_grpc_params *params)
{
    *client = (struct grpc_client){.stream = nu_grpc_stream_create(f->base.loop, params)};
    assert_non_null(client->stream);
    client->stream->ops = &stream_ops;
    client->stream->owner = client;
}

static void send_text(struct grpc_client *client, const char *text, bool end)
{
    struct nu_buf message = {0};
    nu_buf_append(&message, nu_str_from(text));
    nu_grpc_stream_send(client->stream, &message, end);
}

static void finish_client(struct grpc_client *client)
{
    nu_grpc_stream_destroy(&client->stream);
    nu_grpc_call_destroy(&client->call);
    nu_strbuf_finish(&client->events);
}

static void start(struct fixture *f, const char *script)
{
    fixture_init(f, script);
    f->base.cluster->options.h1.enable_trailers = true;
    fixture_start(f);
    f->base.loop->clusters = &f->base.table;
}

/* --- Responses ----------------------------------------------------------------------------------- */

struct stream_case {
    const char *script;
    const char *events;
};

static const struct stream_case stream_cases[] = {
    {HEAD OK_HEAD " | m one | m two | " END("grpc-status: 0\r\ngrpc-message: bye\r\n"),
     "initial 4 [one] [two] trailing 2 closed 0 bye{via_upstream}"},
    {HEAD OK_HEAD " | " END("grpc-status: 5\r\ngrpc-message: gone%20away\r\n"),
     "initial 4 trailing 2 closed 5 gone%20away{via_upstream}"},
    {HEAD OK_HEAD " | m one | " END("x-trailing: t\r\n"),
     "initial 4 [one] trailing 1 closed 2 via_upstream"},
    {HEAD OK_HEAD " | m one | " END(""), "initial 4 [one] trailing 0 closed 2 via_upstream"},
    {HEAD OK_HEAD " | " END("grpc-status: 16\r\n"), "initial 4 trailing 1 closed 16 via_upstream"},
    {HEAD OK_HEAD " | " END("grpc-status: 17\r\n"), "initial 4 trailing 1 closed -1 via_upstream"},
    {HEAD OK_HEAD " | " END("grpc-status: x\r\n"), "initial 4 trailing 1 closed -1 via_upstream"},
    /* All in the head. */
    {HEAD "> HTTP/1.1 200 OK\r\ngrpc-status: 7\r\ngrpc-message: no\r\ncontent-length: 0\r\n\r\n",
     "initial 0 trailing 5 closed 7 no{via_upstream}"},
    {HEAD "> HTTP/1.1 503 No\r\ngrpc-status: 9\r\ncontent-length: 0\r\n\r\n",
     "initial 0 trailing 4 closed 9 via_upstream"},
    {HEAD "> HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
     "initial 0 trailing 3 closed 2 via_upstream"},
    /* No gRPC at all. */
    {HEAD "> HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n",
     "initial 0 trailing 0 closed 12 via_upstream"},
    {HEAD "> HTTP/1.1 403 No\r\ncontent-length: 5\r\n\r\nsorry",
     "initial 3 trailing 0 closed 7 via_upstream"},
    /* Messages that are none. */
    {HEAD OK_HEAD " | x 010000000161 | " END("grpc-status: 0\r\n"),
     "initial 4 trailing 0 closed 13 via_upstream"},
    {HEAD OK_HEAD " | x 0100000000 | " END("grpc-status: 0\r\n"),
     "initial 4 [] trailing 1 closed 0 via_upstream"},
    {HEAD OK_HEAD " | x 0300000000 | " END("grpc-status: 0\r\n"),
     "initial 4 trailing 0 closed 13 via_upstream"},
    {HEAD OK_HEAD " | x 00000003e9", "initial 4 trailing 0 closed 8 via_upstream"},
    {HEAD OK_HEAD " | x 0000000002 | x 61 | " END("grpc-status: 0\r\n"),
     "initial 4 trailing 1 closed 0 via_upstream"},
    /* Ends that are none. */
    {HEAD "close", "initial 0 trailing 4 closed 14 upstream connect error or disconnect/reset "
                   "before headers. reset reason: connection termination"
                   "{upstream_reset_before_response_started{connection_termination}}"},
    {HEAD OK_HEAD " | m one | close", "initial 4 [one] trailing 0 closed 13 "
                                      "upstream_reset_after_response_started{protocol_error}"},
};

TEST(each_way_a_stream_goes)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(stream_cases); i++) {
        struct fixture f;
        struct grpc_client client;
        print_message("  %s\n", stream_cases[i].events);
        start(&f, stream_cases[i].script);
        open_stream(&f, &client, &plain);
        assert_true(nu_grpc_stream_open(client.stream));
        send_text(&client, "hello", true);
        assert_int_equal(client.events.len, 0); /* never below a call */
        assert_true(harness_wait_flag(f.base.loop, &client.over));
        assert_str(nu_strbuf_str(&client.events), stream_cases[i].events);
        finish_client(&client);
        assert_stats(&f, "upstream_rq_active=0 upstream_rq_pending_active=0");
        fixture_finish(&f);
    }
}

/* --- Calls --------------------------------------------------------------------------------------- */

static void on_done(struct nu_grpc_call *call, const struct nu_grpc_end *end, struct nu_buf *answer)
{
    char bytes[64];
    struct grpc_client *client = call->owner;
    size_t n = answer ? nu_buf_copy_out(answer, 0, bytes, sizeof(bytes)) : 0;
    note(client, "%d %.*s%s%.*s", end->status, NU_STR_ARG(end->message), answer ? " " : "", (int)n,
         bytes);
    client->over = true;
}

static bool make_call(struct fixture *f, struct grpc_client *client,
                      const struct nu_grpc_params *params)
{
    struct nu_buf message = {0};
    *client = (struct grpc_client){.call = nu_grpc_call_create(f->base.loop, params)};
    assert_non_null(client->call);
    client->call->on_done = on_done;
    client->call->owner = client;
    nu_buf_append(&message, NU_STR("hello"));
    return nu_grpc_call_send(client->call, &message);
}

static const struct stream_case call_cases[] = {
    {HEAD OK_HEAD " | m one | " END("grpc-status: 0\r\n"), "0 via_upstream one"},
    {HEAD OK_HEAD " | m one | m two | " END("grpc-status: 0\r\n"), "0 via_upstream two"},
    {HEAD OK_HEAD " | " END("grpc-status: 0\r\n"), "13 "},
    {HEAD OK_HEAD " | m one | " END("grpc-status: 3\r\ngrpc-message: m\r\n"), "3 m{via_upstream}"},
    {HEAD OK_HEAD " | m one | " END(""), "2 via_upstream"},
    {HEAD "> HTTP/1.1 429 No\r\ncontent-length: 0\r\n\r\n", "14 via_upstream"},
};

TEST(each_way_a_call_goes)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(call_cases); i++) {
        struct fixture f;
        struct grpc_client client;
        start(&f, call_cases[i].script);
        assert_true(make_call(&f, &client, &plain));
        assert_true(harness_wait_flag(f.base.loop, &client.over));
        assert_str(nu_strbuf_str(&client.events), call_cases[i].events);
        finish_client(&client);
        fixture_finish(&f);
    }
}

TEST(a_timeout_ends_a_call_before_and_behind_the_head)
{
    static const struct stream_case timeouts[] = {
        {HEAD "pause", "14 upstream request timeout{response_timeout}"},
        {HEAD OK_HEAD " | m one | pause", "13 response_timeout"},
    };
    struct nu_grpc_params params = plain;
    params.has_timeout = true;
    params.timeout_ms = 250;
    for (size_t i = 0; i < NU_ARRAY_LEN(timeouts); i++) {
        struct fixture f;
        struct grpc_client client;
        start(&f, timeouts[i].script);
        assert_true(make_call(&f, &client, &params));
        wait_stat(&f, i ? "upstream_rq_200" : "upstream_cx_active", 1);
        harness_advance(f.base.loop, 250);
        assert_true(harness_wait_flag(f.base.loop, &client.over));
        assert_str(nu_strbuf_str(&client.events), timeouts[i].events);
        finish_client(&client);
        assert_stats(&f, "upstream_rq_timeout=1 upstream_rq_active=0");
        fixture_finish(&f);
    }
}

/* --- The request --------------------------------------------------------------------------------- */

static void assert_received(struct fixture *f, const char *text)
{
    struct nu_str all = nu_strbuf_str(&f->upstream.connections[0]->received);
    if (nu_str_find(all, nu_str_from(text)) == NU_NPOS)
        fail_msg("no %s in %.*s", text, NU_STR_ARG(all));
}

TEST(a_request_says_what_envoy_s_does)
{
    struct fixture f;
    struct grpc_client client;
    struct nu_grpc_params params = plain;
    params.authority = NU_STR("auth.test");
    params.has_timeout = true;
    params.timeout_ms = 1500;
    start(&f, HEAD OK_HEAD " | " END("grpc-status: 0\r\n"));
    open_stream(&f, &client, &params);
    nu_grpc_stream_set_metadata(client.stream, NU_STR("x-service"), NU_STR("s"));
    nu_grpc_stream_set_metadata(client.stream, NU_STR("TE"), NU_STR("other"));
    nu_grpc_stream_add_metadata(client.stream, NU_STR("X-Service"), NU_STR("mine"));
    nu_grpc_stream_add_metadata(client.stream, NU_STR("X-Key-Bin"), NU_STR("abcd"));
    nu_grpc_stream_add_metadata(client.stream, NU_STR("grpc-timeout"), NU_STR("9S"));
    nu_grpc_stream_add_metadata(client.stream, NU_STR("transfer-encoding"), NU_STR("gzip"));
    nu_grpc_stream_add_metadata(client.stream, NU_STR("Content-Length"), NU_STR("7"));
    nu_grpc_stream_add_metadata(client.stream, NU_STR("http2-settings"), NU_STR("AAMAAABk"));
    assert_true(nu_grpc_stream_open(client.stream));
    send_text(&client, "hello", false);
    nu_grpc_stream_end(client.stream);
    send_text(&client, "behind the end", false);
    assert_true(harness_wait_flag(f.base.loop, &client.over));
    assert_received(&f, "POST /test.Test/Do HTTP/1.1\r\nhost: auth.test\r\n");
    assert_received(&f, "te: other\r\n");
    assert_received(&f, "grpc-timeout: 1500m,9S\r\ncontent-type: application/grpc\r\n");
    assert_received(&f, "x-service: s\r\nx-service: mine\r\nx-key-bin: YWJjZA==\r\n");
    assert_received(&f, "x-envoy-expected-rq-timeout-ms: 1500\r\ntransfer-encoding: chunked\r\n");
    struct nu_str all = nu_strbuf_str(&f.upstream.connections[0]->received);
    assert_true(nu_str_find(all, NU_STR("\r\n\r\na\r\n\0\0\0\0\5hello\r\n0\r\n\r\n")) != NU_NPOS);
    assert_true(nu_str_find(all, NU_STR("gzip")) == NU_NPOS);
    assert_true(nu_str_find(all, NU_STR("http2-settings")) == NU_NPOS);
    assert_true(nu_str_find(all, NU_STR("content-length")) == NU_NPOS);
    finish_client(&client);
    fixture_finish(&f);
}

TEST(a_cluster_that_is_not_there_has_no_streams)
{
    struct fixture f;
    struct nu_grpc_params params = plain;
    start(&f, HEAD);
    params.cluster = NU_STR("nowhere");
    assert_null(nu_grpc_stream_create(f.base.loop, &params));
    assert_null(nu_grpc_call_create(f.base.loop, &params));
    fixture_finish(&f);
}

TEST(what_fails_at_once_has_no_events)
{
    struct fixture f;
    struct grpc_client client;
    fixture_init(&f, HEAD);
    cluster_fixture_start(&f.base, cluster_host_set(NULL, 0));
    f.base.loop->clusters = &f.base.table;
    assert_false(make_call(&f, &client, &plain));
    nu_loop_run_turn(f.base.loop, 0);
    assert_int_equal(client.events.len, 0);
    finish_client(&client);
    open_stream(&f, &client, &plain);
    assert_false(nu_grpc_stream_open(client.stream));
    send_text(&client, "dropped", true);
    nu_loop_run_turn(f.base.loop, 0);
    assert_int_equal(client.events.len, 0);
    finish_client(&client);
    fixture_finish(&f);
}

/* --- Ends by the owner, holding, bounds ---------------------------------------------------------- */

TEST(a_stream_may_be_destroyed_from_each_of_its_events)
{
    static const struct {
        const char *event;
        const char *events;
    } ends[] = {
        {"initial", "initial 4"},
        {"message", "initial 4 [one]"},
        {"trailing", "initial 4 [one] [two] trailing 1"},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(ends); i++) {
        struct fixture f;
        struct grpc_client client;
        start(&f, HEAD OK_HEAD " | m one | m two | " END("grpc-status: 0\r\n"));
        open_stream(&f, &client, &plain);
        client.destroy_at = ends[i].event;
        assert_true(nu_grpc_stream_open(client.stream));
        send_text(&client, "hello", true);
        assert_true(harness_wait_flag(f.base.loop, &client.over));
        nu_loop_run_turn(f.base.loop, 0);
        assert_str(nu_strbuf_str(&client.events), ends[i].events);
        assert_stats(&f, "upstream_rq_active=0");
        finish_client(&client);
        fixture_finish(&f);
    }
}

TEST(a_stream_that_is_destroyed_on_its_way_is_reset)
{
    struct fixture f;
    struct grpc_client client;
    start(&f, HEAD OK_HEAD " | pause");
    open_stream(&f, &client, &plain);
    assert_true(nu_grpc_stream_open(client.stream));
    send_text(&client, "hello", false);
    wait_stat(&f, "upstream_rq_200", 1);
    nu_grpc_stream_destroy(&client.stream);
    assert_stats(&f, "upstream_cx_destroy_local_with_active_rq=1 upstream_rq_active=0");
    finish_client(&client);
    fixture_finish(&f);
}

/* A stream that asks, with a budget for what it is answered. */
static void ask_with_budget(struct fixture *f, struct grpc_client *client,
                            struct nu_byte_budget *budget, bool end)
{
    struct nu_grpc_params params = plain;
    params.budget = budget;
    open_stream(f, client, &params);
    assert_true(nu_grpc_stream_open(client->stream));
    send_text(client, "hello", end);
}

TEST(received_bytes_are_counted_against_a_budget)
{
    struct fixture f;
    struct grpc_client client;
    struct nu_byte_budget budget = {.max = 12};
    start(&f, HEAD OK_HEAD " | m one | < go\r\n | m 0123456789");
    ask_with_budget(&f, &client, &budget, false);
    wait_stat(&f, "upstream_rq_200", 1);
    while (nu_str_find(nu_strbuf_str(&client.events), NU_STR("[one]")) == NU_NPOS)
        nu_loop_run_turn(f.base.loop, 2);
    assert_int_equal(budget.used, 0); /* given back with the message */
    send_text(&client, "go", false);
    assert_true(harness_wait_flag(f.base.loop, &client.over));
    assert_str(nu_strbuf_str(&client.events), "initial 3 [one] trailing 0 closed 8 via_upstream");
    finish_client(&client);
    assert_int_equal(budget.used, 0);
    fixture_finish(&f);
}

/* A server may send its answer, and then nothing for as long as it likes. */
TEST(an_answer_that_is_kept_counts_against_the_budget)
{
    struct fixture f;
    struct grpc_client client;
    struct nu_byte_budget budget = {.max = 1000};
    struct nu_grpc_params params = plain;
    params.budget = &budget;
    start(&f, HEAD OK_HEAD " | m long one | m two | pause");
    assert_true(make_call(&f, &client, &params));
    for (int i = 0; i < 1000 && client.call->answer.len != 3; i++)
        nu_loop_run_turn(f.base.loop, 2);
    assert_int_equal(client.call->answer.len, 3);
    assert_int_equal(budget.used, 3);
    nu_grpc_call_destroy(&client.call);
    assert_int_equal(budget.used, 0);
    finish_client(&client);
    fixture_finish(&f);
}

TEST(a_budget_has_back_what_a_destroyed_stream_held)
{
    struct fixture f;
    struct grpc_client client;
    struct nu_byte_budget budget = {.max = 1000};
    start(&f, HEAD OK_HEAD " | x 00000000ff | x 616161 | pause");
    ask_with_budget(&f, &client, &budget, true);
    while (budget.used < 8)
        nu_loop_run_turn(f.base.loop, 2);
    nu_grpc_stream_destroy(&client.stream);
    assert_int_equal(budget.used, 0);
    finish_client(&client);
    fixture_finish(&f);
}

TEST(what_a_cluster_does_not_take_is_counted)
{
    struct fixture f;
    struct grpc_client client;
    char text[101];
    memset(text, 'a', 100);
    text[100] = '\0';
    fixture_init(&f, HEAD);
    f.base.cluster->options.buffer_limit_bytes = 200;
    upstream_blackhole(&f.upstream);
    fixture_start(&f);
    f.base.loop->clusters = &f.base.table;
    open_stream(&f, &client, &plain);
    assert_true(nu_grpc_stream_open(client.stream));
    send_text(&client, text, false);
    assert_int_equal(nu_grpc_stream_unsent(client.stream), 105);
    send_text(&client, text, false);
    assert_int_equal(nu_grpc_stream_unsent(client.stream), 210);
    finish_client(&client);
    fixture_finish(&f);
}

TEST(what_a_cluster_took_is_not_counted)
{
    struct fixture f;
    struct grpc_client client;
    start(&f, HEAD "< again | " OK_HEAD " | " END("grpc-status: 0\r\n"));
    open_stream(&f, &client, &plain);
    assert_true(nu_grpc_stream_open(client.stream));
    send_text(&client, "once", false);
    assert_int_equal(nu_grpc_stream_unsent(client.stream), 9);
    wait_stat(&f, "upstream_cx_active", 1);
    nu_loop_run_turn(f.base.loop, 0);
    assert_int_equal(nu_grpc_stream_unsent(client.stream), 0);
    send_text(&client, "again", true);
    assert_true(harness_wait_flag(f.base.loop, &client.over));
    assert_int_equal(nu_grpc_stream_unsent(client.stream), 0);
    finish_client(&client);
    fixture_finish(&f);
}

TEST(a_call_is_tried_again_as_its_policy_says)
{
    static const struct nu_retry_policy policy = {
        .conditions = NU_RETRY_ON_UNAVAILABLE | NU_RETRY_ON_RESET,
        .max_retries = 2,
        .base_interval_ms = 1,
        .max_interval_ms = 1,
    };
    struct fixture f;
    struct grpc_client client;
    struct nu_grpc_params params = plain;
    params.retry = &policy;
    start(&f, HEAD OK_HEAD " | m one | " END("grpc-status: 0\r\n"));
    upstream_script(&f.upstream, 0, HEAD "close");
    upstream_script(&f.upstream, 1,
                    HEAD "> HTTP/1.1 200 OK\r\ngrpc-status: 14\r\nconnection: close\r\n"
                         "content-length: 0\r\n\r\n");
    assert_true(make_call(&f, &client, &params));
    while (!client.over) {
        nu_loop_run_turn(f.base.loop, 2);
        harness_advance(f.base.loop, 1);
    }
    assert_str(nu_strbuf_str(&client.events), "0 via_upstream one");
    assert_stats(&f, "upstream_rq_retry=2 upstream_rq_total=3");
    finish_client(&client);
    fixture_finish(&f);
}

TEST_MAIN()
