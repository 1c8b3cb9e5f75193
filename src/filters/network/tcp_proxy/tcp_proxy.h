/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp_proxy: a network filter that passes bytes between a client and a host of a cluster. Terminal.
 */
#ifndef NU_FILTERS_NETWORK_TCP_PROXY_TCP_PROXY_H
#define NU_FILTERS_NETWORK_TCP_PROXY_TCP_PROXY_H

#include "access_log/access_log.h"
#include "http/lb_criteria.h"
#include "net/network_factory.h"
#include "stats/network_filter_stats.h"
#include "stats/stats.h"

/* The object of the connection's filter state that names a cluster, in place of the configured
 * ones; its class has a text. */
#define NU_TCP_PROXY_CLUSTER_KEY "envoy.tcp_proxy.cluster"

/* One of several clusters. */
struct nu_tcp_proxy_cluster {
    struct nu_str name;
    uint64_t weights;                /* of this one and all before it */
    const struct nu_value *criteria; /* for subsets of hosts; may be NULL */
};

/* What decides the host, with balancers that hash. */
enum nu_tcp_proxy_hash {
    NU_TCP_PROXY_HASH_NONE,
    NU_TCP_PROXY_HASH_SOURCE_IP,
    NU_TCP_PROXY_HASH_FILTER_STATE,
};

/* A filter's settings, immutable; in the listener's arena. */
struct nu_tcp_proxy {
    const struct nu_tcp_proxy_cluster *clusters; /* at least one */
    size_t cluster_count;
    const struct nu_value *criteria; /* for a cluster that is not one of these; may be NULL */
    enum nu_tcp_proxy_hash hash;
    struct nu_str hash_key;   /* FILTER_STATE: the object */
    uint64_t idle_timeout_ms; /* 0: none */
    uint64_t max_duration_ms; /* 0: none */
    uint64_t jitter_ms;       /* up to so much is added to max_duration_ms */
    uint64_t log_interval_ms; /* 0: none */
    uint64_t backoff_ms;      /* before the second attempt; 0: none */
    uint64_t max_backoff_ms;
    uint32_t max_attempts;
    bool log_connected;
    struct nu_access_log_list access_logs;
    struct nu_stat_set *stats; /* borrowed: the registry's */
};

/* envoy.filters.network.tcp_proxy; makes a struct nu_tcp_proxy. */
extern const struct nu_network_filter_factory nu_tcp_proxy_factory;
extern const struct nu_network_filter_class nu_tcp_proxy_filter;

#endif
