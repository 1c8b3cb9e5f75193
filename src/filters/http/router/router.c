/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router: a thin filter over the exchange. What it adds is Envoy's words: which headers the
 * upstream and the client see (ENVOY_COMPAT 4.2, 4.3 and 5).
 */
#include "filters/http/router/router_internal.h"

#include "client/refusal.h"
#include "client/shadow.h"
#include "http/frame_metadata.h"
#include "http/grpc.h"
#include "http/lb_criteria.h"
#include "match/hash_policy.h"
#include "stats/http_stats.h"
#include "upstream/lb/lb_hash.h"
#include "upstream/lb/named_hosts.h"

static struct nu_router *router_of(struct nu_filter *self)
{
    return nu_container_of(self, struct nu_router, base);
}

/* --- The response ----------------------------------------------------------------------------- */

/* Milliseconds from the end of the request to now; unknown while it has not ended. */
static void set_service_time(struct nu_router *router, struct nu_headers *headers)
{
    uint64_t end_us = router->exchange.request_end_us;
    if (nu_router_config_of(router)->suppress_envoy_headers || !end_us)
        return;
    uint64_t us = nu_loop_now_us(router->base.chain->loop) - end_us;
    nu_headers_set_number(headers, NU_HEADER_X_ENVOY_UPSTREAM_SERVICE_TIME, us / 1000);
}

static void on_headers(struct nu_exchange *exchange, struct nu_headers *headers, bool end)
{
    struct nu_router *router = nu_router_of_exchange(exchange);
    const struct nu_route_match *match = nu_router_match(router);
    set_service_time(router, headers);
    for (struct nu_made_cookie *cookie = router->cookies; nu_unlikely(cookie != NULL);
         cookie = cookie->next)
        nu_headers_add_id(headers, NU_HEADER_SET_COOKIE, cookie->header);
    nu_router_info(router)->response_code = nu_headers_status(headers);
    nu_router_info(router)->response_code_details = NU_STR("via_upstream");
    nu_route_finalize_response(match, headers, nu_router_request(router), nu_router_info(router));
    if (nu_unlikely(match->virtual_host->include_attempt_count_in_response))
        nu_headers_set_number(headers, NU_HEADER_X_ENVOY_ATTEMPT_COUNT,
                              nu_router_info(router)->upstream.attempt_count);
    nu_chain_encode_headers(&router->base, headers, end);
}

static void on_data(struct nu_exchange *exchange, struct nu_buf *data, bool end)
{
    nu_chain_encode_data(&nu_router_of_exchange(exchange)->base, data, end);
}

static void on_trailers(struct nu_exchange *exchange, struct nu_headers *trailers)
{
    nu_chain_encode_trailers(&nu_router_of_exchange(exchange)->base, trailers);
}

static void on_metadata(struct nu_exchange *exchange, struct nu_frame_metadata *metadata)
{
    nu_chain_encode_metadata(&nu_router_of_exchange(exchange)->base, metadata);
}

static void on_1xx(struct nu_exchange *exchange, struct nu_headers *headers)
{
    nu_chain_encode_1xx(&nu_router_of_exchange(exchange)->base, headers);
}

static void on_above_high(struct nu_exchange *exchange)
{
    nu_filter_hold_request(&nu_router_of_exchange(exchange)->base);
}

static void on_below_low(struct nu_exchange *exchange)
{
    nu_filter_release_request(&nu_router_of_exchange(exchange)->base);
}

static void on_host(struct nu_exchange *exchange, const struct nu_host *host)
{
    struct nu_router *router = nu_router_of_exchange(exchange);
    const struct nu_route_match *match = nu_router_match(router);
    if (nu_unlikely(match->route->auto_host_rewrite))
        nu_route_rewrite_host(match, exchange->request_headers, host->hostname,
                              nu_router_config_of(router)->suppress_envoy_headers);
}

