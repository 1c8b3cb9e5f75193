/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cluster: hosts that serve the same, and how to talk to them.
 *
 *     main thread:  nu_cluster (settings, breakers, statistics, the present host set)
 *     each worker:  nu_cluster_local (its host set, balancer, connection pools, counters)
 *
 * The cluster is shared: its settings never change, its breakers are atomic. Host sets go to the
 * workers by message. A worker reaches clusters by name through its nu_cluster_table.
 */
#ifndef NU_UPSTREAM_CLUSTER_H
#define NU_UPSTREAM_CLUSTER_H

#include "base/arena.h"
#include "base/hash.h"
#include "codec/h1.h"
#include "codec/h2.h"
#include "event/loop.h"
#include "event/timer.h"
#include "net/transport_socket.h"
#include "stats/cluster_stats.h"
#include "stats/stats.h"
#include "upstream/hosts/breaker.h"
#include "upstream/hosts/happy_eyeballs.h"
#include "upstream/lb/lb.h"
#include "upstream/discovery/forward_proxy.h"
#include "upstream/discovery/original_dst.h"
#include "upstream/hosts/subset.h"
#include "upstream/hosts/transport_match.h"

struct nu_aggregate;
struct nu_cluster_manager;
struct nu_discovery;
struct nu_dns_cache_local;
struct nu_init_target;
struct nu_named_host_settings;
struct nu_pool;
struct nu_reported_weights;
struct nu_zone_stats;

/* What is spoken to the hosts. */
enum nu_cluster_http {
    NU_CLUSTER_HTTP1,
    NU_CLUSTER_HTTP2,
    NU_CLUSTER_AS_DOWNSTREAM, /* what the client speaks */
    NU_CLUSTER_AGREED,        /* what the transport agrees on with the host (ALPN) */
};

/* Settings of a cluster's connections; from the configuration, with defaults resolved. */
struct nu_cluster_options {
    uint32_t connect_timeout_ms;
    uint32_t buffer_limit_bytes;
    uint32_t max_requests_per_connection; /* 0: no limit */
    uint64_t idle_timeout_ms;             /* 0: never */
    uint64_t max_connection_duration_ms;  /* 0: never */
    uint64_t max_stream_duration_ms;      /* 0: never */
    enum nu_cluster_http http;
    struct nu_h1_options h1;
    struct nu_h2_options h2;
    struct nu_transport_socket transport;
    bool auto_sni;                 /* connections are for a request's host, and ask for that name */
    bool auto_san;                 /* the same, and the certificate must have it */
    struct nu_str auto_sni_header; /* lower-case: has the host where it is there; may be empty */
    float preconnect_ratio;    /* room for so many streams, by those that a host has; at least 1 */
    float predictive_ratio;    /* the same over all hosts of a worker; 1: none is foreseen */
    bool pools_per_connection; /* each client's connection has its own upstream connections */
    bool closes_unwell;        /* TCP sessions end when their host is found unwell */
    struct nu_happy_eyeballs happy_eyeballs;
    /* Which answers outlier detection takes for errors; NULL: those of 5xx. */
    const struct nu_match_predicate *error_matcher;
    const struct nu_bind_config *bind; /* where connections come from; NULL: the system chooses */
    bool tcp_keepalive;
    uint32_t keepalive_probes; /* 0: the system's */
    uint32_t keepalive_time_s;
    uint32_t keepalive_interval_s;
};

/* The statistics of a cluster, under cluster.NAME. */
struct nu_cluster_sets {
    struct nu_stat_set *traffic;
    struct nu_stat_set *external; /* .external. */
    struct nu_stat_set *internal; /* .internal. */
    struct nu_stat_set *canary;   /* .canary. */
    struct nu_stat_set *retry;    /* .retry. */
    struct nu_stat_set *lb;
    struct nu_stat_set *hash;   /* .ring_hash_lb. or .maglev_lb.; NULL unless it balances so */
    struct nu_stat_set *subset; /* NULL unless there are subsets */
    struct nu_stat_set *membership;
    struct nu_stat_set *update;
    struct nu_stat_set *transport_match;              /* .default. */
    struct nu_stat_set *budgets;                      /* NULL unless tracked */
    struct nu_stat_set *sizes;                        /* the same */
    struct nu_stat_set *http1;                        /* .http1. */
    struct nu_stat_set *http2;                        /* .http2.; NULL where it is not spoken */
    struct nu_stat_set *breakers[NU_PRIORITY_COUNT];  /* .circuit_breakers.X. */
    struct nu_stat_set *remaining[NU_PRIORITY_COUNT]; /* the same scope; NULL unless tracked */
};

