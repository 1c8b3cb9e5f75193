/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side of HTTP/2 on any bytes of a client. Streams tell their parts in order and none
 * after their end; a request that is passed on whole must, sent on as HTTP/1, be one request to a
 * strict reader; and what becomes whole does not depend on how the bytes are cut.
 *
 * Input: a byte of options, a byte that says where to cut, the bytes behind the preface.
 */
#include "codec/h2.h"
#include "h1_strict.h"
#include "harness/h1_driver.h"
#include "http/frame_metadata.h"
#include "target.h"

enum {
    SMALL = 1,         /* small limits */
    STREAM_ERRORS = 2, /* a bad message resets its stream alone */
    ANSWER = 4,        /* whole requests are answered */
    HOLD = 8,          /* bodies are not read at first */
    RESET = 16,        /* the first request is given up by us */
    CONNECT = 32,      /* extended CONNECT is allowed */
    UNDERSCORES = 64,  /* names with one are dropped */
    METADATA = 128,    /* is allowed; with ANSWER it goes back as it came */
};

enum { STREAMS_MAX = 300 };

struct stream {
    struct nu_stream_decoder decoder;
    struct nu_stream_encoder *encoder;
    struct nu_arena arena;
    struct nu_headers headers;
    struct nu_stream_info info;
    struct nu_buf body;
    struct nu_headers *trailers;
    size_t metadata; /* bytes of it */
    bool echoes;
    bool has_head;
    bool is_over;
    bool is_whole;
    bool is_answered;
    bool is_held;
};

struct server {
    struct nu_loop *loop;
    struct nu_connection conn;
    struct nu_h2_options options;
    struct nu_http2_stats stats;
    struct nu_h2_session *session;
    struct stream streams[STREAMS_MAX];
    unsigned count;
    bool echoes;
    bool failed;
};

static struct stream *stream_of(struct nu_stream_decoder *decoder)
{
    return nu_container_of(decoder, struct stream, decoder);
}

/* --- What is heard ---------------------------------------------------------------------------- */

static void on_headers(struct nu_stream_decoder *decoder, bool end)
{
    struct stream *stream = stream_of(decoder);
    nu_assert(!stream->has_head && !stream->is_over);
    stream->has_head = true;
    nu_assert(nu_headers_has_id(&stream->headers, NU_HEADER_METHOD));
    nu_assert(!nu_headers_has_id(&stream->headers, NU_HEADER_HOST));
    nu_assert(!nu_headers_has_id(&stream->headers, NU_HEADER_TRANSFER_ENCODING));
    stream->is_over = stream->is_whole = end;
}

static void on_data(struct nu_stream_decoder *decoder, struct nu_buf *data, bool end)
{
    struct stream *stream = stream_of(decoder);
    nu_assert(stream->has_head && !stream->is_over);
    nu_buf_move_all(&stream->body, data);
    stream->is_over = stream->is_whole = end;
}

static void on_trailers(struct nu_stream_decoder *decoder, struct nu_headers *trailers)
{
    struct stream *stream = stream_of(decoder);
    nu_assert(stream->has_head && !stream->is_over);
    stream->trailers = trailers;
    stream->is_over = stream->is_whole = true;
}

static void on_metadata(struct nu_stream_decoder *decoder, struct nu_frame_metadata *metadata)
{
    struct stream *stream = stream_of(decoder);
    nu_assert(stream->has_head && !stream->is_over && metadata->len > 0);
    stream->metadata += metadata->len;
    if (stream->echoes)
        stream->encoder->ops->encode_metadata(stream->encoder, metadata);
    else
        nu_frame_metadata_destroy(&metadata);
}

static void on_reset(struct nu_stream_decoder *decoder, enum nu_reset_reason reason,
                     struct nu_str details)
{
    (void)reason;
    (void)details;
    stream_of(decoder)->is_over = true;
    stream_of(decoder)->is_answered = true; /* there is nobody to answer */
}

static void ignore(struct nu_stream_decoder *decoder)
{
    (void)decoder;
}

static const struct nu_stream_decoder_ops decoder_ops = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_metadata = on_metadata,
    .on_reset = on_reset,
    .on_above_high = ignore,
    .on_below_low = ignore,
};

