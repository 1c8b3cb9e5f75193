/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec interface: between a connection's bytes and its HTTP streams, the same for HTTP/1 and
 * HTTP/2 and for both sides.
 *
 * Each stream is two halves. What arrives is told to a decoder, which the user of the codec
 * provides; what is sent goes through an encoder, which the codec provides. A stream ends when both
 * halves have ended, or by a reset from either side; after a reset neither half may be used. On the
 * client side a response that ended ends the stream, also when the request has not: it is not sent
 * any further.
 *
 *     server:  bytes in  -> codec -> decoder (the connection manager's stream)
 *              bytes out <- codec <- encoder
 *     client:  the same with the pool's connection and a request that was sent first
 *
 * Everything happens on the connection's thread. A decoder is never called from inside an encoder's
 * function, except on_reset when the call itself resets.
 */
#ifndef NU_CODEC_CODEC_H
#define NU_CODEC_CODEC_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/headers.h"
#include "http/stream_info.h"

struct nu_connection;
struct nu_frame_metadata;
struct nu_stream_decoder;
struct nu_stream_encoder;

/* Why a stream ended early. The texts are Envoy's, as local replies and details print them. */
#define NU_RESET_REASONS(X) \
    X(NU_RESET_LOCAL, "local reset") \
    X(NU_RESET_LOCAL_REFUSED, "local refused stream reset") \
    X(NU_RESET_REMOTE, "remote reset") \
    X(NU_RESET_REMOTE_REFUSED, "remote refused stream reset") \
    X(NU_RESET_LOCAL_CONNECTION_FAILURE, "local connection failure") \
    X(NU_RESET_REMOTE_CONNECTION_FAILURE, "remote connection failure") \
    X(NU_RESET_CONNECTION_TIMEOUT, "connection timeout") \
    X(NU_RESET_CONNECTION_TERMINATION, "connection termination") \
    X(NU_RESET_OVERFLOW, "overflow") \
    X(NU_RESET_CONNECT_ERROR, "remote error with CONNECT request") \
    X(NU_RESET_PROTOCOL_ERROR, "protocol error") \
    X(NU_RESET_OVERLOAD, "overload manager reset") \
    X(NU_RESET_PREMATURE_HALF_CLOSE, "HTTP/1 premature upstream half close")

enum nu_reset_reason {
#define X(id, text) id,
    NU_RESET_REASONS(X)
#undef X
};

/* The text of a reason, a constant. */
struct nu_str nu_reset_reason_text(enum nu_reset_reason reason);

/* What becomes of headers with an underscore in their names. */
enum nu_underscore_action {
    NU_UNDERSCORE_ALLOW,
    NU_UNDERSCORE_REJECT,
    NU_UNDERSCORE_DROP,
};

struct nu_stream_decoder_ops {
    /* The head is in decoder->headers; `end` if nothing follows. */
    void (*on_headers)(struct nu_stream_decoder *decoder, bool end);
    /* Body bytes; the callee moves out of `data` what it wants, the rest is dropped. May be called
     * with no bytes when only the end is to be told. */
    void (*on_data)(struct nu_stream_decoder *decoder, struct nu_buf *data, bool end);
    /* Trailers, which end the stream. */
    void (*on_trailers)(struct nu_stream_decoder *decoder, struct nu_headers *trailers);
    /* Client side only: an interim response (1xx but not 101) in `headers`. */
    void (*on_1xx)(struct nu_stream_decoder *decoder, struct nu_headers *headers);
    /* The end without an end. `details` is a constant or lives as long as the stream. */
    void (*on_reset)(struct nu_stream_decoder *decoder, enum nu_reset_reason reason,
                     struct nu_str details);
    /* METADATA of HTTP/2 beside the message, on the client side perhaps before its head; the callee
     * takes it. NULL: it is dropped. */
    void (*on_metadata)(struct nu_stream_decoder *decoder, struct nu_frame_metadata *metadata);
    /* The encoder's connection takes no more for now, or takes bytes again. */
    void (*on_above_high)(struct nu_stream_decoder *decoder);
    void (*on_below_low)(struct nu_stream_decoder *decoder);
};

/* What the user provides for a stream; embedded in its own object. */
struct nu_stream_decoder {
    const struct nu_stream_decoder_ops *ops;
    struct nu_arena *arena;      /* borrowed: headers are allocated here; outlives the stream */
    struct nu_headers *headers;  /* borrowed: the codec fills it */
    struct nu_stream_info *info; /* borrowed: bytes and times are counted here; NULL for none */
};

struct nu_stream_encoder_ops {
    /* Sends an interim response. Server side only. */
    void (*encode_1xx)(struct nu_stream_encoder *encoder, const struct nu_headers *headers);
    void (*encode_headers)(struct nu_stream_encoder *encoder, struct nu_headers *headers, bool end);
    /* Takes all of `data`. */
    void (*encode_data)(struct nu_stream_encoder *encoder, struct nu_buf *data, bool end);
    void (*encode_trailers)(struct nu_stream_encoder *encoder, struct nu_headers *trailers);
    /* Sends it beside the message, before its end; takes it. NULL where there is no such thing. */
    void (*encode_metadata)(struct nu_stream_encoder *encoder, struct nu_frame_metadata *metadata);
    /* Ends the stream now; the decoder hears nothing more. */
    void (*reset)(struct nu_stream_encoder *encoder, enum nu_reset_reason reason);
    /* How long what is left of a message that ended may wait for the peer; 0 is for ever. NULL where
     * nothing waits. Server side only. */
    void (*limit_flush)(struct nu_stream_encoder *encoder, uint64_t limit_ms);
    /* Holds back, or lets go, the bytes that this stream's decoder gets. Holds count. */
    void (*hold_read)(struct nu_stream_encoder *encoder);
    void (*release_read)(struct nu_stream_encoder *encoder);
};

struct nu_stream_encoder {
    const struct nu_stream_encoder_ops *ops;
};

/* Gives METADATA, which it takes, to the encoder; false if its protocol has none. */
bool nu_encode_metadata(struct nu_stream_encoder *encoder, struct nu_frame_metadata *metadata);

/* A request that broke the protocol, as the server answers it. */
struct nu_codec_error {
    uint32_t status;       /* of the local reply */
    struct nu_str details; /* response code details, a constant */
};

struct nu_server_codec_callbacks {
    /* The first byte of a request: returns the decoder for it. `encoder` lives until the stream's
     * end. */
    struct nu_stream_decoder *(*on_new_stream)(void *user, struct nu_stream_encoder *encoder);
    /*
     * The peer broke the protocol in the stream of `decoder`, whose head may have been passed on.
     * The user answers it through the encoder if no answer was begun; then the connection ends.
     */
    void (*on_error)(void *user, struct nu_stream_decoder *decoder,
                     const struct nu_codec_error *error);
};

struct nu_codec;

struct nu_codec_ops {
    /* Consumes what it can of the connection's input; also called when the peer ended its side. */
    void (*dispatch)(struct nu_codec *codec);
    /* The connection's output buffer crossed a watermark. */
    void (*on_above_high)(struct nu_codec *codec);
    void (*on_below_low)(struct nu_codec *codec);
    /* The connection is gone: resets the streams that are left with `reason`. */
    void (*on_closed)(struct nu_codec *codec, enum nu_reset_reason reason);
    /* No new streams: HTTP/1 says `connection: close` with the next response, HTTP/2 sends
     * GOAWAY. */
    void (*drain)(struct nu_codec *codec);
};

struct nu_codec {
    const struct nu_codec_ops *ops;
    enum nu_protocol protocol;
};

#endif
