/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter looks at requests whose route leads to a forward proxy's cluster. A name that its DNS
 * cache knows passes at once; another one waits, with the sender held back over the buffer limit,
 * until the main thread has asked for it. Without an address the request ends here.
 */
#include "filters/http/dynamic_forward_proxy/dynamic_forward_proxy.h"

#include "http/authority.h"
#include "http/filter_state.h"
#include "upstream/cluster.h"
#include "upstream/dns_cache/dns_cache_from_proto.h"

#include "envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy.pb-c.h"

typedef Envoy__Extensions__Filters__Http__DynamicForwardProxy__V3__FilterConfig config_proto;
typedef Envoy__Extensions__Filters__Http__DynamicForwardProxy__V3__PerRouteConfig route_proto;

struct config {
    struct nu_dns_cache *cache; /* borrowed: the cluster manager's */
    bool saves_address;
    bool looks_at_state;
};

struct route_config {
    struct nu_str literal; /* takes the place of the host; empty: does not */
    struct nu_str header;  /* lower-case: its first value does; empty: none */
};

struct filter {
    struct nu_filter base;
    struct nu_dns_cache_wait wait;
};

static struct filter *filter_of(struct nu_filter *self)
{
    return nu_container_of(self, struct filter, base);
}

static const struct config *config_of(const struct filter *filter)
{
    return filter->base.config;
}

/* --- Answers ---------------------------------------------------------------------------------- */

static void answer_overflow(struct filter *filter)
{
    nu_filter_reply(&filter->base, 503, NU_STR("DNS cache overflow"), NU_STR("dns_cache_overflow"));
}

static void answer_pending_overflow(struct filter *filter)
{
    nu_filter_reply(&filter->base, 503, NU_STR("Dynamic forward proxy pending request overflow"),
                    NU_STR("dynamic_forward_proxy_pending_request_overflow"));
}

static void answer_empty_host(struct filter *filter)
{
    nu_filter_reply(&filter->base, 400, NU_STR("Empty host header"), NU_STR("empty_host_header"));
}

static void answer_failure(struct filter *filter, const struct nu_dns_result *result)
{
    struct nu_filter_chain *chain = filter->base.chain;
    nu_stream_info_set_flag(chain->info, NU_FLAG_DNS_RESOLUTION_FAILED);
    nu_filter_reply(&filter->base, 503, NU_STR("DNS resolution failure"),
                    nu_arena_dup(chain->arena, result->details));
}

/* --- The address ------------------------------------------------------------------------------ */

/* It has no text, as in Envoy. */
static const struct nu_filter_state_class address_class = {.name = "upstream_address"};

static void save_address(struct filter *filter, const struct nu_dns_result *result)
{
    struct nu_stream_info *info = filter->base.chain->info;
    if (nu_likely(!config_of(filter)->saves_address))
        return;
    struct nu_address *address = nu_arena_alloc(filter->base.chain->arena, sizeof(*address));
    *address = result->address;
    const struct nu_filter_state_object object = {
        .name = NU_STR("envoy.stream.upstream_address"),
        .object_class = &address_class,
        .object = address,
        .life = NU_FILTER_STATE_REQUEST,
    };
    enum nu_result result_of_set = nu_stream_info_set_state(info, &object);
    (void)result_of_set; /* an earlier filter may have fixed it */
}

/* Whether the request may go on; else it was answered. */
static bool take_result(struct filter *filter, const struct nu_dns_result *result)
{
    if (result->has_address)
        save_address(filter, result);
    else
        answer_failure(filter, result);
    return result->has_address;
}

static void on_result(struct nu_dns_cache_wait *wait, const struct nu_dns_result *result)
{
    struct filter *filter = nu_container_of(wait, struct filter, wait);
    if (!result)
        answer_overflow(filter);
    else if (take_result(filter, result))
        nu_filter_continue_decoding(&filter->base);
}

/* --- The request ------------------------------------------------------------------------------ */

/* The forward proxy's cluster that the route leads to; NULL if it leads elsewhere. */
static const struct nu_forward_proxy *find_proxy(const struct filter *filter)
{
    struct nu_filter_chain *chain = filter->base.chain;
    const struct nu_route_match *match = chain->ops->route(chain);
    if (!match->route || match->route->action != NU_ROUTE_CLUSTER)
        return NULL;
    const struct nu_cluster_local *local =
        nu_cluster_table_find_again(chain->loop->clusters, match->cluster);
    return local ? local->cluster->forward_proxy : NULL;
}

static void rewrite_host(const struct filter *filter, struct nu_headers *headers)
{
    const struct route_config *route = filter->base.route_config;
    if (nu_likely(!route))
        return;
    if (route->literal.len)
        nu_headers_set_id(headers, NU_HEADER_AUTHORITY, route->literal);
    if (route->header.len && nu_headers_get(headers, route->header).ptr)
        nu_headers_set_id(headers, NU_HEADER_AUTHORITY, nu_headers_get(headers, route->header));
}

