/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of filters. A call is an object of its own with an arena of its own, since a long stream
 * may make many; it is freed at the end of the turn in which it ended. An exchange may fail while
 * it is started: that is reported by a task at the end of the turn, for a call never ends inside
 * its start.
 */
#include "client/http_client.h"

#include "client/exchange.h"

enum { DEFAULT_MAX_RESPONSE = 1024 * 1024, HEADER_ROOM = 16 };

struct call {
    struct nu_filter_call base;
    struct nu_arena *arena; /* owned: holds this struct as well */
    struct nu_loop *loop;   /* borrowed */
    struct nu_exchange exchange;
    struct nu_stream_info info;
    struct nu_connection_info connection;
    struct nu_headers request;
    struct nu_headers *response; /* NULL until it comes */
    struct nu_buf body;          /* of the response */
    uint32_t max_bytes;
    struct nu_turn_task report;    /* of a failure inside start */
    struct nu_call_result failure; /* what it will say */
    bool starting;
    bool finished;
};

static struct call *call_of(struct nu_exchange *exchange)
{
    return nu_container_of(exchange, struct call, exchange);
}

/* --- The end ---------------------------------------------------------------------------------- */

static void free_call(void *obj)
{
    struct call *call = obj;
    nu_buf_clear(&call->body);
    struct nu_arena *arena = call->arena;
    nu_arena_destroy(&arena);
}

static void finish(struct call *call, const struct nu_call_result *result)
{
    call->finished = true;
    nu_loop_defer_free(call->loop, free_call, call);
    nu_filter_call_done(&call->base, result);
}

static void succeed(struct call *call)
{
    struct nu_str status = nu_headers_get_id(call->response, NU_HEADER_STATUS);
    uint64_t code = 0;
    (void)!nu_str_to_u64(status, &code);
    struct nu_call_result result = {
        .ok = true,
        .status = (uint32_t)code,
        .headers = call->response,
        .body = &call->body,
    };
    finish(call, &result);
}

static void report_failure(struct nu_turn_task *task)
{
    struct call *call = nu_container_of(task, struct call, report);
    finish(call, &call->failure);
}

static void fail(struct call *call, uint32_t status, struct nu_str why)
{
    nu_buf_clear(&call->body);
    call->failure = (struct nu_call_result){.status = status, .body = &call->body, .failure = why};
    if (call->starting)
        nu_loop_at_turn_end(call->loop, &call->report);
    else
        finish(call, &call->failure);
}

static void cancel(struct nu_filter_call *base)
{
    struct call *call = nu_container_of(base, struct call, base);
    if (call->finished)
        return; /* by the filter's close, from inside on_done */
    call->finished = true;
    nu_exchange_cancel(&call->exchange);
    nu_list_remove(&call->report.link);
    nu_loop_defer_free(call->loop, free_call, call);
}

/* --- The exchange's side ---------------------------------------------------------------------- */

static void on_headers(struct nu_exchange *exchange, struct nu_headers *headers, bool end)
{
    struct call *call = call_of(exchange);
    call->response = headers;
    if (end)
        succeed(call);
}

static void on_data(struct nu_exchange *exchange, struct nu_buf *data, bool end)
{
    struct call *call = call_of(exchange);
    if (call->body.len + data->len > call->max_bytes) {
        nu_buf_clear(data);
        nu_exchange_cancel(exchange);
        fail(call, 500, NU_STR("response_too_large"));
        return;
    }
    nu_buf_collect(&call->body, data);
    if (end)
        succeed(call);
}

static void on_trailers(struct nu_exchange *exchange, struct nu_headers *trailers)
{
    (void)trailers;
    succeed(call_of(exchange));
}

static void on_failed(struct nu_exchange *exchange, const struct nu_exchange_failure *failure)
{
    struct call *call = call_of(exchange);
    switch (failure->kind) {
    case NU_EXCHANGE_NO_HOST:
        fail(call, 503, NU_STR("no_healthy_upstream"));
        return;
    case NU_EXCHANGE_RESET:
    case NU_EXCHANGE_NOT_UPGRADED: /* a call asks for no upgrade */
        fail(call, 503, NU_STR("upstream_reset"));
        return;
    case NU_EXCHANGE_TIMEOUT:
    case NU_EXCHANGE_TRY_TIMEOUT:
    case NU_EXCHANGE_TRY_IDLE:
    case NU_EXCHANGE_BODY_LIMIT: /* a call is not tried again */
        fail(call, 504, NU_STR("response_timeout"));
        return;
    case NU_EXCHANGE_MAX_DURATION:
        fail(call, 504, NU_STR("upstream_max_stream_duration_reached"));
        return;
    }
}

/* The request is small and given at once: there is nobody to hold back. */
static void on_watermark(struct nu_exchange *exchange)
{
    (void)exchange;
}

static const struct nu_exchange_ops exchange_ops = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_failed = on_failed,
    .on_above_high = on_watermark,
    .on_below_low = on_watermark,
};

/* --- The request ------------------------------------------------------------------------------ */

static struct nu_str number_text(struct nu_arena *arena, uint64_t number)
{
    char *text = nu_arena_alloc(arena, 20);
    return nu_str_make(text, nu_u64_to_chars(number, text));
}

