/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an EDS cluster: where its assignment comes from. */
#include "upstream/cluster_from_proto_internal.h"
#include "upstream/discovery/eds.h"

void nu_eds_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                       const Envoy__Config__Cluster__V3__Cluster *proto)
{
    const Envoy__Config__Cluster__V3__Cluster__EdsClusterConfig *config = proto->eds_cluster_config;
    if (!config || !config->eds_config) {
        nu_config_error(factory->ctx, proto, "eds_cluster_config",
                        "cannot create an EDS cluster without an EDS config");
        return;
    }
    const struct nu_eds_params params = {
        .source = config->eds_config,
        .service_name = nu_arena_dup(&cluster->arena, nu_str_from(config->service_name)),
    };
    struct nu_host_set *nobody = nu_host_set_create(NULL, 0);
    nu_cluster_set_first_hosts(cluster, nobody);
    nu_host_set_unref(nobody);
    bool ok = nu_eds_create(factory, cluster, &params);
    (void)ok; /* the error is in the list */
}
