/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aggregate clusters: a list of other clusters, best first, whose priorities stand one behind the
 * other as if they were one cluster's. A request goes to the cluster that has the priority which the
 * loads choose, and that cluster's balancer chooses a host of it. So connections, and what limits
 * and counts them, are those of the cluster that has the host, while answers and retries are the
 * aggregate's.
 *
 * As with Envoy clusters that are not there are left out, and so are priorities without hosts, and
 * therefore aggregates in the list, which have no hosts of their own.
 */
#ifndef NU_UPSTREAM_LB_AGGREGATE_H
#define NU_UPSTREAM_LB_AGGREGATE_H

#include "upstream/cluster.h"

/* What an aggregate stands for; immutable. */
struct nu_aggregate {
    const struct nu_str *clusters; /* best first */
    size_t count;
};

/* The class of its balancers, whose choice is nu_aggregate_choose. */
extern const struct nu_lb_class nu_lb_aggregate;

/* Whether the cluster of this name is one of the aggregate's. */
bool nu_aggregate_has(const struct nu_aggregate *aggregate, struct nu_str name);
/* Looks at the worker's clusters anew: one of the list came, or has other hosts. */
void nu_aggregate_refresh(struct nu_cluster_local *local, const struct nu_cluster_table *table);

/* How many priorities all clusters have together, and how healthy they are (nu_priority_health). */
uint32_t nu_aggregate_priority_count(const struct nu_cluster_local *local);
uint32_t nu_aggregate_health(const struct nu_cluster_local *local, struct nu_priority_load *health);
/* Which of them the host of a cluster is of; UINT32_MAX if it is of none. */
uint32_t nu_aggregate_priority_of(const struct nu_cluster_local *local,
                                  const struct nu_cluster_local *cluster,
                                  const struct nu_host *host);

#endif
