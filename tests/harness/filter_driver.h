/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter chain without a connection: plays the client and the upstream of one request, and writes
 * down what reaches each of them.
 *
 *     struct driver d;
 *     driver_open(&d, filters, count, limit);      the filters in front of the driver's upstream
 *     driver_request(&d, &message);                the client sends
 *     driver_respond(&d, &message);                the upstream answers
 *     assert_str(driver_upstream(&d), "headers :method=POST ...; data abc; end;");
 *     driver_close(&d);
 *
 * The driver is strict where filters and the chain must be: parts in their order, one end, nothing
 * behind it, every hold let go, log and close once and last. Time is the fake clock; driver_wait
 * lets timers and calls come.
 */
#ifndef NU_TESTS_HARNESS_FILTER_DRIVER_H
#define NU_TESTS_HARNESS_FILTER_DRIVER_H

#include "harness/test.h"

#include "base/clock.h"
#include "event/timer.h"
#include "filter/chain.h"
#include "http/status.h"

struct driver_header {
    const char *name;
    const char *value;
};

/* A request or a response. */
struct driver_message {
    const struct driver_header *headers; /* ends with a NULL name; may be NULL */
    const char *body;                    /* NULL: none, the headers are the end */
    uint32_t cuts;                       /* bit i: a new piece begins behind byte i of the body */
    bool empty_end;                      /* the end comes alone, behind the last byte */
    bool trailers;                       /* "x-trailer: t" ends it */
};

/* One side of a message as it arrived somewhere. */
struct driver_side {
    struct nu_strbuf text; /* headers and trailers */
    struct nu_strbuf body;
    bool has_headers;
    bool has_trailers;
    bool ended;
};

struct driver_upstream {
    struct nu_filter base;
};

struct driver {
    struct nu_filter_chain chain;
    struct nu_filter_chain_config config;
    struct nu_filter_entry entries[NU_FILTERS_MAX];
    struct nu_arena config_arena;
    struct nu_arena *arena;
    struct nu_loop *loop;
    struct nu_stream_info info;
    struct nu_connection_info connection;
    struct nu_headers request_headers;
    struct nu_headers request_trailers;
    struct nu_headers response_headers;
    struct nu_headers response_trailers;
    struct nu_route_match route;
    struct driver_side upstream; /* the request as it left the filters */
    struct driver_side client;   /* the response as it left the filters */
    struct driver_upstream *terminal;
    const struct nu_filter_route_config *route_config; /* of the filter called route_filter */
    const char *route_filter;
    bool route_disables;
    int request_held;
    int response_held;
    unsigned interim; /* 1xx that the client got */
    unsigned too_large[2];
    unsigned routed; /* how often the route was looked up again */
    unsigned recreated;
    struct nu_buf recreated_body;
    bool reset;
    bool over;
    void (*between)(struct driver *d);  /* called before each piece of a message; may be NULL */
    void (*on_stuck)(struct driver *d); /* whoever holds a sender must let it go; may be NULL */
    void *user;
};

static inline struct driver *driver_of_chain(struct nu_filter_chain *chain)
{
    return nu_container_of(chain, struct driver, chain);
}

/* --- What arrives ----------------------------------------------------------------------------- */

static inline void driver_note_headers(struct driver_side *side, const char *kind,
                                       const struct nu_headers *headers)
{
    nu_strbuf_add(&side->text, nu_str_from(kind));
    size_t cursor = 0;
    struct nu_str name, value;
    while (nu_headers_next(headers, &cursor, &name, &value))
        nu_strbuf_addf(&side->text, " %.*s=%.*s", NU_STR_ARG(name), NU_STR_ARG(value));
    nu_strbuf_add(&side->text, NU_STR(";"));
}

static inline void driver_take_headers(struct driver_side *side, const struct nu_headers *headers,
                                       bool end)
{
    assert_false(side->has_headers);
    assert_false(side->ended);
    side->has_headers = true;
    side->ended = end;
    driver_note_headers(side, "headers", headers);
}

static inline void driver_take_data(struct driver_side *side, struct nu_buf *data, bool end)
{
    assert_true(side->has_headers);
    assert_false(side->ended);
    assert_false(side->has_trailers);
    char bytes[256];
    while (data->len) {
        size_t n = nu_buf_copy_out(data, 0, bytes, sizeof(bytes));
        nu_strbuf_add(&side->body, nu_str_make(bytes, n));
        nu_buf_drain(data, n);
    }
    side->ended = end;
}

