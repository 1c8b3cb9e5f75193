/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's life: what the connection read is shown to nghttp2, what nghttp2 wants to send goes
 * into the connection's output, and when nghttp2 has returned, streams tell their decoders what
 * came for them. nghttp2's callbacks are in h2_callbacks.c.
 */
#include "base/assert.h"
#include "base/small.h"
#include "codec/h2_internal.h"

/* Bytes that are shown to nghttp2 before the streams that they were for are served. */
enum { STEP_BYTES = 16 * 1024 };

static struct nu_h2_session *session_of(struct nu_codec *codec)
{
    return nu_container_of(codec, struct nu_h2_session, codec);
}

static bool is_alive(const struct nu_h2_session *session)
{
    return !session->is_closed && nu_connection_is_open(session->conn);
}

void nu_h2_session_fail(struct nu_h2_session *session, enum nu_h2_failure_kind kind,
                        uint32_t error_code, struct nu_str details)
{
    if (session->has_failed)
        return;
    session->has_failed = true;
    session->failure_kind = kind;
    session->failure = details;
    if (error_code == NU_H2_NO_GOAWAY)
        session->is_mute = true;
    else
        nghttp2_session_terminate_session(session->ng, error_code);
    nu_h2_session_wake(session);
}

/* --- Sending ---------------------------------------------------------------------------------- */

/* Moves what nghttp2 has into the output, as far as there is room. */
static void fill_output(struct nu_h2_session *session)
{
    struct nu_connection *conn = session->conn;
    session->in_nghttp2 = true;
    while (!nu_connection_is_out_full(conn)) {
        const uint8_t *bytes;
        ssize_t n = nghttp2_session_mem_send(session->ng, &bytes);
        if (n <= 0) {
            if (n < 0)
                nu_h2_session_fail(session, NU_H2_PROTOCOL_ERROR, NU_H2_NO_GOAWAY,
                                   NU_H2_CODEC_ERROR_DETAILS);
            break;
        }
        nu_buf_append(&conn->out, nu_str_make((const char *)bytes, (size_t)n));
    }
    session->in_nghttp2 = false;
}

void nu_h2_session_flush(struct nu_h2_session *session)
{
    struct nu_connection *conn = session->conn;
    if (nu_unlikely(session->in_nghttp2 || session->is_mute || !is_alive(session)))
        return;
    if (conn->above_high && nu_connection_is_out_full(conn))
        return; /* on_below_low goes on */
    fill_output(session);
    nu_h2_flood_mark(session);
    if (conn->out.len)
        nu_connection_write(conn);
    if (nu_unlikely(nu_connection_is_out_full(conn)) && !session->has_failed)
        nu_loop_at_next_turn(session->loop, &session->task);
}

/* --- Telling ---------------------------------------------------------------------------------- */

static void tell_due(struct nu_h2_session *session)
{
    struct nu_h2_stream *stream;
    while (!session->is_closed &&
           (stream = nu_list_first(&session->due, struct nu_h2_stream, due_link))) {
        nu_list_remove(&stream->due_link);
        nu_h2_stream_tell(stream);
    }
}

bool nu_h2_session_may_tell_head(struct nu_h2_session *session, struct nu_h2_stream *stream)
{
    if (nu_likely(session->heads_left > 0)) {
        session->heads_left--;
        return true;
    }
    nu_list_add_last(&session->later, &stream->due_link);
    nu_loop_at_next_turn(session->loop, &session->later_task);
    return false;
}

/* Those that waited for this turn come before those that arrive in it. */
static void on_later_task(struct nu_turn_task *task)
{
    struct nu_h2_session *session = nu_container_of(task, struct nu_h2_session, later_task);
    session->heads_left = session->max_heads;
    nu_list_move_all(&session->due, &session->later);
    nu_h2_session_wake(session);
}

static void tell_failure(struct nu_h2_session *session)
{
    if (session->failure_told)
        return;
    session->failure_told = true;
    session->callbacks->on_failure(session->user, session->failure_kind, session->failure);
}

static void tell_owner(struct nu_h2_session *session)
{
    uint32_t news = session->news;
    session->news = 0;
    if ((news & NU_H2_NEWS_SETTINGS) && session->callbacks->on_settings)
        session->callbacks->on_settings(session->user);
    if ((news & NU_H2_NEWS_GOAWAY) && !session->is_closed && session->callbacks->on_goaway)
        session->callbacks->on_goaway(session->user, session->goaway_code);
    if ((news & NU_H2_NEWS_STREAM_END) && !session->is_closed && session->callbacks->on_stream_end)
        session->callbacks->on_stream_end(session->user);
}

