/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter that calls clusters as the headers of a request say, for tests/e2e/test_wasm_callouts.py:
 * `call` names the cluster, `method`, `path`, `authority`, `body`, `timeout`, `trailers`, `times`,
 * `omit`, `xname` and `xvalue` the call, `then` what is done with its answer. A `tick` is a call from there.
 */
#include "proxy_wasm.h"

enum { WAITING_MAX = 64, TEXT_MAX = 64 * 1024 };

struct wish { /* of a request that waits for its calls */
    uint32_t context;
    uint32_t left;
    char then[16];
    char cluster[64];
};

static struct wish wishes[WAITING_MAX];
static struct { /* which call is whose; by its token, whole */
    uint32_t token;
    struct wish *wish;
} calls[WAITING_MAX * 4];
static bool tick_calls;
static char tick_cluster[64];

/* --- Texts --------------------------------------------------------------------------------------- */

static char out[TEXT_MAX];
static size_t out_size;

static void add(struct text text)
{
    for (size_t i = 0; i < text.size && out_size < sizeof(out); i++)
        out[out_size++] = text.ptr[i];
}

static void say(const char *literal)
{
    add((struct text){(char *)literal, length_(literal)});
}

static void say_number(const char *literal, uint64_t n)
{
    say(literal);
    add(number(n));
}

static void keep(char *to, size_t size, struct text text)
{
    size_t n = text.size < size ? text.size : size - 1;
    for (size_t i = 0; i < n; i++)
        to[i] = text.ptr[i];
    to[n] = '\0';
}

static struct text asked(const char *name, const char *otherwise)
{
    struct text value = header(REQUEST_HEADERS, name);
    return value.ptr ? value : (struct text){(char *)otherwise, length_(otherwise)};
}

static uint32_t number_of(struct text text)
{
    uint32_t n = 0;
    for (size_t i = 0; i < text.size; i++)
        n = n * 10 + (uint32_t)(text.ptr[i] - '0');
    return n;
}

/* --- Pairs --------------------------------------------------------------------------------------- */

static char pairs[4096];
static struct text names[16];
static struct text values[16];
static size_t pair_count;

static void put(const char *name, struct text value)
{
    names[pair_count] = (struct text){(char *)name, length_(name)};
    values[pair_count++] = value;
}

static void put_u32(size_t at, size_t n)
{
    for (int i = 0; i < 4; i++)
        pairs[at + i] = (char)(n >> 8 * i);
}

/* Encodes what was put; the next ones begin anew. */
static size_t encode(void)
{
    size_t at = 4 + 8 * pair_count;
    put_u32(0, pair_count);
    for (size_t i = 0; i < pair_count; i++) {
        struct text parts[2] = {names[i], values[i]};
        for (int part = 0; part < 2; part++) {
            put_u32(4 + 8 * i + 4 * (size_t)part, parts[part].size);
            memcpy(pairs + at, parts[part].ptr, parts[part].size);
            at += parts[part].size;
            pairs[at++] = '\0';
        }
    }
    pair_count = 0;
    return at;
}

/* --- Calls --------------------------------------------------------------------------------------- */

static void note(uint32_t token, struct wish *wish)
{
    for (size_t i = 0; i < WAITING_MAX * 4; i++) {
        if (calls[i].token)
            continue;
        calls[i].token = token;
        calls[i].wish = wish;
        return;
    }
}

/* A call without ado. */
static int call(const char *cluster, const char *path, uint32_t timeout, uint32_t *token)
{
    put(":method", (struct text){"GET", 3});
    put(":path", (struct text){(char *)path, length_(path)});
    put(":authority", (struct text){"called", 6});
    size_t size = encode();
    return proxy_http_call(cluster, length_(cluster), pairs, size, NULL, 0, NULL, 0, (int)timeout,
                           token);
}

