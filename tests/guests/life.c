/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that shows how long it lives, for tests/e2e/test_wasm_life.py. Words of its configuration say
 * what its root does, the path of a request what a stream does.
 */
#include "guest.h"

enum { HELD_MAX = 64, ROOTS_MAX = 8 };

PROXY_IMPORT(proxy_done) int proxy_done(void);

/* Tests write another text of the same length over it: it is another module then. One that begins with
 * REFUSED takes no configuration, one that begins with ONCE takes it once only. */
static const volatile char version[] = "VERSION-0001";

static uint32_t roots[ROOTS_MAX];
static size_t root_count;
static uint32_t held[HELD_MAX];
static size_t held_count;
static unsigned ticks;
static bool is_ending;

static struct text version_text(void)
{
    static char copy[sizeof(version)];
    for (size_t i = 0; i < sizeof(version); i++)
        copy[i] = version[i];
    return (struct text){copy, sizeof(version) - 1};
}

PROXY_EXPORT(proxy_on_context_create) void on_context_create(uint32_t id, uint32_t parent)
{
    if (parent == 0 && root_count < ROOTS_MAX)
        roots[root_count++] = id;
}

static bool is_root(uint32_t id)
{
    for (size_t i = 0; i < root_count; i++) {
        if (roots[i] == id)
            return true;
    }
    return false;
}

/* Whether there is such a thing in the shared data. */
static bool is_there(const char *key)
{
    struct text value;
    uint32_t cas;
    return proxy_get_shared_data(key, length_(key), &value.ptr, &value.size, &cas) == 0;
}

PROXY_EXPORT(proxy_on_configure) int on_configure(uint32_t id, size_t size)
{
    (void)id, (void)size;
    keep_configuration();
    log_("configure ", configuration);
    log_("root of ", version_text());
    if (says("tick"))
        proxy_set_tick_period_milliseconds(10);
    if (begins(version_text(), "ONCE")) {
        bool is_first = !is_there("once");
        proxy_set_shared_data(LITERAL("once"), LITERAL("x"), 0);
        return is_first;
    }
    return !begins(version_text(), "REFUSED");
}

/* Lets all go that are held: "/go" asks for it, whichever VM it comes to. */
static void release(void)
{
    for (size_t i = 0; i < held_count; i++) {
        if (proxy_set_effective_context(held[i]) == 0)
            proxy_continue_stream(0);
    }
    held_count = 0;
}

PROXY_EXPORT(proxy_on_tick) void on_tick(uint32_t id)
{
    (void)id;
    if (ticks++ == 0)
        proxy_log(LOG_INFO, LITERAL("ticks"));
    if (is_there("go"))
        release();
    if (says("tick-trap"))
        __builtin_trap();
    if (says("tick-spin")) {
        for (;;)
            ticks++;
    }
    if (!is_ending && proxy_done() != 1)
        proxy_log(LOG_ERROR, LITERAL("done without an end"));
    if (is_ending && says("later")) {
        proxy_log(LOG_INFO, LITERAL("root is done"));
        if (proxy_done() != 0 || proxy_done() != 1)
            proxy_log(LOG_ERROR, LITERAL("cannot be done"));
    }
    if (is_ending && says("ending-trap"))
        __builtin_trap();
}

PROXY_EXPORT(proxy_on_request_headers) int on_request_headers(uint32_t id, uint32_t n, int end)
{
    (void)n, (void)end;
    struct text path = header(REQUEST_HEADERS, ":path");
    log_("request ", path);
    if (is(path, "/trap"))
        __builtin_trap();
    if (is(path, "/go"))
        proxy_set_shared_data(LITERAL("go"), LITERAL("x"), 0);
    if (is(path, "/hold") && held_count < HELD_MAX) {
        held[held_count++] = id;
        return PAUSE;
    }
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_response_headers) int on_response_headers(uint32_t id, uint32_t n, int end)
{
    (void)id, (void)n, (void)end;
    struct text text = version_text();
    proxy_add_header_map_value(RESPONSE_HEADERS, LITERAL("version"), text.ptr, text.size);
    return CONTINUE;
}

/* A call whose answer the root waits for before it is done. */
static void call(void)
{
    static const char pairs[] = "\3\0\0\0\7\0\0\0\3\0\0\0\5\0\0\0\5\0\0\0\12\0\0\0\1\0\0\0"
                                ":method\0GET\0:path\0/last\0:authority\0a\0";
    uint32_t token;
    if (proxy_http_call(LITERAL("origin"), pairs, sizeof(pairs) - 1, NULL, 0, NULL, 0, 60000,
                        &token) != 0)
        proxy_log(LOG_ERROR, LITERAL("cannot call"));
}

PROXY_EXPORT(proxy_on_http_call_response)
void on_http_call_response(uint32_t id, uint32_t token, uint32_t headers, uint32_t body,
                           uint32_t trailers)
{
    (void)id, (void)token, (void)body, (void)trailers;
    proxy_log(LOG_INFO, headers ? "answered" : "no answer", headers ? 8 : 9);
    proxy_done();
}

PROXY_EXPORT(proxy_on_done) int on_done(uint32_t id)
{
    log_(is_root(id) ? "root done, " : "stream done, ", version_text());
    if (!is_root(id))
        return 1;
    is_ending = true;
    if (says("calls"))
        call();
    return !says("later") && !says("never") && !says("ending-trap") && !says("calls");
}

PROXY_EXPORT(proxy_on_delete) void on_delete(uint32_t id)
{
    log_(is_root(id) ? "root delete, " : "stream delete, ", version_text());
}
