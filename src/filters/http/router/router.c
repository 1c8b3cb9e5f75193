/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router: a thin filter over the exchange. What it adds is Envoy's words: which headers the
 * upstream and the client see, and what a failure is called (ENVOY_COMPAT 4.2, 4.3 and 5).
 */
#include "filters/http/router/router.h"

#include "base/random.h"
#include "client/exchange.h"
#include "filters/http/router/limits.h"
#include "format/format.h"
#include "http/frame_metadata.h"
#include "http/grpc.h"
#include "http/lb_criteria.h"
#include "http/status.h"
#include "match/hash_policy.h"
#include "runtime/runtime.h"
#include "stats/http_stats.h"

struct router {
    struct nu_filter base;
    struct nu_exchange exchange;
    struct nu_router_stats *stats;
    struct nu_made_cookie *cookies;           /* for the client, made by the route's hash policy */
    struct nu_cluster_local *cluster;         /* of the route; NULL for none, or an unknown one */
    struct nu_frame_metadata_queue *metadata; /* the request's; NULL before there is any */
    struct nu_str cluster_name;               /* which the route had when it was found */
    struct nu_route_match match; /* as the request was sent: filters may change the stream's
                                    later */
    struct nu_router_limits limits;
    bool forwarding; /* the exchange was started */
};

static struct router *router_of(struct nu_filter *self)
{
    return nu_container_of(self, struct router, base);
}

static struct router *router_of_exchange(struct nu_exchange *exchange)
{
    return nu_container_of(exchange, struct router, exchange);
}

static const struct nu_router_config *config_of(const struct router *router)
{
    return router->base.config;
}

static struct nu_stream_info *info_of(struct router *router)
{
    return router->base.chain->info;
}

static const struct nu_route_match *match_of(struct router *router)
{
    if (router->forwarding)
        return &router->match;
    return router->base.chain->ops->route(router->base.chain);
}

static struct nu_headers *request_of(struct router *router)
{
    return router->base.chain->half[NU_DECODE].headers;
}

/* --- Answers ---------------------------------------------------------------------------------- */

static void reply(struct router *router, uint32_t status, struct nu_str body, struct nu_str details)
{
    nu_filter_reply(&router->base, status, body, details);
}

static const struct nu_reply_header overloaded_header = {NU_STR_INIT("x-envoy-overloaded"),
                                                         NU_STR_INIT("true")};

/* The cluster takes no requests, or not this one. */
struct refusal {
    struct nu_str body;
    struct nu_str details;
    struct nu_reply_header header;
    enum nu_response_flag flag;
};

static const struct refusal maintenance = {
    NU_STR_INIT("maintenance mode"),
    NU_STR_INIT("maintenance_mode"),
    {NU_STR_INIT("x-envoy-overloaded"), NU_STR_INIT("true")},
    NU_FLAG_UPSTREAM_OVERFLOW,
};
static const struct refusal dropped = {
    NU_STR_INIT("drop overload"),
    NU_STR_INIT("drop_overload"),
    {NU_STR_INIT("x-envoy-drop-overload"), NU_STR_INIT("true")},
    NU_FLAG_DROP_OVERLOAD,
};
static const struct refusal all_dropped = {
    NU_STR_INIT("unconditional drop overload"),
    NU_STR_INIT("unconditional_drop_overload"),
    {NU_STR_INIT("x-envoy-unconditional-drop-overload"), NU_STR_INIT("true")},
    NU_FLAG_UNCONDITIONAL_DROP_OVERLOAD,
};

static void answer_refused(struct router *router, const struct refusal *refusal)
{
    struct nu_reply answer = {
        .status = 503,
        .body = refusal->body,
        .details = refusal->details,
        .headers = &refusal->header,
        .header_count = config_of(router)->suppress_envoy_headers ? 0 : 1,
        .grpc_status = -1,
    };
    nu_stream_info_set_flag(info_of(router), refusal->flag);
    nu_filter_reply_with(&router->base, &answer);
}

