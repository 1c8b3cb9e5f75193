/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floods: frames that cost us much and the peer little, counted as Envoy counts them. What comes is
 * counted frame by frame; what waits to be sent is looked at after each dispatch and flush.
 */
#include "codec/h2_internal.h"

static bool flood(struct nu_h2_session *session, struct nu_counter *counter, struct nu_str details)
{
    nu_counter_inc(counter);
    nu_h2_scan_refuse(session, NU_H2_FLOOD, NU_H2_NO_GOAWAY, details);
    return false;
}

static void outbound_flood(struct nu_h2_session *session, struct nu_counter *counter,
                           struct nu_str details)
{
    if (session->has_failed)
        return;
    nu_counter_inc(counter);
    nu_h2_session_fail(session, NU_H2_FLOOD, NU_H2_NO_GOAWAY, details);
}

static bool count_empty(struct nu_h2_session *session, const nghttp2_frame_hd *hd)
{
    bool is_empty = hd->length == 0 && !(hd->flags & NGHTTP2_FLAG_END_STREAM);
    session->empty_frames = is_empty ? session->empty_frames + 1 : 0;
    if (nu_likely(session->empty_frames <= session->options->max_consecutive_empty_frames))
        return true;
    return flood(session, &session->stats->inbound_empty_frames_flood,
                 NU_STR("http2.inbound_empty_frames_flood"));
}

static bool count_priority(struct nu_h2_session *session)
{
    uint64_t limit = session->options->max_priority_frames_per_stream;
    if (nu_likely(++session->priority_frames <= limit * (1 + session->opened_streams)))
        return true;
    return flood(session, &session->stats->inbound_priority_frames_flood,
                 NU_STR("codec_error:Too_many_PRIORITY_frames"));
}

static bool count_window_update(struct nu_h2_session *session)
{
    uint64_t per_frame = session->options->max_window_updates_per_data_frame;
    uint64_t limit = 5 + 2 * (session->opened_streams + per_frame * session->data_frames_sent);
    if (nu_likely(++session->window_updates <= limit))
        return true;
    return flood(session, &session->stats->inbound_window_update_frames_flood,
                 NU_STR("codec_error:Too_many_WINDOW_UPDATE_frames"));
}

bool nu_h2_flood_count_in(struct nu_h2_session *session, const nghttp2_frame_hd *hd)
{
    switch (hd->type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
    case NGHTTP2_DATA:
        return count_empty(session, hd);
    case NGHTTP2_PRIORITY:
        return count_priority(session);
    case NGHTTP2_WINDOW_UPDATE:
        return count_window_update(session);
    default:
        return true;
    }
}

/* Frames that a peer makes us send by frames of its own. */
static bool is_control(const nghttp2_frame_hd *hd)
{
    bool is_ack = hd->flags & NGHTTP2_FLAG_ACK;
    return hd->type == NGHTTP2_RST_STREAM ||
           ((hd->type == NGHTTP2_PING || hd->type == NGHTTP2_SETTINGS) && is_ack);
}

void nu_h2_flood_count_out(struct nu_h2_session *session, const nghttp2_frame *frame)
{
    uint32_t control = is_control(&frame->hd);
    session->unmarked.frames++;
    session->unmarked.control += control;
    session->out_frames++;
    session->out_control += control;
}

static struct nu_h2_mark *mark_at(struct nu_h2_session *session, uint32_t index)
{
    return &session->marks[(session->mark_first + index) % NU_H2_MARKS];
}

void nu_h2_flood_mark(struct nu_h2_session *session)
{
    const struct nu_connection *conn = session->conn;
    if (session->unmarked.frames == 0)
        return;
    /* When the ring is full its last mark moves on, and its frames count for longer. */
    if (session->mark_count < NU_H2_MARKS)
        *mark_at(session, session->mark_count++) = (struct nu_h2_mark){0};
    struct nu_h2_mark *mark = mark_at(session, session->mark_count - 1);
    mark->end = conn->tx_bytes + conn->out.len;
    mark->frames += session->unmarked.frames;
    mark->control += session->unmarked.control;
    session->unmarked = (struct nu_h2_mark){0};
}

/* What was written waits no more, whatever waits behind it. */
static void forget_written(struct nu_h2_session *session)
{
    while (session->mark_count && mark_at(session, 0)->end <= session->conn->tx_bytes) {
        session->out_frames -= mark_at(session, 0)->frames;
        session->out_control -= mark_at(session, 0)->control;
        session->mark_first = (session->mark_first + 1) % NU_H2_MARKS;
        session->mark_count--;
    }
}

static void show(struct nu_gauge *gauge, int64_t *shown, int64_t value)
{
    if (*shown == value)
        return;
    nu_gauge_add(gauge, value - *shown);
    *shown = value;
}

static void show_all(struct nu_h2_session *session, const struct nu_h2_gauges *now)
{
    struct nu_http2_stats *stats = session->stats;
    show(&stats->streams_active, &session->shown.streams, now->streams);
    show(&stats->pending_send_bytes, &session->shown.pending_bytes, now->pending_bytes);
    show(&stats->outbound_frames_active, &session->shown.frames, now->frames);
    show(&stats->outbound_control_frames_active, &session->shown.control_frames,
         now->control_frames);
}

void nu_h2_flood_check(struct nu_h2_session *session)
{
    const struct nu_h2_options *options = session->options;
    forget_written(session);
    /* What nghttp2 still has is mostly answers to control frames: bodies wait in their streams. */
    size_t queued = nghttp2_session_get_outbound_queue_size(session->ng);
    size_t frames = session->out_frames + queued;
    bool is_stuck = nu_connection_is_out_full(session->conn);
    size_t answers = queued - nu_min_size(queued, session->metadata.count);
    size_t control = session->out_control + (is_stuck ? answers : 0);
    struct nu_h2_gauges now = {
        .streams = session->stream_count,
        .pending_bytes = (int64_t)session->pending_bytes,
        .frames = (int64_t)frames,
        .control_frames = (int64_t)session->out_control,
    };
    show_all(session, &now);
    if (nu_unlikely(control > options->max_outbound_control_frames))
        outbound_flood(session, &session->stats->outbound_control_flood,
                       NU_STR("codec_error:Too_many_control_frames_in_the_outbound_queue."));
    else if (nu_unlikely(frames > options->max_outbound_frames))
        outbound_flood(session, &session->stats->outbound_flood,
                       NU_STR("codec_error:Too_many_frames_in_the_outbound_queue."));
}

void nu_h2_flood_finish(struct nu_h2_session *session)
{
    struct nu_h2_gauges none = {0};
    show_all(session, &none);
}
