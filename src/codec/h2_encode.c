/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stream sends. Heads are copied by nghttp2 when they are submitted; body slices wait in the
 * stream until nghttp2 asks for them, and are moved into the connection's output behind a frame
 * head. What ends a message goes to the connection at once, so that its bytes are counted before its
 * user goes.
 */
#include "base/assert.h"
#include "codec/h2_internal.h"
#include "http/status.h"

static struct nu_h2_stream *stream_of(struct nu_stream_encoder *encoder)
{
    return nu_container_of(encoder, struct nu_h2_stream, encoder);
}

static bool has(const struct nu_h2_stream *stream, uint32_t flags)
{
    return stream->flags & flags;
}

static void count_pending(struct nu_h2_stream *stream, size_t added, size_t removed)
{
    stream->session->pending_bytes += added;
    stream->session->pending_bytes -= removed;
}

void nu_h2_stream_drop_output(struct nu_h2_stream *stream)
{
    count_pending(stream, 0, stream->out.len);
    nu_buf_clear(&stream->out);
}

/* Our half ended. On the server side the request's may have ended before. */
static void end_message(struct nu_h2_stream *stream)
{
    stream->flags |= NU_H2_END_OUT;
    nu_h2_session_flush(stream->session);
    if (stream->session->is_server && has(stream, NU_H2_END_TOLD))
        nu_h2_stream_release(stream);
}

/* --- nghttp2 asks for a body ------------------------------------------------------------------ */

/* Counts what a section's fields are before they are compressed. */
static void count_fields(const struct nu_h2_stream *stream, const struct nu_h2_fields *fields)
{
    struct nu_stream_info *info = stream->decoder ? stream->decoder->info : NULL;
    uint64_t bytes = 0;
    if (!info)
        return;
    for (size_t i = 0; i < fields->count; i++)
        bytes += fields->fields[i].namelen + fields->fields[i].valuelen;
    if (stream->session->is_server)
        info->decompressed_header_bytes_sent += bytes;
    else
        info->upstream.decompressed_header_bytes_sent += bytes;
}

static void submit_trailers(struct nu_h2_stream *stream, const struct nu_h2_fields *fields)
{
    count_fields(stream, fields);
    nghttp2_submit_trailer(stream->session->ng, stream->id, fields->fields, fields->count);
}

static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct nu_h2_stream *stream = source->ptr;
    (void)ng;
    (void)id;
    (void)buf;
    (void)user;
    size_t n = nu_min_size(stream->out.len, length);
    if (n == 0 && !has(stream, NU_H2_END_OUT)) {
        stream->flags |= NU_H2_DEFERRED;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (n == stream->out.len && has(stream, NU_H2_END_OUT)) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (stream->trailers_out) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            submit_trailers(stream, stream->trailers_out);
        }
    }
    return (ssize_t)n;
}

/* A frame's head goes behind what was written before it, or those without room there stand one behind
 * the other in a block of the session's, so that none costs a block of its own. */
static void write_frame_head(struct nu_h2_session *session, const uint8_t *frame_head)
{
    enum { FRAME_HEAD_BYTES = 9 };
    if (nu_buf_append_if_room(&session->conn->out,
                              nu_str_make((const char *)frame_head, FRAME_HEAD_BYTES)))
        return;
    if (!session->head_block || nu_block_room(session->head_block) < FRAME_HEAD_BYTES) {
        nu_block_unref(session->head_block);
        session->head_block = nu_block_get(NU_BLOCK_SMALL);
    }
    struct nu_block *block = session->head_block;
    char *p = block->data + block->fill;
    memcpy(p, frame_head, FRAME_HEAD_BYTES);
    block->fill += FRAME_HEAD_BYTES;
    nu_buf_add_block(&session->conn->out, block, nu_str_make(p, FRAME_HEAD_BYTES));
}

void nu_h2_stream_write_data(struct nu_h2_stream *stream, const uint8_t *frame_head, size_t length)
{
    struct nu_h2_session *session = stream->session;
    write_frame_head(session, frame_head);
    if (length == stream->out.len) /* small ones become one piece with what is around them */
        nu_buf_gather(&session->conn->out, &stream->out);
    else
        nu_buf_move(&session->conn->out, &stream->out, length);
    count_pending(stream, 0, length);
    session->data_frames_sent++;
    if (nu_unlikely(has(stream, NU_H2_RESET_LATER)) && stream->out.len == 0 &&
        !has(stream, NU_H2_END_OUT))
        nu_h2_stream_send_reset(stream, stream->reset_code);
    nu_h2_stream_check_pressure(stream);
}