static struct nu_str text_or(struct call *call, struct nu_str text, struct nu_str other)
{
    return text.len ? nu_arena_dup(call->arena, text) : other;
}

/* Behind what the filter wrote, if it did. */
static void append_forwarded_for(struct nu_headers *headers, struct nu_str address)
{
    struct nu_str before = nu_headers_join_id(headers, NU_HEADER_X_FORWARDED_FOR, NU_STR(","));
    if (before.len)
        address = nu_arena_concat(headers->arena,
                                  nu_arena_concat(headers->arena, before, NU_STR(",")), address);
    nu_headers_set_id(headers, NU_HEADER_X_FORWARDED_FOR, address);
}

void nu_http_client_sign(const struct nu_http_client *client, struct nu_headers *headers)
{
    nu_headers_set_id(headers, NU_HEADER_X_ENVOY_INTERNAL, NU_STR("true"));
    if (client->own_address[0])
        append_forwarded_for(headers, nu_str_from(client->own_address));
}

static void fill_request(struct call *call, const struct nu_http_client *client,
                         const struct nu_call_request *wanted, struct nu_str cluster)
{
    struct nu_headers *headers = &call->request;
    nu_headers_init(headers, call->arena, HEADER_ROOM);
    nu_headers_add(headers, NU_STR(":authority"),
                   wanted->authority.len ? wanted->authority : cluster);
    nu_headers_add_id(headers, NU_HEADER_PATH, text_or(call, wanted->path, NU_STR("/")));
    nu_headers_add_id(headers, NU_HEADER_METHOD, text_or(call, wanted->method, NU_STR("GET")));
    nu_headers_add_id(headers, NU_HEADER_SCHEME, NU_STR("http"));
    for (size_t i = 0; i < wanted->header_count; i++)
        nu_headers_add(headers, wanted->headers[i].name, wanted->headers[i].value);
    if (wanted->body.len)
        nu_headers_set_id(headers, NU_HEADER_CONTENT_LENGTH,
                          number_text(call->arena, wanted->body.len));
    nu_http_client_sign(client, headers);
    if (wanted->timeout_ms)
        nu_headers_set_id(headers, NU_HEADER_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS,
                          number_text(call->arena, wanted->timeout_ms));
}

static struct call *create(struct nu_loop *loop, uint32_t max_bytes)
{
    struct nu_arena *arena = nu_arena_create();
    struct call *call = nu_arena_calloc(arena, sizeof(*call));
    call->arena = arena;
    call->loop = loop;
    call->max_bytes = max_bytes ? max_bytes : DEFAULT_MAX_RESPONSE;
    call->info.arena = arena;
    call->info.connection = &call->connection;
    call->info.start_us = nu_loop_now_us(loop);
    call->exchange.ops = &exchange_ops;
    call->exchange.arena = arena;
    call->exchange.info = &call->info;
    nu_turn_task_init(&call->report, report_failure);
    return call;
}

static void send_request(struct call *call, struct nu_cluster_local *cluster,
                         const struct nu_call_request *wanted)
{
    struct nu_exchange_params params = {
        .cluster = cluster,
        .priority = NU_PRIORITY_DEFAULT,
        .timeout_ms = wanted->timeout_ms,
        .timeout_status = 504,
        .is_internal = true,
    };
    if (nu_unlikely(cluster->cluster->forward_proxy != NULL))
        params.lb.host_name = nu_forward_proxy_name(cluster, &call->info, &call->request);
    call->starting = true;
    nu_exchange_start(&call->exchange, &params, &call->request, wanted->body.len == 0);
    if (wanted->body.len) {
        struct nu_buf body = {0};
        nu_buf_append(&body, wanted->body);
        nu_exchange_send_data(&call->exchange, &body, true);
    }
    call->starting = false;
}

static struct nu_filter_call *start(const struct nu_filter_client *base, struct nu_loop *loop,
                                    const struct nu_call_request *wanted)
{
    const struct nu_http_client *client = nu_container_of(base, const struct nu_http_client, base);
    struct nu_cluster_local *cluster =
        loop->clusters ? nu_cluster_table_find(loop->clusters, wanted->cluster) : NULL;
    if (!cluster)
        return NULL;
    struct call *call = create(loop, wanted->max_response_bytes);
    nu_http_client_count(client);
    fill_request(call, client, wanted, cluster->cluster->name);
    send_request(call, cluster, wanted);
    return &call->base;
}

const struct nu_http_client *nu_http_client_of(const struct nu_loop *loop)
{
    if (!loop->client || loop->client->start != start)
        return NULL;
    return nu_container_of(loop->client, const struct nu_http_client, base);
}

void nu_http_client_init(struct nu_http_client *client, const struct nu_address *own,
                         struct nu_stat_set *stats)
{
    *client = (struct nu_http_client){.base = {.start = start, .cancel = cancel}, .stats = stats};
    if (own->family == NU_ADDRESS_NONE)
        return;
    size_t len = nu_address_format_ip(own, client->own_address);
    client->own_address[len] = '\0';
}
