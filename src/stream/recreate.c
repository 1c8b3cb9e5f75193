/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a request over (nu_filter_recreate_stream, internal redirects): what was is settled like
 * any stream that ends, with a line in the log, and what follows is a new stream to everybody but the
 * codec. It has the request and what is known of the client; filters, route, timers, response and
 * what was learnt of an upstream begin anew. Both are at the end of the turn, since a filter of the
 * old chain is on the stack when it asks for it.
 */
#include "http/filter_state.h"
#include "http/grpc.h"
#include "http/status.h"
#include "stream/stream_internal.h"

struct nu_stream_restart {
    struct nu_turn_task task;
    struct nu_hcm_stream *stream;
    struct nu_buf body;
    uint32_t count; /* times so far */
};

void nu_hcm_drop_restart(struct nu_hcm_stream *stream)
{
    nu_list_remove(&stream->restart->task.link);
    nu_buf_clear(&stream->restart->body);
}

enum { RESTARTS_MAX = 10 };

bool nu_hcm_can_recreate(struct nu_filter_chain *chain)
{
    const struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    return !nu_stream_is_over(stream) && stream->info.tunnel == NU_TUNNEL_NONE &&
           (!stream->restart || stream->restart->count < RESTARTS_MAX);
}

/* What the request and its client are known by. */
static void renew_info(struct nu_stream_info *info)
{
    const struct nu_stream_info old = *info;
    *info = (struct nu_stream_info){
        .arena = old.arena,
        .connection = old.connection,
        .stream_id = old.stream_id,
        .protocol = old.protocol,
        .start_realtime_us = old.start_realtime_us,
        .start_us = old.start_us,
        .rx_end_us = old.rx_end_us,
        .bytes_received = old.bytes_received,
        .header_bytes_received = old.header_bytes_received,
        .decompressed_header_bytes_received = old.decompressed_header_bytes_received,
        .wire_bytes_received = old.wire_bytes_received,
        .remote = old.remote,
        .request_id = old.request_id,
        .trace_id = old.trace_id,
        .scheme_follows_upstream = old.scheme_follows_upstream,
        .is_internal = old.is_internal,
        .redirects = old.redirects,
        .filter_state = old.filter_state,
    };
    if (info->filter_state)
        nu_filter_state_end_filter_chain(info->filter_state);
}

static void set_flag(struct nu_hcm_stream *stream, enum nu_stream_flag flag, bool value)
{
    stream->flags = (uint16_t)(value ? stream->flags | flag : stream->flags & ~(unsigned)flag);
}

/* The request may have become another one. */
static void renew_flags(struct nu_hcm_stream *stream)
{
    const struct nu_headers *headers = &stream->request_headers;
    set_flag(stream, NU_STREAM_CHAIN_OPEN, false);
    set_flag(stream, NU_STREAM_HEAD_REQUEST,
             nu_str_eq(nu_headers_get_id(headers, NU_HEADER_METHOD), NU_STR("HEAD")));
    set_flag(stream, NU_STREAM_GRPC,
             nu_grpc_is_content_type(nu_headers_get_id(headers, NU_HEADER_CONTENT_TYPE)));
}

static void renew_timers(struct nu_hcm_stream *stream)
{
    nu_stream_touch(stream);
    nu_hcm_start_timers(stream);
    if (nu_likely(!stream->deadlines))
        return;
    nu_timer_cancel(&stream->deadlines->headers_timer);
    nu_stream_stop_request_timer(stream);
}

static void count_begin(const struct nu_hcm_stream *stream)
{
    struct nu_http_stats *stats = nu_stream_stats(stream);
    nu_counter_inc(&stats->downstream_rq_total);
    nu_gauge_inc(&stats->downstream_rq_active);
    nu_counter_inc(stream->conn->h2 ? &stats->downstream_rq_http2_total
                                    : &stats->downstream_rq_http1_total);
}

static void begin_anew(struct nu_hcm_stream *stream)
{
    renew_info(&stream->info);
    renew_flags(stream);
    renew_timers(stream);
    count_begin(stream);
    stream->response_headers = NULL;
    stream->response_trailers = NULL;
}

static void send_request(struct nu_hcm_stream *stream, struct nu_buf *body,
                         struct nu_headers *trailers)
{
    struct nu_filter_chain *chain = &stream->chain;
    nu_chain_decode_headers(chain, &stream->request_headers, body->len == 0 && !trailers);
    stream->info.bytes_received += body->len; /* once more, as Envoy counts it */
    if (body->len)
        nu_chain_decode_data(chain, body, !trailers);
    if (trailers)
        nu_chain_decode_trailers(chain, trailers);
}

static void restart(struct nu_turn_task *task)
{
    struct nu_stream_restart *again = nu_container_of(task, struct nu_stream_restart, task);
    struct nu_hcm_stream *stream = again->stream;
    struct nu_headers *trailers = stream->chain.half[NU_DECODE].trailers;
    struct nu_buf body = again->body;
    nu_buf_init(&again->body);
    nu_hcm_stream_settle(stream);
    begin_anew(stream);
    if (nu_hcm_reopen(stream))
        send_request(stream, &body, trailers);
    nu_buf_clear(&body);
}

/* For the line in the log of what is settled. */
static void note_response(struct nu_hcm_stream *stream, struct nu_headers *response)
{
    stream->info.response_code_details = NU_STR("internal_redirect");
    stream->response_headers = response;
    if (response)
        stream->info.response_code = nu_status_parse(nu_headers_get_id(response, NU_HEADER_STATUS));
}

void nu_hcm_recreate(struct nu_filter_chain *chain, struct nu_buf *body,
                     struct nu_headers *response)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    if (!stream->restart) {
        stream->restart = nu_arena_calloc(stream->arena, sizeof(*stream->restart));
        stream->restart->stream = stream;
        nu_turn_task_init(&stream->restart->task, restart);
    }
    stream->restart->count++;
    note_response(stream, response);
    nu_buf_move_all(&stream->restart->body, body);
    nu_loop_at_turn_end(stream->loop, &stream->restart->task);
}
