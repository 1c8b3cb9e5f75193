/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls: an exchange whose response is collected. An exchange may fail while it is started: that is
 * reported by a task at the end of the turn, for a call never ends inside its start.
 */
#include "client/http_call.h"

static struct nu_http_call *call_of(struct nu_exchange *exchange)
{
    return nu_container_of(exchange, struct nu_http_call, own.exchange);
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
    nu_exchange_cancel(&call->own.exchange);
    nu_list_remove(&call->report.link);
    if (call->budget)
        nu_byte_budget_give_back(call->budget, call->budgeted);
    nu_loop_defer_free(call->own.loop, free_call, call);
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
        nu_loop_at_turn_end(call->own.loop, &call->report);
    else
        call->on_done(call);
}

/* --- The exchange's side ---------------------------------------------------------------------- */

static void on_retry(struct nu_exchange *exchange, bool after_timeout)
{
    (void)after_timeout;
    nu_own_exchange_on_retry(&call_of(exchange)->own);
}

static void on_headers(struct nu_exchange *exchange, struct nu_headers *headers, bool is_end)
{
    struct nu_http_call *call = call_of(exchange);
    nu_own_exchange_add_time(&call->own, headers);
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
    nu_own_exchange_count_failure(&call->own, failure);
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

static const struct nu_exchange_ops exchange_ops = {
    .on_retry = on_retry,
    .on_headers = on_headers,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_failed = on_failed,
    .on_above_high = nu_own_exchange_on_watermark, /* it was given at once */
    .on_below_low = nu_own_exchange_on_watermark,
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
    nu_own_exchange_init(&call->own, arena, loop, local, &exchange_ops);
    nu_turn_task_init(&call->report, report);
    return call;
}

/* The cluster takes no requests now. */
static void refuse(struct nu_http_call *call, enum nu_refusal refusal)
{
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
        nu_exchange_send_data(&call->own.exchange, &body, !wanted->trailers);
    }
    if (wanted->trailers)
        nu_exchange_send_trailers(&call->own.exchange, wanted->trailers);
}

void nu_http_call_send(struct nu_http_call *call, const struct nu_http_call_params *wanted)
{
    const struct nu_own_exchange_params params = {
        .timeout_ms = wanted->timeout_ms,
        .tells_address = wanted->tells_address,
        .hashes_authority = wanted->hashes_authority,
    };
    call->max_body_bytes = wanted->max_body_bytes;
    call->budget = wanted->budget;
    call->is_sending = true;
    if (wanted->body.len)
        nu_headers_set_number(&call->own.request, NU_HEADER_CONTENT_LENGTH, wanted->body.len);
    enum nu_refusal refusal =
        nu_own_exchange_start(&call->own, &params, wanted->body.len == 0 && !wanted->trailers);
    if (nu_unlikely(refusal != NU_NOT_REFUSED))
        refuse(call, refusal);
    else
        send_rest(call, wanted);
    call->is_sending = false;
}
