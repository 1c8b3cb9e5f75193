/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: the exchange notes what came, and a task of the turn's end tells the owner of it, in the
 * order metadata, messages, metadata, end.
 */
#include "client/grpc_stream.h"

#include "base/base64.h"
#include "client/failure.h"
#include "http/grpc.h"
#include "http/joined.h"
#include "http/status.h"

static struct nu_grpc_stream *stream_of(struct nu_exchange *exchange)
{
    return nu_container_of(exchange, struct nu_grpc_stream, own.exchange);
}

static void wake(struct nu_grpc_stream *stream)
{
    nu_loop_at_turn_end(stream->own.loop, &stream->events);
}

/* --- The end ---------------------------------------------------------------------------------- */

/* As Envoy puts it together. */
static struct nu_str make_message(struct nu_arena *arena, struct nu_str text, struct nu_str details)
{
    if (!text.len)
        return nu_arena_dup(arena, details);
    return nu_str_from(nu_arena_printf(arena, "%.*s{%.*s}", NU_STR_ARG(text), NU_STR_ARG(details)));
}

static void end_with(struct nu_grpc_stream *stream, int32_t status, struct nu_str text,
                     struct nu_str details, const struct nu_headers *trailing)
{
    stream->end = (struct nu_grpc_end){
        .status = status,
        .message = make_message(stream->arena, text, details),
    };
    stream->trailing = trailing;
    stream->is_ended = true;
    wake(stream);
}

/* The response is not one of gRPC. What is still to come is not wanted. */
static void give_up(struct nu_grpc_stream *stream, enum nu_grpc_status status)
{
    nu_exchange_cancel(&stream->own.exchange);
    end_with(stream, (int32_t)status, NU_STR(""), NU_STR("via_upstream"), &stream->none);
}

/* The grpc-status; false if there is none. */
static bool read_status(const struct nu_headers *headers, int32_t *status)
{
    int64_t number;
    if (!nu_grpc_response_status(headers, NULL, 0, &number))
        return false;
    *status = number < NU_GRPC_STATUS_COUNT ? (int32_t)number : -1;
    return true;
}

static void end_by_trailers(struct nu_grpc_stream *stream, const struct nu_headers *trailers)
{
    int32_t status;
    if (!read_status(trailers, &status))
        status = NU_GRPC_UNKNOWN;
    end_with(stream, status, nu_headers_get_id(trailers, NU_HEADER_GRPC_MESSAGE),
             NU_STR("via_upstream"), trailers);
}

/* --- The exchange's side ---------------------------------------------------------------------- */

static void on_retry(struct nu_exchange *exchange, bool after_timeout)
{
    (void)after_timeout;
    nu_own_exchange_on_retry(&stream_of(exchange)->own);
}

static void on_headers(struct nu_exchange *exchange, struct nu_headers *headers, bool is_end)
{
    struct nu_grpc_stream *stream = stream_of(exchange);
    uint32_t http_status = nu_status_parse(nu_headers_get_id(headers, NU_HEADER_STATUS));
    int32_t status;
    nu_own_exchange_add_time(&stream->own, headers);
    stream->initial = is_end ? &stream->none : headers;
    if (is_end && (http_status == 200 || read_status(headers, &status)))
        end_by_trailers(stream, headers);
    else if (http_status != 200)
        give_up(stream, nu_grpc_status_from_http(http_status));
    else
        wake(stream);
}

static void on_data(struct nu_exchange *exchange, struct nu_buf *data, bool is_end)
{
    struct nu_grpc_stream *stream = stream_of(exchange);
    if (stream->budget && !nu_byte_budget_take(stream->budget, data->len)) {
        nu_buf_clear(data);
        give_up(stream, NU_GRPC_RESOURCE_EXHAUSTED);
        return;
    }
    stream->budgeted += data->len;
    nu_buf_collect(&stream->reader.bytes, data);
    stream->is_body_ended = is_end;
    wake(stream);
}

static void on_trailers(struct nu_exchange *exchange, struct nu_headers *trailers)
{
    end_by_trailers(stream_of(exchange), trailers);
}

/* Told in the next turn: an owner that tries again at once, and fails at once, must not keep the loop
 * from everybody else. */
static void on_failed(struct nu_exchange *exchange, const struct nu_exchange_failure *failure)
{
    struct nu_grpc_stream *stream = stream_of(exchange);
    nu_loop_at_next_turn(stream->own.loop, &stream->events);
    struct nu_str details = nu_failure_details_of(failure, stream->arena);
    nu_own_exchange_count_failure(&stream->own, failure);
    if (failure->response_started) {
        end_with(stream, NU_GRPC_INTERNAL, NU_STR(""), details, &stream->none);
        return;
    }
    const struct nu_headers *reply = nu_failure_grpc_reply(failure, stream->arena);
    int32_t status;
    if (!read_status(reply, &status))
        status = NU_GRPC_UNKNOWN;
    stream->initial = &stream->none;
    end_with(stream, status, nu_headers_get_id(reply, NU_HEADER_GRPC_MESSAGE), details, reply);
}