/* The call that the request's headers ask for. */
static int call_as_asked(uint32_t *token)
{
    char trailers[256];
    size_t trailers_size = 0;
    struct text cluster = asked("call", "");
    struct text body =
        is(asked("body", ""), "long") ? (struct text){out, sizeof(out)} : asked("body", "");
    struct text omitted = asked("omit", "");
    int timeout = (int)number_of(asked("timeout", "0"));
    if (asked("trailers", "").size) {
        put("x-end", asked("trailers", ""));
        trailers_size = encode();
        memcpy(trailers, pairs, trailers_size);
    }
    if (!is(omitted, ":method"))
        put(":method", asked("method", "GET"));
    if (!is(omitted, ":path"))
        put(":path", asked("path", "/call"));
    if (!is(omitted, ":authority"))
        put(is(asked("authority", ""), "by-host") ? "host" : ":authority",
            asked("authority", "called"));
    put("X-Sent", (struct text){"by guest", 8});
    if (is(asked("extra", ""), "broken"))
        put("extra", (struct text){"a\r\nb: c", 7});
    if (asked("xname", "").size) {
        static char name[64];
        keep(name, sizeof(name), asked("xname", ""));
        put(name, asked("xvalue", ""));
    }
    if (asked("length", "").size)
        put("content-length", asked("length", ""));
    size_t size = encode();
    if (is(omitted, "time"))
        timeout = -1;
    if (is(omitted, "token"))
        token = (uint32_t *)0xfffffffd;
    if (is(omitted, "memory"))
        size = 0x7fffffff;
    return proxy_http_call(cluster.ptr, cluster.size, pairs, size, body.ptr, body.size, trailers,
                           trailers_size, timeout, token);
}

static void reply(int status)
{
    proxy_send_local_response(status, LITERAL("by guest"), out, out_size, NULL, 0, -1);
    out_size = 0;
}

PROXY_EXPORT(proxy_on_request_headers) int on_request_headers(uint32_t id, uint32_t n, int end)
{
    (void)n, (void)end;
    uint32_t times = number_of(asked("times", "1"));
    struct wish *wish = wishes;
    uint32_t token = 0;
    if (asked("tick", "").size) {
        keep(tick_cluster, sizeof(tick_cluster), asked("tick", ""));
        tick_calls = true;
        proxy_set_tick_period_milliseconds(10);
    }
    if (!asked("call", "").size)
        return CONTINUE;
    if (is(asked("then", ""), "flood")) { /* as many as there may be */
        uint32_t made = 0;
        while (made < times && call_as_asked(&token) == 0)
            made++;
        out_size = 0;
        say_number("made ", made);
        reply(200);
        return PAUSE;
    }
    while (wish->left)
        wish++;
    wish->context = id;
    keep(wish->then, sizeof(wish->then), asked("then", ""));
    keep(wish->cluster, sizeof(wish->cluster), asked("call", ""));
    out_size = 0;
    for (; times; times--) {
        int status = call_as_asked(&token);
        if (status) {
            say("refused ");
            add(number((uint64_t)status));
            say("\n");
        } else {
            note(token, wish);
            wish->left++;
        }
    }
    if (wish->left == 0)
        reply(500);
    return PAUSE;
}

/* --- Answers ------------------------------------------------------------------------------------- */

/* Every pair of a map, a line each. */
static void say_map(int map)
{
    char *bytes = NULL;
    size_t size = 0;
    int status = proxy_get_header_map_pairs(map, &bytes, &size);
    if (status || size == 0)
        return;
    uint32_t count = *(uint32_t *)bytes;
    char *at = bytes + 4 + 8 * count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *lengths = (uint32_t *)(bytes + 4 + 8 * i);
        say(i ? " | " : " ");
        struct text name = {at, lengths[0]};
        add(name);
        say("=");
        if (is(name, "x-envoy-upstream-service-time"))
            say("N"); /* milliseconds */
        else
            add((struct text){at + lengths[0] + 1, lengths[1]});
        at += lengths[0] + lengths[1] + 2;
    }
}

static void describe(uint32_t token, uint32_t headers, uint32_t body, uint32_t trailers)
{
    struct text message = {0};
    struct text bytes = {0};
    uint32_t code = 0;
    int status = proxy_get_status(&code, &message.ptr, &message.size);
    say_number("token ", token);
    say_number(" headers ", headers);
    say_number(" body ", body);
    say_number(" trailers ", trailers);
    say_number(" got ", (uint64_t)status);
    say_number(" code ", code);
    say(" message ");
    add(message);
    say("\nheaders");
    say_map(CALL_HEADERS);
    status = proxy_get_buffer_bytes(CALL_BODY, 0, 100, &bytes.ptr, &bytes.size);
    say_number("\nbody ", (uint64_t)status);
    say(" ");
    add(bytes);
    say("\ntrailers");
    say_map(CALL_TRAILERS);
    say("\n");
}

