/* SPDX-License-Identifier: Apache-2.0 */
/* How long a try may take, and tries beside each other. */
#include "harness/tried.h"

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

TEST_MAIN()
