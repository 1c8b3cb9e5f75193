/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each way to fail comes to under each condition of a retry, what bounds the retries of one
 * request and of all of them, and the pauses between tries; nothing is left behind.
 */
#include "harness/tried.h"

/* --- Conditions ------------------------------------------------------------------------------- */

struct condition_case {
    const char *name;
    const char *script; /* of the first connection */
    unsigned conditions;
    const char *events;
    const char *stats;
};

#define RATELIMITED \
    HEAD_END "> HTTP/1.1 503 No\r\nx-envoy-ratelimited: true\r\ncontent-length: 0\r\n\r\n"

static const struct condition_case condition_cases[] = {
    {"status", EMPTY("503 No") " | again", NU_RETRY_ON_GATEWAY_ERROR, "try 2 503 end",
     "upstream_rq_retry=1 upstream_rq_retry_limit_exceeded=1 upstream_rq_503=1 "
     "retry.upstream_rq_503=1 retry.upstream_rq_completed=1 upstream_rq_completed=1"},
    {"status of the client's fault", EMPTY("404 No"),
     ALL & ~(unsigned)NU_RETRY_ON_RETRIABLE_HEADERS, "404 end", "upstream_rq_retry=0"},
    {"status with a body", HEAD_END "> HTTP/1.1 500 No\r\ncontent-length: 4\r\n\r\nfail",
     NU_RETRY_ON_5XX, AGAIN, "upstream_cx_total=2 upstream_cx_destroy_local_with_active_rq=1"},
    {"status without a body", EMPTY("500 No") " | " GOOD, NU_RETRY_ON_5XX, AGAIN,
     "upstream_cx_total=1 upstream_rq_total=2"},
    {"status in pieces", HEAD_END "> HTTP/1.1 5 | > 00 No\r\ncontent-length: 0\r\n\r\n | " GOOD,
     NU_RETRY_ON_5XX, AGAIN, "retry.upstream_rq_500=1"},
    {"closed before a byte", HEAD_END "close", NU_RETRY_ON_RESET, AGAIN,
     "upstream_rq_retry_success=1 upstream_rq_503=0 upstream_rq_200=1"},
    {"reset before a byte", HEAD_END "reset", NU_RETRY_ON_5XX, AGAIN, "upstream_rq_retry=1"},
    {"closed before the request came", "close", NU_RETRY_ON_RESET, AGAIN, "upstream_rq_retry=1"},
    {"closed in the head", HEAD_END "> HTTP/1.1 200 | close", NU_RETRY_ON_GATEWAY_ERROR, AGAIN,
     "upstream_cx_protocol_error=1 upstream_rq_502=0"},
    {"reset in the head", HEAD_END "> HTTP/1.1 200 OK\r\ncont | reset", NU_RETRY_ON_RESET, AGAIN,
     "upstream_rq_retry=1"},
    {"closed in the body", HEAD_END "> HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok | close", ALL,
     "200 [ok] failed: protocol error (late)", "upstream_rq_retry=0 upstream_rq_200=1"},
    {"reset in a chunk",
     HEAD_END "> HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nok | close", ALL,
     "200 [ok] failed: protocol error (late)", "upstream_rq_retry=0"},
    {"more than announced",
     HEAD_END "> HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 500 No\r\n\r\n", ALL,
     "200 [ok] end", "upstream_rq_retry=0 upstream_rq_500=0 upstream_cx_protocol_error=1"},
    {"garbage", HEAD_END "> nonsense\r\n\r\n", NU_RETRY_ON_RESET, AGAIN,
     "upstream_cx_protocol_error=1"},
    {"two lengths", HEAD_END "> HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
     NU_RETRY_ON_RESET, AGAIN, "upstream_cx_protocol_error=1"},
    {"reset, but only connecting counts", HEAD_END "close",
     NU_RETRY_ON_CONNECT_FAILURE | NU_RETRY_ON_REFUSED_STREAM | NU_RETRY_ON_RESET_BEFORE_REQUEST |
         NU_RETRY_ON_RETRIABLE_4XX,
     "failed: connection termination", "upstream_rq_retry=0 upstream_rq_503=1"},
    {"gRPC status",
     HEAD_END "> HTTP/1.1 200 OK\r\ngrpc-status: 14\r\ncontent-length: 0\r\n\r\n | " GOOD,
     NU_RETRY_ON_UNAVAILABLE, AGAIN, "retry.upstream_rq_200=1"},
    {"gRPC status of another kind",
     HEAD_END "> HTTP/1.1 200 OK\r\ngrpc-status: 14\r\ncontent-length: 0\r\n\r\n",
     NU_RETRY_ON_GRPC & ~(unsigned)NU_RETRY_ON_UNAVAILABLE, "200 end", "upstream_rq_retry=0"},
    {"conflict", EMPTY("409 No") " | " GOOD, NU_RETRY_ON_RETRIABLE_4XX, AGAIN,
     "retry.upstream_rq_409=1"},
    {"conflict, but only 5xx counts", EMPTY("409 No"), NU_RETRY_ON_5XX | NU_RETRY_ON_GATEWAY_ERROR,
     "409 end", "upstream_rq_retry=0"},
    {"rate limit", RATELIMITED " | " GOOD, NU_RETRY_ON_ENVOY_RATELIMITED, AGAIN,
     "retry.upstream_rq_503=1"},
    {"rate limit, though all else counts", RATELIMITED,
     ALL & ~(unsigned)NU_RETRY_ON_ENVOY_RATELIMITED, "503 end", "upstream_rq_retry=0"},
    {"head that drips", HEAD_END "> HT | > TP/1.1 2 | > 00 OK\r\ncontent-le | > ngth: 2\r\n\r\nok",
     ALL, "200 [ok] end", "upstream_rq_retry=0 upstream_rq_200=1"},
    {"interim response",
     HEAD_END "> HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 503 No\r\n"
              "content-length: 0\r\n\r\n",
     NU_RETRY_ON_5XX, "103 503 end", "upstream_rq_retry=0"},
};

