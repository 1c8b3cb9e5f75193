/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter that does what the path of a request says, for tests/e2e/test_wasm.py. Every callback but
 * those of bodies is a line of the log.
 */
#include "guest.h"

enum { WAITING_MAX = 16 };

static uint32_t waiting[WAITING_MAX]; /* requests that a tick lets go on */
static size_t waiting_count;
static uint32_t root;

static char path_bytes[256];
static struct text path; /* of the request that was seen last: tests send one at a time */

static void keep_path(void)
{
    struct text now = header(REQUEST_HEADERS, ":path");
    path.ptr = path_bytes;
    path.size = now.size < sizeof(path_bytes) ? now.size : sizeof(path_bytes);
    for (size_t i = 0; i < path.size; i++)
        path_bytes[i] = now.ptr[i];
}

PROXY_EXPORT(_initialize) void initialize(void)
{
    proxy_log(LOG_INFO, LITERAL("initialize"));
}

PROXY_EXPORT(proxy_on_context_create) void on_context_create(uint32_t id, uint32_t parent)
{
    (void)id;
    if (parent == 0)
        root = id;
}

PROXY_EXPORT(proxy_on_vm_start) int on_vm_start(uint32_t id, size_t size)
{
    struct text bytes = {0};
    (void)id;
    proxy_get_buffer_bytes(VM_CONFIGURATION, 0, size, &bytes.ptr, &bytes.size);
    log_("vm_start ", bytes);
    return !is(bytes, "refuse");
}

PROXY_EXPORT(proxy_on_configure) int on_configure(uint32_t id, size_t size)
{
    (void)id, (void)size;
    keep_configuration();
    log_("configure ", configuration);
    if (is(configuration, "trap"))
        __builtin_trap();
    proxy_set_tick_period_milliseconds(20);
    return !is(configuration, "refuse");
}

PROXY_EXPORT(proxy_on_tick) void on_tick(uint32_t id)
{
    (void)id;
    for (size_t i = 0; i < waiting_count; i++) {
        if (proxy_set_effective_context(waiting[i]) == 0)
            proxy_continue_stream(0);
    }
    waiting_count = 0;
}

static void deny(int status)
{
    static const char pairs[] = "\1\0\0\0\4\0\0\0\3\0\0\0from\0wat\0";
    proxy_send_local_response(status, LITERAL("denied by guest"), LITERAL("no\n"), pairs,
                              sizeof(pairs) - 1, -1);
}

__attribute__((noinline)) static void fall(void)
{
    __builtin_trap();
}

static volatile int sink;

__attribute__((noinline)) static int sink_deep(int depth)
{
    volatile char frame[256];
    frame[depth & 255] = (char)depth;
    return sink < 0 ? 0 : sink_deep(depth + 1) + frame[0];
}

static int act_on_request(uint32_t id)
{
    char *value;
    size_t size;
    if (is(path, "/deny"))
        deny(403);
    if (is(path, "/twice")) {
        deny(403);
        deny(418);
    }
    if (is(path, "/trap"))
        fall();
    if (is(path, "/spin")) {
        for (;;)
            sink++;
    }
    if (is(path, "/deep"))
        sink = sink_deep(0);
    if (is(path, "/reset"))
        proxy_close_stream(0);
    if (is(path, "/pointers")) {
        bool ok =
            proxy_log(LOG_INFO, (char *)0xfffffff0, 0x20) == 6 && proxy_log(9, LITERAL("x")) == 2 &&
            proxy_get_header_map_value(0, LITERAL(":path"), (char **)0xfffffffe, &size) == 6 &&
            proxy_get_header_map_value(8, LITERAL(":path"), &value, &size) == 2 &&
            proxy_get_header_map_value(2, LITERAL(":path"), &value, &size) == 2 &&
            proxy_get_header_map_value(0, LITERAL("none"), &value, &size) == 1 &&
            proxy_get_buffer_bytes(9, 0, 1, &value, &size) == 2 &&
            proxy_get_buffer_bytes(REQUEST_BODY, 0, 1, &value, &size) == 0 && size == 0;
        proxy_replace_header_map_value(REQUEST_HEADERS, LITERAL("verdict"), ok ? "ok" : "no", 2);
    }
    if (is(path, "/wait") || is(path, "/wait-and-trap")) {
        if (waiting_count < WAITING_MAX && is(path, "/wait"))
            waiting[waiting_count++] = id;
        return PAUSE;
    }
    if (is(path, "/count")) { /* whatever worker it is: one more */
        struct text seen = {0};
        uint32_t cas = 0;
        uint64_t count = 0;
        struct text next;
        do {
            seen.size = 0;
            proxy_get_shared_data(LITERAL("n"), &seen.ptr, &seen.size, &cas);
            count = 0;
            for (size_t i = 0; i < seen.size; i++)
                count = count * 10 + (uint64_t)(seen.ptr[i] - '0');
            next = number(count + 1);
        } while (proxy_set_shared_data(LITERAL("n"), next.ptr, next.size, cas) == 8);
        proxy_replace_header_map_value(REQUEST_HEADERS, LITERAL("count"), next.ptr, next.size);
    }
    if (is(path, "/now")) /* as the article's filter does */
        proxy_continue_stream(0);
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_request_headers) int on_request_headers(uint32_t id, uint32_t n, int end)
{
    (void)n, (void)end;
    keep_path();
    log_("request_headers ", path);
    struct text many = header(REQUEST_HEADERS, "X-Many");
    if (many.ptr)
        proxy_add_header_map_value(REQUEST_HEADERS, LITERAL("X-First"), many.ptr, many.size);
    proxy_replace_header_map_value(REQUEST_HEADERS, LITERAL("seen"), configuration.ptr,
                                   configuration.size);
    proxy_remove_header_map_value(REQUEST_HEADERS, LITERAL("secret"));
    if (is(path, "/elsewhere"))
        proxy_replace_header_map_value(REQUEST_HEADERS, LITERAL(":path"), LITERAL("/rewritten"));
    return act_on_request(id);
}