/* What may be done with an answer, and what not. */
static void try_everything(const char *when)
{
    char *bytes;
    size_t size;
    int flags;
    say(when);
    say_number(" value ", (uint64_t)proxy_get_header_map_value(CALL_HEADERS, LITERAL(":status"),
                                                               &bytes, &size));
    say_number(" none ",
               (uint64_t)proxy_get_header_map_value(CALL_HEADERS, LITERAL("none"), &bytes, &size));
    say_number(" trailer ",
               (uint64_t)proxy_get_header_map_value(CALL_TRAILERS, LITERAL("none"), &bytes, &size));
    say_number(" pairs ", (uint64_t)proxy_get_header_map_pairs(CALL_HEADERS, &bytes, &size));
    say_number(" of ", size != 0);
    say_number(" add ",
               (uint64_t)proxy_add_header_map_value(CALL_HEADERS, LITERAL("a"), LITERAL("b")));
    say_number(" set ", (uint64_t)proxy_set_header_map_pairs(CALL_TRAILERS, "", 0));
    say_number(" bytes ", (uint64_t)proxy_get_buffer_bytes(CALL_BODY, 0, 1, &bytes, &size));
    say_number(" length ", (uint64_t)proxy_get_buffer_status(CALL_BODY, &size, &flags));
    say_number(" write ", (uint64_t)proxy_set_buffer_bytes(CALL_BODY, 0, 0, LITERAL("x")));
    say_number(" grpc ", (uint64_t)proxy_get_buffer_bytes(5, 0, 1, &bytes, &size));
    say("\n");
}

static void answer(struct wish *wish)
{
    struct text then = {wish->then, length_(wish->then)};
    int status = proxy_set_effective_context(wish->context);
    if (is(then, "gone"))
        log_("effective ", number((uint64_t)status));
    if (status)
        return;
    if (is(then, "go"))
        proxy_continue_stream(0);
    else if (is(then, "respond"))
        proxy_continue_stream(1);
    else
        reply(200);
}

PROXY_EXPORT(proxy_on_http_call_response)
void on_http_call_response(uint32_t root, uint32_t token, uint32_t headers, uint32_t body,
                           uint32_t trailers)
{
    struct wish *wish = NULL;
    log_("answer to root ", number(root));
    for (size_t i = 0; i < WAITING_MAX * 4 && !wish; i++) {
        if (calls[i].token != token)
            continue;
        wish = calls[i].wish;
        calls[i].token = 0;
    }
    describe(token, headers, body, trailers);
    if (!wish || !wish->left)
        return;
    struct text then = {wish->then, length_(wish->then)};
    wish->left--;
    if (is(then, "trap"))
        __builtin_trap();
    if (is(then, "everything"))
        try_everything("within");
    if (is(then, "again")) {
        wish->then[0] = '\0';
        int status = call(wish->cluster, "/again", 0, &token);
        say_number("again ", (uint64_t)status);
        say("\n");
        note(token, wish);
        wish->left += status == 0;
    }
    if (wish->left == 0)
        answer(wish);
}

PROXY_EXPORT(proxy_on_response_headers) int on_response_headers(uint32_t id, uint32_t n, int end)
{
    struct text then;
    (void)id, (void)n, (void)end;
    for (struct wish *wish = wishes; wish < wishes + WAITING_MAX; wish++) {
        then = (struct text){wish->then, length_(wish->then)};
        if (wish->context != id || !is(then, "everything"))
            continue;
        out_size = 0;
        try_everything("after");
        out[out_size - 1] = '\0';
        proxy_add_header_map_value(RESPONSE_HEADERS, LITERAL("tried"), out, out_size - 1);
    }
    if (is(header(RESPONSE_HEADERS, "pause"), "1")) { /* the answer to this lets it go */
        struct wish *wish = &wishes[WAITING_MAX - 1];
        uint32_t token = 0;
        wish->context = id;
        keep(wish->then, sizeof(wish->then), (struct text){"respond", 7});
        if (call("called", "/from-response", 0, &token) == 0) {
            note(token, wish);
            wish->left = 1;
            return PAUSE;
        }
    }
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_tick) void on_tick(uint32_t id)
{
    uint32_t token = 0;
    (void)id;
    if (tick_calls && call(tick_cluster, "/from-tick", 0, &token) == 0)
        log_("tick calls ", number(token));
    tick_calls = false;
    proxy_set_tick_period_milliseconds(0);
}