/* What came and went with a new host set. The arrays live as long as the call. */
struct nu_host_change {
    struct nu_host *const *added;
    uint32_t added_count;
    struct nu_host *const *removed;
    uint32_t removed_count;
};

/*
 * Who wants to know of a cluster's hosts: health checks, outlier detection. It is told before the
 * new set counts for anybody, so flags that it gives to new hosts hold from the beginning. Embedded
 * in its owner; main thread.
 */
struct nu_cluster_observer {
    struct nu_list link; /* the cluster's */
    void (*on_hosts)(struct nu_cluster_observer *observer, const struct nu_host_change *change);
    /* The cluster goes, and the observer with it. NULL where its owner ends before. */
    void (*destroy)(struct nu_cluster_observer *observer);
};

/* When the workers hear of new host sets of a warm cluster: at once of hosts that came or went, but
 * changes of health and weights that follow each other within a while are told together. */
struct nu_cluster_updates {
    uint64_t window_ms; /* 0: there is no such while */
    uint64_t last_ms;   /* when they heard last; 0: never */
    struct nu_timer timer;
};

/* How many hosts a cluster has, at the moment. */
struct nu_cluster_members {
    uint32_t total;
    uint32_t available; /* healthy or degraded */
};

struct nu_cluster {
    struct nu_arena arena;  /* settings and texts */
    struct nu_stats *stats; /* borrowed: the registry */
    struct nu_str name;
    struct nu_str observability_name; /* alt_stat_name or the name */
    struct nu_cluster_options options;
    struct nu_transport_match *transport_matches; /* for hosts that fit; in order */
    size_t transport_match_count;
    const struct nu_lb_class *lb_class;
    const struct nu_lb_settings *lb;            /* in the arena, or the default */
    const struct nu_hash_lb_settings *hash;     /* in the arena; NULL unless it balances by hash */
    const struct nu_subset_settings *subset;    /* the same; NULL unless there are subsets */
    const struct nu_named_host_settings *named; /* the same; NULL unless requests name hosts */
    const struct nu_metadata *metadata;         /* may be NULL */
    struct nu_breakers breakers[NU_PRIORITY_COUNT];
    struct nu_cluster_sets sets;
    _Atomic uint64_t members;             /* struct nu_cluster_members; by the main thread */
    struct nu_host_set *hosts;            /* the present set; main thread */
    struct nu_list observers;             /* of struct nu_cluster_observer; main thread */
    struct nu_zone_stats *zone_stats;     /* owned: of each zone that hosts are in; main thread */
    struct nu_cluster_updates updates;    /* main thread */
    const struct nu_init_target *warm;    /* borrowed: ready once it is; NULL: from the start */
    struct nu_turn_task health_task;      /* on its way while health changed; main thread */
    struct nu_outlier *outlier;           /* an observer; NULL without outlier detection */
    struct nu_reported_weights *reported; /* the same; NULL unless hosts report their load */
    struct nu_discovery *discovery;       /* owned; NULL when the hosts are configured */
    struct nu_cluster_manager *manager;   /* borrowed; NULL until a manager has it */
    bool is_checked;                      /* its hosts' health is checked */
    bool keeps_passing_hosts;             /* and those that pass outlive what discovery says */
    bool added_via_api;
    bool shows_hosts;       /* the figures of its hosts stand in /stats, too */
    bool wants_provided_lb; /* by its configuration: the balancer of its type */
    /* Hosts are made by need; NULL: they are not. */
    const struct nu_original_dst *original_dst;
    /* Hosts are those that requests name; NULL: they are not. */
    const struct nu_forward_proxy *forward_proxy;
    const struct nu_aggregate *aggregate; /* hosts are other clusters'; NULL: they are not */
};

/* What stands between a connection to the host and its socket. */
static inline const struct nu_transport_socket *
nu_cluster_transport(const struct nu_cluster *cluster, const struct nu_host *host)
{
    const struct nu_transport_match *match = nu_host_transport(host);
    return nu_unlikely(match != NULL) ? &match->socket : &cluster->options.transport;
}

/* Whether the host is told whom a connection is for. */
static inline bool nu_cluster_names_client(const struct nu_cluster *cluster,
                                           const struct nu_host *host)
{
    const struct nu_transport_socket_class *cls = nu_cluster_transport(cluster, host)->cls;
    return nu_unlikely(cls && cls->names_client);
}

/* Any thread. */
static inline struct nu_cluster_members nu_cluster_members(const struct nu_cluster *cluster)
{
    uint64_t members = atomic_load_explicit(&cluster->members, memory_order_relaxed);
    return (struct nu_cluster_members){(uint32_t)(members >> 32), (uint32_t)members};
}

