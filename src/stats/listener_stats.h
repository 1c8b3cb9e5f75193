/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of listeners, with Envoy's names. A listener is named by its stat_prefix or else by
 * its address with '_' for ':', as in listener.0.0.0.0_8080; the admin interface is listener.admin.
 */
#ifndef NU_STATS_LISTENER_STATS_H
#define NU_STATS_LISTENER_STATS_H

#include "stats/table.h"

/* listener.<address>. */
#define NU_LISTENER_STATS(X, S) \
    X(S, COUNTER, downstream_cx_total, "Connections accepted.") \
    X(S, GAUGE, downstream_cx_active, "Connections open.") \
    X(S, COUNTER, downstream_cx_destroy, "Connections closed.") \
    X(S, GAUGE, downstream_pre_cx_active, "Sockets that listener filters look at.") \
    X(S, HISTOGRAM, downstream_cx_length_ms, "How long connections lasted.") \
    X(S, HISTOGRAM, connections_accepted_per_socket_event, "Connections accepted in one go.") \
    X(S, COUNTER, downstream_cx_overflow, "Connections refused over the listener's limit.") \
    X(S, COUNTER, downstream_global_cx_overflow, "Connections refused over the process's limit.") \
    X(S, COUNTER, downstream_cx_overload_reject, "Connections refused because of overload.") \
    X(S, COUNTER, downstream_cx_transport_socket_connect_timeout, \
      "Connections closed because the TLS handshake took too long.") \
    X(S, COUNTER, downstream_pre_cx_timeout, "Sockets on which listener filters took too long.") \
    X(S, COUNTER, downstream_listener_filter_remote_close, \
      "Sockets the peer closed while listener filters looked at them.") \
    X(S, COUNTER, downstream_listener_filter_error, \
      "Sockets on which reading for listener filters failed.") \
    X(S, COUNTER, no_filter_chain_match, "Connections closed as no filter chain was for them.")

struct nu_listener_stats {
    NU_LISTENER_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_listener_stats_table;

/* listener.<address>., but not of the admin interface */
#define NU_LISTENER_CONFIG_STATS(X, S) \
    X(S, COUNTER, extension_config_missing, \
      "Sockets closed as a listener filter's configuration had not come.") \
    X(S, COUNTER, network_extension_config_missing, \
      "Connections closed as their filter chain has no filters.")

struct nu_listener_config_stats {
    NU_LISTENER_CONFIG_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_listener_config_stats_table;

/* listener.<address>.worker_<n>., and listener.admin.main_thread. */
#define NU_LISTENER_WORKER_STATS(X, S) \
    X(S, COUNTER, downstream_cx_total, "Connections the thread accepted.") \
    X(S, GAUGE, downstream_cx_active, "Connections it has open.")

struct nu_listener_worker_stats {
    NU_LISTENER_WORKER_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_listener_worker_stats_table;

/* listener.<address>.http.<stat_prefix>. */
#define NU_LISTENER_HTTP_STATS(X, S) \
    X(S, COUNTER, downstream_rq_completed, "Requests answered.") \
    X(S, COUNTER, downstream_rq_1xx, "Answers 100 to 199.") \
    X(S, COUNTER, downstream_rq_2xx, "Answers 200 to 299.") \
    X(S, COUNTER, downstream_rq_3xx, "Answers 300 to 399.") \
    X(S, COUNTER, downstream_rq_4xx, "Answers 400 to 499.") \
    X(S, COUNTER, downstream_rq_5xx, "Answers 500 to 599.")

struct nu_listener_http_stats {
    NU_LISTENER_HTTP_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_listener_http_stats_table;

#endif
