/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a cluster: settings with Envoy's defaults, limits, the kind of cluster. HTTP protocol
 * options come from typed_extension_protocol_options, or from the older fields of the cluster
 * itself.
 */
#include "upstream/cluster_from_proto.h"

#include "codec/h1_from_proto.h"
#include "codec/h2_from_proto.h"
#include "config/values.h"
#include "http/authority.h"
#include "http/metadata_from_proto.h"
#include "match/predicate.h"
#include "upstream/hosts/bind.h"
#include "upstream/cluster_from_proto_internal.h"

#include "envoy/extensions/clusters/aggregate/v3/cluster.pb-c.h"
#include "envoy/extensions/clusters/dns/v3/dns_cluster.pb-c.h"
#include "envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster.pb-c.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb-c.h"

typedef Envoy__Config__Cluster__V3__Cluster cluster_proto;

#define AGGREGATE &envoy__extensions__clusters__aggregate__v3__cluster_config__descriptor
#define FORWARD_PROXY \
    &envoy__extensions__clusters__dynamic_forward_proxy__v3__cluster_config__descriptor

#define HTTP_OPTIONS_KEY "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

/* --- Limits ----------------------------------------------------------------------------------- */

typedef Envoy__Config__Cluster__V3__CircuitBreakers__Thresholds thresholds_proto;

static enum nu_priority priority_of(const thresholds_proto *proto)
{
    bool high = proto->priority == ENVOY__CONFIG__CORE__V3__ROUTING_PRIORITY__HIGH;
    return high ? NU_PRIORITY_HIGH : NU_PRIORITY_DEFAULT;
}

static struct nu_retry_budget read_budget(const thresholds_proto *proto)
{
    struct nu_retry_budget budget = nu_breaker_limits_default.retry_budget;
    if (!proto->retry_budget)
        return budget;
    budget.is_set = true;
    budget.min_concurrency =
        nu_u32_or(proto->retry_budget->min_retry_concurrency, budget.min_concurrency);
    if (proto->retry_budget->budget_percent)
        budget.percent = proto->retry_budget->budget_percent->value;
    return budget;
}

static void read_limits(struct nu_cluster *cluster, const thresholds_proto *proto)
{
    struct nu_breaker_limits limits = nu_breaker_limits_default;
    uint32_t *max = limits.max;
    max[NU_BREAKER_POOLS] = nu_u32_or(proto->max_connection_pools, max[NU_BREAKER_POOLS]);
    max[NU_BREAKER_CONNECTIONS] = nu_u32_or(proto->max_connections, max[NU_BREAKER_CONNECTIONS]);
    max[NU_BREAKER_PENDING] = nu_u32_or(proto->max_pending_requests, max[NU_BREAKER_PENDING]);
    max[NU_BREAKER_REQUESTS] = nu_u32_or(proto->max_requests, max[NU_BREAKER_REQUESTS]);
    max[NU_BREAKER_RETRIES] = nu_u32_or(proto->max_retries, max[NU_BREAKER_RETRIES]);
    limits.track_remaining = proto->track_remaining;
    limits.retry_budget = read_budget(proto);
    nu_cluster_set_limits(cluster, priority_of(proto), &limits);
}

/* Of a host only connections can be limited. */
static void read_host_limits(struct nu_factory *factory, struct nu_cluster *cluster,
                             const thresholds_proto *proto)
{
    static const char *const unsupported[] = {"max_pending_requests", "max_requests", "max_retries",
                                              "max_connection_pools", "retry_budget"};
    const void *const given[] = {proto->max_pending_requests, proto->max_requests,
                                 proto->max_retries, proto->max_connection_pools,
                                 proto->retry_budget};
    for (size_t i = 0; i < NU_ARRAY_LEN(given); i++) {
        if (given[i])
            nu_config_error(factory->ctx, proto, unsupported[i],
                            "unsupported field in per_host_thresholds");
    }
    if (proto->track_remaining)
        nu_config_warn(factory->ctx, proto, "track_remaining", "has no effect on single hosts");
    if (proto->max_connections)
        cluster->breakers[priority_of(proto)].max_host_connections = proto->max_connections->value;
}

/* The first of a priority counts, as in Envoy. */
static const thresholds_proto *find_thresholds(thresholds_proto *const *list, size_t count,
                                               enum nu_priority priority)
{
    for (size_t i = 0; i < count; i++) {
        if (priority_of(list[i]) == priority)
            return list[i];
    }
    return NULL;
}