/* The upstream failed, which says how often it was tried, where that is asked for. */
static void answer_failed(struct router *router, uint32_t status, struct nu_str body,
                          struct nu_str details, bool is_overloaded)
{
    struct nu_reply_header headers[2];
    size_t count = 0;
    char tries[20];
    if (is_overloaded && !config_of(router)->suppress_envoy_headers)
        headers[count++] = overloaded_header;
    if (nu_unlikely(match_of(router)->virtual_host->include_attempt_count_in_response)) {
        size_t len = nu_u64_to_chars(info_of(router)->upstream.attempt_count, tries);
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

static void answer_no_route(struct router *router)
{
    nu_counter_inc(&router->stats->no_route);
    nu_stream_info_set_flag(info_of(router), NU_FLAG_NO_ROUTE_FOUND);
    reply(router, 404, nu_str_make(NULL, 0), NU_STR("route_not_found"));
}

static void answer_redirect(struct router *router)
{
    const struct nu_route_match *match = match_of(router);
    struct nu_reply_header location = {
        NU_STR("location"), nu_route_redirect_location(match, request_of(router),
                                                       config_of(router)->suppress_envoy_headers)};
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
static void answer_direct(struct router *router)
{
    const struct nu_route_match *match = match_of(router);
    struct nu_filter_chain *chain = router->base.chain;
    struct nu_format_context context = {.request_headers = request_of(router), .info = chain->info};
    struct nu_str content_type = {0};
    struct nu_str body = nu_route_direct_body(match, &context, chain->arena, &content_type);
    struct nu_reply_header headers[2];
    size_t count = 0;
    struct nu_str location = nu_route_redirect_location(match, request_of(router),
                                                        config_of(router)->suppress_envoy_headers);
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

static void answer_no_cluster(struct router *router)
{
    nu_counter_inc(&router->stats->no_cluster);
    nu_stream_info_set_flag(info_of(router), NU_FLAG_NO_CLUSTER_FOUND);
    reply(router, match_of(router)->route->cluster_not_found_status, nu_str_make(NULL, 0),
          NU_STR("cluster_not_found"));
}

/* --- Failures of the exchange ----------------------------------------------------------------- */

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
static struct nu_str reset_details(struct router *router, const char *base,
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

static struct nu_str reset_body(struct router *router, const struct nu_exchange_failure *failure)
{
    struct nu_str reason = nu_reset_reason_text(failure->reason);
    struct nu_str transport = failure->transport_failure;
    return nu_str_from(nu_arena_printf(
        router->base.chain->arena,
        "upstream connect error or disconnect/reset before headers. %sreset reason: %.*s%s%.*s",
        failure->is_retry ? "retried and the latest " : "", NU_STR_ARG(reason),
        transport.len ? ", transport failure reason: " : "", NU_STR_ARG(transport)));
}

static void on_reset_after_headers(struct router *router, const struct nu_exchange_failure *failure)
{
    info_of(router)->response_code_details =
        reset_details(router, "upstream_reset_after_response_started", failure);
    nu_filter_reset(&router->base);
}

static void on_reset_before_headers(struct router *router,
                                    const struct nu_exchange_failure *failure)
{
    struct nu_str body = reset_body(router, failure);
    struct nu_str details =
        reset_details(router, "upstream_reset_before_response_started", failure);
    answer_failed(router, failure->reason == NU_RESET_PROTOCOL_ERROR ? 502 : 503, body, details,
                  failure->reason == NU_RESET_OVERFLOW);
}

static void on_timeout(struct router *router, const struct nu_exchange_failure *failure,
                       struct nu_str details)
{
    nu_stream_info_set_flag(info_of(router), NU_FLAG_UPSTREAM_REQUEST_TIMEOUT);
    if (failure->response_started) {
        info_of(router)->response_code_details = details;
        nu_filter_reset(&router->base);
    } else if (router->limits.alt_response) {
        answer_failed(router, 204, nu_str_make(NULL, 0), details, false);
    } else {
        answer_failed(router, 504, NU_STR("upstream request timeout"), details, false);
    }
}

static void on_max_duration(struct router *router, const struct nu_exchange_failure *failure)
{
    struct nu_str details = NU_STR("upstream_max_stream_duration_reached");
    nu_stream_info_set_flag(info_of(router), NU_FLAG_UPSTREAM_MAX_STREAM_DURATION);
    if (failure->response_started) {
        info_of(router)->response_code_details = details;
        nu_filter_reset(&router->base);
        return;
    }
    bool complete = router->base.chain->half[NU_DECODE].ended;
    answer_failed(router, complete ? 504 : 408, NU_STR("upstream max stream duration reached"),
                  details, false);
}

/* What the server answered instead of a switch to WebSocket, without its body. */
static void answer_not_upgraded(struct router *router)
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

static void on_failed(struct nu_exchange *exchange, const struct nu_exchange_failure *failure)
{
    struct router *router = router_of_exchange(exchange);
    switch (failure->kind) {
    case NU_EXCHANGE_NO_HOST:
        nu_stream_info_set_flag(info_of(router), NU_FLAG_NO_HEALTHY_UPSTREAM);
        answer_failed(router, 503, NU_STR("no healthy upstream"), NU_STR("no_healthy_upstream"),
                      false);
        return;
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
        answer_failed(router, 507, NU_STR("exceeded request buffer limit while retrying upstream"),
                      NU_STR("request_payload_exceeded_retry_buffer_limit"), false);
        return;
    case NU_EXCHANGE_MAX_DURATION:
        on_max_duration(router, failure);
        return;
    case NU_EXCHANGE_NOT_UPGRADED:
        answer_not_upgraded(router);
        return;
    case NU_EXCHANGE_RESET:
        nu_stream_info_set_flag(info_of(router), flag_of_reset(failure->reason));
        if (failure->response_started)
            on_reset_after_headers(router, failure);
        else
            on_reset_before_headers(router, failure);
        return;
    }
}

/* --- The response ----------------------------------------------------------------------------- */

/* Milliseconds from the end of the request to now; unknown while it has not ended. */
static void set_service_time(struct router *router, struct nu_headers *headers)
{
    const struct nu_stream_info *info = info_of(router);
    if (config_of(router)->suppress_envoy_headers || !info->rx_end_us)
        return;
    uint64_t us = nu_loop_now_us(router->base.chain->loop) - info->rx_end_us;
    nu_router_set_number(headers, NU_HEADER_X_ENVOY_UPSTREAM_SERVICE_TIME, us / 1000);
}

static void on_headers(struct nu_exchange *exchange, struct nu_headers *headers, bool end)
{
    struct router *router = router_of_exchange(exchange);
    const struct nu_route_match *match = match_of(router);
    set_service_time(router, headers);
    for (struct nu_made_cookie *cookie = router->cookies; nu_unlikely(cookie != NULL);
         cookie = cookie->next)
        nu_headers_add_id(headers, NU_HEADER_SET_COOKIE, cookie->header);
    info_of(router)->response_code = nu_status_parse(nu_headers_get_id(headers, NU_HEADER_STATUS));
    info_of(router)->response_code_details = NU_STR("via_upstream");
    nu_route_finalize_response(match, headers, request_of(router), info_of(router));
    if (nu_unlikely(match->virtual_host->include_attempt_count_in_response))
        nu_router_set_number(headers, NU_HEADER_X_ENVOY_ATTEMPT_COUNT,
                             info_of(router)->upstream.attempt_count);
    nu_chain_encode_headers(&router->base, headers, end);
}

static void on_data(struct nu_exchange *exchange, struct nu_buf *data, bool end)
{
    nu_chain_encode_data(&router_of_exchange(exchange)->base, data, end);
}

static void on_trailers(struct nu_exchange *exchange, struct nu_headers *trailers)
{
    nu_chain_encode_trailers(&router_of_exchange(exchange)->base, trailers);
}

static void on_metadata(struct nu_exchange *exchange, struct nu_frame_metadata *metadata)
{
    nu_chain_encode_metadata(&router_of_exchange(exchange)->base, metadata);
}

static void on_1xx(struct nu_exchange *exchange, struct nu_headers *headers)
{
    nu_chain_encode_1xx(&router_of_exchange(exchange)->base, headers);
}

static void on_above_high(struct nu_exchange *exchange)
{
    nu_filter_hold_request(&router_of_exchange(exchange)->base);
}

static void on_below_low(struct nu_exchange *exchange)
{
    nu_filter_release_request(&router_of_exchange(exchange)->base);
}

static void on_host(struct nu_exchange *exchange, const struct nu_host *host)
{
    struct router *router = router_of_exchange(exchange);
    const struct nu_route_match *match = match_of(router);
    if (nu_unlikely(match->route->auto_host_rewrite))
        nu_route_rewrite_host(match, exchange->request_headers, host->hostname,
                              config_of(router)->suppress_envoy_headers);
}

static void on_retry(struct nu_exchange *exchange, bool after_timeout)
{
    struct router *router = router_of_exchange(exchange);
    const struct nu_virtual_host *host = match_of(router)->virtual_host;
    const struct nu_stream_info *info = info_of(router);
    struct nu_headers *headers = exchange->request_headers;
    uint64_t elapsed_us =
        info->rx_end_us ? nu_loop_now_us(router->base.chain->loop) - info->rx_end_us : 0;
    if (host->include_request_attempt_count)
        nu_router_set_number(headers, NU_HEADER_X_ENVOY_ATTEMPT_COUNT,
                             info->upstream.attempt_count);
    if (host->include_is_timeout_retry_header)
        nu_headers_set_id(headers, NU_HEADER_X_ENVOY_IS_TIMEOUT_RETRY,
                          after_timeout ? NU_STR("true") : NU_STR("false"));
    nu_router_limits_tell(&router->limits, headers, elapsed_us / 1000,
                          !config_of(router)->suppress_envoy_headers);
}

static const struct nu_exchange_ops exchange_ops = {
    .on_retry = on_retry,
    .on_host = on_host,
    .on_1xx = on_1xx,
    .on_headers = on_headers,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_metadata = on_metadata,
    .on_failed = on_failed,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
};

/* --- The request ------------------------------------------------------------------------------ */

static bool is_number(struct nu_str value)
{
    uint64_t number;
    return nu_str_to_u64(value, &number) == NU_OK;
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

/* An x-envoy header that must be right but is not: answered, and true returned. */
static bool answer_bad_header(struct router *router, struct nu_headers *headers)
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
        if (!(config_of(router)->strict_headers & checks[i].bit) || !value.ptr ||
            checks[i].is_right(value))
            continue;
        struct nu_str name = nu_header_name_of(checks[i].id);
        struct nu_arena *arena = router->base.chain->arena;
        nu_stream_info_set_flag(info_of(router), NU_FLAG_INVALID_ENVOY_REQUEST_HEADERS);
        reply(router, 400,
              nu_str_from(nu_arena_printf(arena, "invalid header '%.*s' with value '%.*s'",
                                          NU_STR_ARG(name), NU_STR_ARG(value))),
              nu_str_from(nu_arena_printf(arena, "request_headers_failed_strict_check{%.*s}",
                                          NU_STR_ARG(name))));
        return true;
    }
    return false;
}

static bool is_in_maintenance(struct router *router, struct nu_str cluster)
{
    const struct nu_runtime *runtime = router->base.chain->loop->runtime;
    if (nu_likely(!runtime || nu_runtime_key_count(runtime) == 0))
        return false;
    struct nu_str key =
        nu_arena_concat(router->base.chain->arena, NU_STR("upstream.maintenance_mode."), cluster);
    return nu_runtime_feature_enabled(runtime, key, 0, nu_random_u64());
}

/* Why the cluster does not take the request; NULL if it does. */
static const struct refusal *refusal_of(struct router *router, struct nu_cluster_local *cluster)
{
    if (nu_unlikely(is_in_maintenance(router, cluster->cluster->name))) {
        nu_counter_inc(&nu_cluster_local_stats(cluster)->upstream_rq_maintenance_mode);
        return &maintenance;
    }
    const struct nu_assignment *assignment = cluster->hosts->assignment;
    if (nu_likely(!nu_assignment_drops(assignment)))
        return NULL;
    if (nu_assignment_drops_all(assignment))
        return &all_dropped;
    return nu_fraction_has(assignment->drop, nu_random_u64()) ? &dropped : NULL;
}

/* Looks for the route's cluster, and tells the stream, which may end before it comes to us. */
static void find_cluster(struct router *router)
{
    struct nu_str name = match_of(router)->cluster;
    router->cluster = nu_cluster_table_find_again(router->base.chain->loop->clusters, name);
    router->cluster_name = name;
    if (nu_unlikely(!router->cluster))
        return;
    const struct nu_cluster *cluster = router->cluster->cluster;
    struct nu_upstream_info *info = &info_of(router)->upstream;
    info->cluster = cluster->name;
    info->cluster_observability = cluster->observability_name;
    info->cluster_metadata = cluster->metadata;
}

/* Health checks are no traffic. */
static enum nu_charging charging_of(const struct router *router, const struct nu_headers *headers)
{
    const struct nu_router_config *config = config_of(router);
    if (nu_unlikely(!config->charges_answers || router->base.chain->info->is_health_check))
        return NU_CHARGE_NOTHING;
    if (nu_unlikely(config->hides_grpc_codes) &&
        nu_grpc_is_content_type(nu_headers_get_id(headers, NU_HEADER_CONTENT_TYPE)))
        return NU_CHARGE_COMPLETED;
    return NU_CHARGE_CODE;
}

/* Whether the request's body is to be the upstream's bytes: as the route has it, or NULL. */
static const struct nu_route_connect *raw_of(struct router *router, const struct nu_route *route,
                                             const struct nu_headers *headers)
{
    const struct nu_route_connect *connect = route->connect;
    if (nu_likely(!connect))
        return NULL;
    if (info_of(router)->tunnel == NU_TUNNEL_CONNECT)
        return connect;
    bool is_post = nu_str_eq(nu_headers_get_id(headers, NU_HEADER_METHOD), NU_STR("POST"));
    return is_post && connect->allow_post ? connect : NULL;
}

/* What the balancer may go by. Cookies are only made where it asks for a hash. */
static struct nu_lb_context lb_context_of(struct router *router, const struct nu_route *route,
                                          const struct nu_headers *headers)
{
    struct nu_lb_context context = {.override_host = router->base.chain->override_host};
    if (nu_unlikely(router->cluster->cluster->original_dst != NULL))
        context.destination = nu_original_dst_find(router->cluster, info_of(router), headers);
    if (nu_unlikely(route->hash_policy && router->cluster->cluster->lb_class->uses_hash))
        context.has_hash = nu_hash_policy_eval(route->hash_policy, headers, info_of(router),
                                               &router->cookies, &context.hash);
    if (nu_unlikely(router->cluster->cluster->lb_class->uses_criteria))
        context.criteria = nu_lb_criteria_merge(
            nu_route_criteria(match_of(router)),
            nu_lb_criteria_of(info_of(router)->dynamic_metadata), router->base.chain->arena);
    return context;
}

static void forward(struct router *router, struct nu_cluster_local *cluster,
                    struct nu_headers *headers, bool end)
{
    const struct nu_route_match *match = match_of(router);
    const struct nu_route *route = match->route;
    struct nu_filter_chain *chain = router->base.chain;
    bool suppress = config_of(router)->suppress_envoy_headers;
    nu_route_finalize_request(match, headers, chain->info, suppress);
    if (nu_unlikely(chain->info->scheme_follows_upstream))
        nu_headers_set_id(headers, NU_HEADER_SCHEME, NU_STR("http"));
    const struct nu_router_limits_input input = {
        .respects_expected = config_of(router)->respect_expected_rq_timeout,
        .tells_upstream = !suppress,
        .buffer_limit = nu_filter_decoder_buffer_limit(&router->base),
    };
    nu_router_limits_read(&router->limits, route, headers, &input);
    if (nu_unlikely(match->virtual_host->include_request_attempt_count))
        nu_headers_set_id(headers, NU_HEADER_X_ENVOY_ATTEMPT_COUNT, NU_STR("1"));
    struct nu_exchange_params params = {
        .cluster = cluster,
        .priority = route->is_high_priority ? NU_PRIORITY_HIGH : NU_PRIORITY_DEFAULT,
        .lb = lb_context_of(router, route, headers),
        .timeout_ms = router->limits.timeout_ms,
        .timeout_status = router->limits.alt_response ? 204 : 504,
        .is_internal = chain->info->is_internal,
        .charging = charging_of(router, headers),
        .tunnel = (enum nu_tunnel)chain->info->tunnel,
        .raw = raw_of(router, route, headers),
        .retry = router->limits.rules,
        .metadata = router->metadata,
    };
    router->exchange.ops = &exchange_ops;
    router->exchange.arena = chain->arena;
    router->exchange.info = chain->info;
    router->match = *match;
    router->forwarding = true;
    nu_exchange_start(&router->exchange, &params, headers, end);
}

/* Whether two views are of the same bytes. */
static bool is_same(struct nu_str a, struct nu_str b)
{
    return a.ptr == b.ptr && a.len == b.len;
}

static void route_request(struct router *router, struct nu_headers *headers, bool end)
{
    const struct nu_route_match *match = match_of(router);
    if (nu_unlikely(!router->cluster || !is_same(router->cluster_name, match->cluster)))
        find_cluster(router);
    struct nu_cluster_local *cluster = router->cluster;
    if (nu_unlikely(!cluster)) {
        answer_no_cluster(router);
        return;
    }
    if (nu_unlikely(config_of(router)->strict_headers) && answer_bad_header(router, headers))
        return;
    const struct refusal *refusal = refusal_of(router, cluster);
    if (nu_unlikely(refusal != NULL)) {
        nu_exchange_count_refused(cluster, info_of(router)->is_internal,
                                  charging_of(router, headers));
        answer_refused(router, refusal);
        return;
    }
    forward(router, cluster, headers, end);
}

/* --- The filter ------------------------------------------------------------------------------- */

static enum nu_headers_status decode_headers(struct nu_filter *self, struct nu_headers *headers,
                                             bool end)
{
    struct router *router = router_of(self);
    const struct nu_route_match *match = match_of(router);
    nu_counter_inc(&router->stats->rq_total);
    if (nu_unlikely(match->needs_tls))
        answer_redirect(router);
    else if (nu_unlikely(!match->route))
        answer_no_route(router);
    else
        switch (match->route->action) {
        case NU_ROUTE_CLUSTER:
            route_request(router, headers, end);
            break;
        case NU_ROUTE_REDIRECT:
            answer_redirect(router);
            break;
        case NU_ROUTE_DIRECT_RESPONSE:
            answer_direct(router);
            break;
        case NU_ROUTE_NON_FORWARDING:
            answer_no_cluster(router);
            break;
        }
    return NU_HEADERS_STOP;
}

static enum nu_data_status decode_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    struct router *router = router_of(self);
    if (router->forwarding)
        nu_exchange_send_data(&router->exchange, data, end);
    return NU_DATA_STOP_NO_BUFFER;
}

static enum nu_trailers_status decode_trailers(struct nu_filter *self, struct nu_headers *trailers)
{
    struct router *router = router_of(self);
    if (router->forwarding)
        nu_exchange_send_trailers(&router->exchange, trailers);
    return NU_TRAILERS_STOP;
}

static void clear_metadata(void *obj)
{
    nu_frame_metadata_queue_clear(obj);
}

static struct nu_frame_metadata_queue *create_metadata(struct nu_arena *arena)
{
    struct nu_frame_metadata_queue *queue = nu_arena_alloc(arena, sizeof(*queue));
    nu_frame_metadata_queue_init(queue);
    nu_arena_on_free(arena, clear_metadata, queue);
    return queue;
}

/* What comes before the request is forwarded, which filters may hold back, follows its head. */
static void decode_metadata(struct nu_filter *self, struct nu_frame_metadata *metadata)
{
    struct router *router = router_of(self);
    if (!router->metadata) {
        router->metadata = create_metadata(self->chain->arena);
        router->exchange.params.metadata = router->metadata;
    }
    bool is_kept = router->forwarding ? nu_exchange_send_metadata(&router->exchange, metadata)
                                      : nu_frame_metadata_queue_add(router->metadata, metadata);
    if (!is_kept)
        self->chain->ops->reset(self->chain);
}

static void on_downstream_high(struct nu_filter *self)
{
    struct router *router = router_of(self);
    if (router->forwarding)
        nu_exchange_hold_response(&router->exchange);
}

static void on_downstream_low(struct nu_filter *self)
{
    struct router *router = router_of(self);
    if (router->forwarding)
        nu_exchange_release_response(&router->exchange);
}

static void open_filter(struct nu_filter *self)
{
    struct router *router = router_of(self);
    const struct nu_route_match *match = match_of(router);
    router->stats = nu_stat_set_block(config_of(router)->stats);
    self->chain->decode_metadata = decode_metadata;
    if (nu_likely(match->route && match->route->action == NU_ROUTE_CLUSTER))
        find_cluster(router);
}

static void close_filter(struct nu_filter *self)
{
    struct router *router = router_of(self);
    if (router->forwarding)
        nu_exchange_cancel(&router->exchange);
}

const struct nu_filter_class nu_router_filter = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "envoy.filters.http.router",
    .instance_size = sizeof(struct router),
    .is_terminal = true,
    .open = open_filter,
    .close = close_filter,
    .decode_headers = decode_headers,
    .decode_data = decode_data,
    .decode_trailers = decode_trailers,
    .on_downstream_high = on_downstream_high,
    .on_downstream_low = on_downstream_low,
};
