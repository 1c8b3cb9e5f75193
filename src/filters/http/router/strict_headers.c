/* SPDX-License-Identifier: Apache-2.0 */
/* strict_check_headers: x-envoy headers of a request that must be right. */
#include "filters/http/router/router_internal.h"

static bool is_number(struct nu_str value)
{
    uint64_t number;
    return nu_header_number(value, &number);
}

static bool is_retry_on(struct nu_str value)
{
    bool unknown;
    (void)nu_retry_on_parse(value, &unknown);
    return !unknown;
}

static bool is_retry_grpc_on(struct nu_str value)
{
    bool unknown;
    (void)nu_retry_grpc_on_parse(value, &unknown);
    return !unknown;
}

struct strict_check {
    enum nu_strict_header bit;
    enum nu_header_id id;
    bool (*is_right)(struct nu_str value);
};

bool nu_router_answer_bad_header(struct nu_router *router, struct nu_headers *headers)
{
    static const struct strict_check checks[] = {
        {NU_STRICT_RQ_TIMEOUT_MS, NU_HEADER_X_ENVOY_UPSTREAM_RQ_TIMEOUT_MS, is_number},
        {NU_STRICT_RQ_PER_TRY_TIMEOUT_MS, NU_HEADER_X_ENVOY_UPSTREAM_RQ_PER_TRY_TIMEOUT_MS,
         is_number},
        {NU_STRICT_MAX_RETRIES, NU_HEADER_X_ENVOY_MAX_RETRIES, is_number},
        {NU_STRICT_RETRY_ON, NU_HEADER_X_ENVOY_RETRY_ON, is_retry_on},
        {NU_STRICT_RETRY_GRPC_ON, NU_HEADER_X_ENVOY_RETRY_GRPC_ON, is_retry_grpc_on},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(checks); i++) {
        struct nu_str value = nu_headers_get_id(headers, checks[i].id);
        if (!(nu_router_config_of(router)->strict_headers & checks[i].bit) || !value.ptr ||
            checks[i].is_right(value))
            continue;
        struct nu_str name = nu_header_name_of(checks[i].id);
        struct nu_arena *arena = router->base.chain->arena;
        nu_stream_info_set_flag(nu_router_info(router), NU_FLAG_INVALID_ENVOY_REQUEST_HEADERS);
        nu_filter_reply(
            &router->base, 400,
            nu_str_from(nu_arena_printf(arena, "invalid header '%.*s' with value '%.*s'",
                                        NU_STR_ARG(name), NU_STR_ARG(value))),
            nu_str_from(nu_arena_printf(arena, "request_headers_failed_strict_check{%.*s}",
                                        NU_STR_ARG(name))));
        return true;
    }
    return false;
}
