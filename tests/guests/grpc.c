/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter that makes gRPC calls as the headers of a request say, and answers the request with what
 * became of them, a line each; the lines are logged as well. Steps are separated by ";", words in
 * them by blanks:
 *
 *     call METHOD TIMEOUT MESSAGE    stream METHOD
 *     send MESSAGE    end MESSAGE    close    cancel    hold    trap    deny
 *
 * The headers: "service" (a cluster's name, or "hex:" and a message), "do" (the steps), "on-initial",
 * "on-receive" and "on-close" (steps at each such event), "metadata" ("name=value,name=value"),
 * "token" (instead of the one that was given). The request is answered when nothing is awaited any
 * more, unless it is told to hold. A plug-in's configuration are steps for a tick, to "origin".
 */
#include "guest.h"

enum { TRANSCRIPT_MAX = 64 * 1024, VALUE_MAX = 4096, SHOWN_MAX = 64 };

static char transcript[TRANSCRIPT_MAX];
static size_t transcript_size;
static size_t line_start;

static char values[7][VALUE_MAX]; /* of the headers */
static struct text service, at_start, at_initial, at_receive, at_close, metadata, token_text;

static uint32_t request; /* that waits, or 0 */
static uint32_t token;   /* of the newest call or stream */
static int awaited;      /* calls and streams whose end is to come */
static bool holds;

/* --- The transcript ------------------------------------------------------------------------------ */

static void add(struct text text)
{
    for (size_t i = 0; i < text.size && transcript_size < TRANSCRIPT_MAX; i++)
        transcript[transcript_size++] = text.ptr[i];
}

static void say(const char *text)
{
    add((struct text){(char *)text, length_(text)});
}

static void say_number(uint64_t n)
{
    add(number(n));
}

static void end_line(void)
{
    log_("grpc ", (struct text){transcript + line_start, transcript_size - line_start});
    say("\n");
    line_start = transcript_size;
}

/* Whether it went well. */
static bool say_result(const char *what, int status)
{
    say(what);
    say(" -> ");
    say_number((uint64_t)status);
    end_line();
    return status == 0;
}

static bool is_call(uint32_t id)
{
    return (id & 3) == 1;
}

static uint32_t read_u32(const char *at)
{
    const unsigned char *b = (const unsigned char *)at;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void say_map(int map)
{
    char *pairs = NULL;
    size_t size = 0;
    if (proxy_get_header_map_pairs(map, &pairs, &size) != 0 || size == 0)
        return;
    uint32_t count = read_u32(pairs);
    const char *bytes = pairs + 4 + count * 8;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t name = read_u32(pairs + 4 + i * 8);
        uint32_t value = read_u32(pairs + 8 + i * 8);
        struct text key = {(char *)bytes, name};
        bool is_time = is(key, "x-envoy-upstream-service-time"); /* which differs each time */
        say(" ");
        add(key);
        say("=");
        add(is_time ? (struct text){"#", 1} : (struct text){(char *)bytes + name + 1, value});
        bytes += name + value + 2;
    }
}

/* --- Steps --------------------------------------------------------------------------------------- */

static uint32_t to_number(struct text text)
{
    uint32_t n = 0;
    for (size_t i = 0; i < text.size; i++)
        n = n * 10 + (uint32_t)(text.ptr[i] - '0');
    return n;
}

static struct text read_service(struct text text)
{
    if (!begins(text, "hex:"))
        return text;
    static char bytes[VALUE_MAX];
    struct text out = {bytes, 0};
    for (size_t i = 4; i + 1 < text.size; i += 2)
        bytes[out.size++] = (char)(digit(text.ptr[i]) << 4 | digit(text.ptr[i + 1]));
    return out;
}

static void put_u32(char *at, size_t n)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(n >> 8 * i);
}

static struct text encode_metadata(struct text list)
{
    static char bytes[VALUE_MAX * 2];
    struct text rest = list;
    size_t count = 0;
    if (is(list, "broken"))
        return (struct text){"\xff\xff\0\0", 4};
    while (rest.size) {
        cut(&rest, ',');
        count++;
    }
    put_u32(bytes, count);
    size_t at = 4 + count * 8;
    rest = list;
    for (size_t i = 0; i < count; i++) {
        struct text value = cut(&rest, ',');
        struct text name = cut(&value, '=');
        put_u32(bytes + 4 + i * 8, name.size);
        put_u32(bytes + 8 + i * 8, value.size);
        memcpy(bytes + at, name.ptr, name.size);
        bytes[at += name.size] = 0;
        memcpy(bytes + ++at, value.ptr, value.size);
        bytes[at += value.size] = 0;
        at++;
    }
    return (struct text){bytes, count ? at : 0};
}

static void note_start(const char *what, int status, uint32_t started)
{
    if (!say_result(what, status))
        return;
    token = started;
    awaited++;
}

static void start_call(struct text words)
{
    struct text to = read_service(service);
    struct text method = cut(&words, ' ');
    struct text timeout = cut(&words, ' ');
    struct text pairs = encode_metadata(metadata);
    uint32_t started = 77;
    int status =
        proxy_grpc_call(to.ptr, to.size, LITERAL("test.Test"), method.ptr, method.size, pairs.ptr,
                        pairs.size, words.ptr, words.size, to_number(timeout), &started);
    note_start("call", status, started);
}

static void start_stream(struct text method)
{
    struct text to = read_service(service);
    struct text pairs = encode_metadata(metadata);
    uint32_t started = 77;
    int status = proxy_grpc_stream(to.ptr, to.size, LITERAL("test.Test"), method.ptr, method.size,
                                   pairs.ptr, pairs.size, &started);
    note_start("stream", status, started);
}

