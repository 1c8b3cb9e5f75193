/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a STRICT_DNS cluster. Its settings stand in the cluster's own fields or, the newer way,
 * in the extension DnsCluster; both are brought into one form first.
 */
#include "config/values.h"
#include "net/dns_from_proto.h"
#include "upstream/cluster_from_proto_internal.h"
#include "upstream/discovery/discovery.h"
#include "upstream/discovery/logical_dns.h"

#include "envoy/extensions/clusters/dns/v3/dns_cluster.pb-c.h"

typedef Envoy__Config__Cluster__V3__Cluster cluster_proto;
typedef Envoy__Extensions__Clusters__Dns__V3__DnsCluster extension_proto;

enum { DEFAULT_REFRESH_MS = 5000 };

/* --- Pace ------------------------------------------------------------------------------------- */

/* The two RefreshRate messages. `owner` has the field dns_failure_refresh_rate, `rate` is it. */
struct failure_rate {
    const void *owner;
    const void *rate;
    const Google__Protobuf__Duration *base;
    const Google__Protobuf__Duration *max;
};

static void read_failure_rate(struct nu_config_ctx *ctx, struct nu_dns_pace_params *pace,
                              const struct failure_rate *proto)
{
    if (!proto->rate)
        return;
    uint64_t base_ms = nu_config_duration_ms(ctx, proto->rate, "base_interval", proto->base, 0);
    pace->failure_base_ms = base_ms;
    pace->failure_max_ms =
        nu_config_duration_ms(ctx, proto->rate, "max_interval", proto->max, base_ms * 10);
    if (pace->failure_max_ms < base_ms)
        nu_config_error(ctx, proto->owner, "dns_failure_refresh_rate",
                        "max_interval must be greater than or equal to base_interval");
}

static enum nu_dns_family family_of_extension(const extension_proto *proto)
{
    switch (proto->dns_lookup_family) {
    case ENVOY__EXTENSIONS__CLUSTERS__COMMON__DNS__V3__DNS_LOOKUP_FAMILY__V4_ONLY:
        return NU_DNS_V4_ONLY;
    case ENVOY__EXTENSIONS__CLUSTERS__COMMON__DNS__V3__DNS_LOOKUP_FAMILY__V6_ONLY:
        return NU_DNS_V6_ONLY;
    case ENVOY__EXTENSIONS__CLUSTERS__COMMON__DNS__V3__DNS_LOOKUP_FAMILY__V4_PREFERRED:
        return NU_DNS_V4_PREFERRED;
    case ENVOY__EXTENSIONS__CLUSTERS__COMMON__DNS__V3__DNS_LOOKUP_FAMILY__ALL:
        return NU_DNS_ALL;
    default:
        return NU_DNS_AUTO;
    }
}

static void read_cluster(struct nu_config_ctx *ctx, struct nu_strict_dns_params *params,
                         const cluster_proto *proto)
{
    const Envoy__Config__Cluster__V3__Cluster__RefreshRate *rate = proto->dns_failure_refresh_rate;
    params->family = nu_dns_family_from_proto(proto->dns_lookup_family);
    params->pace.refresh_ms = nu_config_duration_ms(ctx, proto, "dns_refresh_rate",
                                                    proto->dns_refresh_rate, DEFAULT_REFRESH_MS);
    params->pace.jitter_ms = nu_config_duration_ms(ctx, proto, "dns_jitter", proto->dns_jitter, 0);
    params->pace.respect_ttl = proto->respect_dns_ttl;
    read_failure_rate(ctx, &params->pace,
                      &(struct failure_rate){proto, rate, rate ? rate->base_interval : NULL,
                                             rate ? rate->max_interval : NULL});
}

static void read_extension(struct nu_config_ctx *ctx, struct nu_strict_dns_params *params,
                           const extension_proto *proto)
{
    const Envoy__Extensions__Clusters__Dns__V3__DnsCluster__RefreshRate *rate =
        proto->dns_failure_refresh_rate;
    params->family = family_of_extension(proto);
    params->pace.refresh_ms = nu_config_duration_ms(ctx, proto, "dns_refresh_rate",
                                                    proto->dns_refresh_rate, DEFAULT_REFRESH_MS);
    params->pace.jitter_ms = nu_config_duration_ms(ctx, proto, "dns_jitter", proto->dns_jitter, 0);
    params->pace.respect_ttl = proto->respect_dns_ttl;
    read_failure_rate(ctx, &params->pace,
                      &(struct failure_rate){proto, rate, rate ? rate->base_interval : NULL,
                                             rate ? rate->max_interval : NULL});
}

/* --- The resolver ----------------------------------------------------------------------------- */

