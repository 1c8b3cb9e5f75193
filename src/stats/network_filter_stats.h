/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of network filters, with Envoy's names. */
#ifndef NU_STATS_NETWORK_FILTER_STATS_H
#define NU_STATS_NETWORK_FILTER_STATS_H

#include "stats/table.h"

/* tcp.<stat_prefix>. */
#define NU_TCP_PROXY_STATS(X, S) \
    X(S, COUNTER, downstream_cx_total, "Sessions.") \
    X(S, COUNTER, downstream_cx_no_route, "Sessions whose cluster does not exist.") \
    X(S, COUNTER, downstream_cx_rx_bytes_total, "Bytes read from clients.") \
    X(S, COUNTER, downstream_cx_tx_bytes_total, "Bytes written to clients.") \
    X(S, GAUGE, downstream_cx_rx_bytes_buffered, "Bytes read and not worked off yet.") \
    X(S, GAUGE, downstream_cx_tx_bytes_buffered, "Bytes that wait to be written.") \
    X(S, COUNTER, downstream_flow_control_paused_reading_total, \
      "Times a client was not read from because the host was slow.") \
    X(S, COUNTER, downstream_flow_control_resumed_reading_total, "Times reading went on.") \
    X(S, COUNTER, early_data_received_count_total, \
      "Sessions with bytes of the client before there was a host.") \
    X(S, COUNTER, idle_timeout, "Sessions ended for idleness.") \
    X(S, COUNTER, max_downstream_connection_duration, "Sessions ended for their age.") \
    X(S, COUNTER, upstream_flush_total, \
      "Sessions whose client had gone while bytes for the host were left.") \
    X(S, GAUGE, upstream_flush_active, "Of these, those whose bytes are being written.")

struct nu_tcp_proxy_stats {
    NU_TCP_PROXY_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_tcp_proxy_stats_table;

/* connection_limit.<stat_prefix>. */
#define NU_CONNECTION_LIMIT_STATS(X, S) \
    X(S, COUNTER, limited_connections, "Connections closed as there were too many.") \
    X(S, GAUGE, active_connections, "Connections open.")

struct nu_connection_limit_stats {
    NU_CONNECTION_LIMIT_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_connection_limit_stats_table;

/* local_rate_limit.<stat_prefix>. */
#define NU_LOCAL_RATE_LIMIT_STATS(X, S) \
    X(S, COUNTER, rate_limited, "Connections closed as too many came.")

struct nu_local_rate_limit_stats {
    NU_LOCAL_RATE_LIMIT_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_local_rate_limit_stats_table;

/* <stat_prefix>.rbac. */
#define NU_RBAC_STATS(X, S) \
    X(S, COUNTER, allowed, "Connections or requests let through.") \
    X(S, COUNTER, denied, "Connections or requests refused.")

struct nu_rbac_stats {
    NU_RBAC_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_rbac_stats_table;

/* <stat_prefix>.rbac.[<shadow_rules_stat_prefix>.] */
#define NU_RBAC_SHADOW_STATS(X, S) \
    X(S, COUNTER, shadow_allowed, "What the shadow rules would have let through.") \
    X(S, COUNTER, shadow_denied, "What they would have refused.")

struct nu_rbac_shadow_stats {
    NU_RBAC_SHADOW_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_rbac_shadow_stats_table;

#endif
