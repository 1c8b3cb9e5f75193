/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server side of HTTP/1: requests in, responses out, one at a time.
 *
 * A request's life here: the first byte asks the user for a decoder; the head is passed on when it
 * is complete and accepted, together with the body bytes that came with it. The stream ends when
 * the request was read and the response written; only then is the next request of a pipeline looked
 * at.
 */
#include "base/assert.h"
#include "codec/h1_internal.h"
#include "http/status.h"
#include "net/connection.h"

enum {
    RESPONSE_HEAD = 1 << 0, /* the response's head was written */
    RESPONSE_DONE = 1 << 1, /* the response's end was written */
    CHUNKED_OUT = 1 << 2,
    IS_HEAD = 1 << 3,
    NO_BODY_OUT = 1 << 4, /* body bytes of the response are dropped (HEAD, 204, 304) */
    FAILED = 1 << 5,      /* the request broke the protocol: nothing more is read */
    LENGTH_OUT = 1 << 6,  /* a Content-Length marks off the response's body */
    ASKS = 1 << 7,        /* for a tunnel: see the message */
};

/* Requests that may begin in one call of dispatch; others get their turn before the next ones. */
enum { REQUESTS_PER_TURN = 64 };

static struct nu_h1_server *server_of_encoder(struct nu_stream_encoder *encoder)
{
    return nu_container_of(encoder, struct nu_h1_server, encoder);
}

static struct nu_h1_server *server_of_codec(struct nu_codec *codec)
{
    return nu_container_of(codec, struct nu_h1_server, codec);
}

static void forget_stream(struct nu_h1_server *server)
{
    if (server->message)
        nu_buf_clear(&server->message->body);
    server->message = NULL;
    server->decoder = NULL;
    server->flags = 0;
}

/* Both halves ended: the connection is free for the next request. */
static void end_stream_if_done(struct nu_h1_server *server)
{
    if (server->message->end_passed && (server->flags & RESPONSE_DONE))
        forget_stream(server);
}

/* --- Sending ---------------------------------------------------------------------------------- */

static NU_NOINLINE struct nu_str spell_status(const struct nu_h1_server *server, uint32_t status,
                                              struct nu_str reason)
{
    char code[] = "200 ";
    nu_status_format(status, code);
    return nu_arena_concat(server->decoder->arena, nu_str_make(code, sizeof(code) - 1), reason);
}

/* With the server's own phrase where it was kept with its names, else the standard one. */
static struct nu_str status_line_of(const struct nu_h1_server *server,
                                    const struct nu_headers *headers, uint32_t status)
{
    const struct nu_stream_info *info = server->decoder->info;
    if (nu_unlikely(headers->name_style && info && info->upstream.reason_phrase.len))
        return spell_status(server, status, info->upstream.reason_phrase);
    struct nu_str line = nu_status_line(status);
    return nu_likely(line.ptr) ? line : spell_status(server, status, nu_status_reason(status));
}

static void write_head(struct nu_h1_server *server, const struct nu_headers *headers,
                       uint32_t status, unsigned framing)
{
    bool is_old = server->codec.protocol == NU_PROTOCOL_HTTP10;
    struct nu_h1_head head = {
        .headers = headers,
        .first = nu_unlikely(is_old) ? NU_STR("HTTP/1.0") : NU_STR("HTTP/1.1"),
        .second = status_line_of(server, headers, status),
        .framing = (uint8_t)framing,
        .format = server->options->name_format,
    };
    struct nu_h1_written written = nu_h1_write_head(&server->conn->out, &head);
    struct nu_stream_info *info = server->decoder->info;
    if (info) {
        info->header_bytes_sent += written.field_bytes;
        info->wire_bytes_sent += written.bytes;
    }
    nu_connection_write(server->conn);
}

static bool opens_tunnel(const struct nu_h1_server *server, uint32_t status)
{
    return (server->flags & ASKS) &&
           nu_h1_opens_tunnel((enum nu_h1_ask)server->message->asks, status);
}

