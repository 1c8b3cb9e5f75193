/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges that are tried again, with scripted upstreams over real sockets and a clock of ours:
 * what each way to fail comes to under each condition, what the tries of one request share, and
 * that nothing is left behind.
 */
#include "base/random.h"
#include "client/exchange_internal.h"
#include "harness/origin.h"

#define HEAD_END "< \r\n\r\n | "
#define OK_2 "> HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
#define GOOD HEAD_END OK_2 " | again"
#define EMPTY(status) HEAD_END "> HTTP/1.1 " status "\r\ncontent-length: 0\r\n\r\n"

/* --- What they share -------------------------------------------------------------------------- */

/* Pauses are shorter than this, and hardly ever none. */
enum { PAUSE_MS = 100000 };

struct tried {
    struct fixture base;
    uint64_t timeout_ms;
    uint64_t body_limit;
    struct nu_retry_policy policy;
    struct nu_retry_rules rules;
    struct exchange_client client;
};

static void tried_init(struct tried *t, const char *script, unsigned conditions)
{
    memset(t, 0, sizeof(*t));
    fixture_init(&t->base, script);
    nu_random_seed(1);
    t->policy = nu_retry_policy_none;
    t->policy.base_interval_ms = t->policy.max_interval_ms = PAUSE_MS;
    t->rules = (struct nu_retry_rules){
        .policy = &t->policy,
        .conditions = conditions,
        .max_retries = 1,
    };
    t->body_limit = 1000;
}

static void tried_open(struct tried *t)
{
    fixture_start(&t->base);
    t->base.params.retry = &t->rules;
    t->base.params.body_limit = t->body_limit;
    t->base.params.timeout_ms = t->timeout_ms;
}

static void tried_start(struct tried *t, bool end)
{
    tried_open(t);
    exchange_prepare(&t->client, end ? "GET" : "POST");
    if (!end)
        nu_headers_add(&t->client.headers, NU_STR("content-length"), NU_STR("10"));
    exchange_begin(&t->client, &t->base.params, end);
}

static uint32_t retries_at_work(const struct tried *t)
{
    const struct nu_breaker *breaker =
        &t->base.base.cluster->breakers[NU_PRIORITY_DEFAULT].of[NU_BREAKER_RETRIES];
    return atomic_load(&breaker->current);
}

static void tried_finish(struct tried *t)
{
    exchange_finish(&t->client);
    assert_int_equal(retries_at_work(t), 0);
    assert_stats(&t->base, "upstream_rq_active=0 upstream_rq_pending_active=0");
    fixture_finish(&t->base);
}

static bool is_pausing(const struct tried *t)
{
    return t->client.exchange.tries && t->client.exchange.tries->is_pending;
}

static bool is_over_or_pausing(void *arg)
{
    const struct tried *t = arg;
    return t->client.over || is_pausing(t);
}

static bool is_held(void *arg)
{
    const struct tried *t = arg;
    const struct upstream *upstream = &t->base.upstream;
    return upstream->count && upstream->connections[upstream->count - 1]->paused;
}

static void wait_pausing(struct tried *t)
{
    assert_true(harness_wait(t->base.base.loop, is_over_or_pausing, t));
    assert_true(is_pausing(t));
}

/* Waits until the newest connection's script pauses, and the exchange knows what it sent. */
static void wait_held(struct tried *t)
{
    assert_true(harness_wait(t->base.base.loop, is_held, t));
    for (int turn = 0; turn < 20; turn++)
        nu_loop_run_once(t->base.base.loop);
}

/* Lets pauses pass until the exchange is over. */
static void run(struct tried *t)
{
    for (;;) {
        assert_true(harness_wait(t->base.base.loop, is_over_or_pausing, t));
        if (t->client.over)
            return;
        harness_advance(t->base.base.loop, PAUSE_MS);
    }
}

static void assert_events(struct tried *t, const char *events)
{
    assert_str(nu_strbuf_str(&t->client.events), events);
}

