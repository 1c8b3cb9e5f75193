/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A script (script.h) for what guests call before there are requests, with more commands:
 *
 *     call CLUSTER             a GET of /, to the authority `called`
 *     grpc CLUSTER             a call of s.S/M
 *     stream CLUSTER           the same as a stream
 *     send TEXT, end TEXT      a message of the last stream; with its end
 *     close, cancel            of the last stream or gRPC call
 *     need                     returns false from the callback if the last of those gave no 0
 *
 * and the callbacks call_response, grpc_receive and grpc_close of the root.
 */
#include "proxy_wasm.h"

static bool call_command(uint32_t id);
#define SCRIPT_MORE(id) call_command(id)
#include "script.h"

static uint32_t last_token;
static int last_status;

static int call(struct text cluster)
{
    static const char pairs[] = "\3\0\0\0"
                                "\7\0\0\0\3\0\0\0\5\0\0\0\1\0\0\0\12\0\0\0\6\0\0\0"
                                ":method\0GET\0:path\0/\0:authority\0called";
    uint32_t token = 0;
    return proxy_http_call(cluster.ptr, cluster.size, pairs, sizeof(pairs), NULL, 0, NULL, 0, 1000,
                           &token);
}

static bool call_command(uint32_t id)
{
    struct text text = word(1);
    (void)id;
    if (is(words[0], "need")) {
        verdict = last_status == 0 ? verdict : 0;
        return true;
    }
    if (is(words[0], "call"))
        last_status = call(text);
    else if (is(words[0], "grpc"))
        last_status = proxy_grpc_call(text.ptr, text.size, LITERAL("s.S"), LITERAL("M"), NULL, 0,
                                      LITERAL("x"), 1000, &last_token);
    else if (is(words[0], "stream"))
        last_status = proxy_grpc_stream(text.ptr, text.size, LITERAL("s.S"), LITERAL("M"), NULL, 0,
                                        &last_token);
    else if (is(words[0], "send") || is(words[0], "end"))
        last_status = proxy_grpc_send(last_token, text.ptr, text.size, is(words[0], "end"));
    else if (is(words[0], "close"))
        last_status = proxy_grpc_close(last_token);
    else if (is(words[0], "cancel"))
        last_status = proxy_grpc_cancel(last_token);
    else
        return false;
    say_status(last_status);
    return true;
}

PROXY_EXPORT(proxy_on_http_call_response)
void on_call_response(uint32_t id, uint32_t token, uint32_t headers, uint32_t body,
                      uint32_t trailers)
{
    (void)token, (void)headers, (void)trailers;
    run(id, "call_response", (int)body, 0, 0);
}

PROXY_EXPORT(proxy_on_grpc_receive) void on_grpc_receive(uint32_t id, uint32_t token, uint32_t size)
{
    (void)token;
    run(id, "grpc_receive", (int)size, 0, 0);
}

PROXY_EXPORT(proxy_on_grpc_close) void on_grpc_close(uint32_t id, uint32_t token, uint32_t code)
{
    (void)token;
    run(id, "grpc_close", (int)code, 0, 0);
}