static void on_task(struct nu_turn_task *task)
{
    struct nu_h2_session *session = nu_container_of(task, struct nu_h2_session, task);
    if (!is_alive(session))
        return;
    tell_due(session);
    if (!is_alive(session))
        return;
    nu_h2_session_flush(session);
    nu_h2_flood_check(session);
    tell_due(session);
    if (nu_unlikely(session->news) && !session->is_closed)
        tell_owner(session);
    if (nu_unlikely(session->has_failed) && !session->is_closed) {
        nu_h2_session_flush(session);
        tell_failure(session);
    }
}

/* --- Receiving -------------------------------------------------------------------------------- */

static void fail_input(struct nu_h2_session *session, ssize_t code)
{
    if (session->is_closed)
        return;
    nu_h2_session_fail(session, code == NGHTTP2_ERR_FLOODED ? NU_H2_FLOOD : NU_H2_PROTOCOL_ERROR,
                       NU_H2_NO_GOAWAY, NU_H2_CODEC_ERROR_DETAILS);
}

static void show_bytes(struct nu_h2_session *session, const uint8_t *bytes, size_t n)
{
    session->in_nghttp2 = true;
    ssize_t result = nghttp2_session_mem_recv(session->ng, bytes, n);
    session->in_nghttp2 = false;
    if (nu_unlikely(result < 0))
        fail_input(session, result);
}

/* Shows nghttp2 a part of the input, which stays where it is while it does. */
static void show(struct nu_h2_session *session, const struct nu_slice *slice)
{
    struct nu_h2_scan *scan = &session->scan;
    uint8_t *at = nu_unconst(slice->ptr); /* nobody else has them yet */
    size_t left = slice->len;
    while (left && !session->has_failed && is_alive(session)) {
        size_t n = nu_h2_scan(session, at, left);
        session->in_block = slice->block;
        if (n)
            show_bytes(session, at, n);
        session->in_block = NULL;
        tell_due(session);
        at += n;
        left -= n;
        if (nu_unlikely(scan->has_refused) && !session->has_failed && !session->is_closed)
            nu_h2_session_fail(session, scan->kind, scan->error_code, scan->details);
    }
}

/* Answers that pile up while input is read are looked at before there are many of them. */
static void bound_answers(struct nu_h2_session *session)
{
    size_t queued = nghttp2_session_get_outbound_queue_size(session->ng);
    if (nu_likely(queued <= session->options->max_outbound_control_frames))
        return;
    nu_h2_session_flush(session);
    nu_h2_flood_check(session);
}

static void dispatch(struct nu_codec *codec)
{
    struct nu_h2_session *session = session_of(codec);
    struct nu_buf *in = &session->conn->in;
    if (nu_list_is_empty(&session->later))
        session->heads_left = session->max_heads;
    while (in->len && !session->has_failed && is_alive(session)) {
        /* Out of the connection's hands: a decoder may close it. */
        struct nu_buf step = {0};
        nu_buf_move(&step, in, nu_min_size(in->first->len, STEP_BYTES));
        show(session, step.first);
        nu_buf_clear(&step);
        if (is_alive(session))
            bound_answers(session);
    }
    if (nu_unlikely(session->has_failed) && !session->is_closed)
        nu_buf_clear(in);
    if (is_alive(session))
        nu_h2_session_wake(session);
}

/* --- The connection's watermarks -------------------------------------------------------------- */

static void set_conn_high(struct nu_h2_session *session, bool is_high)
{
    struct nu_h2_stream *stream;
    session->is_conn_high = is_high;
    nu_list_for_each(stream, &session->streams, struct nu_h2_stream, link)
    {
        nu_h2_stream_check_pressure(stream);
    }
    nu_h2_session_wake(session);
}

static void on_above_high(struct nu_codec *codec)
{
    set_conn_high(session_of(codec), true);
}

static void on_below_low(struct nu_codec *codec)
{
    set_conn_high(session_of(codec), false);
}

void nu_h2_session_on_drained(struct nu_h2_session *session)
{
    if (session->is_closed)
        return;
    nu_h2_flood_check(session);
}

/* --- The end ---------------------------------------------------------------------------------- */

static void drain(struct nu_codec *codec)
{
    struct nu_h2_session *session = session_of(codec);
    if (session->is_closed || session->has_failed || !session->is_server)
        return;
    nghttp2_submit_shutdown_notice(session->ng);
    nu_h2_session_wake(session);
}

void nu_h2_session_goaway(struct nu_h2_session *session)
{
    if (session->is_closed || session->has_failed)
        return;
    nu_counter_inc(&session->stats->goaway_sent);
    nghttp2_submit_goaway(session->ng, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(session->ng), NGHTTP2_NO_ERROR,
                          NULL, 0);
    nu_h2_session_wake(session);
    nu_h2_session_flush(session);
}

