/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of the process as a whole, with Envoy's names. Who counts what: the module that does
 * the thing; the lists stand here so that names are in one place.
 */
#ifndef NU_STATS_SERVER_STATS_H
#define NU_STATS_SERVER_STATS_H

#include "stats/table.h"

/* server. */
#define NU_SERVER_STATS(X, S) \
    X(S, GAUGE, live, "1 while the server is live, 0 while it drains.") \
    X(S, GAUGE, state, "0 live, 1 draining, 2 pre-initializing, 3 initializing.") \
    X(S, GAUGE, uptime, "Seconds since the start, as of the last flush.") \
    X(S, GAUGE, concurrency, "Number of worker threads.") \
    X(S, GAUGE, version, "Version, as the first three bytes of the commit hash.") \
    X(S, GAUGE, hot_restart_epoch, "How many processes came before this one by hot restart.") \
    X(S, GAUGE, memory_allocated, "Bytes in use by the heap.") \
    X(S, GAUGE, memory_heap_size, "Bytes the heap holds, whether in use or not.") \
    X(S, GAUGE, memory_physical_size, "Bytes of memory the process occupies.") \
    X(S, GAUGE, parent_connections, "Connections that the process before this one still has.") \
    X(S, GAUGE, total_connections, "Connections of this process and the one before it.") \
    X(S, GAUGE, days_until_first_cert_expiring, "Days until the first certificate expires.") \
    X(S, GAUGE, seconds_until_first_ocsp_response_expiring, \
      "Seconds until the first stapled OCSP response expires.") \
    X(S, GAUGE, stats_recent_lookups, "Lookups of statistics by name.") \
    X(S, COUNTER, static_unknown_fields, "Messages of the bootstrap with fields unknown here.") \
    X(S, COUNTER, dynamic_unknown_fields, "Messages from a management server with such fields.") \
    X(S, COUNTER, wip_protos, "Uses of messages and fields marked as work in progress.") \
    X(S, COUNTER, debug_assertion_failures, "Failed assertions that a release goes on after.") \
    X(S, COUNTER, envoy_bug_failures, "States reached that should not exist.") \
    X(S, COUNTER, envoy_notifications, "Events reported as worth a look.") \
    X(S, COUNTER, dropped_stat_flushes, "Flushes left out because the one before was not done.") \
    X(S, HISTOGRAM, initialization_time_ms, "Time from the start until workers accept.")

