/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at the head of every frame before nghttp2 does: floods are counted here, also of frames that
 * nghttp2 passes over without a word, and frames for streams that have ended are found.
 *
 * Of a stream that has closed nghttp2 keeps nothing, and ignores what comes for it; RFC 9113 (5.1)
 * wants the connection to end then, unless we reset the stream, of which the peer may not know yet.
 *
 * And a client's GOAWAY is kept from nghttp2, which would read nothing more behind it while no stream
 * is open. It promises nothing: the client may still ask, as Envoy has it.
 */
#include "codec/h2_internal.h"

void nu_h2_scan_note_reset(struct nu_h2_session *session, int32_t id)
{
    int32_t *place = &session->resets[session->reset_count++ % NU_H2_RESETS_KEPT];
    if (*place > session->forgotten)
        session->forgotten = *place;
    *place = id;
}

static bool was_reset_by_us(const struct nu_h2_session *session, int32_t id)
{
    if (id <= session->forgotten)
        return true;
    for (int i = 0; i < NU_H2_RESETS_KEPT; i++) {
        if (session->resets[i] == id)
            return true;
    }
    return false;
}

/* Whether the stream was begun, be it in bytes that nghttp2 has not seen. */
static bool has_begun(const struct nu_h2_session *session, int32_t id)
{
    if (id % 2 == 0)
        return false;
    if (session->is_server)
        return id <= session->scan.last_id;
    return (uint32_t)id < nghttp2_session_get_next_stream_id(session->ng);
}

/* Whether the frame belongs to a stream that has ended, as far as nghttp2 knows by now. */
static bool is_for_closed(const struct nu_h2_session *session, const nghttp2_frame_hd *hd)
{
    int32_t id = hd->stream_id;
    return (hd->type == NGHTTP2_DATA || hd->type == NGHTTP2_HEADERS) && has_begun(session, id) &&
           !nghttp2_session_find_stream(session->ng, id) && !was_reset_by_us(session, id);
}

static nghttp2_frame_hd read_head(const uint8_t *p)
{
    return (nghttp2_frame_hd){
        .length = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2],
        .type = p[3],
        .flags = p[4],
        .stream_id = (int32_t)((uint32_t)(p[5] & 0x7f) << 24 | (uint32_t)p[6] << 16 |
                               (uint32_t)p[7] << 8 | p[8]),
    };
}

/* Makes nghttp2 see a frame of a type that it ignores, if the head's type is among the bytes that
 * follow its first `from`. */
static void hide_goaway(const struct nu_h2_scan *scan, uint8_t *bytes, size_t from)
{
    enum { TYPE_AT = 3, IGNORED = 0xff };
    if (from <= TYPE_AT && scan->head_len > TYPE_AT && scan->head[TYPE_AT] == NGHTTP2_GOAWAY)
        bytes[TYPE_AT - from] = IGNORED;
}

/* Takes bytes of the frame head that is being read; whether it is complete now. */
static bool take_head(struct nu_h2_session *session, uint8_t **at, const uint8_t *end)
{
    struct nu_h2_scan *scan = &session->scan;
    size_t from = scan->head_len;
    size_t n = nu_min_size(sizeof(scan->head) - from, (size_t)(end - *at));
    memcpy(scan->head + from, *at, n);
    scan->head_len += (uint32_t)n;
    if (session->is_server)
        hide_goaway(scan, *at, from);
    *at += n;
    return scan->head_len == sizeof(scan->head);
}

static void skip(struct nu_h2_scan *scan, uint8_t **at, const uint8_t *end)
{
    size_t n = nu_min_size(scan->skip, (size_t)(end - *at));
    scan->skip -= (uint32_t)n;
    *at += n;
}

void nu_h2_scan_init(struct nu_h2_session *session)
{
    session->scan = (struct nu_h2_scan){
        .skip = session->is_server ? NGHTTP2_CLIENT_MAGIC_LEN : 0,
    };
}

void nu_h2_scan_refuse(struct nu_h2_session *session, enum nu_h2_failure_kind kind,
                       uint32_t error_code, struct nu_str details)
{
    session->scan.has_refused = true;
    session->scan.kind = kind;
    session->scan.error_code = error_code;
    session->scan.details = details;
}

/* What nghttp2 would check of a GOAWAY, did it see it; false when it was refused. */
static bool check_goaway(struct nu_h2_session *session, const nghttp2_frame_hd *hd)
{
    enum { SMALLEST = 8 };
    if (nu_likely(hd->type != NGHTTP2_GOAWAY || !session->is_server) ||
        (hd->stream_id == 0 && hd->length >= SMALLEST))
        return true;
    nu_h2_scan_refuse(session, NU_H2_PROTOCOL_ERROR, NGHTTP2_PROTOCOL_ERROR,
                      NU_H2_CODEC_ERROR_DETAILS);
    return false;
}

/* Counts what the frame is; false when it was refused. */
static bool count(struct nu_h2_session *session, const nghttp2_frame_hd *hd)
{
    struct nu_h2_scan *scan = &session->scan;
    if (hd->type == NGHTTP2_HEADERS && hd->stream_id > scan->last_id)
        scan->last_id = hd->stream_id;
    scan->skip = (uint32_t)hd->length;
    scan->head_len = 0;
    return nu_h2_flood_count_in(session, hd);
}

/* What of the frames before has to be done before this one can be judged, or should be. */
struct unseen {
    bool has_reset;
    bool has_metadata; /* which is told between what came before and after it */
    unsigned heads;
};

static bool is_metadata(const struct nu_h2_session *session, const nghttp2_frame_hd *hd)
{
    return hd->type == NU_H2_METADATA && session->options->allow_metadata;
}

static void note(const struct nu_h2_session *session, struct unseen *unseen,
                 const nghttp2_frame_hd *hd)
{
    unseen->has_reset |= hd->type == NGHTTP2_RST_STREAM;
    unseen->has_metadata |= is_metadata(session, hd);
    unseen->heads += hd->type == NGHTTP2_HEADERS;
}

size_t nu_h2_scan(struct nu_h2_session *session, uint8_t *bytes, size_t len)
{
    enum { HEADS_AT_ONCE = 16 };
    struct nu_h2_scan *scan = &session->scan;
    struct unseen unseen = {0};
    uint8_t *at = bytes;
    const uint8_t *end = bytes + len;
    for (;;) {
        skip(scan, &at, end);
        if (scan->skip || !take_head(session, &at, end))
            return len;
        nghttp2_frame_hd hd = read_head(scan->head);
        /* The last byte of the head is what makes nghttp2 see the frame. */
        size_t before = (size_t)(at - bytes) - 1;
        bool is_closed = is_for_closed(session, &hd);
        bool waits = is_closed || unseen.has_reset || unseen.has_metadata ||
                     is_metadata(session, &hd) || unseen.heads == HEADS_AT_ONCE;
        if (nu_unlikely(waits) && before > 0) {
            scan->head_len--; /* the next call begins with this byte */
            return before;
        }
        if (nu_unlikely(is_closed))
            nu_h2_scan_refuse(session, NU_H2_PROTOCOL_ERROR, NGHTTP2_STREAM_CLOSED,
                              NU_H2_CODEC_ERROR_DETAILS);
        if (nu_unlikely(is_closed || !check_goaway(session, &hd) || !count(session, &hd)))
            return before;
        note(session, &unseen, &hd);
    }
}