void nu_h2_stream_on_end_sent(struct nu_h2_stream *stream)
{
    stream->flags |= NU_H2_END_SENT;
    nu_timer_cancel(&stream->flush_timer);
    if (has(stream, NU_H2_RESET_LATER))
        nu_h2_stream_send_reset(stream, stream->reset_code);
}

/* --- The encoder ------------------------------------------------------------------------------ */

static void encode_1xx(struct nu_stream_encoder *encoder, const struct nu_headers *headers)
{
    struct nu_h2_stream *stream = stream_of(encoder);
    if (!has(stream, NU_H2_IS_OPEN))
        return;
    struct nu_h2_fields fields = nu_h2_fields_of(headers, NU_H2_RESPONSE_HEAD);
    nghttp2_submit_headers(stream->session->ng, NGHTTP2_FLAG_NONE, stream->id, NULL, fields.fields,
                           fields.count, NULL);
    nu_h2_fields_finish(&fields);
    nu_h2_session_wake(stream->session);
}

static bool submit_request(struct nu_h2_stream *stream, const struct nu_h2_fields *fields,
                           const nghttp2_data_provider *provider)
{
    struct nu_h2_session *session = stream->session;
    int32_t id =
        nghttp2_submit_request(session->ng, NULL, fields->fields, fields->count, provider, stream);
    if (id < 0)
        return false;
    stream->id = id;
    return true;
}

static void fail_output(struct nu_h2_stream *stream)
{
    if (stream->id == 0)
        nu_h2_stream_on_close(stream, NGHTTP2_REFUSED_STREAM);
    else
        nu_h2_stream_send_reset(stream, NGHTTP2_INTERNAL_ERROR);
}

static bool asks_for_tunnel(const struct nu_h2_stream *stream, const struct nu_headers *headers)
{
    return !stream->session->is_server &&
           (nu_headers_has_id(headers, NU_HEADER_UPGRADE) ||
            nu_str_eq(nu_headers_get_id(headers, NU_HEADER_METHOD), NU_STR("CONNECT")));
}

/* A head that cannot be submitted (the identifiers have run out) ends the stream. */
static void submit_head(struct nu_h2_stream *stream, const struct nu_headers *headers, bool end)
{
    struct nu_h2_session *session = stream->session;
    nghttp2_data_provider provider = {.source = {.ptr = stream}, .read_callback = read_body};
    const nghttp2_data_provider *body = end ? NULL : &provider;
    struct nu_h2_fields fields =
        nu_h2_fields_of(headers, session->is_server ? NU_H2_RESPONSE_HEAD : NU_H2_REQUEST_HEAD);
    if (nu_unlikely(asks_for_tunnel(stream, headers)))
        nu_h2_tunnel_fix_request(stream, headers, &fields);
    else if (nu_unlikely(session->is_server && has(stream, NU_H2_IS_UPGRADE)))
        nu_h2_tunnel_fix_response(&fields);
    bool is_submitted = session->is_server
                            ? nghttp2_submit_response(session->ng, stream->id, fields.fields,
                                                      fields.count, body) == 0
                            : submit_request(stream, &fields, body);
    count_fields(stream, &fields);
    nu_h2_fields_finish(&fields);
    if (!is_submitted)
        fail_output(stream);
    nu_h2_session_wake(session);
}

/* Cookies of several HTTP/1 lines are one, where the first of them stood. */
static void join_cookies(struct nu_headers *headers)
{
    struct nu_str cookie = nu_headers_join_id(headers, NU_HEADER_COOKIE, NU_STR("; "));
    nu_headers_set_id(headers, NU_HEADER_COOKIE, cookie);
}

static void encode_headers(struct nu_stream_encoder *encoder, struct nu_headers *headers, bool end)
{
    struct nu_h2_stream *stream = stream_of(encoder);
    if (!stream->session->is_server && nu_headers_has_id(headers, NU_HEADER_COOKIE))
        join_cookies(headers);
    stream->flags |= NU_H2_HEAD_OUT;
    if (end)
        stream->flags |= NU_H2_END_OUT;
    if (has(stream, NU_H2_IS_OPEN))
        submit_head(stream, headers, end);
    if (end)
        end_message(stream);
}

/* There is something to say for nghttp2, which asked before. */
static void resume(struct nu_h2_stream *stream)
{
    struct nu_h2_session *session = stream->session;
    if (has(stream, NU_H2_DEFERRED)) {
        stream->flags &= ~(uint32_t)NU_H2_DEFERRED;
        nghttp2_session_resume_data(session->ng, stream->id);
    }
    nu_h2_session_wake(session);
}

static void encode_data(struct nu_stream_encoder *encoder, struct nu_buf *data, bool end)
{
    struct nu_h2_stream *stream = stream_of(encoder);
    if (end)
        stream->flags |= NU_H2_END_OUT;
    if (has(stream, NU_H2_IS_OPEN)) {
        count_pending(stream, data->len, 0);
        nu_buf_collect(&stream->out, data);
        resume(stream);
        nu_h2_stream_check_pressure(stream);
    } else {
        nu_buf_clear(data);
    }
    if (end)
        end_message(stream);
}

