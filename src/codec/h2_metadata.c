/* SPDX-License-Identifier: Apache-2.0 */
/*
 * METADATA frames, an extension of Envoy's: pairs of texts beside a stream's message. Each block of
 * them is a header block with a table of its own, in one frame or in several of which the last is
 * marked. They know no flow control: what a stream may bring of them in its life is bounded, as is
 * what all streams of a connection have of blocks that are not complete, and what waits to be sent.
 *
 * What comes is decoded and written anew, in literals: what the next peer reads is what we have read.
 */
#include "base/assert.h"
#include "base/small.h"
#include "codec/h2_internal.h"

enum {
    END_METADATA = 4,
    FRAME_BYTES = 16 * 1024, /* the most that every peer takes */
};

/* Bytes of a block that is being put together; owned. */
struct block {
    uint8_t *bytes;
    size_t len;
    size_t room;
};

/* A stream's, once there was any. */
struct nu_h2_metadata {
    struct block in;                     /* of the block that is coming */
    uint64_t total;                      /* payload bytes of all that came */
    struct nu_frame_metadata_queue told; /* to be told to the decoder */
    struct nu_frame_metadata_queue out;  /* to be sent behind a head that was not sent */
};

static void put(struct block *block, const void *bytes, size_t len)
{
    enum { SMALLEST = 256 };
    if (block->room - block->len < len) {
        size_t room = block->room ? block->room : SMALLEST;
        while (room - block->len < len)
            room *= 2;
        block->bytes = nu_small_realloc(block->bytes, room);
        block->room = room;
    }
    memcpy(block->bytes + block->len, bytes, len);
    block->len += len;
}

static void drop(struct block *block)
{
    nu_small_free(block->bytes);
    *block = (struct block){0};
}

/* The block that is coming is complete, or nobody wants it any more. */
static void drop_coming(struct nu_h2_stream *stream)
{
    stream->session->metadata_coming -= stream->metadata->in.len;
    drop(&stream->metadata->in);
}

static struct nu_h2_metadata *metadata_of(struct nu_h2_stream *stream)
{
    if (stream->metadata)
        return stream->metadata;
    stream->metadata = nu_small_calloc(1, sizeof(*stream->metadata));
    nu_frame_metadata_queue_init(&stream->metadata->told);
    nu_frame_metadata_queue_init(&stream->metadata->out);
    return stream->metadata;
}

void nu_h2_metadata_forget(struct nu_h2_stream *stream)
{
    if (nu_likely(!stream->metadata))
        return;
    drop_coming(stream);
    nu_frame_metadata_queue_clear(&stream->metadata->told);
}

void nu_h2_metadata_finish(struct nu_h2_stream *stream)
{
    if (nu_likely(!stream->metadata))
        return;
    nu_h2_metadata_forget(stream);
    nu_frame_metadata_queue_clear(&stream->metadata->out);
    nu_small_free(stream->metadata);
    stream->metadata = NULL;
}

/* --- Coming ----------------------------------------------------------------------------------- */

/* Behind its message's end nobody is there to read it. */
static bool is_read(const struct nu_h2_stream *stream)
{
    return stream && stream->decoder && !(stream->flags & (NU_H2_END_IN | NU_H2_WAS_RESET));
}

bool nu_h2_metadata_take(struct nu_h2_stream *stream, struct nu_str part)
{
    if (!is_read(stream))
        return true;
    struct nu_h2_metadata *metadata = metadata_of(stream);
    struct nu_h2_session *session = stream->session;
    uint64_t most = session->options->max_metadata_bytes;
    metadata->total += part.len;
    if (metadata->total > most || session->metadata_coming + part.len > most)
        return false;
    session->metadata_coming += part.len;
    put(&metadata->in, part.ptr, part.len);
    return true;
}

/* RFC 7541 (5.1, 5.2), without Huffman's code. */
static void put_text(struct block *block, const uint8_t *text, size_t len)
{
    enum { FIRST_MOST = 127, MORE = 128 };
    uint8_t head[12];
    size_t n = 0;
    size_t left = len;
    head[n++] = (uint8_t)(left < FIRST_MOST ? left : FIRST_MOST);
    if (left >= FIRST_MOST) {
        for (left -= FIRST_MOST; left >= MORE; left /= MORE)
            head[n++] = (uint8_t)(left % MORE + MORE);
        head[n++] = (uint8_t)left;
    }
    put(block, head, n);
    put(block, text, len);
}

static void put_pair(struct block *block, const nghttp2_nv *pair)
{
    static const uint8_t literal = 0;
    put(block, &literal, sizeof(literal));
    put_text(block, pair->name, pair->namelen);
    put_text(block, pair->value, pair->valuelen);
}

/* Writes the pairs of `in` to `out`, no more than `most` bytes of them, since a table makes much of
 * little. False if the block is none. */
static bool rewrite(nghttp2_hd_inflater *inflater, const struct block *in, struct block *out,
                    uint64_t most)
{
    size_t at = 0;
    int flags = 0;
    while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
        nghttp2_nv pair;
        ssize_t n =
            nghttp2_hd_inflate_hd2(inflater, &pair, &flags, in->bytes + at, in->len - at, 1);
        if (n < 0)
            return false;
        at += (size_t)n;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            put_pair(out, &pair);
        if (out->len > most)
            return false;
    }
    return true;
}

static bool decode(const struct block *in, struct block *out, uint64_t most)
{
    nghttp2_hd_inflater *inflater;
    int code = nghttp2_hd_inflate_new(&inflater);
    nu_assert(code == 0);
    bool is_good = in->len == 0 || rewrite(inflater, in, out, most);
    nghttp2_hd_inflate_del(inflater);
    return is_good;
}

