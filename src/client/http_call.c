/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls: an exchange whose response is collected. An exchange may fail while it is started: that is
 * reported by a task at the end of the turn, for a call never ends inside its start.
 */
#include "client/http_call.h"

#include "base/xxhash.h"
#include "client/http_client.h"
#include "client/refusal.h"
#include "match/hash_policy.h"
#include "upstream/discovery/forward_proxy.h"
#include "upstream/discovery/original_dst.h"
#include "upstream/lb/lb_hash.h"

enum { HEADER_ROOM = 16 };

static struct nu_http_call *call_of(struct nu_exchange *exchange)
{
    return nu_container_of(exchange, struct nu_http_call, exchange);
}

/* --- The end ---------------------------------------------------------------------------------- */

static void free_call(void *obj)
{
    struct nu_http_call *call = obj;
    struct nu_arena *arena = call->arena;
    nu_buf_clear(&call->body);
    nu_arena_destroy(&arena);
}

void nu_http_call_destroy(struct nu_http_call **call_ptr)
{
    struct nu_http_call *call = *call_ptr;
    *call_ptr = NULL;
    if (!call)
        return;
    nu_exchange_cancel(&call->exchange);
    nu_list_remove(&call->report.link);
    if (call->budget)
        nu_byte_budget_give_back(call->budget, call->budgeted);
    nu_loop_defer_free(call->loop, free_call, call);
}

static void report(struct nu_turn_task *task)
{
    struct nu_http_call *call = nu_container_of(task, struct nu_http_call, report);
    call->on_done(call);
}

static void end(struct nu_http_call *call, enum nu_http_call_state state)
{
    call->state = state;
    if (state != NU_HTTP_CALL_ANSWERED)
        call->response = NULL;
    if (call->is_sending)
        nu_loop_at_turn_end(call->loop, &call->report);
    else
        call->on_done(call);
}

/* --- The exchange's side ---------------------------------------------------------------------- */

static void add_service_time(struct nu_http_call *call, struct nu_headers *headers)
{
    uint64_t end_us = call->exchange.request_end_us;
    if (!end_us)
        return;
    char *text = nu_arena_alloc(call->arena, 20);
    size_t len = nu_u64_to_chars((nu_loop_now_us(call->loop) - end_us) / 1000, text);
    nu_headers_set_id(headers, NU_HEADER_X_ENVOY_UPSTREAM_SERVICE_TIME, nu_str_make(text, len));
}

static void on_headers(struct nu_exchange *exchange, struct nu_headers *headers, bool is_end)
{
    struct nu_http_call *call = call_of(exchange);
    add_service_time(call, headers);
    call->response = headers;
    if (is_end)
        end(call, NU_HTTP_CALL_ANSWERED);
}

/* Whether the body may be so much longer. */
static bool take(struct nu_http_call *call, size_t bytes)
{
    if (call->body.len + bytes > call->max_body_bytes)
        return false;
    if (!call->budget)
        return true;
    if (!nu_byte_budget_take(call->budget, bytes))
        return false;
    call->budgeted += bytes;
    return true;
}

static void on_data(struct nu_exchange *exchange, struct nu_buf *data, bool is_end)
{
    struct nu_http_call *call = call_of(exchange);
    if (!take(call, data->len)) {
        nu_buf_clear(data);
        nu_buf_clear(&call->body);
        nu_exchange_cancel(exchange);
        end(call, NU_HTTP_CALL_TOO_LARGE);
        return;
    }
    nu_buf_collect(&call->body, data);
    if (is_end)
        end(call, NU_HTTP_CALL_ANSWERED);
}

static void on_trailers(struct nu_exchange *exchange, struct nu_headers *trailers)
{
    struct nu_http_call *call = call_of(exchange);
    call->trailers = trailers;
    end(call, NU_HTTP_CALL_ANSWERED);
}

