/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a cluster: what cluster_from_proto.c resolves from a configuration, and what tests fill by
 * hand. Main thread.
 */
#ifndef NU_UPSTREAM_CLUSTER_BUILD_H
#define NU_UPSTREAM_CLUSTER_BUILD_H

#include "upstream/cluster.h"
#include "upstream/lb/lb_hash.h"
#include "upstream/lb/lb_subset.h"

struct nu_host_update;

/* Limits of one priority. */
struct nu_breaker_limits {
    uint32_t max[NU_BREAKER_KIND_COUNT];
    bool track_remaining;
    struct nu_retry_budget retry_budget;
};

/* Envoy's: 1024 connections, pending requests and requests, 3 retries. */
extern const struct nu_breaker_limits nu_breaker_limits_default;

/*
 * An empty cluster with default options; `stat_name` may be empty (the name is used). The caller
 * sets options and hosts, then hands it to the manager.
 */
struct nu_cluster *nu_cluster_create(struct nu_stats *stats, struct nu_str name,
                                     struct nu_str stat_name);
/* Sets the breakers of one priority. */
void nu_cluster_set_limits(struct nu_cluster *cluster, enum nu_priority priority,
                           const struct nu_breaker_limits *limits);
/* Makes the statistics of timeout budgets and of message sizes; once, before workers use it. */
void nu_cluster_track(struct nu_cluster *cluster, bool budgets, bool sizes);
/* Sets what is spoken to the hosts; HTTP/1 at first. */
void nu_cluster_set_http(struct nu_cluster *cluster, enum nu_cluster_http http);
/* Makes the statistics of HTTP/2 where there are none, for who speaks it beside the pools. */
void nu_cluster_need_http2_stats(struct nu_cluster *cluster);
/* How tables for balancing by hash are made (`settings` is copied); with their statistics. */
void nu_cluster_set_hash(struct nu_cluster *cluster, const struct nu_hash_lb_settings *settings,
                         enum nu_hash_table_kind kind);
/* Locality weights are nothing to that: inside of subsets there may be none. */
void nu_cluster_ignore_locality_hash(struct nu_cluster *cluster);
/* How hosts are divided into subsets (`settings` is copied); returns the class that the cluster then
 * balances by. */
const struct nu_lb_class *nu_cluster_set_subsets(struct nu_cluster *cluster,
                                                 const struct nu_subset_settings *settings);
/* Sets the first hosts (takes a reference), which count once the manager has the cluster. */
void nu_cluster_set_first_hosts(struct nu_cluster *cluster, struct nu_host_set *hosts);

/* A set of statistics under cluster.NAME and `suffix`; the caller destroys it before the cluster. */
struct nu_stat_set *nu_cluster_create_set(struct nu_cluster *cluster,
                                          const struct nu_stat_table *table, const char *suffix);
/* Counts that a transport was looked up for a host. */
void nu_cluster_count_transport(struct nu_cluster *cluster, const struct nu_host *host,
                                uint32_t count);
/* The same for what discovery says: Envoy looks one up for each host that is named, and again for
 * new metadata. */
void nu_cluster_count_transports(struct nu_cluster *cluster, const struct nu_host_update *update);

#endif
