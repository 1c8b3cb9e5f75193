/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client side of HTTP/1: one exchange at a time. The connection can be used again when the
 * request was written and the response read completely, both sides agreed, and not a byte more
 * came; in every other case it is spent. A response that ends before its request does ends the
 * exchange.
 */
#include "base/assert.h"
#include "codec/h1_internal.h"
#include "net/connection.h"

enum {
    REQUEST_DONE = 1 << 0,
    CHUNKED_OUT = 1 << 1,
    LAST = 1 << 2,       /* the request says `connection: close` */
    LENGTH_OUT = 1 << 3, /* a Content-Length marks off the request's body */
    BROKEN = 1 << 4,     /* more was to be sent than the head said */
};

/* How many interim responses one exchange may have: each keeps its bytes until the exchange
 * ends. */
enum { MAX_INTERIMS = 100 };

static struct nu_h1_client *client_of_encoder(struct nu_stream_encoder *encoder)
{
    return nu_container_of(encoder, struct nu_h1_client, encoder);
}

static struct nu_h1_client *client_of_codec(struct nu_codec *codec)
{
    return nu_container_of(codec, struct nu_h1_client, codec);
}

static void forget_exchange(struct nu_h1_client *client)
{
    if (client->message)
        nu_buf_clear(&client->message->body);
    client->message = NULL;
    client->decoder = NULL;
    client->flags &= LAST;
}

static enum nu_h1_end end_of(const struct nu_h1_client *client)
{
    if (!client->message->keep_alive)
        return NU_H1_END_PEER_CLOSES;
    const struct nu_connection *conn = client->conn;
    bool reusable = !client->message->reads_to_eof && (client->flags & REQUEST_DONE) &&
                    !(client->flags & (LAST | BROKEN)) && conn->in.len == 0 && conn->out.len == 0 &&
                    !conn->read_eof;
    return reusable ? NU_H1_END_REUSABLE : NU_H1_END_SPENT;
}

static void complete_exchange(struct nu_h1_client *client)
{
    enum nu_h1_end end = end_of(client);
    forget_exchange(client);
    client->callbacks->on_complete(client->user, end);
}

/* --- Sending ---------------------------------------------------------------------------------- */

static void note_sent(struct nu_h1_client *client, size_t bytes, size_t field_bytes)
{
    struct nu_stream_info *info = client->decoder->info;
    if (!info)
        return;
    info->upstream.wire_bytes_sent += bytes;
    info->upstream.header_bytes_sent += field_bytes;
}

/* What a method means here. Requests with any of these but METHOD_OTHER need no length when they have
 * no body (Envoy's choice). */
enum method { METHOD_GET, METHOD_HEAD, METHOD_CONNECT, METHOD_WITHOUT_BODY, METHOD_OTHER };

static inline enum method method_of(struct nu_str name)
{
    if (nu_likely(nu_str_eq(name, NU_STR("GET"))))
        return METHOD_GET;
    if (nu_str_eq(name, NU_STR("HEAD")))
        return METHOD_HEAD;
    if (nu_str_eq(name, NU_STR("CONNECT")))
        return METHOD_CONNECT;
    bool lacks_length = nu_str_eq(name, NU_STR("DELETE")) || nu_str_eq(name, NU_STR("TRACE"));
    return lacks_length ? METHOD_WITHOUT_BODY : METHOD_OTHER;
}

static enum nu_h1_ask asks_of(const struct nu_headers *headers, enum method method)
{
    if (nu_unlikely(nu_headers_has_id(headers, NU_HEADER_UPGRADE)) && nu_h1_names_upgrade(headers))
        return NU_H1_ASKS_UPGRADE;
    return nu_unlikely(method == METHOD_CONNECT) ? NU_H1_ASKS_CONNECT : NU_H1_ASKS_NOTHING;
}

static unsigned choose_framing(struct nu_h1_client *client, struct nu_headers *headers,
                               enum method method, bool end)
{
    unsigned framing = client->flags & LAST ? NU_H1_ADD_CLOSE : 0;
    if (nu_unlikely(client->message->asks != NU_H1_ASKS_NOTHING))
        return 0; /* the head goes as it is, and bytes follow it */
    if (nu_headers_has_id(headers, NU_HEADER_CONTENT_LENGTH)) {
        if (nu_likely(nu_h1_length_fits(headers, end, &client->body_left))) {
            client->flags |= LENGTH_OUT;
            return framing;
        }
        framing |= NU_H1_DROP_LENGTH;
    }
    if (end)
        return method == METHOD_OTHER ? framing | NU_H1_ADD_ZERO_LENGTH : framing;
    client->flags |= CHUNKED_OUT;
    return framing | NU_H1_ADD_CHUNKED;
}