/* How the end of the body is marked: a length, chunks, or the connection's end. */
static unsigned choose_framing(struct nu_h1_server *server, struct nu_headers *headers,
                               uint32_t status, bool end)
{
    bool http10 = server->codec.protocol == NU_PROTOCOL_HTTP10;
    bool has_length = nu_headers_has_id(headers, NU_HEADER_CONTENT_LENGTH);
    if ((server->flags & (IS_HEAD | ASKS)) || nu_h1_is_bodiless(status)) {
        if (opens_tunnel(server, status))
            return NU_H1_DROP_LENGTH;
        if ((server->flags & IS_HEAD) || nu_h1_is_bodiless(status))
            server->flags |= NO_BODY_OUT;
    }
    if (server->flags & NO_BODY_OUT) {
        if (nu_h1_is_bodiless(status))
            return status == 304 ? 0 : NU_H1_DROP_LENGTH;
        return !has_length && !http10 ? NU_H1_ADD_CHUNKED : 0;
    }
    if (nu_likely(has_length && nu_h1_length_fits(headers, end, &server->body_left))) {
        server->flags |= LENGTH_OUT;
        return 0;
    }
    if (end)
        return NU_H1_DROP_LENGTH | NU_H1_ADD_ZERO_LENGTH;
    if (!http10) {
        server->flags |= CHUNKED_OUT;
        return NU_H1_DROP_LENGTH | NU_H1_ADD_CHUNKED;
    }
    server->must_close = true;
    return NU_H1_DROP_LENGTH;
}

static void encode_1xx(struct nu_stream_encoder *encoder, const struct nu_headers *headers)
{
    struct nu_h1_server *server = server_of_encoder(encoder);
    if (server->codec.protocol == NU_PROTOCOL_HTTP10)
        return;
    uint32_t status = nu_status_parse(nu_headers_get_id(headers, NU_HEADER_STATUS));
    nu_assert(status != 0);
    write_head(server, headers, status, 0);
}

static void finish_response(struct nu_h1_server *server)
{
    if (nu_unlikely((server->flags & LENGTH_OUT) && server->body_left))
        server->must_close = true;
    server->flags |= RESPONSE_DONE;
    end_stream_if_done(server);
}

static void encode_headers(struct nu_stream_encoder *encoder, struct nu_headers *headers, bool end)
{
    struct nu_h1_server *server = server_of_encoder(encoder);
    uint32_t status = nu_headers_status(headers);
    nu_assert(status != 0);
    unsigned framing = choose_framing(server, headers, status, end);
    server->flags |= RESPONSE_HEAD;
    write_head(server, headers, status, framing);
    if (end)
        finish_response(server);
}

static void encode_data(struct nu_stream_encoder *encoder, struct nu_buf *data, bool end)
{
    struct nu_h1_server *server = server_of_encoder(encoder);
    struct nu_buf *out = &server->conn->out;
    size_t before = out->len;
    if ((server->flags & LENGTH_OUT) && !nu_h1_take_length(&server->body_left, data))
        server->must_close = true;
    if (server->flags & NO_BODY_OUT) {
        nu_buf_clear(data);
    } else if (server->flags & CHUNKED_OUT) {
        if (data->len)
            nu_h1_write_chunk(out, data);
        if (end)
            nu_h1_write_last_chunk(out, NULL, server->options->name_format);
    } else {
        nu_buf_gather(out, data);
    }
    if (server->decoder->info)
        server->decoder->info->wire_bytes_sent += out->len - before;
    nu_connection_write(server->conn);
    if (end)
        finish_response(server);
}