PROXY_EXPORT(proxy_on_request_body) int on_request_body(uint32_t id, size_t size, int end)
{
    (void)id;
    if (is(path, "/body-deny") && end)
        deny(400);
    if (!is(path, "/whole"))
        return CONTINUE;
    if (!end)
        return PAUSE;
    struct text length = number(size);
    proxy_set_buffer_bytes(REQUEST_BODY, 0, size, length.ptr, length.size);
    proxy_set_buffer_bytes(REQUEST_BODY, 0, 0, LITERAL("<"));
    proxy_set_buffer_bytes(REQUEST_BODY, 0x7fffffff, 0, LITERAL(">"));
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_response_headers) int on_response_headers(uint32_t id, uint32_t n, int end)
{
    struct text value = {0};
    (void)id, (void)n, (void)end;
    log_("response_headers ", header(RESPONSE_HEADERS, ":status"));
    proxy_add_header_map_value(RESPONSE_HEADERS, LITERAL("x-guest"), LITERAL("was here"));
    if (is(path, "/status"))
        proxy_replace_header_map_value(RESPONSE_HEADERS, LITERAL(":status"), LITERAL("202"));
    if (is(path, "/late-deny"))
        deny(451);
    if (begins(path, "/property/")) {
        char name[256];
        size_t size = path.size - 10;
        for (size_t i = 0; i < size; i++)
            name[i] = path.ptr[10 + i] == '/' ? '\0' : path.ptr[10 + i];
        int status = proxy_get_property(name, size, &value.ptr, &value.size);
        if (status != 0)
            value = number((uint64_t)status);
        proxy_add_header_map_value(RESPONSE_HEADERS, LITERAL("property"), value.ptr, value.size);
    }
    if (is(path, "/response-trap"))
        fall();
    if (is(path, "/shout"))
        proxy_remove_header_map_value(RESPONSE_HEADERS, LITERAL("content-length"));
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_response_body) int on_response_body(uint32_t id, size_t size, int end)
{
    struct text body = {0};
    (void)id;
    if (!is(path, "/shout"))
        return CONTINUE;
    if (!end)
        return PAUSE;
    if (proxy_get_buffer_bytes(RESPONSE_BODY, 0, size, &body.ptr, &body.size) != 0)
        return CONTINUE;
    for (size_t i = 0; i < body.size; i++) {
        if (body.ptr[i] >= 'a' && body.ptr[i] <= 'z')
            body.ptr[i] -= 32;
    }
    proxy_set_buffer_bytes(RESPONSE_BODY, 0, body.size, body.ptr, body.size);
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_log) void on_log(uint32_t id)
{
    (void)id;
    log_("log ", header(RESPONSE_HEADERS, ":status"));
}

PROXY_EXPORT(proxy_on_done) int on_done(uint32_t id)
{
    (void)id;
    proxy_log(LOG_INFO, LITERAL("done"));
    return 1;
}

PROXY_EXPORT(proxy_on_delete) void on_delete(uint32_t id)
{
    (void)id;
    proxy_log(LOG_INFO, LITERAL("delete"));
}
