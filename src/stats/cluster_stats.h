/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of clusters, with Envoy's names. <name> is alt_stat_name or else the name, sanitised
 * (nu_stats_sanitize).
 *
 * They are several tables because they are counted in different places: a worker has a block of the
 * traffic table for a cluster it has traffic for, the main thread one of the membership table for
 * each cluster.
 */
#ifndef NU_STATS_CLUSTER_STATS_H
#define NU_STATS_CLUSTER_STATS_H

#include "stats/table.h"

/* cluster.<name>., traffic; with each response's code also counted under .external, .internal
 * ... */
#define NU_CLUSTER_TRAFFIC_STATS(X, S) \
    X(S, COUNTER, upstream_rq_total, "Requests sent.") \
    X(S, GAUGE, upstream_rq_active, "Requests at work.") \
    X(S, COUNTER, upstream_rq_completed, "Requests answered.") \
    X(S, CODES, upstream_rq, "Answers with that status, or of that class.") \
    X(S, LAZY_HISTOGRAM, upstream_rq_time, "Milliseconds from a request's end to its answer's.") \
    X(S, COUNTER, upstream_cx_rx_bytes_total, "Bytes read.") \
    X(S, COUNTER, upstream_cx_tx_bytes_total, "Bytes written.") \
    X(S, GAUGE, upstream_cx_rx_bytes_buffered, "Bytes read and not worked off yet.") \
    X(S, GAUGE, upstream_cx_tx_bytes_buffered, "Bytes that wait to be written.") \
    X(S, COUNTER, upstream_rq_pending_total, "Requests that had to wait for a connection.") \
    X(S, GAUGE, upstream_rq_pending_active, "Requests that wait for a connection.") \
    X(S, COUNTER, upstream_cx_total, "Connections begun.") \
    X(S, GAUGE, upstream_cx_active, "Connections open or opening.") \
    X(S, COUNTER, upstream_cx_http1_total, "HTTP/1 connections.") \
    X(S, COUNTER, upstream_cx_http2_total, "HTTP/2 connections.") \
    X(S, COUNTER, upstream_cx_http3_total, "HTTP/3 connections.") \
    X(S, HISTOGRAM, upstream_cx_connect_ms, "Milliseconds a connection took to open.") \
    X(S, HISTOGRAM, upstream_cx_length_ms, "How long connections lasted.") \
    X(S, HISTOGRAM, upstream_rq_per_cx, "Requests per connection.") \
    X(S, COUNTER, upstream_cx_connect_fail, "Connections that could not be opened.") \
    X(S, COUNTER, upstream_cx_connect_timeout, "Connections that did not open in time.") \
    X(S, COUNTER, upstream_cx_connect_attempts_exceeded, \
      "Requests given up after that many tries to connect.") \
    X(S, COUNTER, upstream_cx_connect_with_0_rtt, "Connections opened with early data.") \
    X(S, COUNTER, upstream_cx_idle_timeout, "Connections closed for idleness.") \
    X(S, COUNTER, upstream_cx_max_duration_reached, "Connections closed for their age.") \
    X(S, COUNTER, upstream_cx_max_requests, "Connections closed after that many requests.") \
    X(S, COUNTER, upstream_cx_close_notify, "Connections whose peer asked for their end.") \
    X(S, COUNTER, upstream_cx_destroy, "Connections closed.") \
    X(S, COUNTER, upstream_cx_destroy_local, "Connections closed by us.") \
    X(S, COUNTER, upstream_cx_destroy_remote, "Connections closed by the peer.") \
    X(S, COUNTER, upstream_cx_destroy_with_active_rq, "Connections closed with requests at work.") \
    X(S, COUNTER, upstream_cx_destroy_local_with_active_rq, "The same, by us.") \
    X(S, COUNTER, upstream_cx_destroy_remote_with_active_rq, "The same, by the peer.") \
    X(S, COUNTER, upstream_cx_none_healthy, "Requests for which no host was to be had.") \
    X(S, COUNTER, upstream_cx_overflow, "Times the limit of connections was in the way.") \
    X(S, COUNTER, upstream_cx_pool_overflow, "Times the limit of pools was in the way.") \
    X(S, COUNTER, upstream_cx_protocol_error, "Connections closed for a protocol error.") \
    X(S, COUNTER, upstream_http3_broken, "Times HTTP/3 was marked as not working.") \
    X(S, COUNTER, upstream_flow_control_paused_reading_total, \
      "Times reading stopped because the client was slow.") \
    X(S, COUNTER, upstream_flow_control_resumed_reading_total, "Times reading went on.") \
    X(S, COUNTER, upstream_flow_control_backed_up_total, \
      "Times a connection backed up and the client was told to wait.") \
    X(S, COUNTER, upstream_flow_control_drained_total, "Times it was free again.") \
    X(S, COUNTER, upstream_rq_pending_overflow, "Requests refused as too many waited.") \
    X(S, COUNTER, upstream_rq_pending_failure_eject, \
      "Waiting requests that failed with their connection.") \
    X(S, COUNTER, upstream_rq_cancelled, "Waiting requests that were given up.") \
    X(S, COUNTER, upstream_rq_maintenance_mode, "Requests refused by maintenance mode.") \
    X(S, COUNTER, upstream_rq_timeout, "Requests without an answer in time.") \
    X(S, COUNTER, upstream_rq_max_duration_reached, "Requests ended for their age.") \
    X(S, COUNTER, upstream_rq_per_try_timeout, "Tries without an answer in time.") \
    X(S, COUNTER, upstream_rq_per_try_idle_timeout, "Tries ended for idleness.") \
    X(S, COUNTER, upstream_rq_rx_reset, "Requests the peer reset.") \
    X(S, COUNTER, upstream_rq_tx_reset, "Requests we reset.") \
    X(S, COUNTER, upstream_rq_0rtt, "Requests sent as early data.") \
    X(S, COUNTER, upstream_rq_retry, "Retries.") \
    X(S, COUNTER, upstream_rq_retry_success, "Retries that succeeded.") \
    X(S, COUNTER, upstream_rq_retry_overflow, "Retries left out as too many were at work.") \
    X(S, COUNTER, upstream_rq_retry_limit_exceeded, "Requests given up after the last retry.") \
    X(S, COUNTER, upstream_rq_retry_backoff_exponential, "Retries after a growing pause.") \
    X(S, COUNTER, upstream_rq_retry_backoff_ratelimited, "Retries after a pause the peer named.") \
    X(S, COUNTER, retry_or_shadow_abandoned, \
      "Retries and copies given up as the request outgrew its buffer.") \
    X(S, COUNTER, upstream_internal_redirect_succeeded_total, "Redirects followed here.") \
    X(S, COUNTER, upstream_internal_redirect_failed_total, "Redirects given to the client.") \
    X(S, COUNTER, original_dst_host_invalid, "Requests whose original destination was no host.") \
    X(S, COUNTER, bind_errors, "Source addresses that could not be bound.")