static struct nu_dns_cache_name name_of(const struct filter *filter,
                                        const struct nu_forward_proxy *proxy,
                                        const struct nu_headers *headers)
{
    struct nu_dns_cache_name name = {nu_headers_get_id(headers, NU_HEADER_AUTHORITY),
                                     proxy->default_port};
    if (nu_unlikely(config_of(filter)->looks_at_state))
        nu_forward_proxy_find_state(filter->base.chain->info, &name);
    return name;
}

static enum nu_headers_status look_up(struct filter *filter, const struct nu_dns_cache_name *name)
{
    const struct nu_dns_result *result;
    struct nu_cluster_table *clusters = filter->base.chain->loop->clusters;
    filter->wait.on_result = on_result;
    switch (nu_dns_cache_find(clusters, config_of(filter)->cache, name, &filter->wait, &result)) {
    case NU_DNS_CACHE_KNOWN:
        return take_result(filter, result) ? NU_HEADERS_CONTINUE : NU_HEADERS_STOP;
    case NU_DNS_CACHE_LOADING:
        return NU_HEADERS_STOP_ALL_AND_WATERMARK;
    case NU_DNS_CACHE_OVERFLOW:
        break;
    }
    answer_overflow(filter);
    return NU_HEADERS_STOP;
}

static enum nu_headers_status decode_headers(struct nu_filter *self, struct nu_headers *headers,
                                             bool end)
{
    struct filter *filter = filter_of(self);
    const struct nu_forward_proxy *proxy = find_proxy(filter);
    (void)end;
    if (!proxy)
        return NU_HEADERS_CONTINUE;
    rewrite_host(filter, headers);
    if (!nu_dns_cache_allows(self->chain->loop->clusters, config_of(filter)->cache)) {
        answer_pending_overflow(filter);
        return NU_HEADERS_STOP;
    }
    const struct nu_dns_cache_name name = name_of(filter, proxy, headers);
    if (!name.host.len) {
        answer_empty_host(filter);
        return NU_HEADERS_STOP;
    }
    return look_up(filter, &name);
}

static void close_filter(struct nu_filter *self)
{
    nu_dns_cache_wait_cancel(&filter_of(self)->wait);
}

static const struct nu_filter_class dynamic_forward_proxy_class = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "envoy.filters.http.dynamic_forward_proxy",
    .instance_size = sizeof(struct filter),
    .decode_headers = decode_headers,
    .close = close_filter,
};

/* --- Configuration ---------------------------------------------------------------------------- */

static bool create(struct nu_factory *factory, const ProtobufCMessage *message,
                   const struct nu_filter_class **cls, const void **out)
{
    const config_proto *proto = (const void *)message;
    struct config *config = nu_arena_calloc(factory->arena, sizeof(*config));
    config->cache = nu_dns_cache_from_proto(factory, proto, proto->dns_cache_config);
    config->saves_address = proto->save_upstream_address;
    config->looks_at_state = proto->allow_dynamic_host_from_filter_state;
    *cls = &dynamic_forward_proxy_class;
    *out = config;
    return config->cache != NULL;
}

static bool create_route(struct nu_factory *factory, const ProtobufCMessage *message,
                         const struct nu_filter_class **cls, const void **out)
{
    const route_proto *proto = (const void *)message;
    struct route_config *config = nu_arena_calloc(factory->arena, sizeof(*config));
    switch (proto->host_rewrite_specifier_case) {
    case ENVOY__EXTENSIONS__FILTERS__HTTP__DYNAMIC_FORWARD_PROXY__V3__PER_ROUTE_CONFIG__HOST_REWRITE_SPECIFIER_HOST_REWRITE_LITERAL:
        config->literal = nu_arena_dup(factory->arena, nu_str_from(proto->host_rewrite_literal));
        break;
    case ENVOY__EXTENSIONS__FILTERS__HTTP__DYNAMIC_FORWARD_PROXY__V3__PER_ROUTE_CONFIG__HOST_REWRITE_SPECIFIER_HOST_REWRITE_HEADER:
        config->header = nu_authority_lower(
            factory->arena, nu_arena_dup(factory->arena, nu_str_from(proto->host_rewrite_header)));
        break;
    default:
        break;
    }
    *cls = &dynamic_forward_proxy_class;
    *out = config;
    return true;
}

const struct nu_filter_factory nu_dynamic_forward_proxy_factory = {
    .name = "envoy.filters.http.dynamic_forward_proxy",
    .type = "envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig",
    .route_type = "envoy.extensions.filters.http.dynamic_forward_proxy.v3.PerRouteConfig",
    .create = create,
    .create_route = create_route,
};