static void on_failed(struct nu_exchange *exchange, const struct nu_exchange_failure *failure)
{
    struct nu_http_call *call = call_of(exchange);
    call->failure = *failure;
    call->failure.transport_failure = nu_arena_dup(call->arena, failure->transport_failure);
    call->failure.details = nu_arena_dup(call->arena, failure->details);
    call->is_refused =
        call->is_sending && (failure->kind == NU_EXCHANGE_NO_HOST ||
                             (failure->kind == NU_EXCHANGE_RESET &&
                              failure->reason == NU_RESET_OVERFLOW && !failure->response_started));
    nu_buf_clear(&call->body);
    end(call, NU_HTTP_CALL_FAILED);
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

struct nu_http_call *nu_http_call_create(struct nu_loop *loop, struct nu_str cluster)
{
    struct nu_cluster_local *local =
        loop->clusters ? nu_cluster_table_find(loop->clusters, cluster) : NULL;
    if (!local)
        return NULL;
    struct nu_arena *arena = nu_arena_create();
    struct nu_http_call *call = nu_arena_calloc(arena, sizeof(*call));
    call->arena = arena;
    call->loop = loop;
    call->cluster = local;
    call->info.arena = arena;
    call->info.connection = &call->connection;
    call->info.start_us = nu_loop_now_us(loop);
    call->exchange.ops = &exchange_ops;
    call->exchange.arena = arena;
    call->exchange.info = &call->info;
    nu_headers_init(&call->request, arena, HEADER_ROOM);
    nu_turn_task_init(&call->report, report);
    return call;
}

/* What balancers of the cluster may go by. */
static void fill_context(struct nu_http_call *call, const struct nu_http_call_params *wanted,
                         struct nu_lb_context *context)
{
    const struct nu_cluster *cluster = call->cluster->cluster;
    struct nu_str authority = nu_headers_get_id(&call->request, NU_HEADER_AUTHORITY);
    if (nu_unlikely(cluster->original_dst != NULL))
        context->destination = nu_original_dst_find(call->cluster, &call->info, &call->request);
    if (nu_unlikely(cluster->forward_proxy != NULL))
        context->host_name = nu_forward_proxy_name(call->cluster, &call->info, &call->request);
    if (nu_likely(!cluster->lb_class->uses_hash))
        return;
    if (cluster->hash && cluster->hash->policy) {
        struct nu_made_cookie *cookies = NULL;
        context->has_hash = nu_hash_policy_eval(cluster->hash->policy, &call->request, &call->info,
                                                &cookies, &context->hash);
    } else if (wanted->hashes_authority) {
        context->has_hash = true;
        context->hash = nu_xxhash64(authority);
    }
}

static void add_number(struct nu_http_call *call, enum nu_header_id id, uint64_t number)
{
    char *text = nu_arena_alloc(call->arena, 20);
    nu_headers_set_id(&call->request, id, nu_str_make(text, nu_u64_to_chars(number, text)));
}

static void complete_request(struct nu_http_call *call, const struct nu_http_call_params *wanted)
{
    const struct nu_http_client *client = nu_http_client_of(call->loop);
    if (!nu_headers_has_id(&call->request, NU_HEADER_SCHEME))
        nu_headers_add_id(&call->request, NU_HEADER_SCHEME, NU_STR("http"));
    if (wanted->body.len)
        add_number(call, NU_HEADER_CONTENT_LENGTH, wanted->body.len);
    if (client && wanted->tells_address)
        nu_http_client_sign(client, &call->request);
    else
        nu_headers_set_id(&call->request, NU_HEADER_X_ENVOY_INTERNAL, NU_STR("true"));
    if (wanted->timeout_ms)
        add_number(call, NU_HEADER_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS, wanted->timeout_ms);
    nu_http_client_count(client);
}

/* The cluster takes no requests now. */
static void refuse(struct nu_http_call *call, const struct nu_exchange_params *params,
                   enum nu_refusal refusal)
{
    nu_exchange_count_refused(params);
    call->is_refused = true;
    call->failure = (struct nu_exchange_failure){
        .kind = NU_EXCHANGE_NO_HOST,
        .details = refusal == NU_REFUSED_IN_MAINTENANCE ? NU_STR("maintenance_mode")
                                                        : NU_STR("drop_overload"),
    };
    end(call, NU_HTTP_CALL_FAILED);
}

static void send_rest(struct nu_http_call *call, const struct nu_http_call_params *wanted)
{
    if (wanted->body.len) {
        struct nu_buf body = {0};
        nu_buf_append(&body, wanted->body);
        nu_exchange_send_data(&call->exchange, &body, !wanted->trailers);
    }
    if (wanted->trailers)
        nu_exchange_send_trailers(&call->exchange, wanted->trailers);
}

void nu_http_call_send(struct nu_http_call *call, const struct nu_http_call_params *wanted)
{
    struct nu_exchange_params params = {
        .cluster = call->cluster,
        .priority = NU_PRIORITY_DEFAULT,
        .timeout_ms = wanted->timeout_ms,
        .timeout_status = 504,
        .is_internal = true,
    };
    call->max_body_bytes = wanted->max_body_bytes;
    call->budget = wanted->budget;
    call->is_sending = true;
    complete_request(call, wanted);
    enum nu_refusal refusal = nu_refusal_of(call->cluster, call->arena);
    if (nu_unlikely(refusal != NU_NOT_REFUSED)) {
        refuse(call, &params, refusal);
    } else {
        fill_context(call, wanted, &params.lb);
        nu_exchange_start(&call->exchange, &params, &call->request,
                          wanted->body.len == 0 && !wanted->trailers);
        send_rest(call, wanted);
    }
    call->is_sending = false;
}
