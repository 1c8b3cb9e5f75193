/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nghttp2 calls: frames and header fields as they come, frames as they go. Here things are
 * only noted in streams and counted; decoders hear of them when nghttp2 has returned.
 *
 * A callback that fails makes nghttp2 stop at once, which is what a closed session wants.
 */
#include "base/assert.h"
#include "codec/h2_internal.h"

/* What comes for one stream mostly comes together. */
static struct nu_h2_stream *find_stream(struct nu_h2_session *session, int32_t id)
{
    struct nu_h2_stream *stream = session->found;
    if (nu_likely(stream && stream->id == id))
        return stream;
    if (id == 0)
        return NULL;
    return session->found = nghttp2_session_get_stream_user_data(session->ng, id);
}

static struct nu_stream_info *info_of(const struct nu_h2_stream *stream)
{
    return stream && stream->decoder ? stream->decoder->info : NULL;
}

/* Counts what came: on the client's side it came from the upstream. */
static void count_received(const struct nu_h2_stream *stream, uint32_t bytes)
{
    struct nu_stream_info *info = info_of(stream);
    if (!info)
        return;
    if (stream->session->is_server)
        info->wire_bytes_received += bytes;
    else
        info->upstream.wire_bytes_received += bytes;
}

/* The same for a head or trailers; `fields` is what they were before they were compressed. */
static void count_section(const struct nu_h2_stream *stream, uint32_t bytes, uint32_t fields)
{
    struct nu_stream_info *info = info_of(stream);
    count_received(stream, bytes);
    if (!info)
        return;
    if (stream->session->is_server) {
        info->header_bytes_received += bytes;
        info->decompressed_header_bytes_received += fields;
    } else {
        info->upstream.header_bytes_received += bytes;
        info->upstream.decompressed_header_bytes_received += fields;
    }
}

/* --- Coming ----------------------------------------------------------------------------------- */

static bool is_header_frame(uint8_t type)
{
    return type == NGHTTP2_HEADERS || type == NGHTTP2_CONTINUATION;
}

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *user)
{
    enum { FRAME_HEAD_BYTES = 9 };
    struct nu_h2_session *session = user;
    (void)ng;
    if (nu_unlikely(session->is_closed))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    uint32_t bytes = (uint32_t)hd->length + FRAME_HEAD_BYTES;
    if (is_header_frame(hd->type)) {
        /* Its stream may begin with it. */
        session->block_bytes = hd->type == NGHTTP2_HEADERS ? bytes : session->block_bytes + bytes;
        return 0;
    }
    if (hd->type == NGHTTP2_DATA)
        count_received(find_stream(session, hd->stream_id), bytes);
    return 0;
}

static struct nu_h2_stream *begin_request(struct nu_h2_session *session, int32_t id)
{
    struct nu_h2_stream *stream = nu_h2_stream_create(session, id);
    nghttp2_session_set_stream_user_data(session->ng, id, stream);
    session->found = stream;
    stream->flags |= NU_H2_IS_OPEN;
    session->stream_count++;
    session->opened_streams++;
    stream->decoder = session->callbacks->on_new_stream(session->user, &stream->encoder);
    return stream;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct nu_h2_session *session = user;
    (void)ng;
    if (nu_unlikely(session->is_closed || session->has_failed))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (nu_unlikely(frame->hd.type != NGHTTP2_HEADERS))
        return 0;
    struct nu_h2_stream *stream = frame->headers.cat == NGHTTP2_HCAT_REQUEST
                                      ? begin_request(session, frame->hd.stream_id)
                                      : find_stream(session, frame->hd.stream_id);
    if (nu_likely(stream != NULL))
        nu_h2_headers_begin(stream);
    else
        nu_counter_inc(&session->stats->headers_cb_no_stream);
    return session->is_closed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static struct nu_str text_of(nghttp2_rcbuf *rcbuf)
{
    nghttp2_vec vec = nghttp2_rcbuf_get_buf(rcbuf);
    return nu_str_make((const char *)vec.base, vec.len);
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *user)
{
    struct nu_h2_session *session = user;
    (void)ng;
    (void)flags;
    struct nu_h2_stream *stream = find_stream(session, frame->hd.stream_id);
    if (nu_unlikely(!stream || !stream->decoder))
        return 0;
    if (nu_likely(nu_h2_headers_add(stream, text_of(name), text_of(value))))
        return 0;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* nghttp2 resets the stream */
}

/* What nghttp2 would leave out makes the message a bad one. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                             nghttp2_rcbuf *value, uint8_t flags, void *user)
{
    struct nu_h2_session *session = user;
    (void)ng;
    (void)name;
    (void)value;
    (void)flags;
    struct nu_h2_stream *stream = find_stream(session, frame->hd.stream_id);
    if (stream)
        nu_h2_stream_message_error(stream, NU_STR("http2.invalid.header.field"));
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *user)
{
    struct nu_h2_session *session = user;
    (void)ng;
    (void)flags;
    struct nu_h2_stream *stream = find_stream(session, id);
    if (nu_likely(stream && stream->decoder)) {
        nu_h2_stream_take_data(stream, nu_str_make((const char *)data, len));
        return session->is_closed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
    }
    nghttp2_session_consume(session->ng, id, len); /* nobody reads it */
    return 0;
}

