/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a stream may take. Timers are armed once and look at the time of the last activity when
 * they fire, so that passing parts of a message costs no timer work.
 */
#include "http/grpc.h"
#include "stream/stream_internal.h"

void nu_hcm_stop_timers(struct nu_hcm_stream *stream)
{
    nu_timer_cancel(&stream->idle_timer);
    if (nu_likely(!stream->deadlines))
        return;
    nu_timer_cancel(&stream->deadlines->request_timer);
    nu_timer_cancel(&stream->deadlines->headers_timer);
    nu_timer_cancel(&stream->deadlines->duration_timer);
}

/* A timeout of ours: an answer while none was begun, else the end. */
static void time_out(struct nu_hcm_stream *stream, const struct nu_reply *answer)
{
    if (nu_stream_has(stream, NU_STREAM_RESPONSE_STARTED)) {
        stream->info.response_code_details = answer->details;
        nu_hcm_stream_reset(stream);
        return;
    }
    nu_hcm_reply(stream, answer);
}

static void time_out_with(struct nu_hcm_stream *stream, uint32_t status, struct nu_str body,
                          struct nu_str details)
{
    struct nu_reply answer = {
        .status = status, .body = body, .details = details, .grpc_status = -1};
    time_out(stream, &answer);
}

/* 408 tells the client that its request was not complete. */
static uint32_t timeout_status(const struct nu_hcm_stream *stream)
{
    return nu_stream_has(stream, NU_STREAM_REQUEST_COMPLETE) ? 504 : 408;
}

static void on_idle_timer(struct nu_timer *timer)
{
    struct nu_hcm_stream *stream = nu_container_of(timer, struct nu_hcm_stream, idle_timer);
    uint64_t idle_ms = (nu_loop_now_us(stream->loop) - stream->active_us) / 1000;
    if (idle_ms < stream->idle_timeout_ms) {
        nu_timer_arm(stream->loop, timer, stream->idle_timeout_ms - idle_ms);
        return;
    }
    nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_idle_timeout);
    nu_stream_info_set_flag(&stream->info, NU_FLAG_STREAM_IDLE_TIMEOUT);
    time_out_with(stream, timeout_status(stream), NU_STR("stream timeout"),
                  NU_STR("stream_idle_timeout"));
}

static void on_request_timer(struct nu_timer *timer)
{
    struct nu_hcm_stream *stream =
        nu_container_of(timer, struct nu_stream_deadlines, request_timer)->stream;
    nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_timeout);
    time_out_with(stream, timeout_status(stream), NU_STR("request timeout"),
                  NU_STR("request_overall_timeout"));
}

static void on_headers_timer(struct nu_timer *timer)
{
    struct nu_hcm_stream *stream =
        nu_container_of(timer, struct nu_stream_deadlines, headers_timer)->stream;
    nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_header_timeout);
    time_out_with(stream, 408, NU_STR("request header timeout"), NU_STR("request_header_timeout"));
}

static void on_duration_timer(struct nu_timer *timer)
{
    struct nu_hcm_stream *stream =
        nu_container_of(timer, struct nu_stream_deadlines, duration_timer)->stream;
    nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_max_duration_reached);
    struct nu_reply answer = {
        .status = timeout_status(stream),
        .body = NU_STR("downstream duration timeout"),
        .details = NU_STR("max_duration_timeout"),
        .grpc_status = NU_GRPC_DEADLINE_EXCEEDED,
    };
    time_out(stream, &answer);
}

static struct nu_stream_deadlines *deadlines_of(struct nu_hcm_stream *stream)
{
    struct nu_stream_deadlines *deadlines = stream->deadlines;
    if (!deadlines) {
        deadlines = nu_arena_alloc(stream->arena, sizeof(*deadlines));
        deadlines->stream = stream;
        nu_timer_init(&deadlines->request_timer, on_request_timer);
        nu_timer_init(&deadlines->headers_timer, on_headers_timer);
        nu_timer_init(&deadlines->duration_timer, on_duration_timer);
        stream->deadlines = deadlines;
    }
    return deadlines;
}

static NU_NOINLINE void start_deadlines(struct nu_hcm_stream *stream)
{
    const struct nu_hcm_config *config = stream->config;
    struct nu_stream_deadlines *deadlines = deadlines_of(stream);
    if (config->request_timeout_ms)
        nu_timer_arm(stream->loop, &deadlines->request_timer, config->request_timeout_ms);
    if (config->request_headers_timeout_ms)
        nu_timer_arm(stream->loop, &deadlines->headers_timer, config->request_headers_timeout_ms);
    if (config->max_stream_duration_ms)
        nu_timer_arm(stream->loop, &deadlines->duration_timer, config->max_stream_duration_ms);
}

void nu_hcm_start_timers(struct nu_hcm_stream *stream)
{
    const struct nu_hcm_config *config = stream->config;
    stream->idle_timeout_ms = config->stream_idle_timeout_ms;
    nu_timer_init(&stream->idle_timer, on_idle_timer);
    if (config->stream_idle_timeout_ms)
        nu_timer_arm(stream->loop, &stream->idle_timer, config->stream_idle_timeout_ms);
    if (nu_unlikely(config->request_timeout_ms || config->request_headers_timeout_ms ||
                    config->max_stream_duration_ms))
        start_deadlines(stream);
}

/* The time that the stream has taken already counts. */
static NU_NOINLINE void apply_duration(struct nu_hcm_stream *stream, const struct nu_route *route)
{
    uint64_t limit_ms;
    struct nu_timer *timer = &deadlines_of(stream)->duration_timer;
    nu_timer_cancel(timer);
    if (!nu_hcm_find_duration(stream, route, &limit_ms))
        return;
    uint64_t used_ms = (nu_loop_now_us(stream->loop) - stream->info.start_us) / 1000;
    nu_timer_arm(stream->loop, timer, limit_ms > used_ms ? limit_ms - used_ms : 0);
}

void nu_hcm_apply_route_timeouts(struct nu_hcm_stream *stream)
{
    const struct nu_route *route = stream->route.route;
    if (!route || route->action != NU_ROUTE_CLUSTER)
        return;
    if (nu_unlikely(route->idle_timeout.is_set)) {
        stream->idle_timeout_ms = route->idle_timeout.ms;
        nu_timer_cancel(&stream->idle_timer);
        if (route->idle_timeout.ms)
            nu_timer_arm(stream->loop, &stream->idle_timer, route->idle_timeout.ms);
    }
    if (nu_unlikely(route->flush_timeout.is_set) && stream->encoder->ops->limit_flush)
        stream->encoder->ops->limit_flush(stream->encoder, route->flush_timeout.ms);
    if (nu_unlikely(route->has_duration_rules))
        apply_duration(stream, route);
}
