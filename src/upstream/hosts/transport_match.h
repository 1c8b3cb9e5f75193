/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transport sockets of single hosts: a cluster's `transport_socket_matches` are asked with a host's
 * metadata, and its own transport socket stands in where none fits. Made on the main thread with
 * the cluster, immutable afterwards.
 */
#ifndef NU_UPSTREAM_TRANSPORT_MATCH_H
#define NU_UPSTREAM_TRANSPORT_MATCH_H

#include "base/value.h"
#include "net/transport_socket.h"
#include "stats/stats.h"

struct Envoy__Config__Cluster__V3__Cluster;
struct nu_cluster;
struct nu_metadata;

struct nu_transport_match {
    struct nu_str name;
    struct nu_value criteria; /* a struct, all of it is asked for; empty: fits everybody */
    struct nu_transport_socket socket;
    struct nu_stat_set *stats; /* cluster.NAME.MATCH. */
};

/* Reads them into the cluster; `scope` is "cluster.NAME". Errors are in the list. */
void nu_transport_matches_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                                     const struct Envoy__Config__Cluster__V3__Cluster *proto,
                                     struct nu_str scope);
/* The one for a host, by its own metadata or, if that fits none, its locality's; either may be
 * NULL. NULL: the cluster's transport socket. */
const struct nu_transport_match *nu_transport_match_find(const struct nu_cluster *cluster,
                                                         const struct nu_metadata *host,
                                                         const struct nu_metadata *locality);
/* Frees the statistics. */
void nu_transport_matches_finish(struct nu_cluster *cluster);

#endif
