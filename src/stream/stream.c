/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a stream: from the first byte of a request to its line in the access log.
 *
 * Timers are armed once and look at the time of the last activity when they fire, so that passing
 * parts of a message costs no timer work.
 */
#include "base/assert.h"
#include "base/log.h"
#include "base/random.h"
#include "http/authority.h"
#include "http/frame_metadata.h"
#include "http/grpc.h"
#include "http/status.h"
#include "stream/stream_internal.h"

static struct nu_hcm_stream *stream_of(struct nu_stream_decoder *decoder)
{
    return nu_container_of(decoder, struct nu_hcm_stream, decoder);
}

static bool is_over(const struct nu_hcm_stream *stream)
{
    return nu_stream_has(stream, NU_STREAM_OVER);
}

static void touch(struct nu_hcm_stream *stream)
{
    stream->active_us = nu_loop_now_us(stream->loop);
}

static void reply(struct nu_hcm_stream *stream, uint32_t status, struct nu_str details)
{
    nu_hcm_reply_simple(stream, status, nu_str_make(NULL, 0), details);
}

/* --- The end ---------------------------------------------------------------------------------- */

static void stop_timers(struct nu_hcm_stream *stream)
{
    nu_timer_cancel(&stream->idle_timer);
    if (nu_likely(!stream->deadlines))
        return;
    nu_timer_cancel(&stream->deadlines->request_timer);
    nu_timer_cancel(&stream->deadlines->headers_timer);
    nu_timer_cancel(&stream->deadlines->duration_timer);
}

/* Nothing of this request can still be on its way: the connection need not wait for the client. */
static bool may_close_at_once(const struct nu_hcm_stream *stream)
{
    if (!nu_stream_has(stream, NU_STREAM_SAW_CLOSE))
        return false;
    bool is_read = nu_stream_has(stream, NU_STREAM_REQUEST_COMPLETE) &&
                   !nu_stream_has(stream, NU_STREAM_IN_HEADERS);
    return is_read || nu_stream_has(stream, NU_STREAM_FRAMED_BY_CLOSE);
}

static NU_NOINLINE void write_access_log(struct nu_hcm_stream *stream)
{
    struct nu_format_context context = {
        .request_headers =
            nu_stream_has(stream, NU_STREAM_HEADERS_SEEN) ? &stream->request_headers : NULL,
        .response_headers = stream->response_headers,
        .response_trailers = stream->response_trailers,
        .info = &stream->info,
        .log_type = NU_LOG_TYPE_DOWNSTREAM_END,
    };
    nu_access_log_write(&stream->config->access_logs, &context, stream->loop->runtime);
}

static void free_stream(void *obj)
{
    struct nu_hcm_stream *stream = obj;
    struct nu_arena *arena = stream->arena;
    nu_arena_destroy(&arena);
}

/* The request that is to start over at the end of this turn. */
struct nu_stream_restart {
    struct nu_turn_task task;
    struct nu_hcm_stream *stream;
    struct nu_buf body;
    uint8_t count; /* times so far */
};

static void drop_restart(struct nu_hcm_stream *stream)
{
    if (nu_likely(!stream->restart))
        return;
    nu_list_remove(&stream->restart->task.link);
    nu_buf_clear(&stream->restart->body);
}

static void count_end(struct nu_hcm_stream *stream)
{
    struct nu_http_stats *stats = nu_stream_stats(stream);
    nu_gauge_dec(&stats->downstream_rq_active);
    nu_histogram_record(&stats->downstream_rq_time,
                        (stream->info.end_us - stream->info.start_us) / 1000);
    if (nu_unlikely(!nu_stream_has(stream, NU_STREAM_REQUEST_COMPLETE)))
        nu_counter_inc(&stats->downstream_rq_rx_reset);
    if (nu_unlikely(stream->info.tunnel != NU_TUNNEL_NONE))
        nu_hcm_end_tunnel(stream);
}