/* --- Conditions ------------------------------------------------------------------------------- */

struct condition_case {
    const char *name;
    const char *script; /* of the first connection */
    unsigned conditions;
    const char *events;
    const char *stats;
};

#define AGAIN "try 2 200 [ok] end"
#define ALL (~0U)

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

/* --- Time of a try ---------------------------------------------------------------------------- */

TEST(stalled_try_is_given_up_for_another)
{
    struct tried t;
    tried_init(&t, GOOD, NU_RETRY_ON_5XX);
    t.rules.per_try_timeout_ms = 300;
    upstream_script(&t.base.upstream, 0, HEAD_END "> HTTP/1.1 2 | pause");
    tried_start(&t, true);
    wait_held(&t);
    harness_advance(t.base.base.loop, 299);
    assert_false(is_pausing(&t));
    harness_advance(t.base.base.loop, 2);
    assert_true(is_pausing(&t));
    run(&t);
    assert_events(&t, "try 2 after a timeout 200 [ok] end");
    assert_stats(&t.base, "upstream_rq_per_try_timeout=1 upstream_rq_timeout=0 "
                          "upstream_cx_destroy_local_with_active_rq=1");
    tried_finish(&t);
}

TEST(try_timeout_that_no_condition_covers_ends_the_exchange)
{
    struct tried t;
    tried_init(&t, HEAD_END "pause", NU_RETRY_ON_CONNECT_FAILURE);
    t.rules.per_try_timeout_ms = 300;
    tried_start(&t, true);
    wait_held(&t);
    harness_advance(t.base.base.loop, 301);
    assert_events(&t, "failed: try timeout");
    assert_stats(&t.base, "upstream_rq_per_try_timeout=1 upstream_rq_504=1 upstream_rq_retry=0");
    tried_finish(&t);
}

TEST(try_timeout_does_not_end_a_response_that_began)
{
    struct tried t;
    tried_init(&t, HEAD_END "> HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n | pause | > ok", ALL);
    t.rules.per_try_timeout_ms = 300;
    tried_start(&t, true);
    wait_held(&t);
    harness_advance(t.base.base.loop, 301);
    assert_events(&t, "200");
    upstream_resume(&t.base.upstream);
    run(&t);
    assert_events(&t, "200 [ok] end");
    tried_finish(&t);
}

/* The clock is moved by each part; a part that does not come ends it. */
TEST(dripping_response_is_no_idle_one)
{
    struct tried t;
    tried_init(&t,
               HEAD_END "> HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n | pause | > a | pause | "
                        "> b | pause",
               ALL & ~(unsigned)NU_RETRY_ON_RETRIABLE_HEADERS);
    t.rules.per_try_idle_timeout_ms = 300;
    tried_start(&t, true);
    for (int part = 0; part < 3; part++) {
        wait_held(&t);
        harness_advance(t.base.base.loop, 200);
        assert_false(t.client.over);
        if (part < 2)
            upstream_resume(&t.base.upstream);
    }
    harness_advance(t.base.base.loop, 101);
    assert_events(&t, "200 [a] [b] failed: try idle (late)");
    assert_stats(&t.base, "upstream_rq_per_try_idle_timeout=1 upstream_rq_504=0");
    tried_finish(&t);
}

TEST(try_waits_for_its_connection_without_a_clock)
{
    struct tried t;
    tried_init(&t, "", ALL);
    upstream_blackhole(&t.base.upstream);
    t.base.base.cluster->options.connect_timeout_ms = 5000;
    t.rules.per_try_timeout_ms = 300;
    tried_start(&t, true);
    harness_advance(t.base.base.loop, 4000);
    assert_false(is_over_or_pausing(&t));
    assert_stats(&t.base, "upstream_rq_per_try_timeout=0");
    tried_finish(&t);
}