/* Trailers go behind the body: at once where all of that was sent, else when nghttp2 has asked for
 * the rest of it. */
static void queue_trailers(struct nu_h2_stream *stream, const struct nu_headers *trailers)
{
    if (stream->out.len)
        nu_h2_session_flush(stream->session);
    if (!has(stream, NU_H2_IS_OPEN))
        return;
    if (stream->out.len || !has(stream, NU_H2_DEFERRED)) {
        stream->trailers_out = nu_h2_fields_copy(trailers);
        stream->flags |= NU_H2_END_OUT;
        resume(stream);
        return;
    }
    struct nu_h2_fields fields = nu_h2_fields_of(trailers, NU_H2_TRAILERS);
    submit_trailers(stream, &fields);
    nu_h2_fields_finish(&fields);
}

static void encode_trailers(struct nu_stream_encoder *encoder, struct nu_headers *trailers)
{
    struct nu_h2_stream *stream = stream_of(encoder);
    struct nu_h2_fields fields = nu_h2_fields_of(trailers, NU_H2_TRAILERS);
    size_t count = fields.count;
    nu_h2_fields_finish(&fields);
    if (count == 0) {
        struct nu_buf none = {0};
        encode_data(encoder, &none, true);
        return;
    }
    if (has(stream, NU_H2_IS_OPEN))
        queue_trailers(stream, trailers);
    end_message(stream);
}

static void encode_metadata(struct nu_stream_encoder *encoder, struct nu_frame_metadata *metadata)
{
    nu_h2_metadata_send(stream_of(encoder), metadata);
}

static uint32_t code_of(enum nu_reset_reason reason)
{
    switch (reason) {
    case NU_RESET_LOCAL_REFUSED:
        return NGHTTP2_REFUSED_STREAM;
    case NU_RESET_CONNECT_ERROR:
        return NGHTTP2_CONNECT_ERROR;
    case NU_RESET_PROTOCOL_ERROR:
        return NGHTTP2_PROTOCOL_ERROR;
    default:
        return NGHTTP2_NO_ERROR;
    }
}

/* A response that was encoded to its end is sent to its end, and so is what a tunnel had to say before
 * its other side ended; a request is given up at once. */
static bool may_reset_now(const struct nu_h2_stream *stream, enum nu_reset_reason reason)
{
    if (!stream->session->is_server)
        return true;
    if (has(stream, NU_H2_END_OUT))
        return has(stream, NU_H2_END_SENT);
    return reason != NU_RESET_CONNECT_ERROR || stream->out.len == 0;
}

static void reset(struct nu_stream_encoder *encoder, enum nu_reset_reason reason)
{
    struct nu_h2_stream *stream = stream_of(encoder);
    if (!may_reset_now(stream, reason)) {
        stream->flags |= NU_H2_RESET_LATER;
        stream->reset_code = code_of(reason);
    } else {
        if (stream->session->is_server) /* a reset would overtake what the client is to see */
            nu_h2_session_flush(stream->session);
        nu_h2_stream_send_reset(stream, code_of(reason));
    }
    nu_h2_stream_release(stream);
}

static void hold_read(struct nu_stream_encoder *encoder)
{
    stream_of(encoder)->holds++;
}

static void release_read(struct nu_stream_encoder *encoder)
{
    struct nu_h2_stream *stream = stream_of(encoder);
    nu_debug_assert(stream->holds > 0);
    if (--stream->holds == 0)
        nu_h2_stream_make_due(stream);
}

static void limit_flush(struct nu_stream_encoder *encoder, uint64_t limit_ms)
{
    stream_of(encoder)->flush_timeout_ms = limit_ms;
}

const struct nu_stream_encoder_ops nu_h2_encoder_ops = {
    .limit_flush = limit_flush,
    .encode_1xx = encode_1xx,
    .encode_headers = encode_headers,
    .encode_data = encode_data,
    .encode_trailers = encode_trailers,
    .encode_metadata = encode_metadata,
    .reset = reset,
    .hold_read = hold_read,
    .release_read = release_read,
};

struct nu_stream_encoder *nu_h2_session_open_stream(struct nu_h2_session *session,
                                                    struct nu_stream_decoder *decoder)
{
    struct nu_h2_stream *stream = nu_h2_stream_create(session, 0);
    stream->decoder = decoder;
    stream->flags |= NU_H2_IS_OPEN;
    session->stream_count++;
    session->opened_streams++;
    nu_h2_ping_before_stream(session);
    return &stream->encoder;
}
