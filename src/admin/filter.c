/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal filter of the admin listener's chain. It waits for the end of the request, lets the
 * handler answer, and passes the answer on as slices: as many in one turn of the loop as a short
 * budget of time allows, none while the client is slow.
 */
#include "admin/admin_internal.h"
#include "base/clock.h"
#include "http/path.h"
#include "http/status.h"

enum {
    SLICE_BYTES = 32 * 1024,
    TURN_BYTES = 128 * 1024, /* at most in one turn: watermarks are looked at when it ends */
    TURN_US = 1000,          /* likewise */
    PAUSE_MS = 1,            /* until the next one: others come first */
};

struct admin_stream {
    struct nu_filter base;
    struct nu_admin_response response;
    struct nu_filter_timer timer;
    struct nu_buf form; /* the body of a form */
    unsigned high;      /* nested high watermarks of the client's side */
    bool answering;
    bool ended;
    bool is_head;
};

static struct admin_stream *stream_of(struct nu_filter *self)
{
    return nu_container_of(self, struct admin_stream, base);
}

/* --- The answer ------------------------------------------------------------------------------- */

static void finish_source(struct admin_stream *stream)
{
    struct nu_admin_response *response = &stream->response;
    if (response->source && response->source->finish)
        response->source->finish(response->state);
    response->source = NULL;
    nu_strbuf_finish(&response->body);
}

/* Makes the next slice; returns whether there is more behind it. */
static bool next_slice(struct admin_stream *stream, struct nu_buf *out)
{
    struct nu_admin_response *response = &stream->response;
    bool more = false;
    if (response->source)
        more = response->source->next(response->state, &response->body, SLICE_BYTES);
    nu_buf_append(out, nu_strbuf_str(&response->body));
    nu_strbuf_clear(&response->body);
    return more;
}

static void on_timer(struct nu_filter *self);

/* Slices until the turn's share is used up, the client has enough, or all is said. */
static void pump(struct admin_stream *stream)
{
    uint64_t end_us = nu_clock_monotonic_us() + TURN_US;
    size_t bytes = 0;
    while (!stream->high && !stream->ended) {
        struct nu_buf slice = {0};
        bool more = next_slice(stream, &slice);
        stream->ended = !more;
        bytes += slice.len;
        if (slice.len || !more)
            nu_chain_encode_data(&stream->base, &slice, !more);
        nu_buf_clear(&slice);
        if (bytes >= TURN_BYTES || nu_clock_monotonic_us() >= end_us)
            break;
    }
    if (!stream->ended && !stream->high) {
        stream->timer.on_timer = on_timer;
        nu_filter_timer_arm(&stream->base, &stream->timer, PAUSE_MS);
    }
}

static void on_timer(struct nu_filter *self)
{
    pump(stream_of(self));
}

static struct nu_headers *make_headers(struct admin_stream *stream)
{
    enum { ROOM = 16 };
    struct nu_arena *arena = stream->base.chain->arena;
    const struct nu_admin_response *response = &stream->response;
    struct nu_headers *headers = nu_arena_alloc(arena, sizeof(*headers));
    nu_headers_init(headers, arena, ROOM);
    nu_headers_reserve_first(headers, 1);
    char *status = nu_arena_alloc(arena, 3);
    nu_status_format(response->status ? response->status : 200, status);
    nu_headers_fill_first(headers, 0, NU_HEADER_STATUS, nu_str_make(status, 3));
    nu_headers_add_id(headers, NU_HEADER_CONTENT_TYPE,
                      response->content_type.len ? response->content_type
                                                 : NU_STR("text/plain; charset=UTF-8"));
    nu_headers_add_id(headers, NU_HEADER_CACHE_CONTROL, NU_STR("no-cache, max-age=0"));
    nu_headers_add_id(headers, NU_HEADER_X_CONTENT_TYPE_OPTIONS, NU_STR("nosniff"));
    return headers;
}

static void answer(struct admin_stream *stream)
{
    struct nu_filter_chain *chain = stream->base.chain;
    chain->info->response_code_details = NU_STR("admin_filter_response");
    stream->answering = true;
    nu_chain_encode_headers(&stream->base, make_headers(stream), false);
    if (stream->is_head) {
        struct nu_buf nothing = {0};
        stream->ended = true;
        nu_chain_encode_data(&stream->base, &nothing, true);
        return;
    }
    pump(stream);
}

