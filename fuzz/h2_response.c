/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of HTTP/2 on any bytes of a server. Streams tell their parts in order and none
 * after their end; a response that is passed on whole could be sent on as HTTP/1 and be one response
 * there; and what becomes whole does not depend on how the bytes are cut.
 *
 * Input: a byte of options, a byte that says where to cut, the bytes. Three requests are open: a GET, a
 * POST whose body has not ended, a HEAD.
 */
#include "base/assert.h"
#include "codec/h2.h"
#include "http/frame_metadata.h"
#include "http/status.h"
#include "net/connection.h"
#include "target.h"

enum {
    NO_SETTINGS = 1,   /* else the server's preface goes before the bytes */
    SMALL = 2,         /* small limits */
    STREAM_ERRORS = 4, /* a bad message resets its stream alone */
    HOLD = 8,          /* bodies are not read at first */
    RESET = 16,        /* the POST is given up in between */
    METADATA = 32,     /* is allowed, and goes back as it came */
};

enum { STREAMS = 3 };

struct stream {
    struct nu_stream_decoder decoder;
    struct nu_stream_encoder *encoder;
    struct nu_arena arena;
    struct nu_headers headers;
    struct nu_stream_info info;
    struct nu_buf body;
    size_t metadata; /* bytes of it */
    bool is_head_request;
    bool has_head;
    bool is_over;
    bool is_whole;
};

struct client {
    struct nu_loop *loop;
    struct nu_connection conn;
    struct nu_h2_options options;
    struct nu_http2_stats stats;
    struct nu_h2_session *session;
    struct stream streams[STREAMS];
    bool failed;
};

/* What is the same however the bytes come. */
struct outcome {
    bool failed;
    bool is_whole[STREAMS];
    uint32_t status[STREAMS];
    size_t body[STREAMS];
    size_t metadata[STREAMS];
};

static struct stream *stream_of(struct nu_stream_decoder *decoder)
{
    return nu_container_of(decoder, struct stream, decoder);
}

/* --- What is heard ---------------------------------------------------------------------------- */

static void check_value(struct nu_str value)
{
    for (size_t i = 0; i < value.len; i++)
        nu_assert(value.ptr[i] != '\r' && value.ptr[i] != '\n' && value.ptr[i] != '\0');
}

static void check_fields(const struct nu_headers *headers)
{
    static const enum nu_header_id unwanted[] = {NU_HEADER_CONNECTION, NU_HEADER_KEEP_ALIVE,
                                                 NU_HEADER_PROXY_CONNECTION,
                                                 NU_HEADER_TRANSFER_ENCODING, NU_HEADER_UPGRADE};
    for (size_t i = 0; i < NU_ARRAY_LEN(unwanted); i++)
        nu_assert(!nu_headers_has_id(headers, unwanted[i]));
    nu_headers_for_each(header, headers)
    {
        bool is_status = header->id == NU_HEADER_STATUS;
        nu_assert(is_status || nu_header_name_is_valid(header->name));
        for (size_t i = 0; i < header->name.len; i++)
            nu_assert(header->name.ptr[i] < 'A' || header->name.ptr[i] > 'Z');
        check_value(header->value);
    }
}

static void on_headers(struct nu_stream_decoder *decoder, bool end)
{
    struct stream *stream = stream_of(decoder);
    nu_assert(!stream->has_head && !stream->is_over);
    stream->has_head = true;
    uint32_t status = nu_status_parse(nu_headers_get_id(&stream->headers, NU_HEADER_STATUS));
    nu_assert(status >= 200 && status <= 599);
    check_fields(&stream->headers);
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
    nu_assert(!nu_headers_has_id(trailers, NU_HEADER_STATUS));
    check_fields(trailers);
    stream->is_over = stream->is_whole = true;
}

static void on_metadata(struct nu_stream_decoder *decoder, struct nu_frame_metadata *metadata)
{
    struct stream *stream = stream_of(decoder);
    nu_assert(!stream->is_over && metadata->len > 0);
    stream->metadata += metadata->len;
    stream->encoder->ops->encode_metadata(stream->encoder, metadata);
}

