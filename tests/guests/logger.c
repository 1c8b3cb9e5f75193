/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plug-in for tests/e2e/test_wasm_logger.py and test_wasm_service.py: it tells what an access logger
 * and a service are called with, and what they can read then. Its configuration is some of the words
 * `tick`, `call` (from a tick), `fall` (traps in one), `trap` (in the log), `refuse`, `wait` (returns
 * false from on_done).
 */
#include "guest.h"

static bool ticked;

PROXY_EXPORT(proxy_on_context_create) void on_context_create(uint32_t id, uint32_t parent)
{
    log_(parent ? "create child " : "create root ", number(id));
}

PROXY_EXPORT(proxy_on_configure) int on_configure(uint32_t id, size_t size)
{
    (void)id, (void)size;
    keep_configuration();
    log_("configure ", configuration);
    if (says("tick"))
        proxy_set_tick_period_milliseconds(20);
    return !says("refuse");
}

static int call(void)
{
    static const char pairs[] = "\3\0\0\0\5\0\0\0\4\0\0\0\7\0\0\0\3\0\0\0\12\0\0\0\1\0\0\0"
                                ":path\0/svc\0:method\0GET\0:authority\0s\0";
    uint32_t token;
    return proxy_http_call(LITERAL("origin"), pairs, sizeof(pairs) - 1, NULL, 0, NULL, 0, 60000,
                           &token);
}

PROXY_EXPORT(proxy_on_tick) void on_tick(uint32_t id)
{
    if (!ticked)
        log_("tick ", number(id));
    if (!ticked && says("call"))
        log_("call ", number((uint64_t)call()));
    ticked = true;
    if (says("fall"))
        __builtin_trap();
}

PROXY_EXPORT(proxy_on_http_call_response)
void on_http_call_response(uint32_t root, uint32_t token, uint32_t headers, uint32_t body,
                           uint32_t trailers)
{
    (void)root, (void)token, (void)headers, (void)trailers;
    log_("answer ", header(CALL_HEADERS, ":status"));
    log_("answer of ", number(body));
}

static struct text property(const char *name)
{
    struct text value = {0};
    char path[64];
    size_t size = length_(name);
    for (size_t i = 0; i < size; i++)
        path[i] = name[i] == '/' ? '\0' : name[i];
    if (proxy_get_property(path, size, &value.ptr, &value.size) != 0)
        return (struct text){"-", 1};
    return value;
}

static void log_number(const char *what, int status)
{
    log_(what, number((uint64_t)status));
}

PROXY_EXPORT(proxy_on_log) void on_log(uint32_t id)
{
    char *bytes;
    size_t size;
    log_("log ", number(id));
    log_("path ", header(REQUEST_HEADERS, ":path"));
    log_("status ", header(RESPONSE_HEADERS, ":status"));
    log_("trailer ", header(RESPONSE_TRAILERS, "end"));
    log_number("missing ",
               proxy_get_header_map_value(REQUEST_HEADERS, LITERAL("none"), &bytes, &size));
    log_number("request trailers ",
               proxy_get_header_map_value(REQUEST_TRAILERS, LITERAL("none"), &bytes, &size));
    log_number("add ", proxy_add_header_map_value(REQUEST_HEADERS, LITERAL("a"), LITERAL("b")));
    log_number("size ", proxy_get_header_map_pairs(REQUEST_HEADERS, &bytes, &size));
    log_number("body ", proxy_get_buffer_bytes(REQUEST_BODY, 0, 1, &bytes, &size));
    log_("request.method ", property("request/method"));
    log_("request.path ", property("request/path"));
    log_("response.code_details ", property("response/code_details"));
    log_("xds.route_name ", property("xds/route_name"));
    log_("plugin_name ", property("plugin_name"));
    log_("wasm state ", property("mark"));
    log_number("set ", proxy_set_property(LITERAL("x"), LITERAL("y")));
    log_number("continue ", proxy_continue_stream(0));
    log_number("reply ", proxy_send_local_response(500, LITERAL("d"), LITERAL("b"), NULL, 0, -1));
    if (says("trap"))
        __builtin_trap();
}

PROXY_EXPORT(proxy_on_done) int on_done(uint32_t id)
{
    log_("done ", number(id));
    return !says("wait");
}

PROXY_EXPORT(proxy_on_delete) void on_delete(uint32_t id)
{
    log_("delete ", number(id));
}
