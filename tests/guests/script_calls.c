/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A script (script.h) with calls, whose answers are callbacks, and the callbacks of METADATA:
 *
 *     call CLUSTER MS BODY NAME VALUE ...    proxy_http_call; call_response
 *     grpc CLUSTER METHOD MESSAGE            proxy_grpc_call; grpc_message, grpc_close
 */
#include "proxy_wasm.h"

#include <stdbool.h>

static bool call_command(uint32_t id);
#define SCRIPT_MORE(id) call_command(id)
#include "script.h"

static bool call_command(uint32_t id)
{
    uint32_t token = 0;
    (void)id;
    if (is(words[0], "call")) {
        struct text pairs = pairs_of(4);
        say_status(proxy_http_call(WORD(1), pairs.ptr, pairs.size, WORD(3), NULL, 0,
                                   (int)number_of(2), &token));
        return true;
    }
    if (!is(words[0], "grpc"))
        return false;
    say_status(
        proxy_grpc_call(WORD(1), LITERAL("test.Test"), WORD(2), NULL, 0, WORD(3), 1000, &token));
    return true;
}

PROXY_EXPORT(proxy_on_http_call_response)
void on_http_call_response(uint32_t id, uint32_t token, uint32_t headers, size_t body,
                           uint32_t trailers)
{
    (void)token;
    (void)headers;
    (void)trailers;
    run(id, "call_response", (int)body, 0, 0);
}

PROXY_EXPORT(proxy_on_grpc_receive)
void on_grpc_receive(uint32_t id, uint32_t token, size_t size)
{
    (void)token;
    run(id, "grpc_message", (int)size, 0, 0);
}

PROXY_EXPORT(proxy_on_grpc_close)
void on_grpc_close(uint32_t id, uint32_t token, uint32_t status)
{
    (void)token;
    run(id, "grpc_close", (int)status, 0, 0);
}

PROXY_EXPORT(proxy_on_request_metadata) int on_request_metadata(uint32_t id, uint32_t count)
{
    return run(id, "request_metadata", (int)count, 0, CONTINUE);
}

PROXY_EXPORT(proxy_on_response_metadata) int on_response_metadata(uint32_t id, uint32_t count)
{
    return run(id, "response_metadata", (int)count, 0, CONTINUE);
}