static void read_circuit_breakers(struct nu_factory *factory, struct nu_cluster *cluster,
                                  const cluster_proto *proto)
{
    const Envoy__Config__Cluster__V3__CircuitBreakers *breakers = proto->circuit_breakers;
    if (!breakers)
        return;
    for (int i = 0; i < NU_PRIORITY_COUNT; i++) {
        enum nu_priority priority = (enum nu_priority)i;
        const thresholds_proto *limits =
            find_thresholds(breakers->thresholds, breakers->n_thresholds, priority);
        const thresholds_proto *of_host = find_thresholds(
            breakers->per_host_thresholds, breakers->n_per_host_thresholds, priority);
        if (limits)
            read_limits(cluster, limits);
        if (of_host)
            read_host_limits(factory, cluster, of_host);
    }
}

/* --- Protocol options ------------------------------------------------------------------------- */

typedef Envoy__Extensions__Upstreams__Http__V3__HttpProtocolOptions http_proto;

static void read_common_http(struct nu_factory *factory, struct nu_cluster_options *options,
                             const Envoy__Config__Core__V3__HttpProtocolOptions *proto)
{
    if (!proto)
        return;
    struct nu_config_ctx *ctx = factory->ctx;
    options->idle_timeout_ms = nu_config_duration_ms(ctx, proto, "idle_timeout",
                                                     proto->idle_timeout, options->idle_timeout_ms);
    options->max_connection_duration_ms = nu_config_duration_ms(
        ctx, proto, "max_connection_duration", proto->max_connection_duration, 0);
    options->max_stream_duration_ms =
        nu_config_duration_ms(ctx, proto, "max_stream_duration", proto->max_stream_duration, 0);
    options->max_requests_per_connection =
        nu_u32_or(proto->max_requests_per_connection, options->max_requests_per_connection);
    options->h1.max_headers = nu_u32_or(proto->max_headers_count, options->h1.max_headers);
    options->h2.max_headers = options->h1.max_headers;
    if (proto->max_response_headers_kb)
        options->h1.max_head_bytes = options->h2.max_head_bytes =
            proto->max_response_headers_kb->value * 1024;
}

static void read_versions(struct nu_factory *factory, struct nu_cluster_options *options,
                          const Envoy__Config__Core__V3__Http1ProtocolOptions *h1,
                          const Envoy__Config__Core__V3__Http2ProtocolOptions *h2)
{
    if (h1)
        nu_h1_options_from_proto(factory, &options->h1, h1);
    nu_h2_options_from_proto(factory, &options->h2, h2);
}

static void read_explicit(
    struct nu_factory *factory, struct nu_cluster *cluster,
    const Envoy__Extensions__Upstreams__Http__V3__HttpProtocolOptions__ExplicitHttpConfig *proto)
{
    bool is_h2 =
        proto->protocol_config_case ==
        ENVOY__EXTENSIONS__UPSTREAMS__HTTP__V3__HTTP_PROTOCOL_OPTIONS__EXPLICIT_HTTP_CONFIG__PROTOCOL_CONFIG_HTTP2_PROTOCOL_OPTIONS;
    nu_cluster_set_http(cluster, is_h2 ? NU_CLUSTER_HTTP2 : NU_CLUSTER_HTTP1);
    read_versions(factory, &cluster->options, is_h2 ? NULL : proto->http_protocol_options,
                  is_h2 ? proto->http2_protocol_options : NULL);
}

static void read_names(struct nu_factory *factory, struct nu_cluster_options *options,
                       const Envoy__Config__Core__V3__UpstreamHttpProtocolOptions *proto)
{
    if (!proto)
        return;
    options->auto_sni = proto->auto_sni;
    options->auto_san = proto->auto_san_validation;
    options->auto_sni_header =
        nu_authority_lower(factory->arena, nu_str_from(proto->override_auto_sni_header));
}

static void read_error_matcher(
    struct nu_factory *factory, struct nu_cluster *cluster,
    const Envoy__Extensions__Upstreams__Http__V3__HttpProtocolOptions__OutlierDetection *proto)
{
    const struct nu_match_factory match = {factory->ctx, &cluster->arena, factory->runtime};
    if (proto)
        cluster->options.error_matcher =
            nu_match_predicate_from_proto(&match, proto->error_matcher);
}