static struct nu_stream_decoder *on_new_stream(void *user, struct nu_stream_encoder *encoder)
{
    struct server *server = user;
    if (server->count == STREAMS_MAX)
        return NULL;
    struct stream *stream = &server->streams[server->count++];
    nu_arena_init(&stream->arena);
    nu_headers_init(&stream->headers, &stream->arena, 8);
    stream->encoder = encoder;
    stream->echoes = server->echoes;
    stream->decoder = (struct nu_stream_decoder){
        .ops = &decoder_ops,
        .arena = &stream->arena,
        .headers = &stream->headers,
        .info = &stream->info,
    };
    return &stream->decoder;
}

static void on_failure(void *user, enum nu_h2_failure_kind kind, struct nu_str details)
{
    struct server *server = user;
    (void)kind;
    (void)details;
    nu_assert(!server->failed);
    server->failed = true;
}

static const struct nu_h2_callbacks callbacks = {
    .on_new_stream = on_new_stream,
    .on_failure = on_failure,
};

/* --- What is made of it ----------------------------------------------------------------------- */

/* What the connection manager takes out before a request goes on. */
static void remove_hop_by_hop(struct nu_headers *headers)
{
    nu_headers_remove_id(headers, NU_HEADER_CONNECTION);
    nu_headers_remove_id(headers, NU_HEADER_UPGRADE);
    nu_headers_remove_id(headers, NU_HEADER_TE);
}

static void send_on(struct stream *stream)
{
    struct h1_response client;
    struct nu_str path = nu_headers_get_id(&stream->headers, NU_HEADER_PATH);
    struct nu_str method = nu_headers_get_id(&stream->headers, NU_HEADER_METHOD);
    if (path.len == 0 || path.ptr[0] != '/' || nu_str_eq(method, NU_STR("CONNECT")) ||
        !nu_headers_has_id(&stream->headers, NU_HEADER_AUTHORITY) ||
        nu_headers_has_id(&stream->headers, NU_HEADER_UPGRADE))
        return; /* never forwarded, or as a tunnel */
    remove_hop_by_hop(&stream->headers);
    h1_response_init(&client, NU_STR("GET"));
    struct nu_str body = strict_copy(&stream->body);
    struct nu_buf data = {0};
    nu_buf_append(&data, body);
    const struct nu_stream_encoder_ops *ops = client.encoder->ops;
    ops->encode_headers(client.encoder, &stream->headers, body.len == 0 && !stream->trailers);
    if (body.len)
        ops->encode_data(client.encoder, &data, !stream->trailers);
    if (stream->trailers)
        ops->encode_trailers(client.encoder, stream->trailers);
    nu_assert(!client.failed);
    struct nu_str bytes = strict_copy(&client.wire.conn.out);
    strict_request(bytes, body);
    free(nu_unconst(bytes.ptr));
    free(nu_unconst(body.ptr));
    h1_response_finish(&client);
}

static void answer(struct stream *stream)
{
    struct nu_headers head;
    struct nu_buf data = {0};
    if (!stream->is_whole || stream->is_answered)
        return;
    const struct nu_stream_encoder_ops *ops = stream->encoder->ops;
    stream->is_answered = true;
    nu_headers_init(&head, &stream->arena, 2);
    nu_headers_add_id(&head, NU_HEADER_STATUS, NU_STR("200"));
    ops->encode_headers(stream->encoder, &head, false);
    nu_buf_append(&data, NU_STR("ok"));
    ops->encode_data(stream->encoder, &data, true);
}

/* --- The server ------------------------------------------------------------------------------- */

static void no_flush(struct nu_turn_task *task)
{
    (void)task;
}

static void start(struct server *server, uint8_t options)
{
    memset(server, 0, sizeof(*server));
    server->loop = nu_loop_create();
    server->conn = (struct nu_connection){
        .loop = server->loop, .state = NU_CONNECTION_OPEN, .fd = -1, .buffer_limit = 1 << 20};
    nu_turn_task_init(&server->conn.flush_task, no_flush);
    nu_h2_options_init(&server->options);
    server->options.stream_error_on_invalid_message = options & STREAM_ERRORS;
    server->options.allow_connect = options & CONNECT;
    server->options.allow_metadata = options & METADATA;
    server->echoes = options & ANSWER;
    if (options & UNDERSCORES)
        server->options.underscore_action = NU_UNDERSCORE_DROP;
    if (options & SMALL) {
        server->options.max_head_bytes = 200;
        server->options.max_headers = 6;
        server->options.stream_window_bytes = 65535;
        server->options.max_concurrent_streams = 2;
        server->options.max_metadata_bytes = 40;
    }
    struct nu_h2_params params = {.is_server = true,
                                  .conn = &server->conn,
                                  .options = &server->options,
                                  .stats = &server->stats,
                                  .callbacks = &callbacks,
                                  .user = server};
    server->session = nu_h2_session_create(&params);
}