TEST(each_failure_is_tried_again_where_a_condition_covers_it)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(condition_cases); i++) {
        const struct condition_case *c = &condition_cases[i];
        struct tried t;
        print_message("  %s\n", c->name);
        tried_init(&t, GOOD, c->conditions);
        upstream_script(&t.base.upstream, 0, c->script);
        tried_start(&t, true);
        run(&t);
        assert_events(&t, c->events);
        assert_stats(&t.base, c->stats);
        tried_finish(&t);
    }
}

TEST(connection_that_is_refused_is_tried_again)
{
    struct tried t;
    tried_init(&t, GOOD, NU_RETRY_ON_CONNECT_FAILURE);
    t.rules.max_retries = 2;
    upstream_refuse(&t.base.upstream);
    tried_start(&t, true);
    run(&t);
    assert_events(&t, "try 2 try 3 failed: remote connection failure, delayed connect error: "
                      "Connection refused");
    assert_stats(&t.base, "upstream_cx_connect_fail=3 upstream_rq_retry=2 upstream_rq_503=1 "
                          "upstream_rq_retry_limit_exceeded=1 upstream_rq_retry_success=0 "
                          "upstream_rq_pending_failure_eject=3");
    assert_true(nu_stream_info_has_flag(&t.client.info, NU_FLAG_UPSTREAM_RETRY_LIMIT_EXCEEDED));
    tried_finish(&t);
}

