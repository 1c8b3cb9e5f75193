/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a cluster's hosts come from when they do not stand in its configuration: the base of every
 * kind of discovery. A cluster owns at most one; it gives the cluster new hosts through
 * nu_cluster_manager_set_hosts and says when the cluster is warm. Main thread.
 */
#ifndef NU_UPSTREAM_DISCOVERY_H
#define NU_UPSTREAM_DISCOVERY_H

#include "config/init_manager.h"

struct nu_cluster;
struct nu_discovery;

struct nu_discovery_class {
    /* Begins to look for hosts; calls nu_init_target_ready(&discovery->target) when traffic need
     * not wait any more, perhaps at once. */
    void (*start)(struct nu_discovery *discovery);
    void (*destroy)(struct nu_discovery *discovery);
};

struct nu_discovery {
    const struct nu_discovery_class *cls;
    struct nu_cluster *cluster;   /* borrowed: the owner */
    struct nu_init_target target; /* ready once the cluster is warm */
};

/* Sets the base of a discovery that is being made. */
void nu_discovery_init(struct nu_discovery *discovery, const struct nu_discovery_class *cls,
                       struct nu_cluster *cluster);
/* Starts the discovery of a cluster that the manager has; `init` waits for it. Does nothing for a
 * cluster without one. */
void nu_cluster_start_discovery(struct nu_cluster *cluster, struct nu_init_manager *init);

#endif
