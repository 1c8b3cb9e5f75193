/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a stream: from the first byte of a request to its line in the access log.
 * What it does with the request's head is in request.c.
 */
#include "base/random.h"
#include "http/filter_state.h"
#include "http/frame_metadata.h"
#include "http/status.h"
#include "net/conn_record.h"
#include "stream/stream_internal.h"

static struct nu_hcm_stream *stream_of(struct nu_stream_decoder *decoder)
{
    return nu_container_of(decoder, struct nu_hcm_stream, decoder);
}

/* --- The end ---------------------------------------------------------------------------------- */

/* Nothing of this request can still be on its way: the connection need not wait for the client. */
static bool may_close_at_once(const struct nu_hcm_stream *stream)
{
    if (!nu_stream_has(stream, NU_STREAM_SAW_CLOSE))
        return false;
    bool is_read = nu_stream_has(stream, NU_STREAM_REQUEST_COMPLETE) &&
                   !nu_stream_has(stream, NU_STREAM_IN_HEADERS);
    return is_read || nu_stream_has(stream, NU_STREAM_FRAMED_BY_CLOSE);
}

static NU_NOINLINE void write_access_log(struct nu_hcm_stream *stream)
{
    struct nu_format_context context = {
        .request_headers =
            nu_stream_has(stream, NU_STREAM_HEADERS_SEEN) ? &stream->request_headers : NULL,
        .response_headers = stream->response_headers,
        .response_trailers = stream->response_trailers,
        .info = &stream->info,
        .log_type = NU_LOG_TYPE_DOWNSTREAM_END,
    };
    nu_access_log_write(&stream->config->access_logs, &context, stream->loop->runtime);
}

static void free_stream(void *obj)
{
    struct nu_hcm_stream *stream = obj;
    nu_arena_destroy(&stream->arena); /* which has the stream as well */
}

static void count_end(struct nu_hcm_stream *stream)
{
    struct nu_http_stats *stats = nu_stream_stats(stream);
    nu_gauge_dec(&stats->downstream_rq_active);
    nu_histogram_record(&stats->downstream_rq_time,
                        (stream->info.end_us - stream->info.start_us) / 1000);
    if (nu_unlikely(!nu_stream_has(stream, NU_STREAM_REQUEST_COMPLETE)))
        nu_counter_inc(&stats->downstream_rq_rx_reset);
    if (nu_unlikely(stream->info.tunnel != NU_TUNNEL_NONE))
        nu_hcm_end_tunnel(stream);
}

void nu_hcm_stream_settle(struct nu_hcm_stream *stream)
{
    nu_hcm_stop_timers(stream);
    stream->info.end_us = nu_loop_now_us(stream->loop);
    count_end(stream);
    if (nu_stream_has(stream, NU_STREAM_CHAIN_OPEN)) {
        nu_chain_abort(&stream->chain);
        nu_chain_log(&stream->chain);
    }
    if (stream->config->access_logs.count)
        write_access_log(stream);
    if (nu_stream_has(stream, NU_STREAM_CHAIN_OPEN))
        nu_chain_close(&stream->chain);
}

void nu_hcm_stream_end(struct nu_hcm_stream *stream)
{
    if (nu_stream_is_over(stream))
        return;
    stream->flags |= NU_STREAM_OVER;
    if (nu_unlikely(stream->restart != NULL))
        nu_hcm_drop_restart(stream);
    nu_hcm_stream_settle(stream);
    struct nu_hcm_conn *conn = stream->conn;
    conn->linger = !may_close_at_once(stream);
    if (!nu_stream_has(stream, NU_STREAM_REQUEST_COMPLETE))
        stream->encoder->ops->reset(stream->encoder, nu_hcm_reset_reason(stream));
    /* The next request on the connection must not wait for this one's upstream. */
    for (; stream->holds; stream->holds--)
        stream->encoder->ops->release_read(stream->encoder);
    stream->conn = NULL;
    nu_loop_defer_free(stream->loop, free_stream, stream);
    nu_hcm_conn_on_stream_end(conn, stream);
}

void nu_hcm_stream_reset(struct nu_hcm_stream *stream)
{
    if (nu_stream_is_over(stream))
        return;
    nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_tx_reset);
    nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_rx_reset);
    if (!stream->conn->h2)
        stream->conn->drain = NU_HCM_CLOSING;
    stream->encoder->ops->reset(stream->encoder, nu_hcm_reset_reason(stream));
    stream->flags |= NU_STREAM_REQUEST_COMPLETE;
    nu_hcm_stream_end(stream);
}
/* --- The codec's side ------------------------------------------------------------------------ */