TEST(longest_duration_of_a_stream_is_of_each_try)
{
    struct tried t;
    tried_init(&t, HEAD_END "pause", NU_RETRY_ON_RESET);
    t.base.base.cluster->options.max_stream_duration_ms = 300;
    tried_start(&t, true);
    wait_held(&t);
    harness_advance(t.base.base.loop, 301);
    assert_true(is_pausing(&t));
    harness_advance(t.base.base.loop, PAUSE_MS);
    wait_held(&t);
    harness_advance(t.base.base.loop, 301);
    assert_events(&t, "try 2 failed: max duration");
    assert_stats(&t.base, "upstream_rq_max_duration_reached=2");
    tried_finish(&t);
}

/* --- The request's body ----------------------------------------------------------------------- */

static struct nu_str received(const struct tried *t, size_t connection)
{
    return nu_strbuf_str(&t->base.upstream.connections[connection]->received);
}

static void assert_ends_with(struct nu_str text, const char *end)
{
    struct nu_str wanted = nu_str_from(end);
    assert_true(text.len >= wanted.len);
    assert_str(nu_str_skip(text, text.len - wanted.len), end);
}

TEST(body_goes_out_again)
{
    struct tried t;
    tried_init(&t, "< 0123456789 | " OK_2, NU_RETRY_ON_RESET);
    upstream_script(&t.base.upstream, 0, "< 0123456789 | close");
    tried_start(&t, false);
    exchange_send(&t.client, "01234", false);
    exchange_send(&t.client, "56789", true);
    run(&t);
    assert_events(&t, AGAIN);
    assert_ends_with(received(&t, 1), "\r\n\r\n0123456789");
    assert_int_equal(t.client.exchange.tries->body.len, 0);
    tried_finish(&t);
}

TEST(retry_begins_with_what_came_and_takes_the_rest)
{
    struct tried t;
    tried_init(&t, "< 01234 | pause | < 56789 | " OK_2, NU_RETRY_ON_RESET);
    upstream_script(&t.base.upstream, 0, "< 012 | close");
    tried_start(&t, false);
    exchange_send(&t.client, "012", false);
    wait_pausing(&t);
    exchange_send(&t.client, "34", false);
    harness_advance(t.base.base.loop, PAUSE_MS);
    wait_held(&t);
    upstream_resume(&t.base.upstream);
    exchange_send(&t.client, "56789", true);
    run(&t);
    assert_events(&t, AGAIN);
    assert_ends_with(received(&t, 1), "\r\n\r\n0123456789");
    tried_finish(&t);
}

TEST(body_over_the_limit_goes_on_and_is_not_tried_again)
{
    struct tried t;
    tried_init(&t, "< 0123456789 | close", ALL);
    t.body_limit = 9;
    tried_start(&t, false);
    exchange_send(&t.client, "01234", false);
    assert_int_equal(t.client.exchange.tries->body.len, 5);
    exchange_send(&t.client, "56789", true);
    assert_int_equal(t.client.exchange.tries->body.len, 0);
    run(&t);
    assert_events(&t, "failed: connection termination");
    assert_stats(&t.base, "retry_or_shadow_abandoned=1 upstream_rq_retry=0");
    tried_finish(&t);
}

TEST(body_over_the_limit_between_two_tries_fails)
{
    struct tried t;
    tried_init(&t, "< 01234 | close", ALL);
    t.body_limit = 9;
    tried_start(&t, false);
    exchange_send(&t.client, "01234", false);
    wait_pausing(&t);
    exchange_send(&t.client, "56789", true);
    assert_events(&t, "failed: body limit");
    assert_stats(&t.base, "retry_or_shadow_abandoned=1 upstream_rq_retry=1");
    tried_finish(&t);
}

/* The bytes are kept by reference: a large body is in memory once. */
TEST(kept_body_shares_its_blocks)
{
    struct tried t;
    struct nu_buf data = {0};
    tried_init(&t, "< 0123456789 | " OK_2, ALL & ~(unsigned)NU_RETRY_ON_RETRIABLE_HEADERS);
    tried_start(&t, false);
    nu_buf_append(&data, NU_STR("0123456789"));
    const char *where = data.first->ptr;
    nu_exchange_send_data(&t.client.exchange, &data, true);
    assert_ptr_equal(t.client.exchange.tries->body.first->ptr, where);
    run(&t);
    tried_finish(&t);
}