static void read_http_extension(struct nu_factory *factory, struct nu_cluster *cluster,
                                const http_proto *proto)
{
    read_common_http(factory, &cluster->options, proto->common_http_protocol_options);
    read_names(factory, &cluster->options, proto->upstream_http_protocol_options);
    read_error_matcher(factory, cluster, proto->outlier_detection);
    switch (proto->upstream_protocol_options_case) {
    case ENVOY__EXTENSIONS__UPSTREAMS__HTTP__V3__HTTP_PROTOCOL_OPTIONS__UPSTREAM_PROTOCOL_OPTIONS_USE_DOWNSTREAM_PROTOCOL_CONFIG:
        nu_cluster_set_http(cluster, NU_CLUSTER_AS_DOWNSTREAM);
        read_versions(factory, &cluster->options,
                      proto->use_downstream_protocol_config->http_protocol_options,
                      proto->use_downstream_protocol_config->http2_protocol_options);
        return;
    case ENVOY__EXTENSIONS__UPSTREAMS__HTTP__V3__HTTP_PROTOCOL_OPTIONS__UPSTREAM_PROTOCOL_OPTIONS_AUTO_CONFIG:
        nu_cluster_set_http(cluster, NU_CLUSTER_AGREED);
        read_versions(factory, &cluster->options, proto->auto_config->http_protocol_options,
                      proto->auto_config->http2_protocol_options);
        return;
    default: /* one is required */
        read_explicit(factory, cluster, proto->explicit_http_config);
    }
}

/* The extension's message; NULL without one. */
static const http_proto *find_http_extension(struct nu_factory *factory, const cluster_proto *proto)
{
    const ProtobufCMessage *found = NULL;
    for (size_t i = 0; i < proto->n_typed_extension_protocol_options; i++) {
        const Envoy__Config__Cluster__V3__Cluster__TypedExtensionProtocolOptionsEntry *entry =
            proto->typed_extension_protocol_options[i];
        if (strcmp(entry->key, HTTP_OPTIONS_KEY) == 0)
            found = nu_config_any_of(
                factory->ctx, proto, "typed_extension_protocol_options", entry->value,
                &envoy__extensions__upstreams__http__v3__http_protocol_options__descriptor);
        else
            nu_config_error_at(factory->ctx, proto, "typed_extension_protocol_options", i,
                               "'%s' is not implemented by nuncio (only %s is)", entry->key,
                               HTTP_OPTIONS_KEY);
    }
    return (const http_proto *)found;
}

/* The older fields, which count where there is no extension. */
static void read_old_fields(struct nu_factory *factory, struct nu_cluster *cluster,
                            const cluster_proto *proto)
{
    bool follows =
        proto->protocol_selection ==
        ENVOY__CONFIG__CLUSTER__V3__CLUSTER__CLUSTER_PROTOCOL_SELECTION__USE_DOWNSTREAM_PROTOCOL;
    read_common_http(factory, &cluster->options, proto->common_http_protocol_options);
    if (follows)
        nu_cluster_set_http(cluster, NU_CLUSTER_AS_DOWNSTREAM);
    else if (proto->http2_protocol_options)
        nu_cluster_set_http(cluster, NU_CLUSTER_HTTP2);
    read_versions(factory, &cluster->options, proto->http_protocol_options,
                  proto->http2_protocol_options);
}

static void read_protocol_options(struct nu_factory *factory, struct nu_cluster *cluster,
                                  const cluster_proto *proto)
{
    const http_proto *extension = find_http_extension(factory, proto);
    if (extension)
        read_http_extension(factory, cluster, extension);
    else
        read_old_fields(factory, cluster, proto);
}

static void read_happy_eyeballs(struct nu_happy_eyeballs *out, const cluster_proto *proto)
{
    const Envoy__Config__Cluster__V3__UpstreamConnectionOptions__HappyEyeballsConfig *config =
        proto->upstream_connection_options
            ? proto->upstream_connection_options->happy_eyeballs_config
            : NULL;
    if (!config)
        return;
    if (config->first_address_family_version ==
        ENVOY__CONFIG__CLUSTER__V3__UPSTREAM_CONNECTION_OPTIONS__FIRST_ADDRESS_FAMILY_VERSION__V4)
        out->first_family = NU_ADDRESS_IPV4;
    if (config->first_address_family_version ==
        ENVOY__CONFIG__CLUSTER__V3__UPSTREAM_CONNECTION_OPTIONS__FIRST_ADDRESS_FAMILY_VERSION__V6)
        out->first_family = NU_ADDRESS_IPV6;
    out->first_count = nu_u32_or(config->first_address_family_count, 1);
}

static void read_keepalive(struct nu_cluster_options *options, const cluster_proto *proto)
{
    const Envoy__Config__Core__V3__TcpKeepalive *keepalive =
        proto->upstream_connection_options ? proto->upstream_connection_options->tcp_keepalive
                                           : NULL;
    if (!keepalive)
        return;
    options->tcp_keepalive = true;
    options->keepalive_probes = nu_u32_or(keepalive->keepalive_probes, 0);
    options->keepalive_time_s = nu_u32_or(keepalive->keepalive_time, 0);
    options->keepalive_interval_s = nu_u32_or(keepalive->keepalive_interval, 0);
}

