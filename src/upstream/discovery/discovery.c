/* SPDX-License-Identifier: Apache-2.0 */
/* What all kinds of discovery share: the way from the init manager. */
#include "upstream/discovery/discovery.h"

#include "base/assert.h"
#include "upstream/cluster.h"

static void on_start(struct nu_init_target *target)
{
    struct nu_discovery *discovery = nu_container_of(target, struct nu_discovery, target);
    discovery->cls->start(discovery);
}

void nu_discovery_init(struct nu_discovery *discovery, const struct nu_discovery_class *cls,
                       struct nu_cluster *cluster)
{
    discovery->cls = cls;
    discovery->cluster = cluster;
    nu_init_target_init(&discovery->target,
                        nu_arena_printf(&cluster->arena, "cluster %.*s", NU_STR_ARG(cluster->name)),
                        on_start);
}

void nu_cluster_start_discovery(struct nu_cluster *cluster, struct nu_init_manager *init)
{
    if (!cluster->discovery)
        return;
    nu_assert(cluster->manager);
    if (!cluster->warm)
        cluster->warm = &cluster->discovery->target;
    nu_init_manager_add(init, &cluster->discovery->target);
}
