/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter that tries again at once, and without end, whatever fails: as the path of a request says,
 * `/http`, `/call` or `/stream`, to a cluster "away". `/fill` sends it all that it may on one stream,
 * and on another one. For tests/e2e/test_wasm_hostile.py.
 */
#include "proxy_wasm.h"

static void begin_http(void)
{
    static const char pairs[] = "\3\0\0\0\7\0\0\0\3\0\0\0\5\0\0\0\1\0\0\0\n\0\0\0\1\0\0\0"
                                ":method\0GET\0:path\0/\0:authority\0a";
    uint32_t token;
    proxy_http_call(LITERAL("away"), pairs, sizeof(pairs), NULL, 0, NULL, 0, 1000, &token);
}

static void begin_call(void)
{
    uint32_t token;
    proxy_grpc_call(LITERAL("away"), LITERAL("s"), LITERAL("call"), NULL, 0, NULL, 0, 1000, &token);
}

static uint32_t begin_stream(void)
{
    uint32_t token = 0;
    proxy_grpc_stream(LITERAL("away"), LITERAL("s"), LITERAL("stream"), NULL, 0, &token);
    return token;
}

/* How many messages of eight megabytes a new stream takes. */
static size_t fill(void)
{
    static char message[8 * 1024 * 1024];
    uint32_t token = begin_stream();
    size_t count = 0;
    while (proxy_grpc_send(token, message, sizeof(message), 0) == 0)
        count++;
    return count;
}

static uint32_t last_call;

PROXY_EXPORT(proxy_on_request_headers) int on_request_headers(uint32_t id, uint32_t n, int end)
{
    struct text path = header(REQUEST_HEADERS, ":path");
    (void)id, (void)n, (void)end;
    if (is(path, "/http"))
        begin_http();
    if (is(path, "/stream"))
        begin_stream();
    if (is(path, "/call"))
        begin_call();
    if (is(path, "/fill")) {
        log_("first ", number(fill()));
        log_("second ", number(fill()));
    }
    last_call = is(path, "/call");
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_http_call_response)
void on_http_call_response(uint32_t id, uint32_t token, uint32_t n, uint32_t size,
                           uint32_t trailers)
{
    (void)id, (void)token, (void)n, (void)size, (void)trailers;
    begin_http();
}

PROXY_EXPORT(proxy_on_grpc_close) void on_grpc_close(uint32_t id, uint32_t token, uint32_t status)
{
    (void)id, (void)token, (void)status;
    if (last_call)
        begin_call();
    else
        begin_stream();
}