static void read_bind(struct nu_factory *factory, struct nu_cluster_options *options,
                      const cluster_proto *proto)
{
    const char *scope = nu_arena_printf(factory->arena, "Cluster %s", proto->name);
    options->bind = proto->upstream_bind_config
                        ? nu_bind_from_proto(factory, scope, proto->upstream_bind_config)
                        : factory->bind;
}

static void read_preconnect(struct nu_cluster_options *options, const cluster_proto *proto)
{
    const Envoy__Config__Cluster__V3__Cluster__PreconnectPolicy *policy = proto->preconnect_policy;
    if (policy && policy->per_upstream_preconnect_ratio)
        options->preconnect_ratio = (float)policy->per_upstream_preconnect_ratio->value;
    if (policy && policy->predictive_preconnect_ratio)
        options->predictive_ratio = (float)policy->predictive_preconnect_ratio->value;
}

static void read_transport(struct nu_factory *factory, struct nu_cluster *cluster,
                           const cluster_proto *proto)
{
    struct nu_strbuf scope = {0};
    nu_strbuf_add(&scope, NU_STR("cluster."));
    nu_stats_sanitize(&scope, cluster->observability_name);
    bool ok = nu_transport_socket_from_proto(factory, proto->transport_socket, true,
                                             nu_strbuf_str(&scope), &cluster->options.transport);
    (void)ok; /* the error is in the list */
    nu_transport_matches_from_proto(factory, cluster, proto, nu_strbuf_str(&scope));
    nu_strbuf_finish(&scope);
}

static bool agrees_on_protocol(const struct nu_cluster *cluster)
{
    for (size_t i = 0; i < cluster->transport_match_count; i++) {
        if (!nu_transport_socket_agrees_on_protocol(&cluster->transport_matches[i].socket))
            return false;
    }
    return nu_transport_socket_agrees_on_protocol(&cluster->options.transport);
}

static void check_agreement(struct nu_factory *factory, const struct nu_cluster *cluster,
                            const cluster_proto *proto)
{
    if (cluster->options.http == NU_CLUSTER_AGREED && !agrees_on_protocol(cluster))
        nu_config_error(factory->ctx, proto, "transport_socket",
                        "ALPN configured for cluster %s which has a non-ALPN transport socket",
                        proto->name);
}

/* track_cluster_stats hides the older field. */
static void read_tracking(struct nu_cluster *cluster, const cluster_proto *proto)
{
    const Envoy__Config__Cluster__V3__TrackClusterStats *tracked = proto->track_cluster_stats;
    nu_cluster_track(cluster, tracked ? tracked->timeout_budgets : proto->track_timeout_budgets,
                     tracked && tracked->request_response_sizes);
    cluster->shows_hosts = tracked && tracked->per_endpoint_stats;
}

static void read_options(struct nu_factory *factory, struct nu_cluster *cluster,
                         const cluster_proto *proto)
{
    struct nu_cluster_options *options = &cluster->options;
    options->connect_timeout_ms =
        (uint32_t)nu_config_duration_ms(factory->ctx, proto, "connect_timeout",
                                        proto->connect_timeout, options->connect_timeout_ms);
    options->buffer_limit_bytes =
        nu_u32_or(proto->per_connection_buffer_limit_bytes, options->buffer_limit_bytes);
    options->max_requests_per_connection = nu_u32_or(proto->max_requests_per_connection, 0);
    read_protocol_options(factory, cluster, proto);
    read_keepalive(options, proto);
    read_bind(factory, options, proto);
    read_preconnect(options, proto);
    read_tracking(cluster, proto);
    options->pools_per_connection = proto->connection_pool_per_downstream_connection;
    options->closes_unwell = proto->close_connections_on_host_health_failure;
    read_happy_eyeballs(&options->happy_eyeballs, proto);
    read_transport(factory, cluster, proto);
    check_agreement(factory, cluster, proto);
}

/* --- Kinds of cluster ------------------------------------------------------------------------- */

/* Kinds that Envoy has, by the names of their factories. */
static bool is_known_kind(struct nu_str name)
{
    return nu_str_starts_with(name, NU_STR("envoy.cluster.")) ||
           nu_str_starts_with(name, NU_STR("envoy.clusters."));
}