static const struct nu_exchange_ops exchange_ops = {
    .on_retry = on_retry,
    .on_headers = on_headers,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_failed = on_failed,
    .on_above_high = nu_own_exchange_on_watermark, /* the owner asks what is unsent */
    .on_below_low = nu_own_exchange_on_watermark,
};

/* --- Events ----------------------------------------------------------------------------------- */

static void give_back(struct nu_grpc_stream *stream, size_t bytes)
{
    if (stream->budget)
        nu_byte_budget_give_back(stream->budget, bytes);
    stream->budgeted -= bytes;
}

void nu_grpc_stream_keep(struct nu_grpc_stream *stream, size_t bytes)
{
    bool has_room = !stream->budget || nu_byte_budget_take(stream->budget, bytes);
    nu_assert(has_room); /* they were given back just now */
    stream->budgeted += bytes;
}

void nu_grpc_stream_forget(struct nu_grpc_stream *stream, size_t bytes)
{
    give_back(stream, bytes);
}

static void tell_initial(struct nu_grpc_stream *stream)
{
    const struct nu_headers *metadata = stream->initial;
    stream->initial = NULL;
    if (metadata && stream->ops->on_initial_metadata)
        stream->ops->on_initial_metadata(stream, metadata);
}

static void fail_reading(struct nu_grpc_stream *stream, enum nu_grpc_status status)
{
    give_back(stream, stream->reader.bytes.len);
    nu_buf_clear(&stream->reader.bytes);
    give_up(stream, status);
}

/* Whether there may be another one. */
static bool tell_message(struct nu_grpc_stream *stream)
{
    struct nu_buf message = {0};
    size_t before = stream->reader.bytes.len;
    switch (nu_grpc_reader_next(&stream->reader, &message)) {
    case NU_GRPC_READ_MORE:
        return false;
    case NU_GRPC_READ_TOO_LONG:
        fail_reading(stream, NU_GRPC_RESOURCE_EXHAUSTED);
        return false;
    case NU_GRPC_READ_BROKEN:
        fail_reading(stream, NU_GRPC_INTERNAL);
        return false;
    case NU_GRPC_READ_MESSAGE:
        break;
    }
    give_back(stream, before - stream->reader.bytes.len);
    stream->ops->on_message(stream, &message);
    nu_buf_clear(&message);
    return !stream->is_over;
}

static void tell_end(struct nu_grpc_stream *stream)
{
    if (stream->ops->on_trailing_metadata)
        stream->ops->on_trailing_metadata(stream, stream->trailing);
    if (stream->is_over)
        return;
    stream->is_over = true;
    stream->ops->on_closed(stream, &stream->end);
}

/* A stream that was destroyed by one of the events is there until the end of the turn. */
static void tell_events(struct nu_turn_task *task)
{
    struct nu_grpc_stream *stream = nu_container_of(task, struct nu_grpc_stream, events);
    tell_initial(stream);
    if (stream->is_over)
        return;
    while (tell_message(stream))
        ;
    if (stream->is_over)
        return;
    if (stream->is_body_ended && !stream->is_ended)
        give_up(stream, NU_GRPC_UNKNOWN); /* without trailers */
    if (stream->is_ended)
        tell_end(stream);
}

/* --- The request ------------------------------------------------------------------------------ */

static void add_timeout(struct nu_headers *request, uint32_t timeout_ms)
{
    char text[NU_GRPC_TIMEOUT_LEN_MAX];
    size_t len = nu_grpc_timeout_format(timeout_ms, text);
    nu_headers_add_id(request, NU_HEADER_GRPC_TIMEOUT,
                      nu_arena_dup(request->arena, nu_str_make(text, len)));
}

static void fill_request(struct nu_grpc_stream *stream, const struct nu_grpc_params *params)
{
    struct nu_headers *request = &stream->own.request;
    struct nu_str authority =
        params->authority.len ? params->authority : stream->own.cluster->cluster->name;
    nu_headers_add_id(request, NU_HEADER_METHOD, NU_STR("POST"));
    nu_headers_add_id(
        request, NU_HEADER_PATH,
        nu_str_from(nu_arena_printf(stream->arena, "/%.*s/%.*s", NU_STR_ARG(params->service),
                                    NU_STR_ARG(params->method))));
    nu_headers_add(request, NU_STR(":authority"), authority);
    nu_headers_add_id(request, NU_HEADER_SCHEME, NU_STR("http"));
    nu_headers_add_id(request, NU_HEADER_TE, NU_STR("trailers"));
    if (params->has_timeout)
        add_timeout(request, params->timeout_ms);
    nu_headers_add_id(request, NU_HEADER_CONTENT_TYPE, NU_STR("application/grpc"));
}