/* False if more waits for the decoder than may. */
static bool keep(struct nu_h2_stream *stream, const struct block *block)
{
    if (block->len == 0) {
        nu_counter_inc(&stream->session->stats->metadata_empty_frames);
        return true;
    }
    struct nu_frame_metadata *metadata = nu_frame_metadata_create((uint32_t)block->len);
    memcpy(metadata->block, block->bytes, block->len);
    nu_h2_stream_make_due(stream);
    return nu_frame_metadata_queue_add(&stream->metadata->told, metadata);
}

bool nu_h2_metadata_end(struct nu_h2_stream *stream, uint8_t flags)
{
    struct block out = {0};
    if (!is_read(stream) || !(flags & END_METADATA))
        return true;
    struct nu_h2_metadata *metadata = metadata_of(stream);
    bool is_good = decode(&metadata->in, &out, stream->session->options->max_metadata_bytes) &&
                   keep(stream, &out);
    drop(&out);
    drop_coming(stream);
    return is_good;
}

void nu_h2_metadata_tell(struct nu_h2_stream *stream)
{
    struct nu_frame_metadata *metadata;
    while (stream->decoder && (metadata = nu_frame_metadata_queue_take(&stream->metadata->told))) {
        if (stream->decoder->ops->on_metadata)
            stream->decoder->ops->on_metadata(stream->decoder, metadata);
        else
            nu_frame_metadata_destroy(&metadata);
    }
}

/* --- Going ------------------------------------------------------------------------------------ */

/* A peer that reads nothing must not make its connection fail for all by what one stream sends. */
static bool has_room(const struct nu_h2_session *session)
{
    return session->metadata.count < session->options->max_outbound_frames / 2;
}

/* nghttp2 drops what it does not send without a word when it is freed: the session keeps it until it
 * was sent. False if there is no room. */
static bool submit_part(struct nu_h2_stream *stream, struct nu_frame_metadata *part, bool is_last)
{
    struct nu_h2_session *session = stream->session;
    if (!has_room(session)) {
        nu_frame_metadata_destroy(&part);
        return false;
    }
    if (!nu_frame_metadata_queue_add(&session->metadata, part))
        return false;
    int code = nghttp2_submit_extension(session->ng, NU_H2_METADATA, is_last ? END_METADATA : 0,
                                        stream->id, part);
    nu_assert(code == 0);
    return true;
}

static bool submit(struct nu_h2_stream *stream, struct nu_frame_metadata *metadata)
{
    bool is_fine = true;
    for (uint32_t at = 0; is_fine && at < metadata->len; at += FRAME_BYTES) {
        uint32_t left = metadata->len - at;
        struct nu_frame_metadata *part =
            nu_frame_metadata_create(left < FRAME_BYTES ? left : FRAME_BYTES);
        memcpy(part->block, metadata->block + at, part->len);
        is_fine = submit_part(stream, part, left <= FRAME_BYTES);
    }
    nu_frame_metadata_destroy(&metadata);
    return is_fine;
}

static void overflow(struct nu_h2_stream *stream)
{
    nu_h2_stream_note_reset(stream, NU_RESET_OVERFLOW, NU_STR("http2.metadata_overflow"));
    nu_h2_stream_send_reset(stream, NGHTTP2_ENHANCE_YOUR_CALM);
}

void nu_h2_metadata_submit(struct nu_h2_stream *stream)
{
    struct nu_frame_metadata *metadata;
    if (nu_likely(!stream->metadata))
        return;
    while ((metadata = nu_frame_metadata_queue_take(&stream->metadata->out))) {
        if (!submit(stream, metadata))
            overflow(stream);
    }
    nu_h2_session_wake(stream->session);
}

static bool may_send(const struct nu_h2_stream *stream)
{
    const struct nu_h2_session *session = stream->session;
    return session->options->allow_metadata && !session->is_closed && !session->has_failed &&
           (stream->flags & NU_H2_IS_OPEN) && !(stream->flags & (NU_H2_END_OUT | NU_H2_RESET_SENT));
}

/* Whether nghttp2 has the stream: that of a request begins when its head is sent. */
static bool is_known(const struct nu_h2_stream *stream)
{
    return stream->id && nghttp2_session_find_stream(stream->session->ng, stream->id);
}

void nu_h2_metadata_send(struct nu_h2_stream *stream, struct nu_frame_metadata *metadata)
{
    struct nu_h2_session *session = stream->session;
    if (!may_send(stream)) {
        nu_frame_metadata_destroy(&metadata);
        return;
    }
    /* Behind what was encoded before it: nghttp2 sends bodies last. */
    nu_h2_session_flush(session);
    bool is_fine = is_known(stream)
                       ? submit(stream, metadata)
                       : nu_frame_metadata_queue_add(&metadata_of(stream)->out, metadata);
    if (!is_fine)
        overflow(stream);
    nu_h2_session_wake(session);
}

ssize_t nu_h2_metadata_pack(const struct nu_frame_metadata *part, uint8_t *to, size_t room)
{
    if (room < part->len)
        return NGHTTP2_ERR_CANCEL;
    memcpy(to, part->block, part->len);
    return (ssize_t)part->len;
}

void nu_h2_metadata_sent(struct nu_h2_session *session, struct nu_frame_metadata *part)
{
    nu_frame_metadata_queue_remove(&session->metadata, part);
    nu_frame_metadata_destroy(&part);
}
