/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges that are tried again, with a scripted upstream over real sockets and a clock of ours.
 */
#ifndef NU_TESTS_HARNESS_TRIED_H
#define NU_TESTS_HARNESS_TRIED_H

#include "base/random.h"
#include "client/exchange_internal.h"
#include "harness/origin.h"

#define HEAD_END "< \r\n\r\n | "
#define OK_2 "> HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
#define GOOD HEAD_END OK_2 " | again"
#define EMPTY(status) HEAD_END "> HTTP/1.1 " status "\r\ncontent-length: 0\r\n\r\n"
#define AGAIN "try 2 200 [ok] end"
#define ALL (~0U) /* conditions */

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

static inline void tried_init(struct tried *t, const char *script, unsigned conditions)
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

static inline void tried_open(struct tried *t)
{
    fixture_start(&t->base);
    t->base.params.retry = &t->rules;
    t->base.params.body_limit = t->body_limit;
    t->base.params.timeout_ms = t->timeout_ms;
}

static inline void tried_start(struct tried *t, bool end)
{
    tried_open(t);
    exchange_prepare(&t->client, end ? "GET" : "POST");
    if (!end)
        nu_headers_add(&t->client.headers, NU_STR("content-length"), NU_STR("10"));
    exchange_begin(&t->client, &t->base.params, end);
}

static inline uint32_t retries_at_work(const struct tried *t)
{
    const struct nu_breaker *breaker =
        &t->base.base.cluster->breakers[NU_PRIORITY_DEFAULT].of[NU_BREAKER_RETRIES];
    return atomic_load(&breaker->current);
}

static inline void tried_finish(struct tried *t)
{
    exchange_finish(&t->client);
    assert_int_equal(retries_at_work(t), 0);
    assert_stats(&t->base, "upstream_rq_active=0 upstream_rq_pending_active=0");
    fixture_finish(&t->base);
}

static inline bool is_pausing(const struct tried *t)
{
    return t->client.exchange.tries && t->client.exchange.tries->is_pending;
}

static inline bool is_over_or_pausing(void *arg)
{
    const struct tried *t = arg;
    return t->client.over || is_pausing(t);
}

static inline bool is_held(void *arg)
{
    const struct tried *t = arg;
    const struct upstream *upstream = &t->base.upstream;
    return upstream->count && upstream->connections[upstream->count - 1]->paused;
}

static inline void wait_pausing(struct tried *t)
{
    assert_true(harness_wait(t->base.base.loop, is_over_or_pausing, t));
    assert_true(is_pausing(t));
}

/* Waits until the newest connection's script pauses, and the exchange knows what it sent. */
static inline void wait_held(struct tried *t)
{
    assert_true(harness_wait(t->base.base.loop, is_held, t));
    for (int turn = 0; turn < 20; turn++)
        nu_loop_run_once(t->base.base.loop);
}

/* Lets pauses pass until the exchange is over. */
static inline void run(struct tried *t)
{
    for (;;) {
        assert_true(harness_wait(t->base.base.loop, is_over_or_pausing, t));
        if (t->client.over)
            return;
        harness_advance(t->base.base.loop, PAUSE_MS);
    }
}

static inline void assert_events(struct tried *t, const char *events)
{
    assert_str(nu_strbuf_str(&t->client.events), events);
}

#endif