static void on_retry(struct nu_exchange *exchange, bool after_timeout)
{
    struct nu_router *router = nu_router_of_exchange(exchange);
    const struct nu_virtual_host *host = nu_router_match(router)->virtual_host;
    const struct nu_stream_info *info = nu_router_info(router);
    struct nu_headers *headers = exchange->request_headers;
    uint64_t end_us = exchange->request_end_us;
    uint64_t elapsed_us = end_us ? nu_loop_now_us(router->base.chain->loop) - end_us : 0;
    if (host->include_request_attempt_count)
        nu_headers_set_number(headers, NU_HEADER_X_ENVOY_ATTEMPT_COUNT,
                              info->upstream.attempt_count);
    if (host->include_is_timeout_retry_header)
        nu_headers_set_id(headers, NU_HEADER_X_ENVOY_IS_TIMEOUT_RETRY,
                          after_timeout ? NU_STR("true") : NU_STR("false"));
    nu_request_limits_tell(&router->limits, headers, elapsed_us / 1000,
                           !nu_router_config_of(router)->suppress_envoy_headers);
}

static const struct nu_exchange_ops exchange_ops = {
    .on_retry = on_retry,
    .diverts = nu_router_diverts,
    .on_host = on_host,
    .on_1xx = on_1xx,
    .on_headers = on_headers,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_metadata = on_metadata,
    .on_failed = nu_router_on_failed,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
};

/* --- The request ------------------------------------------------------------------------------ */

/* Why the cluster does not take the request; NULL if it does. */
static const struct nu_router_refusal *refusal_of(struct nu_router *router,
                                                  struct nu_cluster_local *cluster)
{
    switch (nu_refusal_of(cluster, router->base.chain->arena)) {
    case NU_NOT_REFUSED:
        return NULL;
    case NU_REFUSED_IN_MAINTENANCE:
        return &nu_router_maintenance;
    case NU_REFUSED_SOME:
        return &nu_router_dropped;
    case NU_REFUSED_ALL:
        return &nu_router_all_dropped;
    }
    return NULL;
}

/* Looks for the route's cluster, and tells the stream, which may end before it comes to us. */
static void find_cluster(struct nu_router *router, struct nu_str name)
{
    router->cluster = nu_cluster_table_find_again(router->base.chain->loop->clusters, name);
    router->cluster_name = name;
    if (nu_unlikely(!router->cluster))
        return;
    const struct nu_cluster *cluster = router->cluster->cluster;
    struct nu_upstream_info *info = &nu_router_info(router)->upstream;
    info->cluster = cluster->name;
    info->cluster_observability = cluster->observability_name;
    info->cluster_metadata = cluster->metadata;
}

/* Health checks are no traffic. */
static enum nu_charging charging_of(const struct nu_router *router,
                                    const struct nu_headers *headers)
{
    const struct nu_router_config *config = nu_router_config_of(router);
    if (nu_unlikely(!config->charges_answers || router->base.chain->info->is_health_check))
        return NU_CHARGE_NOTHING;
    if (nu_unlikely(config->hides_grpc_codes) &&
        nu_grpc_is_content_type(nu_headers_get_id(headers, NU_HEADER_CONTENT_TYPE)))
        return NU_CHARGE_COMPLETED;
    return NU_CHARGE_CODE;
}

/* Whether the request's body is to be the upstream's bytes: as the route has it, or NULL. */
static const struct nu_route_connect *raw_of(struct nu_router *router, const struct nu_route *route,
                                             const struct nu_headers *headers)
{
    const struct nu_route_connect *connect = route->connect;
    if (nu_likely(!connect))
        return NULL;
    if (nu_router_info(router)->tunnel == NU_TUNNEL_CONNECT)
        return connect;
    bool is_post = nu_str_eq(nu_headers_get_id(headers, NU_HEADER_METHOD), NU_STR("POST"));
    return is_post && connect->allow_post ? connect : NULL;
}

