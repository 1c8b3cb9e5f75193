/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an ORIGINAL_DST cluster: where the destination of a request stands. */
#include "config/values.h"
#include "http/authority.h"
#include "upstream/cluster_from_proto_internal.h"
#include "upstream/discovery/original_dst.h"

typedef Envoy__Config__Cluster__V3__Cluster cluster_proto;
typedef Envoy__Config__Cluster__V3__Cluster__OriginalDstLbConfig config_proto;

#define DEFAULT_HEADER "x-envoy-original-dst-host"

enum { DEFAULT_CLEANUP_MS = 5000 };

static void read_header(struct nu_factory *factory, struct nu_original_dst *out,
                        const cluster_proto *owner, const config_proto *proto)
{
    struct nu_str name = nu_str_from(proto->http_header_name);
    if (proto->use_http_header)
        out->header = name.len ? nu_authority_lower(factory->arena, name) : NU_STR(DEFAULT_HEADER);
    else if (name.len)
        nu_config_error(factory->ctx, owner, "original_dst_lb_config",
                        "ORIGINAL_DST cluster: invalid config http_header_name=%s and "
                        "use_http_header is false. Set use_http_header to true if "
                        "http_header_name is desired.",
                        proto->http_header_name);
}

static void read_metadata(struct nu_factory *factory, struct nu_original_dst *out,
                          const config_proto *proto)
{
    const Envoy__Type__Metadata__V3__MetadataKey *key = proto->metadata_key;
    if (!key)
        return;
    struct nu_str *path = nu_arena_alloc(factory->arena, key->n_path * sizeof(*path));
    for (size_t i = 0; i < key->n_path; i++)
        path[i] = nu_arena_dup(factory->arena, nu_str_from(key->path[i]->key));
    out->metadata = nu_arena_dup(factory->arena, nu_str_from(key->key));
    out->path = path;
    out->path_count = key->n_path;
}

static void read_config(struct nu_factory *factory, struct nu_original_dst *out,
                        const cluster_proto *owner)
{
    const config_proto *proto = owner->original_dst_lb_config;
    if (owner->lb_config_case !=
        ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_CONFIG_ORIGINAL_DST_LB_CONFIG)
        return;
    read_header(factory, out, owner, proto);
    read_metadata(factory, out, proto);
    out->port = (uint16_t)nu_u32_or(proto->upstream_port_override, 0);
}

void nu_original_dst_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                                const cluster_proto *proto)
{
    struct nu_original_dst *config = nu_arena_calloc(factory->arena, sizeof(*config));
    if (proto->load_assignment)
        nu_config_error(factory->ctx, proto, "load_assignment",
                        "ORIGINAL_DST clusters must have no load assignment configured");
    read_config(factory, config, proto);
    config->cleanup_ms = nu_config_duration_ms(factory->ctx, proto, "cleanup_interval",
                                               proto->cleanup_interval, DEFAULT_CLEANUP_MS);
    if (config->cleanup_ms == 0)
        config->cleanup_ms = 1;
    cluster->original_dst = config;
    cluster->lb_class = &nu_lb_original_dst;
    cluster->discovery = nu_original_dst_create(cluster, factory->loop);
    struct nu_host_set *nobody = nu_host_set_create(NULL, 0);
    nu_cluster_set_first_hosts(cluster, nobody);
    nu_host_set_unref(nobody);
}
