/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Behind the last encode filter: the response goes to the codec, is counted, and decides what
 * becomes of the connection.
 */
#include "http/frame_metadata.h"
#include "http/status.h"
#include "stream/stream_internal.h"

struct nu_hcm_stream *nu_hcm_stream_of_chain(struct nu_filter_chain *chain)
{
    return nu_container_of(chain, struct nu_hcm_stream, chain);
}

/* Health checks are no traffic. */
static void count_class(struct nu_hcm_stream *stream, uint32_t status)
{
    struct nu_http_stats *stats = nu_stream_stats(stream);
    struct nu_listener_http_stats *listener = stream->conn->worker->listener_stats;
    if (nu_unlikely(stream->info.is_health_check))
        return;
    nu_counter_inc(&stats->downstream_rq_completed);
    nu_counter_inc(&listener->downstream_rq_completed);
    switch (nu_status_class(status)) {
#define CLASS(n) \
    case n: \
        nu_counter_inc(&stats->downstream_rq_##n##xx); \
        nu_counter_inc(&listener->downstream_rq_##n##xx); \
        break;
        CLASS(1)
        CLASS(2)
        CLASS(3)
        CLASS(4)
        CLASS(5)
#undef CLASS
    default:
        break;
    }
}

/* A connection that begins to drain says so. */
static void note_drain(struct nu_hcm_stream *stream)
{
    struct nu_hcm_conn *conn = stream->conn;
    if (conn->drain == NU_HCM_NOT_DRAINING &&
        nu_unlikely(nu_server_conn_is_draining(conn->base.conn))) {
        nu_hcm_conn_start_drain(conn);
        nu_counter_inc(&nu_stream_stats(stream)->downstream_cx_drain_close);
    }
}

/* A stream of HTTP/2 ends alone. */
static void decide_h2(struct nu_hcm_stream *stream)
{
    note_drain(stream);
    if (nu_stream_has(stream, NU_STREAM_REQUEST_COMPLETE))
        return;
    nu_stream_stop_request_timer(stream);
    nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_response_before_rq_complete);
}

/* An HTTP/1.0 client reads to the connection's end when no length tells it where the response ends;
 * even an empty response closes then. */
static void decide_http10(struct nu_hcm_stream *stream, const struct nu_headers *headers, bool end)
{
    if (nu_headers_has_id(headers, NU_HEADER_CONTENT_LENGTH))
        return;
    stream->flags |= NU_STREAM_SAW_CLOSE;
    if (!end)
        stream->flags |= NU_STREAM_FRAMED_BY_CLOSE;
}

/* A connection that becomes a tunnel has no HTTP any more in which it could be used again. */
static void say_close(struct nu_hcm_stream *stream, struct nu_headers *headers)
{
    uint32_t status = nu_status_parse(nu_headers_get_id(headers, NU_HEADER_STATUS));
    if (nu_likely(!nu_hcm_is_switch(stream, status)))
        nu_headers_set_id(headers, NU_HEADER_CONNECTION, NU_STR("close"));
}

/* Decides whether the connection ends with this response, and says so in it. */
static void decide_connection(struct nu_hcm_stream *stream, struct nu_headers *headers, bool end)
{
    struct nu_hcm_conn *conn = stream->conn;
    note_drain(stream);
    if (nu_unlikely(stream->info.protocol == NU_PROTOCOL_HTTP10))
        decide_http10(stream, headers, end);
    if (nu_stream_has(stream, NU_STREAM_SAW_CLOSE))
        conn->drain = NU_HCM_CLOSING;
    if (nu_unlikely(!nu_stream_has(stream, NU_STREAM_REQUEST_COMPLETE))) {
        /* An answer before the end of the question: nobody waits for the rest of it. */
        conn->drain = NU_HCM_CLOSING;
        nu_stream_stop_request_timer(stream);
        nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_response_before_rq_complete);
    }
    if (nu_unlikely(conn->drain != NU_HCM_NOT_DRAINING))
        say_close(stream, headers);
    else if (nu_unlikely(stream->info.protocol == NU_PROTOCOL_HTTP10))
        nu_headers_set_id(headers, NU_HEADER_CONNECTION, NU_STR("keep-alive"));
}