void nu_h2_session_reset_streams(struct nu_h2_session *session, enum nu_reset_reason reason,
                                 struct nu_str details)
{
    struct nu_h2_stream *stream;
    nu_list_for_each(stream, &session->streams, struct nu_h2_stream, link)
    {
        if (stream->flags & NU_H2_WAS_RESET)
            nu_h2_stream_abort(stream, stream->reason, stream->details);
        else
            nu_h2_stream_abort(stream, reason, details);
    }
}

static void free_session(void *obj)
{
    struct nu_h2_session *session = obj;
    struct nu_h2_stream *stream;
    while ((stream = nu_list_first(&session->streams, struct nu_h2_stream, link)))
        nu_h2_stream_destroy(stream);
    nghttp2_session_del(session->ng);
    nu_frame_metadata_queue_clear(&session->metadata);
    nu_block_unref(session->head_block);
    nu_small_free(session);
}

/* Responses that are complete have come, whatever became of the connection. */
static void tell_rests(struct nu_h2_session *session)
{
    struct nu_h2_stream *stream;
    nu_list_for_each(stream, &session->streams, struct nu_h2_stream, link)
    {
        nu_h2_stream_tell_rest(stream);
    }
}

static void on_closed(struct nu_codec *codec, enum nu_reset_reason reason)
{
    struct nu_h2_session *session = session_of(codec);
    struct nu_h2_stream *stream;
    if (session->is_closed)
        return;
    session->is_closed = true;
    nu_list_remove(&session->task.link);
    nu_list_remove(&session->later_task.link);
    nu_h2_ping_stop(session);
    nu_list_for_each(stream, &session->streams, struct nu_h2_stream, link)
    {
        nu_list_remove(&stream->due_link);
        nu_timer_cancel(&stream->flush_timer);
    }
    if (!session->is_server)
        tell_rests(session);
    nu_h2_session_reset_streams(session, reason, nu_str_make(NULL, 0));
    nu_h2_flood_finish(session);
    nu_loop_defer_free(session->loop, free_session, session);
}

static const struct nu_codec_ops codec_ops = {
    .dispatch = dispatch,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
    .on_closed = on_closed,
    .drain = drain,
};

/* --- Creation --------------------------------------------------------------------------------- */

static void *ng_malloc(size_t size, void *user)
{
    (void)user;
    return nu_small_alloc(size);
}

static void ng_free(void *ptr, void *user)
{
    (void)user;
    nu_small_free(ptr);
}

static void *ng_calloc(size_t count, size_t size, void *user)
{
    (void)user;
    return nu_small_calloc(count, size);
}

static void *ng_realloc(void *ptr, size_t size, void *user)
{
    (void)user;
    return nu_small_realloc(ptr, size);
}

/* nghttp2's own limits make room for ours, which are Envoy's; that of CONTINUATION frames ends a peer
 * that goes on with a head for which its stream was reset long ago. */
static nghttp2_option *make_option(const struct nu_h2_options *options)
{
    enum { FRAME_BYTES = 16 * 1024, SPARE_FRAMES = 1024, SEND_BLOCK_BYTES = 16 * 1024 * 1024 };
    nghttp2_option *option;
    int code = nghttp2_option_new(&option);
    nu_assert(code == 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_peer_max_concurrent_streams(option, INT32_MAX);
    nghttp2_option_set_max_send_header_block_length(option, SEND_BLOCK_BYTES);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, options->hpack_table_bytes);
    if (options->allow_metadata)
        nghttp2_option_set_user_recv_extension_type(option, NU_H2_METADATA);
    nghttp2_option_set_max_outbound_ack(option, INT32_MAX); /* see bound_answers */
#ifdef NU_HAVE_NGHTTP2_MAX_CONTINUATIONS
    nghttp2_option_set_max_continuations(option,
                                         options->max_head_bytes / FRAME_BYTES + SPARE_FRAMES);
#endif
#ifdef NU_HAVE_NGHTTP2_BLANK_VALUES
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
#endif
#ifdef NU_HAVE_NGHTTP2_RESET_RATE_LIMIT
    nghttp2_option_set_stream_reset_rate_limit(option, INT64_MAX, INT64_MAX);
#endif
    return option;
}

struct settings {
    const struct nu_h2_options *options;
    nghttp2_settings_entry entries[8 + NU_H2_CUSTOM_SETTINGS_MAX];
    size_t count;
};

static bool is_custom(const struct nu_h2_options *options, int32_t id)
{
    for (size_t i = 0; i < options->setting_count; i++) {
        if (options->settings[i].id == id)
            return true;
    }
    return false;
}

static void put_setting(struct settings *settings, int32_t id, uint32_t value)
{
    settings->entries[settings->count++] =
        (nghttp2_settings_entry){.settings_id = id, .value = value};
}