TEST(connection_that_takes_too_long_is_tried_again)
{
    struct tried t;
    tried_init(&t, "", NU_RETRY_ON_RESET_BEFORE_REQUEST);
    upstream_blackhole(&t.base.upstream);
    t.base.base.cluster->options.connect_timeout_ms = 250;
    tried_start(&t, true);
    harness_advance(t.base.base.loop, 251);
    wait_pausing(&t);
    harness_advance(t.base.base.loop, PAUSE_MS);
    assert_false(is_pausing(&t));
    harness_advance(t.base.base.loop, 251);
    assert_events(&t, "try 2 failed: connection timeout");
    assert_stats(&t.base, "upstream_cx_connect_timeout=2 upstream_rq_retry=1");
    tried_finish(&t);
}

TEST(overflow_is_not_tried_again)
{
    struct tried t;
    tried_init(&t, GOOD, ALL);
    t.base.base.cluster->breakers[NU_PRIORITY_DEFAULT].of[NU_BREAKER_PENDING].max = 0;
    tried_start(&t, true);
    run(&t);
    assert_events(&t, "failed: overflow");
    assert_stats(&t.base, "upstream_rq_retry=0 upstream_rq_pending_overflow=1");
    tried_finish(&t);
}

/* --- Limits ----------------------------------------------------------------------------------- */

TEST(every_kind_of_failure_uses_up_the_same_retries)
{
    struct tried t;
    tried_init(&t, GOOD, NU_RETRY_ON_5XX);
    t.rules.max_retries = 3;
    upstream_script(&t.base.upstream, 0, HEAD_END "close");
    upstream_script(&t.base.upstream, 1, EMPTY("503 No") " | " HEAD_END "> x | close");
    tried_start(&t, true);
    run(&t);
    assert_events(&t, "try 2 try 3 try 4 200 [ok] end");
    assert_stats(&t.base, "upstream_rq_retry=3 upstream_rq_retry_success=1 upstream_rq_200=1 "
                          "upstream_rq_retry_backoff_exponential=3 upstream_rq_completed=1 "
                          "retry.upstream_rq_completed=1");
    assert_int_equal(t.client.info.upstream.attempt_count, 4);
    assert_int_equal(t.client.info.flags, 0);
    tried_finish(&t);
}

TEST(breaker_bounds_retries_that_wait_or_are_at_work)
{
    struct tried t;
    tried_init(&t, EMPTY("503 No") " | again", NU_RETRY_ON_5XX);
    t.base.base.cluster->breakers[NU_PRIORITY_DEFAULT].of[NU_BREAKER_RETRIES].max = 1;
    tried_start(&t, true);
    wait_pausing(&t);
    assert_int_equal(retries_at_work(&t), 1);
    struct exchange_client other;
    exchange_start(&other, &t.base.params, "GET", true);
    assert_true(exchange_wait(t.base.base.loop, &other));
    assert_str(nu_strbuf_str(&other.events), "503 end");
    assert_true(nu_stream_info_has_flag(&other.info, NU_FLAG_UPSTREAM_OVERFLOW));
    assert_stats(&t.base, "upstream_rq_retry=1 upstream_rq_retry_overflow=1");
    exchange_finish(&other);
    assert_int_equal(retries_at_work(&t), 1);
    tried_finish(&t);
}

TEST(retry_counts_until_it_has_its_answer)
{
    struct tried t;
    tried_init(&t, HEAD_END "> HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n | pause | > ok",
               NU_RETRY_ON_5XX);
    upstream_script(&t.base.upstream, 0, HEAD_END "close");
    tried_start(&t, true);
    wait_pausing(&t);
    assert_int_equal(retries_at_work(&t), 1);
    harness_advance(t.base.base.loop, PAUSE_MS);
    wait_held(&t);
    assert_events(&t, "try 2 200");
    assert_int_equal(retries_at_work(&t), 0);
    upstream_resume(&t.base.upstream);
    run(&t);
    assert_events(&t, "try 2 200 [ok] end");
    tried_finish(&t);
}

/* --- Pauses ----------------------------------------------------------------------------------- */