/* Finds out where the request is counted beside its cluster, while it is as the client sent it. */
static void find_stats(struct nu_router *router, const struct nu_route_match *match,
                       const struct nu_headers *headers)
{
    size_t count = 0;
    if (nu_unlikely(match->virtual_host->has_virtual_clusters)) {
        const struct nu_virtual_cluster *cluster = nu_route_virtual_cluster(match, headers);
        nu_router_info(router)->virtual_cluster_name = cluster->name;
        router->also[count++] = nu_stat_set_block(cluster->stats);
    }
    if (nu_unlikely(match->route->stats != NULL))
        router->also[count++] = nu_stat_set_block(match->route->stats);
    router->also[count] = NULL;
}

static struct nu_route_stats *const *also_of(const struct nu_router *router)
{
    return nu_unlikely(router->also[0] != NULL) ? router->also : NULL;
}

/* What balancers of the cluster may go by. Cookies are only made where they ask for a hash. */
static void complete_context(struct nu_router *router, struct nu_lb_context *context,
                             struct nu_cluster_local *cluster, const struct nu_headers *headers)
{
    struct nu_stream_info *info = nu_router_info(router);
    const struct nu_route_match *match = &router->match;
    const struct nu_lb_class *cls = cluster->cluster->lb_class;
    const struct nu_hash_policy *policy = match->route->hash_policy;
    if (nu_unlikely(cluster->cluster->hash && cluster->cluster->hash->policy))
        policy = cluster->cluster->hash->policy;
    if (nu_unlikely(cluster->cluster->original_dst != NULL))
        context->destination = nu_original_dst_find(cluster, info, headers);
    if (nu_unlikely(cluster->cluster->forward_proxy != NULL))
        context->host_name = nu_forward_proxy_name(cluster, info, headers);
    if (nu_unlikely(policy && cls->uses_hash && !context->has_hash))
        context->has_hash =
            nu_hash_policy_eval(policy, headers, info, &router->cookies, &context->hash);
    if (nu_unlikely(cls->uses_criteria))
        context->criteria = nu_lb_criteria_merge(nu_route_criteria(match),
                                                 nu_lb_criteria_of(info->dynamic_metadata),
                                                 router->base.chain->arena);
    if (nu_unlikely(cluster->cluster->named != NULL)) {
        if (!router->named)
            router->named = nu_named_hosts_find(cluster->cluster->named, headers, info);
        context->named = router->named;
    }
}

/* The same for a cluster that an aggregate chose; a hash is kept for further tries. */
static void complete_for_aggregate(const struct nu_lb_context *context, struct nu_lb_context *inner,
                                   struct nu_cluster_local *cluster)
{
    const struct nu_router *found =
        nu_container_of(context, const struct nu_router, exchange.params.lb);
    struct nu_router *router = nu_unconst(found);
    complete_context(router, inner, cluster, router->exchange.request_headers);
    router->exchange.params.lb.has_hash = inner->has_hash;
    router->exchange.params.lb.hash = inner->hash;
}

static void start_with_copies(struct nu_router *router, struct nu_headers *headers, bool end)
{
    struct nu_exchange *exchange = &router->exchange;
    struct nu_list *shadows = nu_router_mirror_prepare(router, headers, exchange->params.charging);
    bool has_host = nu_exchange_start(exchange, headers, end);
    if (shadows && has_host)
        nu_router_mirror_start(router, shadows, end);
    else if (shadows)
        nu_shadows_cancel(shadows);
}

/* What the exchange is to do; the headers are as the upstream is to see them. All that is not said
 * here is zero from the beginning. */