void nu_hcm_stream_end(struct nu_hcm_stream *stream)
{
    if (is_over(stream))
        return;
    stream->flags |= NU_STREAM_OVER;
    stop_timers(stream);
    drop_restart(stream);
    stream->info.end_us = nu_loop_now_us(stream->loop);
    count_end(stream);
    if (nu_stream_has(stream, NU_STREAM_CHAIN_OPEN)) {
        nu_chain_abort(&stream->chain);
        nu_chain_log(&stream->chain);
    }
    if (stream->config->access_logs.count)
        write_access_log(stream);
    if (nu_stream_has(stream, NU_STREAM_CHAIN_OPEN))
        nu_chain_close(&stream->chain);
    struct nu_hcm_conn *conn = stream->conn;
    conn->linger = !may_close_at_once(stream);
    if (!nu_stream_has(stream, NU_STREAM_REQUEST_COMPLETE))
        stream->encoder->ops->reset(stream->encoder, nu_hcm_reset_reason(stream));
    /* The next request on the connection must not wait for this one's upstream. */
    for (; stream->holds; stream->holds--)
        stream->encoder->ops->release_read(stream->encoder);
    stream->conn = NULL;
    nu_loop_defer_free(stream->loop, free_stream, stream);
    nu_hcm_conn_on_stream_end(conn, stream);
}

/* Ends a stream whose response cannot be completed: the connection goes with it. */
static void reset_stream(struct nu_hcm_stream *stream)
{
    if (is_over(stream))
        return;
    nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_tx_reset);
    nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_rx_reset);
    if (!stream->conn->h2)
        stream->conn->drain = NU_HCM_CLOSING;
    stream->encoder->ops->reset(stream->encoder, nu_hcm_reset_reason(stream));
    stream->flags |= NU_STREAM_REQUEST_COMPLETE;
    nu_hcm_stream_end(stream);
}

/* --- Timeouts --------------------------------------------------------------------------------- */

/* A timeout of ours: an answer while none was begun, else the end. */
static void time_out(struct nu_hcm_stream *stream, const struct nu_reply *answer)
{
    if (nu_stream_has(stream, NU_STREAM_RESPONSE_STARTED)) {
        stream->info.response_code_details = answer->details;
        reset_stream(stream);
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

static void start_timers(struct nu_hcm_stream *stream)
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

/* What the route says in place of the connection manager. */
static inline void apply_route_timeouts(struct nu_hcm_stream *stream)
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

/* --- The request ------------------------------------------------------------------------------ */

static bool is_connect(const struct nu_headers *headers)
{
    return nu_str_eq(nu_headers_get_id(headers, NU_HEADER_METHOD), NU_STR("CONNECT"));
}

static bool check_host(struct nu_hcm_stream *stream)
{
    struct nu_headers *headers = &stream->request_headers;
    if (nu_likely(nu_headers_has_id(headers, NU_HEADER_AUTHORITY)))
        return true;
    struct nu_str standby = stream->config->h1.default_host_for_http_10;
    if (stream->info.protocol == NU_PROTOCOL_HTTP10 && standby.len) {
        nu_headers_fill_first(headers, NU_PLACE_AUTHORITY, NU_HEADER_AUTHORITY, standby);
        return true;
    }
    reply(stream, 400, NU_STR("missing_host_header"));
    return false;
}

static NU_NOINLINE void redirect_to_path(struct nu_hcm_stream *stream, struct nu_str path)
{
    struct nu_reply_header location = {NU_STR("location"), path};
    struct nu_reply answer = {
        .status = 307,
        .details = NU_STR("path_normalization_failed"),
        .headers = &location,
        .header_count = 1,
        .grpc_status = -1,
    };
    nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_redirected_with_normalized_path);
    nu_hcm_reply(stream, &answer);
}

static bool normalize_path(struct nu_hcm_stream *stream, struct nu_header *path)
{
    switch (nu_path_apply(&stream->config->path, stream->arena, &path->value)) {
    case NU_PATH_ACCEPT:
        return true;
    case NU_PATH_REJECT:
        nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_failed_path_normalization);
        reply(stream, 400, NU_STR("path_normalization_failed"));
        return false;
    case NU_PATH_REDIRECT:
        redirect_to_path(stream, path->value);
        return false;
    }
    return false;
}

static bool check_path(struct nu_hcm_stream *stream)
{
    struct nu_headers *headers = &stream->request_headers;
    struct nu_header *path = nu_headers_find_id(headers, NU_HEADER_PATH);
    if (nu_unlikely(!path || path->value.len == 0)) {
        if (is_connect(headers))
            return true;
        reply(stream, 404, NU_STR("missing_path_rejected"));
        return false;
    }
    if (path->value.ptr[0] != '/') {
        nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_non_relative_path);
        reply(stream, 404, NU_STR("absolute_path_rejected"));
        return false;
    }
    return normalize_path(stream, path);
}