static inline void driver_take_trailers(struct driver_side *side, const struct nu_headers *trailers)
{
    assert_true(side->has_headers);
    assert_false(side->ended);
    side->has_trailers = true;
    side->ended = true;
    driver_note_headers(side, " trailers", trailers);
}

/* "headers a=b; data xyz; trailers c=d; end" */
static inline void driver_describe(const struct driver_side *side, struct nu_strbuf *out)
{
    if (!side->has_headers) {
        nu_strbuf_add(out, NU_STR("nothing"));
        return;
    }
    nu_strbuf_addf(out, "%.*s data %.*s;%s", NU_STR_ARG(nu_strbuf_str(&side->text)),
                   NU_STR_ARG(nu_strbuf_str(&side->body)), side->ended ? " end" : "");
}

/* --- The upstream: the last filter ------------------------------------------------------------ */

static inline enum nu_headers_status driver_up_headers(struct nu_filter *self,
                                                       struct nu_headers *headers, bool end)
{
    driver_take_headers(&driver_of_chain(self->chain)->upstream, headers, end);
    return NU_HEADERS_STOP;
}

static inline enum nu_data_status driver_up_data(struct nu_filter *self, struct nu_buf *data,
                                                 bool end)
{
    driver_take_data(&driver_of_chain(self->chain)->upstream, data, end);
    return NU_DATA_STOP_NO_BUFFER;
}

static inline enum nu_trailers_status driver_up_trailers(struct nu_filter *self,
                                                         struct nu_headers *trailers)
{
    driver_take_trailers(&driver_of_chain(self->chain)->upstream, trailers);
    return NU_TRAILERS_STOP;
}

static inline void driver_up_high(struct nu_filter *self)
{
    driver_of_chain(self->chain)->response_held++;
}

static inline void driver_up_low(struct nu_filter *self)
{
    driver_of_chain(self->chain)->response_held--;
}

static const struct nu_filter_class driver_upstream_class = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "test.upstream",
    .instance_size = sizeof(struct driver_upstream),
    .is_terminal = true,
    .decode_headers = driver_up_headers,
    .decode_data = driver_up_data,
    .decode_trailers = driver_up_trailers,
    .on_downstream_high = driver_up_high,
    .on_downstream_low = driver_up_low,
};

/* --- The client: behind the first filter ------------------------------------------------------ */

static inline void driver_end(struct driver *d)
{
    if (d->over)
        return;
    d->over = true;
    nu_chain_abort(&d->chain);
    nu_chain_log(&d->chain);
    nu_chain_close(&d->chain);
    assert_int_equal(d->request_held, 0);
}

static inline void driver_op_1xx(struct nu_filter_chain *chain, struct nu_headers *headers)
{
    (void)headers;
    struct driver *d = driver_of_chain(chain);
    assert_false(d->client.has_headers);
    d->interim++;
}

static inline void driver_op_headers(struct nu_filter_chain *chain, struct nu_headers *headers,
                                     bool end)
{
    struct driver *d = driver_of_chain(chain);
    assert_false(d->over);
    driver_take_headers(&d->client, headers, end);
    d->info.response_code = nu_status_parse(nu_headers_get_id(headers, NU_HEADER_STATUS));
    if (end)
        driver_end(d);
}

static inline void driver_op_data(struct nu_filter_chain *chain, struct nu_buf *data, bool end)
{
    struct driver *d = driver_of_chain(chain);
    assert_false(d->over);
    driver_take_data(&d->client, data, end);
    if (end)
        driver_end(d);
}

static inline void driver_op_trailers(struct nu_filter_chain *chain, struct nu_headers *trailers)
{
    struct driver *d = driver_of_chain(chain);
    assert_false(d->over);
    driver_take_trailers(&d->client, trailers);
    driver_end(d);
}

static inline void driver_op_reply(struct nu_filter_chain *chain, const struct nu_reply *reply)
{
    struct driver *d = driver_of_chain(chain);
    assert_false(d->over);
    struct nu_headers *headers = nu_arena_alloc(d->arena, sizeof(*headers));
    nu_headers_init(headers, d->arena, 8);
    char status[8];
    snprintf(status, sizeof(status), "%u", reply->status);
    nu_headers_add(headers, NU_STR(":status"), nu_str_from(status));
    for (size_t i = 0; i < reply->header_count; i++)
        nu_headers_set(headers, reply->headers[i].name, reply->headers[i].value);
    d->info.response_code_details = reply->details;
    struct nu_buf body = {0};
    nu_buf_append(&body, reply->body);
    nu_chain_encode_reply(chain, headers, &body);
    nu_buf_clear(&body);
}