static void read_named_kind(struct nu_factory *factory, struct nu_cluster *cluster,
                            const cluster_proto *proto)
{
    const Envoy__Config__Cluster__V3__Cluster__CustomClusterType *kind = proto->cluster_type;
    struct nu_str name = nu_str_from(kind->name);
    const ProtobufCMessage *config = nu_config_any(factory->ctx, kind->typed_config);
    if (config &&
        config->descriptor == &envoy__extensions__clusters__dns__v3__dns_cluster__descriptor)
        nu_dns_from_proto(factory, cluster, proto, config, false);
    else if (nu_str_eq(name, NU_STR("envoy.clusters.aggregate")) ||
             (config && config->descriptor == AGGREGATE))
        nu_aggregate_from_proto(factory, cluster, proto);
    else if (config && config->descriptor == FORWARD_PROXY)
        nu_forward_proxy_from_proto(factory, cluster, proto, config);
    else if (nu_str_eq(name, NU_STR("envoy.cluster.static")))
        nu_static_hosts_from_proto(factory, cluster, proto);
    else if (nu_str_eq(name, NU_STR("envoy.cluster.strict_dns")))
        nu_dns_from_proto(factory, cluster, proto, NULL, false);
    else if (nu_str_eq(name, NU_STR("envoy.cluster.logical_dns")))
        nu_dns_from_proto(factory, cluster, proto, NULL, true);
    else if (nu_str_eq(name, NU_STR("envoy.cluster.original_dst")))
        nu_original_dst_from_proto(factory, cluster, proto);
    else if (nu_str_eq(name, NU_STR("envoy.cluster.eds")))
        nu_eds_from_proto(factory, cluster, proto);
    else if (is_known_kind(name))
        nu_config_error(factory->ctx, kind, "name",
                        "'%s' is known to Envoy, not implemented by nuncio", kind->name);
    else
        nu_config_error(factory->ctx, kind, "name", "there is no cluster type '%s'", kind->name);
}

static void read_type(struct nu_factory *factory, struct nu_cluster *cluster,
                      const cluster_proto *proto)
{
    switch (proto->type) {
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DISCOVERY_TYPE__STRICT_DNS:
        nu_dns_from_proto(factory, cluster, proto, NULL, false);
        return;
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DISCOVERY_TYPE__LOGICAL_DNS:
        nu_dns_from_proto(factory, cluster, proto, NULL, true);
        return;
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DISCOVERY_TYPE__EDS:
        nu_eds_from_proto(factory, cluster, proto);
        return;
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DISCOVERY_TYPE__ORIGINAL_DST:
        nu_original_dst_from_proto(factory, cluster, proto);
        return;
    default: /* the others are refused by the schema */
        nu_static_hosts_from_proto(factory, cluster, proto);
    }
}

static void read_kind(struct nu_factory *factory, struct nu_cluster *cluster,
                      const cluster_proto *proto)
{
    bool is_named = proto->cluster_discovery_type_case ==
                    ENVOY__CONFIG__CLUSTER__V3__CLUSTER__CLUSTER_DISCOVERY_TYPE_CLUSTER_TYPE;
    bool is_eds = is_named
                      ? strcmp(proto->cluster_type->name, "envoy.cluster.eds") == 0
                      : proto->type == ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DISCOVERY_TYPE__EDS;
    if (proto->eds_cluster_config && !is_eds)
        nu_config_error(factory->ctx, proto, "eds_cluster_config",
                        "eds_cluster_config set in a non-EDS cluster");
    if (is_named)
        read_named_kind(factory, cluster, proto);
    else
        read_type(factory, cluster, proto);
}

struct nu_cluster *nu_cluster_from_proto(struct nu_factory *factory, const cluster_proto *proto)
{
    size_t errors = factory->ctx->errors.count;
    struct nu_cluster *cluster = nu_cluster_create(factory->stats, nu_str_from(proto->name),
                                                   nu_str_from(proto->alt_stat_name));
    struct nu_factory own = *factory;
    own.arena = &cluster->arena;
    cluster->metadata = nu_metadata_from_proto(proto->metadata, &cluster->arena);
    cluster->is_checked = proto->n_health_checks > 0;
    cluster->keeps_passing_hosts = cluster->is_checked && !proto->ignore_health_on_host_removal;
    read_options(&own, cluster, proto);
    read_circuit_breakers(&own, cluster, proto);
    nu_lb_from_proto(&own, cluster, proto);
    read_kind(&own, cluster, proto);
    nu_lb_check_provided(&own, cluster, proto);
    nu_outlier_from_proto(&own, cluster, proto);
    if (factory->ctx->errors.count != errors)
        nu_cluster_destroy(&cluster);
    return cluster;
}
