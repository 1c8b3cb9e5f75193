/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter that does what no filter should, as the path of a request says, for
 * tests/e2e/test_wasm_hostile.py.
 */
#include "guest.h"

__attribute__((import_module("wasi_snapshot_preview1"), import_name("fd_write"))) int
fd_write(int fd, const void *pieces, size_t count, size_t *written);

enum { BLOCK_BYTES = 256 * 1024, SEEN_MAX = 64 };

static char block[BLOCK_BYTES]; /* of zeros, or letters where headers want them */
static char path_bytes[1024];
static struct text path;
static uint32_t held;           /* a request that waits */
static uint32_t seen[SEEN_MAX]; /* requests, most of them over */
static size_t seen_count;

static void keep_path(void)
{
    struct text now = header(REQUEST_HEADERS, ":path");
    path.ptr = path_bytes;
    path.size = now.size < sizeof(path_bytes) ? now.size : sizeof(path_bytes);
    for (size_t i = 0; i < path.size; i++)
        path_bytes[i] = now.ptr[i];
}

static void reply(int status)
{
    static const char pairs[] = "\2\0\0\0\4\0\0\0\7\0\0\0\7\0\0\0\3\0\0\0"
                                "from\0a\r\nb: c\0:status\0"
                                "200";
    proxy_send_local_response(status, LITERAL("a\r\nb"), LITERAL("no\n"), pairs, sizeof(pairs), -1);
}

/* "NAME/HEX", the value in hexadecimal digits. */
static void replace(int map, size_t skip)
{
    const char *name = path.ptr + skip;
    size_t size = 0;
    static char value[512];
    size_t n = 0;
    while (skip + size < path.size && name[size] != '/')
        size++;
    for (size_t i = skip + size + 1; i + 1 < path.size; i += 2)
        value[n++] = (char)(digit(path.ptr[i]) * 16 + digit(path.ptr[i + 1]));
    proxy_replace_header_map_value(map, name, size, value, n);
}

/* Does something until it is refused. */
static void eat(const char *what)
{
    int status = 0;
    uint32_t count = 0;
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        block[i] = 'A';
    while (status == 0) {
        struct text n = number(++count);
        for (size_t i = 0; i < n.size; i++)
            block[i] = n.ptr[i];
        if (is(path, "/eat/add"))
            status = proxy_add_header_map_value(REQUEST_HEADERS, LITERAL("x"), block, BLOCK_BYTES);
        else if (is(path, "/eat/replace"))
            status =
                proxy_replace_header_map_value(REQUEST_HEADERS, LITERAL("x"), block, BLOCK_BYTES);
        else if (is(path, "/eat/small"))
            status = proxy_add_header_map_value(REQUEST_HEADERS, LITERAL("x"), "", 0);
        else if (is(path, "/eat/names"))
            status = proxy_add_header_map_value(REQUEST_HEADERS, block, n.size, "", 0);
        else if (is(path, "/eat/property"))
            status = proxy_set_property(LITERAL("p"), block, BLOCK_BYTES);
        else if (is(path, "/eat/properties"))
            status = proxy_set_property(block, BLOCK_BYTES, "", 0);
        else if (is(path, "/eat/body"))
            status = proxy_set_buffer_bytes(REQUEST_BODY, 0x7fffffff, 0, block, BLOCK_BYTES);
        else
            return;
        heap_used_ = 0;
    }
    log_(what, number((uint64_t)status));
}

/* Asks for what takes the host a while: all headers, of which there are very many, and one of them
 * as often as an expression may. */
static void ask_much(void)
{
    static const char expression[] = "[[0,0,0,0,0,0,0,0,0,0], [0,0,0,0,0,0,0,0,0,0]].all(a, "
                                     "a.all(b, a.all(c, a.all(d, a.all(e, "
                                     "!('none' in request.headers))))))";
    char *value;
    size_t size;
    char *token;
    int status = proxy_get_property(LITERAL("request\0headers"), &value, &size);
    log_("all ", number((uint64_t)status));
    proxy_call_foreign_function(LITERAL("expr_create"), LITERAL(expression), &token, &size);
    status = proxy_call_foreign_function(LITERAL("expr_evaluate"), token, size, &value, &size);
    log_("one by one ", number((uint64_t)status));
}

