/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter: each callback shows the guest what there is (wasm/http_stream.h), calls it, and does
 * what it asked for; what it asked for on behalf of another request is done at the turn's end.
 *
 * A guest that has failed is asked no more. Its requests get 503, or go on if the plug-in fails
 * open; a new VM is made for requests that come a second later.
 */
#include "filters/http/wasm/wasm_internal.h"

#include "wasm/http_stream.h"
#include "wasm/plugin.h"

struct wasm_filter {
    struct nu_filter base;
    const struct nu_wasm_plugin *plugin; /* the route's, or the filter's, as the request began */
    struct nu_wasm_http_stream stream;
    struct nu_wasm_vm *vm; /* borrowed: the context holds it; NULL while there is none */
    bool paused[2];        /* by direction: the guest stopped the message */
    bool absent;           /* there was no VM when the request came */
    bool failed;           /* no VM, or a dead one: was dealt with */
};

static struct wasm_filter *self_of(struct nu_filter *self)
{
    return nu_container_of(self, struct wasm_filter, base);
}

static const struct nu_wasm_plugin *plugin_of(const struct wasm_filter *self)
{
    return self->plugin;
}

/* --- Contexts --------------------------------------------------------------------------------- */

static void later(struct nu_turn_task *task);

/* The stream's context; false if there is no VM to have one in. */
static bool open_context(struct wasm_filter *self)
{
    if (self->vm || self->absent)
        return self->vm != NULL;
    self->plugin = self->base.route_config ? self->base.route_config : self->base.config;
    struct nu_wasm_context *root = nu_wasm_plugin_root(plugin_of(self));
    self->absent = !root;
    if (!root)
        return false;
    self->vm = root->vm;
    self->stream.filter = &self->base;
    nu_turn_task_init(&self->stream.later, later);
    self->stream.is_calling = true;
    nu_wasm_context_open(&self->stream.context, root, &self->stream);
    self->stream.is_calling = false;
    return true;
}

/* --- What the guest asked for ----------------------------------------------------------------- */

/* Answers for a guest that cannot; whether the request is at its end. */
static bool fail(struct wasm_filter *self)
{
    if (plugin_of(self)->fails_open)
        return false;
    if (!self->failed)
        nu_filter_reply(&self->base, 503, NU_STR(""), NU_STR("wasm_fail_stream"));
    self->failed = true;
    return true;
}

/* Whether a message that the guest buffers, and has changed, is too long now, which ends it. */
static bool outgrows(struct wasm_filter *self, enum nu_direction dir)
{
    struct nu_wasm_http_stream *stream = &self->stream;
    if (nu_likely(!stream->edited[dir]))
        return false;
    stream->edited[dir] = false;
    return !nu_chain_measure_kept(&self->base, dir);
}

/* Whether the request is at its end, or will be answered by another one's hand. */
static bool settle(struct wasm_filter *self)
{
    struct nu_wasm_http_stream *stream = &self->stream;
    if (!self->vm || nu_wasm_vm_is_dead(self->vm))
        return fail(self);
    if (stream->resets) {
        stream->resets = false;
        if (!self->base.chain->info->response_code_details.len)
            self->base.chain->info->response_code_details = NU_STR("wasm_close_stream");
        nu_filter_reset(&self->base);
        return true;
    }
    if (stream->replies) {
        stream->replies = false;
        nu_filter_reply_with(&self->base, &stream->reply);
        return true;
    }
    if (stream->route_changed)
        nu_filter_clear_route_cache(&self->base);
    stream->route_changed = false;
    return outgrows(self, NU_DECODE) || outgrows(self, NU_ENCODE);
}

/* Outside of the filter's callbacks. */
static void later(struct nu_turn_task *task)
{
    struct wasm_filter *self = nu_container_of(task, struct wasm_filter, stream.later);
    struct nu_wasm_http_stream *stream = &self->stream;
    bool is_dead = nu_wasm_vm_is_dead(self->vm);
    if (is_dead && !self->paused[NU_DECODE] && !self->paused[NU_ENCODE])
        return;
    if (settle(self))
        return;
    bool request = self->paused[NU_DECODE] && (stream->goes_on[NU_DECODE] || is_dead);
    bool response = self->paused[NU_ENCODE] && (stream->goes_on[NU_ENCODE] || is_dead);
    stream->goes_on[NU_DECODE] = false;
    if (request && response)
        nu_wasm_http_stream_wake(stream); /* the response then, if the stream is there still */
    if (request) {
        self->paused[NU_DECODE] = false;
        nu_filter_continue_decoding(&self->base);
    } else if (response) {
        stream->goes_on[NU_ENCODE] = false;
        self->paused[NU_ENCODE] = false;
        nu_filter_continue_encoding(&self->base);
    }
}

/* --- Calling the guest ------------------------------------------------------------------------ */

