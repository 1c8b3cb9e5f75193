/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an aggregate cluster. */
#include "upstream/cluster_from_proto_internal.h"
#include "upstream/lb/lb_aggregate.h"

#include "envoy/extensions/clusters/aggregate/v3/cluster.pb-c.h"

typedef Envoy__Extensions__Clusters__Aggregate__V3__ClusterConfig config_proto;

static const config_proto *find_config(struct nu_factory *factory,
                                       const Envoy__Config__Cluster__V3__Cluster *proto)
{
    const Envoy__Config__Cluster__V3__Cluster__CustomClusterType *kind = proto->cluster_type;
    return (const config_proto *)nu_config_any_of(
        factory->ctx, kind, "typed_config", kind->typed_config,
        &envoy__extensions__clusters__aggregate__v3__cluster_config__descriptor);
}

void nu_aggregate_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                             const Envoy__Config__Cluster__V3__Cluster *proto)
{
    const config_proto *config = find_config(factory, proto);
    size_t count = config ? config->n_clusters : 0;
    struct nu_aggregate *aggregate = nu_arena_calloc(factory->arena, sizeof(*aggregate));
    struct nu_str *names = nu_arena_alloc(factory->arena, (count + 1) * sizeof(*names));
    for (size_t i = 0; i < count; i++)
        names[i] = nu_arena_dup(factory->arena, nu_str_from(config->clusters[i]));
    aggregate->clusters = names;
    aggregate->count = count;
    if (proto->load_assignment)
        nu_config_warn(factory->ctx, proto, "load_assignment",
                       "an aggregate has the hosts of other clusters, not these");
    cluster->aggregate = aggregate;
    cluster->lb_class = &nu_lb_aggregate;
    struct nu_host_set *nobody = nu_host_set_create(NULL, 0);
    nu_cluster_set_first_hosts(cluster, nobody);
    nu_host_set_unref(nobody);
}