static void fill_params(struct nu_router *router, struct nu_headers *headers)
{
    const struct nu_route *route = router->match.route;
    const struct nu_request_limits *limits = &router->limits;
    struct nu_filter_chain *chain = router->base.chain;
    struct nu_exchange_params *params = &router->exchange.params;
    params->cluster = router->cluster;
    params->priority = route->is_high_priority ? NU_PRIORITY_HIGH : NU_PRIORITY_DEFAULT;
    params->lb.override_host = chain->override_host;
    params->lb.complete = complete_for_aggregate;
    complete_context(router, &params->lb, router->cluster, headers);
    params->timeout_ms = limits->timeout_ms;
    params->timeout_status = limits->alt_response ? 204 : 504;
    params->is_internal = chain->info->is_internal;
    params->charging = charging_of(router, headers);
    params->also = also_of(router);
    params->tunnel = (enum nu_tunnel)chain->info->tunnel;
    params->asks_first = router->redirect != NULL;
    params->raw = raw_of(router, route, headers);
    params->retry = limits->rules;
    params->body_limit =
        nu_request_body_limit(route, nu_filter_decoder_buffer_limit(&router->base));
    params->metadata = router->metadata;
}

static void forward(struct nu_router *router, const struct nu_route_match *match,
                    struct nu_headers *headers, bool end)
{
    const struct nu_route *route = match->route;
    struct nu_filter_chain *chain = router->base.chain;
    bool suppress = nu_router_config_of(router)->suppress_envoy_headers;
    nu_route_finalize_request(match, headers, chain->info, suppress);
    if (nu_unlikely(chain->info->scheme_follows_upstream))
        nu_headers_set_id(headers, NU_HEADER_SCHEME, NU_STR("http"));
    const struct nu_request_limits_input input = {
        .respects_expected = nu_router_config_of(router)->respect_expected_rq_timeout,
        .tells_upstream = !suppress,
    };
    nu_request_limits_read(&router->limits, route, headers, &input);
    if (nu_unlikely(match->virtual_host->include_request_attempt_count))
        nu_headers_set_id(headers, NU_HEADER_X_ENVOY_ATTEMPT_COUNT, NU_STR("1"));
    router->exchange.ops = &exchange_ops;
    router->exchange.arena = chain->arena;
    router->exchange.info = chain->info;
    router->match = *match;
    router->forwarding = true;
    if (nu_unlikely(route->internal_redirect != NULL))
        nu_router_redirect_prepare(router);
    fill_params(router, headers);
    if (nu_likely(!route->mirrors))
        nu_exchange_start(&router->exchange, headers, end);
    else
        start_with_copies(router, headers, end);
}

/* Whether two views are of the same bytes. */
static bool is_same(struct nu_str a, struct nu_str b)
{
    return a.ptr == b.ptr && a.len == b.len;
}

static void route_request(struct nu_router *router, const struct nu_route_match *match,
                          struct nu_headers *headers, bool end)
{
    if (nu_unlikely(!router->cluster || !is_same(router->cluster_name, match->cluster)))
        find_cluster(router, match->cluster);
    struct nu_cluster_local *cluster = router->cluster;
    if (nu_unlikely(!cluster)) {
        nu_router_answer_no_cluster(router);
        return;
    }
    find_stats(router, match, headers);
    if (nu_unlikely(nu_router_config_of(router)->strict_headers) &&
        nu_router_answer_bad_header(router, headers))
        return;
    const struct nu_router_refusal *refusal = refusal_of(router, cluster);
    if (nu_unlikely(refusal != NULL)) {
        const struct nu_exchange_params params = {
            .cluster = cluster,
            .is_internal = nu_router_info(router)->is_internal,
            .charging = charging_of(router, headers),
            .also = also_of(router),
        };
        nu_exchange_count_refused(&params);
        nu_router_answer_refused(router, refusal);
        return;
    }
    struct nu_str method = nu_headers_get_id(headers, NU_HEADER_METHOD);
    bool is_whole = method.ptr && !nu_str_eq(method, NU_STR("CONNECT")) &&
                    nu_headers_has_id(headers, NU_HEADER_PATH);
    if (nu_unlikely(!is_whole) && nu_router_answer_incomplete(router, headers))
        return;
    forward(router, match, headers, end);
}

