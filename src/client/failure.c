/* SPDX-License-Identifier: Apache-2.0 */
/* Status and body of what an exchange's failure becomes. */
#include "client/failure.h"

#include "http/grpc.h"

static struct nu_str reset_body(const struct nu_exchange_failure *failure, struct nu_arena *arena)
{
    struct nu_str reason = nu_reset_reason_text(failure->reason);
    struct nu_str transport = failure->transport_failure;
    return nu_str_from(nu_arena_printf(
        arena,
        "upstream connect error or disconnect/reset before headers. %sreset reason: %.*s%s%.*s",
        failure->is_retry ? "retried and the latest " : "", NU_STR_ARG(reason),
        transport.len ? ", transport failure reason: " : "", NU_STR_ARG(transport)));
}

struct nu_failure_answer nu_failure_answer_of(const struct nu_exchange_failure *failure,
                                              struct nu_arena *arena)
{
    switch (failure->kind) {
    case NU_EXCHANGE_NO_HOST:
        return (struct nu_failure_answer){.status = 503, .body = NU_STR("no healthy upstream")};
    case NU_EXCHANGE_TIMEOUT:
    case NU_EXCHANGE_TRY_TIMEOUT:
    case NU_EXCHANGE_TRY_IDLE:
        return (struct nu_failure_answer){.status = 504,
                                          .body = NU_STR("upstream request timeout")};
    case NU_EXCHANGE_BODY_LIMIT:
        return (struct nu_failure_answer){
            .status = 507,
            .body = NU_STR("exceeded request buffer limit while retrying upstream"),
        };
    case NU_EXCHANGE_MAX_DURATION:
        return (struct nu_failure_answer){.status = 504,
                                          .body = NU_STR("upstream max stream duration reached")};
    case NU_EXCHANGE_NOT_UPGRADED:
    case NU_EXCHANGE_RESET:
        break;
    }
    return (struct nu_failure_answer){
        .status = failure->reason == NU_RESET_PROTOCOL_ERROR ? 502 : 503,
        .body = reset_body(failure, arena),
        .is_overloaded = failure->reason == NU_RESET_OVERFLOW,
    };
}

struct nu_headers *nu_failure_grpc_reply(const struct nu_exchange_failure *failure,
                                         struct nu_arena *arena)
{
    enum { ROOM = 5 };
    struct nu_failure_answer answer = nu_failure_answer_of(failure, arena);
    struct nu_headers *headers = nu_arena_alloc(arena, sizeof(*headers));
    nu_headers_init(headers, arena, ROOM);
    nu_headers_add_id(headers, NU_HEADER_STATUS, NU_STR("200"));
    if (answer.is_overloaded)
        nu_headers_add_id(headers, NU_HEADER_X_ENVOY_OVERLOADED, NU_STR("true"));
    nu_headers_add_id(headers, NU_HEADER_CONTENT_TYPE, NU_STR("application/grpc"));
    nu_headers_set_number(headers, NU_HEADER_GRPC_STATUS, nu_grpc_status_from_http(answer.status));
    nu_headers_add_id(headers, NU_HEADER_GRPC_MESSAGE, nu_grpc_message_encode(arena, answer.body));
    return headers;
}

/* "base{reason|transport failure}", blanks as underscores: a word for the access log. */
static struct nu_str reset_details(const struct nu_exchange_failure *failure,
                                   struct nu_arena *arena)
{
    struct nu_str reason = nu_reset_reason_text(failure->reason);
    struct nu_str transport = failure->transport_failure;
    char *text = nu_arena_printf(arena, "upstream_reset_%s_response_started{%.*s%s%.*s}",
                                 failure->response_started ? "after" : "before", NU_STR_ARG(reason),
                                 transport.len ? "|" : "", NU_STR_ARG(transport));
    for (char *p = text; *p; p++) {
        if (*p == ' ')
            *p = '_';
    }
    return nu_str_from(text);
}

struct nu_str nu_failure_details_of(const struct nu_exchange_failure *failure,
                                    struct nu_arena *arena)
{
    switch (failure->kind) {
    case NU_EXCHANGE_NO_HOST:
        return failure->details.len ? failure->details : NU_STR("no_healthy_upstream");
    case NU_EXCHANGE_TIMEOUT:
        return NU_STR("response_timeout");
    case NU_EXCHANGE_TRY_TIMEOUT:
        return NU_STR("upstream_per_try_timeout");
    case NU_EXCHANGE_TRY_IDLE:
        return NU_STR("upstream_per_try_idle_timeout");
    case NU_EXCHANGE_BODY_LIMIT:
        return NU_STR("request_payload_exceeded_retry_buffer_limit");
    case NU_EXCHANGE_MAX_DURATION:
        return NU_STR("upstream_max_stream_duration_reached");
    case NU_EXCHANGE_NOT_UPGRADED:
        return NU_STR("websocket_handshake_unsuccessful");
    case NU_EXCHANGE_RESET:
        break;
    }
    return reset_details(failure, arena);
}
