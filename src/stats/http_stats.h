/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of HTTP connection managers, with Envoy's names and nuncio's own additions. The
 * stat_prefix stands in names as configured, without any sanitising.
 */
#ifndef NU_STATS_HTTP_STATS_H
#define NU_STATS_HTTP_STATS_H

#include "stats/table.h"

/* http.<stat_prefix>., the connection manager */
#define NU_HTTP_STATS(X, S) \
    X(S, COUNTER, downstream_rq_total, "Requests begun.") \
    X(S, COUNTER, downstream_rq_http1_total, "HTTP/1 requests begun.") \
    X(S, GAUGE, downstream_rq_active, "Requests at work.") \
    X(S, COUNTER, downstream_rq_completed, "Requests answered.") \
    X(S, COUNTER, downstream_rq_2xx, "Answers 200 to 299.") \
    X(S, HISTOGRAM, downstream_rq_time, "Milliseconds from a request's start to its end.") \
    X(S, COUNTER, downstream_cx_rx_bytes_total, "Bytes read.") \
    X(S, COUNTER, downstream_cx_tx_bytes_total, "Bytes written.") \
    X(S, GAUGE, downstream_cx_rx_bytes_buffered, "Bytes read and not worked off yet.") \
    X(S, GAUGE, downstream_cx_tx_bytes_buffered, "Bytes that wait to be written.") \
    X(S, COUNTER, downstream_rq_http2_total, "HTTP/2 requests begun.") \
    X(S, COUNTER, downstream_rq_http3_total, "HTTP/3 requests begun.") \
    X(S, COUNTER, downstream_rq_1xx, "Answers 100 to 199.") \
    X(S, COUNTER, downstream_rq_3xx, "Answers 300 to 399.") \
    X(S, COUNTER, downstream_rq_4xx, "Answers 400 to 499.") \
    X(S, COUNTER, downstream_rq_5xx, "Answers 500 to 599.") \
    X(S, COUNTER, downstream_cx_total, "Connections.") \
    X(S, GAUGE, downstream_cx_active, "Connections open.") \
    X(S, COUNTER, downstream_cx_http1_total, "HTTP/1 connections.") \
    X(S, GAUGE, downstream_cx_http1_active, "HTTP/1 connections open.") \
    X(S, COUNTER, downstream_cx_http2_total, "HTTP/2 connections.") \
    X(S, GAUGE, downstream_cx_http2_active, "HTTP/2 connections open.") \
    X(S, COUNTER, downstream_cx_http3_total, "HTTP/3 connections.") \
    X(S, GAUGE, downstream_cx_http3_active, "HTTP/3 connections open.") \
    X(S, COUNTER, downstream_cx_ssl_total, "TLS connections.") \
    X(S, GAUGE, downstream_cx_ssl_active, "TLS connections open.") \
    X(S, COUNTER, downstream_cx_upgrades_total, "Requests upgraded or connected through.") \
    X(S, GAUGE, downstream_cx_upgrades_active, "Of these, those at work.") \
    X(S, HISTOGRAM, downstream_cx_length_ms, "How long connections lasted.") \
    X(S, COUNTER, downstream_cx_destroy, "Connections closed.") \
    X(S, COUNTER, downstream_cx_destroy_local, "Connections closed by us.") \
    X(S, COUNTER, downstream_cx_destroy_remote, "Connections closed by the peer.") \
    X(S, COUNTER, downstream_cx_destroy_active_rq, "Connections closed with requests at work.") \
    X(S, COUNTER, downstream_cx_destroy_local_active_rq, "The same, by us.") \
    X(S, COUNTER, downstream_cx_destroy_remote_active_rq, "The same, by the peer.") \
    X(S, COUNTER, downstream_cx_drain_close, "Connections closed because we drain.") \
    X(S, COUNTER, downstream_cx_delayed_close_timeout, \
      "Connections closed as the peer did not in the time given.") \
    X(S, COUNTER, downstream_cx_idle_timeout, "Connections closed for idleness.") \
    X(S, COUNTER, downstream_cx_max_duration_reached, "Connections closed for their age.") \
    X(S, COUNTER, downstream_cx_max_requests_reached, \
      "Connections closed after that many requests.") \
    X(S, COUNTER, downstream_cx_overload_disable_keepalive, \
      "HTTP/1 connections closed after an answer because of overload.") \
    X(S, GAUGE, downstream_cx_http1_soft_drain, \
      "HTTP/1 connections past their age that wait for their last request.") \
    X(S, COUNTER, downstream_cx_protocol_error, "Connections closed for a protocol error.") \
    X(S, COUNTER, downstream_flow_control_paused_reading_total, \
      "Times reading stopped because the other side was slow.") \
    X(S, COUNTER, downstream_flow_control_resumed_reading_total, "Times reading went on.") \
    X(S, COUNTER, downstream_rq_rx_reset, "Requests the peer reset.") \
    X(S, COUNTER, downstream_rq_tx_reset, "Requests we reset.") \
    X(S, COUNTER, downstream_rq_too_many_premature_resets, \
      "Connections closed as the peer reset too many requests early.") \
    X(S, COUNTER, downstream_rq_non_relative_path, "Requests with an absolute path refused.") \
    X(S, COUNTER, downstream_rq_failed_path_normalization, \
      "Requests whose path could not be normalized.") \
    X(S, COUNTER, downstream_rq_redirected_with_normalized_path, \
      "Requests redirected to their normalized path.") \
    X(S, COUNTER, downstream_rq_rejected_via_ip_detection, \
      "Requests refused by an original IP detection.") \
    X(S, COUNTER, downstream_rq_too_large, "Requests with a body over the limit: 413.") \
    X(S, COUNTER, downstream_rq_idle_timeout, "Requests ended for idleness.") \
    X(S, COUNTER, downstream_rq_header_timeout, "Requests whose headers did not come in time.") \
    X(S, COUNTER, downstream_rq_timeout, "Requests that did not come in time.") \
    X(S, COUNTER, downstream_rq_max_duration_reached, "Requests ended for their age.") \
    X(S, COUNTER, downstream_rq_overload_close, "Requests refused because of overload.") \
    X(S, COUNTER, downstream_rq_response_before_rq_complete, \
      "Answers sent before all of the request came.") \
    X(S, COUNTER, downstream_rq_ws_on_non_ws_route, "Upgrades refused as the route allows none.") \
    X(S, COUNTER, rs_too_large, "Answers with a body over the limit: 500.")