/* The target of a CONNECT is no host: its port stays. */
static void strip_port(struct nu_hcm_stream *stream, struct nu_header *host)
{
    if (is_connect(&stream->request_headers))
        return;
    uint32_t only = stream->config->strip_any_host_port
                        ? 0
                        : nu_connection_info_local(&stream->connection_info)->port;
    host->value = nu_authority_strip_port(host->value, only);
}

static void normalize_host(struct nu_hcm_stream *stream)
{
    const struct nu_hcm_config *config = stream->config;
    struct nu_header *host = nu_headers_find_id(&stream->request_headers, NU_HEADER_AUTHORITY);
    if (nu_unlikely(config->strip_any_host_port || config->strip_matching_host_port))
        strip_port(stream, host);
    if (nu_unlikely(config->strip_trailing_host_dot))
        host->value = nu_authority_strip_trailing_dot(stream->arena, host->value);
}

static NU_NOINLINE void answer_expectation(struct nu_hcm_stream *stream)
{
    struct nu_headers *headers = &stream->request_headers;
    struct nu_str expect = nu_headers_get_id(headers, NU_HEADER_EXPECT);
    if (stream->config->proxy_100_continue || !nu_str_eq_nocase(expect, NU_STR("100-continue")))
        return;
    struct nu_headers interim;
    nu_headers_init(&interim, stream->arena, 1);
    nu_headers_add_id(&interim, NU_HEADER_STATUS, NU_STR("100"));
    nu_hcm_send_1xx(stream, &interim);
    nu_headers_remove_id(headers, NU_HEADER_EXPECT);
}

static void find_route(struct nu_hcm_stream *stream)
{
    if (!stream->config->routes)
        return;
    struct nu_route_input input = {
        .headers = &stream->request_headers,
        .info = &stream->info,
        .runtime = stream->loop->runtime,
        .random = stream->random,
        .is_tls = stream->connection_info.is_tls,
    };
    nu_route_table_match(stream->config->routes, &input, &stream->route);
    stream->info.route_name =
        stream->route.route ? stream->route.route->name : nu_str_make(NULL, 0);
    stream->info.route_metadata = stream->route.route ? stream->route.route->metadata : NULL;
    if (stream->route.virtual_host) {
        stream->info.virtual_host_name = stream->route.virtual_host->name;
        stream->info.virtual_host_metadata = stream->route.virtual_host->metadata;
    }
}

static void open_chain(struct nu_hcm_stream *stream, const struct nu_filter_chain_config *filters)
{
    nu_chain_open(&stream->chain, filters, &nu_hcm_chain_ops, stream->loop, stream->arena,
                  &stream->info, stream->config->buffer_limit_bytes);
    stream->flags |= NU_STREAM_CHAIN_OPEN;
}

/* Opens the chain of an upgrade or a CONNECT. Where it is not allowed the answer says so; but one
 * without a route finds out like any other request that it has none. False if it was answered. */
static bool open_tunnel_chain(struct nu_hcm_stream *stream)
{
    const struct nu_filter_chain_config *filters = nu_hcm_begin_tunnel(stream);
    open_chain(stream, filters ? filters : &stream->config->filters);
    if (filters || (stream->config->routes && !stream->route.route))
        return true;
    nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_ws_on_non_ws_route);
    reply(stream, 403, NU_STR("upgrade_failed"));
    return false;
}

static void note_request(struct nu_hcm_stream *stream, bool end)
{
    const struct nu_headers *headers = &stream->request_headers;
    stream->flags |= NU_STREAM_HEADERS_SEEN;
    if (end) {
        stream->flags |= NU_STREAM_REQUEST_COMPLETE;
        stream->info.rx_end_us = stream->active_us;
    }
    if (nu_str_eq(nu_headers_get_id(headers, NU_HEADER_METHOD), NU_STR("HEAD")))
        stream->flags |= NU_STREAM_HEAD_REQUEST;
    if (nu_grpc_is_content_type(nu_headers_get_id(headers, NU_HEADER_CONTENT_TYPE)))
        stream->flags |= NU_STREAM_GRPC;
    if (nu_unlikely(stream->conn->h2 != NULL))
        return;
    const struct nu_h1_server *codec = stream->conn->codec;
    if (nu_unlikely(!nu_h1_server_is_keep_alive(codec)))
        stream->flags |= NU_STREAM_SAW_CLOSE;
    if (nu_unlikely(nu_h1_server_underscores(codec)))
        nu_counter_add(&stream->conn->worker->http1_stats->dropped_headers_with_underscores,
                       nu_h1_server_underscores(codec));
}