static unsigned count_slices(const struct nu_buf *buf)
{
    unsigned count = 0;
    for (const struct nu_slice *slice = buf->first; slice; slice = slice->next)
        count++;
    return count;
}

/* A client that sends byte by byte must not make each of them hold a block. */
TEST(body_in_small_pieces_is_kept_in_few_blocks)
{
    enum { PIECES = 900 };
    struct tried t;
    tried_init(&t, "pause", ALL);
    upstream_refuse(&t.base.upstream);
    tried_start(&t, false);
    for (int i = 0; i < PIECES; i++)
        exchange_send(&t.client, "x", false);
    const struct nu_exchange *exchange = &t.client.exchange;
    assert_int_equal(exchange->tries->body.len, PIECES);
    assert_true(count_slices(&exchange->tries->body) < 5);
    assert_int_equal(exchange->pending.len, PIECES);
    assert_true(count_slices(&exchange->pending) < 5);
    tried_finish(&t);
}

TEST(owner_is_let_go_when_the_try_that_held_it_is_gone)
{
    enum { CHUNK = 64 * 1024, MOST = 64 * 1024 * 1024 };
    struct tried t;
    tried_init(&t, "pause | reset", NU_RETRY_ON_RESET);
    t.body_limit = NU_ROUTE_NO_LIMIT;
    t.base.base.cluster->options.buffer_limit_bytes = CHUNK;
    tried_open(&t);
    exchange_prepare(&t.client, "POST");
    exchange_begin(&t.client, &t.base.params, false);
    wait_held(&t);
    nu_io_disable_read(&t.base.upstream.connections[0]->io);
    char *text = calloc(1, CHUNK + 1);
    memset(text, 'x', CHUNK);
    for (size_t sent = 0; sent < MOST && t.client.above_high == t.client.below_low; sent += CHUNK) {
        exchange_send(&t.client, text, false);
        nu_loop_run_once(t.base.base.loop);
    }
    free(text);
    assert_int_equal(t.client.above_high, t.client.below_low + 1);
    upstream_resume(&t.base.upstream);
    wait_pausing(&t);
    assert_int_equal(t.client.above_high, t.client.below_low);
    tried_finish(&t);
}

/* --- Hedging ---------------------------------------------------------------------------------- */

static void hedge_start(struct tried *t, const char *first, const char *second)
{
    tried_init(t, second, NU_RETRY_ON_5XX);
    t->timeout_ms = 2 * PAUSE_MS;
    t->rules.hedges = true;
    t->rules.per_try_timeout_ms = 300;
    upstream_script(&t->base.upstream, 0, first);
    tried_start(t, true);
    wait_held(t);
    harness_advance(t->base.base.loop, 301);
    assert_true(is_pausing(t));
    harness_advance(t->base.base.loop, PAUSE_MS);
    assert_false(is_pausing(t));
}

TEST(hedged_second_try_answers_first)
{
    struct tried t;
    hedge_start(&t, HEAD_END "pause", GOOD);
    run(&t);
    assert_events(&t, "try 2 after a timeout 200 [ok] end");
    assert_stats(&t.base, "upstream_rq_per_try_timeout=0 upstream_rq_retry_success=1 "
                          "upstream_cx_destroy_local_with_active_rq=1 upstream_rq_total=2");
    tried_finish(&t);
}

TEST(hedged_first_try_may_still_answer)
{
    struct tried t;
    hedge_start(&t, HEAD_END "pause | > HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst",
                HEAD_END "pause");
    wait_stat(&t.base, "upstream_rq_total", 2);
    uint64_t first = t.client.exchange.first.decoder.info->upstream.connection_id;
    uint64_t second = t.client.info.upstream.connection_id;
    assert_int_not_equal(first, second);
    upstream_resume(&t.base.upstream);
    run(&t);
    assert_events(&t, "try 2 after a timeout 200 [first] end");
    assert_int_equal(t.client.info.upstream.connection_id, first);
    assert_int_equal(t.client.info.upstream.attempt_count, 2);
    assert_stats(&t.base, "upstream_rq_retry_success=0 upstream_rq_200=1 upstream_rq_completed=1");
    tried_finish(&t);
}