static void encode_trailers(struct nu_stream_encoder *encoder, struct nu_headers *trailers)
{
    struct nu_h1_server *server = server_of_encoder(encoder);
    struct nu_buf *out = &server->conn->out;
    struct nu_stream_info *info = server->decoder->info;
    size_t before = out->len;
    size_t field_bytes = 0;
    if (server->flags & CHUNKED_OUT)
        field_bytes = nu_h1_write_last_chunk(
            out, server->options->enable_trailers ? trailers : NULL, server->options->name_format);
    if (info) {
        info->header_bytes_sent += field_bytes;
        info->wire_bytes_sent += out->len - before;
    }
    nu_connection_write(server->conn);
    finish_response(server);
}

/* HTTP/1 has no way to end a stream but the connection's end. */
static void reset(struct nu_stream_encoder *encoder, enum nu_reset_reason reason)
{
    (void)reason;
    struct nu_h1_server *server = server_of_encoder(encoder);
    forget_stream(server);
    server->flags = FAILED;
}

static void hold_read(struct nu_stream_encoder *encoder)
{
    nu_connection_hold_read(server_of_encoder(encoder)->conn);
}

static void release_read(struct nu_stream_encoder *encoder)
{
    nu_connection_release_read(server_of_encoder(encoder)->conn);
}

static const struct nu_stream_encoder_ops encoder_ops = {
    .encode_1xx = encode_1xx,
    .encode_headers = encode_headers,
    .encode_data = encode_data,
    .encode_trailers = encode_trailers,
    .reset = reset,
    .hold_read = hold_read,
    .release_read = release_read,
};

/* --- Receiving -------------------------------------------------------------------------------- */

static void begin_request(struct nu_h1_server *server)
{
    server->flags = 0;
    server->codec.protocol = NU_PROTOCOL_HTTP11;
    server->decoder = server->callbacks->on_new_stream(server->user, &server->encoder);
    server->message = nu_h1_message_create(server->decoder, server->options, true);
}

static enum nu_protocol protocol_of(const struct nu_h1_message *msg)
{
    return msg->http_minor == 0 ? NU_PROTOCOL_HTTP10 : NU_PROTOCOL_HTTP11;
}

/* As in Envoy the answer is of the request's version if its head could be read, though the request is
 * not logged as one of it. */
static void fail_request(struct nu_h1_server *server)
{
    server->flags |= FAILED;
    if (server->message->is_refused)
        server->codec.protocol = protocol_of(server->message);
    server->callbacks->on_error(server->user, server->decoder, &server->message->error);
}

/* Passing on may end the stream and free the message: each step looks before it goes on. */
static bool is_current(const struct nu_h1_server *server, const struct nu_h1_message *msg)
{
    return server->message == msg;
}

static void note_head(struct nu_h1_server *server, struct nu_h1_message *msg)
{
    server->codec.protocol = protocol_of(msg);
    struct nu_str method = nu_headers_get_id(msg->headers, NU_HEADER_METHOD);
    if (nu_str_eq(method, NU_STR("HEAD")))
        server->flags |= IS_HEAD;
    if (nu_unlikely(msg->is_tunnel))
        server->flags |= ASKS;
    if (server->decoder->info)
        server->decoder->info->protocol = server->codec.protocol;
}

/* Of the `before` bytes that lay there. As in Envoy what a client sends from an error on is a part of
 * that request, and a head that is not whole has no fields. */
static void count_bytes(struct nu_h1_server *server, size_t before)
{
    struct nu_stream_info *info = server->decoder->info;
    const struct nu_h1_message *msg = server->message;
    if (!info)
        return;
    bool failed = msg->phase == NU_H1_FAILED;
    info->wire_bytes_received += failed ? before : before - server->conn->in.len;
    info->header_bytes_received = failed && !msg->head_passed ? 0 : msg->field_bytes;
}

