/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known about one request, as plain values: times, bytes, addresses, names, the outcome.
 * Filters read and write it, access logs and header formats print it. It points at no connection,
 * host or cluster; texts in it live as long as the stream, or belong to the configuration that the
 * stream holds.
 */
#ifndef NU_HTTP_STREAM_INFO_H
#define NU_HTTP_STREAM_INFO_H

#include "base/address.h"
#include "base/arena.h"
#include "http/response_flags.h"

enum { NU_FLAG_ORDER_MAX = 8 };

struct nu_locality; /* http/locality.h */
struct nu_metadata;
struct nu_metadata_slot; /* http/metadata.h */
struct nu_filter_state;  /* http/filter_state.h */
struct nu_headers;
struct nu_proxy_data; /* http/proxy_data.h */
struct nu_ssl_info;   /* http/ssl_info.h */

enum nu_protocol {
    NU_PROTOCOL_NONE, /* TCP */
    NU_PROTOCOL_HTTP10,
    NU_PROTOCOL_HTTP11,
    NU_PROTOCOL_HTTP2,
    NU_PROTOCOL_HTTP3,
};

/* "HTTP/1.1" and so on; empty for NONE. */
struct nu_str nu_protocol_text(enum nu_protocol protocol);

/* Which way a listener's traffic goes, with the API's numbers. */
enum nu_traffic_direction {
    NU_TRAFFIC_UNSPECIFIED,
    NU_TRAFFIC_INBOUND,
    NU_TRAFFIC_OUTBOUND,
};

/* One downstream connection's values; they outlive its streams. */
struct nu_connection_info {
    uint64_t id;                      /* Envoy's connection id: counts from 0 over the process */
    struct nu_address direct_remote;  /* the peer of the socket */
    struct nu_address remote;         /* as a PROXY header or original-destination says */
    struct nu_address local;          /* of the socket; valid once local_known */
    struct nu_address restored_local; /* as a PROXY header or the original destination says; family
                                         NONE if neither does */
    bool local_known;
    bool is_tls;
    uint8_t direction; /* enum nu_traffic_direction */
    /* Fills `local` by asking the kernel; set by whoever owns the socket. */
    void (*learn_local)(struct nu_connection_info *info);
    /* The connection's filter state; NULL while it has none and none is to be made, or when the
     * stream has left it. Set by whoever has streams on a connection; NULL: this is its own info. */
    struct nu_filter_state *(*filter_state)(struct nu_connection_info *info, bool make);
    struct nu_str requested_server_name; /* SNI, as a listener filter found it */
    struct nu_ssl_info *ssl;             /* borrowed: the stream holds it; NULL without TLS */
    struct nu_str filter_chain_name;
    struct nu_str listener_name;
    struct nu_str termination_details;           /* why the connection was ended, or empty */
    struct nu_str transport_failure_reason;      /* downstream */
    const struct nu_metadata *listener_metadata; /* borrowed: configuration; may be NULL */
    const struct nu_proxy_data *proxy; /* borrowed: what a PROXY header said; NULL without one */
};

/* The socket's local address, asked from the kernel the first time. */
static inline const struct nu_address *
nu_connection_info_direct_local(struct nu_connection_info *info)
{
    if (!info->local_known && info->learn_local)
        info->learn_local(info);
    return &info->local;
}

/* The address that the client meant to reach. */
static inline const struct nu_address *nu_connection_info_local(struct nu_connection_info *info)
{
    if (info->restored_local.family != NU_ADDRESS_NONE)
        return &info->restored_local;
    return nu_connection_info_direct_local(info);
}

/* One attempt at an upstream; the last one is what logs see. Times are monotonic microseconds, 0
 * while the event has not happened. */
struct nu_upstream_info {
    struct nu_address host;              /* chosen host's address; family NONE while none is */
    struct nu_str host_name;             /* host's configured hostname, may be empty */
    struct nu_address local;             /* our end of the connection; NONE while there is none */
    struct nu_address remote;            /* its other end; NONE while there is none */
    struct nu_str cluster;               /* configured name */
    struct nu_str cluster_observability; /* alt_stat_name or the name */
    struct nu_ssl_info *ssl;             /* borrowed: the stream holds it; NULL without TLS */
    struct nu_str transport_failure_reason;
    struct nu_str reason_phrase; /* of the response, where it is to be passed on */
    uint64_t connection_id;
    enum nu_protocol protocol;
    uint32_t attempt_count;
    uint64_t connect_start_us;
    uint64_t connect_end_us;
    uint64_t handshake_end_us; /* TLS */
    uint64_t pool_start_us;    /* when the request asked the pool for a connection */
    uint64_t pool_ready_us;    /* when it was given one, or none */
    uint64_t first_tx_us;
    uint64_t last_tx_us;
    uint64_t first_rx_us;
    uint64_t first_rx_body_us;
    uint64_t last_rx_us;
    uint64_t header_bytes_sent;
    uint64_t header_bytes_received;
    uint64_t decompressed_header_bytes_sent; /* as in nu_stream_info */
    uint64_t decompressed_header_bytes_received;
    uint64_t wire_bytes_sent;
    uint64_t wire_bytes_received;
    /* Borrowed: the host's; NULL while there is none. */
    const struct nu_metadata_slot *host_metadata;
    const struct nu_locality *host_locality;
    const struct nu_metadata *host_locality_metadata; /* may be NULL all the same */
    const struct nu_metadata *cluster_metadata;       /* borrowed: configuration; may be NULL */
    struct nu_filter_state *filter_state;             /* of the upstream connection; may be NULL */
};