/* What was given by number goes before the defaults. */
static void put_named(struct settings *settings, int32_t id, uint32_t value)
{
    if (!is_custom(settings->options, id))
        put_setting(settings, id, value);
}

/* The order is Envoy's. */
static void fill_settings(struct settings *settings, bool is_server)
{
    const struct nu_h2_options *options = settings->options;
    put_named(settings, NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, options->hpack_table_bytes);
    if (!is_server)
        put_named(settings, NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
    put_named(settings, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options->max_concurrent_streams);
    put_named(settings, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options->stream_window_bytes);
    put_named(settings, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, options->allow_connect);
    for (size_t i = 0; i < options->setting_count; i++)
        put_setting(settings, options->settings[i].id, options->settings[i].value);
}

static void submit_settings(struct nu_h2_session *session)
{
    struct settings settings = {.options = session->options};
    fill_settings(&settings, session->is_server);
    int code =
        nghttp2_submit_settings(session->ng, NGHTTP2_FLAG_NONE, settings.entries, settings.count);
    nu_assert(code == 0);
    nghttp2_session_set_local_window_size(session->ng, NGHTTP2_FLAG_NONE, 0,
                                          (int32_t)session->options->connection_window_bytes);
}

static void create_nghttp2(struct nu_h2_session *session)
{
    nghttp2_mem mem = {
        .malloc = ng_malloc,
        .free = ng_free,
        .calloc = ng_calloc,
        .realloc = ng_realloc,
    };
    nghttp2_option *option = make_option(session->options);
    nghttp2_session_callbacks *callbacks = nu_h2_callbacks_create();
    int code = session->is_server
                   ? nghttp2_session_server_new3(&session->ng, callbacks, session, option, &mem)
                   : nghttp2_session_client_new3(&session->ng, callbacks, session, option, &mem);
    nu_assert(code == 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
}

/* So much waits in a stream before its sender is told: no more than the connection's own limit. */
static uint32_t stream_high(const struct nu_h2_session *session)
{
    uint32_t limit = session->conn->buffer_limit;
    uint32_t window = session->options->stream_window_bytes;
    return limit && limit < window ? limit : window;
}

struct nu_h2_session *nu_h2_session_create(const struct nu_h2_params *params)
{
    struct nu_h2_session *session = nu_small_calloc(1, sizeof(*session));
    session->codec.ops = &codec_ops;
    session->codec.protocol = NU_PROTOCOL_HTTP2;
    session->is_server = params->is_server;
    session->conn = params->conn;
    session->loop = params->conn->loop;
    session->options = params->options;
    session->stats = params->stats;
    session->callbacks = params->callbacks;
    session->user = params->user;
    session->stream_high = stream_high(session);
    session->is_conn_high = params->conn->above_high;
    nu_list_init(&session->streams);
    nu_list_init(&session->due);
    nu_list_init(&session->later);
    nu_frame_metadata_queue_init(&session->metadata);
    nu_turn_task_init(&session->task, on_task);
    nu_turn_task_init(&session->later_task, on_later_task);
    session->max_heads = params->max_heads_per_turn ? params->max_heads_per_turn : UINT32_MAX;
    create_nghttp2(session);
    submit_settings(session);
    nu_h2_scan_init(session);
    nu_h2_ping_start(session);
    nu_h2_session_wake(session);
    return session;
}

struct nu_codec *nu_h2_session_codec(struct nu_h2_session *session)
{
    return &session->codec;
}

uint32_t nu_h2_session_stream_count(const struct nu_h2_session *session)
{
    return session->stream_count;
}

uint32_t nu_h2_session_peer_max_streams(const struct nu_h2_session *session)
{
    return nghttp2_session_get_remote_settings(session->ng,
                                               NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool nu_h2_session_can_open(const struct nu_h2_session *session)
{
    return !session->is_closed && !session->has_failed && !session->goaway_received &&
           nghttp2_session_check_request_allowed(session->ng) &&
           nghttp2_session_get_next_stream_id(session->ng) <= INT32_MAX &&
           session->stream_count < nu_h2_session_peer_max_streams(session);
}

void nu_h2_options_init(struct nu_h2_options *options)
{
    *options = (struct nu_h2_options){
        .hpack_table_bytes = 4096,
        .max_concurrent_streams = 1024,
        .stream_window_bytes = 16 * 1024 * 1024,
        .connection_window_bytes = 24 * 1024 * 1024,
        .max_outbound_frames = 10000,
        .max_outbound_control_frames = 1000,
        .max_consecutive_empty_frames = 1,
        .max_priority_frames_per_stream = 100,
        .max_window_updates_per_data_frame = 10,
        .max_metadata_bytes = 1024 * 1024,
        .max_head_bytes = 60 * 1024,
        .max_headers = 100,
    };
}
