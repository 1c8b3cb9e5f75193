/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of filters (client/http_call.h), and what requests of ours say of where they come from. */
#include "client/http_client.h"

#include "client/http_call.h"

enum { DEFAULT_MAX_RESPONSE = 1024 * 1024 };

/* A filter's call; in that one's arena. */
struct filter_call {
    struct nu_filter_call base;
    struct nu_http_call *call; /* owned */
};

/* --- The end ---------------------------------------------------------------------------------- */

static void succeed(struct nu_http_call *call, struct nu_call_result *result)
{
    uint64_t code = 0;
    (void)!nu_str_to_u64(nu_headers_get_id(call->response, NU_HEADER_STATUS), &code);
    result->ok = true;
    result->status = (uint32_t)code;
    result->headers = call->response;
}

static void fail(struct nu_call_result *result, uint32_t status, struct nu_str why)
{
    result->status = status;
    result->failure = why;
}

static void tell_failure(const struct nu_exchange_failure *failure, struct nu_call_result *result)
{
    switch (failure->kind) {
    case NU_EXCHANGE_NO_HOST:
        fail(result, 503, NU_STR("no_healthy_upstream"));
        return;
    case NU_EXCHANGE_RESET:
    case NU_EXCHANGE_NOT_UPGRADED: /* a call asks for no upgrade */
        fail(result, 503, NU_STR("upstream_reset"));
        return;
    case NU_EXCHANGE_TIMEOUT:
    case NU_EXCHANGE_TRY_TIMEOUT:
    case NU_EXCHANGE_TRY_IDLE:
    case NU_EXCHANGE_BODY_LIMIT: /* a call is not tried again */
        fail(result, 504, NU_STR("response_timeout"));
        return;
    case NU_EXCHANGE_MAX_DURATION:
        fail(result, 504, NU_STR("upstream_max_stream_duration_reached"));
        return;
    }
}

static void on_done(struct nu_http_call *call)
{
    struct filter_call *self = call->owner;
    struct nu_call_result result = {.body = &call->body};
    if (call->state == NU_HTTP_CALL_ANSWERED)
        succeed(call, &result);
    else if (call->state == NU_HTTP_CALL_TOO_LARGE)
        fail(&result, 500, NU_STR("response_too_large"));
    else
        tell_failure(&call->failure, &result);
    self->call = NULL; /* the filter may end meanwhile, and with it what it has called */
    nu_filter_call_done(&self->base, &result);
    nu_http_call_destroy(&call);
}

static void cancel(struct nu_filter_call *base)
{
    nu_http_call_destroy(&nu_container_of(base, struct filter_call, base)->call);
}

/* --- The request ------------------------------------------------------------------------------ */

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

static struct nu_str text_or(struct nu_http_call *call, struct nu_str text, struct nu_str other)
{
    return text.len ? nu_arena_dup(call->arena, text) : other;
}

static void fill_request(struct nu_http_call *call, const struct nu_call_request *wanted)
{
    struct nu_headers *headers = &call->own.request;
    nu_headers_add(headers, NU_STR(":authority"),
                   wanted->authority.len ? wanted->authority : call->own.cluster->cluster->name);
    nu_headers_add_id(headers, NU_HEADER_PATH, text_or(call, wanted->path, NU_STR("/")));
    nu_headers_add_id(headers, NU_HEADER_METHOD, text_or(call, wanted->method, NU_STR("GET")));
    nu_headers_add_id(headers, NU_HEADER_SCHEME, NU_STR("http"));
    for (size_t i = 0; i < wanted->header_count; i++)
        nu_headers_add(headers, wanted->headers[i].name, wanted->headers[i].value);
}

static struct nu_filter_call *start(const struct nu_filter_client *base, struct nu_loop *loop,
                                    const struct nu_call_request *wanted)
{
    (void)base;
    struct nu_http_call *call = nu_http_call_create(loop, wanted->cluster);
    if (!call)
        return NULL;
    struct filter_call *self = nu_arena_calloc(call->arena, sizeof(*self));
    self->call = call;
    call->owner = self;
    call->on_done = on_done;
    fill_request(call, wanted);
    nu_http_call_send(call,
                      &(struct nu_http_call_params){
                          .body = wanted->body,
                          .timeout_ms = wanted->timeout_ms,
                          .tells_address = true,
                          .max_body_bytes = wanted->max_response_bytes ? wanted->max_response_bytes
                                                                       : DEFAULT_MAX_RESPONSE,
                      });
    return &self->base;
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