struct nu_http_stats {
    NU_HTTP_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_http_stats_table;

/* http.<stat_prefix>., the router */
#define NU_ROUTER_STATS(X, S) \
    X(S, COUNTER, rq_total, "Requests routed.") \
    X(S, COUNTER, no_route, "Requests for which there is no route: 404.") \
    X(S, COUNTER, no_cluster, "Requests whose cluster does not exist.") \
    X(S, COUNTER, rq_redirect, "Requests answered by a redirect.") \
    X(S, COUNTER, rq_direct_response, "Requests answered by a direct response.") \
    X(S, COUNTER, rq_overload_local_reply, "Requests refused because of overload.") \
    X(S, COUNTER, rq_reset_after_downstream_response_started, \
      "Requests reset after a part of the answer was sent.") \
    X(S, COUNTER, passthrough_internal_redirect_bad_location, \
      "Internal redirects given to the client as their location was invalid.") \
    X(S, COUNTER, passthrough_internal_redirect_unsafe_scheme, \
      "The same as they changed the scheme.") \
    X(S, COUNTER, passthrough_internal_redirect_too_many_redirects, \
      "The same as there were too many.") \
    X(S, COUNTER, passthrough_internal_redirect_no_route, "The same as no route was found.") \
    X(S, COUNTER, passthrough_internal_redirect_predicate, "The same as a predicate said no.")

struct nu_router_stats {
    NU_ROUTER_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_router_stats_table;

/* vhost.<name>.vcluster.<name>. and vhost.<name>.route.<stat_prefix>. */
#define NU_ROUTE_STATS(X, S) \
    X(S, COUNTER, upstream_rq_total, "Requests sent.") \
    X(S, LAZY_COUNTER, upstream_rq_completed, "Requests answered.") \
    X(S, CODES, upstream_rq, "Answers with that status, or of that class.") \
    X(S, LAZY_HISTOGRAM, upstream_rq_time, "Milliseconds from a request's end to its answer's.") \
    X(S, COUNTER, upstream_rq_timeout, "Requests without an answer in time.") \
    X(S, COUNTER, upstream_rq_retry, "Retries.") \
    X(S, COUNTER, upstream_rq_retry_success, "Retries that succeeded.") \
    X(S, COUNTER, upstream_rq_retry_overflow, "Retries left out as too many were at work.") \
    X(S, COUNTER, upstream_rq_retry_limit_exceeded, "Requests given up after the last retry.")

struct nu_route_stats {
    NU_ROUTE_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_route_stats_table;

/* http.<stat_prefix>.tracing. */
#define NU_TRACING_STATS(X, S) \
    X(S, COUNTER, random_sampling, "Requests traced by chance.") \
    X(S, COUNTER, service_forced, "Requests traced because a header of ours says so.") \
    X(S, COUNTER, client_enabled, "Requests traced because the client asks for it.") \
    X(S, COUNTER, not_traceable, "Requests without an id to trace them by.") \
    X(S, COUNTER, health_check, "Health checks, which are not traced.")

struct nu_tracing_stats {
    NU_TRACING_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_tracing_stats_table;

/* http1. for all downstream connections, cluster.<name>.http1. for upstream ones, where something was
 * counted. */
#define NU_HTTP1_STATS(X, S) \
    X(S, COUNTER, dropped_headers_with_underscores, "Headers dropped for a '_' in their name.") \
    X(S, COUNTER, requests_rejected_with_underscores_in_headers, "Requests refused for one.") \
    X(S, COUNTER, metadata_not_supported_error, "Metadata that could not be sent.") \
    X(S, COUNTER, response_flood, "Connections closed as answers piled up.")

struct nu_http1_stats {
    NU_HTTP1_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_http1_stats_table;

struct nu_cluster_http1_stats {
    NU_HTTP1_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_cluster_http1_stats_table;

/* http2. for all downstream connections, cluster.<name>.http2. for upstream ones; from the first
 * such connection on */
#define NU_HTTP2_STATS(X, S) \
    X(S, GAUGE, streams_active, "Streams open, or with something left to send.") \
    X(S, GAUGE, pending_send_bytes, "Body bytes that wait for the peer's windows.") \
    X(S, GAUGE, deferred_stream_close, \
      "Streams that the peer has closed and whose bytes wait for their reader.") \
    X(S, GAUGE, outbound_frames_active, "Frames that wait to be sent.") \
    X(S, GAUGE, outbound_control_frames_active, \
      "Of these, answers to pings and settings, and resets.") \
    X(S, COUNTER, rx_reset, "Streams the peer reset.") \
    X(S, COUNTER, tx_reset, "Streams we reset.") \
    X(S, COUNTER, trailers, "Trailer sections received.") \
    X(S, COUNTER, goaway_sent, "Times GOAWAY was sent.") \
    X(S, COUNTER, header_overflow, "Streams reset as their headers were too large or many.") \
    X(S, COUNTER, headers_cb_no_stream, "Headers of streams that were gone.") \
    X(S, COUNTER, inbound_empty_frames_flood, \
      "Connections closed for too many empty frames in a row.") \
    X(S, COUNTER, inbound_priority_frames_flood, "Connections closed for PRIORITY frames.") \
    X(S, COUNTER, inbound_window_update_frames_flood, \
      "Connections closed for WINDOW_UPDATE frames.") \
    X(S, COUNTER, keepalive_timeout, "Connections closed as a ping was not answered.") \
    X(S, COUNTER, metadata_empty_frames, "METADATA frames without content.") \
    X(S, COUNTER, outbound_control_flood, \
      "Connections closed as answers to control frames piled up.") \
    X(S, COUNTER, outbound_flood, "Connections closed as frames to be sent piled up.") \
    X(S, COUNTER, rx_messaging_error, "Messages that broke HTTP's rules.") \
    X(S, COUNTER, stream_refused_errors, "Frames for streams that were refused.") \
    X(S, COUNTER, tx_flush_timeout, "Streams reset as the peer did not take their end in time.") \
    X(S, COUNTER, dropped_headers_with_underscores, "Headers dropped for a '_' in their name.") \
    X(S, COUNTER, requests_rejected_with_underscores_in_headers, "Requests refused for one.")

struct nu_http2_stats {
    NU_HTTP2_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_http2_stats_table;

/* http.<stat_prefix>.health_check., the filter that answers checks */
#define NU_HTTP_HEALTH_CHECK_STATS(X, S) \
    X(S, COUNTER, request_total, "Health checks that were answered here.") \
    X(S, COUNTER, ok, "Of them, those that passed.") \
    X(S, COUNTER, failed, "Of them, those that failed.") \
    X(S, COUNTER, cached_response, "Of them, those that got an earlier answer.") \
    X(S, COUNTER, failed_cluster_not_found, "Failed for a cluster that there is not.") \
    X(S, COUNTER, failed_cluster_empty, "Failed for a cluster without hosts.") \
    X(S, COUNTER, failed_cluster_unhealthy, "Failed for a cluster with too few healthy hosts.") \
    X(S, COUNTER, degraded, "Earlier answers that asked to be spared.")

struct nu_http_health_check_stats {
    NU_HTTP_HEALTH_CHECK_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_http_health_check_stats_table;

/* http.<stat_prefix>.prime_authz., nuncio's own filter */
#define NU_PRIME_AUTHZ_STATS(X, S) \
    X(S, COUNTER, allowed, "Requests with a prime number.") \
    X(S, COUNTER, denied, "Requests with a number that is not prime.") \
    X(S, COUNTER, missing, "Requests without the header.") \
    X(S, COUNTER, malformed, "Requests whose header is no number.")

struct nu_prime_authz_stats {
    NU_PRIME_AUTHZ_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_prime_authz_stats_table;

#endif