/* What a request is beside a question and an answer: once it is granted, bytes go both ways. */
enum nu_tunnel {
    NU_TUNNEL_NONE,
    NU_TUNNEL_WEBSOCKET, /* an upgrade to it */
    NU_TUNNEL_UPGRADE,   /* to any other protocol */
    NU_TUNNEL_CONNECT,
};

/* A way that an internal redirect went, by names of routes. */
struct nu_redirect_hop {
    struct nu_redirect_hop *next;
    struct nu_str from;
    struct nu_str to;
};

/* What a request keeps through its internal redirects. */
struct nu_redirects {
    uint32_t count;
    struct nu_redirect_hop *hops; /* in the arena, newest first */
};

struct nu_stream_info {
    struct nu_arena *arena;                /* borrowed: the stream's */
    struct nu_connection_info *connection; /* borrowed: the connection outlives its streams */
    uint64_t stream_id;
    enum nu_protocol protocol;

    /* Times: monotonic microseconds, 0 while it has not happened. */
    uint64_t start_realtime_us; /* wall clock of start_us */
    uint64_t start_us;          /* first byte of the request */
    uint64_t rx_end_us;         /* last byte of the request */
    uint64_t tx_first_us;       /* first byte of the response to the client */
    uint64_t tx_last_us;
    uint64_t end_us;

    /* Bytes; body bytes are what %BYTES_...% print. */
    uint64_t bytes_received;
    uint64_t bytes_sent;
    uint64_t header_bytes_received;
    uint64_t header_bytes_sent;
    uint64_t decompressed_header_bytes_received; /* 0 where headers are not compressed */
    uint64_t decompressed_header_bytes_sent;
    uint64_t wire_bytes_received;
    uint64_t wire_bytes_sent;
    uint64_t retransmitted_bytes;
    uint64_t retransmitted_packets;

    struct nu_address remote; /* the client, as far as x-forwarded-for is trusted */
    uint32_t response_code;   /* 0 while there is none */
    nu_response_flags flags;
    uint8_t flag_order[NU_FLAG_ORDER_MAX]; /* the first flags, in the order of their setting */
    uint8_t flag_order_count;
    struct nu_str response_code_details;
    struct nu_str route_name;
    struct nu_str virtual_host_name;
    struct nu_str virtual_cluster_name;
    struct nu_str request_id;   /* what %STREAM_ID% prints */
    struct nu_str trace_id;     /* of the active span */
    struct nu_str custom_flags; /* set by extensions */
    struct nu_upstream_info upstream;
    bool is_health_check;
    bool scheme_follows_upstream; /* :scheme says how the upstream is reached */
    bool is_internal;             /* trusted internal request */
    bool has_route;               /* one was found; its name may be empty */
    uint8_t tunnel;               /* enum nu_tunnel, where the configuration allows it */

    struct nu_metadata *dynamic_metadata;     /* in the arena; NULL while empty */
    struct nu_filter_state *filter_state;     /* in the arena; NULL while empty */
    struct nu_redirects redirects;            /* followed so far */
    const struct nu_metadata *route_metadata; /* borrowed: configuration; may be NULL */
    const struct nu_metadata *virtual_host_metadata;
};

/* From the start to the end, or to now while the stream goes on, in microseconds. */
uint64_t nu_stream_info_duration_us(const struct nu_stream_info *info);

/* Logs print flags in the order in which they were set first. */
static inline void nu_stream_info_set_flag(struct nu_stream_info *info, enum nu_response_flag flag)
{
    const nu_response_flags bit = (nu_response_flags)1 << flag;
    if (!(info->flags & bit) && info->flag_order_count < NU_FLAG_ORDER_MAX)
        info->flag_order[info->flag_order_count++] = (uint8_t)flag;
    info->flags |= bit;
}

static inline bool nu_stream_info_has_flag(const struct nu_stream_info *info,
                                           enum nu_response_flag flag)
{
    return info->flags >> flag & 1;
}

#endif