static inline void driver_op_reset(struct nu_filter_chain *chain)
{
    struct driver *d = driver_of_chain(chain);
    d->reset = !d->over;
    driver_end(d);
}

static inline void driver_op_too_large(struct nu_filter_chain *chain, enum nu_direction dir)
{
    driver_of_chain(chain)->too_large[dir]++;
}

static inline void driver_op_hold(struct nu_filter_chain *chain)
{
    driver_of_chain(chain)->request_held++;
}

static inline void driver_op_release(struct nu_filter_chain *chain)
{
    struct driver *d = driver_of_chain(chain);
    d->request_held--;
    assert_true(d->request_held >= 0);
}

static inline const struct nu_filter_route_config *
driver_op_route_config(struct nu_filter_chain *chain, const struct nu_filter_entry *entry,
                       bool *disabled)
{
    struct driver *d = driver_of_chain(chain);
    if (!d->route_filter || !nu_str_eq(entry->name, nu_str_from(d->route_filter)))
        return NULL;
    *disabled = d->route_disables;
    return d->route_config;
}

static inline const struct nu_route_match *driver_op_route(struct nu_filter_chain *chain)
{
    return &driver_of_chain(chain)->route;
}

static inline void driver_op_clear_route(struct nu_filter_chain *chain)
{
    driver_of_chain(chain)->routed++;
}

static inline bool driver_op_can_recreate(struct nu_filter_chain *chain)
{
    return driver_of_chain(chain)->recreated == 0;
}

static inline void driver_op_recreate(struct nu_filter_chain *chain, struct nu_buf *body,
                                      struct nu_headers *response)
{
    struct driver *d = driver_of_chain(chain);
    (void)response;
    d->recreated++;
    nu_buf_move_all(&d->recreated_body, body);
}

static const struct nu_filter_chain_ops driver_ops = {
    .encode_1xx = driver_op_1xx,
    .encode_headers = driver_op_headers,
    .encode_data = driver_op_data,
    .encode_trailers = driver_op_trailers,
    .reply = driver_op_reply,
    .reset = driver_op_reset,
    .on_too_large = driver_op_too_large,
    .hold_request = driver_op_hold,
    .release_request = driver_op_release,
    .route_config = driver_op_route_config,
    .route = driver_op_route,
    .clear_route_cache = driver_op_clear_route,
    .can_recreate = driver_op_can_recreate,
    .recreate = driver_op_recreate,
};

/* --- Use -------------------------------------------------------------------------------------- */

static inline void driver_start_chain(struct driver *d, uint32_t limit)
{
    nu_chain_open(&d->chain, &d->config, &driver_ops, d->loop, d->arena, &d->info, limit);
    d->terminal = (struct driver_upstream *)d->chain.filters[d->config.count - 1];
}

/* `limit`: of what filters may keep, in bytes. */
static inline void driver_open(struct driver *d, const struct nu_filter_entry *filters,
                               size_t count, uint32_t limit)
{
    memset(d, 0, sizeof(*d));
    if (!nu_clock_is_fake())
        nu_clock_fake_install(1000000, 1700000000000000);
    d->loop = nu_loop_create();
    nu_arena_init(&d->config_arena);
    d->arena = nu_arena_create();
    d->info.arena = d->arena;
    d->info.connection = &d->connection;
    d->info.protocol = NU_PROTOCOL_HTTP11;
    memcpy(d->entries, filters, count * sizeof(*filters));
    d->entries[count] =
        (struct nu_filter_entry){.cls = &driver_upstream_class, .name = NU_STR("upstream")};
    nu_filter_chain_config_init(&d->config, &d->config_arena, d->entries, (uint8_t)(count + 1));
    driver_start_chain(d, limit);
}

static inline void driver_close(struct driver *d)
{
    driver_end(d);
    nu_loop_run_once(d->loop);
    nu_buf_clear(&d->recreated_body);
    nu_arena_destroy(&d->arena);
    nu_arena_finish(&d->config_arena);
    nu_strbuf_finish(&d->upstream.text);
    nu_strbuf_finish(&d->upstream.body);
    nu_strbuf_finish(&d->client.text);
    nu_strbuf_finish(&d->client.body);
    nu_loop_destroy(&d->loop);
}

static inline void driver_nothing(struct nu_task *task)
{
    (void)task;
}

