/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of one HTTP connection manager, with defaults resolved: immutable, shared by all
 * workers. stream/config_from_proto.c makes it; tests fill it by hand.
 */
#ifndef NU_STREAM_CONFIG_H
#define NU_STREAM_CONFIG_H

#include "access_log/access_log.h"
#include "codec/h1.h"
#include "codec/h2.h"
#include "filter/chain.h"
#include "format/format.h"
#include "http/forwarded.h"
#include "http/path.h"
#include "route/route.h"
#include "stats/http_stats.h"
#include "stats/listener_stats.h"
#include "stats/stats.h"

struct nu_hcm_worker;
struct nu_local_reply_config;

enum nu_server_header {
    NU_SERVER_HEADER_OVERWRITE,
    NU_SERVER_HEADER_APPEND_IF_ABSENT,
    NU_SERVER_HEADER_PASS_THROUGH,
};

/* x-forwarded-client-cert. Without a client certificate it is removed, but for the last. */
enum nu_forward_client_cert {
    NU_XFCC_SANITIZE,     /* remove what the client sent */
    NU_XFCC_FORWARD_ONLY, /* keep it as it is */
    NU_XFCC_APPEND_FORWARD,
    NU_XFCC_SANITIZE_SET, /* say what we know in its place */
    NU_XFCC_ALWAYS_FORWARD_ONLY,
};

/* What is said there of the client's certificate, beside its hash; bits. */
enum nu_client_cert_detail {
    NU_CLIENT_CERT_SUBJECT = 1 << 0,
    NU_CLIENT_CERT_CERT = 1 << 1,
    NU_CLIENT_CERT_CHAIN = 1 << 2,
    NU_CLIENT_CERT_DNS = 1 << 3,
    NU_CLIENT_CERT_URI = 1 << 4,
};

/* What the manager says about requests that ask for a protocol, or for a CONNECT. */
struct nu_hcm_upgrade {
    struct nu_str type; /* as the Upgrade header has it, in any case; "CONNECT" */
    bool is_enabled;    /* where the route says nothing */
    const struct nu_filter_chain_config *filters; /* NULL: those of all requests */
};

enum nu_codec_type {
    NU_CODEC_AUTO, /* as agreed on by ALPN, else as the first bytes say */
    NU_CODEC_HTTP1,
    NU_CODEC_HTTP2,
};

struct nu_hcm_config {
    struct nu_str stat_prefix;
    struct nu_filter_chain_config filters;
    const struct nu_hcm_upgrade *upgrades;
    size_t upgrade_count;
    const struct nu_route_table *routes;
    struct nu_access_log_list access_logs;
    const struct nu_local_reply_config *local_replies; /* may be NULL */
    enum nu_codec_type codec_type;
    struct nu_h1_options h1;
    struct nu_h2_options h2;

    /* Timeouts in ms; 0: none. */
    uint64_t idle_timeout_ms;            /* of a connection without a request */
    uint64_t max_connection_duration_ms; /* then the connection drains */
    uint64_t max_stream_duration_ms;
    uint64_t stream_idle_timeout_ms;
    uint64_t request_timeout_ms;         /* for the whole request to arrive */
    uint64_t request_headers_timeout_ms; /* for its head */
    uint64_t drain_timeout_ms;
    uint32_t delayed_close_timeout_ms;
    uint32_t max_requests_per_connection; /* 0: no limit */
    uint32_t buffer_limit_bytes;          /* of filters; the listener's */

    /* Requests */
    bool use_remote_address;
    uint32_t xff_num_trusted_hops;
    bool skip_xff_append;
    bool append_x_forwarded_port;
    bool ipv4_as_mapped_ipv6; /* represent_ipv4_remote_address_as_ipv4_mapped_ipv6 */
    struct nu_internal_ranges internal;
    bool generate_request_id;
    bool preserve_external_request_id;
    bool always_set_request_id_in_response;
    bool pack_trace_reason;
    bool add_user_agent;
    bool proxy_100_continue;
    struct nu_path_rules path;
    bool strip_matching_host_port;
    bool strip_any_host_port;
    bool strip_trailing_host_dot;
    struct nu_str scheme_to_overwrite; /* empty: none */
    bool scheme_follows_upstream;
    enum nu_forward_client_cert forward_client_cert;
    unsigned client_cert_details;

    /* Responses */
    struct nu_str server_name;
    enum nu_server_header server_header;
    struct nu_str via; /* empty: none */

    /* The process */
    struct nu_str local_cluster_name; /* node.cluster */
    struct nu_str local_node_id;
    struct nu_address local_address; /* of the machine: in place of 127.0.0.1 in x-forwarded-for */

    struct nu_stat_set *stats;          /* http.PREFIX. */
    struct nu_stat_set *router_stats;   /* the same scope */
    struct nu_stat_set *http1_stats;    /* http1. */
    struct nu_stat_set *http2_stats;    /* http2. */
    struct nu_stat_set *listener_stats; /* listener.ADDR.http.PREFIX. */
};

#endif