static void look_at_request(struct nu_hcm_stream *stream, bool end)
{
    bool is_tunnel = nu_unlikely(nu_hcm_asks_for_tunnel(&stream->request_headers));
    touch(stream);
    if (nu_unlikely(stream->deadlines != NULL))
        nu_timer_cancel(&stream->deadlines->headers_timer);
    note_request(stream, end);
    if (end)
        nu_stream_stop_request_timer(stream);
    if (nu_unlikely(nu_headers_has_id(&stream->request_headers, NU_HEADER_EXPECT)))
        answer_expectation(stream);
    if (!check_host(stream) || !check_path(stream))
        return;
    normalize_host(stream);
    nu_hcm_mutate_request(stream);
    find_route(stream);
    apply_route_timeouts(stream);
    if (!is_tunnel)
        open_chain(stream, &stream->config->filters);
    else if (!open_tunnel_chain(stream))
        return;
    nu_chain_decode_headers(&stream->chain, &stream->request_headers, end);
}

static void on_headers(struct nu_stream_decoder *decoder, bool end)
{
    struct nu_hcm_stream *stream = stream_of(decoder);
    stream->flags |= NU_STREAM_IN_HEADERS;
    look_at_request(stream, end);
    stream->flags &= (uint16_t)~NU_STREAM_IN_HEADERS;
}

static void complete_request(struct nu_hcm_stream *stream)
{
    stream->flags |= NU_STREAM_REQUEST_COMPLETE;
    stream->info.rx_end_us = stream->active_us;
    nu_stream_stop_request_timer(stream);
}

static void on_data(struct nu_stream_decoder *decoder, struct nu_buf *data, bool end)
{
    struct nu_hcm_stream *stream = stream_of(decoder);
    touch(stream);
    stream->info.bytes_received += data->len;
    if (end)
        complete_request(stream);
    if (nu_stream_has(stream, NU_STREAM_CHAIN_OPEN))
        nu_chain_decode_data(&stream->chain, data, end);
}

static void on_trailers(struct nu_stream_decoder *decoder, struct nu_headers *trailers)
{
    struct nu_hcm_stream *stream = stream_of(decoder);
    touch(stream);
    complete_request(stream);
    if (nu_stream_has(stream, NU_STREAM_CHAIN_OPEN))
        nu_chain_decode_trailers(&stream->chain, trailers);
}

static void on_metadata(struct nu_stream_decoder *decoder, struct nu_frame_metadata *metadata)
{
    struct nu_hcm_stream *stream = stream_of(decoder);
    touch(stream);
    if (nu_stream_has(stream, NU_STREAM_CHAIN_OPEN) && !is_over(stream))
        nu_chain_decode_metadata(&stream->chain, metadata);
    else
        nu_frame_metadata_destroy(&metadata);
}

/* Why the stream ended: of itself, with HTTP/2, or with its connection. */
static void note_reset(struct nu_stream_info *info, enum nu_reset_reason reason,
                       struct nu_str details)
{
    switch (reason) {
    case NU_RESET_REMOTE:
    case NU_RESET_REMOTE_REFUSED:
    case NU_RESET_CONNECT_ERROR:
        nu_stream_info_set_flag(info, NU_FLAG_DOWNSTREAM_REMOTE_RESET);
        break;
    case NU_RESET_PROTOCOL_ERROR:
        nu_stream_info_set_flag(info, NU_FLAG_DOWNSTREAM_PROTOCOL_ERROR);
        break;
    default:
        nu_stream_info_set_flag(info, NU_FLAG_DOWNSTREAM_CONNECTION_TERMINATION);
    }
    if (details.len)
        info->response_code_details = details;
    else if (reason == NU_RESET_LOCAL)
        info->response_code_details = NU_STR("downstream_local_disconnect");
    else
        info->response_code_details = NU_STR("downstream_remote_disconnect");
}

static void on_reset(struct nu_stream_decoder *decoder, enum nu_reset_reason reason,
                     struct nu_str details)
{
    struct nu_hcm_stream *stream = stream_of(decoder);
    if (is_over(stream))
        return;
    note_reset(&stream->info, reason, details);
    if (nu_stream_has(stream, NU_STREAM_REQUEST_COMPLETE))
        nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_rx_reset);
    nu_hcm_stream_end(stream);
}

