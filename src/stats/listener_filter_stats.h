/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of listener filters, with Envoy's names. */
#ifndef NU_STATS_LISTENER_FILTER_STATS_H
#define NU_STATS_LISTENER_FILTER_STATS_H

#include "stats/table.h"

/* tls_inspector. */
#define NU_TLS_INSPECTOR_STATS(X, S) \
    X(S, COUNTER, client_hello_too_large, "First messages over the limit.") \
    X(S, COUNTER, tls_found, "Connections that begin with TLS.") \
    X(S, COUNTER, tls_not_found, "Connections that do not.") \
    X(S, COUNTER, alpn_found, "TLS connections that name protocols.") \
    X(S, COUNTER, alpn_not_found, "TLS connections that name none.") \
    X(S, COUNTER, sni_found, "TLS connections that name a server.") \
    X(S, COUNTER, sni_not_found, "TLS connections that name none.") \
    X(S, HISTOGRAM, bytes_processed, "Bytes looked at.")

struct nu_tls_inspector_stats {
    NU_TLS_INSPECTOR_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_tls_inspector_stats_table;

/* http_inspector. */
#define NU_HTTP_INSPECTOR_STATS(X, S) \
    X(S, COUNTER, read_error, "Connections on which reading failed.") \
    X(S, COUNTER, http10_found, "Connections that begin with HTTP/1.0.") \
    X(S, COUNTER, http11_found, "Connections that begin with HTTP/1.1.") \
    X(S, COUNTER, http2_found, "Connections that begin with HTTP/2.") \
    X(S, COUNTER, http_not_found, "Connections that begin with no HTTP.")

struct nu_http_inspector_stats {
    NU_HTTP_INSPECTOR_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_http_inspector_stats_table;

/* proxy_proto.[<stat_prefix>.] */
#define NU_PROXY_PROTOCOL_STATS(X, S) \
    X(S, COUNTER, not_found_disallowed, "Connections without a header, which were refused.") \
    X(S, COUNTER, not_found_allowed, "Connections without a header, which went on.")

struct nu_proxy_protocol_stats {
    NU_PROXY_PROTOCOL_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_proxy_protocol_stats_table;

/* Of all these filters together, by its name of old. */
#define NU_PROXY_PROTOCOL_LEGACY_STATS(X, S) \
    X(S, COUNTER, downstream_cx_proxy_proto_error, \
      "Connections that a PROXY header, or the lack of one, ended.")

struct nu_proxy_protocol_legacy_stats {
    NU_PROXY_PROTOCOL_LEGACY_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_proxy_protocol_legacy_stats_table;

/* proxy_proto.[<stat_prefix>.]versions.v<n>. */
#define NU_PROXY_PROTOCOL_VERSION_STATS(X, S) \
    X(S, COUNTER, found, "Headers of this version.") \
    X(S, COUNTER, disallowed, "Headers of this version, which were refused.") \
    X(S, COUNTER, error, "Headers of this version that are broken.")

struct nu_proxy_protocol_version_stats {
    NU_PROXY_PROTOCOL_VERSION_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_proxy_protocol_version_stats_table;

#endif