static void on_1xx(struct nu_stream_decoder *decoder, struct nu_headers *headers)
{
    struct stream *stream = stream_of(decoder);
    nu_assert(!stream->has_head && !stream->is_over);
    check_fields(headers);
}

static void on_reset(struct nu_stream_decoder *decoder, enum nu_reset_reason reason,
                     struct nu_str details)
{
    struct stream *stream = stream_of(decoder);
    (void)reason;
    (void)details;
    nu_assert(!stream->is_over);
    stream->is_over = true;
}

static void ignore(struct nu_stream_decoder *decoder)
{
    (void)decoder;
}

static const struct nu_stream_decoder_ops decoder_ops = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_1xx = on_1xx,
    .on_metadata = on_metadata,
    .on_reset = on_reset,
    .on_above_high = ignore,
    .on_below_low = ignore,
};

static void on_failure(void *user, enum nu_h2_failure_kind kind, struct nu_str details)
{
    struct client *client = user;
    (void)kind;
    (void)details;
    nu_assert(!client->failed);
    client->failed = true;
}

static const struct nu_h2_callbacks callbacks = {.on_failure = on_failure};

/* --- The client ------------------------------------------------------------------------------- */

static void no_flush(struct nu_turn_task *task)
{
    (void)task;
}

static void open_stream(struct client *client, struct stream *stream, struct nu_str method,
                        bool end)
{
    struct nu_headers head;
    nu_arena_init(&stream->arena);
    nu_headers_init(&stream->headers, &stream->arena, 8);
    nu_headers_init(&head, &stream->arena, 8);
    stream->decoder = (struct nu_stream_decoder){
        .ops = &decoder_ops,
        .arena = &stream->arena,
        .headers = &stream->headers,
        .info = &stream->info,
    };
    stream->is_head_request = nu_str_eq(method, NU_STR("HEAD"));
    nu_headers_add_id(&head, NU_HEADER_METHOD, method);
    nu_headers_add_id(&head, NU_HEADER_SCHEME, NU_STR("http"));
    nu_headers_add_id(&head, NU_HEADER_AUTHORITY, NU_STR("a"));
    nu_headers_add_id(&head, NU_HEADER_PATH, NU_STR("/"));
    stream->encoder = nu_h2_session_open_stream(client->session, &stream->decoder);
    stream->encoder->ops->encode_headers(stream->encoder, &head, end);
}

static void start(struct client *client, uint8_t options)
{
    *client = (struct client){.loop = nu_loop_create()};
    client->conn = (struct nu_connection){
        .loop = client->loop, .state = NU_CONNECTION_OPEN, .fd = -1, .buffer_limit = 1 << 20};
    nu_turn_task_init(&client->conn.flush_task, no_flush);
    nu_h2_options_init(&client->options);
    client->options.stream_error_on_invalid_message = options & STREAM_ERRORS;
    client->options.allow_metadata = options & METADATA;
    if (options & SMALL) {
        client->options.max_head_bytes = 200;
        client->options.max_headers = 4;
        client->options.stream_window_bytes = 65535;
        client->options.max_metadata_bytes = 40;
    }
    struct nu_h2_params params = {.conn = &client->conn,
                                  .options = &client->options,
                                  .stats = &client->stats,
                                  .callbacks = &callbacks,
                                  .user = client};
    client->session = nu_h2_session_create(&params);
    open_stream(client, &client->streams[0], NU_STR("GET"), true);
    open_stream(client, &client->streams[1], NU_STR("POST"), false);
    open_stream(client, &client->streams[2], NU_STR("HEAD"), true);
    nu_loop_run_once(client->loop);
    nu_buf_clear(&client->conn.out);
}