static void on_above_high(struct nu_stream_decoder *decoder)
{
    struct nu_hcm_stream *stream = stream_of(decoder);
    if (nu_stream_has(stream, NU_STREAM_CHAIN_OPEN) && !is_over(stream))
        nu_chain_downstream_high(&stream->chain);
}

static void on_below_low(struct nu_stream_decoder *decoder)
{
    struct nu_hcm_stream *stream = stream_of(decoder);
    if (nu_stream_has(stream, NU_STREAM_CHAIN_OPEN) && !is_over(stream) &&
        stream->chain.downstream_high)
        nu_chain_downstream_low(&stream->chain);
}

static const struct nu_stream_decoder_ops decoder_ops = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_metadata = on_metadata,
    .on_reset = on_reset,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
};

void nu_hcm_stream_codec_error(struct nu_hcm_stream *stream, const struct nu_codec_error *error)
{
    nu_stream_info_set_flag(&stream->info, NU_FLAG_DOWNSTREAM_PROTOCOL_ERROR);
    if (nu_stream_has(stream, NU_STREAM_RESPONSE_STARTED)) {
        stream->info.response_code_details = error->details;
        reset_stream(stream);
        return;
    }
    struct nu_str body = nu_status_reason(error->status);
    nu_hcm_reply_simple(stream, error->status, body, error->details);
}

/* --- The chain's requests --------------------------------------------------------------------- */

static void chain_reply(struct nu_filter_chain *chain, const struct nu_reply *answer)
{
    nu_hcm_reply(nu_hcm_stream_of_chain(chain), answer);
}

static void chain_reset(struct nu_filter_chain *chain)
{
    reset_stream(nu_hcm_stream_of_chain(chain));
}

static void chain_on_too_large(struct nu_filter_chain *chain, enum nu_direction dir)
{
    struct nu_http_stats *stats = nu_stream_stats(nu_hcm_stream_of_chain(chain));
    nu_counter_inc(dir == NU_DECODE ? &stats->downstream_rq_too_large : &stats->rs_too_large);
}

/* The last releases come from the end of the stream, and free the connection for the next one. */
static void chain_hold_request(struct nu_filter_chain *chain)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    if (!stream->conn)
        return;
    stream->holds++;
    stream->encoder->ops->hold_read(stream->encoder);
}

static void chain_release_request(struct nu_filter_chain *chain)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    if (!stream->conn || stream->holds == 0)
        return;
    stream->holds--;
    stream->encoder->ops->release_read(stream->encoder);
}

static const struct nu_filter_route_config *chain_route_config(struct nu_filter_chain *chain,
                                                               const struct nu_filter_entry *entry,
                                                               bool *disabled)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    if (nu_likely(!stream->route.virtual_host || !nu_route_has_filter_configs(&stream->route)))
        return NULL;
    return nu_route_filter_config(&stream->route, entry->name, disabled);
}

static void chain_clear_route_cache(struct nu_filter_chain *chain)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    find_route(stream);
    apply_route_timeouts(stream);
}

static const struct nu_route_match *chain_route(struct nu_filter_chain *chain)
{
    return &nu_hcm_stream_of_chain(chain)->route;
}

enum { RESTARTS_MAX = 10 };

static bool chain_can_recreate(struct nu_filter_chain *chain)
{
    const struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    return !is_over(stream) && stream->info.tunnel == NU_TUNNEL_NONE &&
           (!stream->restart || stream->restart->count < RESTARTS_MAX);
}

/* The request starts over with its headers as they are; what was kept of it goes along. */
static void restart(struct nu_turn_task *task)
{
    struct nu_stream_restart *again = nu_container_of(task, struct nu_stream_restart, task);
    struct nu_hcm_stream *stream = again->stream;
    struct nu_filter_chain *chain = &stream->chain;
    struct nu_headers *trailers = chain->half[NU_DECODE].trailers;
    struct nu_buf body = again->body;
    nu_buf_init(&again->body);
    nu_chain_log(chain);
    nu_chain_close(chain);
    find_route(stream);
    apply_route_timeouts(stream);
    open_chain(stream, &stream->config->filters);
    nu_chain_decode_headers(chain, &stream->request_headers, body.len == 0 && !trailers);
    if (body.len)
        nu_chain_decode_data(chain, &body, !trailers);
    if (trailers)
        nu_chain_decode_trailers(chain, trailers);
    nu_buf_clear(&body);
}