/* What a callback of the filter is to return. */
enum verdict {
    GO_ON,
    PAUSE, /* `status` says how */
    AT_END,
};

/* Calls the guest about a part of a message. */
static enum verdict ask(struct wasm_filter *self, enum nu_direction dir,
                        enum nu_wasm_callback callback, uint32_t n, bool end, int32_t *status)
{
    struct nu_wasm_http_stream *stream = &self->stream;
    union nu_wasm_value args[] = {
        {.i32 = (int32_t)stream->context.id}, {.i32 = (int32_t)n}, {.i32 = end}};
    stream->goes_on[dir] = false;
    stream->is_calling = true;
    *status = nu_wasm_vm_call(&stream->context, callback, args, 0);
    stream->is_calling = false;
    stream->bodies[dir] = NULL;
    bool goes_on = stream->goes_on[dir];
    stream->goes_on[dir] = false;
    if (settle(self))
        return AT_END;
    if (stream->goes_on[!dir])
        nu_wasm_http_stream_wake(stream);
    bool is_dead = nu_wasm_vm_is_dead(self->vm);
    self->paused[dir] = !goes_on && !is_dead && *status != 0;
    return self->paused[dir] ? PAUSE : GO_ON;
}

/* Nothing is asked of a guest that is not there. */
static bool is_absent(struct wasm_filter *self)
{
    return !self->vm || self->failed || nu_wasm_vm_is_dead(self->vm);
}

/* As Envoy: a pause in the headers stops everything, unless the plug-in may have the body. */
static enum nu_headers_status headers_status(const struct wasm_filter *self, enum verdict verdict,
                                             int32_t status)
{
    if (verdict == GO_ON)
        return NU_HEADERS_CONTINUE;
    if (verdict == AT_END)
        return NU_HEADERS_STOP;
    switch (status) {
    case 1:
        return plugin_of(self)->stops_iteration ? NU_HEADERS_STOP
                                                : NU_HEADERS_STOP_ALL_AND_WATERMARK;
    case 3:
        return NU_HEADERS_STOP_ALL_AND_BUFFER;
    default:
        return NU_HEADERS_STOP_ALL_AND_WATERMARK;
    }
}

static enum nu_data_status data_status(enum verdict verdict, int32_t status)
{
    if (verdict == GO_ON)
        return NU_DATA_CONTINUE;
    if (verdict == AT_END)
        return NU_DATA_STOP_NO_BUFFER;
    switch (status) {
    case 1:
        return NU_DATA_STOP_AND_BUFFER;
    case 2:
        return NU_DATA_STOP_AND_WATERMARK;
    default:
        return NU_DATA_STOP_NO_BUFFER;
    }
}

static enum nu_headers_status on_headers(struct wasm_filter *self, enum nu_direction dir,
                                         struct nu_headers *headers, bool end)
{
    enum nu_wasm_map map = dir == NU_DECODE ? NU_WASM_REQUEST_HEADERS : NU_WASM_RESPONSE_HEADERS;
    int32_t status = 0;
    self->stream.maps[map] = headers;
    enum verdict verdict =
        ask(self, dir, dir == NU_DECODE ? NU_WASM_ON_REQUEST_HEADERS : NU_WASM_ON_RESPONSE_HEADERS,
            (uint32_t)nu_headers_count(headers), end, &status);
    /* 2 is Continue with an end, of which Envoy makes a plain Continue. */
    if (verdict == PAUSE && status == 2) {
        self->paused[dir] = false;
        verdict = GO_ON;
    }
    if (verdict != PAUSE)
        self->stream.maps[map] = NULL;
    return headers_status(self, verdict, status);
}

static bool is_too_long(struct wasm_filter *self, enum nu_direction dir, const struct nu_buf *data)
{
    uint32_t limit = dir == NU_DECODE ? nu_filter_decoder_buffer_limit(&self->base)
                                      : nu_filter_encoder_buffer_limit(&self->base);
    return limit && nu_buf_length(data) > limit;
}

static enum verdict ask_about_data(struct wasm_filter *self, enum nu_direction dir,
                                   struct nu_buf *data, bool end, int32_t *status)
{
    self->stream.keeps[dir] = false;
    self->stream.bodies[dir] = data;
    self->stream.may_add_trailers[dir] = end;
    enum verdict verdict =
        ask(self, dir, dir == NU_DECODE ? NU_WASM_ON_REQUEST_BODY : NU_WASM_ON_RESPONSE_BODY,
            (uint32_t)nu_buf_length(data), end, status);
    self->stream.may_add_trailers[dir] = false;
    self->stream.keeps[dir] = verdict == PAUSE && *status == 1;
    return verdict;
}

/* A body that the guest buffers is shown whole. As in Envoy, what comes is in the chain's buffer by
 * then: too much is refused unseen, or when the guest has made it so, and nothing is dropped. */