/* Lets `ms` pass, with everything that is due meanwhile. */
static inline void driver_wait(struct driver *d, unsigned ms)
{
    for (unsigned i = 0; i < ms; i++) {
        struct nu_task wake = {.fn = driver_nothing}; /* the loop looks at its timers when woken */
        nu_loop_run_once(d->loop);
        nu_clock_fake_advance(1000);
        nu_loop_post(d->loop, &wake);
        nu_loop_run_once(d->loop);
    }
}

static inline void driver_fill(struct driver *d, struct nu_headers *headers,
                               const struct driver_header *list)
{
    nu_headers_init(headers, d->arena, 8);
    for (; list && list->name; list++)
        nu_headers_add(headers, nu_str_from(list->name), nu_str_from(list->value));
}

/* A sender that is held back waits; whoever holds it is asked to let go. */
static inline bool driver_may_send(struct driver *d, const int *held)
{
    nu_loop_run_once(d->loop);
    if (d->between && !d->over)
        d->between(d);
    for (int tries = 0; *held && !d->over && tries < 10; tries++) {
        if (d->on_stuck)
            d->on_stuck(d);
        driver_wait(d, 5);
    }
    if (!d->over)
        assert_int_equal(*held, 0);
    return !d->over;
}

/* Calls `send` for each piece of the body, the last one with the end unless trailers follow. */
static inline void driver_send_body(struct driver *d, const struct driver_message *message,
                                    const int *held,
                                    void (*send)(struct driver *d, struct nu_buf *data, bool end))
{
    size_t len = strlen(message->body);
    size_t from = 0;
    for (size_t at = 1; at <= len; at++) {
        bool is_last = at == len;
        if (!is_last && !(message->cuts >> (at - 1) & 1))
            continue;
        struct nu_buf data = {0};
        nu_buf_append(&data, nu_str_make(message->body + from, at - from));
        from = at;
        if (driver_may_send(d, held))
            send(d, &data, is_last && !message->trailers && !message->empty_end);
        nu_buf_clear(&data);
    }
    struct nu_buf nothing = {0};
    if ((message->empty_end || len == 0) && !message->trailers && driver_may_send(d, held))
        send(d, &nothing, true);
}

static inline void driver_send_request_data(struct driver *d, struct nu_buf *data, bool end)
{
    d->info.bytes_received += data->len;
    nu_chain_decode_data(&d->chain, data, end);
}

/* The client sends a request. */
static inline void driver_request(struct driver *d, const struct driver_message *message)
{
    driver_fill(d, &d->request_headers, message->headers);
    nu_chain_decode_headers(&d->chain, &d->request_headers, !message->body && !message->trailers);
    if (message->body)
        driver_send_body(d, message, &d->request_held, driver_send_request_data);
    if (!message->trailers || !driver_may_send(d, &d->request_held))
        return;
    driver_fill(d, &d->request_trailers,
                (struct driver_header[]){{"x-trailer", "t"}, {NULL, NULL}});
    nu_chain_decode_trailers(&d->chain, &d->request_trailers);
}

static inline void driver_send_response_data(struct driver *d, struct nu_buf *data, bool end)
{
    nu_chain_encode_data(&d->terminal->base, data, end);
}

/* The upstream answers; without `headers` with a 200. */
static inline void driver_respond(struct driver *d, const struct driver_message *message)
{
    static const struct driver_header ok[] = {{":status", "200"}, {NULL, NULL}};
    if (d->over)
        return;
    driver_fill(d, &d->response_headers, message->headers ? message->headers : ok);
    nu_chain_encode_headers(&d->terminal->base, &d->response_headers,
                            !message->body && !message->trailers);
    if (message->body)
        driver_send_body(d, message, &d->response_held, driver_send_response_data);
    if (!message->trailers || !driver_may_send(d, &d->response_held))
        return;
    driver_fill(d, &d->response_trailers,
                (struct driver_header[]){{"x-trailer", "t"}, {NULL, NULL}});
    nu_chain_encode_trailers(&d->terminal->base, &d->response_trailers);
}

static inline void driver_assert_side_(const struct driver_side *side, const char *expected,
                                       const char *file, int line)
{
    struct nu_strbuf text = {0};
    driver_describe(side, &text);
    nu_assert_str_(nu_strbuf_str(&text), nu_str_from(expected), file, line);
    nu_strbuf_finish(&text);
}
/* What the upstream (the client) got: "headers a=b; data xyz; end". */
#define assert_upstream(d, expected) \
    driver_assert_side_(&(d)->upstream, expected, __FILE__, __LINE__)
#define assert_client(d, expected) driver_assert_side_(&(d)->client, expected, __FILE__, __LINE__)

#endif
