/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at the head of every frame before nghttp2 does: floods are counted here, also of frames that
 * nghttp2 passes over without a word, and frames for streams that have ended are found.
 *
 * Of a stream that has closed nghttp2 keeps nothing, and ignores what comes for it; RFC 9113 (5.1)
 * wants the connection to end then, unless we reset the stream, of which the peer may not know yet.
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

/* The streams that a peer may begin are odd on the server side, and none on the other. */
static bool has_begun(const struct nu_h2_session *session, int32_t id)
{
    if (session->is_server)
        return id % 2 == 1 && id <= nghttp2_session_get_last_proc_stream_id(session->ng);
    return id % 2 == 1 && (uint32_t)id < nghttp2_session_get_next_stream_id(session->ng);
}

/* Whether a frame may come; false when it was refused. */
static bool may_come(struct nu_h2_session *session, const nghttp2_frame_hd *hd)
{
    int32_t id = hd->stream_id;
    if (nu_unlikely(!nu_h2_flood_count_in(session, hd)))
        return false;
    if (hd->type != NGHTTP2_DATA && hd->type != NGHTTP2_HEADERS)
        return true;
    if (nu_likely(nghttp2_session_find_stream(session->ng, id) != NULL) || id == 0 ||
        !has_begun(session, id) || was_reset_by_us(session, id))
        return true;
    nu_h2_scan_refuse(session, NU_H2_PROTOCOL_ERROR, NGHTTP2_STREAM_CLOSED,
                      NU_H2_CODEC_ERROR_DETAILS);
    return false;
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

/* Takes bytes of the frame head that is being read; whether it is complete now. */
static bool take_head(struct nu_h2_scan *scan, const uint8_t **at, const uint8_t *end)
{
    size_t n = nu_min_size(sizeof(scan->head) - scan->head_len, (size_t)(end - *at));
    memcpy(scan->head + scan->head_len, *at, n);
    scan->head_len += (uint32_t)n;
    *at += n;
    return scan->head_len == sizeof(scan->head);
}

static void skip(struct nu_h2_scan *scan, const uint8_t **at, const uint8_t *end)
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

size_t nu_h2_scan(struct nu_h2_session *session, const uint8_t *bytes, size_t len)
{
    struct nu_h2_scan *scan = &session->scan;
    const uint8_t *at = bytes;
    const uint8_t *end = bytes + len;
    bool has_reset = false;
    for (;;) {
        skip(scan, &at, end);
        if (scan->skip || !take_head(scan, &at, end))
            return len;
        nghttp2_frame_hd hd = read_head(scan->head);
        /* nghttp2 is to know of the resets before, and not yet of this frame. */
        size_t before = (size_t)(at - bytes) - 1;
        if (nu_unlikely(has_reset) && before > 0) {
            scan->head_len--; /* the next call begins with this byte */
            return before;
        }
        scan->head_len = 0;
        scan->skip = (uint32_t)hd.length;
        if (nu_unlikely(!may_come(session, &hd)))
            return before;
        has_reset |= hd.type == NGHTTP2_RST_STREAM;
    }
}