struct nu_cluster_traffic_stats {
    NU_CLUSTER_TRAFFIC_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_cluster_traffic_stats_table;

/* cluster.<name>.external., .internal., .canary., .retry., .zone.<from>.<to>., and the like */
#define NU_RESPONSE_STATS(X, S) \
    X(S, CODES, upstream_rq, "Answers with that status, or of that class.") \
    X(S, LAZY_COUNTER, upstream_rq_completed, "Requests answered.") \
    X(S, LAZY_HISTOGRAM, upstream_rq_time, "Milliseconds from a request's end to its answer's.")

struct nu_response_stats {
    NU_RESPONSE_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_response_stats_table;

/* cluster.<name>., with track_cluster_stats.timeout_budgets only */
#define NU_TIMEOUT_BUDGET_STATS(X, S) \
    X(S, HISTOGRAM, upstream_rq_timeout_budget_percent_used, \
      "Percent of its timeout that a request took.") \
    X(S, HISTOGRAM, upstream_rq_timeout_budget_per_try_percent_used, \
      "Percent of its timeout that a try took.")

struct nu_timeout_budget_stats {
    NU_TIMEOUT_BUDGET_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_timeout_budget_stats_table;

/* cluster.<name>., with track_cluster_stats.request_response_sizes only */
#define NU_MESSAGE_SIZE_STATS(X, S) \
    X(S, HISTOGRAM, upstream_rq_headers_size, \
      "Bytes of the names and values of a request's head.") \
    X(S, HISTOGRAM, upstream_rq_headers_count, "Header fields of a request.") \
    X(S, HISTOGRAM, upstream_rq_body_size, "Bytes of a request's body.") \
    X(S, HISTOGRAM, upstream_rs_headers_size, \
      "Bytes of the names and values of a response's heads.") \
    X(S, HISTOGRAM, upstream_rs_headers_count, "Header fields of a response.") \
    X(S, HISTOGRAM, upstream_rs_body_size, "Bytes of a response's body.")

struct nu_message_size_stats {
    NU_MESSAGE_SIZE_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_message_size_stats_table;

/* cluster.<name>., load balancing */
#define NU_CLUSTER_LB_STATS(X, S) \
    X(S, COUNTER, lb_healthy_panic, "Requests balanced over all hosts as too few were healthy.") \
    X(S, COUNTER, lb_zone_routing_all_directly, "Requests sent to a host of our zone.") \
    X(S, COUNTER, lb_zone_routing_sampled, "Requests sent to our zone by chance.") \
    X(S, COUNTER, lb_zone_routing_cross_zone, "Requests sent to another zone.") \
    X(S, COUNTER, lb_zone_cluster_too_small, "Requests without zones as hosts were too few.") \
    X(S, COUNTER, lb_zone_no_capacity_left, "Requests sent to a zone by chance as none had room.") \
    X(S, COUNTER, lb_local_cluster_not_ok, \
      "Requests without zones as our own hosts were not right.") \
    X(S, COUNTER, lb_recalculate_zone_structures, "Times the shares of zones were computed.") \
    X(S, COUNTER, lb_subsets_selected, "Requests sent to a subset.") \
    X(S, COUNTER, lb_subsets_fallback, "Requests sent by the fallback policy.") \
    X(S, COUNTER, lb_subsets_fallback_panic, "The same with all hosts in panic.") \
    X(S, COUNTER, lb_subsets_created, "Subsets made.") \
    X(S, COUNTER, lb_subsets_removed, "Subsets that lost their last host.") \
    X(S, GAUGE, lb_subsets_active, "Subsets there are.")

struct nu_cluster_lb_stats {
    NU_CLUSTER_LB_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_cluster_lb_stats_table;

/* cluster.<name>., where hosts are divided into subsets */
#define NU_SUBSET_STATS(X, S) \
    X(S, GAUGE, lb_subsets_single_host_per_subset_duplicate, \
      "Hosts left out of subsets of a single host that had one.")

struct nu_subset_stats {
    NU_SUBSET_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_subset_stats_table;

/* cluster.<name>.ring_hash_lb. */
#define NU_RING_HASH_STATS(X, S) \
    X(S, GAUGE, size, "Places on the ring that was built last.") \
    X(S, GAUGE, min_hashes_per_host, "Places of the host that has the fewest.") \
    X(S, GAUGE, max_hashes_per_host, "Places of the host that has the most.")

struct nu_ring_hash_stats {
    NU_RING_HASH_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_ring_hash_stats_table;

/* cluster.<name>.maglev_lb. */
#define NU_MAGLEV_STATS(X, S) \
    X(S, GAUGE, min_entries_per_host, "Slots of the host that has the fewest in the last table.") \
    X(S, GAUGE, max_entries_per_host, "Slots of the host that has the most.")

struct nu_maglev_stats {
    NU_MAGLEV_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_maglev_stats_table;

/* cluster.<name>., hosts */
#define NU_CLUSTER_MEMBERSHIP_STATS(X, S) \
    X(S, COUNTER, membership_change, "Changes of the set of hosts.") \
    X(S, GAUGE, membership_total, "Hosts.") \
    X(S, GAUGE, membership_healthy, "Healthy hosts.") \
    X(S, GAUGE, membership_degraded, "Degraded hosts.") \
    X(S, GAUGE, membership_excluded, "Hosts that are not counted for panic.") \
    X(S, GAUGE, max_host_weight, "The greatest weight of a host.")

struct nu_cluster_membership_stats {
    NU_CLUSTER_MEMBERSHIP_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_cluster_membership_stats_table;

/* cluster.<name>.health_check. */
#define NU_HEALTH_CHECK_STATS(X, S) \
    X(S, COUNTER, attempt, "Health checks begun.") \
    X(S, COUNTER, success, "Health checks that passed.") \
    X(S, COUNTER, failure, "Health checks that failed, and failures that responses told of.") \
    X(S, COUNTER, passive_failure, "Of them, those that responses to clients told of.") \
    X(S, COUNTER, network_failure, "Of them, those without an answer.") \
    X(S, COUNTER, verify_cluster, "Health checks that asked whose service the host is of.") \
    X(S, GAUGE, healthy, "Hosts that pass their health checks.") \
    X(S, GAUGE, degraded, "Hosts that ask to be spared.")

struct nu_health_check_stats {
    NU_HEALTH_CHECK_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_health_check_stats_table;

/* cluster.<name>., where hosts come from: DNS or EDS */
#define NU_CLUSTER_UPDATE_STATS(X, S) \
    X(S, COUNTER, update_attempt, "Updates asked for.") \
    X(S, COUNTER, update_success, "Updates that worked.") \
    X(S, COUNTER, update_failure, "Updates that failed on the way.") \
    X(S, COUNTER, update_empty, "Updates without a host.") \
    X(S, COUNTER, update_no_rebuild, "Updates that changed nothing.") \
    X(S, COUNTER, assignment_stale, "Assignments dropped as they grew too old.") \
    X(S, COUNTER, assignment_timeout_received, "Assignments that came with a time to live.") \
    X(S, COUNTER, assignment_use_cached, "Assignments taken from an earlier answer.") \
    X(S, GAUGE64, version, "A hash of the version of the last update taken over.") \
    X(S, GAUGE, warming_state, "1 while the cluster waits for its first update.")

struct nu_cluster_update_stats {
    NU_CLUSTER_UPDATE_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_cluster_update_stats_table;

/* cluster.<name>., of EDS */
#define NU_EDS_STATS(X, S) \
    X(S, COUNTER, update_rejected, "Updates that were read and refused.") \
    X(S, COUNTER, init_fetch_timeout, "Always 0: nothing waits for a file.") \
    X(S, GAUGE64, update_time, "When the last update was taken: milliseconds since 1970.") \
    X(S, HISTOGRAM, update_duration, "Milliseconds that taking an update took.") \
    X(S, TEXT, version_text, "The name of the last version.")

struct nu_eds_stats {
    NU_EDS_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_eds_stats_table;

/* cluster.<name>.circuit_breakers.default. and .high. */
#define NU_CIRCUIT_BREAKER_STATS(X, S) \
    X(S, GAUGE, cx_open, "1 while the limit of connections is reached.") \
    X(S, GAUGE, cx_pool_open, "1 while the limit of connection pools is reached.") \
    X(S, GAUGE, rq_pending_open, "1 while the limit of waiting requests is reached.") \
    X(S, GAUGE, rq_open, "1 while the limit of requests is reached.") \
    X(S, GAUGE, rq_retry_open, "1 while the limit of retries is reached.")

struct nu_circuit_breaker_stats {
    NU_CIRCUIT_BREAKER_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_circuit_breaker_stats_table;

/* The same scope, with track_remaining only */
#define NU_CIRCUIT_BREAKER_REMAINING_STATS(X, S) \
    X(S, GAUGE64, remaining_cx, "Connections until the limit.") \
    X(S, GAUGE64, remaining_cx_pools, "Connection pools until the limit.") \
    X(S, GAUGE64, remaining_pending, "Waiting requests until the limit.") \
    X(S, GAUGE64, remaining_retries, "Retries until the limit.") \
    X(S, GAUGE64, remaining_rq, "Requests until the limit.")

struct nu_circuit_breaker_remaining_stats {
    NU_CIRCUIT_BREAKER_REMAINING_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_circuit_breaker_remaining_stats_table;

/* cluster.<name>.outlier_detection., with outlier_detection only */
#define NU_OUTLIER_STATS(X, S) \
    X(S, COUNTER, ejections_enforced_total, "Hosts put aside.") \
    X(S, GAUGE, ejections_active, "Hosts that are aside.") \
    X(S, COUNTER, ejections_overflow, "Hosts left in, as too many are aside.") \
    X(S, COUNTER, ejections_detected_consecutive_5xx, "Runs of 5xx.") \
    X(S, COUNTER, ejections_enforced_consecutive_5xx, "Hosts put aside for them.") \
    X(S, COUNTER, ejections_detected_consecutive_gateway_failure, "Runs of 502, 503 and 504.") \
    X(S, COUNTER, ejections_enforced_consecutive_gateway_failure, "Hosts put aside for them.") \
    X(S, COUNTER, ejections_detected_consecutive_local_origin_failure, \
      "Runs of failures that were seen on our side.") \
    X(S, COUNTER, ejections_enforced_consecutive_local_origin_failure, \
      "Hosts put aside for them.") \
    X(S, COUNTER, ejections_detected_success_rate, "Hosts far below the others' success.") \
    X(S, COUNTER, ejections_enforced_success_rate, "Hosts put aside for that.") \
    X(S, COUNTER, ejections_detected_local_origin_success_rate, \
      "The same, of failures that were seen on our side.") \
    X(S, COUNTER, ejections_enforced_local_origin_success_rate, "Hosts put aside for that.") \
    X(S, COUNTER, ejections_detected_failure_percentage, "Hosts that failed too often.") \
    X(S, COUNTER, ejections_enforced_failure_percentage, "Hosts put aside for that.") \
    X(S, COUNTER, ejections_detected_local_origin_failure_percentage, \
      "The same, of failures that were seen on our side.") \
    X(S, COUNTER, ejections_enforced_local_origin_failure_percentage, "Hosts put aside for that.") \
    X(S, COUNTER, ejections_total, "Of the older kinds: for 5xx and for success rates.") \
    X(S, COUNTER, ejections_consecutive_5xx, "An older name of runs of 5xx.") \
    X(S, COUNTER, ejections_success_rate, "An older name of both success rates.")

struct nu_outlier_stats {
    NU_OUTLIER_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_outlier_stats_table;

/* cluster.<name>.<match>., "default" for the transport socket of the cluster itself */
#define NU_TRANSPORT_SOCKET_MATCH_STATS(X, S) \
    X(S, COUNTER, total_match_count, "Times a host was given this transport socket.")

struct nu_transport_socket_match_stats {
    NU_TRANSPORT_SOCKET_MATCH_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_transport_socket_match_stats_table;

/* cluster.<name>.upstream.proxyprotocol. */
#define NU_UPSTREAM_PROXY_STATS(X, S) \
    X(S, COUNTER, v2_tlvs_exceed_max_length, "PROXY headers that had no room for all values.")

struct nu_upstream_proxy_stats {
    NU_UPSTREAM_PROXY_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_upstream_proxy_stats_table;

/* Of one host, shown by /clusters, and where a cluster asks for it by /stats: a private set */
#define NU_HOST_STATS(X, S) \
    X(S, COUNTER, rq_total, "Requests sent.") \
    X(S, COUNTER, rq_success, "Requests answered without a 5xx.") \
    X(S, COUNTER, rq_error, "Requests that failed.") \
    X(S, COUNTER, rq_timeout, "Requests without an answer in time.") \
    X(S, GAUGE, rq_active, "Requests at work.") \
    X(S, COUNTER, cx_total, "Connections begun.") \
    X(S, COUNTER, cx_connect_fail, "Connections that could not be opened.") \
    X(S, GAUGE, cx_active, "Connections open.")

struct nu_host_stats {
    NU_HOST_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_host_stats_table;

#endif