TEST(retry_begins_within_its_pause_and_not_before)
{
    struct tried t;
    tried_init(&t, GOOD, NU_RETRY_ON_5XX);
    upstream_script(&t.base.upstream, 0, HEAD_END "close");
    tried_start(&t, true);
    wait_pausing(&t);
    uint64_t now = nu_loop_now_us(t.base.base.loop) / 1000;
    uint64_t pause = t.client.exchange.tries->pause.deadline_ms - now;
    assert_true(pause <= PAUSE_MS);
    if (pause > 2) {
        harness_advance(t.base.base.loop, pause - 2);
        assert_true(is_pausing(&t));
    }
    harness_advance(t.base.base.loop, 3);
    assert_false(is_pausing(&t));
    run(&t);
    assert_events(&t, AGAIN);
    tried_finish(&t);
}

TEST(host_names_the_pause)
{
    static const struct nu_retry_reset_header header = {.name = NU_STR_INIT("retry-after")};
    struct tried t;
    tried_init(&t, EMPTY("503 No\r\nretry-after: 20") " | " GOOD, NU_RETRY_ON_5XX);
    t.policy.reset_headers = &header;
    t.policy.reset_header_count = 1;
    t.policy.max_reset_interval_ms = 300000;
    tried_start(&t, true);
    wait_pausing(&t);
    harness_advance(t.base.base.loop, 19999);
    assert_true(is_pausing(&t));
    harness_advance(t.base.base.loop, 10002); /* by up to a half longer */
    assert_false(is_pausing(&t));
    run(&t);
    assert_events(&t, AGAIN);
    assert_stats(&t.base, "upstream_rq_retry_backoff_ratelimited=1 "
                          "upstream_rq_retry_backoff_exponential=0");
    tried_finish(&t);
}

TEST(giving_up_during_the_pause_leaves_nothing)
{
    struct tried t;
    tried_init(&t, EMPTY("503 No") " | " GOOD, NU_RETRY_ON_5XX);
    tried_start(&t, true);
    wait_pausing(&t);
    nu_exchange_cancel(&t.client.exchange);
    harness_advance(t.base.base.loop, PAUSE_MS);
    assert_events(&t, "");
    assert_stats(&t.base, "upstream_rq_total=1 upstream_rq_retry=1 upstream_rq_retry_success=0");
    tried_finish(&t);
}

TEST(timeout_over_all_tries_may_end_a_pause)
{
    struct tried t;
    tried_init(&t, EMPTY("503 No") " | " GOOD, NU_RETRY_ON_5XX);
    t.policy.base_interval_ms = t.policy.max_interval_ms = 900000000;
    t.timeout_ms = 15000;
    tried_start(&t, true);
    wait_pausing(&t);
    harness_advance(t.base.base.loop, 15001);
    assert_events(&t, "failed: timeout");
    assert_stats(&t.base, "upstream_rq_timeout=0 upstream_rq_504=0 retry.upstream_rq_503=1");
    tried_finish(&t);
}

/* --- Tunnels ---------------------------------------------------------------------------------- */

TEST(tunnel_that_was_not_granted_is_tried_again_with_its_first_words)
{
    struct tried t;
    tried_init(&t,
               HEAD_END "> HTTP/1.1 101 Yes\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
                        " | < hello | > bye | close",
               NU_RETRY_ON_RESET);
    upstream_script(&t.base.upstream, 0, HEAD_END "close");
    tried_open(&t);
    t.base.params.tunnel = NU_TUNNEL_WEBSOCKET;
    exchange_prepare(&t.client, "GET");
    nu_headers_add(&t.client.headers, NU_STR("connection"), NU_STR("upgrade"));
    nu_headers_add(&t.client.headers, NU_STR("upgrade"), NU_STR("websocket"));
    exchange_begin(&t.client, &t.base.params, false);
    exchange_send(&t.client, "hello", false);
    run(&t);
    assert_events(&t, "try 2 101 [bye] failed: connection termination (late)");
    tried_finish(&t);
}

TEST_MAIN()
