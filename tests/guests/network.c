/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network filter that does what the bytes say, or its configuration, for
 * tests/e2e/test_wasm_network.py. Every callback is a line of the log.
 */
#include "guest.h"

static uint32_t waiting; /* a connection that a tick lets go on */

static char line[256];
static size_t used;

static void add(const char *text)
{
    while (*text && used < sizeof(line))
        line[used++] = *text++;
}

static void add_text(struct text text)
{
    for (size_t i = 0; i < text.size && used < sizeof(line); i++)
        line[used++] = text.ptr[i];
}

static void tell(void)
{
    proxy_log(LOG_INFO, line, used);
    used = 0;
}

static void tell_number(const char *name, int64_t value)
{
    add(name);
    if (value < 0)
        add("-");
    add_text(number((uint64_t)(value < 0 ? -value : value)));
    tell();
}

static struct text buffer(int which)
{
    struct text bytes = {0};
    proxy_get_buffer_bytes(which, 0, 0xffffffff, &bytes.ptr, &bytes.size);
    return bytes;
}

PROXY_EXPORT(proxy_on_configure) int on_configure(uint32_t id, size_t size)
{
    (void)id, (void)size;
    keep_configuration();
    proxy_set_tick_period_milliseconds(20);
    return 1;
}

PROXY_EXPORT(proxy_on_tick) void on_tick(uint32_t id)
{
    (void)id;
    if (waiting && proxy_set_effective_context(waiting) == 0) {
        tell_number("continue ", proxy_continue_stream(DOWNSTREAM));
        waiting = 0;
    }
}

static void tell_source(void)
{
    struct text address = {0};
    int status = proxy_get_property(LITERAL("source\0address"), &address.ptr, &address.size);
    add("source ");
    if (status == 0)
        add_text((struct text){address.ptr, 10}); /* without the port */
    tell();
}

PROXY_EXPORT(proxy_on_new_connection) int on_new_connection(uint32_t id)
{
    add("new_connection");
    tell();
    tell_source();
    if (is(configuration, "trap-new"))
        __builtin_trap();
    if (is(configuration, "route"))
        tell_number("route ", proxy_call_foreign_function(LITERAL("set_envoy_filter_state"),
                                                          LITERAL("\x0a\x17"
                                                                  "envoy.tcp_proxy.cluster\x12\x05"
                                                                  "other"),
                                                          NULL, NULL));
    if (is(configuration, "close-new"))
        proxy_close_stream(DOWNSTREAM);
    if (!is(configuration, "wait"))
        return CONTINUE;
    waiting = id;
    return PAUSE;
}

static void set(int which, size_t start, size_t length, const char *bytes)
{
    tell_number("set ", proxy_set_buffer_bytes(which, start, length, bytes, length_(bytes)));
}

static void tell_data(const char *name, struct text bytes, int end)
{
    add(name);
    add_text(bytes);
    add(end ? " end" : "");
    tell();
}

static int do_as_told(int which, struct text bytes)
{
    if (begins(bytes, "prepend"))
        set(which, 0, 0, "<");
    else if (begins(bytes, "append"))
        set(which, 0xffff, 0, ">");
    else if (begins(bytes, "replace"))
        set(which, 0, 0xffff, "else");
    else if (begins(bytes, "empty"))
        set(which, 0, 0xffff, "");
    else if (begins(bytes, "middle"))
        set(which, 1, 1, "x");
    else if (begins(bytes, "trap"))
        __builtin_trap();
    else if (begins(bytes, "close"))
        tell_number("close ", proxy_close_stream(which));
    else if (begins(bytes, "hold") && bytes.size < 8)
        return PAUSE;
    else if (begins(bytes, "other"))
        tell_number("other ", proxy_set_buffer_bytes(which ^ 1, 0, 0, "x", 1));
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_downstream_data) int on_downstream_data(uint32_t id, size_t size, int end)
{
    struct text bytes = buffer(DOWNSTREAM_DATA);
    tell_data("downstream ", bytes, end);
    if (size != bytes.size)
        tell_number("size ", (int64_t)size);
    if (begins(bytes, "later")) {
        waiting = id;
        return PAUSE;
    }
    if (begins(bytes, "request"))
        return CONTINUE;
    if (begins(bytes, "up-continue"))
        tell_number("continue upstream ", proxy_continue_stream(UPSTREAM));
    return do_as_told(DOWNSTREAM_DATA, bytes);
}

PROXY_EXPORT(proxy_on_upstream_data) int on_upstream_data(uint32_t id, size_t size, int end)
{
    (void)id;
    struct text bytes = buffer(UPSTREAM_DATA);
    tell_data("upstream ", bytes, end);
    if (size != bytes.size)
        tell_number("size ", (int64_t)size);
    if (begins(bytes, "answer keep") && bytes.size < 14)
        return PAUSE;
    if (begins(bytes, "answer "))
        return do_as_told(UPSTREAM_DATA, (struct text){bytes.ptr + 7, bytes.size - 7});
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_downstream_connection_close) void on_downstream_close(uint32_t id, int type)
{
    (void)id;
    tell_number("downstream_close ", type);
}

PROXY_EXPORT(proxy_on_upstream_connection_close) void on_upstream_close(uint32_t id, int type)
{
    (void)id;
    tell_number("upstream_close ", type);
}

PROXY_EXPORT(proxy_on_log) void on_log(uint32_t id)
{
    (void)id;
    struct text bytes = {0};
    add("log");
    tell();
    if (proxy_get_buffer_bytes(DOWNSTREAM_DATA, 0, 10, &bytes.ptr, &bytes.size) != 0)
        return;
    add("there is data");
    tell();
}

PROXY_EXPORT(proxy_on_done) int on_done(uint32_t id)
{
    (void)id;
    add("done");
    tell();
    return 1;
}

PROXY_EXPORT(proxy_on_delete) void on_delete(uint32_t id)
{
    (void)id;
    add("delete");
    tell();
}