TEST(hedged_failure_waits_for_the_other_try)
{
    static const char *const failures[] = {
        HEAD_END "pause | > HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n",
        HEAD_END "pause | close",
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(failures); i++) {
        struct tried t;
        hedge_start(&t, failures[i], HEAD_END "pause | " OK_2);
        wait_stat(&t.base, "upstream_rq_total", 2);
        t.base.upstream.connections[0]->paused = false;
        upstream_run_(t.base.upstream.connections[0]);
        wait_stat(&t.base, "upstream_rq_active", 1);
        assert_false(t.client.over);
        wait_held(&t);
        upstream_resume(&t.base.upstream);
        run(&t);
        assert_events(&t, "try 2 after a timeout 200 [ok] end");
        tried_finish(&t);
    }
}

#define FIRST "> HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst"

TEST(hold_is_of_all_tries_at_work)
{
    struct tried t;
    hedge_start(&t, HEAD_END "pause | " FIRST, HEAD_END "pause");
    wait_stat(&t.base, "upstream_rq_total", 2);
    nu_exchange_hold_response(&t.client.exchange);
    upstream_resume(&t.base.upstream);
    for (int turn = 0; turn < 20; turn++)
        nu_loop_run_once(t.base.base.loop);
    assert_events(&t, "try 2 after a timeout");
    nu_exchange_release_response(&t.client.exchange);
    run(&t);
    assert_events(&t, "try 2 after a timeout 200 [first] end");
    tried_finish(&t);
}

TEST(held_first_try_is_let_go_with_the_second)
{
    struct tried t;
    tried_init(&t, HEAD_END "pause", NU_RETRY_ON_5XX);
    t.timeout_ms = 2 * PAUSE_MS;
    t.rules.hedges = true;
    t.rules.per_try_timeout_ms = 300;
    upstream_script(&t.base.upstream, 0, HEAD_END "pause | " FIRST);
    tried_start(&t, true);
    wait_held(&t);
    nu_exchange_hold_response(&t.client.exchange);
    harness_advance(t.base.base.loop, 301);
    harness_advance(t.base.base.loop, PAUSE_MS);
    wait_stat(&t.base, "upstream_rq_total", 2);
    nu_exchange_release_response(&t.client.exchange);
    upstream_resume(&t.base.upstream);
    run(&t);
    assert_events(&t, "try 2 after a timeout 200 [first] end");
    tried_finish(&t);
}

TEST(late_try_is_retried_once_though_it_is_idle_as_well)
{
    struct tried t;
    tried_init(&t, GOOD, NU_RETRY_ON_5XX);
    t.rules.hedges = true;
    t.rules.per_try_timeout_ms = 300;
    t.rules.per_try_idle_timeout_ms = 400;
    upstream_script(&t.base.upstream, 0, HEAD_END "pause");
    tried_start(&t, true);
    wait_held(&t);
    harness_advance(t.base.base.loop, 301);
    assert_true(is_pausing(&t));
    harness_advance(t.base.base.loop, 100);
    assert_true(is_pausing(&t));
    run(&t);
    assert_events(&t, "try 2 after a timeout 200 [ok] end");
    assert_stats(&t.base, "upstream_rq_retry=1 upstream_rq_retry_limit_exceeded=0");
    tried_finish(&t);
}

TEST(hedged_tries_end_with_the_exchange)
{
    struct tried t;
    hedge_start(&t, HEAD_END "pause", HEAD_END "pause");
    wait_stat(&t.base, "upstream_rq_active", 2);
    harness_advance(t.base.base.loop, PAUSE_MS);
    assert_events(&t, "try 2 after a timeout failed: timeout");
    assert_stats(&t.base, "upstream_rq_timeout=2 upstream_rq_504=2 upstream_cx_active=0");
    tried_finish(&t);
}

