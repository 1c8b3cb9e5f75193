/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the router answers without an upstream's word: no route, no cluster, redirects, configured
 * answers, and clusters that take no requests.
 */
#include "filters/http/router/router_internal.h"
#include "format/format.h"
#include "stats/http_stats.h"

static void reply(struct nu_router *router, uint32_t status, struct nu_str details)
{
    nu_filter_reply(&router->base, status, nu_str_make(NULL, 0), details);
}

static const struct nu_reply_header overloaded_header = {NU_STR_INIT("x-envoy-overloaded"),
                                                         NU_STR_INIT("true")};

const struct nu_router_refusal nu_router_maintenance = {
    NU_STR_INIT("maintenance mode"),
    NU_STR_INIT("maintenance_mode"),
    {NU_STR_INIT("x-envoy-overloaded"), NU_STR_INIT("true")},
    NU_FLAG_UPSTREAM_OVERFLOW,
};
const struct nu_router_refusal nu_router_dropped = {
    NU_STR_INIT("drop overload"),
    NU_STR_INIT("drop_overload"),
    {NU_STR_INIT("x-envoy-drop-overload"), NU_STR_INIT("true")},
    NU_FLAG_DROP_OVERLOAD,
};
const struct nu_router_refusal nu_router_all_dropped = {
    NU_STR_INIT("unconditional drop overload"),
    NU_STR_INIT("unconditional_drop_overload"),
    {NU_STR_INIT("x-envoy-unconditional-drop-overload"), NU_STR_INIT("true")},
    NU_FLAG_UNCONDITIONAL_DROP_OVERLOAD,
};

void nu_router_answer_refused(struct nu_router *router, const struct nu_router_refusal *refusal)
{
    struct nu_reply answer = {
        .status = 503,
        .body = refusal->body,
        .details = refusal->details,
        .headers = &refusal->header,
        .header_count = nu_router_config_of(router)->suppress_envoy_headers ? 0 : 1,
        .grpc_status = -1,
    };
    nu_stream_info_set_flag(nu_router_info(router), refusal->flag);
    nu_filter_reply_with(&router->base, &answer);
}

void nu_router_answer_failed(struct nu_router *router, uint32_t status, struct nu_str body,
                             struct nu_str details, bool is_overloaded)
{
    struct nu_reply_header headers[2];
    size_t count = 0;
    char tries[20];
    if (is_overloaded && !nu_router_config_of(router)->suppress_envoy_headers)
        headers[count++] = overloaded_header;
    if (nu_unlikely(nu_router_match(router)->virtual_host->include_attempt_count_in_response)) {
        size_t len = nu_u64_to_chars(nu_router_info(router)->upstream.attempt_count, tries);
        headers[count++] =
            (struct nu_reply_header){NU_STR("x-envoy-attempt-count"), nu_str_make(tries, len)};
    }
    struct nu_reply answer = {
        .status = status,
        .body = body,
        .details = details,
        .headers = headers,
        .header_count = count,
        .grpc_status = -1,
    };
    nu_filter_reply_with(&router->base, &answer);
}

/* As Envoy's codecs, which ask for a path but in a plain CONNECT, where there is a host instead. What
 * filters have made a CONNECT does not become one: its body would be the bytes of a tunnel that
 * nobody has granted. */
static struct nu_str find_missing(const struct nu_headers *headers, enum nu_tunnel tunnel)
{
    bool has_path = nu_headers_has_id(headers, NU_HEADER_PATH);
    bool has_protocol = nu_headers_has_id(headers, NU_HEADER_PROTOCOL);
    struct nu_str method = nu_headers_get_id(headers, NU_HEADER_METHOD);
    if (!method.ptr)
        return NU_STR(":method");
    if (!nu_str_eq(method, NU_STR("CONNECT")))
        return has_path ? NU_STR("") : NU_STR(":path");
    if (!nu_headers_has_id(headers, NU_HEADER_AUTHORITY))
        return NU_STR(":authority");
    if (has_path == has_protocol && tunnel != NU_TUNNEL_NONE)
        return NU_STR("");
    return has_path ? NU_STR(":protocol") : NU_STR(":path");
}

bool nu_router_answer_incomplete(struct nu_router *router, const struct nu_headers *headers)
{
    struct nu_str name = find_missing(headers, nu_router_info(router)->tunnel);
    if (name.len == 0)
        return false;
    struct nu_arena *arena = router->base.chain->arena;
    nu_stream_info_set_flag(nu_router_info(router), NU_FLAG_DOWNSTREAM_PROTOCOL_ERROR);
    nu_filter_reply(
        &router->base, 503,
        nu_str_from(nu_arena_printf(arena, "missing required header: %.*s", NU_STR_ARG(name))),
        nu_str_from(nu_arena_printf(
            arena, "filter_removed_required_request_headers{missing_required_header:_%.*s}",
            NU_STR_ARG(name))));
    return true;
}

void nu_router_answer_no_route(struct nu_router *router)
{
    nu_counter_inc(&router->stats->no_route);
    nu_stream_info_set_flag(nu_router_info(router), NU_FLAG_NO_ROUTE_FOUND);
    reply(router, 404, NU_STR("route_not_found"));
}

void nu_router_answer_redirect(struct nu_router *router)
{
    const struct nu_route_match *match = nu_router_match(router);
    struct nu_reply_header location = {
        NU_STR("location"),
        nu_route_redirect_location(match, nu_router_request(router),
                                   nu_router_config_of(router)->suppress_envoy_headers)};
    struct nu_reply answer = {
        .status = nu_route_redirect_status(match),
        .details = NU_STR("direct_response"),
        .headers = &location,
        .header_count = 1,
        .grpc_status = -1,
    };
    nu_counter_inc(&router->stats->rq_direct_response);
    nu_filter_reply_with(&router->base, &answer);
}

/* A configured answer; with some statuses it says where it is, as Envoy's does. */
void nu_router_answer_direct(struct nu_router *router)
{
    const struct nu_route_match *match = nu_router_match(router);
    struct nu_filter_chain *chain = router->base.chain;
    struct nu_format_context context = {.request_headers = nu_router_request(router),
                                        .info = chain->info};
    struct nu_str content_type = {0};
    struct nu_str body = nu_route_direct_body(match, &context, chain->arena, &content_type);
    struct nu_reply_header headers[2];
    size_t count = 0;
    struct nu_str location = nu_route_redirect_location(
        match, nu_router_request(router), nu_router_config_of(router)->suppress_envoy_headers);
    if (location.len)
        headers[count++] = (struct nu_reply_header){NU_STR("location"), location};
    if (content_type.len)
        headers[count++] = (struct nu_reply_header){NU_STR("content-type"), content_type};
    struct nu_reply answer = {
        .status = match->route->status,
        .body = body,
        .details = NU_STR("direct_response"),
        .headers = headers,
        .header_count = count,
        .grpc_status = -1,
    };
    nu_counter_inc(&router->stats->rq_direct_response);
    nu_filter_reply_with(&router->base, &answer);
}

void nu_router_answer_no_cluster(struct nu_router *router)
{
    nu_counter_inc(&router->stats->no_cluster);
    nu_stream_info_set_flag(nu_router_info(router), NU_FLAG_NO_CLUSTER_FOUND);
    reply(router, nu_router_match(router)->route->cluster_not_found_status,
          NU_STR("cluster_not_found"));
}