/* Frees a cluster that no worker uses any more; clears the pointer. Main thread. */
void nu_cluster_destroy(struct nu_cluster **cluster);
/* Tells `observer` of hosts from now on: of those there are by the way of the next set, or at once
 * if the manager has the cluster. Main thread. */
void nu_cluster_add_observer(struct nu_cluster *cluster, struct nu_cluster_observer *observer);
/* Flags or weights of hosts changed: at the end of the turn the cluster gets a new set of the same
 * hosts. Main thread. */
void nu_cluster_health_changed(struct nu_cluster *cluster);

/* --- The worker's side ------------------------------------------------------------------------ */

/* What connections have to do, and room for. */
struct nu_stream_counts {
    uint64_t waiting;  /* requests without a connection */
    uint64_t active;   /* streams */
    uint64_t capacity; /* more streams that connections can take: those that are there or come */
};

struct nu_cluster_local {
    struct nu_cluster *cluster;             /* borrowed: outlives the workers' tables */
    struct nu_loop *loop;                   /* borrowed */
    struct nu_cluster_traffic_stats *stats; /* this thread's blocks; NULL before the first use */
    struct nu_cluster_lb_stats *lb_stats;
    struct nu_response_stats *responses[2]; /* external, internal */
    struct nu_response_stats *canary;
    struct nu_response_stats *retried;
    struct nu_circuit_breaker_stats *breaker_stats[NU_PRIORITY_COUNT];
    struct nu_circuit_breaker_remaining_stats *remaining_stats[NU_PRIORITY_COUNT];
    struct nu_host_set *hosts; /* one reference */
    struct nu_host **fresh;    /* owned: hosts that the main thread's set is yet to bring */
    uint32_t fresh_count;
    uint32_t room;    /* for more of them in `hosts`, if that was made here */
    struct nu_lb *lb; /* owned */
    struct nu_cluster_local *next_aggregate;    /* in the table's list of them */
    bool counts_active;                         /* requests are counted in their hosts */
    struct nu_list pools;                       /* of struct nu_pool */
    struct nu_list tcp_clients;                 /* of struct nu_tcp_client */
    struct nu_list tcp_waiting;                 /* those that wait to connect, longest first */
    struct nu_cluster_http1_stats *http1_stats; /* NULL before anything was counted */
    struct nu_http2_stats *http2_stats;         /* NULL before the first connection */
    struct nu_map own_pools;  /* those that are not for everybody, by pool->own->key */
    struct nu_pool **pool_of; /* nu_pool_slot says where; NULL until used */
    struct nu_subset_totals subsets_counted;
    struct nu_stream_counts *totals; /* borrowed: the table's; NULL: nobody asks for them */
    bool is_metered;                 /* its budgets or sizes are tracked */
};

/* A worker's clusters by name. */
enum { NU_CLUSTER_MEMO = 8 };

struct nu_cluster_table {
    struct nu_loop *loop;        /* borrowed */
    struct nu_map by_name;       /* of struct nu_cluster_local */
    struct nu_str local_cluster; /* borrowed: the cluster of processes like this; may be empty */
    struct nu_cluster_local *aggregates; /* those that stand for others; NULL: there are none */
    struct nu_cluster_local
        *found[NU_CLUSTER_MEMO];           /* lately, by where the name stood; may be NULL */
    struct nu_dns_cache_local *dns_caches; /* owned: the thread's parts; NULL for none */
    uint32_t dns_cache_count;
    bool counts_streams;            /* a cluster foresees requests by `totals` */
    struct nu_stream_counts totals; /* over all clusters: Envoy's rule */
};

void nu_cluster_table_init(struct nu_cluster_table *table, struct nu_loop *loop);
/* Closes all connections and frees everything. The worker's thread, or after it ended. */
void nu_cluster_table_finish(struct nu_cluster_table *table);
/* Adds a cluster with its present hosts. The worker's thread, or before it runs. */
void nu_cluster_table_add(struct nu_cluster_table *table, struct nu_cluster *cluster,
                          struct nu_host_set *hosts);
/* The table goes to its thread: that counts in blocks of its own, not in those of the thread that
 * filled it. Before it runs. */
void nu_cluster_table_hand_over(struct nu_cluster_table *table);
/* Gives a cluster new hosts (takes a reference); pools of hosts that went are drained. */
void nu_cluster_table_set_hosts(struct nu_cluster_table *table, struct nu_cluster *cluster,
                                struct nu_host_set *hosts);
/* Drains the pools of a host that stays: whoever asks for it gets a new one. */
void nu_cluster_table_drain_host(struct nu_cluster_table *table, const struct nu_cluster *cluster,
                                 const struct nu_host *host);
/* Drains the pools of all hosts. */
void nu_cluster_table_drain(struct nu_cluster_table *table, const struct nu_cluster *cluster);
/* Gives a cluster one more host, before the set that has it (takes a reference). */
void nu_cluster_table_add_host(struct nu_cluster_table *table, const struct nu_cluster *cluster,
                               struct nu_host *host);
