/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 over nghttp2, both sides, with our own checks of what nghttp2 leaves to the application.
 *
 * A session is one connection's HTTP/2. It lies on the heap, so that a connection that speaks
 * HTTP/1 pays a pointer for it, and is a struct nu_codec to whoever owns the connection:
 *
 *     conn->in  -> dispatch -> nghttp2 -> stream->in -> decoder
 *     conn->out <- flush    <- nghttp2 <- stream->out <- encoder
 *
 * Bytes: what the connection read is shown to nghttp2 where it lies; body bytes become slices of
 * the same blocks. What is sent waits in each stream until its flow control window and the
 * connection's output, which is bounded by its watermark, have room; body slices are moved, never
 * copied. A stream's decoder is told (on_above_high, on_below_low) when the stream's queue, or the
 * connection, is full and when it has room again.
 *
 * Streams: a nu_h2_stream belongs to the session and outlives both halves of its user: after the
 * end was encoded the user may go, and the session still sends what waits. It calls its decoder
 * until both halves ended (on the client side until the response ended) or until a reset.
 * Heads are told from inside dispatch, bodies and trailers at its end; hold_read keeps bytes and the
 * end in the stream, whose window then closes (up to the connection's window of them).
 *
 * The server side: nu_h2_session_create with is_server; callbacks->on_new_stream gives a decoder
 * for each request.
 *
 * The client side: nu_h2_session_create, then nu_h2_session_open_stream for each request, which
 * returns the encoder, as long as nu_h2_session_can_open says that the peer takes one more (it is
 * unlimited, Envoy's 2^31-1, until the peer's settings arrive: on_settings). Interim responses are
 * told by on_1xx. on_goaway tells that no stream can be opened any more; those that the peer will
 * not serve are reset with NU_RESET_REMOTE_REFUSED. on_stream_end tells that a slot is free.
 *
 * The end: nu_codec_ops.drain says GOAWAY with the largest id (new streams are still taken),
 * nu_h2_session_goaway the last id. on_failure tells that the connection broke its protocol or a
 * limit: a GOAWAY is in the output if there is one to send; the owner resets what it has and closes
 * the connection (with FLUSH or LINGER). nu_codec_ops.on_closed resets the streams that are left and
 * frees the session at the end of the turn; nothing is called after it.
 *
 * Everything happens on the connection's thread.
 */
#ifndef NU_CODEC_H2_H
#define NU_CODEC_H2_H

#include "codec/codec.h"
#include "stats/http_stats.h"

struct nu_h2_session;

/* custom_settings_parameters. */
enum { NU_H2_CUSTOM_SETTINGS_MAX = 16 };

struct nu_h2_setting {
    uint16_t id;
    uint32_t value;
};

/* Settings of one side, immutable; from Http2ProtocolOptions, HttpProtocolOptions and limits. */
struct nu_h2_options {
    uint32_t hpack_table_bytes;
    uint32_t max_concurrent_streams;
    uint32_t stream_window_bytes;
    uint32_t connection_window_bytes;
    uint32_t max_outbound_frames;
    uint32_t max_outbound_control_frames;
    uint32_t max_consecutive_empty_frames;
    uint32_t max_priority_frames_per_stream;
    uint32_t max_window_updates_per_data_frame;
    const struct nu_h2_setting *settings; /* beside the above; borrowed */
    size_t setting_count;
    uint64_t max_metadata_bytes; /* of METADATA in a stream's life, of a block decoded, and of all
                                    blocks that are coming */
    bool allow_metadata;         /* METADATA frames are read and sent */
    bool allow_connect;          /* extended CONNECT (RFC 8441) */
    bool stream_error_on_invalid_message; /* a bad message resets its stream, not the connection */

    /* Keep-alive pings; an interval of 0: none. */
    uint64_t ping_interval_ms;
    uint64_t ping_timeout_ms;
    uint64_t
        ping_idle_ms; /* client: a ping goes before a stream that is opened after so long without
                              one; 0: none */
    double ping_jitter_percent; /* of the interval, at most added */

    /* The same as HTTP/1's. */
    uint32_t max_head_bytes;
    uint32_t max_headers;
    enum nu_underscore_action underscore_action;
    uint64_t flush_timeout_ms; /* how long a finished stream may wait for the peer's window; 0: for
                                  ever */
};

enum nu_h2_failure_kind {
    NU_H2_PROTOCOL_ERROR,
    NU_H2_FLOOD,        /* too many frames of a kind */
    NU_H2_PING_TIMEOUT, /* no answer: nothing can be sent either */
};

struct nu_h2_callbacks {
    /* Server: a request begins; returns the decoder for it. `encoder` lives until the stream's
     * end. */
    struct nu_stream_decoder *(*on_new_stream)(void *user, struct nu_stream_encoder *encoder);
    /* The connection cannot go on; `details` is a constant. Called once. */
    void (*on_failure)(void *user, enum nu_h2_failure_kind kind, struct nu_str details);
    /* A stream is gone, well or not; may be NULL. To count it: nothing may be ended from here. */
    void (*on_stream_close)(void *user);
    /* Streams are gone, and their slots free: told once for all of a turn; may be NULL. */
    void (*on_stream_end)(void *user);
    /* Client: the peer's settings came, the first or others; may be NULL. */
    void (*on_settings)(void *user);
    /* Client: the peer will take no more streams; may be NULL. */
    void (*on_goaway)(void *user, uint32_t error_code);
};

struct nu_h2_params {
    bool is_server;
    struct nu_connection *conn;          /* borrowed: open; its owner calls the codec's ops */
    const struct nu_h2_options *options; /* borrowed */
    struct nu_http2_stats *stats;        /* borrowed: this thread's block */
    const struct nu_h2_callbacks *callbacks;
    void *user;
    uint32_t max_heads_per_turn; /* that are told in one turn, the others in later ones; 0: all */
};

/* Attaches to an open connection, and sends the preface at the end of the turn. */
struct nu_h2_session *nu_h2_session_create(const struct nu_h2_params *params);
/* The session as a codec. */
struct nu_codec *nu_h2_session_codec(struct nu_h2_session *session);

/* The connection's output was written: no frame waits any more, which the gauges show. */
void nu_h2_session_on_drained(struct nu_h2_session *session);

/* Streams that are open, as nghttp2 and the peer count them. */
uint32_t nu_h2_session_stream_count(const struct nu_h2_session *session);
/* Says GOAWAY with the last stream that was begun: later ones are ignored. */
void nu_h2_session_goaway(struct nu_h2_session *session);

/* Ends all streams for their users, who are told so; for an owner that gives the connection up. */
void nu_h2_session_reset_streams(struct nu_h2_session *session, enum nu_reset_reason reason,
                                 struct nu_str details);

/* Client: how many streams may be open at a time, as the peer says. */
uint32_t nu_h2_session_peer_max_streams(const struct nu_h2_session *session);
/* Client: whether one more stream can be opened now. */
bool nu_h2_session_can_open(const struct nu_h2_session *session);
/* Client: begins an exchange; the request goes through the encoder, the response to `decoder`. Must
 * only be called when one can be opened. */
struct nu_stream_encoder *nu_h2_session_open_stream(struct nu_h2_session *session,
                                                    struct nu_stream_decoder *decoder);

/* Envoy's defaults of what is not set from outside. */
void nu_h2_options_init(struct nu_h2_options *options);

#endif