/* Eight megabytes in one line. */
static void shout(void)
{
    enum { PAGE_BYTES = 64 * 1024, PAGES = 128 };
    char *at = (char *)(__builtin_wasm_memory_grow(0, PAGES) * PAGE_BYTES);
    for (size_t i = 0; i < PAGES * PAGE_BYTES; i++)
        at[i] = 'A';
    proxy_log(LOG_INFO, at, PAGES * PAGE_BYTES);
    proxy_log(LOG_INFO, LITERAL("shouted"));
}

/* What requests are told to do: those that are over as well as one that waits. */
static void disturb(void)
{
    if (!is(path, "/disturb"))
        return;
    for (size_t i = 0; i < seen_count; i++) {
        if (proxy_set_effective_context(seen[i]) != 0)
            continue;
        proxy_continue_stream(0);
        proxy_continue_stream(1);
        reply(200);
        proxy_close_stream(0);
        proxy_close_stream(1);
        reply(201);
        proxy_set_header_map_pairs(REQUEST_HEADERS, "", 0);
        proxy_set_header_map_pairs(RESPONSE_HEADERS, "", 0);
    }
}

/* "once": takes its configuration the first time, and never again. */
PROXY_EXPORT(proxy_on_configure) int on_configure(uint32_t id, size_t size)
{
    struct text before = {0};
    uint32_t cas;
    (void)id, (void)size;
    keep_configuration();
    if (!is(configuration, "once"))
        return 1;
    if (proxy_get_shared_data(LITERAL("configured"), &before.ptr, &before.size, &cas) == 0)
        return 0;
    return proxy_set_shared_data(LITERAL("configured"), "", 0, 0) == 0;
}

PROXY_EXPORT(proxy_on_request_headers) int on_request_headers(uint32_t id, uint32_t n, int end)
{
    (void)n, (void)end;
    keep_path();
    if (seen_count < SEEN_MAX)
        seen[seen_count++] = id;
    if (begins(path, "/request/"))
        replace(REQUEST_HEADERS, 9);
    if (is(path, "/request-none"))
        proxy_set_header_map_pairs(REQUEST_HEADERS, "", 0);
    if (is(path, "/reply"))
        reply(403);
    if (is(path, "/reply-zero"))
        reply(0);
    if (begins(path, "/eat/"))
        eat("eaten ");
    if (is(path, "/eat/names"))
        ask_much();
    if (is(path, "/shout"))
        shout();
    if (is(path, "/hold")) {
        held = id;
        return PAUSE;
    }
    disturb();
    if (is(path, "/answer-for-other") && proxy_set_effective_context(held) == 0)
        reply(418);
    if (is(path, "/reset-other") && proxy_set_effective_context(held) == 0)
        proxy_close_stream(1);
    if (is(path, "/pieces")) { /* as many as there is memory for, all of no bytes */
        size_t written;
        __builtin_wasm_memory_grow(0, 8 * 1024);
        int status = fd_write(1, (void *)(16 * 1024 * 1024), 0x7ffffff, &written);
        log_("pieces ", number((uint64_t)status));
    }
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_request_body) int on_request_body(uint32_t id, size_t size, int end)
{
    (void)id, (void)size, (void)end;
    if (begins(path, "/eat/"))
        eat("eaten ");
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_response_headers) int on_response_headers(uint32_t id, uint32_t n, int end)
{
    (void)id, (void)n, (void)end;
    if (begins(path, "/response/"))
        replace(RESPONSE_HEADERS, 10);
    if (is(path, "/response-none"))
        proxy_set_header_map_pairs(RESPONSE_HEADERS, "", 0);
    disturb();
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_response_body) int on_response_body(uint32_t id, size_t size, int end)
{
    (void)id, (void)size, (void)end;
    if (is(path, "/body-reply")) {
        reply(403);
        reply(404);
    }
    disturb();
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_log) void on_log(uint32_t id)
{
    (void)id;
    disturb();
}

PROXY_EXPORT(proxy_on_done) int on_done(uint32_t id)
{
    (void)id;
    disturb();
    return 0;
}

PROXY_EXPORT(proxy_on_delete) void on_delete(uint32_t id)
{
    (void)id;
    disturb();
    proxy_log(LOG_INFO, LITERAL("deleted"));
}