static void on_headers(struct nu_stream_decoder *decoder, bool end)
{
    struct nu_hcm_stream *stream = stream_of(decoder);
    stream->flags |= NU_STREAM_IN_HEADERS;
    nu_hcm_look_at_request(stream, end);
    stream->flags &= (uint16_t)~NU_STREAM_IN_HEADERS;
}

static void complete_request(struct nu_hcm_stream *stream)
{
    stream->flags |= NU_STREAM_REQUEST_COMPLETE;
    stream->info.rx_end_us = stream->active_us;
    nu_stream_stop_request_timer(stream);
}

static void on_data(struct nu_stream_decoder *decoder, struct nu_buf *data, bool end)
{
    struct nu_hcm_stream *stream = stream_of(decoder);
    nu_stream_touch(stream);
    stream->info.bytes_received += data->len;
    if (end)
        complete_request(stream);
    if (nu_stream_has(stream, NU_STREAM_CHAIN_OPEN))
        nu_chain_decode_data(&stream->chain, data, end);
}

static void on_trailers(struct nu_stream_decoder *decoder, struct nu_headers *trailers)
{
    struct nu_hcm_stream *stream = stream_of(decoder);
    nu_stream_touch(stream);
    complete_request(stream);
    if (nu_stream_has(stream, NU_STREAM_CHAIN_OPEN))
        nu_chain_decode_trailers(&stream->chain, trailers);
}

static void on_metadata(struct nu_stream_decoder *decoder, struct nu_frame_metadata *metadata)
{
    struct nu_hcm_stream *stream = stream_of(decoder);
    nu_stream_touch(stream);
    if (nu_stream_has(stream, NU_STREAM_CHAIN_OPEN) && !nu_stream_is_over(stream))
        nu_chain_decode_metadata(&stream->chain, metadata);
    else
        nu_frame_metadata_destroy(&metadata);
}

/* Why the stream ended: of itself, with HTTP/2, or with its connection. */
static void note_reset(struct nu_stream_info *info, enum nu_reset_reason reason,
                       struct nu_str details)
{
    switch (reason) {
    case NU_RESET_REMOTE:
    case NU_RESET_REMOTE_REFUSED:
    case NU_RESET_CONNECT_ERROR:
        nu_stream_info_set_flag(info, NU_FLAG_DOWNSTREAM_REMOTE_RESET);
        break;
    case NU_RESET_PROTOCOL_ERROR:
        nu_stream_info_set_flag(info, NU_FLAG_DOWNSTREAM_PROTOCOL_ERROR);
        break;
    default:
        nu_stream_info_set_flag(info, NU_FLAG_DOWNSTREAM_CONNECTION_TERMINATION);
    }
    if (details.len)
        info->response_code_details = details;
    else if (reason == NU_RESET_LOCAL)
        info->response_code_details = NU_STR("downstream_local_disconnect");
    else
        info->response_code_details = NU_STR("downstream_remote_disconnect");
}

static void on_reset(struct nu_stream_decoder *decoder, enum nu_reset_reason reason,
                     struct nu_str details)
{
    struct nu_hcm_stream *stream = stream_of(decoder);
    if (nu_stream_is_over(stream))
        return;
    note_reset(&stream->info, reason, details);
    if (nu_stream_has(stream, NU_STREAM_REQUEST_COMPLETE))
        nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_rx_reset);
    nu_hcm_stream_end(stream);
}

static void on_above_high(struct nu_stream_decoder *decoder)
{
    struct nu_hcm_stream *stream = stream_of(decoder);
    if (nu_stream_has(stream, NU_STREAM_CHAIN_OPEN) && !nu_stream_is_over(stream))
        nu_chain_downstream_high(&stream->chain);
}

static void on_below_low(struct nu_stream_decoder *decoder)
{
    struct nu_hcm_stream *stream = stream_of(decoder);
    if (nu_stream_has(stream, NU_STREAM_CHAIN_OPEN) && !nu_stream_is_over(stream) &&
        stream->chain.downstream_high)
        nu_chain_downstream_low(&stream->chain);
}

static const struct nu_stream_decoder_ops decoder_ops = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_metadata = on_metadata,
    .on_reset = on_reset,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
};