static void chain_recreate(struct nu_filter_chain *chain, struct nu_buf *body)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    if (!stream->restart) {
        stream->restart = nu_arena_calloc(stream->arena, sizeof(*stream->restart));
        stream->restart->stream = stream;
        nu_turn_task_init(&stream->restart->task, restart);
    }
    stream->restart->count++;
    nu_buf_move_all(&stream->restart->body, body);
    nu_loop_at_turn_end(stream->loop, &stream->restart->task);
}

const struct nu_filter_chain_ops nu_hcm_chain_ops = {
    .encode_1xx = nu_hcm_encode_1xx,
    .encode_headers = nu_hcm_encode_headers,
    .encode_data = nu_hcm_encode_data,
    .encode_trailers = nu_hcm_encode_trailers,
    .encode_metadata = nu_hcm_encode_metadata,
    .reply = chain_reply,
    .reset = chain_reset,
    .on_too_large = chain_on_too_large,
    .hold_request = chain_hold_request,
    .release_request = chain_release_request,
    .route_config = chain_route_config,
    .clear_route_cache = chain_clear_route_cache,
    .route = chain_route,
    .can_recreate = chain_can_recreate,
    .recreate = chain_recreate,
};

/* --- Creation --------------------------------------------------------------------------------- */

static void learn_local(struct nu_connection_info *info)
{
    struct nu_hcm_stream *stream = nu_container_of(info, struct nu_hcm_stream, connection_info);
    if (!stream->conn)
        return;
    info->local = *nu_server_conn_local(stream->conn->base.conn);
    info->local_known = true;
}

/* What listener filters found out. */
static void take_findings(struct nu_connection_info *info, const struct nu_accepted *accepted)
{
    info->direct_remote = accepted->direct_remote;
    if (accepted->local_restored)
        info->restored_local = accepted->local;
    info->requested_server_name = accepted->server_name;
    info->proxy = accepted->proxy;
}

static void fill_connection_info(struct nu_hcm_stream *stream)
{
    const struct nu_server_conn *conn = stream->conn->base.conn;
    const struct nu_listener_config *listener = conn->wl->listener->config;
    struct nu_connection_info *info = &stream->connection_info;
    info->id = conn->id;
    info->direct_remote = conn->remote;
    info->remote = conn->remote;
    info->learn_local = learn_local;
    info->is_tls = conn->conn.transport->is_secure;
    info->ssl = nu_connection_hold_ssl_info(&conn->conn, stream->arena);
    const struct nu_accepted *accepted = nu_server_conn_accepted(conn);
    if (nu_unlikely(accepted != NULL))
        take_findings(info, accepted);
    info->filter_chain_name = conn->chain->name;
    info->listener_name = listener->name;
    info->listener_metadata = listener->metadata;
}

static void fill_info(struct nu_hcm_stream *stream)
{
    struct nu_stream_info *info = &stream->info;
    info->arena = stream->arena;
    info->connection = &stream->connection_info;
    info->protocol = NU_PROTOCOL_HTTP11;
    info->start_us = nu_loop_now_us(stream->loop);
    info->start_realtime_us = nu_loop_realtime_us(stream->loop);
    info->remote = stream->connection_info.remote;
    info->stream_id = stream->random;
    info->scheme_follows_upstream = stream->config->scheme_follows_upstream;
}

struct nu_hcm_stream *nu_hcm_stream_create(struct nu_hcm_conn *conn,
                                           struct nu_stream_encoder *encoder,
                                           struct nu_arena *arena)
{
    enum { HEADER_ROOM = 24 };
    struct nu_hcm_stream *stream = nu_arena_alloc_zeroed(
        arena, sizeof(*stream), offsetof(struct nu_hcm_stream, request_headers));
    stream->arena = arena;
    stream->conn = conn;
    stream->encoder = encoder;
    stream->config = nu_hcm_conn_config(conn);
    stream->loop = conn->base.conn->conn.loop;
    stream->random = nu_random_u64();
    stream->decoder = (struct nu_stream_decoder){
        .ops = &decoder_ops,
        .arena = arena,
        .headers = &stream->request_headers,
        .info = &stream->info,
    };
    nu_headers_init(&stream->request_headers, arena, HEADER_ROOM);
    fill_connection_info(stream);
    fill_info(stream);
    touch(stream);
    start_timers(stream);
    struct nu_http_stats *stats = conn->worker->stats;
    nu_counter_inc(&stats->downstream_rq_total);
    nu_gauge_inc(&stats->downstream_rq_active);
    return stream;
}
