/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection and the stream of the HTTP connection manager, as its files share them.
 *
 * A stream is two half machines: the request side (reading -> complete) and the response side (none
 * -> headers -> ended). It is over when the response has ended, or when either side was reset; an
 * unfinished request then ends with its connection. All memory of a stream is in its arena, which
 * is freed at the end of the turn in which the stream ended.
 */
#ifndef NU_STREAM_STREAM_INTERNAL_H
#define NU_STREAM_STREAM_INTERNAL_H

#include "codec/h2.h"
#include "stream/hcm.h"

struct nu_hcm_limit;
struct nu_hcm_stream;
struct nu_stream_deadlines;
struct nu_stream_restart;

/* A connection's way to its end. */
enum nu_hcm_drain {
    NU_HCM_NOT_DRAINING,
    NU_HCM_DRAINING, /* responses say "close"; the connection stays until the drain timer fires */
    NU_HCM_CLOSING,  /* the connection ends with the present stream */
};

/* What only a connection has that speaks HTTP/2: many streams. connection_h2.c. */
struct nu_hcm_h2 {
    struct nu_h2_session *session; /* owned by itself: goes with the connection */
    uint32_t streams;              /* at work */
    uint64_t ended;                /* streams so far, for the share of those reset early */
    uint64_t reset_early;
};

/* One connection. An idle one is to be small: it has no codec of HTTP/1. */
struct nu_hcm_conn {
    struct nu_network_filter base;
    struct nu_hcm_worker *worker; /* borrowed */
    struct nu_h1_server *codec;   /* the worker's; NULL between requests, and for HTTP/2 */
    struct nu_hcm_stream *stream; /* of HTTP/1; NULL between requests */
    struct nu_hcm_h2 *h2;         /* owned; NULL for HTTP/1 */
    struct nu_list idle_link;     /* in the worker's list while there is no stream */
    struct nu_hcm_limit *limit;   /* owned; NULL unless its age is limited or it drains */
    uint64_t idle_since_us;
    uint64_t counted_rx; /* bytes that the statistics have */
    uint64_t counted_tx;
    uint32_t requests;
    uint8_t drain;          /* enum nu_hcm_drain */
    bool has_protocol : 1;  /* bytes came */
    bool linger : 1;        /* the client may still be sending: it is to end first */
    bool is_in_codec : 1;   /* the codec is on the stack */
    bool was_idle_long : 1; /* the idle timeout has passed once */
};

static inline const struct nu_hcm_config *nu_hcm_conn_config(const struct nu_hcm_conn *conn)
{
    return &((const struct nu_hcm *)conn->base.config)->config;
}

enum nu_stream_flag {
    NU_STREAM_REQUEST_COMPLETE = 1 << 0,
    NU_STREAM_RESPONSE_STARTED = 1 << 1, /* its headers went to the codec */
    NU_STREAM_RESPONSE_ENDED = 1 << 2,
    NU_STREAM_OVER = 1 << 3,
    NU_STREAM_CHAIN_OPEN = 1 << 4,
    NU_STREAM_HEADERS_SEEN = 1 << 5,
    NU_STREAM_LOCAL_REPLY = 1 << 6,
    NU_STREAM_HEAD_REQUEST = 1 << 7,
    NU_STREAM_GRPC = 1 << 8,
    NU_STREAM_SAW_CLOSE = 1 << 9,        /* this exchange is the connection's last */
    NU_STREAM_IN_HEADERS = 1 << 10,      /* the request's head is being looked at */
    NU_STREAM_FRAMED_BY_CLOSE = 1 << 11, /* the response's body ends with the connection */
};

struct nu_hcm_stream {
    struct nu_stream_decoder decoder;
    struct nu_hcm_conn *conn;           /* borrowed: NULL once the stream is over */
    struct nu_stream_encoder *encoder;  /* borrowed: the codec's */
    struct nu_arena *arena;             /* owned: holds this struct as well */
    const struct nu_hcm_config *config; /* borrowed */
    struct nu_loop *loop;
    struct nu_stream_info info;
    struct nu_connection_info connection_info;
    struct nu_route_match route;
    uint64_t random;
    struct nu_headers *response_headers; /* NULL before the response */
    struct nu_headers *response_trailers;
    struct nu_timer idle_timer;            /* looks at active_us when it fires */
    struct nu_stream_deadlines *deadlines; /* in the arena; NULL unless some are configured */
    struct nu_stream_restart *restart; /* in the arena; NULL unless a filter recreated the stream */
    uint64_t active_us;
    uint64_t idle_timeout_ms;
    uint16_t flags; /* enum nu_stream_flag */
    uint16_t holds; /* of the request's bytes; what is left goes with the stream */

