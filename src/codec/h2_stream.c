/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream: what came for its decoder, and how it ends. It is freed when its user has forgotten it
 * and nghttp2 has closed it, whichever comes last.
 */
#include "base/assert.h"
#include "base/small.h"
#include "codec/h2_internal.h"

static bool has(const struct nu_h2_stream *stream, uint32_t flags)
{
    return stream->flags & flags;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void on_flush_timer(struct nu_timer *timer)
{
    struct nu_h2_stream *stream = nu_container_of(timer, struct nu_h2_stream, flush_timer);
    nu_counter_inc(&stream->session->stats->tx_flush_timeout);
    nu_h2_stream_send_reset(stream, NGHTTP2_NO_ERROR);
}

struct nu_h2_stream *nu_h2_stream_create(struct nu_h2_session *session, int32_t id)
{
    struct nu_h2_stream *stream = nu_small_calloc(1, sizeof(*stream));
    stream->encoder.ops = &nu_h2_encoder_ops;
    stream->session = session;
    stream->id = id;
    nu_list_init(&stream->due_link);
    nu_list_add_last(&session->streams, &stream->link);
    nu_timer_init(&stream->flush_timer, on_flush_timer);
    stream->flush_timeout_ms = session->options->flush_timeout_ms;
    return stream;
}

static void free_stream(void *obj)
{
    struct nu_h2_stream *stream = obj;
    nu_buf_clear(&stream->in);
    nu_buf_clear(&stream->out);
    nu_h2_fields_destroy(stream->trailers_out);
    nu_h2_metadata_finish(stream);
    nu_small_free(stream);
}

void nu_h2_stream_destroy(struct nu_h2_stream *stream)
{
    nu_list_remove(&stream->link);
    nu_list_remove(&stream->due_link);
    nu_timer_cancel(&stream->flush_timer);
    free_stream(stream);
}

/* At the end of the turn, since a caller may still look at it. */
static void free_if_unknown(struct nu_h2_stream *stream)
{
    if (stream->decoder || has(stream, NU_H2_IS_OPEN | NU_H2_IS_GONE) || stream->session->is_closed)
        return;
    stream->flags |= NU_H2_IS_GONE;
    nu_list_remove(&stream->link);
    nu_list_remove(&stream->due_link);
    nu_timer_cancel(&stream->flush_timer);
    nu_loop_defer_free(stream->session->loop, free_stream, stream);
}

/* Gives the peer back the window that the bytes took. */
static void consume(struct nu_h2_stream *stream)
{
    uint32_t n = stream->unconsumed;
    if (n == 0 || stream->session->is_closed)
        return;
    stream->unconsumed = 0;
    if (has(stream, NU_H2_IS_OPEN))
        nghttp2_session_consume(stream->session->ng, stream->id, n);
    else
        nghttp2_session_consume_connection(stream->session->ng, n);
    nu_h2_session_wake(stream->session);
}

static void await_flush(struct nu_h2_stream *stream)
{
    uint64_t limit_ms = stream->flush_timeout_ms;
    bool waits = has(stream, NU_H2_END_OUT | NU_H2_RESET_LATER) && !has(stream, NU_H2_END_SENT);
    if (waits && has(stream, NU_H2_IS_OPEN) && limit_ms)
        nu_timer_arm(stream->session->loop, &stream->flush_timer, limit_ms);
}

void nu_h2_stream_release(struct nu_h2_stream *stream)
{
    stream->decoder = NULL;
    stream->trailers_in = NULL;
    if (has(stream, NU_H2_IS_GONE))
        return;
    nu_buf_clear(&stream->in);
    nu_h2_metadata_forget(stream);
    nu_list_remove(&stream->due_link);
    consume(stream);
    if (!stream->session->is_closed)
        await_flush(stream);
    free_if_unknown(stream);
}

void nu_h2_stream_abort(struct nu_h2_stream *stream, enum nu_reset_reason reason,
                        struct nu_str details)
{
    struct nu_stream_decoder *decoder = stream->decoder;
    if (!decoder)
        return;
    nu_h2_stream_release(stream);
    decoder->ops->on_reset(decoder, reason, details);
}

void nu_h2_stream_send_reset(struct nu_h2_stream *stream, uint32_t error_code)
{
    struct nu_h2_session *session = stream->session;
    if (has(stream, NU_H2_RESET_SENT) || !has(stream, NU_H2_IS_OPEN) || session->is_closed)
        return;
    stream->flags |= NU_H2_RESET_SENT;
    if (stream->id == 0) { /* nghttp2 has not heard of it */
        nu_h2_stream_on_close(stream, error_code);
        return;
    }
    nghttp2_submit_rst_stream(session->ng, NGHTTP2_FLAG_NONE, stream->id, error_code);
    nu_h2_session_wake(session);
}

/* --- The peer's side -------------------------------------------------------------------------- */

void nu_h2_stream_make_due(struct nu_h2_stream *stream)
{
    if (!stream->decoder || nu_list_is_linked(&stream->due_link))
        return;
    nu_list_add_last(&stream->session->due, &stream->due_link);
    nu_h2_session_wake(stream->session);
}

void nu_h2_stream_take_data(struct nu_h2_stream *stream, struct nu_str data)
{
    enum { WORTH_SHARING = 512 };
    /* Many small pieces would each hold the block and be a piece of their own to write. */
    if (stream->in.len && data.len < WORTH_SHARING)
        nu_buf_append(&stream->in, data);
    else
        nu_buf_add_block(&stream->in, stream->session->in_block, data);
    stream->unconsumed += (uint32_t)data.len;
    if (stream->holds == 0)
        nu_h2_stream_make_due(stream);
}

void nu_h2_stream_note_reset(struct nu_h2_stream *stream, enum nu_reset_reason reason,
                             struct nu_str details)
{
    if (has(stream, NU_H2_WAS_RESET))
        return;
    stream->flags |= NU_H2_WAS_RESET;
    stream->reason = reason;
    stream->details = details;
    nu_h2_stream_make_due(stream);
}

void nu_h2_stream_message_error(struct nu_h2_stream *stream, struct nu_str details)
{
    struct nu_h2_session *session = stream->session;
    if (has(stream, NU_H2_WAS_RESET))
        return;
    nu_counter_inc(&session->stats->rx_messaging_error);
    nu_h2_stream_note_reset(stream, NU_RESET_PROTOCOL_ERROR, details);
    if (session->options->stream_error_on_invalid_message)
        nu_h2_stream_send_reset(stream, NGHTTP2_PROTOCOL_ERROR);
    else
        nu_h2_session_fail(session, NU_H2_PROTOCOL_ERROR, NU_H2_NO_GOAWAY,
                           NU_H2_CODEC_ERROR_DETAILS);
}

/* Whether nothing is missing although the stream is closed: what came is still to be told. */
static bool is_complete(const struct nu_h2_stream *stream)
{
    return has(stream, NU_H2_END_IN) && (!stream->session->is_server || has(stream, NU_H2_END_OUT));
}

void nu_h2_stream_on_close(struct nu_h2_stream *stream, uint32_t error_code)
{
    struct nu_h2_session *session = stream->session;
    stream->flags &= ~(uint32_t)NU_H2_IS_OPEN;
    session->stream_count--;
    session->news |= NU_H2_NEWS_STREAM_END;
    if (session->callbacks->on_stream_close)
        session->callbacks->on_stream_close(session->user);
    nu_timer_cancel(&stream->flush_timer);
    nu_h2_stream_drop_output(stream);
    if (!stream->decoder) {
        free_if_unknown(stream);
        return;
    }
    if (!is_complete(stream)) {
        if (error_code == NGHTTP2_REFUSED_STREAM)
            nu_h2_stream_note_reset(stream, NU_RESET_REMOTE_REFUSED, NU_STR("http2.remote_refuse"));
        else
            nu_h2_stream_note_reset(stream,
                                    error_code == NGHTTP2_CONNECT_ERROR ? NU_RESET_CONNECT_ERROR
                                                                        : NU_RESET_REMOTE,
                                    NU_STR("http2.remote_reset"));
    }
    nu_h2_stream_make_due(stream);
}

/* --- Telling the decoder ---------------------------------------------------------------------- */

/* The stream ends for its user when both halves have, on the client side with the response. */
static void settle(struct nu_h2_stream *stream)
{
    if (!stream->decoder || !has(stream, NU_H2_END_TOLD))
        return;
    if (!stream->session->is_server && !has(stream, NU_H2_END_OUT))
        nu_h2_stream_send_reset(stream, NGHTTP2_NO_ERROR); /* the rest is not asked for */
    else if (!has(stream, NU_H2_END_OUT))
        return;
    nu_h2_stream_release(stream);
}

static void tell_head(struct nu_h2_stream *stream)
{
    struct nu_stream_decoder *decoder = stream->decoder;
    bool end = has(stream, NU_H2_HEAD_END);
    stream->flags |= NU_H2_HEAD_TOLD;
    if (end)
        stream->flags |= NU_H2_END_TOLD;
    if (end && !stream->session->is_server)
        settle(stream);
    decoder->ops->on_headers(decoder, end);
}

static void tell_data(struct nu_h2_stream *stream, bool end)
{
    struct nu_stream_decoder *decoder = stream->decoder;
    struct nu_buf data = stream->in;
    nu_buf_init(&stream->in);
    consume(stream);
    if (end) {
        stream->flags |= NU_H2_END_TOLD;
        settle(stream);
    }
    decoder->ops->on_data(decoder, &data, end);
    nu_buf_clear(&data);
}

static void tell_trailers(struct nu_h2_stream *stream)
{
    struct nu_stream_decoder *decoder = stream->decoder;
    struct nu_headers *trailers = stream->trailers_in;
    stream->flags |= NU_H2_END_TOLD;
    settle(stream);
    decoder->ops->on_trailers(decoder, trailers);
}

/* Body bytes and the end, as far as the decoder takes them. */
static void tell_body(struct nu_h2_stream *stream)
{
    bool ends = has(stream, NU_H2_END_IN) && !has(stream, NU_H2_END_TOLD);
    bool end_with_data = ends && !stream->trailers_in;
    bool is_held = stream->holds && !has(stream, NU_H2_NO_HOLDS);
    if (!is_held && (stream->in.len || end_with_data))
        tell_data(stream, end_with_data);
    if (stream->decoder && ends && stream->trailers_in && !is_held && !stream->in.len)
        tell_trailers(stream);
}

static bool is_too_full(const struct nu_h2_stream *stream, uint32_t mark)
{
    return has(stream, NU_H2_HEAD_OUT) && !has(stream, NU_H2_END_OUT) &&
           (stream->session->is_conn_high || stream->out.len > mark);
}

/* What the decoder should know: between the marks, what it knows. */
static bool should_be_high(const struct nu_h2_stream *stream)
{
    uint32_t high = stream->session->stream_high;
    return is_too_full(stream, has(stream, NU_H2_TOLD_HIGH) ? high / 2 : high);
}

void nu_h2_stream_check_pressure(struct nu_h2_stream *stream)
{
    if (nu_unlikely(should_be_high(stream) != has(stream, NU_H2_TOLD_HIGH)))
        nu_h2_stream_make_due(stream);
}

static void tell_pressure(struct nu_h2_stream *stream)
{
    bool is_high = should_be_high(stream);
    struct nu_stream_decoder *decoder = stream->decoder;
    if (is_high == has(stream, NU_H2_TOLD_HIGH))
        return;
    stream->flags ^= NU_H2_TOLD_HIGH;
    if (is_high)
        decoder->ops->on_above_high(decoder);
    else
        decoder->ops->on_below_low(decoder);
}

void nu_h2_stream_tell(struct nu_h2_stream *stream)
{
    bool has_head = has(stream, NU_H2_HEAD_IN) && !has(stream, NU_H2_HEAD_TOLD);
    if (stream->decoder && has_head && nu_h2_session_may_tell_head(stream->session, stream))
        tell_head(stream);
    /* That of a request follows its head. */
    if (nu_unlikely(stream->metadata != NULL) &&
        (has(stream, NU_H2_HEAD_TOLD) || !stream->session->is_server))
        nu_h2_metadata_tell(stream);
    if (stream->decoder && has(stream, NU_H2_HEAD_TOLD))
        tell_body(stream);
    /* Of a connection that has failed the owner tells all streams. */
    if (stream->decoder && has(stream, NU_H2_WAS_RESET) && !stream->session->has_failed)
        nu_h2_stream_abort(stream, stream->reason, stream->details);
    if (stream->decoder)
        tell_pressure(stream);
    /* A user that is slower than its connection: the server's side closed with both ends. */
    if (stream->decoder && has(stream, NU_H2_END_TOLD) && has(stream, NU_H2_END_OUT))
        nu_h2_stream_release(stream);
}

void nu_h2_stream_tell_rest(struct nu_h2_stream *stream)
{
    if (!stream->decoder || !has(stream, NU_H2_END_IN) || has(stream, NU_H2_WAS_RESET))
        return;
    stream->flags |= NU_H2_NO_HOLDS;
    nu_h2_stream_tell(stream);
}