static struct nu_str target_of(struct nu_h1_client *client, const struct nu_headers *headers,
                               struct nu_str host)
{
    struct nu_str path = nu_headers_get_id(headers, NU_HEADER_PATH);
    if (!client->options->send_fully_qualified_url)
        return path.ptr ? path : host;
    struct nu_arena *arena = client->decoder->arena;
    struct nu_str scheme = nu_headers_get_id(headers, NU_HEADER_SCHEME);
    if (!scheme.ptr)
        scheme = NU_STR("http");
    struct nu_str url = nu_arena_concat(arena, scheme, NU_STR("://"));
    url = nu_arena_concat(arena, url, host);
    return nu_arena_concat(arena, url, path);
}

/* The end of a tunnel's bytes can only be told by the connection's. */
static void finish_request(struct nu_h1_client *client)
{
    client->flags |= REQUEST_DONE;
    if (nu_unlikely(client->message->is_tunnel))
        nu_connection_end_write(client->conn);
}

/* Whether it is one word of a request line and no more. */
static bool is_safe_target(struct nu_str target)
{
    if (target.len == 0)
        return false;
    const char *end = target.ptr + target.len;
    for (const char *p = nu_plain_path_end(target.ptr, end); p < end; p++) {
        unsigned char c = (unsigned char)*p;
        if (c <= ' ' || c == 0x7f)
            return false;
    }
    return true;
}

static void fail_exchange(struct nu_h1_client *client, enum nu_reset_reason reason);

static void encode_headers(struct nu_stream_encoder *encoder, struct nu_headers *headers, bool end)
{
    struct nu_h1_client *client = client_of_encoder(encoder);
    struct nu_str name = nu_headers_get_id(headers, NU_HEADER_METHOD);
    enum method method = method_of(name);
    const struct nu_header *host = nu_headers_find_id(headers, NU_HEADER_AUTHORITY);
    client->message->asks = (uint8_t)asks_of(headers, method);
    unsigned framing = choose_framing(client, headers, method, end);
    client->message->expects_no_body = method == METHOD_HEAD;
    struct nu_h1_head head = {
        .headers = headers,
        .host = host,
        .first = name,
        .second = target_of(client, headers, host ? host->value : nu_str_make(NULL, 0)),
        .is_request = true,
        .framing = (uint8_t)framing,
        .format = client->options->name_format,
    };
    bool is_safe = method != METHOD_OTHER || nu_header_name_is_valid(name);
    if (nu_unlikely(!is_safe || !is_safe_target(head.second))) {
        fail_exchange(client, NU_RESET_LOCAL);
        return;
    }
    struct nu_h1_written written = nu_h1_write_head(&client->conn->out, &head);
    note_sent(client, written.bytes, written.field_bytes);
    nu_connection_write(client->conn);
    if (end)
        finish_request(client);
}

/* The request's end, unless its head promised more: then the server would take the next request's
 * bytes for the rest. */
static void end_request(struct nu_h1_client *client)
{
    if (nu_unlikely((client->flags & LENGTH_OUT) && client->body_left))
        fail_exchange(client, NU_RESET_LOCAL);
    else
        finish_request(client);
}

static void encode_data(struct nu_stream_encoder *encoder, struct nu_buf *data, bool end)
{
    struct nu_h1_client *client = client_of_encoder(encoder);
    struct nu_buf *out = &client->conn->out;
    size_t before = out->len;
    if (nu_unlikely(!client->decoder)) {
        nu_buf_clear(data);
        return;
    }
    if ((client->flags & LENGTH_OUT) && !nu_h1_take_length(&client->body_left, data))
        client->flags |= BROKEN;
    if (client->flags & CHUNKED_OUT) {
        if (data->len)
            nu_h1_write_chunk(out, data);
        if (end)
            nu_h1_write_last_chunk(out, NULL, client->options->name_format);
    } else {
        nu_buf_gather(out, data);
    }
    note_sent(client, out->len - before, 0);
    nu_connection_write(client->conn);
    if (end)
        end_request(client);
}

static void encode_trailers(struct nu_stream_encoder *encoder, struct nu_headers *trailers)
{
    struct nu_h1_client *client = client_of_encoder(encoder);
    struct nu_buf *out = &client->conn->out;
    size_t before = out->len;
    size_t field_bytes = 0;
    if (nu_unlikely(!client->decoder))
        return;
    if (client->flags & CHUNKED_OUT)
        field_bytes = nu_h1_write_last_chunk(
            out, client->options->enable_trailers ? trailers : NULL, client->options->name_format);
    note_sent(client, out->len - before, field_bytes);
    nu_connection_write(client->conn);
    end_request(client);
}