static void finish(struct server *server)
{
    struct nu_codec *codec = nu_h2_session_codec(server->session);
    codec->ops->on_closed(codec, NU_RESET_CONNECTION_TERMINATION);
    server->conn.state = NU_CONNECTION_CLOSED;
    nu_list_remove(&server->conn.flush_task.link);
    nu_loop_run_once(server->loop);
    nu_loop_destroy(&server->loop);
    nu_buf_clear(&server->conn.in);
    nu_buf_clear(&server->conn.out);
    for (unsigned i = 0; i < server->count; i++) {
        nu_buf_clear(&server->streams[i].body);
        nu_arena_finish(&server->streams[i].arena);
    }
}

static void receive(struct server *server, struct nu_str bytes, uint8_t options)
{
    struct nu_codec *codec = nu_h2_session_codec(server->session);
    nu_buf_append(&server->conn.in, bytes);
    codec->ops->dispatch(codec);
    for (unsigned i = 0; (options & ANSWER) && i < server->count; i++)
        answer(&server->streams[i]);
    nu_loop_run_once(server->loop);
    nu_buf_clear(&server->conn.out);
}

/* Those streams are held that are there; a stream that is over is not touched. */
static void hold(struct server *server, bool holds)
{
    for (unsigned i = 0; i < server->count; i++) {
        struct stream *stream = &server->streams[i];
        if (stream->is_over || stream->is_held == holds)
            continue;
        stream->is_held = holds;
        if (holds)
            stream->encoder->ops->hold_read(stream->encoder);
        else
            stream->encoder->ops->release_read(stream->encoder);
    }
}

static void give_up(struct server *server)
{
    struct stream *stream = &server->streams[0];
    if (server->count == 0 || stream->is_over)
        return;
    stream->is_over = true;
    stream->encoder->ops->reset(stream->encoder, NU_RESET_LOCAL);
}

static void run(struct server *server, uint8_t options, struct nu_str bytes, size_t step)
{
    bool held = false;
    start(server, options);
    receive(server, NU_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), options);
    for (size_t at = 0; at < bytes.len && !server->failed; at += step) {
        receive(server, nu_str_make(bytes.ptr + at, nu_min_size(step, bytes.len - at)), options);
        if ((options & HOLD) && !held && server->count) {
            held = true;
            hold(server, true);
        }
        if (options & RESET)
            give_up(server);
    }
    if (held)
        hold(server, false);
    nu_loop_run_once(server->loop);
}

/* Frames that cross our answers and resets are one thing before these were sent, and another after:
 * then the outcome may depend on how the bytes came. */
static bool is_comparable(uint8_t options, const struct server *a, const struct server *b)
{
    return !(options & (RESET | HOLD | ANSWER | SMALL)) && !a->failed && !b->failed &&
           a->count < STREAMS_MAX && b->count < STREAMS_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct server whole;
    static struct server cut;
    if (size < 2)
        return 0;
    uint8_t options = data[0];
    struct nu_str bytes = {(const char *)data + 2, size - 2};
    run(&whole, options, bytes, bytes.len ? bytes.len : 1);
    run(&cut, options, bytes, 1 + data[1] % 64);
    if (is_comparable(options, &whole, &cut)) {
        nu_assert(whole.count == cut.count);
        for (unsigned i = 0; i < whole.count; i++)
            nu_assert(whole.streams[i].is_whole == cut.streams[i].is_whole &&
                      (!whole.streams[i].is_whole ||
                       (whole.streams[i].body.len == cut.streams[i].body.len &&
                        whole.streams[i].metadata == cut.streams[i].metadata)));
    }
    for (unsigned i = 0; i < whole.count; i++) {
        if (whole.streams[i].is_whole)
            send_on(&whole.streams[i]);
    }
    finish(&whole);
    finish(&cut);
    return 0;
}
