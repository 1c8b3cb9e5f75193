/* SPDX-License-Identifier: Apache-2.0 */
/* Clusters from their configuration. Main thread. */
#ifndef NU_UPSTREAM_CLUSTER_FROM_PROTO_H
#define NU_UPSTREAM_CLUSTER_FROM_PROTO_H

#include "config/factory.h"
#include "upstream/cluster_build.h"

struct Envoy__Config__Cluster__V3__Cluster;

/*
 * A cluster with its settings and, for STATIC ones, its hosts; NULL after adding errors. Clusters
 * of other kinds get an empty host set and a discovery, which nu_cluster_start_discovery starts.
 */
struct nu_cluster *nu_cluster_from_proto(struct nu_factory *factory,
                                         const struct Envoy__Config__Cluster__V3__Cluster *proto);

#endif
