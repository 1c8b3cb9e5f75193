/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EDS: the hosts of a cluster are a resource, a ClusterLoadAssignment, that comes through a
 * subscription and changes as the control plane likes. What it says wrong is refused as a whole and
 * leaves the cluster as it is. The cluster is warm after the first update or failure. Main thread.
 */
#ifndef NU_UPSTREAM_EDS_H
#define NU_UPSTREAM_EDS_H

#include "config/factory.h"
#include "upstream/cluster.h"

struct nu_eds_params {
    const struct Envoy__Config__Core__V3__ConfigSource *source;
    struct nu_str service_name; /* of the resource; in the cluster's arena */
};

/* Gives `cluster` the discovery, which it owns; it is not started. False after adding an error. */
NU_MUST_USE bool nu_eds_create(struct nu_factory *factory, struct nu_cluster *cluster,
                               const struct nu_eds_params *params);

/* The discovery's service name; empty for clusters without EDS or one of their own. */
struct nu_str nu_eds_service_name(const struct nu_cluster *cluster);

#endif
