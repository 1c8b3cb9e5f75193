/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fresh hosts: those that a worker knows before the main thread's next set of the cluster brings
 * them, because it made them itself, or was told of each by a message. They are in the worker's own
 * set at once, so that each new one costs a worker little whatever the number of the others. For
 * clusters whose balancer class has `add`. The cluster's worker.
 */
#ifndef NU_UPSTREAM_FRESH_HOSTS_H
#define NU_UPSTREAM_FRESH_HOSTS_H

#include "upstream/cluster.h"

/* Puts a host that is not in the worker's set there (a reference of its own); the index. */
uint32_t nu_fresh_hosts_add(struct nu_cluster_local *local, struct nu_host *host);
/* The hosts of the main thread's new set and the fresh ones that it does not have yet. One
 * reference. */
struct nu_host_set *nu_fresh_hosts_merge(struct nu_cluster_local *local, struct nu_host_set *hosts);
/* Lets go of them. */
void nu_fresh_hosts_finish(struct nu_cluster_local *local);

#endif
