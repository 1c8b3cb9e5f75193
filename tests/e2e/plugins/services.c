/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plug-in for the tests: the request header x-do says which service of the contract to use, and
 * the outcome goes to the response or the log.
 */
#include <nuncio/plugin.h>

#include <stdio.h>
#include <stdlib.h>

struct settings {
    struct nu_str text;
    double number;
    bool yes;
    struct nu_str json;
};

struct counter {
    unsigned requests;
};

struct services {
    struct nu_filter base;
    struct nu_str what;
    struct nu_filter_timer timer;
    struct nu_filter_call *handle;
    bool waiting;
    char outcome[200]; /* of a call, for the response */
};

static struct services *services_of(struct nu_filter *self)
{
    return (struct services *)(void *)self;
}

static bool does(struct services *s, const char *what)
{
    return nu_str_eq(s->what, nu_str_from(what));
}

static struct nu_str request_header(struct nu_filter *self, const char *name)
{
    return nu_headers_get(nu_filter_request_headers(self), nu_str_from(name));
}

/* --- Calls ------------------------------------------------------------------------------------ */

static void on_answer(struct nu_filter *self, const struct nu_call_result *result)
{
    struct services *s = services_of(self);
    char body[32] = "";
    nu_buf_copy_out(result->body, 0, body, sizeof(body) - 1);
    snprintf(s->outcome, sizeof(s->outcome), "%d %u %s %.*s", result->ok, result->status, body,
             NU_STR_ARG(result->failure));
    nu_filter_continue_decoding(self);
}

/* Answers from inside the call's end: close then cancels a call that is over. */
static void on_answer_reply(struct nu_filter *self, const struct nu_call_result *result)
{
    nu_filter_reply(self, result->status, NU_STR("from the call"), NU_STR("services_call"));
}

static struct nu_filter_call *call_now(struct nu_filter *self)
{
    struct nu_call_request request = {.cluster = NU_STR("called")};
    return nu_filter_http_call(self, &request, on_answer_reply);
}

static enum nu_headers_status call(struct nu_filter *self)
{
    struct services *s = services_of(self);
    struct nu_str cluster = request_header(self, "x-cluster");
    struct nu_str timeout = request_header(self, "x-timeout");
    const struct nu_reply_header headers[] = {
        {NU_STR_INIT("x-from"), NU_STR_INIT("plugin")},
        {NU_STR_INIT("x-forwarded-for"), NU_STR_INIT("192.0.2.9")},
    };
    struct nu_call_request request = {
        .cluster = cluster.ptr ? cluster : NU_STR("called"),
        .method = NU_STR("POST"),
        .path = NU_STR("/path"),
        .headers = headers,
        .header_count = 2,
        .body = NU_STR("body"),
        .timeout_ms = timeout.ptr ? (uint32_t)atoi(timeout.ptr) : 2000,
    };
    snprintf(s->outcome, sizeof(s->outcome), "none");
    if (!nu_filter_http_call(self, &request, on_answer))
        return NU_HEADERS_CONTINUE;
    s->waiting = true;
    return NU_HEADERS_STOP_ALL_AND_WATERMARK;
}

/* --- Timers ----------------------------------------------------------------------------------- */

static void on_timer(struct nu_filter *self)
{
    if (does(services_of(self), "delayed-reply"))
        nu_filter_reply(self, 418, NU_STR("late"), NU_STR("services_late"));
    else
        nu_filter_continue_decoding(self);
}

static enum nu_headers_status delay(struct nu_filter *self, uint64_t ms)
{
    struct services *s = services_of(self);
    s->timer.on_timer = on_timer;
    nu_filter_timer_arm(self, &s->timer, ms);
    return NU_HEADERS_STOP_ALL_AND_BUFFER;
}

/* --- The request ------------------------------------------------------------------------------ */