static void reset(struct nu_stream_encoder *encoder, enum nu_reset_reason reason)
{
    (void)reason;
    struct nu_h1_client *client = client_of_encoder(encoder);
    bool is_tunnel = client->message && client->message->is_tunnel;
    forget_exchange(client);
    client->callbacks->on_complete(client->user, is_tunnel ? NU_H1_END_TUNNEL : NU_H1_END_ABORTED);
}

static void hold_read(struct nu_stream_encoder *encoder)
{
    nu_connection_hold_read(client_of_encoder(encoder)->conn);
}

static void release_read(struct nu_stream_encoder *encoder)
{
    nu_connection_release_read(client_of_encoder(encoder)->conn);
}

static const struct nu_stream_encoder_ops encoder_ops = {
    .encode_headers = encode_headers,
    .encode_data = encode_data,
    .encode_trailers = encode_trailers,
    .reset = reset,
    .hold_read = hold_read,
    .release_read = release_read,
};

/* --- Receiving -------------------------------------------------------------------------------- */

static void fail_exchange(struct nu_h1_client *client, enum nu_reset_reason reason)
{
    struct nu_stream_decoder *decoder = client->decoder;
    struct nu_str details = client->message->phase == NU_H1_FAILED ? client->message->error.details
                                                                   : nu_str_make(NULL, 0);
    forget_exchange(client);
    decoder->ops->on_reset(decoder, reason, details);
    if (nu_connection_is_open(client->conn))
        client->callbacks->on_complete(client->user, NU_H1_END_ABORTED);
}

static bool is_interim(const struct nu_h1_message *msg)
{
    return msg->status / 100 == 1 && !msg->is_tunnel;
}

static bool is_current(const struct nu_h1_client *client, const struct nu_h1_message *msg)
{
    return client->message == msg;
}

static void pass_interim(struct nu_h1_client *client, struct nu_h1_message *msg)
{
    if (++msg->interims > MAX_INTERIMS) {
        nu_h1_message_fail(msg, 502, NU_STR("http1.codec_error"));
        fail_exchange(client, NU_RESET_PROTOCOL_ERROR);
        return;
    }
    if (client->decoder->ops->on_1xx)
        client->decoder->ops->on_1xx(client->decoder, msg->headers);
    if (is_current(client, msg))
        nu_h1_message_restart(msg);
}

static void pass_head(struct nu_h1_client *client, struct nu_h1_message *msg)
{
    if (nu_unlikely(client->options->keep_reason && client->decoder->info))
        client->decoder->info->upstream.reason_phrase = msg->reason;
    nu_h1_message_pass_head(msg, client->decoder);
}

/* Of the `before` bytes that lay there. As in Envoy what came with the end of a response, or with an
 * error in it, is a part of it, and a head that is not whole has no fields. */
static void note_received(struct nu_h1_client *client, size_t before)
{
    struct nu_stream_info *info = client->decoder->info;
    const struct nu_h1_message *msg = client->message;
    if (!info)
        return;
    bool failed = msg->phase == NU_H1_FAILED;
    bool is_last = failed || (msg->phase == NU_H1_COMPLETE && !is_interim(msg));
    info->upstream.wire_bytes_received += is_last ? before : before - client->conn->in.len;
    if (msg->phase == NU_H1_HEAD || (failed && !msg->head_passed))
        return;
    info->upstream.header_bytes_received += msg->field_bytes - client->noted_fields;
    client->noted_fields = msg->field_bytes;
}

/* What came with a plain head is read in the same go, unless the head made its reader wait. */
static void read_on(struct nu_h1_client *client, struct nu_h1_message *msg)
{
    struct nu_buf *in = &client->conn->in;
    size_t before = in->len;
    if (before == 0 || msg->phase != NU_H1_BODY || msg->second || client->conn->read_holds)
        return;
    nu_h1_message_feed_plain_body(msg, in);
    note_received(client, before);
}

/* Passes on what was parsed; the exchange may be over afterwards. */
static void pass_parsed(struct nu_h1_client *client, struct nu_h1_message *msg)
{
    if (msg->phase == NU_H1_COMPLETE && !msg->head_passed && is_interim(msg)) {
        pass_interim(client, msg);
        return;
    }
    if (msg->phase >= NU_H1_BODY && !msg->head_passed && !is_interim(msg)) {
        pass_head(client, msg);
        if (nu_likely(is_current(client, msg)))
            read_on(client, msg);
    }
    if (is_current(client, msg) && msg->head_passed && !msg->end_passed)
        nu_h1_message_pass_body(&client->message, client->decoder);
    if (is_current(client, msg) && msg->end_passed)
        complete_exchange(client);
}

