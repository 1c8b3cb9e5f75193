/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exchange whose events are written down as text:
 *
 *     "200", "200 end", "[ok]" (body bytes), "end", "103", "trailers",
 *     "failed: connection termination", "failed: timeout", ..., "try 2", "try 2 after a timeout"
 *
 * separated by blanks; "(late)" marks a failure after the response began.
 */
#ifndef NU_TESTS_HARNESS_EXCHANGE_H
#define NU_TESTS_HARNESS_EXCHANGE_H

#include "client/exchange.h"
#include "harness/cluster.h"

struct exchange_client {
    struct nu_exchange exchange;
    struct nu_arena arena;
    struct nu_stream_info info;
    struct nu_headers headers;
    struct nu_strbuf events;
    bool over;
    unsigned above_high;
    unsigned below_low;
    /* Called after each event; may be NULL. */
    void (*on_event)(struct exchange_client *client);
};

static inline struct exchange_client *exchange_client_of_(struct nu_exchange *exchange)
{
    return nu_container_of(exchange, struct exchange_client, exchange);
}

static inline void exchange_event_(struct exchange_client *client, bool over, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (client->events.len)
        nu_strbuf_add_char(&client->events, ' ');
    nu_strbuf_addv(&client->events, fmt, args);
    va_end(args);
    assert_false(client->over);
    client->over = over;
    if (client->on_event)
        client->on_event(client);
}

static inline void exchange_on_1xx_(struct nu_exchange *exchange, struct nu_headers *headers)
{
    exchange_event_(exchange_client_of_(exchange), false, "%.*s",
                    NU_STR_ARG(nu_headers_get(headers, NU_STR(":status"))));
}

static inline void exchange_on_headers_(struct nu_exchange *exchange, struct nu_headers *headers,
                                        bool end)
{
    exchange_event_(exchange_client_of_(exchange), end, "%.*s%s",
                    NU_STR_ARG(nu_headers_get(headers, NU_STR(":status"))), end ? " end" : "");
}

static inline void exchange_on_data_(struct nu_exchange *exchange, struct nu_buf *data, bool end)
{
    char bytes[256];
    size_t n = nu_buf_copy_out(data, 0, bytes, sizeof(bytes));
    struct exchange_client *client = exchange_client_of_(exchange);
    if (n)
        exchange_event_(client, end, "[%.*s]%s", (int)n, bytes, end ? " end" : "");
    else
        exchange_event_(client, end, "end");
}

static inline void exchange_on_trailers_(struct nu_exchange *exchange, struct nu_headers *trailers)
{
    (void)trailers;
    exchange_event_(exchange_client_of_(exchange), true, "trailers");
}

static inline void exchange_on_failed_(struct nu_exchange *exchange,
                                       const struct nu_exchange_failure *failure)
{
    struct nu_str why = NU_STR("?");
    switch (failure->kind) {
    case NU_EXCHANGE_NO_HOST:
        why = NU_STR("no host");
        break;
    case NU_EXCHANGE_RESET:
        why = nu_reset_reason_text(failure->reason);
        break;
    case NU_EXCHANGE_TIMEOUT:
        why = NU_STR("timeout");
        break;
    case NU_EXCHANGE_TRY_TIMEOUT:
        why = NU_STR("try timeout");
        break;
    case NU_EXCHANGE_TRY_IDLE:
        why = NU_STR("try idle");
        break;
    case NU_EXCHANGE_BODY_LIMIT:
        why = NU_STR("body limit");
        break;
    case NU_EXCHANGE_MAX_DURATION:
        why = NU_STR("max duration");
        break;
    case NU_EXCHANGE_NOT_UPGRADED:
        why = NU_STR("not upgraded");
        break;
    }
    exchange_event_(exchange_client_of_(exchange), true, "failed: %.*s%s%.*s%s", NU_STR_ARG(why),
                    failure->transport_failure.len ? ", " : "",
                    NU_STR_ARG(failure->transport_failure),
                    failure->response_started ? " (late)" : "");
}

static inline void exchange_on_above_high_(struct nu_exchange *exchange)
{
    exchange_client_of_(exchange)->above_high++;
}

static inline void exchange_on_below_low_(struct nu_exchange *exchange)
{
    exchange_client_of_(exchange)->below_low++;
}

static inline void exchange_on_retry_(struct nu_exchange *exchange, bool after_timeout)
{
    exchange_event_(exchange_client_of_(exchange), false, "try %u%s",
                    exchange->info->upstream.attempt_count,
                    after_timeout ? " after a timeout" : "");
}

static const struct nu_exchange_ops exchange_ops_ = {
    .on_retry = exchange_on_retry_,
    .on_1xx = exchange_on_1xx_,
    .on_headers = exchange_on_headers_,
    .on_data = exchange_on_data_,
    .on_trailers = exchange_on_trailers_,
    .on_failed = exchange_on_failed_,
    .on_above_high = exchange_on_above_high_,
    .on_below_low = exchange_on_below_low_,
};

/* Makes METHOD / HTTP/1.1 with `host: a`, to which a test may add headers. */
static inline void exchange_prepare(struct exchange_client *client, const char *method)
{
    memset(client, 0, sizeof(*client));
    nu_arena_init(&client->arena);
    nu_headers_init(&client->headers, &client->arena, 8);
    nu_headers_add(&client->headers, NU_STR(":method"), nu_str_from(method));
    nu_headers_add(&client->headers, NU_STR(":path"), NU_STR("/"));
    nu_headers_add(&client->headers, NU_STR(":scheme"), NU_STR("http"));
    nu_headers_add(&client->headers, NU_STR(":authority"), NU_STR("a"));
    client->info.arena = &client->arena;
    client->exchange.ops = &exchange_ops_;
    client->exchange.arena = &client->arena;
    client->exchange.info = &client->info;
}

/* Begins what was prepared; without `end` a body follows. */
static inline void exchange_begin(struct exchange_client *client,
                                  const struct nu_exchange_params *params, bool end)
{
    client->exchange.params = *params;
    nu_exchange_start(&client->exchange, &client->headers, end);
}

/* Both at once. `on_event` may be NULL. */
static inline void exchange_start_with(struct exchange_client *client,
                                       const struct nu_exchange_params *params, const char *method,
                                       bool end, void (*on_event)(struct exchange_client *client))
{
    exchange_prepare(client, method);
    client->on_event = on_event;
    exchange_begin(client, params, end);
}

static inline void exchange_start(struct exchange_client *client,
                                  const struct nu_exchange_params *params, const char *method,
                                  bool end)
{
    exchange_start_with(client, params, method, end, NULL);
}

static inline void exchange_send(struct exchange_client *client, const char *text, bool end)
{
    struct nu_buf data;
    nu_buf_init(&data);
    nu_buf_append(&data, nu_str_from(text));
    nu_exchange_send_data(&client->exchange, &data, end);
}

static inline bool exchange_wait(struct nu_loop *loop, struct exchange_client *client)
{
    return harness_wait_flag(loop, &client->over);
}

/* Cancels what still runs, after which no event may come, and frees. */
static inline void exchange_finish(struct exchange_client *client)
{
    nu_exchange_cancel(&client->exchange);
    client->over = true;
    nu_strbuf_finish(&client->events);
    nu_arena_finish(&client->arena);
}

#endif