static enum nu_headers_status start_over(struct nu_filter *self, struct nu_headers *h)
{
    if (!nu_str_eq(nu_headers_get(h, NU_STR(":path")), NU_STR("/again")))
        nu_headers_set(h, NU_STR(":path"), NU_STR("/again"));
    if (!nu_filter_recreate_stream(self))
        nu_filter_reply(self, 508, NU_STR("loop"), NU_STR("services_loop"));
    return NU_HEADERS_STOP;
}

static void set_values(struct nu_filter *self)
{
    nu_filter_set_metadata_string(self, NU_STR("services"), NU_STR("s"), NU_STR("text"));
    nu_filter_set_metadata_number(self, NU_STR("services"), NU_STR("n"), 2.5);
    nu_filter_set_state(self, NU_STR("services.state"), NU_STR("kept"));
}

static enum nu_headers_status decode_headers(struct nu_filter *self, struct nu_headers *h, bool end)
{
    struct services *s = services_of(self);
    s->what = nu_headers_get(h, NU_STR("x-do"));
    ((struct counter *)self->worker)->requests++;
    if (does(s, "call"))
        return call(self);
    if (does(s, "delay") || does(s, "delayed-reply"))
        return delay(self, 20);
    if (does(s, "forever")) {
        nu_filter_log(self, 4, NU_STR("waiting forever"));
        s->waiting = true;
        return delay(self, 1000000);
    }
    bool first_try = !nu_str_eq(nu_headers_get(h, NU_STR(":path")), NU_STR("/again"));
    if (does(s, "append") || (does(s, "again") && first_try))
        return NU_HEADERS_STOP;
    if (does(s, "limit")) {
        nu_filter_set_decoder_buffer_limit(self, 1000);
        return NU_HEADERS_STOP_ALL_AND_BUFFER;
    }
    if (does(s, "cancel")) {
        s->handle = call_now(self);
        s->waiting = true;
        return NU_HEADERS_STOP_ALL_AND_BUFFER;
    }
    if (does(s, "reset")) {
        nu_filter_reset(self);
        return NU_HEADERS_STOP;
    }
    if (does(s, "again-always") && end)
        return start_over(self, h);
    if (does(s, "reroute")) {
        nu_headers_set(h, NU_STR(":path"), NU_STR("/other"));
        nu_filter_clear_route_cache(self);
    }
    if (does(s, "host"))
        nu_filter_set_upstream_override_host(self, nu_headers_get(h, NU_STR("x-host")));
    if (does(s, "values"))
        set_values(self);
    if (does(s, "hold"))
        nu_filter_hold_request(self);
    return NU_HEADERS_CONTINUE;
}

/* Keeps the body until its end, adds a byte, and corrects the length. */
static enum nu_data_status append(struct nu_filter *self, struct nu_buf *data, bool end)
{
    if (!end)
        return NU_DATA_STOP_AND_WATERMARK;
    struct nu_buf *kept = nu_filter_decoding_buffer(self);
    char length[24];
    nu_buf_append(data, NU_STR("!"));
    snprintf(length, sizeof(length), "%zu", (kept ? nu_buf_length(kept) : 0) + nu_buf_length(data));
    nu_headers_set(nu_filter_request_headers(self), NU_STR("content-length"), nu_str_from(length));
    return NU_DATA_CONTINUE;
}

static enum nu_data_status decode_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    struct services *s = services_of(self);
    struct nu_headers *h = nu_filter_request_headers(self);
    if (does(s, "append"))
        return append(self, data, end);
    if (does(s, "reroute-late")) {
        nu_headers_set(h, NU_STR(":authority"), NU_STR("nowhere.test"));
        nu_filter_clear_route_cache(self);
    }
    if (does(s, "keep-body"))
        return NU_DATA_STOP_AND_BUFFER;
    if (!does(s, "again") || nu_str_eq(nu_headers_get(h, NU_STR(":path")), NU_STR("/again")))
        return NU_DATA_CONTINUE;
    if (!end)
        return NU_DATA_STOP_AND_BUFFER;
    nu_headers_set(h, NU_STR(":path"), NU_STR("/again"));
    return nu_filter_recreate_stream(self) ? NU_DATA_STOP_NO_BUFFER : NU_DATA_CONTINUE;
}

