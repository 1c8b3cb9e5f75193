/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter that harms itself in one of several ways, as the path of a request says, for
 * tests/e2e/test_wasm_isolation.py: what it does must harm nobody else.
 */
#include "proxy_wasm.h"

enum { PAGES_AT_ONCE = 1024 };

static volatile int sink;
static uint32_t waits; /* the request that waits for calls */

static int dig(int depth)
{
    volatile char frame[512];
    frame[depth & 511] = (char)depth;
    return sink < 0 ? 0 : dig(depth + 1) + frame[0];
}

/* Takes all the memory that it gets, and uses it. */
static void eat(void)
{
    for (;;) {
        size_t before = __builtin_wasm_memory_grow(0, PAGES_AT_ONCE);
        if (before == (size_t)-1)
            __builtin_trap();
        *(volatile char *)(before * 65536) = 1;
    }
}

/* Every function gets places that are none; whatever it says, all goes on. */
static void lie(void)
{
    static const uint32_t places[] = {0,          1,          0x10000,   0x7fffffff,
                                      0x80000000, 0xfffffff0, 0xffffffff};
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        for (size_t k = 0; k < sizeof(places) / sizeof(*places); k++) {
            char *at = (char *)places[i];
            size_t size = places[k];
            proxy_get_header_map_value(REQUEST_HEADERS, at, size, (char **)at, (size_t *)size);
            proxy_get_header_map_pairs(REQUEST_HEADERS, (char **)at, (size_t *)size);
            proxy_set_header_map_pairs(RESPONSE_HEADERS, at, size);
            proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, size, size, (char **)at, (size_t *)at);
            proxy_set_buffer_bytes(REQUEST_BODY, size, size, at, size);
            proxy_get_property(at, size, (char **)at, (size_t *)at);
            proxy_set_property(at, size & 0xff, at, size);
            proxy_set_shared_data(at, size, at, size, 1);
            proxy_get_shared_data(at, size & 0xff, (char **)at, (size_t *)at, (uint32_t *)at);
            proxy_set_effective_context(size);
        }
    }
}

static int call(void)
{
    static const char pairs[] = "\3\0\0\0\7\0\0\0\3\0\0\0\5\0\0\0\1\0\0\0\12\0\0\0\1\0\0\0"
                                ":method\0GET\0:path\0/\0:authority\0a";
    uint32_t token;
    return proxy_http_call(LITERAL("origin"), pairs, sizeof(pairs), "", 0, "", 0, 60000, &token);
}

/* Calls again, answers, goes on and closes, all from the answer of a call. */
PROXY_EXPORT(proxy_on_http_call_response)
void on_http_call_response(uint32_t root, uint32_t token, uint32_t n, size_t size,
                           uint32_t trailers)
{
    (void)root, (void)token, (void)n, (void)size, (void)trailers;
    call();
    if (proxy_set_effective_context(waits) != 0)
        return;
    proxy_continue_stream(0);
    proxy_send_local_response(418, LITERAL("teapot"), LITERAL("no\n"), "", 0, -1);
    proxy_close_stream(1);
    call();
    __builtin_trap();
}

PROXY_EXPORT(proxy_on_request_headers) int on_request_headers(uint32_t id, uint32_t n, int end)
{
    struct text path = header(REQUEST_HEADERS, ":path");
    (void)n, (void)end;
    if (is(path, "/trap"))
        __builtin_trap();
    if (is(path, "/spin")) {
        for (;;)
            sink++;
    }
    if (is(path, "/dig"))
        sink = dig(0);
    if (is(path, "/eat"))
        eat();
    if (is(path, "/lie"))
        lie();
    if (is(path, "/call")) {
        waits = id;
        return call() == 0 ? PAUSE : CONTINUE;
    }
    return CONTINUE;
}