static void finish(struct client *client)
{
    struct nu_codec *codec = nu_h2_session_codec(client->session);
    codec->ops->on_closed(codec, NU_RESET_CONNECTION_TERMINATION);
    client->conn.state = NU_CONNECTION_CLOSED;
    nu_list_remove(&client->conn.flush_task.link);
    nu_loop_run_once(client->loop);
    nu_loop_destroy(&client->loop);
    nu_buf_clear(&client->conn.in);
    nu_buf_clear(&client->conn.out);
    for (int i = 0; i < STREAMS; i++) {
        nu_buf_clear(&client->streams[i].body);
        nu_arena_finish(&client->streams[i].arena);
    }
}

static void receive(struct client *client, struct nu_str bytes)
{
    struct nu_codec *codec = nu_h2_session_codec(client->session);
    nu_buf_append(&client->conn.in, bytes);
    codec->ops->dispatch(codec);
    nu_loop_run_once(client->loop);
    nu_buf_clear(&client->conn.out);
}

/* A response that is whole says how long it is, or not, and is so long. */
static void check_length(const struct stream *stream)
{
    struct nu_str text = nu_headers_get_id(&stream->headers, NU_HEADER_CONTENT_LENGTH);
    uint64_t length;
    if (!stream->is_whole || !text.ptr)
        return;
    nu_assert(nu_str_to_u64(text, &length) == NU_OK);
    uint32_t status = nu_status_parse(nu_headers_get_id(&stream->headers, NU_HEADER_STATUS));
    if (!stream->is_head_request && status != 304)
        nu_assert(stream->body.len == length);
}

static struct outcome outcome_of(const struct client *client)
{
    struct outcome outcome = {.failed = client->failed};
    for (int i = 0; i < STREAMS; i++) {
        const struct stream *stream = &client->streams[i];
        check_length(stream);
        outcome.is_whole[i] = stream->is_whole;
        if (!stream->is_whole)
            continue;
        outcome.status[i] = nu_status_parse(nu_headers_get_id(&stream->headers, NU_HEADER_STATUS));
        outcome.body[i] = stream->body.len;
        outcome.metadata[i] = stream->metadata;
    }
    return outcome;
}

static void hold(struct client *client, bool holds)
{
    for (int i = 0; i < STREAMS; i++) {
        struct stream *stream = &client->streams[i];
        if (stream->is_over)
            continue;
        if (holds)
            stream->encoder->ops->hold_read(stream->encoder);
        else
            stream->encoder->ops->release_read(stream->encoder);
    }
}

static void give_up(struct stream *stream)
{
    if (stream->is_over)
        return;
    stream->is_over = true;
    stream->encoder->ops->reset(stream->encoder, NU_RESET_LOCAL);
}

static struct outcome run(uint8_t options, struct nu_str bytes, size_t step)
{
    struct client client;
    start(&client, options);
    if (options & HOLD)
        hold(&client, true);
    if (!(options & NO_SETTINGS))
        receive(&client, nu_str_make("\0\0\0\4\0\0\0\0\0", 9));
    for (size_t at = 0; at < bytes.len && !client.failed; at += step) {
        receive(&client, nu_str_make(bytes.ptr + at, nu_min_size(step, bytes.len - at)));
        if ((options & RESET) && at == 0)
            give_up(&client.streams[1]);
    }
    if (options & HOLD) {
        hold(&client, false);
        nu_loop_run_once(client.loop);
        nu_loop_run_once(client.loop);
    }
    struct outcome outcome = outcome_of(&client);
    finish(&client);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    uint8_t options = data[0];
    struct nu_str bytes = {(const char *)data + 2, size - 2};
    struct outcome whole = run(options, bytes, bytes.len ? bytes.len : 1);
    struct outcome cut = run(options, bytes, 1 + data[1] % 64);
    /* Frames that cross our resets are one thing before these were sent, and another after. */
    if ((options & (RESET | HOLD)) || whole.failed || cut.failed)
        return 0;
    for (int i = 0; i < STREAMS; i++)
        nu_assert(whole.is_whole[i] == cut.is_whole[i] && whole.status[i] == cut.status[i] &&
                  whole.body[i] == cut.body[i] && whole.metadata[i] == cut.metadata[i]);
    return 0;
}
