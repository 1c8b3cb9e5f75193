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

static struct nu_str details_of(struct nu_router *router, const struct nu_exchange_failure *failure)
{
    return nu_failure_details_of(failure, router->base.chain->arena);
}

/* Answers with the words for this failure. */
static void answer_failure(struct nu_router *router, const struct nu_exchange_failure *failure)
{
    struct nu_failure_answer words = nu_failure_answer_of(failure, router->base.chain->arena);
    nu_router_answer_failed(router, words.status, words.body, details_of(router, failure),
                            words.is_overloaded);
}

static void on_timeout(struct nu_router *router, const struct nu_exchange_failure *failure)
{
    nu_stream_info_set_flag(nu_router_info(router), NU_FLAG_UPSTREAM_REQUEST_TIMEOUT);
    if (router->limits.alt_response)
        nu_router_answer_failed(router, 204, nu_str_make(NULL, 0), details_of(router, failure),
                                false);
    else
        answer_failure(router, failure);
}

/* A request that had not ended took too long itself. */
static void on_max_duration(struct nu_router *router, const struct nu_exchange_failure *failure)
{
    nu_stream_info_set_flag(nu_router_info(router), NU_FLAG_UPSTREAM_MAX_STREAM_DURATION);
    struct nu_failure_answer words = nu_failure_answer_of(failure, router->base.chain->arena);
    bool complete = router->base.chain->half[NU_DECODE].ended;
    nu_router_answer_failed(router, complete ? words.status : 408, words.body,
                            details_of(router, failure), false);
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

/* Where the upstream's response has begun, the client may have nothing of it yet, as filters hold it:
 * then it is answered all the same. Else the reply becomes the stream's reset (nu_filter_reply). */
void nu_router_on_failed(struct nu_exchange *exchange, const struct nu_exchange_failure *failure)
{
    struct nu_router *router = nu_router_of_exchange(exchange);
    if (failure->response_started && failure->breaks_grpc)
        nu_counter_inc(&router->stats->rq_reset_after_downstream_response_started);
    switch (failure->kind) {
    case NU_EXCHANGE_NO_HOST:
        nu_stream_info_set_flag(nu_router_info(router), NU_FLAG_NO_HEALTHY_UPSTREAM);
        answer_failure(router, failure);
        return;
    case NU_EXCHANGE_TIMEOUT:
    case NU_EXCHANGE_TRY_TIMEOUT:
    case NU_EXCHANGE_TRY_IDLE:
        on_timeout(router, failure);
        return;
    case NU_EXCHANGE_BODY_LIMIT:
        answer_failure(router, failure);
        return;
    case NU_EXCHANGE_MAX_DURATION:
        on_max_duration(router, failure);
        return;
    case NU_EXCHANGE_NOT_UPGRADED:
        answer_not_upgraded(router);
        return;
    case NU_EXCHANGE_RESET:
        nu_stream_info_set_flag(nu_router_info(router), flag_of_reset(failure->reason));
        answer_failure(router, failure);
        return;
    }
}