/* The same for one that was found, whatever the main thread says. */
void nu_cluster_local_set_hosts(struct nu_cluster_local *local, struct nu_host_set *hosts);
/* The present set, which nobody else has, has got one more host. */
void nu_cluster_local_grow(struct nu_cluster_local *local);
/* The cluster of this name, or NULL. */
struct nu_cluster_local *nu_cluster_table_find(const struct nu_cluster_table *table,
                                               struct nu_str name);
/* The same for who asks again and again with names that stay where they are, such as a route's. */
struct nu_cluster_local *nu_cluster_table_find_again(struct nu_cluster_table *table,
                                                     struct nu_str name);

/* A host has one pool or two, where HTTP/1 and HTTP/2 are spoken, for each priority. */
enum { NU_POOLS_PER_PRIORITY = 2 };

/* A host that was chosen. */
struct nu_cluster_choice {
    struct nu_cluster_local *cluster; /* whose it is: an aggregate's hosts are other clusters' */
    int32_t index;                    /* in its set; NU_LB_NONE: nobody was found */
};

/* The same for an aggregate. */
struct nu_cluster_choice nu_aggregate_choose(struct nu_cluster_local *local,
                                             const struct nu_lb_context *context);

/* A host for a request: one that the balancer chooses, or that is made for it. */
static inline struct nu_cluster_choice nu_cluster_choose_host(struct nu_cluster_local *local,
                                                              const struct nu_lb_context *context)
{
    if (nu_unlikely(local->cluster->aggregate != NULL))
        return nu_aggregate_choose(local, context);
    int32_t index = nu_lb_choose(local->lb, context);
    if (nu_unlikely(index == NU_LB_NONE && local->cluster->original_dst && context->destination))
        index = (int32_t)nu_original_dst_make_host(local, context->destination);
    return (struct nu_cluster_choice){local, index};
}

/* The priorities that a choice is made among, and how healthy they are (nu_priority_health). */
uint32_t nu_cluster_priority_count(const struct nu_cluster_local *local);
uint32_t nu_cluster_priority_health(const struct nu_cluster_local *local,
                                    struct nu_priority_load *health);
/* Which of them the host of `owner`, the choice's cluster, is of. */
uint32_t nu_cluster_priority_of(const struct nu_cluster_local *local,
                                const struct nu_cluster_local *owner, const struct nu_host *host);

/* The worker's counters of a cluster, made on first use. */
struct nu_cluster_traffic_stats *nu_cluster_local_stats(struct nu_cluster_local *local);
/* Those of balancing. */
static inline struct nu_cluster_lb_stats *nu_cluster_local_lb_stats(struct nu_cluster_local *local)
{
    nu_cluster_local_stats(local);
    return local->lb_stats;
}
/* Those of HTTP/1. */
struct nu_cluster_http1_stats *nu_cluster_local_http1_stats(struct nu_cluster_local *local);
/* Those of HTTP/2, for a cluster that speaks it. */
struct nu_http2_stats *nu_cluster_local_http2_stats(struct nu_cluster_local *local);

/* Whether one more retry may be made now: the caller counts it as NU_BREAKER_RETRIES then, until
 * the attempt is over. */
bool nu_cluster_allows_retry(struct nu_cluster_local *local, enum nu_priority priority);
/* Whether one more connection to this host may be opened. */
bool nu_cluster_allows_connection(const struct nu_cluster_local *local, enum nu_priority priority,
                                  const struct nu_host *host);
/* From now on remaining_retries is 0, if retries have a budget: what is left of that depends on
 * other counts. Any thread. */
void nu_cluster_note_retry_budget(struct nu_cluster *cluster, enum nu_priority priority);

/* A request begins or ends at a host. */
static inline void nu_cluster_local_add_active(const struct nu_cluster_local *local,
                                               struct nu_host *host)
{
    if (nu_unlikely(local->counts_active))
        atomic_fetch_add_explicit(&host->active, 1, memory_order_relaxed);
}
static inline void nu_cluster_local_sub_active(const struct nu_cluster_local *local,
                                               struct nu_host *host)
{
    if (nu_unlikely(local->counts_active))
        atomic_fetch_sub_explicit(&host->active, 1, memory_order_relaxed);
}

/* Counts a breaker up or down, with its gauges. */
void nu_cluster_breaker_add(struct nu_cluster_local *local, enum nu_priority priority,
                            enum nu_breaker_kind kind);
void nu_cluster_breaker_sub(struct nu_cluster_local *local, enum nu_priority priority,
                            enum nu_breaker_kind kind);

#endif