/* Feeds the message and passes on what came out; returns whether the connection can go on. */
static bool read_request(struct nu_h1_server *server)
{
    struct nu_h1_message *msg = server->message;
    struct nu_buf *in = &server->conn->in;
    size_t before = in->len;
    nu_h1_message_feed(msg, in);
    server->conn->needs_more = nu_h1_message_needs_more(msg);
    count_bytes(server, before);
    if (msg->phase == NU_H1_FAILED) {
        if (nu_h1_message_pass_before_failure(&server->message, server->decoder))
            fail_request(server);
        return false;
    }
    if (msg->phase >= NU_H1_BODY && !msg->head_passed) {
        note_head(server, msg);
        nu_h1_message_pass_head(msg, server->decoder);
    }
    if (is_current(server, msg) && msg->head_passed && !msg->end_passed)
        nu_h1_message_pass_body(&server->message, server->decoder);
    if (is_current(server, msg))
        end_stream_if_done(server);
    return !(server->flags & FAILED);
}

static bool may_read_request(const struct nu_h1_server *server)
{
    const struct nu_connection *conn = server->conn;
    bool waiting_for_response = server->message && server->message->end_passed;
    return conn->in.len && nu_connection_is_open(conn) && !conn->read_holds &&
           !waiting_for_response && !(server->flags & FAILED) && !server->must_close;
}

/* Whether the next request of a pipeline may begin: a client that does not read its answers gets no
 * more of them, and one that asks much at once lets others go before. */
static bool may_begin_request(struct nu_h1_server *server, unsigned begun)
{
    struct nu_connection *conn = server->conn;
    if (nu_unlikely(conn->above_high))
        return false; /* on_below_low goes on */
    if (nu_unlikely(begun >= REQUESTS_PER_TURN || nu_connection_is_out_full(conn))) {
        nu_connection_redeliver_later(conn);
        return false;
    }
    return nu_h1_skip_empty_lines(&conn->in);
}

static void dispatch(struct nu_codec *codec)
{
    struct nu_h1_server *server = server_of_codec(codec);
    unsigned begun = 0;
    while (may_read_request(server)) {
        if (!server->message) {
            if (!may_begin_request(server, begun))
                return;
            begin_request(server);
            begun++;
        }
        size_t before = server->conn->in.len;
        if (!read_request(server) || server->conn->in.len == before)
            return;
    }
}

static void on_above_high(struct nu_codec *codec)
{
    struct nu_h1_server *server = server_of_codec(codec);
    if (server->decoder)
        server->decoder->ops->on_above_high(server->decoder);
}

static void on_below_low(struct nu_codec *codec)
{
    struct nu_h1_server *server = server_of_codec(codec);
    if (server->decoder)
        server->decoder->ops->on_below_low(server->decoder);
    else if (server->conn->in.len)
        nu_connection_redeliver(server->conn);
}

static void on_closed(struct nu_codec *codec, enum nu_reset_reason reason)
{
    struct nu_h1_server *server = server_of_codec(codec);
    struct nu_stream_decoder *decoder = server->decoder;
    forget_stream(server);
    if (decoder)
        decoder->ops->on_reset(decoder, reason, nu_str_make(NULL, 0));
}

static void drain(struct nu_codec *codec)
{
    (void)codec; /* the connection manager adds `connection: close` to the next response */
}

static const struct nu_codec_ops codec_ops = {
    .dispatch = dispatch,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
    .on_closed = on_closed,
    .drain = drain,
};

void nu_h1_server_init(struct nu_h1_server *server, struct nu_connection *conn,
                       const struct nu_h1_options *options,
                       const struct nu_server_codec_callbacks *callbacks, void *user)
{
    *server = (struct nu_h1_server){
        .codec = {.ops = &codec_ops, .protocol = NU_PROTOCOL_HTTP11},
        .encoder = {.ops = &encoder_ops},
        .conn = conn,
        .options = options,
        .callbacks = callbacks,
        .user = user,
    };
}

bool nu_h1_server_is_keep_alive(const struct nu_h1_server *server)
{
    return server->message && server->message->keep_alive && !(server->flags & FAILED);
}

unsigned nu_h1_server_underscores(const struct nu_h1_server *server)
{
    return server->message ? server->message->underscores : 0;
}
