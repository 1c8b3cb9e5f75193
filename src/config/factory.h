/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every *_from_proto function and extension factory is given: where errors go, where the
 * result lives, and the parts of the process that an object may need. The server makes one per
 * object that it builds; nothing keeps it. Main thread.
 */
#ifndef NU_CONFIG_FACTORY_H
#define NU_CONFIG_FACTORY_H

#include "base/address.h"
#include "config/config.h"
#include "config/subscription.h"

struct Envoy__Config__Core__V3__Node;
struct nu_bind_config;
struct nu_access_logger_class;
struct nu_bootstrap_extension;
struct nu_dns_caches;
struct nu_dns_resolver;
struct nu_file_watcher;
struct nu_filter_factory;
struct nu_host_keeper;
struct nu_init_manager;
struct nu_list;
struct nu_listener_filter_factory;
struct nu_listener_log_class;
struct nu_log_file;
struct nu_log_writer;
struct nu_map;
struct nu_loop;
struct nu_network_filter_factory;
struct nu_runtime;
struct nu_stats;
struct nu_tls_secrets;
struct nu_transport_socket_class;

/* The extensions that are built in, one NULL-terminated list for each kind. */
struct nu_extensions {
    const struct nu_filter_factory *const *http_filters;
    const struct nu_network_filter_factory *const *network_filters;
    const struct nu_access_logger_class *const *access_loggers;
    const struct nu_listener_filter_factory *const *listener_filters;
    const struct nu_transport_socket_class *const *transport_sockets;
    const struct nu_bootstrap_extension *const *bootstrap_extensions;
    const struct nu_listener_log_class *listener_log; /* NULL: listeners cannot log */
};

/* Who this process is; from node, the command line and the machine. */
struct nu_local_info {
    struct nu_str node_id;
    struct nu_str cluster;
    bool has_locality; /* it is said where this is: */
    struct nu_str region;
    struct nu_str zone;
    struct nu_str sub_zone;
    struct nu_address address; /* of the machine, not a loopback one; family NONE if it has none */
    const struct Envoy__Config__Core__V3__Node *node; /* all of it; NULL before it is made */
};

struct nu_factory {
    struct nu_config_ctx *ctx; /* takes the errors; reading positions */
    struct nu_arena *arena;    /* the result's memory; lives as long as the object */
    struct nu_stats *stats;
    struct nu_log_writer *log_writer;
    struct nu_loop *loop;               /* the main thread's */
    struct nu_log_file *outlier_log;    /* takes events of outlier detection; NULL for none */
    struct nu_dns_resolver *dns;        /* of clusters that name no other one */
    struct nu_dns_caches *dns_caches;   /* of forward proxies, by name; NULL: there can be none */
    struct nu_host_keeper *host_keeper; /* makes hosts */
    const struct nu_bind_config *bind;  /* of clusters that have none of their own; may be NULL */
    /* Takes what must be ready before listeners open; NULL where nothing waits. */
    struct nu_init_manager *init;
    /* The same for what calls clusters: it begins when they are ready. */
    struct nu_init_manager *late_init;
    struct nu_list *tls_contexts;   /* where TLS contexts are listed, to be shown; may be NULL */
    struct nu_tls_secrets *secrets; /* of TLS contexts, by name; NULL for none */
    struct nu_file_watcher
        *files; /* tells of changes; NULL: what was read once is never read again */
    /* What extensions of one configuration share, by names of theirs; the objects are in the
     * arena. */
    struct nu_map *shared;
    struct nu_list
        *services; /* what runs on threads by itself (event/thread_service.h) is added here */
    /* Set by what calls clusters on the main thread, which has none of its own otherwise; NULL:
     * nothing can. */
    bool *main_calls_clusters;
    const struct nu_extensions *extensions;
    const struct nu_local_info *local;
    const struct nu_runtime *runtime; /* as the process starts */

    const _Atomic bool *is_failing; /* the process was told to fail health checks; may be NULL */
    const char *plugin_dir;         /* where plug-ins named without a folder are; NULL for none */
    nu_subscribe_fn subscribe;      /* what comes from outside the bootstrap; NULL: nothing can */
    bool rejects_unknown_dynamic;   /* fields of it that nobody knows are errors */
    bool is_dynamic;                /* the configuration came over xDS */

    /* Whether a cluster of this name is configured. */
    bool (*has_cluster)(const void *owner, struct nu_str name);
    const void *owner;

    /* Of the listener that is built; empty elsewhere. */
    struct nu_str listener_stat_name;
    unsigned listener_direction; /* enum nu_traffic_direction */
    uint32_t buffer_limit_bytes;
    bool downstream_is_secure; /* of the filter chain that is built: TLS */
    /* Of the HTTP connection manager that is built: "http.PREFIX". */
    struct nu_str http_stat_prefix;
};

#endif
