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

#endif
