/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host functions about calls: proxy_http_call, and what the guest may ask of the answer that it is
 * told. A call's answer is told by a task of the turn's end, whatever came of it but a refusal.
 */
#include "base/alloc.h"
#include "base/log.h"
#include "client/http_call.h"
#include "http/grpc.h"
#include "runtime/runtime.h"
#include "wasm/pairs.h"
#include "wasm/vm.h"

/* In the call's arena. */
struct wasm_call {
    struct nu_wasm_callout callout;
    struct nu_http_call *call; /* owned */
    struct nu_turn_task task;  /* tells the guest */
    bool is_grpc;              /* the request is one of gRPC, which failures answer accordingly */
    bool is_head;
};

/* --- The answer ------------------------------------------------------------------------------- */

/* What Envoy's client answers a guest in place of a cluster: a reply like one for a request from
 * outside. */
static void make_reply(struct wasm_call *self)
{
    enum { ROOM = 4 };
    struct nu_http_call *call = self->call;
    struct nu_arena *arena = call->arena;
    if (self->is_grpc) {
        call->response = nu_failure_grpc_reply(&call->failure, arena);
        return;
    }
    struct nu_failure_answer words = nu_failure_answer_of(&call->failure, arena);
    if (words.status == 504 && call->own.limits.alt_response)
        words = (struct nu_failure_answer){.status = 204};
    struct nu_headers *headers = nu_arena_alloc(arena, sizeof(*headers));
    call->response = headers;
    nu_headers_init(headers, arena, ROOM);
    nu_headers_set_number(headers, NU_HEADER_STATUS, words.status);
    if (words.is_overloaded)
        nu_headers_add_id(headers, NU_HEADER_X_ENVOY_OVERLOADED, NU_STR("true"));
    if (words.body.len == 0)
        return;
    nu_headers_set_number(headers, NU_HEADER_CONTENT_LENGTH, words.body.len);
    nu_headers_add_id(headers, NU_HEADER_CONTENT_TYPE, NU_STR("text/plain"));
    if (!self->is_head)
        nu_buf_append(&call->body, words.body);
}

/* A response that broke off, or was too large, is no answer. */
static bool has_answer(const struct nu_http_call *call)
{
    return call->state == NU_HTTP_CALL_ANSWERED ||
           (call->state == NU_HTTP_CALL_FAILED && !call->failure.response_started);
}

static void tell(struct nu_turn_task *task)
{
    struct wasm_call *self = nu_container_of(task, struct wasm_call, task);
    struct nu_http_call *call = self->call;
    struct nu_wasm_context *root = self->callout.root;
    struct nu_wasm_answer answer = {.body = NULL};
    union nu_wasm_value args[] = {
        {.i32 = (int32_t)root->id}, {.i32 = (int32_t)self->callout.token}, {0}, {0}, {0}};
    if (has_answer(call)) {
        if (call->state == NU_HTTP_CALL_FAILED)
            make_reply(self);
        answer.maps[NU_WASM_CALL_RESPONSE_HEADERS - NU_WASM_GRPC_INITIAL_METADATA] = call->response;
        answer.maps[NU_WASM_CALL_RESPONSE_TRAILERS - NU_WASM_GRPC_INITIAL_METADATA] =
            call->trailers;
        answer.body = &call->body;
        args[2].i32 = (int32_t)nu_headers_count(call->response);
        args[3].i32 = (int32_t)call->body.len;
        args[4].i32 = call->trailers ? (int32_t)nu_headers_count(call->trailers) : 0;
    } else {
        answer.has_status = true;
        answer.status = NU_WASM_BROKEN_CONNECTION;
        answer.message = NU_STR("reset");
    }
    nu_wasm_callout_close(&self->callout);
    nu_wasm_callout_tell(root, NU_WASM_ON_HTTP_CALL_RESPONSE, args, &answer);
    nu_http_call_destroy(&call);
}

/* A failure is told in the next turn: a guest that tries again at once, and fails at once, must not
 * keep the loop from everybody else. */
static void on_done(struct nu_http_call *call)
{
    struct wasm_call *self = call->owner;
    if (call->state == NU_HTTP_CALL_FAILED)
        nu_loop_at_next_turn(call->own.loop, &self->task);
    else
        nu_loop_at_turn_end(call->own.loop, &self->task);
}

static void cancel(struct nu_wasm_callout *callout)
{
    struct wasm_call *self = nu_container_of(callout, struct wasm_call, callout);
    nu_list_remove(&self->task.link);
    nu_http_call_destroy(&self->call);
}

/* --- Where a configuration is tried out ------------------------------------------------------- */