static void choose_resolver(struct nu_factory *factory, struct nu_strict_dns_params *params,
                            const cluster_proto *proto, const extension_proto *extension)
{
    struct nu_dns_settings settings = {
        .typed = proto->typed_dns_resolver_config,
        .resolution = proto->dns_resolution_config,
        .resolvers = proto->dns_resolvers,
        .resolver_count = proto->n_dns_resolvers,
        .use_tcp = proto->use_tcp_for_dns_lookups,
    };
    if (extension && extension->typed_dns_resolver_config)
        settings.typed = extension->typed_dns_resolver_config;
    params->resolver = factory->dns;
    if (!nu_dns_settings_are_set(&settings)) {
        if (settings.use_tcp)
            nu_config_warn(factory->ctx, proto, "use_tcp_for_dns_lookups",
                           "has no effect without dns_resolvers");
        return;
    }
    params->resolver = nu_dns_cares_create(factory->loop, factory->stats,
                                           nu_dns_options_from_proto(factory, &settings));
    params->owns_resolver = true;
}

/* --- Endpoints -------------------------------------------------------------------------------- */

static const Envoy__Config__Core__V3__SocketAddress *
socket_address_of(struct nu_factory *factory, const Envoy__Config__Endpoint__V3__Endpoint *endpoint)
{
    const Envoy__Config__Core__V3__Address *address = endpoint->address;
    if (!address) {
        nu_config_error(factory->ctx, endpoint, "address", "address is necessary");
        return NULL;
    }
    if (address->address_case == ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS_SOCKET_ADDRESS)
        return address->socket_address;
    nu_config_error(factory->ctx, endpoint, "address",
                    "a STRICT_DNS cluster needs a name and a port here");
    return NULL;
}

/* Hosts are known by the configured hostname, else by the name that is resolved. */
static bool read_endpoint(struct nu_factory *factory, struct nu_cluster *cluster,
                          const struct nu_endpoint *item, struct nu_dns_endpoint *out)
{
    const Envoy__Config__Core__V3__SocketAddress *address =
        socket_address_of(factory, item->proto->endpoint);
    if (!address)
        return false;
    out->name = nu_arena_dup(&cluster->arena, nu_str_from(address->address));
    out->port = (uint16_t)address->port_value;
    out->host = item->host;
    if (!out->host.hostname.len)
        out->host.hostname = out->name;
    return true;
}

static void read_endpoints(struct nu_factory *factory, struct nu_cluster *cluster,
                           const cluster_proto *proto, struct nu_strict_dns_params *params)
{
    struct nu_endpoint_list list =
        nu_endpoints_from_proto(factory, cluster, proto->load_assignment);
    struct nu_dns_endpoint *endpoints =
        nu_arena_calloc(&cluster->arena, (list.count + 1) * sizeof(*endpoints));
    for (size_t i = 0; i < list.count; i++) {
        struct nu_dns_endpoint *out = &endpoints[params->endpoint_count];
        params->endpoint_count += read_endpoint(factory, cluster, &list.items[i], out);
    }
    params->endpoints = endpoints;
}

static void check_logical(struct nu_config_ctx *ctx, const cluster_proto *proto)
{
    const Envoy__Config__Endpoint__V3__ClusterLoadAssignment *assignment = proto->load_assignment;
    if (!assignment || assignment->n_endpoints != 1 ||
        assignment->endpoints[0]->n_lb_endpoints != 1)
        nu_config_error(ctx, proto, "load_assignment",
                        "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single "
                        "lb_endpoint");
}

void nu_dns_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                       const cluster_proto *proto, const ProtobufCMessage *extension,
                       bool is_logical)
{
    const extension_proto *own = (const extension_proto *)extension;
    struct nu_strict_dns_params params = {
        .wait_for_warm = nu_bool_or(proto->wait_for_warm_on_init, true),
    };
    size_t errors = factory->ctx->errors.count;
    if (own)
        read_extension(factory->ctx, &params, own);
    else
        read_cluster(factory->ctx, &params, proto);
    if (own)
        is_logical = own->all_addresses_in_single_endpoint;
    if (is_logical)
        check_logical(factory->ctx, proto);
    choose_resolver(factory, &params, proto, own);
    read_endpoints(factory, cluster, proto, &params);
    if (is_logical && factory->ctx->errors.count == errors)
        cluster->discovery =
            nu_logical_dns_create(cluster, factory->host_keeper, factory->loop, &params);
    else
        cluster->discovery =
            nu_strict_dns_create(cluster, factory->host_keeper, factory->loop, &params);
    struct nu_host_set *nobody = nu_host_set_create(NULL, 0);
    nu_host_set_take_assignment(nobody, nu_assignment_from_proto(factory, proto->load_assignment));
    nu_cluster_set_first_hosts(cluster, nobody);
    nu_host_set_unref(nobody);
}