static void deny(void)
{
    if (!request)
        return;
    proxy_set_effective_context(request);
    proxy_send_local_response(200, LITERAL("told"), transcript, transcript_size, NULL, 0, -1);
    request = 0;
}

static void step(struct text words)
{
    struct text verb = cut(&words, ' ');
    uint32_t to = token_text.size ? to_number(token_text) : token;
    if (is(verb, "call"))
        start_call(words);
    else if (is(verb, "stream"))
        start_stream(words);
    else if (is(verb, "send"))
        say_result("send", proxy_grpc_send(to, words.ptr, words.size, 0));
    else if (is(verb, "end"))
        say_result("end", proxy_grpc_send(to, words.ptr, words.size, 1));
    else if (is(verb, "close"))
        awaited -= say_result("close", proxy_grpc_close(to)) && is_call(to);
    else if (is(verb, "cancel"))
        awaited -= say_result("cancel", proxy_grpc_cancel(to));
    else if (is(verb, "hold"))
        holds = true;
    else if (is(verb, "deny"))
        deny();
    else if (is(verb, "trap"))
        __builtin_trap();
}

static void run(struct text steps)
{
    while (steps.size)
        step(cut(&steps, ';'));
}

static void settle(void)
{
    if (awaited <= 0 && !holds)
        deny();
}

/* --- Callbacks ----------------------------------------------------------------------------------- */

static struct text keep(size_t place, struct text value)
{
    struct text kept = {values[place], value.size < VALUE_MAX ? value.size : VALUE_MAX};
    memcpy(kept.ptr, value.ptr, kept.size);
    return kept;
}

PROXY_EXPORT(proxy_on_configure) int on_configure(uint32_t id, size_t size)
{
    (void)id;
    keep_configuration();
    if (size)
        proxy_set_tick_period_milliseconds(20);
    return 1;
}

PROXY_EXPORT(proxy_on_tick) void on_tick(uint32_t id)
{
    (void)id;
    proxy_set_tick_period_milliseconds(0);
    service = (struct text){"origin", 6};
    run(configuration);
}

PROXY_EXPORT(proxy_on_request_headers) int on_request_headers(uint32_t id, size_t count, int end)
{
    (void)count, (void)end;
    service = keep(0, header(REQUEST_HEADERS, "service"));
    at_start = keep(1, header(REQUEST_HEADERS, "do"));
    at_initial = keep(2, header(REQUEST_HEADERS, "on-initial"));
    at_receive = keep(3, header(REQUEST_HEADERS, "on-receive"));
    at_close = keep(4, header(REQUEST_HEADERS, "on-close"));
    metadata = keep(5, header(REQUEST_HEADERS, "metadata"));
    token_text = keep(6, header(REQUEST_HEADERS, "token"));
    if (!at_start.size)
        return CONTINUE;
    transcript_size = line_start = 0;
    request = id;
    awaited = 0;
    holds = false;
    run(at_start);
    settle();
    return PAUSE;
}

/* Of what is there only in its callback. */
static void say_what_is_there(void)
{
    size_t size = 0;
    int flags = 0;
    char *bytes = NULL;
    say(" (buffer ");
    say_number((uint64_t)proxy_get_buffer_status(GRPC_RECEIVED, &size, &flags));
    say(" maps ");
    say_number(
        (uint64_t)proxy_get_header_map_value(GRPC_INITIAL_METADATA, LITERAL("x"), &bytes, &size));
    say(" ");
    say_number(
        (uint64_t)proxy_get_header_map_value(GRPC_TRAILING_METADATA, LITERAL("x"), &bytes, &size));
    say(")");
}

PROXY_EXPORT(proxy_on_grpc_receive_initial_metadata)
void on_initial_metadata(uint32_t id, uint32_t call, uint32_t count)
{
    (void)id;
    say(call == token ? "initial " : "initial of another ");
    say_number(count);
    say_map(GRPC_INITIAL_METADATA);
    say_what_is_there();
    end_line();
    run(at_initial);
    settle();
}

PROXY_EXPORT(proxy_on_grpc_receive) void on_receive(uint32_t id, uint32_t call, uint32_t size)
{
    struct text message = {0};
    (void)id;
    say(call == token ? "receive " : "receive of another ");
    say_number(size);
    say(" ");
    proxy_get_buffer_bytes(GRPC_RECEIVED, 0, SHOWN_MAX, &message.ptr, &message.size);
    add(message);
    say_what_is_there();
    end_line();
    run(at_receive);
    awaited -= is_call(call);
    settle();
}

PROXY_EXPORT(proxy_on_grpc_receive_trailing_metadata)
void on_trailing_metadata(uint32_t id, uint32_t call, uint32_t count)
{
    (void)id;
    say(call == token ? "trailing " : "trailing of another ");
    say_number(count);
    say_map(GRPC_TRAILING_METADATA);
    say_what_is_there();
    end_line();
}

PROXY_EXPORT(proxy_on_grpc_close) void on_close(uint32_t id, uint32_t call, uint32_t status)
{
    struct text message = {0};
    uint32_t code = 99;
    (void)id;
    say(call == token ? "closed " : "closed another ");
    say_number(status);
    proxy_get_status(&code, &message.ptr, &message.size);
    say(" status ");
    say_number(code);
    say(" [");
    add(message);
    say("]");
    end_line();
    run(at_close);
    awaited--;
    settle();
}
