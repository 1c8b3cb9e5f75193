/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/2 client session and a server session of ours on one loop, joined without sockets: what
 * one connection has to send is what the other one has read. For tests of the codec; a test may
 * also put bytes of its own on the wire in place of either side.
 *
 * What a stream's decoder hears is noted in a struct h2_heard; nothing is answered by itself.
 */
#ifndef NU_TESTS_HARNESS_H2_PAIR_H
#define NU_TESTS_HARNESS_H2_PAIR_H

#include "base/alloc.h"
#include "codec/h2.h"
#include "http/frame_metadata.h"
#include "harness/test.h"
#include "net/connection.h"

/* One stream as its user sees it. */
struct h2_heard {
    struct nu_stream_decoder decoder;
    struct nu_stream_encoder *encoder;
    struct nu_headers headers;
    struct nu_arena arena;
    struct nu_stream_info info;
    struct nu_buf body;
    struct nu_headers *trailers;
    struct nu_strbuf metadata; /* " name=value@N" for each pair, behind N bytes of the body */
    enum nu_reset_reason reset;
    struct nu_str details;
    unsigned interims;
    unsigned highs;
    unsigned lows;
    bool has_head;
    bool ended;
    bool was_reset;
    bool in_use;
};

enum { H2_HEARD_MAX = 64 };

struct h2_side {
    struct nu_connection conn;
    struct nu_h2_options options;
    struct nu_http2_stats stats;
    struct nu_h2_session *session;
    struct h2_heard heard[H2_HEARD_MAX];
    unsigned count;
    uint32_t max_heads; /* in a turn; 0: all */
    unsigned goaways;
    unsigned stream_ends;
    bool failed;
    enum nu_h2_failure_kind kind;
    struct nu_str failure;
};

struct h2_pair {
    struct nu_loop *loop;
    struct h2_side client;
    struct h2_side server;
};

static inline struct h2_heard *h2_heard_of(struct nu_stream_decoder *decoder)
{
    return nu_container_of(decoder, struct h2_heard, decoder);
}

static inline void h2_on_headers(struct nu_stream_decoder *decoder, bool end)
{
    struct h2_heard *heard = h2_heard_of(decoder);
    assert_false(heard->has_head || heard->ended || heard->was_reset);
    heard->has_head = true;
    heard->ended = end;
}

static inline void h2_on_data(struct nu_stream_decoder *decoder, struct nu_buf *data, bool end)
{
    struct h2_heard *heard = h2_heard_of(decoder);
    assert_true(heard->has_head && !heard->ended && !heard->was_reset);
    nu_buf_move_all(&heard->body, data);
    heard->ended = end;
}

static inline void h2_on_trailers(struct nu_stream_decoder *decoder, struct nu_headers *trailers)
{
    struct h2_heard *heard = h2_heard_of(decoder);
    assert_true(heard->has_head && !heard->ended && !heard->was_reset);
    heard->trailers = trailers;
    heard->ended = true;
}

/* A text of a block without Huffman's code. */
static inline struct nu_str h2_metadata_text(const uint8_t **at)
{
    size_t len = *(*at)++;
    unsigned shift = 0;
    for (bool more = len == 127; more; shift += 7) {
        more = **at & 128;
        len += (size_t)(*(*at)++ & 127) << shift;
    }
    struct nu_str text = nu_str_make((const char *)*at, len);
    *at += len;
    return text;
}

static inline void h2_on_metadata(struct nu_stream_decoder *decoder,
                                  struct nu_frame_metadata *metadata)
{
    struct h2_heard *heard = h2_heard_of(decoder);
    assert_false(heard->ended || heard->was_reset);
    for (const uint8_t *at = metadata->block; at < metadata->block + metadata->len;) {
        assert_int_equal(*at++, 0);
        struct nu_str name = h2_metadata_text(&at);
        struct nu_str value = h2_metadata_text(&at);
        nu_strbuf_addf(&heard->metadata, " %.*s=%.*s@%zu", NU_STR_ARG(name), NU_STR_ARG(value),
                       heard->body.len);
    }
    nu_frame_metadata_destroy(&metadata);
}

static inline void h2_on_1xx(struct nu_stream_decoder *decoder, struct nu_headers *headers)
{
    struct h2_heard *heard = h2_heard_of(decoder);
    assert_true(nu_headers_has_id(headers, NU_HEADER_STATUS) && !heard->has_head);
    heard->interims++;
}

static inline void h2_on_reset(struct nu_stream_decoder *decoder, enum nu_reset_reason reason,
                               struct nu_str details)
{
    struct h2_heard *heard = h2_heard_of(decoder);
    assert_false(heard->was_reset);
    heard->was_reset = true;
    heard->reset = reason;
    heard->details = details;
}