static int on_metadata_chunk(nghttp2_session *ng, const nghttp2_frame_hd *hd, const uint8_t *data,
                             size_t len, void *user)
{
    struct nu_h2_session *session = user;
    (void)ng;
    struct nu_h2_stream *stream = find_stream(session, hd->stream_id);
    bool is_fine = nu_h2_metadata_take(stream, nu_str_make((const char *)data, len));
    return is_fine ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* What the frame holds was taken as it came. */
static int unpack_metadata(nghttp2_session *ng, void **payload, const nghttp2_frame_hd *hd,
                           void *user)
{
    (void)ng;
    (void)hd;
    (void)user;
    *payload = NULL;
    return 0;
}

static void on_headers_frame(struct nu_h2_session *session, struct nu_h2_stream *stream, bool end)
{
    count_section(stream, session->block_bytes, stream->header_bytes);
    if (!nu_h2_headers_end(stream, end))
        nu_h2_stream_message_error(stream, stream->details);
}

static void on_stream_frame(struct nu_h2_session *session, const nghttp2_frame *frame)
{
    struct nu_h2_stream *stream = find_stream(session, frame->hd.stream_id);
    if (!stream || !stream->decoder)
        return;
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (end)
        stream->flags |= NU_H2_END_IN;
    if (frame->hd.type == NGHTTP2_HEADERS)
        on_headers_frame(session, stream, end);
    else if (end)
        nu_h2_stream_make_due(stream);
}

/* RFC 9113 (5.3) has withdrawn the priorities of RFC 7540: all streams are alike, whatever the peer
 * says. */
static void forget_priority(struct nu_h2_session *session, const nghttp2_frame *frame)
{
    nghttp2_priority_spec alike;
    if (frame->hd.type == NGHTTP2_HEADERS && !(frame->hd.flags & NGHTTP2_FLAG_PRIORITY))
        return;
    nghttp2_priority_spec_default_init(&alike);
    nghttp2_session_change_stream_priority(session->ng, frame->hd.stream_id, &alike);
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct nu_h2_session *session = user;
    (void)ng;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        forget_priority(session, frame);
        on_stream_frame(session, frame);
        break;
    case NGHTTP2_DATA:
        on_stream_frame(session, frame);
        break;
    case NGHTTP2_PRIORITY:
        forget_priority(session, frame);
        break;
    case NGHTTP2_RST_STREAM:
        nu_counter_inc(&session->stats->rx_reset);
        break;
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
            session->news |= NU_H2_NEWS_SETTINGS;
        break;
    case NGHTTP2_GOAWAY:
        session->goaway_received = true;
        session->goaway_code = frame->goaway.error_code;
        session->news |= NU_H2_NEWS_GOAWAY;
        break;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK)
            nu_h2_ping_on_ack(session);
        break;
    case NU_H2_METADATA:
        if (!nu_h2_metadata_end(find_stream(session, frame->hd.stream_id), frame->hd.flags))
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        break;
    default:
        break;
    }
    return session->is_closed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* A length that is not the length of what there is breaks one stream alone, and the head stands. */