/* The cluster of an earlier route is none of a request that goes to no cluster now. */
static void forget_cluster(struct nu_router *router)
{
    struct nu_upstream_info *info = &nu_router_info(router)->upstream;
    router->cluster = NULL;
    info->cluster = info->cluster_observability = nu_str_make(NULL, 0);
    info->cluster_metadata = NULL;
}

static NU_NOINLINE void answer_without_cluster(struct nu_router *router,
                                               const struct nu_route_match *match)
{
    if (router->cluster)
        forget_cluster(router);
    if (match->needs_tls || (match->route && match->route->action == NU_ROUTE_REDIRECT))
        nu_router_answer_redirect(router);
    else if (!match->route)
        nu_router_answer_no_route(router);
    else if (match->route->action == NU_ROUTE_DIRECT_RESPONSE)
        nu_router_answer_direct(router);
    else
        nu_router_answer_no_cluster(router);
}

/* --- The filter ------------------------------------------------------------------------------- */

static enum nu_headers_status decode_headers(struct nu_filter *self, struct nu_headers *headers,
                                             bool end)
{
    struct nu_router *router = router_of(self);
    const struct nu_route_match *match = nu_router_match(router);
    nu_counter_inc(&router->stats->rq_total);
    bool forwards = match->route && match->route->action == NU_ROUTE_CLUSTER && !match->needs_tls;
    if (nu_likely(forwards))
        route_request(router, match, headers, end);
    else
        answer_without_cluster(router, match);
    return NU_HEADERS_STOP;
}

static enum nu_data_status decode_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    struct nu_router *router = router_of(self);
    if (nu_unlikely(router->shadows != NULL))
        nu_router_mirror_data(router, data, end);
    if (nu_unlikely(router->redirect != NULL))
        nu_router_redirect_keep(router, data);
    if (router->forwarding)
        nu_exchange_send_data(&router->exchange, data, end);
    return NU_DATA_STOP_NO_BUFFER;
}

static enum nu_trailers_status decode_trailers(struct nu_filter *self, struct nu_headers *trailers)
{
    struct nu_router *router = router_of(self);
    if (nu_unlikely(router->shadows != NULL))
        nu_router_mirror_trailers(router, trailers);
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
    struct nu_router *router = router_of(self);
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
    struct nu_router *router = router_of(self);
    if (router->forwarding)
        nu_exchange_hold_response(&router->exchange);
}

static void on_downstream_low(struct nu_filter *self)
{
    struct nu_router *router = router_of(self);
    if (router->forwarding)
        nu_exchange_release_response(&router->exchange);
}

static void open_filter(struct nu_filter *self)
{
    struct nu_router *router = router_of(self);
    const struct nu_route_match *match = nu_router_match(router);
    router->stats = nu_stat_set_block(nu_router_config_of(router)->stats);
    self->chain->decode_metadata = decode_metadata;
    if (nu_likely(match->route && match->route->action == NU_ROUTE_CLUSTER))
        find_cluster(router, match->cluster);
}

static void close_filter(struct nu_filter *self)
{
    struct nu_router *router = router_of(self);
    if (nu_unlikely(router->shadows != NULL))
        nu_router_mirror_cancel(router);
    if (nu_unlikely(router->redirect != NULL))
        nu_router_redirect_drop(router);
    if (router->forwarding)
        nu_exchange_cancel(&router->exchange);
}

const struct nu_filter_class nu_router_filter = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "envoy.filters.http.router",
    .instance_size = sizeof(struct nu_router),
    .zeroed_size = NU_ROUTER_ZEROED,
    .is_terminal = true,
    .open = open_filter,
    .close = close_filter,
    .decode_headers = decode_headers,
    .decode_data = decode_data,
    .decode_trailers = decode_trailers,
    .on_downstream_high = on_downstream_high,
    .on_downstream_low = on_downstream_low,
};