/* A call that is made nowhere: the guest has its token, and is told nothing. */
struct tried_call {
    struct nu_wasm_callout callout;
};

static void forget(struct nu_wasm_callout *callout)
{
    nu_free(nu_container_of(callout, struct tried_call, callout));
}

/* --- The request ------------------------------------------------------------------------------ */

/* What proxy_http_call is given, views into the guest's memory. */
struct request {
    struct nu_str cluster;
    struct nu_str headers;
    struct nu_str body;
    struct nu_str trailers;
    int32_t timeout_ms;
    int32_t token_at;
};

static bool read_request(struct nu_wasm_vm *vm, const union nu_wasm_value *args,
                         struct request *request)
{
    request->timeout_ms = args[8].i32;
    request->token_at = args[9].i32;
    return nu_wasm_vm_read(vm, &args[0], &request->cluster) &&
           nu_wasm_vm_read(vm, &args[2], &request->headers) &&
           nu_wasm_vm_read(vm, &args[4], &request->body) &&
           nu_wasm_vm_read(vm, &args[6], &request->trailers) &&
           nu_wasm_vm_put_u32(vm, request->token_at, 0);
}

static void add_pairs(struct nu_wasm_vm *vm, struct nu_headers *headers, struct nu_str encoded)
{
    struct nu_wasm_pairs walk;
    struct nu_wasm_pair pair;
    if (!nu_wasm_pairs_begin(&walk, encoded))
        nu_wasm_log(vm, NU_LOG_WARN, NU_STR("the headers of a call do not add up"));
    while (nu_wasm_pairs_next(&walk, &pair)) {
        if (nu_str_starts_with(pair.name, NU_STR(":")))
            nu_headers_set(headers, pair.name, pair.value);
        else
            nu_headers_add(headers, pair.name, pair.value);
    }
}

/* The trailers in the call's memory; NULL: none are to be sent. */
static struct nu_headers *make_trailers(struct nu_wasm_vm *vm, struct nu_http_call *call,
                                        struct nu_str encoded)
{
    enum { ROOM = 4 };
    struct nu_headers *trailers = nu_arena_alloc(call->arena, sizeof(*trailers));
    nu_headers_init(trailers, call->arena, ROOM);
    add_pairs(vm, trailers, encoded);
    return nu_headers_count(trailers) ? trailers : NULL;
}

static void tidy_request(struct nu_headers *headers)
{
    static const struct nu_header_set framing = NU_HEADER_SET_OF(NU_FRAMING_HEADERS);
    struct nu_str host = nu_headers_get_id(headers, NU_HEADER_HOST);
    if (host.ptr && !nu_headers_has_id(headers, NU_HEADER_AUTHORITY))
        nu_headers_add_id(headers, NU_HEADER_AUTHORITY, host);
    nu_headers_remove_id(headers, NU_HEADER_HOST);
    if (!nu_str_eq(nu_headers_get_id(headers, NU_HEADER_CONTENT_LENGTH), NU_STR("0")))
        nu_headers_remove_id(headers, NU_HEADER_CONTENT_LENGTH);
    nu_headers_remove_set(headers, &framing);
}

/* What a request cannot do without is there; a tunnel is no call. */
static bool is_complete(const struct nu_headers *headers)
{
    struct nu_str method = nu_headers_get_id(headers, NU_HEADER_METHOD);
    return nu_headers_has_id(headers, NU_HEADER_PATH) &&
           nu_headers_has_id(headers, NU_HEADER_AUTHORITY) && method.len &&
           !nu_str_eq(method, NU_STR("CONNECT"));
}

static void read_headers(struct nu_wasm_vm *vm, struct nu_headers *headers,
                         const struct request *request)
{
    add_pairs(vm, headers, request->headers);
    tidy_request(headers);
}

static struct wasm_call *make_call(struct nu_wasm_vm *vm, const struct request *request)
{
    struct nu_http_call *call = nu_http_call_create(vm->loop, request->cluster);
    if (!call)
        return NULL;
    struct wasm_call *self = nu_arena_calloc(call->arena, sizeof(*self));
    self->call = call;
    self->callout.cancel = cancel;
    nu_turn_task_init(&self->task, tell);
    call->owner = self;
    call->on_done = on_done;
    read_headers(vm, &call->own.request, request);
    self->is_grpc =
        nu_grpc_is_content_type(nu_headers_get_id(&call->own.request, NU_HEADER_CONTENT_TYPE));
    self->is_head =
        nu_str_eq(nu_headers_get_id(&call->own.request, NU_HEADER_METHOD), NU_STR("HEAD"));
    return self;
}