static bool is_wrong_length(const struct nu_h2_stream *stream, const nghttp2_frame *frame)
{
    return frame->hd.type == NGHTTP2_HEADERS && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
           !(stream->flags & NU_H2_HEAD_IN) && stream->decoder &&
           nu_headers_has_id(stream->decoder->headers, NU_HEADER_CONTENT_LENGTH) &&
           !nu_str_eq(nu_headers_get_id(stream->decoder->headers, NU_HEADER_CONTENT_LENGTH),
                      NU_STR("0"));
}

static void on_wrong_length(struct nu_h2_session *session, struct nu_h2_stream *stream)
{
    nu_counter_inc(&session->stats->rx_messaging_error);
    if (!nu_h2_headers_end(stream, false)) {
        nu_h2_stream_message_error(stream, stream->details);
        return;
    }
    nu_h2_stream_note_reset(stream, NU_RESET_REMOTE, NU_STR("http2.violation.of.messaging.rule"));
}

/* nghttp2 names a field that it refuses in a text alone: "... name: [x], value: [y]". */
static int on_error_text(nghttp2_session *ng, int code, const char *text, size_t len, void *user)
{
    static const struct nu_str mark = NU_STR_INIT("name: [");
    struct nu_h2_session *session = user;
    (void)ng;
    session->bad_name[0] = '\0';
    struct nu_str rest = nu_str_make(text, len);
    size_t at = nu_str_find(rest, mark);
    if (code != NGHTTP2_ERR_HTTP_HEADER || at == NU_NPOS)
        return 0;
    rest = nu_str_skip(rest, at + mark.len);
    struct nu_str name = nu_str_first(rest, nu_str_find_char(rest, ']'));
    name = nu_str_first(name, sizeof(session->bad_name) - 1);
    memcpy(session->bad_name, name.ptr, name.len);
    session->bad_name[name.len] = '\0';
    return 0;
}

/* A pseudo header that is unknown, or stands where it may not: that is no fault of its value. */
static bool is_misplaced_pseudo(const struct nu_h2_stream *stream, const char *name)
{
    if (name[0] != ':' || !stream->decoder)
        return false;
    const struct nu_headers *headers = stream->decoder->headers;
    enum nu_header_id id = nu_header_id_of(nu_str_from(name));
    bool is_known = id == NU_HEADER_METHOD || id == NU_HEADER_PATH || id == NU_HEADER_SCHEME ||
                    id == NU_HEADER_AUTHORITY || id == NU_HEADER_STATUS;
    return !is_known || nu_headers_has_id(headers, id) || stream->trailers_in;
}

static void on_bad_message(struct nu_h2_session *session, struct nu_h2_stream *stream,
                           const nghttp2_frame *frame, int code)
{
    bool is_field =
        code == NGHTTP2_ERR_HTTP_HEADER && !is_misplaced_pseudo(stream, session->bad_name);
    if (is_wrong_length(stream, frame))
        on_wrong_length(session, stream);
    else
        nu_h2_stream_message_error(stream, is_field ? NU_STR("http2.invalid.header.field")
                                                    : NU_STR("http2.violation.of.messaging.rule"));
}

/* nghttp2 has submitted the reset of the stream, or is about to say GOAWAY (on_goaway_sent). */
static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int code, void *user)
{
    struct nu_h2_session *session = user;
    struct nu_h2_stream *stream = find_stream(session, frame->hd.stream_id);
    (void)ng;
    if (code == NGHTTP2_ERR_REFUSED_STREAM)
        nu_counter_inc(&session->stats->stream_refused_errors);
    else if (stream && (code == NGHTTP2_ERR_HTTP_HEADER || code == NGHTTP2_ERR_HTTP_MESSAGING))
        on_bad_message(session, stream, frame, code);
    return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t error_code, void *user)
{
    struct nu_h2_session *session = user;
    struct nu_h2_stream *stream = find_stream(session, id);
    if (stream) {
        nghttp2_session_set_stream_user_data(ng, id, NULL);
        session->found = NULL;
        nu_h2_stream_on_close(stream, error_code);
    }
    return 0;
}

/* --- Going ------------------------------------------------------------------------------------ */

static int before_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    (void)ng;
    nu_h2_flood_count_out(user, frame);
    return 0;
}