    /* What is made by a function of its own; all above is zero at first. */
    struct nu_headers request_headers;
    struct nu_filter_chain chain; /* once CHAIN_OPEN */
};

static inline bool nu_stream_has(const struct nu_hcm_stream *stream, enum nu_stream_flag flag)
{
    return stream->flags & flag;
}

static inline bool nu_stream_is_over(const struct nu_hcm_stream *stream)
{
    return nu_stream_has(stream, NU_STREAM_OVER);
}

/* Something of its messages came or went. */
static inline void nu_stream_touch(struct nu_hcm_stream *stream)
{
    stream->active_us = nu_loop_now_us(stream->loop);
}

static inline struct nu_http_stats *nu_stream_stats(const struct nu_hcm_stream *stream)
{
    return stream->conn->worker->stats;
}

/* What few configurations ask for. */
struct nu_stream_deadlines {
    struct nu_hcm_stream *stream; /* borrowed: its arena has this */
    struct nu_timer request_timer;
    struct nu_timer headers_timer;
    struct nu_timer duration_timer;
};

/* --- stream.c --- */

/* The request came to its end, or its end is not awaited any more. */
static inline void nu_stream_stop_request_timer(struct nu_hcm_stream *stream)
{
    if (nu_unlikely(stream->deadlines != NULL))
        nu_timer_cancel(&stream->deadlines->request_timer);
}

/* A stream for the request whose first byte came, in an arena that it takes over. */
struct nu_hcm_stream *nu_hcm_stream_create(struct nu_hcm_conn *conn,
                                           struct nu_stream_encoder *encoder,
                                           struct nu_arena *arena);
/* The connection broke the protocol before or in this stream: answers or resets it. */
void nu_hcm_stream_codec_error(struct nu_hcm_stream *stream, const struct nu_codec_error *error);
/* What the end of a stream comes to but for its connection: counts it, writes its log, closes its
 * filters. */
void nu_hcm_stream_settle(struct nu_hcm_stream *stream);
/* Ends the stream: logs it, closes its filters, lets the connection go on or end. */
void nu_hcm_stream_end(struct nu_hcm_stream *stream);
/* Ends a stream whose response cannot be completed: the connection goes with it. */
void nu_hcm_stream_reset(struct nu_hcm_stream *stream);

/* --- request.c --- */

/* Checks the request's head, completes it, finds its route and opens its filters, or answers. */
void nu_hcm_look_at_request(struct nu_hcm_stream *stream, bool end);
/* The same with the head as it is now, which was completed before. False if it was answered, without
 * a chain. */
bool nu_hcm_reopen(struct nu_hcm_stream *stream);
void nu_hcm_find_route(struct nu_hcm_stream *stream);
void nu_hcm_open_chain(struct nu_hcm_stream *stream, const struct nu_filter_chain_config *filters);

/* --- timeouts.c --- */

void nu_hcm_start_timers(struct nu_hcm_stream *stream);
void nu_hcm_stop_timers(struct nu_hcm_stream *stream);
/* What the route says in place of the connection manager. */
void nu_hcm_apply_route_timeouts(struct nu_hcm_stream *stream);

/* --- chain_ops.c --- */

/* The chain's ops of downstream streams. */
extern const struct nu_filter_chain_ops nu_hcm_chain_ops;

/* --- recreate.c --- */

/* Those two of the chain's ops. */
bool nu_hcm_can_recreate(struct nu_filter_chain *chain);
void nu_hcm_recreate(struct nu_filter_chain *chain, struct nu_buf *body,
                     struct nu_headers *response);
/* The stream is over before it started over. */
void nu_hcm_drop_restart(struct nu_hcm_stream *stream);

/* --- encode.c --- */

/* Sends an interim response and counts it. */
void nu_hcm_send_1xx(struct nu_hcm_stream *stream, const struct nu_headers *headers);
void nu_hcm_encode_1xx(struct nu_filter_chain *chain, struct nu_headers *headers);
void nu_hcm_encode_headers(struct nu_filter_chain *chain, struct nu_headers *headers, bool end);
void nu_hcm_encode_data(struct nu_filter_chain *chain, struct nu_buf *data, bool end);
void nu_hcm_encode_trailers(struct nu_filter_chain *chain, struct nu_headers *trailers);
void nu_hcm_encode_metadata(struct nu_filter_chain *chain, struct nu_frame_metadata *metadata);
struct nu_hcm_stream *nu_hcm_stream_of_chain(struct nu_filter_chain *chain);

