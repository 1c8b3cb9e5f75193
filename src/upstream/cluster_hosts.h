/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main thread's side of a cluster's hosts: what is done whenever a cluster gets a host set. For
 * the cluster's own files; others use nu_cluster_manager_set_hosts and nu_cluster_health_changed.
 */
#ifndef NU_UPSTREAM_CLUSTER_HOSTS_H
#define NU_UPSTREAM_CLUSTER_HOSTS_H

#include "upstream/cluster.h"

struct nu_runtime;

/* What host sets depend on besides their cluster. */
struct nu_cluster_surroundings {
    const struct nu_runtime *runtime; /* may be NULL */
    const struct nu_locality *here;   /* where this process is; NULL: nowhere */
    bool has_local_cluster;           /* so that zones matter */
};

void nu_cluster_init_hosts(struct nu_cluster *cluster);
/* Destroys the observers that are the cluster's; the owners of the others are gone. */
void nu_cluster_destroy_observers(struct nu_cluster *cluster);
/* Drops the host set. */
void nu_cluster_finish_hosts(struct nu_cluster *cluster);

/* Tells observers of a host before it is in a set: they are not told again when it is. */
void nu_cluster_announce_host(struct nu_cluster *cluster, struct nu_host *host);
/*
 * Makes cluster->hosts count, which came in the place of `old` (NULL: it is the first): observers
 * are told, the set is sealed, the membership statistics are brought up to it. Returns in how many
 * priorities hosts came or went.
 */
uint32_t nu_cluster_publish_hosts(struct nu_cluster *cluster, const struct nu_host_set *old,
                                  const struct nu_cluster_surroundings *around);

/* A new set of the same hosts, without those that only a passed check has kept, and that failed it.
 * One reference. */
struct nu_host_set *nu_cluster_copy_hosts(const struct nu_host_set *old);

#endif