static void count_sent(struct nu_h2_stream *stream, const nghttp2_frame *frame)
{
    enum { FRAME_HEAD_BYTES = 9 };
    struct nu_stream_info *info = info_of(stream);
    if (!info)
        return;
    size_t bytes = frame->hd.length + FRAME_HEAD_BYTES;
    size_t header_bytes = frame->hd.type == NGHTTP2_HEADERS ? bytes : 0;
    if (stream->session->is_server) {
        info->wire_bytes_sent += bytes;
        info->header_bytes_sent += header_bytes;
    } else {
        info->upstream.wire_bytes_sent += bytes;
        info->upstream.header_bytes_sent += header_bytes;
    }
}

static void on_goaway_sent(struct nu_h2_session *session, uint32_t error_code)
{
    if (error_code != NGHTTP2_NO_ERROR && !session->has_failed)
        nu_h2_session_fail(session, NU_H2_PROTOCOL_ERROR, NU_H2_NO_GOAWAY,
                           NU_H2_CODEC_ERROR_DETAILS);
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct nu_h2_session *session = user;
    (void)ng;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA: {
        struct nu_h2_stream *stream = find_stream(session, frame->hd.stream_id);
        count_sent(stream, frame);
        if (stream && nu_unlikely(stream->metadata != NULL))
            nu_h2_metadata_submit(stream);
        if (stream && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
            nu_h2_stream_on_end_sent(stream);
        break;
    }
    case NGHTTP2_RST_STREAM:
        nu_counter_inc(&session->stats->tx_reset);
        nu_h2_scan_note_reset(session, frame->hd.stream_id);
        break;
    case NGHTTP2_GOAWAY:
        on_goaway_sent(session, frame->goaway.error_code);
        break;
    case NU_H2_METADATA:
        nu_h2_metadata_sent(session, frame->ext.payload);
        break;
    default:
        break;
    }
    return 0;
}

/* A request that nghttp2 never opened, which it knows by number only. */
static struct nu_h2_stream *find_unopened(struct nu_h2_session *session, int32_t id)
{
    struct nu_h2_stream *stream;
    nu_list_for_each(stream, &session->streams, struct nu_h2_stream, link)
    {
        if (stream->id == id && (stream->flags & NU_H2_IS_OPEN))
            return stream;
    }
    return NULL;
}

/* A head that cannot be sent leaves its stream without one. */
static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int code, void *user)
{
    struct nu_h2_session *session = user;
    int32_t id = frame->hd.stream_id;
    (void)ng;
    if (frame->hd.type == NU_H2_METADATA)
        nu_h2_metadata_sent(session, frame->ext.payload);
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    struct nu_h2_stream *stream = find_stream(session, id);
    if (stream && code != NGHTTP2_ERR_STREAM_CLOSED && code != NGHTTP2_ERR_STREAM_CLOSING)
        nu_h2_stream_send_reset(stream, NGHTTP2_INTERNAL_ERROR);
    else if (!stream && (stream = find_unopened(session, id)))
        nu_h2_stream_on_close(stream, NGHTTP2_REFUSED_STREAM);
    return 0;
}

/* Of a stream that has ended meanwhile nobody reads any. */
static ssize_t pack_metadata(nghttp2_session *ng, uint8_t *buf, size_t len,
                             const nghttp2_frame *frame, void *user)
{
    (void)ng;
    if (!find_stream(user, frame->hd.stream_id))
        return NGHTTP2_ERR_CANCEL;
    return nu_h2_metadata_pack(frame->ext.payload, buf, len);
}

static int send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *frame_head,
                     size_t length, nghttp2_data_source *source, void *user)
{
    struct nu_h2_session *session = user;
    (void)ng;
    (void)frame;
    if (nu_unlikely(nu_connection_is_out_full(session->conn)))
        return NGHTTP2_ERR_WOULDBLOCK;
    nu_h2_stream_write_data(source->ptr, frame_head, length);
    return 0;
}

nghttp2_session_callbacks *nu_h2_callbacks_create(void)
{
    nghttp2_session_callbacks *callbacks;
    int code = nghttp2_session_callbacks_new(&callbacks);
    nu_assert(code == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_error_callback2(callbacks, on_error_text);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, before_frame_send);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_on_extension_chunk_recv_callback(callbacks, on_metadata_chunk);
    nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, unpack_metadata);
    nghttp2_session_callbacks_set_pack_extension_callback(callbacks, pack_metadata);
    return callbacks;
}