static void end_response(struct nu_hcm_stream *stream)
{
    stream->flags |= NU_STREAM_RESPONSE_ENDED;
    stream->info.tx_last_us = stream->active_us;
}

void nu_hcm_send_1xx(struct nu_hcm_stream *stream, const struct nu_headers *headers)
{
    count_class(stream, nu_status_parse(nu_headers_get_id(headers, NU_HEADER_STATUS)));
    stream->encoder->ops->encode_1xx(stream->encoder, headers);
}

void nu_hcm_encode_1xx(struct nu_filter_chain *chain, struct nu_headers *headers)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    /* The upstream's interim responses go on only where that is asked for. */
    if (!stream->conn || !stream->config->proxy_100_continue)
        return;
    nu_hcm_mutate_interim(stream, headers);
    nu_hcm_send_1xx(stream, headers);
}

/* Whether a response can end with this: filters may write what they like. */
static bool is_final(const struct nu_hcm_stream *stream, uint32_t status)
{
    return status >= 200 || nu_hcm_is_switch(stream, status);
}

/* In Envoy's words. An interim status would leave the client waiting for another. */
static void answer_without_status(struct nu_hcm_stream *stream)
{
    nu_hcm_reply_simple(
        stream, 502, NU_STR("missing required header: :status"),
        NU_STR("filter_removed_required_response_headers{missing_required_header:_:status}"));
}

void nu_hcm_encode_headers(struct nu_filter_chain *chain, struct nu_headers *headers, bool end)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    if (nu_unlikely(!stream->conn))
        return;
    uint32_t status = nu_headers_status(headers);
    if (nu_unlikely(!is_final(stream, status))) {
        answer_without_status(stream);
        return;
    }
    nu_stream_touch(stream);
    nu_hcm_mutate_response(stream, headers);
    if (nu_unlikely(stream->conn->h2 != NULL))
        decide_h2(stream);
    else
        decide_connection(stream, headers, end);
    stream->info.response_code = status;
    stream->info.tx_first_us = stream->active_us;
    stream->response_headers = headers;
    stream->flags |= NU_STREAM_RESPONSE_STARTED;
    count_class(stream, status);
    if (end)
        end_response(stream);
    stream->encoder->ops->encode_headers(stream->encoder, headers, end);
    if (end)
        nu_hcm_stream_end(stream);
}

void nu_hcm_encode_data(struct nu_filter_chain *chain, struct nu_buf *data, bool end)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    if (nu_unlikely(!stream->conn)) {
        nu_buf_clear(data);
        return;
    }
    nu_stream_touch(stream);
    stream->info.bytes_sent += data->len;
    if (end)
        end_response(stream);
    stream->encoder->ops->encode_data(stream->encoder, data, end);
    if (end)
        nu_hcm_stream_end(stream);
}

void nu_hcm_encode_trailers(struct nu_filter_chain *chain, struct nu_headers *trailers)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    if (nu_unlikely(!stream->conn))
        return;
    nu_stream_touch(stream);
    stream->response_trailers = trailers;
    end_response(stream);
    stream->encoder->ops->encode_trailers(stream->encoder, trailers);
    nu_hcm_stream_end(stream);
}

/* HTTP/1 has no place for it. */
void nu_hcm_encode_metadata(struct nu_filter_chain *chain, struct nu_frame_metadata *metadata)
{
    struct nu_hcm_stream *stream = nu_hcm_stream_of_chain(chain);
    if (nu_unlikely(!stream->conn)) {
        nu_frame_metadata_destroy(&metadata);
        return;
    }
    nu_stream_touch(stream);
    if (!nu_encode_metadata(stream->encoder, metadata))
        nu_counter_inc(&stream->conn->worker->http1_stats->metadata_not_supported_error);
}