struct nu_server_stats {
    NU_SERVER_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_server_stats_table;

/* server.compilation_settings. */
#define NU_COMPILATION_STATS(X, S) \
    X(S, GAUGE, fips_mode, "1 if the TLS library was built for FIPS.")

struct nu_compilation_stats {
    NU_COMPILATION_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_compilation_stats_table;

/* main_thread. and workers., and for single threads server.main_thread. and server.worker_<n>. */
#define NU_WATCHDOG_STATS(X, S) \
    X(S, COUNTER, watchdog_miss, "Times a thread did not come round in time.") \
    X(S, COUNTER, watchdog_mega_miss, "Times it did not for very long.")

struct nu_watchdog_stats {
    NU_WATCHDOG_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_watchdog_stats_table;

/* listener_manager. */
#define NU_LISTENER_MANAGER_STATS(X, S) \
    X(S, COUNTER, listener_added, "Listeners added, by file or by LDS.") \
    X(S, COUNTER, listener_modified, "Listeners changed by LDS.") \
    X(S, COUNTER, listener_removed, "Listeners removed by LDS.") \
    X(S, COUNTER, listener_stopped, "Listeners stopped, as when draining.") \
    X(S, COUNTER, listener_create_success, "Listener sockets put to work, per worker.") \
    X(S, COUNTER, listener_create_failure, "Listener sockets that could not be, per worker.") \
    X(S, COUNTER, listener_in_place_updated, "Listeners of which only filter chains changed.") \
    X(S, GAUGE, total_filter_chains_draining, "Filter chains whose connections run out.") \
    X(S, GAUGE, total_listeners_warming, "Listeners that wait for what they need.") \
    X(S, GAUGE, total_listeners_active, "Listeners that accept.") \
    X(S, GAUGE, total_listeners_draining, "Listeners whose connections run out.") \
    X(S, GAUGE, workers_started, "1 once all workers run.")

struct nu_listener_manager_stats {
    NU_LISTENER_MANAGER_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_listener_manager_stats_table;

/* cluster_manager. */
#define NU_CLUSTER_MANAGER_STATS(X, S) \
    X(S, COUNTER, cluster_added, "Clusters added, by file or by CDS.") \
    X(S, COUNTER, cluster_modified, "Clusters changed by CDS.") \
    X(S, COUNTER, cluster_removed, "Clusters removed by CDS.") \
    X(S, COUNTER, cluster_updated, "Changes of hosts.") \
    X(S, COUNTER, cluster_updated_via_merge, "Changes of hosts passed on together.") \
    X(S, COUNTER, update_merge_cancelled, "Changes waiting to be merged that another overtook.") \
    X(S, COUNTER, update_out_of_merge_window, "Changes that came too late to be merged.") \
    X(S, GAUGE, active_clusters, "Clusters in use.") \
    X(S, GAUGE, warming_clusters, "Clusters that wait for what they need.")

struct nu_cluster_manager_stats {
    NU_CLUSTER_MANAGER_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_cluster_manager_stats_table;

/* thread_local_cluster_manager.main_thread. and .worker_<n>. */
#define NU_CLUSTER_TABLE_STATS(X, S) \
    X(S, GAUGE, clusters_inflated, "Clusters that the thread has made ready for traffic.")

struct nu_cluster_table_stats {
    NU_CLUSTER_TABLE_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_cluster_table_stats_table;

/* runtime. */
#define NU_RUNTIME_STATS(X, S) \
    X(S, COUNTER, load_success, "Loads of all layers that went well.") \
    X(S, COUNTER, load_error, "Loads in which some layer failed.") \
    X(S, COUNTER, override_dir_exists, "Loads that found the override directory.") \
    X(S, COUNTER, override_dir_not_exists, "Loads that did not.") \
    X(S, COUNTER, deprecated_feature_use, "Uses of deprecated features.") \
    X(S, GAUGE, deprecated_feature_seen_since_process_start, \
      "Uses of deprecated features, not lost by a hot restart.") \
    X(S, GAUGE, admin_overrides_active, "1 while a value is set by the admin interface.") \
    X(S, GAUGE, num_keys, "Keys with a value.") \
    X(S, GAUGE, num_layers, "Layers in use.")

struct nu_runtime_stats {
    NU_RUNTIME_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_runtime_stats_table;

/* filesystem. */
#define NU_FILESYSTEM_STATS(X, S) \
    X(S, COUNTER, write_buffered, "Log lines put into a buffer.") \
    X(S, COUNTER, write_dropped, "Log lines lost because their file did not keep up.") \
    X(S, COUNTER, write_completed, "Writes to log files.") \
    X(S, COUNTER, write_failed, "Writes that failed.") \
    X(S, COUNTER, flushed_by_timer, "Buffers written because their time was up.") \
    X(S, COUNTER, reopen_failed, "Log files that could not be opened again.") \
    X(S, GAUGE, write_total_buffered, "Bytes that wait to be written.")

struct nu_filesystem_stats {
    NU_FILESYSTEM_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_filesystem_stats_table;

/* dns.cares., from the first cluster on that needs names resolved */
#define NU_DNS_STATS(X, S) \
    X(S, COUNTER, resolve_total, "Queries sent.") \
    X(S, GAUGE, pending_resolutions, "Queries without an answer yet.") \
    X(S, COUNTER, not_found, "Answers that the name does not exist or has no address.") \
    X(S, COUNTER, timeouts, "Queries that no server answered in time.") \
    X(S, COUNTER, get_addr_failure, "Queries that failed otherwise.") \
    X(S, COUNTER, reinits, "Times the resolver was set up anew after failures.")

struct nu_dns_stats {
    NU_DNS_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_dns_stats_table;

/* dns_cache.<name>. */
#define NU_DNS_CACHE_STATS(X, S) \
    X(S, COUNTER, cache_load, "Names found in a store of an earlier run; there is none.") \
    X(S, COUNTER, dns_query_attempt, "Questions for names.") \
    X(S, COUNTER, dns_query_success, "Answers, also without an address.") \
    X(S, COUNTER, dns_query_failure, "Questions without an answer.") \
    X(S, COUNTER, dns_query_timeout, "Of these: the answer took too long.") \
    X(S, COUNTER, host_added, "Names that came.") \
    X(S, COUNTER, host_removed, "Names that went, unused.") \
    X(S, COUNTER, host_address_changed, "Answers with other addresses than before.") \
    X(S, COUNTER, host_overflow, "Requests for names that did not fit in.") \
    X(S, COUNTER, dns_rq_pending_overflow, "Requests refused because too many waited.") \
    X(S, GAUGE, num_hosts, "Names at present.")

struct nu_dns_cache_stats {
    NU_DNS_CACHE_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_dns_cache_stats_table;

/* dns_cache.<name>.circuit_breakers. */
#define NU_DNS_CACHE_BREAKER_STATS(X, S) \
    X(S, GAUGE, rq_pending_open, "1 while as many requests wait for names as may.") \
    X(S, GAUGE, rq_pending_remaining, "How many more may.")

struct nu_dns_cache_breaker_stats {
    NU_DNS_CACHE_BREAKER_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_dns_cache_breaker_stats_table;

#endif
