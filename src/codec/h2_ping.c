/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keep-alive: a PING now and then, and the end of the connection when one is not answered in time.
 */
#include "base/random.h"
#include "codec/h2_internal.h"

/* At most the configured share of the interval longer, so that connections do not ping in step. */
static uint64_t next_interval_ms(const struct nu_h2_options *options)
{
    uint64_t spread =
        (uint64_t)((double)options->ping_interval_ms * options->ping_jitter_percent / 100.0);
    return options->ping_interval_ms + (spread ? nu_random_below(spread) : 0);
}

static void send_ping(struct nu_h2_session *session)
{
    if (nu_timer_is_armed(&session->pong_timer))
        return; /* one is out */
    nghttp2_submit_ping(session->ng, NGHTTP2_FLAG_NONE, NULL);
    nu_timer_arm(session->loop, &session->pong_timer, session->options->ping_timeout_ms);
    nu_h2_session_wake(session);
}

static void on_ping_timer(struct nu_timer *timer)
{
    send_ping(nu_container_of(timer, struct nu_h2_session, ping_timer));
}

static void on_pong_timer(struct nu_timer *timer)
{
    struct nu_h2_session *session = nu_container_of(timer, struct nu_h2_session, pong_timer);
    nu_counter_inc(&session->stats->keepalive_timeout);
    nu_h2_session_fail(session, NU_H2_PING_TIMEOUT, NU_H2_NO_GOAWAY, NU_STR("http2_ping_timeout"));
}

void nu_h2_ping_start(struct nu_h2_session *session)
{
    nu_timer_init(&session->ping_timer, on_ping_timer);
    nu_timer_init(&session->pong_timer, on_pong_timer);
    session->active_us = nu_loop_now_us(session->loop);
    if (session->options->ping_interval_ms)
        nu_timer_arm(session->loop, &session->ping_timer, next_interval_ms(session->options));
}

void nu_h2_ping_stop(struct nu_h2_session *session)
{
    nu_timer_cancel(&session->ping_timer);
    nu_timer_cancel(&session->pong_timer);
}

void nu_h2_ping_on_ack(struct nu_h2_session *session)
{
    nu_timer_cancel(&session->pong_timer);
    if (session->options->ping_interval_ms)
        nu_timer_arm(session->loop, &session->ping_timer, next_interval_ms(session->options));
}

void nu_h2_ping_before_stream(struct nu_h2_session *session)
{
    uint64_t limit_ms = session->options->ping_idle_ms;
    uint64_t now_us = nu_loop_now_us(session->loop);
    if (limit_ms && now_us - session->active_us >= limit_ms * 1000)
        send_ping(session);
    session->active_us = now_us;
}