/* --- Where retries go ------------------------------------------------------------------------- */

static struct nu_host *host_at(struct tried *t, const struct upstream *upstream,
                               const struct nu_metadata *metadata)
{
    struct nu_host_params params = {.weight = 1, .metadata = metadata};
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(upstream->address), &params.address),
                     NU_OK);
    return nu_host_create(t->base.base.keeper, &params);
}

/* Of two hosts one is bad, and the next one in turn would be it again. */
TEST(retry_avoids_the_host_that_was_tried)
{
    for (int avoids = 0; avoids < 2; avoids++) {
        struct tried t;
        struct upstream bad;
        tried_init(&t, GOOD, NU_RETRY_ON_5XX);
        upstream_init(&bad, t.base.base.loop, EMPTY("503 No") " | again");
        t.policy.avoids_previous_hosts = avoids;
        t.policy.host_attempts = 5;
        struct nu_host *hosts[] = {host_at(&t, &bad, NULL), host_at(&t, &bad, NULL),
                                   host_at(&t, &bad, NULL), host_at(&t, &t.base.upstream, NULL)};
        cluster_fixture_start(&t.base.base, cluster_host_set(hosts, 4));
        t.base.params =
            (struct nu_exchange_params){.cluster = cluster_local(&t.base.base), .retry = &t.rules};
        int good = 0;
        for (int i = 0; i < 4; i++) {
            exchange_start(&t.client, &t.base.params, "GET", true);
            run(&t);
            good += nu_str_ends_with(nu_strbuf_str(&t.client.events), NU_STR("200 [ok] end"));
            if (i < 3)
                exchange_finish(&t.client);
        }
        assert_true(avoids ? good == 4 : good < 4);
        upstream_finish(&bad);
        tried_finish(&t);
    }
}

TEST(retry_avoids_canaries_and_labels)
{
    for (int by_label = 0; by_label < 2; by_label++) {
        struct tried t;
        struct upstream bad;
        tried_init(&t, GOOD, NU_RETRY_ON_5XX);
        upstream_init(&bad, t.base.base.loop, EMPTY("503 No") " | again");
        struct nu_arena arena;
        nu_arena_init(&arena);
        struct nu_metadata *labels = nu_metadata_create(&arena);
        nu_metadata_set(labels, NU_STR("envoy.lb"), NU_STR("canary"), nu_value_bool(true));
        const struct nu_metadata *avoided[] = {labels};
        t.policy.avoids_canaries = !by_label;
        t.policy.avoided = avoided;
        t.policy.avoided_count = by_label ? 1 : 0;
        t.policy.host_attempts = 5;
        struct nu_host *hosts[] = {host_at(&t, &bad, labels), host_at(&t, &bad, labels),
                                   host_at(&t, &t.base.upstream, NULL)};
        cluster_fixture_start(&t.base.base, cluster_host_set(hosts, 3));
        t.base.params =
            (struct nu_exchange_params){.cluster = cluster_local(&t.base.base), .retry = &t.rules};
        for (int i = 0; i < 4; i++) {
            exchange_start(&t.client, &t.base.params, "GET", true);
            run(&t);
            assert_true(nu_str_ends_with(nu_strbuf_str(&t.client.events), NU_STR("200 [ok] end")));
            if (i < 3)
                exchange_finish(&t.client);
        }
        upstream_finish(&bad);
        tried_finish(&t);
        nu_arena_finish(&arena);
    }
}

TEST(tries_without_another_host_end_with_what_there_is)
{
    struct tried t;
    tried_init(&t, EMPTY("503 No") " | " GOOD, NU_RETRY_ON_5XX);
    t.policy.avoids_previous_hosts = true;
    t.policy.host_attempts = 3;
    tried_start(&t, true);
    run(&t);
    assert_events(&t, AGAIN);
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