struct nu_grpc_stream *nu_grpc_stream_create(struct nu_loop *loop,
                                             const struct nu_grpc_params *params)
{
    struct nu_cluster_local *cluster =
        loop->clusters ? nu_cluster_table_find(loop->clusters, params->cluster) : NULL;
    if (!cluster)
        return NULL;
    struct nu_arena *arena = nu_arena_create();
    struct nu_grpc_stream *stream = nu_arena_calloc(arena, sizeof(*stream));
    stream->arena = arena;
    stream->params = (struct nu_own_exchange_params){
        .timeout_ms = params->timeout_ms,
        .hashes_authority = params->hashes_authority,
        .is_anonymous = params->is_anonymous,
        .tells_address = params->tells_address,
    };
    if (params->retry) {
        stream->retry = *params->retry;
        nu_retry_rules_init(&stream->rules, &stream->retry, false, params->timeout_ms);
        stream->params.retry = &stream->rules;
    }
    stream->reader.max_bytes = params->max_message_bytes;
    stream->budget = params->budget;
    nu_headers_init(&stream->none, arena, 0);
    nu_turn_task_init(&stream->events, tell_events);
    nu_own_exchange_init(&stream->own, arena, loop, cluster, &exchange_ops);
    fill_request(stream, params);
    return stream;
}

/* Not the caller's to say. */
static bool is_framing(struct nu_str name)
{
    static const struct nu_header_set framing = NU_HEADER_SET_OF(NU_FRAMING_HEADERS);
    if (!nu_header_name_is_valid(name))
        return false;
    enum nu_header_id id = nu_header_id_of_token(name);
    return id == NU_HEADER_CONTENT_LENGTH || nu_header_set_has(&framing, id);
}

static struct nu_str name_of(struct nu_str name)
{
    return nu_str_eq_nocase(name, NU_STR("host")) ? NU_STR(":authority") : name;
}

static void put_metadata(struct nu_grpc_stream *stream, struct nu_str name, struct nu_str value,
                         bool replaces)
{
    struct nu_strbuf text = {0};
    if (is_framing(name))
        return;
    if (nu_str_ends_with_nocase(name, NU_STR("-bin"))) {
        nu_base64_add(&text, value);
        value = nu_strbuf_str(&text);
    }
    if (replaces)
        nu_headers_set(&stream->own.request, name_of(name), value);
    else
        nu_headers_add(&stream->own.request, name_of(name), value);
    nu_strbuf_finish(&text);
}

void nu_grpc_stream_set_metadata(struct nu_grpc_stream *stream, struct nu_str name,
                                 struct nu_str value)
{
    put_metadata(stream, name, value, true);
}

void nu_grpc_stream_add_metadata(struct nu_grpc_stream *stream, struct nu_str name,
                                 struct nu_str value)
{
    put_metadata(stream, name, value, false);
}

bool nu_grpc_stream_open(struct nu_grpc_stream *stream)
{
    nu_headers_join_repeated(&stream->own.request, &nu_joined_request_headers);
    enum nu_refusal refusal = nu_own_exchange_start(&stream->own, &stream->params, false);
    if (refusal == NU_NOT_REFUSED && !stream->is_ended)
        return true;
    nu_list_remove(&stream->events.link);
    stream->is_over = true;
    return false;
}

static void send_bytes(struct nu_grpc_stream *stream, struct nu_buf *bytes, bool end)
{
    if (stream->is_local_ended || stream->is_ended || stream->is_over) {
        nu_buf_clear(bytes);
        return;
    }
    size_t len = bytes->len;
    stream->is_local_ended = end;
    stream->taken = nu_grpc_stream_unsent(stream) + len;
    nu_exchange_send_data(&stream->own.exchange, bytes, end);
}

size_t nu_grpc_stream_unsent(struct nu_grpc_stream *stream)
{
    const struct nu_upstream_info *info = &stream->own.info.upstream;
    size_t gone = info->wire_bytes_sent - info->header_bytes_sent;
    size_t since = gone - nu_min_size(gone, stream->wire_bytes);
    stream->taken -= nu_min_size(stream->taken, since);
    stream->wire_bytes = gone;
    return stream->taken;
}

void nu_grpc_stream_send(struct nu_grpc_stream *stream, struct nu_buf *message, bool end)
{
    char head[NU_GRPC_HEAD_BYTES];
    struct nu_buf bytes = {0};
    nu_grpc_head_write((uint32_t)message->len, head);
    nu_buf_append(&bytes, nu_str_make(head, sizeof(head)));
    nu_buf_gather(&bytes, message);
    send_bytes(stream, &bytes, end);
}

void nu_grpc_stream_end(struct nu_grpc_stream *stream)
{
    struct nu_buf nothing = {0};
    send_bytes(stream, &nothing, true);
}

/* --- The end ---------------------------------------------------------------------------------- */

static void free_stream(void *obj)
{
    struct nu_grpc_stream *stream = obj;
    struct nu_arena *arena = stream->arena;
    nu_buf_clear(&stream->reader.bytes);
    nu_arena_destroy(&arena);
}

void nu_grpc_stream_destroy(struct nu_grpc_stream **stream_ptr)
{
    struct nu_grpc_stream *stream = *stream_ptr;
    *stream_ptr = NULL;
    if (!stream)
        return;
    stream->is_over = true;
    nu_exchange_cancel(&stream->own.exchange);
    nu_list_remove(&stream->events.link);
    give_back(stream, stream->budgeted);
    nu_loop_defer_free(stream->own.loop, free_stream, stream);
}