static inline void h2_on_high(struct nu_stream_decoder *decoder)
{
    struct h2_heard *heard = h2_heard_of(decoder);
    assert_int_equal(heard->highs, heard->lows);
    heard->highs++;
}

static inline void h2_on_low(struct nu_stream_decoder *decoder)
{
    struct h2_heard *heard = h2_heard_of(decoder);
    heard->lows++;
    assert_int_equal(heard->highs, heard->lows);
}

static const struct nu_stream_decoder_ops h2_decoder_ops = {
    .on_headers = h2_on_headers,
    .on_data = h2_on_data,
    .on_trailers = h2_on_trailers,
    .on_metadata = h2_on_metadata,
    .on_1xx = h2_on_1xx,
    .on_reset = h2_on_reset,
    .on_above_high = h2_on_high,
    .on_below_low = h2_on_low,
};

static inline struct h2_heard *h2_heard_open(struct h2_side *side)
{
    assert_true(side->count < H2_HEARD_MAX);
    struct h2_heard *heard = &side->heard[side->count++];
    memset(heard, 0, sizeof(*heard));
    nu_arena_init(&heard->arena);
    nu_headers_init(&heard->headers, &heard->arena, 8);
    heard->in_use = true;
    heard->decoder = (struct nu_stream_decoder){
        .ops = &h2_decoder_ops,
        .arena = &heard->arena,
        .headers = &heard->headers,
        .info = &heard->info,
    };
    return heard;
}

static inline struct nu_stream_decoder *h2_on_new_stream(void *user,
                                                         struct nu_stream_encoder *encoder)
{
    struct h2_heard *heard = h2_heard_open(user);
    heard->encoder = encoder;
    return &heard->decoder;
}

static inline void h2_on_failure(void *user, enum nu_h2_failure_kind kind, struct nu_str details)
{
    struct h2_side *side = user;
    assert_false(side->failed);
    side->failed = true;
    side->kind = kind;
    side->failure = details;
}

static inline void h2_on_goaway(void *user, uint32_t error_code)
{
    struct h2_side *side = user;
    (void)error_code;
    side->goaways++;
}

static inline void h2_on_stream_end(void *user)
{
    struct h2_side *side = user;
    side->stream_ends++;
}

static const struct nu_h2_callbacks h2_callbacks = {
    .on_new_stream = h2_on_new_stream,
    .on_failure = h2_on_failure,
    .on_goaway = h2_on_goaway,
    .on_stream_end = h2_on_stream_end,
};

static inline void h2_no_flush(struct nu_turn_task *task)
{
    (void)task;
}

static inline void h2_side_prepare(struct h2_side *side, struct nu_loop *loop)
{
    memset(side, 0, sizeof(*side));
    side->conn.loop = loop;
    side->conn.state = NU_CONNECTION_OPEN;
    side->conn.fd = -1;
    side->conn.buffer_limit = 1024 * 1024;
    nu_turn_task_init(&side->conn.flush_task, h2_no_flush);
    nu_h2_options_init(&side->options);
}

/* Sides with Envoy's options; change them before h2_pair_start. */
static inline void h2_pair_init(struct h2_pair *pair)
{
    pair->loop = nu_loop_create();
    h2_side_prepare(&pair->client, pair->loop);
    h2_side_prepare(&pair->server, pair->loop);
}

static inline void h2_side_start(struct h2_side *side, bool is_server)
{
    struct nu_h2_params params = {
        .is_server = is_server,
        .conn = &side->conn,
        .options = &side->options,
        .stats = &side->stats,
        .callbacks = &h2_callbacks,
        .user = side,
        .max_heads_per_turn = side->max_heads,
    };
    side->session = nu_h2_session_create(&params);
}

static inline void h2_side_dispatch(struct h2_side *side)
{
    struct nu_codec *codec = nu_h2_session_codec(side->session);
    codec->ops->dispatch(codec);
}

/* Gives the receiver what the sender has written; returns whether there was anything. */
static inline bool h2_carry(struct h2_side *from, struct h2_side *to)
{
    if (from->conn.out.len == 0)
        return false;
    nu_buf_move_all(&to->conn.in, &from->conn.out);
    h2_side_dispatch(to);
    return true;
}

/* Turns the loop and carries bytes until nothing moves. */
static inline void h2_pair_run(struct h2_pair *pair)
{
    bool moves = true;
    while (moves) {
        nu_loop_run_once(pair->loop);
        moves = h2_carry(&pair->client, &pair->server);
        moves |= h2_carry(&pair->server, &pair->client);
    }
    nu_loop_run_once(pair->loop);
}

static inline void h2_pair_start(struct h2_pair *pair)
{
    h2_side_start(&pair->client, false);
    h2_side_start(&pair->server, true);
    h2_pair_run(pair);
}