void nu_hcm_stream_codec_error(struct nu_hcm_stream *stream, const struct nu_codec_error *error)
{
    nu_stream_info_set_flag(&stream->info, NU_FLAG_DOWNSTREAM_PROTOCOL_ERROR);
    if (nu_stream_has(stream, NU_STREAM_RESPONSE_STARTED)) {
        stream->info.response_code_details = error->details;
        nu_hcm_stream_reset(stream);
        return;
    }
    struct nu_str body = nu_status_reason(error->status);
    nu_hcm_reply_simple(stream, error->status, body, error->details);
}
/* --- Creation --------------------------------------------------------------------------------- */

static void learn_local(struct nu_connection_info *info)
{
    struct nu_hcm_stream *stream = nu_container_of(info, struct nu_hcm_stream, connection_info);
    if (!stream->conn)
        return;
    info->local = *nu_server_conn_local(stream->conn->base.conn);
    info->local_known = true;
}

/* What network filters and streams have left with the connection. */
static struct nu_filter_state *filter_state_of(struct nu_connection_info *info, bool make)
{
    struct nu_hcm_stream *stream = nu_container_of(info, struct nu_hcm_stream, connection_info);
    if (!stream->conn)
        return NULL;
    struct nu_server_conn *conn = stream->conn->base.conn;
    if (make)
        return nu_stream_info_filter_state(&nu_server_conn_record(conn)->info);
    return conn->extras && conn->extras->record ? conn->extras->record->info.filter_state : NULL;
}

/* What listener filters found out. */
static void take_findings(struct nu_connection_info *info, const struct nu_accepted *accepted)
{
    info->direct_remote = accepted->direct_remote;
    if (accepted->local_restored)
        info->restored_local = accepted->local;
    info->requested_server_name = accepted->server_name;
    info->proxy = accepted->proxy;
}

static void fill_connection_info(struct nu_hcm_stream *stream)
{
    const struct nu_server_conn *conn = stream->conn->base.conn;
    const struct nu_listener_config *listener = conn->wl->listener->config;
    struct nu_connection_info *info = &stream->connection_info;
    info->id = conn->id;
    info->direct_remote = conn->remote;
    info->remote = conn->remote;
    info->learn_local = learn_local;
    info->filter_state = filter_state_of;
    info->is_tls = conn->conn.transport->is_secure;
    info->ssl = nu_connection_hold_ssl_info(&conn->conn, stream->arena);
    const struct nu_accepted *accepted = nu_server_conn_accepted(conn);
    if (nu_unlikely(accepted != NULL))
        take_findings(info, accepted);
    info->filter_chain_name = conn->chain->name;
    info->listener_name = listener->name;
    info->listener_metadata = listener->metadata;
    info->direction = (uint8_t)listener->direction;
}

static void fill_info(struct nu_hcm_stream *stream)
{
    struct nu_stream_info *info = &stream->info;
    info->arena = stream->arena;
    info->connection = &stream->connection_info;
    info->protocol = NU_PROTOCOL_HTTP11;
    info->start_us = nu_loop_now_us(stream->loop);
    info->start_realtime_us = nu_loop_realtime_us(stream->loop);
    info->remote = stream->connection_info.remote;
    info->stream_id = stream->random;
    info->scheme_follows_upstream = stream->config->scheme_follows_upstream;
}

struct nu_hcm_stream *nu_hcm_stream_create(struct nu_hcm_conn *conn,
                                           struct nu_stream_encoder *encoder,
                                           struct nu_arena *arena)
{
    enum { HEADER_ROOM = 24 };
    struct nu_hcm_stream *stream = nu_arena_alloc_zeroed(
        arena, sizeof(*stream), offsetof(struct nu_hcm_stream, request_headers));
    stream->arena = arena;
    stream->conn = conn;
    stream->encoder = encoder;
    stream->config = nu_hcm_conn_config(conn);
    stream->loop = conn->base.conn->conn.loop;
    stream->random = nu_random_u64();
    stream->decoder = (struct nu_stream_decoder){
        .ops = &decoder_ops,
        .arena = arena,
        .headers = &stream->request_headers,
        .info = &stream->info,
    };
    nu_headers_init(&stream->request_headers, arena, HEADER_ROOM);
    fill_connection_info(stream);
    fill_info(stream);
    nu_stream_touch(stream);
    nu_hcm_start_timers(stream);
    struct nu_http_stats *stats = conn->worker->stats;
    nu_counter_inc(&stats->downstream_rq_total);
    nu_gauge_inc(&stats->downstream_rq_active);
    return stream;
}