static void read_response(struct nu_h1_client *client)
{
    struct nu_h1_message *msg = client->message;
    struct nu_buf *in = &client->conn->in;
    size_t before = in->len;
    /* What comes before the request went out answers no request: it must not reach this client. */
    if (nu_unlikely(msg->phase == NU_H1_START && client->conn->tx_bytes == client->sent_before))
        nu_h1_message_fail(msg, 502, NU_STR("http1.codec_error"));
    else
        nu_h1_message_feed(msg, in);
    client->conn->needs_more = nu_h1_message_needs_more(msg);
    note_received(client, before);
    if (msg->phase != NU_H1_FAILED)
        pass_parsed(client, msg);
    else if (nu_h1_message_pass_before_failure(&client->message, client->decoder))
        fail_exchange(client, NU_RESET_PROTOCOL_ERROR);
}

/* Nothing of the response came, or all of the HTTP in it. */
static bool is_between_messages(const struct nu_h1_message *msg)
{
    return msg->phase == NU_H1_START || (msg->phase == NU_H1_BODY && msg->is_tunnel);
}

/* The server ended its side: the end of a response that has no other; a termination when nothing of
 * the response came, a broken response otherwise. A tunnel is broken off, as Envoy has it. */
static void read_end(struct nu_h1_client *client)
{
    struct nu_h1_message *msg = client->message;
    bool nothing_came = msg->phase == NU_H1_START;
    if (nu_unlikely(msg->is_tunnel)) {
        fail_exchange(client, NU_RESET_CONNECTION_TERMINATION);
        return;
    }
    nu_h1_message_feed_eof(msg);
    if (msg->phase == NU_H1_COMPLETE) {
        pass_parsed(client, msg);
        return;
    }
    note_received(client, client->conn->in.len);
    fail_exchange(client, nothing_came ? NU_RESET_CONNECTION_TERMINATION : NU_RESET_PROTOCOL_ERROR);
}

static void dispatch(struct nu_codec *codec)
{
    struct nu_h1_client *client = client_of_codec(codec);
    struct nu_connection *conn = client->conn;
    while (client->message && conn->in.len && !conn->read_holds) {
        size_t before = conn->in.len;
        read_response(client);
        if (conn->in.len == before)
            break;
    }
    if (client->message && conn->read_eof && !conn->read_holds)
        read_end(client);
}

static void on_above_high(struct nu_codec *codec)
{
    struct nu_h1_client *client = client_of_codec(codec);
    if (client->decoder)
        client->decoder->ops->on_above_high(client->decoder);
}

static void on_below_low(struct nu_codec *codec)
{
    struct nu_h1_client *client = client_of_codec(codec);
    if (client->decoder)
        client->decoder->ops->on_below_low(client->decoder);
}

/* As at the server's orderly end, a response that was begun is a broken one. */
static void on_closed(struct nu_codec *codec, enum nu_reset_reason reason)
{
    struct nu_h1_client *client = client_of_codec(codec);
    if (!client->message)
        return;
    bool nothing_came = is_between_messages(client->message);
    fail_exchange(client, nothing_came ? reason : NU_RESET_PROTOCOL_ERROR);
}

static void drain(struct nu_codec *codec)
{
    nu_h1_client_set_last(client_of_codec(codec));
}

static const struct nu_codec_ops codec_ops = {
    .dispatch = dispatch,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
    .on_closed = on_closed,
    .drain = drain,
};

void nu_h1_client_init(struct nu_h1_client *client, struct nu_connection *conn,
                       const struct nu_h1_options *options,
                       const struct nu_client_codec_callbacks *callbacks, void *user)
{
    *client = (struct nu_h1_client){
        .codec = {.ops = &codec_ops, .protocol = NU_PROTOCOL_HTTP11},
        .encoder = {.ops = &encoder_ops},
        .conn = conn,
        .options = options,
        .callbacks = callbacks,
        .user = user,
    };
}

struct nu_stream_encoder *nu_h1_client_start(struct nu_h1_client *client,
                                             struct nu_stream_decoder *decoder)
{
    nu_assert(!client->message);
    client->flags &= LAST;
    client->decoder = decoder;
    client->sent_before = client->conn->tx_bytes;
    client->noted_fields = 0;
    client->message = nu_h1_message_create(decoder, client->options, false);
    return &client->encoder;
}

void nu_h1_client_set_last(struct nu_h1_client *client)
{
    client->flags |= LAST;
}
