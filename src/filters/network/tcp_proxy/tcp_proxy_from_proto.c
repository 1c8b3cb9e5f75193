/* SPDX-License-Identifier: Apache-2.0 */
/* Reading TcpProxy: clusters, timeouts with Envoy's defaults, access logs. */
#include "config/values.h"
#include "filters/network/tcp_proxy/tcp_proxy.h"
#include "http/metadata_from_proto.h"

#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb-c.h"

typedef Envoy__Extensions__Filters__Network__TcpProxy__V3__TcpProxy tcp_proxy_proto;
typedef Envoy__Extensions__Filters__Network__TcpProxy__V3__TcpProxy__WeightedCluster weighted_proto;
typedef Envoy__Extensions__Filters__Network__TcpProxy__V3__TcpProxy__TcpAccessLogOptions
    log_options_proto;

enum { DEFAULT_IDLE_MS = 3600 * 1000, DEFAULT_BACKOFF_FACTOR = 10 };

static uint64_t duration(struct nu_factory *factory, const void *owner, const char *field,
                         const Google__Protobuf__Duration *proto, uint64_t other)
{
    return nu_config_duration_ms(factory->ctx, owner, field, proto, other);
}

/* No error, as with Envoy: a filter before this one may name another cluster. */
static void warn_of_unknown(struct nu_factory *factory, const void *owner, const char *field,
                            struct nu_str cluster)
{
    if (factory->has_cluster && !factory->has_cluster(factory->owner, cluster))
        nu_config_warn(factory->ctx, owner, field,
                       "no cluster '%.*s' is configured: connections that it is chosen for are "
                       "closed",
                       NU_STR_ARG(cluster));
}

static const struct nu_value *read_criteria(struct nu_factory *factory,
                                            const Envoy__Config__Core__V3__Metadata *proto)
{
    return nu_lb_criteria_of(nu_metadata_from_proto(proto, factory->arena));
}

static void read_hash(struct nu_factory *factory, const tcp_proxy_proto *proto,
                      struct nu_tcp_proxy *config)
{
    if (proto->n_hash_policy == 0)
        return;
    const Envoy__Type__V3__HashPolicy *policy = proto->hash_policy[0];
    if (policy->policy_specifier_case == ENVOY__TYPE__V3__HASH_POLICY__POLICY_SPECIFIER_SOURCE_IP) {
        config->hash = NU_TCP_PROXY_HASH_SOURCE_IP;
        return;
    }
    config->hash = NU_TCP_PROXY_HASH_FILTER_STATE;
    config->hash_key = nu_arena_dup(factory->arena, nu_str_from(policy->filter_state->key));
}

static void read_clusters(struct nu_factory *factory, const tcp_proxy_proto *proto,
                          struct nu_tcp_proxy *config)
{
    const weighted_proto *weighted = proto->weighted_clusters;
    bool is_one =
        proto->cluster_specifier_case !=
        ENVOY__EXTENSIONS__FILTERS__NETWORK__TCP_PROXY__V3__TCP_PROXY__CLUSTER_SPECIFIER_WEIGHTED_CLUSTERS;
    size_t count = is_one ? 1 : weighted->n_clusters;
    struct nu_tcp_proxy_cluster *clusters =
        nu_arena_calloc(factory->arena, (count + 1) * sizeof(*clusters));
    uint64_t weights = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = is_one ? proto->cluster : weighted->clusters[i]->name;
        weights += is_one ? 1 : weighted->clusters[i]->weight;
        clusters[i].name = nu_arena_dup(factory->arena, nu_str_from(name));
        clusters[i].weights = weights;
        clusters[i].criteria =
            is_one ? config->criteria
                   : nu_lb_criteria_merge(
                         config->criteria,
                         read_criteria(factory, weighted->clusters[i]->metadata_match),
                         factory->arena);
        warn_of_unknown(factory, is_one ? (const void *)proto : weighted->clusters[i],
                        is_one ? "cluster" : "name", clusters[i].name);
    }
    config->clusters = clusters;
    config->cluster_count = count;
}

static void read_durations(struct nu_factory *factory, const tcp_proxy_proto *proto,
                           struct nu_tcp_proxy *config)
{
    config->idle_timeout_ms =
        duration(factory, proto, "idle_timeout", proto->idle_timeout, DEFAULT_IDLE_MS);
    config->max_duration_ms = duration(factory, proto, "max_downstream_connection_duration",
                                       proto->max_downstream_connection_duration, 0);
    if (proto->max_downstream_connection_duration_jitter_percentage)
        config->jitter_ms =
            (uint64_t)((double)config->max_duration_ms *
                       proto->max_downstream_connection_duration_jitter_percentage->value / 100);
}

static void read_attempts(struct nu_factory *factory, const tcp_proxy_proto *proto,
                          struct nu_tcp_proxy *config)
{
    const Envoy__Config__Core__V3__BackoffStrategy *backoff = proto->backoff_options;
    config->max_attempts = nu_u32_or(proto->max_connect_attempts, 1);
    if (!backoff)
        return;
    config->backoff_ms = duration(factory, backoff, "base_interval", backoff->base_interval, 0);
    config->max_backoff_ms = duration(factory, backoff, "max_interval", backoff->max_interval,
                                      config->backoff_ms * DEFAULT_BACKOFF_FACTOR);
    if (config->max_backoff_ms < config->backoff_ms)
        nu_config_error(factory->ctx, backoff, "max_interval",
                        "max_backoff_interval must be greater or equal to base_backoff_interval");
}

/* The options of their own message come before the deprecated fields. */
static void read_log_options(struct nu_factory *factory, const tcp_proxy_proto *proto,
                             struct nu_tcp_proxy *config)
{
    const log_options_proto *options = proto->access_log_options;
    config->log_connected =
        options ? options->flush_access_log_on_connected : proto->flush_access_log_on_connected;
    config->log_interval_ms = options ? duration(factory, options, "access_log_flush_interval",
                                                 options->access_log_flush_interval, 0)
                                      : duration(factory, proto, "access_log_flush_interval",
                                                 proto->access_log_flush_interval, 0);
}

static void read_access_logs(struct nu_factory *factory, const tcp_proxy_proto *proto,
                             struct nu_tcp_proxy *config)
{
    struct nu_access_log_factory access_log = nu_access_log_factory_of(factory);
    (void)!nu_access_log_list_from_protos(&access_log, proto->access_log, proto->n_access_log,
                                          &config->access_logs);
}

static const void *create(struct nu_factory *factory, const ProtobufCMessage *message)
{
    const tcp_proxy_proto *proto = (const void *)message;
    size_t errors = factory->ctx->errors.count;
    struct nu_tcp_proxy *config = nu_arena_calloc(factory->arena, sizeof(*config));
    config->criteria = read_criteria(factory, proto->metadata_match);
    read_hash(factory, proto, config);
    read_clusters(factory, proto, config);
    read_durations(factory, proto, config);
    read_attempts(factory, proto, config);
    read_log_options(factory, proto, config);
    read_access_logs(factory, proto, config);
    config->stats = nu_stat_set_create(
        factory->stats, &nu_tcp_proxy_stats_table,
        nu_str_from(nu_arena_printf(factory->arena, "tcp.%s", proto->stat_prefix)));
    return factory->ctx->errors.count == errors ? config : NULL;
}

const struct nu_network_filter_factory nu_tcp_proxy_factory = {
    .name = "envoy.filters.network.tcp_proxy",
    .type = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    .cls = &nu_tcp_proxy_filter,
    .create = create,
};