/* --- The request ------------------------------------------------------------------------------ */

static bool is_form(const struct nu_filter *self)
{
    const struct nu_headers *headers = self->chain->half[NU_DECODE].headers;
    return nu_str_starts_with_nocase(nu_headers_get_id(headers, NU_HEADER_CONTENT_TYPE),
                                     NU_STR("application/x-www-form-urlencoded"));
}

/* The query, or without one a form in the body. */
static struct nu_str params_text(struct admin_stream *stream, struct nu_str path)
{
    struct nu_str query = nu_path_query(path);
    if (query.len > 1 || stream->form.len == 0)
        return nu_str_skip(query, 1);
    char *copy = nu_arena_alloc(stream->base.chain->arena, stream->form.len);
    return nu_str_make(copy, nu_buf_copy_out(&stream->form, 0, copy, stream->form.len));
}

/* Whether a page of another site made a browser send this: browsers say so in `origin`. */
static bool is_foreign(const struct nu_headers *headers)
{
    struct nu_str origin = nu_headers_get_id(headers, NU_HEADER_ORIGIN);
    if (!origin.ptr)
        return false;
    size_t colon = nu_str_find(origin, NU_STR("://"));
    return colon == NU_NPOS || !nu_str_eq_nocase(nu_str_skip(origin, colon + 3),
                                                 nu_headers_get_id(headers, NU_HEADER_AUTHORITY));
}

static void complete(struct nu_filter *self)
{
    struct admin_stream *stream = stream_of(self);
    const struct nu_headers *headers = self->chain->half[NU_DECODE].headers;
    struct nu_str path = nu_headers_get_id(headers, NU_HEADER_PATH);
    struct nu_admin_request request = {
        .admin = nu_unconst(self->config),
        .arena = self->chain->arena,
        .method = nu_headers_get_id(headers, NU_HEADER_METHOD),
        .path = nu_path_without_query(path),
        .is_foreign = is_foreign(headers),
    };
    nu_admin_parse_params(&request, params_text(stream, path));
    stream->is_head = nu_str_eq(request.method, NU_STR("HEAD"));
    nu_admin_handle(&request, &stream->response);
    answer(stream);
}

static enum nu_headers_status decode_headers(struct nu_filter *self, struct nu_headers *headers,
                                             bool end)
{
    (void)headers;
    if (end)
        complete(self);
    return NU_HEADERS_STOP;
}

static enum nu_data_status decode_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    struct admin_stream *stream = stream_of(self);
    if (is_form(self))
        nu_buf_move_all(&stream->form, data);
    if (stream->form.len > nu_filter_decoder_buffer_limit(self))
        nu_filter_reply(self, 413, NU_STR("Payload Too Large"),
                        NU_STR("request_payload_too_large"));
    else if (end)
        complete(self);
    return NU_DATA_STOP_NO_BUFFER;
}

static enum nu_trailers_status decode_trailers(struct nu_filter *self, struct nu_headers *trailers)
{
    (void)trailers;
    complete(self);
    return NU_TRAILERS_STOP;
}

static void on_downstream_high(struct nu_filter *self)
{
    struct admin_stream *stream = stream_of(self);
    stream->high++;
    nu_filter_timer_cancel(&stream->timer);
}

static void on_downstream_low(struct nu_filter *self)
{
    struct admin_stream *stream = stream_of(self);
    if (--stream->high || !stream->answering || stream->ended)
        return;
    stream->timer.on_timer = on_timer;
    nu_filter_timer_arm(self, &stream->timer, 0);
}

static void close_filter(struct nu_filter *self)
{
    struct admin_stream *stream = stream_of(self);
    nu_filter_timer_cancel(&stream->timer);
    finish_source(stream);
    nu_buf_clear(&stream->form);
}

const struct nu_filter_class nu_admin_filter = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "envoy.filters.http.admin",
    .instance_size = sizeof(struct admin_stream),
    .is_terminal = true,
    .close = close_filter,
    .decode_headers = decode_headers,
    .decode_data = decode_data,
    .decode_trailers = decode_trailers,
    .on_downstream_high = on_downstream_high,
    .on_downstream_low = on_downstream_low,
};