/* --- The response ----------------------------------------------------------------------------- */

static void show_config(struct nu_filter *self, struct nu_headers *h)
{
    const struct settings *settings = self->config;
    char text[100];
    nu_headers_set(h, NU_STR("x-json"), settings->json);
    snprintf(text, sizeof(text), "%.*s %g %d", NU_STR_ARG(settings->text), settings->number,
             settings->yes);
    nu_headers_set(h, NU_STR("x-members"), nu_str_from(text));
}

static enum nu_headers_status encode_headers(struct nu_filter *self, struct nu_headers *h, bool end)
{
    struct services *s = services_of(self);
    const struct settings *routed = self->route_config;
    char count[24];
    (void)end;
    snprintf(count, sizeof(count), "%u", ((struct counter *)self->worker)->requests);
    nu_headers_set(h, NU_STR("x-count"), nu_str_from(count));
    if (does(s, "config"))
        show_config(self, h);
    if (does(s, "reroute") && routed)
        nu_headers_set(h, NU_STR("x-route-text"), routed->text);
    if (s->outcome[0])
        nu_headers_set(h, NU_STR("x-call"), nu_str_from(s->outcome));
    if (does(s, "response-trailers"))
        nu_headers_remove(h, NU_STR("content-length"));
    return NU_HEADERS_CONTINUE;
}

static enum nu_data_status encode_data(struct nu_filter *self, struct nu_buf *data, bool end)
{
    (void)data;
    if (end && does(services_of(self), "response-trailers"))
        nu_headers_add(nu_filter_add_encoded_trailers(self), NU_STR("x-made"),
                       NU_STR("by a filter"));
    return NU_DATA_CONTINUE;
}

static void close_filter(struct nu_filter *self)
{
    if (services_of(self)->handle)
        nu_filter_call_cancel(services_of(self)->handle);
    if (services_of(self)->waiting)
        nu_filter_log(self, 4, NU_STR("closed while waiting"));
}

/* --- Configuration and threads ---------------------------------------------------------------- */

static const void *config_create(struct nu_plugin_config *config)
{
    struct settings *settings = calloc(1, sizeof(*settings));
    struct nu_str fail = {NULL, 0};
    settings->json = nu_plugin_config_json(config);
    nu_plugin_config_string(config, "text", &settings->text);
    nu_plugin_config_number(config, "nested.number", &settings->number);
    nu_plugin_config_bool(config, "nested.yes", &settings->yes);
    nu_plugin_config_string(config, "fail", &fail);
    if (fail.ptr) {
        free(settings);
        return NULL;
    }
    char *json = nu_plugin_config_alloc(config, settings->json.len);
    memcpy(json, settings->json.ptr, settings->json.len);
    settings->json.ptr = json;
    return settings;
}

static void config_destroy(const void *config)
{
    fprintf(stderr, "config destroyed\n");
    free((void *)(uintptr_t)config);
}

static void worker_close(void *worker, const void *config)
{
    (void)config;
    fprintf(stderr, "worker closed after %u\n", ((struct counter *)worker)->requests);
}

static const struct nu_filter_class services = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "services",
    .instance_size = sizeof(struct services),
    .config_create = config_create,
    .config_destroy = config_destroy,
    .worker_size = sizeof(struct counter),
    .worker_close = worker_close,
    .close = close_filter,
    .decode_headers = decode_headers,
    .decode_data = decode_data,
    .encode_headers = encode_headers,
    .encode_data = encode_data,
};

static const struct nu_filter_class bare = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "bare",
    .instance_size = sizeof(struct nu_filter),
};

NUNCIO_PLUGIN(&services, &bare)