static size_t bytes_of(const struct request *request)
{
    return request->headers.len + request->body.len + request->trailers.len;
}

static enum nu_wasm_status give_token(struct nu_wasm_vm *vm, const struct request *request,
                                      const struct nu_wasm_callout *callout)
{
    return nu_wasm_vm_put_u32(vm, request->token_at, callout->token)
               ? NU_WASM_OK
               : NU_WASM_INVALID_MEMORY_ACCESS;
}

static bool would_be_complete(struct nu_wasm_vm *vm, const struct request *request)
{
    enum { ROOM = 16 };
    struct nu_arena scratch;
    struct nu_headers headers;
    nu_arena_init(&scratch);
    nu_headers_init(&headers, &scratch, ROOM);
    read_headers(vm, &headers, request);
    bool is_so = is_complete(&headers);
    nu_arena_finish(&scratch);
    return is_so;
}

/* The answer to a guest that starts is that of a thread, which has the clusters. */
static enum nu_wasm_status try_call(struct nu_wasm_vm *vm, const struct request *request)
{
    if (!nu_wasm_trial_has_cluster(vm->trial, request->cluster) || !would_be_complete(vm, request))
        return NU_WASM_BAD_ARGUMENT;
    struct tried_call *self = nu_calloc(1, sizeof(*self));
    self->callout.cancel = forget;
    if (nu_wasm_callout_open(&self->callout, vm->effective->root, NU_WASM_HTTP_CALL,
                             bytes_of(request)))
        return give_token(vm, request, &self->callout);
    nu_free(self);
    return NU_WASM_INTERNAL_FAILURE;
}

static uint64_t answer_limit(const struct nu_loop *loop)
{
    if (!loop->runtime)
        return NU_WASM_ANSWER_BYTES_MAX;
    return nu_runtime_integer(loop->runtime, NU_STR("http.async_response_buffer_limit"),
                              NU_WASM_ANSWER_BYTES_MAX);
}

static enum nu_wasm_status send_call(struct nu_wasm_vm *vm, struct wasm_call *self,
                                     const struct request *request)
{
    struct nu_http_call *call = self->call;
    if (!nu_wasm_callout_open(&self->callout, vm->effective->root, NU_WASM_HTTP_CALL,
                              bytes_of(request)))
        return NU_WASM_INTERNAL_FAILURE;
    const struct nu_http_call_params params = {
        .body = request->body,
        .trailers = make_trailers(vm, call, request->trailers),
        .timeout_ms = (uint64_t)request->timeout_ms,
        .max_body_bytes = answer_limit(vm->loop),
        .budget = &vm->callouts.budget,
        .hashes_authority = true,
    };
    nu_http_call_send(call, &params);
    if (nu_http_call_is_refused(call))
        return NU_WASM_INTERNAL_FAILURE;
    return give_token(vm, request, &self->callout);
}

static enum nu_wasm_status http_call(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    struct request request;
    if (!read_request(vm, args, &request))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    if (request.timeout_ms < 0)
        return NU_WASM_BAD_ARGUMENT;
    if (vm->trial)
        return try_call(vm, &request);
    struct wasm_call *self = make_call(vm, &request);
    if (!self)
        return NU_WASM_BAD_ARGUMENT;
    enum nu_wasm_status status = is_complete(&self->call->own.request)
                                     ? send_call(vm, self, &request)
                                     : NU_WASM_BAD_ARGUMENT;
    if (status != NU_WASM_OK) {
        nu_wasm_callout_close(&self->callout);
        cancel(&self->callout);
    }
    return status;
}

static enum nu_wasm_status get_status(struct nu_wasm_vm *vm, const union nu_wasm_value *args)
{
    const struct nu_wasm_answer *answer = nu_wasm_vm_answer(vm);
    struct nu_str message = answer ? answer->message : NU_STR("");
    if (!nu_wasm_vm_put_u32(vm, args[0].i32, vm->effective->root->call_status))
        return NU_WASM_INVALID_MEMORY_ACCESS;
    return nu_wasm_vm_give(vm, message, args[1].i32, args[2].i32);
}

NU_WASM_HOST(http_call, "proxy_http_call", NU_WASM_ONLY_RUNNING)
NU_WASM_HOST(get_status, "proxy_get_status", NU_WASM_ONLY_RUNNING)

const struct nu_wasm_import nu_wasm_host_callouts[] = {
    {"env", "proxy_http_call", "iiiiiiiiii=i", call_http_call},
    {"env", "proxy_get_status", "iii=i", call_get_status},
    {NULL, NULL, NULL, NULL},
};
