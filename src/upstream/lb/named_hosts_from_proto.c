/* SPDX-License-Identifier: Apache-2.0 */
/* Reading where requests name hosts. */
#include "config/values.h"
#include "http/authority.h"
#include "upstream/cluster_from_proto_internal.h"
#include "upstream/lb/named_hosts.h"

#include "envoy/extensions/load_balancing_policies/override_host/v3/override_host.pb-c.h"

typedef Envoy__Extensions__LoadBalancingPolicies__OverrideHost__V3__OverrideHost override_proto;
typedef Envoy__Extensions__LoadBalancingPolicies__OverrideHost__V3__OverrideHost__OverrideHostSource
    source_proto;

static void read_metadata(struct nu_arena *arena, struct nu_named_host_source *out,
                          const Envoy__Type__Metadata__V3__MetadataKey *key)
{
    struct nu_str *path = nu_arena_alloc(arena, (key->n_path + 1) * sizeof(*path));
    for (size_t i = 0; i < key->n_path; i++)
        path[i] = nu_arena_dup(arena, nu_str_from(key->path[i]->key));
    out->metadata = nu_arena_dup(arena, nu_str_from(key->key));
    out->path = path;
    out->path_count = key->n_path;
}

static void read_source(struct nu_factory *factory, struct nu_named_host_source *out,
                        const source_proto *proto)
{
    struct nu_str header = nu_str_from(proto->header);
    if (!header.len && !proto->metadata)
        nu_config_error(factory->ctx, proto, NULL, "Empty override source");
    else if (header.len && proto->metadata)
        nu_config_error(factory->ctx, proto, "header", "Only one override source must be set");
    else if (header.len)
        out->header = nu_authority_lower(factory->arena, header);
    else
        read_metadata(factory->arena, out, proto->metadata);
}

const struct nu_lb_class *nu_named_hosts_from_policy(struct nu_factory *factory,
                                                     struct nu_cluster *cluster,
                                                     struct nu_lb_settings *common,
                                                     const ProtobufCMessage *config)
{
    const override_proto *proto = (const override_proto *)config;
    size_t count = proto->n_override_host_sources;
    struct nu_named_host_source *sources =
        nu_arena_calloc(factory->arena, (count + 1) * sizeof(*sources));
    struct nu_named_host_settings *settings = nu_arena_alloc(factory->arena, sizeof(*settings));
    if (cluster->named)
        nu_config_error(factory->ctx, proto, NULL,
                        "override_host inside of override_host is not implemented by nuncio");
    for (size_t i = 0; i < count; i++)
        read_source(factory, &sources[i], proto->override_host_sources[i]);
    *settings = (struct nu_named_host_settings){sources, count};
    cluster->named = settings;
    return nu_lb_from_policies(factory, cluster, common, proto, "fallback_policy",
                               proto->fallback_policy);
}