/* --- local_reply.c --- */

/* Answers through the filter chain, or straight away while there is no chain yet. */
void nu_hcm_reply(struct nu_hcm_stream *stream, const struct nu_reply *reply);
/* The common case: a status, a constant body and details. */
void nu_hcm_reply_simple(struct nu_hcm_stream *stream, uint32_t status, struct nu_str body,
                         struct nu_str details);

/* --- request_headers.c, response_headers.c --- */

/* ENVOY_COMPAT 4.1: sanitises and completes a request's headers. */
void nu_hcm_mutate_request(struct nu_hcm_stream *stream);
/* Appends to `via`. */
void nu_hcm_append_via(struct nu_headers *headers, struct nu_str via);
/* 4.3: removes hop-by-hop headers, adds date, server, via and the request id. */
void nu_hcm_mutate_response(struct nu_hcm_stream *stream, struct nu_headers *headers);
/* The same of an interim response, which gets nothing but the request id. */
void nu_hcm_mutate_interim(struct nu_hcm_stream *stream, struct nu_headers *headers);

/* --- client_cert.c --- */

/* Removes, keeps or sets x-forwarded-client-cert. */
void nu_hcm_forward_client_cert(struct nu_hcm_stream *stream);

/* --- tunnel.c --- */

/* Whether the request asks for an upgrade, or is a CONNECT. */
bool nu_hcm_asks_for_tunnel(const struct nu_headers *headers);
/* The filters of such a request, whose route is known, which counts it from now on; NULL where
 * neither the route nor the manager allows it. */
const struct nu_filter_chain_config *nu_hcm_begin_tunnel(struct nu_hcm_stream *stream);
/* The stream that was counted is over. */
void nu_hcm_end_tunnel(struct nu_hcm_stream *stream);
/* Whether a response with this status switches the connection to the protocol that was asked
 * for. */
bool nu_hcm_is_switch(const struct nu_hcm_stream *stream, uint32_t status);

/* How the client hears of a stream that ends before its messages do. */
enum nu_reset_reason nu_hcm_reset_reason(const struct nu_hcm_stream *stream);

/* --- duration.c --- */

/* How long the stream may last on this route; false: as long as it wants. Brings the request's
 * grpc-timeout up to it. */
bool nu_hcm_find_duration(struct nu_hcm_stream *stream, const struct nu_route *route,
                          uint64_t *limit_ms);

/* --- connection.c --- */

/* From now on responses say that the connection ends, which it does after the drain timeout. */
void nu_hcm_conn_start_drain(struct nu_hcm_conn *conn);
/* The stream is over: the connection waits for the next one, or ends. */
void nu_hcm_conn_on_stream_end(struct nu_hcm_conn *conn, const struct nu_hcm_stream *stream);
/* No stream from now on: the idle timeout begins. */
void nu_hcm_conn_become_idle(struct nu_hcm_conn *conn);
/* Ends the connection when what was written has gone. */
void nu_hcm_conn_close(struct nu_hcm_conn *conn);
/* Brings the byte counters up to what was read, and what waits to be written. */
void nu_hcm_conn_count_bytes(struct nu_hcm_conn *conn);

static inline struct nu_connection *nu_hcm_conn_socket(const struct nu_hcm_conn *conn)
{
    return &conn->base.conn->conn;
}

/* --- connection_h2.c --- */

/* Whether the connection speaks HTTP/2: as configured, agreed on in the handshake, or as its first
 * bytes say. */
bool nu_hcm_h2_is_spoken(const struct nu_hcm_conn *conn);
void nu_hcm_h2_open(struct nu_hcm_conn *conn);
void nu_hcm_h2_on_stream_end(struct nu_hcm_conn *conn, const struct nu_hcm_stream *stream);
/* Says that the connection is going to end; new streams are served until nu_hcm_h2_end. */
void nu_hcm_h2_warn(struct nu_hcm_conn *conn);
/* Takes no more streams, and ends when those that are left have. */
void nu_hcm_h2_end(struct nu_hcm_conn *conn);

#endif
