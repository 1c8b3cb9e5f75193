/* SPDX-License-Identifier: Apache-2.0 */
/* What a failure of the exchange is called: status, body, details and response flag, all Envoy's. */
#include "client/failure.h"
#include "filters/http/router/router_internal.h"
#include "http/status.h"

static enum nu_response_flag flag_of_reset(enum nu_reset_reason reason)
{
    switch (reason) {
    case NU_RESET_LOCAL:
    case NU_RESET_LOCAL_REFUSED:
        return NU_FLAG_LOCAL_RESET;
    case NU_RESET_REMOTE:
    case NU_RESET_REMOTE_REFUSED:
    case NU_RESET_CONNECT_ERROR:
        return NU_FLAG_UPSTREAM_REMOTE_RESET;
    case NU_RESET_LOCAL_CONNECTION_FAILURE:
    case NU_RESET_REMOTE_CONNECTION_FAILURE:
    case NU_RESET_CONNECTION_TIMEOUT:
        return NU_FLAG_UPSTREAM_CONNECTION_FAILURE;
    case NU_RESET_CONNECTION_TERMINATION:
    case NU_RESET_PREMATURE_HALF_CLOSE:
        return NU_FLAG_UPSTREAM_CONNECTION_TERMINATION;
    case NU_RESET_OVERFLOW:
        return NU_FLAG_UPSTREAM_OVERFLOW;
    case NU_RESET_PROTOCOL_ERROR:
        return NU_FLAG_UPSTREAM_PROTOCOL_ERROR;
    case NU_RESET_OVERLOAD:
        return NU_FLAG_OVERLOAD_MANAGER;
    }
    return NU_FLAG_LOCAL_RESET;
}

/* "base{reason|transport failure}", blanks as underscores: a word for the access log. */
static struct nu_str reset_details(struct nu_router *router, const char *base,
                                   const struct nu_exchange_failure *failure)
{
    struct nu_str reason = nu_reset_reason_text(failure->reason);
    struct nu_str transport = failure->transport_failure;
    char *text =
        nu_arena_printf(router->base.chain->arena, "%s{%.*s%s%.*s}", base, NU_STR_ARG(reason),
                        transport.len ? "|" : "", NU_STR_ARG(transport));
    for (char *p = text; *p; p++) {
        if (*p == ' ')
            *p = '_';
    }
    return nu_str_from(text);
}

/* Answers with the words for this failure. */
static void answer_failure(struct nu_router *router, const struct nu_exchange_failure *failure,
                           struct nu_str details)
{
    struct nu_failure_answer words = nu_failure_answer_of(failure, router->base.chain->arena);
    nu_router_answer_failed(router, words.status, words.body, details, words.is_overloaded);
}

static void on_reset_after_headers(struct nu_router *router,
                                   const struct nu_exchange_failure *failure)
{
    nu_router_info(router)->response_code_details =
        reset_details(router, "upstream_reset_after_response_started", failure);
    nu_filter_reset(&router->base);
}

static void on_reset_before_headers(struct nu_router *router,
                                    const struct nu_exchange_failure *failure)
{
    answer_failure(router, failure,
                   reset_details(router, "upstream_reset_before_response_started", failure));
}

static void on_timeout(struct nu_router *router, const struct nu_exchange_failure *failure,
                       struct nu_str details)
{
    nu_stream_info_set_flag(nu_router_info(router), NU_FLAG_UPSTREAM_REQUEST_TIMEOUT);
    if (failure->response_started) {
        nu_router_info(router)->response_code_details = details;
        nu_filter_reset(&router->base);
    } else if (router->limits.alt_response) {
        nu_router_answer_failed(router, 204, nu_str_make(NULL, 0), details, false);
    } else {
        answer_failure(router, failure, details);
    }
}

static void on_max_duration(struct nu_router *router, const struct nu_exchange_failure *failure)
{
    struct nu_str details = NU_STR("upstream_max_stream_duration_reached");
    nu_stream_info_set_flag(nu_router_info(router), NU_FLAG_UPSTREAM_MAX_STREAM_DURATION);
    if (failure->response_started) {
        nu_router_info(router)->response_code_details = details;
        nu_filter_reset(&router->base);
        return;
    }
    bool complete = router->base.chain->half[NU_DECODE].ended;
    nu_router_answer_failed(router, complete ? 504 : 408,
                            NU_STR("upstream max stream duration reached"), details, false);
}

/* What the server answered instead of a switch to WebSocket, without its body. */
static void answer_not_upgraded(struct nu_router *router)
{
    const struct nu_headers *headers = nu_exchange_response_headers(&router->exchange);
    struct nu_reply_header *copies =
        nu_arena_alloc(router->base.chain->arena, nu_headers_count(headers) * sizeof(*copies));
    size_t count = 0;
    nu_headers_for_each(header, headers)
    {
        if (header->id == NU_HEADER_OTHER || header->id > NU_HEADER_LAST_PSEUDO)
            copies[count++] = (struct nu_reply_header){header->name, header->value};
    }
    struct nu_reply answer = {
        .status = nu_status_parse(nu_headers_get_id(headers, NU_HEADER_STATUS)),
        .details = NU_STR("websocket_handshake_unsuccessful"),
        .headers = copies,
        .header_count = count,
        .grpc_status = -1,
    };
    nu_filter_reply_with(&router->base, &answer);
}

void nu_router_on_failed(struct nu_exchange *exchange, const struct nu_exchange_failure *failure)
{
    struct nu_router *router = nu_router_of_exchange(exchange);
    switch (failure->kind) {
    case NU_EXCHANGE_NO_HOST: {
        struct nu_str why = failure->details;
        nu_stream_info_set_flag(nu_router_info(router), NU_FLAG_NO_HEALTHY_UPSTREAM);
        answer_failure(router, failure, why.len ? why : NU_STR("no_healthy_upstream"));
        return;
    }
    case NU_EXCHANGE_TIMEOUT:
        on_timeout(router, failure, NU_STR("response_timeout"));
        return;
    case NU_EXCHANGE_TRY_TIMEOUT:
        on_timeout(router, failure, NU_STR("upstream_per_try_timeout"));
        return;
    case NU_EXCHANGE_TRY_IDLE:
        on_timeout(router, failure, NU_STR("upstream_per_try_idle_timeout"));
        return;
    case NU_EXCHANGE_BODY_LIMIT:
        answer_failure(router, failure, NU_STR("request_payload_exceeded_retry_buffer_limit"));
        return;
    case NU_EXCHANGE_MAX_DURATION:
        on_max_duration(router, failure);
        return;
    case NU_EXCHANGE_NOT_UPGRADED:
        answer_not_upgraded(router);
        return;
    case NU_EXCHANGE_RESET:
        nu_stream_info_set_flag(nu_router_info(router), flag_of_reset(failure->reason));
        if (failure->response_started)
            on_reset_after_headers(router, failure);
        else
            on_reset_before_headers(router, failure);
        return;
    }
}