static enum nu_data_status on_data(struct wasm_filter *self, enum nu_direction dir,
                                   struct nu_buf *data, struct nu_buf *kept, bool end)
{
    int32_t status = 0;
    bool was_kept = self->stream.keeps[dir];
    if (was_kept && kept)
        nu_buf_prepend_all(data, kept);
    if (was_kept && is_too_long(self, dir, data))
        return NU_DATA_STOP_AND_BUFFER;
    enum verdict verdict = ask_about_data(self, dir, data, end, &status);
    if (was_kept && verdict != AT_END && (status == 3 || is_too_long(self, dir, data)))
        return NU_DATA_STOP_AND_BUFFER;
    return data_status(verdict, status);
}

static enum nu_trailers_status on_trailers(struct wasm_filter *self, enum nu_direction dir,
                                           struct nu_headers *trailers)
{
    enum nu_wasm_map map = dir == NU_DECODE ? NU_WASM_REQUEST_TRAILERS : NU_WASM_RESPONSE_TRAILERS;
    int32_t status = 0;
    self->stream.maps[map] = trailers;
    enum verdict verdict = ask(
        self, dir, dir == NU_DECODE ? NU_WASM_ON_REQUEST_TRAILERS : NU_WASM_ON_RESPONSE_TRAILERS,
        (uint32_t)nu_headers_count(trailers), false, &status);
    if (verdict != PAUSE)
        self->stream.maps[map] = NULL;
    return verdict == GO_ON ? NU_TRAILERS_CONTINUE : NU_TRAILERS_STOP;
}

/* --- The filter's callbacks ------------------------------------------------------------------- */

static enum nu_headers_status decode_headers(struct nu_filter *base, struct nu_headers *headers,
                                             bool end)
{
    struct wasm_filter *self = self_of(base);
    if (!open_context(self) || nu_wasm_vm_is_dead(self->vm))
        return fail(self) ? NU_HEADERS_STOP : NU_HEADERS_CONTINUE;
    return on_headers(self, NU_DECODE, headers, end);
}

static enum nu_headers_status encode_headers(struct nu_filter *base, struct nu_headers *headers,
                                             bool end)
{
    struct wasm_filter *self = self_of(base);
    if (is_absent(self))
        return NU_HEADERS_CONTINUE;
    return on_headers(self, NU_ENCODE, headers, end);
}

static enum nu_data_status decode_data(struct nu_filter *base, struct nu_buf *data, bool end)
{
    struct wasm_filter *self = self_of(base);
    if (is_absent(self))
        return NU_DATA_CONTINUE;
    return on_data(self, NU_DECODE, data, nu_filter_decoding_buffer(base), end);
}

static enum nu_data_status encode_data(struct nu_filter *base, struct nu_buf *data, bool end)
{
    struct wasm_filter *self = self_of(base);
    if (is_absent(self))
        return NU_DATA_CONTINUE;
    return on_data(self, NU_ENCODE, data, nu_filter_encoding_buffer(base), end);
}

static enum nu_trailers_status decode_trailers(struct nu_filter *base, struct nu_headers *trailers)
{
    struct wasm_filter *self = self_of(base);
    if (is_absent(self))
        return NU_TRAILERS_CONTINUE;
    return on_trailers(self, NU_DECODE, trailers);
}

static enum nu_trailers_status encode_trailers(struct nu_filter *base, struct nu_headers *trailers)
{
    struct wasm_filter *self = self_of(base);
    if (is_absent(self))
        return NU_TRAILERS_CONTINUE;
    return on_trailers(self, NU_ENCODE, trailers);
}

/* A request that never got here has a context for its log alone, as in Envoy. */
static void on_log(struct nu_filter *base)
{
    struct wasm_filter *self = self_of(base);
    if (!open_context(self) || nu_wasm_vm_is_dead(self->vm))
        return;
    union nu_wasm_value id = {.i32 = (int32_t)self->stream.context.id};
    self->stream.in_log = true;
    self->stream.is_calling = true;
    nu_wasm_vm_call(&self->stream.context, NU_WASM_ON_LOG, &id, 0);
    nu_wasm_vm_is_dead(self->vm);
}

static void on_close(struct nu_filter *base)
{
    struct wasm_filter *self = self_of(base);
    if (!self->vm)
        return;
    self->stream.in_log = true;
    self->stream.is_calling = true;
    nu_wasm_context_close(&self->stream.context);
    nu_wasm_vm_is_dead(self->vm);
    nu_list_remove(&self->stream.later.link);
    self->vm = NULL;
}

const struct nu_filter_class nu_http_wasm_class = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "envoy.filters.http.wasm",
    .instance_size = sizeof(struct wasm_filter),
    .close = on_close,
    .decode_headers = decode_headers,
    .decode_data = decode_data,
    .decode_trailers = decode_trailers,
    .encode_headers = encode_headers,
    .encode_data = encode_data,
    .encode_trailers = encode_trailers,
    .log = on_log,
};
