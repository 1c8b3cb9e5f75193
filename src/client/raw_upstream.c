/* SPDX-License-Identifier: Apache-2.0 */
/* Plain connections as streams. */
#include "client/raw_upstream.h"

#include "net/proxy_header.h"

static struct nu_raw_upstream *raw_of(struct nu_stream_encoder *encoder)
{
    return nu_container_of(encoder, struct nu_raw_upstream, encoder);
}

/* --- The end ---------------------------------------------------------------------------------- */

/* A connection that has no user any more: it writes what is left, and goes. */
static void ignore(struct nu_tcp_client *client)
{
    (void)client;
}

static void ignore_close(struct nu_tcp_client *client, enum nu_close_reason reason)
{
    (void)client;
    (void)reason;
}

static void ignore_failure(struct nu_tcp_client *client, enum nu_reset_reason reason,
                           struct nu_str text)
{
    (void)client;
    (void)reason;
    (void)text;
}

static const struct nu_tcp_client_ops nobody = {
    .on_connected = ignore,
    .on_failed = ignore_failure,
    .on_data = ignore,
    .on_above_high = ignore,
    .on_below_low = ignore,
    .on_closed = ignore_close,
};

/* Who ends a tunnel right behind its last words means them to arrive. */
static void let_go(struct nu_raw_upstream *raw)
{
    enum { PATIENCE_MS = 1000 }; /* with a server that takes nothing */
    struct nu_tcp_client *client = raw->client;
    if (!client)
        return;
    raw->client = NULL;
    client->ops = &nobody;
    client->owner = NULL;
    client->conn.linger_ms = PATIENCE_MS;
    nu_tcp_client_close(client, NU_CLOSE_FLUSH);
}

void nu_raw_upstream_cancel(struct nu_raw_upstream *raw)
{
    let_go(raw);
}

/* --- The request ------------------------------------------------------------------------------ */

static void send_end(struct nu_raw_upstream *raw, bool end)
{
    if (end)
        nu_connection_end_write(&raw->client->conn);
    else
        nu_connection_write(&raw->client->conn);
}

static void note_sent(struct nu_raw_upstream *raw, size_t bytes)
{
    if (raw->decoder->info)
        raw->decoder->info->upstream.wire_bytes_sent += bytes;
}

static void encode_headers(struct nu_stream_encoder *encoder, struct nu_headers *headers, bool end)
{
    struct nu_raw_upstream *raw = raw_of(encoder);
    struct nu_connection_info *info = raw->decoder->info ? raw->decoder->info->connection : NULL;
    struct nu_buf *out = &raw->client->conn.out;
    (void)headers;
    if (raw->config->proxy_version && info)
        nu_proxy_header_write(out, (enum nu_proxy_version)raw->config->proxy_version, &info->remote,
                              nu_connection_info_local(info));
    note_sent(raw, out->len);
    send_end(raw, end);
}

static void encode_data(struct nu_stream_encoder *encoder, struct nu_buf *data, bool end)
{
    struct nu_raw_upstream *raw = raw_of(encoder);
    if (!raw->client) {
        nu_buf_clear(data);
        return;
    }
    note_sent(raw, data->len);
    nu_buf_collect(&raw->client->conn.out, data);
    send_end(raw, end);
}

/* Nothing of HTTP goes on but the body. */
static void encode_trailers(struct nu_stream_encoder *encoder, struct nu_headers *trailers)
{
    struct nu_raw_upstream *raw = raw_of(encoder);
    (void)trailers;
    if (raw->client)
        send_end(raw, true);
}

static void reset(struct nu_stream_encoder *encoder, enum nu_reset_reason reason)
{
    (void)reason;
    let_go(raw_of(encoder));
}

static void hold_read(struct nu_stream_encoder *encoder)
{
    if (raw_of(encoder)->client)
        nu_connection_hold_read(&raw_of(encoder)->client->conn);
}

static void release_read(struct nu_stream_encoder *encoder)
{
    if (raw_of(encoder)->client)
        nu_connection_release_read(&raw_of(encoder)->client->conn);
}

static const struct nu_stream_encoder_ops encoder_ops = {
    .encode_headers = encode_headers,
    .encode_data = encode_data,
    .encode_trailers = encode_trailers,
    .reset = reset,
    .hold_read = hold_read,
    .release_read = release_read,
};

/* --- The answer ------------------------------------------------------------------------------- */

static void on_connected(struct nu_tcp_client *client)
{
    struct nu_raw_upstream *raw = client->owner;
    struct nu_stream_decoder *decoder = raw->decoder;
    raw->ops->on_ready(raw);
    if (!raw->client)
        return;
    nu_headers_add_id(decoder->headers, NU_HEADER_STATUS, NU_STR("200"));
    decoder->ops->on_headers(decoder, false);
}

static void on_failed(struct nu_tcp_client *client, enum nu_reset_reason reason, struct nu_str text)
{
    struct nu_raw_upstream *raw = client->owner;
    raw->client = NULL;
    raw->ops->on_failure(raw, reason, text);
}

static void on_data(struct nu_tcp_client *client)
{
    struct nu_raw_upstream *raw = client->owner;
    struct nu_stream_decoder *decoder = raw->decoder;
    struct nu_buf data = {0};
    bool end = client->conn.read_eof;
    nu_buf_move_all(&data, &client->conn.in);
    if (decoder->info)
        decoder->info->upstream.wire_bytes_received += data.len;
    if (data.len || end)
        decoder->ops->on_data(decoder, &data, end);
    nu_buf_clear(&data);
    if (end)
        let_go(raw); /* both sides have ended, or nobody waits for the other one */
}

static void on_above_high(struct nu_tcp_client *client)
{
    struct nu_raw_upstream *raw = client->owner;
    raw->decoder->ops->on_above_high(raw->decoder);
}

static void on_below_low(struct nu_tcp_client *client)
{
    struct nu_raw_upstream *raw = client->owner;
    raw->decoder->ops->on_below_low(raw->decoder);
}

static void on_closed(struct nu_tcp_client *client, enum nu_close_reason reason)
{
    struct nu_raw_upstream *raw = client->owner;
    (void)reason;
    raw->client = NULL;
    raw->decoder->ops->on_reset(raw->decoder, NU_RESET_CONNECTION_TERMINATION,
                                nu_str_make(NULL, 0));
}

static const struct nu_tcp_client_ops client_ops = {
    .on_connected = on_connected,
    .on_failed = on_failed,
    .on_data = on_data,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
    .on_closed = on_closed,
};

bool nu_raw_upstream_open(struct nu_raw_upstream *raw, struct nu_cluster_local *cluster,
                          const struct nu_lb_context *context, const struct nu_proxy_data *whom,
                          bool *overflow)
{
    raw->encoder.ops = &encoder_ops;
    raw->client = nu_tcp_client_open(cluster, context, whom, &client_ops, raw, overflow);
    return raw->client != NULL;
}