static inline void h2_side_finish(struct h2_side *side)
{
    if (side->session) {
        struct nu_codec *codec = nu_h2_session_codec(side->session);
        codec->ops->on_closed(codec, NU_RESET_CONNECTION_TERMINATION);
    }
    side->conn.state = NU_CONNECTION_CLOSED;
    nu_list_remove(&side->conn.flush_task.link);
}

static inline void h2_side_free(struct h2_side *side)
{
    nu_buf_clear(&side->conn.in);
    nu_buf_clear(&side->conn.out);
    for (unsigned i = 0; i < side->count; i++) {
        nu_buf_clear(&side->heard[i].body);
        nu_strbuf_finish(&side->heard[i].metadata);
        nu_arena_finish(&side->heard[i].arena);
    }
}

static inline void h2_pair_finish(struct h2_pair *pair)
{
    h2_side_finish(&pair->client);
    h2_side_finish(&pair->server);
    nu_loop_run_once(pair->loop);
    nu_loop_destroy(&pair->loop);
    h2_side_free(&pair->client);
    h2_side_free(&pair->server);
}

/* --- Messages --------------------------------------------------------------------------------- */

/* A request on the client's side that was not sent yet. */
static inline struct h2_heard *h2_open(struct h2_pair *pair)
{
    assert_true(nu_h2_session_can_open(pair->client.session));
    struct h2_heard *heard = h2_heard_open(&pair->client);
    heard->encoder = nu_h2_session_open_stream(pair->client.session, &heard->decoder);
    return heard;
}

static inline struct nu_headers *h2_make_headers(struct h2_heard *heard)
{
    struct nu_headers *headers = nu_arena_alloc(&heard->arena, sizeof(*headers));
    nu_headers_init(headers, &heard->arena, 8);
    return headers;
}

static inline struct nu_headers *h2_request_head(struct h2_heard *heard, const char *method)
{
    struct nu_headers *headers = h2_make_headers(heard);
    nu_headers_add_id(headers, NU_HEADER_AUTHORITY, NU_STR("a.example"));
    nu_headers_add_id(headers, NU_HEADER_PATH, NU_STR("/x?y"));
    nu_headers_add_id(headers, NU_HEADER_METHOD, nu_str_from(method));
    nu_headers_add_id(headers, NU_HEADER_SCHEME, NU_STR("http"));
    return headers;
}

static inline struct nu_headers *h2_response_head(struct h2_heard *heard, const char *status)
{
    struct nu_headers *headers = h2_make_headers(heard);
    nu_headers_add_id(headers, NU_HEADER_STATUS, nu_str_from(status));
    return headers;
}

static inline void h2_send_head(struct h2_heard *heard, struct nu_headers *headers, bool end)
{
    heard->encoder->ops->encode_headers(heard->encoder, headers, end);
}

static inline void h2_send_bytes(struct h2_heard *heard, size_t n, bool end)
{
    struct nu_buf data = {0};
    while (n) {
        static const char pattern[] = "0123456789abcdef";
        size_t step = nu_min_size(n, sizeof(pattern) - 1);
        nu_buf_append(&data, nu_str_make(pattern, step));
        n -= step;
    }
    heard->encoder->ops->encode_data(heard->encoder, &data, end);
    nu_buf_clear(&data);
}

static inline void h2_send_trailers(struct h2_heard *heard, const char *name, const char *value)
{
    struct nu_headers *headers = h2_make_headers(heard);
    nu_headers_add(headers, nu_str_from(name), nu_str_from(value));
    heard->encoder->ops->encode_trailers(heard->encoder, headers);
}

/* One pair of short texts. */
static inline void h2_send_metadata(struct h2_heard *heard, const char *name, struct nu_str value)
{
    uint8_t head[16];
    size_t n = 0;
    struct nu_str text = nu_str_from(name);
    size_t left = value.len;
    head[n++] = left < 127 ? (uint8_t)left : 127;
    if (left >= 127) {
        for (left -= 127; left >= 128; left /= 128)
            head[n++] = (uint8_t)(left % 128 + 128);
        head[n++] = (uint8_t)left;
    }
    struct nu_frame_metadata *metadata =
        nu_frame_metadata_create((uint32_t)(2 + text.len + n + value.len));
    metadata->block[0] = 0;
    metadata->block[1] = (uint8_t)text.len;
    memcpy(metadata->block + 2, text.ptr, text.len);
    memcpy(metadata->block + 2 + text.len, head, n);
    memcpy(metadata->block + 2 + text.len + n, value.ptr, value.len);
    heard->encoder->ops->encode_metadata(heard->encoder, metadata);
}

#endif
