/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls functions of the host by their names, for tests/e2e/test_wasm_foreign.py:
 *
 *     /call/NAME/ARGUMENTS    answers "STATUS RESULT", both byte strings in hexadecimal digits
 *     /null/NAME/ARGUMENTS    the same without a place for the result
 *     /pass/NAME/ARGUMENTS    the same, but the request goes on, with what was answered in a header
 *     /expr/EXPRESSION        answers what expr_create (20 more) or expr_evaluate said
 *     /set/NAME/EXPRESSION    sets a property twice, then as above, and both statuses
 *     /route/NAME             changes the header that chooses the route, then calls NAME if there is one
 *     /body/NAME              the arguments are the body
 *     /dns/ADDRESS            asks for an address, and logs the answer
 *
 * A root's configuration "call NAME ARGUMENTS" is a call in on_configure, whose answer is logged.
 */
#include "guest.h"

PROXY_IMPORT(envoy_resolve_dns)
int envoy_resolve_dns(const char *address, size_t size, uint32_t *token);

enum { BYTES_MAX = 200 * 1024 };

static char arguments[BYTES_MAX];
static char answer[2 * BYTES_MAX];
static struct text path;

static struct text from_hex(struct text hex)
{
    size_t n = 0;
    for (size_t i = 0; i + 1 < hex.size && n < sizeof(arguments); i += 2)
        arguments[n++] = (char)(digit(hex.ptr[i]) << 4 | digit(hex.ptr[i + 1]));
    return (struct text){arguments, n};
}

static struct text say(int status, struct text bytes)
{
    struct text digits = number((uint64_t)status);
    size_t n = 0;
    for (size_t i = 0; i < digits.size; i++)
        answer[n++] = digits.ptr[i];
    answer[n++] = ' ';
    for (size_t i = 0; i < bytes.size && n + 2 <= sizeof(answer); i++) {
        answer[n++] = "0123456789abcdef"[(unsigned char)bytes.ptr[i] >> 4];
        answer[n++] = "0123456789abcdef"[bytes.ptr[i] & 15];
    }
    return (struct text){answer, n};
}

/* NAME, then a character, then its arguments. */
static struct text call(struct text rest, char between, bool has_place)
{
    struct text name = cut(&rest, between);
    struct text bytes = from_hex(rest);
    struct text result = {NULL, 0};
    int status = proxy_call_foreign_function(name.ptr, name.size, bytes.ptr, bytes.size,
                                             has_place ? &result.ptr : NULL,
                                             has_place ? &result.size : NULL);
    return say(status, result);
}

static void reply(struct text text)
{
    proxy_send_local_response(200, LITERAL("said"), text.ptr, text.size, NULL, 0, -1);
}

PROXY_EXPORT(proxy_on_configure) int on_configure(uint32_t root, size_t size)
{
    struct text bytes = {0};
    (void)root;
    proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, &bytes.ptr, &bytes.size);
    if (begins(bytes, "call ")) {
        struct text rest = {bytes.ptr + 5, bytes.size - 5};
        log_("called ", call(rest, ' ', true));
    }
    return 1;
}

static void change_route(struct text name)
{
    proxy_replace_header_map_value(REQUEST_HEADERS, LITERAL("to"), LITERAL("other"));
    if (name.size)
        proxy_call_foreign_function(name.ptr, name.size, NULL, 0, NULL, NULL);
}

/* Makes an expression, evaluates it and ends it; what the first status is not 0 for is told by 20. */
static struct text express(struct text rest)
{
    struct text source = from_hex(rest);
    struct text token = {NULL, 0};
    struct text result = {NULL, 0};
    int status = proxy_call_foreign_function(LITERAL("expr_create"), source.ptr, source.size,
                                             &token.ptr, &token.size);
    if (status != 0)
        return say(20 + status, token);
    status = proxy_call_foreign_function(LITERAL("expr_evaluate"), token.ptr, token.size,
                                         &result.ptr, &result.size);
    proxy_call_foreign_function(LITERAL("expr_delete"), token.ptr, token.size, NULL, NULL);
    return say(status, result);
}

/* Two settings of a property: answers their statuses and what comes of the expression. */
static void set_twice(struct text rest)
{
    struct text name = cut(&rest, '/');
    static char first;
    first = (char)('0' + proxy_set_property(name.ptr, name.size, LITERAL("a")));
    proxy_add_header_map_value(REQUEST_HEADERS, LITERAL("first"), &first, 1);
    first = (char)('0' + proxy_set_property(name.ptr, name.size, LITERAL("b")));
    struct text text = express(rest);
    text.ptr[text.size++] = ' ';
    text.ptr[text.size++] = header(REQUEST_HEADERS, "first").ptr[0];
    text.ptr[text.size++] = first;
    reply(text);
}

static void resolve(struct text rest)
{
    uint32_t token = 7;
    int status = envoy_resolve_dns(rest.ptr, rest.size, &token);
    struct text digits = number(token);
    memcpy(arguments, digits.ptr, digits.size); /* that place is used again */
    reply(say(status, (struct text){arguments, digits.size}));
}

PROXY_EXPORT(proxy_on_request_headers) int on_request_headers(uint32_t id, uint32_t n, int end)
{
    (void)id, (void)n, (void)end;
    path = header(REQUEST_HEADERS, ":path");
    struct text rest = path;
    cut(&rest, '/');
    struct text verb = cut(&rest, '/');
    if (is(verb, "call"))
        reply(call(rest, '/', true));
    else if (is(verb, "null"))
        reply(call(rest, '/', false));
    else if (is(verb, "route"))
        change_route(rest);
    else if (is(verb, "expr"))
        reply(express(rest));
    else if (is(verb, "set"))
        set_twice(rest);
    else if (is(verb, "dns"))
        resolve(rest);
    else if (is(verb, "pass")) {
        struct text text = call(rest, '/', true);
        proxy_replace_header_map_value(REQUEST_HEADERS, LITERAL("answer"), text.ptr, text.size);
    }
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_request_body) int on_request_body(uint32_t id, size_t size, int end)
{
    struct text body = {0};
    (void)id;
    if (!begins(path, "/body/"))
        return CONTINUE;
    if (!end)
        return PAUSE;
    proxy_get_buffer_bytes(REQUEST_BODY, 0, size, &body.ptr, &body.size);
    struct text result = {NULL, 0};
    int status = proxy_call_foreign_function(path.ptr + 6, path.size - 6, body.ptr, body.size,
                                             &result.ptr, &result.size);
    reply(say(status, result));
    return CONTINUE;
}

PROXY_EXPORT(envoy_on_resolve_dns) void on_resolve_dns(uint32_t root, uint32_t token, size_t size)
{
    struct text bytes = {0};
    (void)root;
    int status = proxy_get_buffer_bytes(8, 0, size, &bytes.ptr, &bytes.size);
    log_("resolved token ", number(token));
    log_("resolved size ", number(size));
    log_("resolved ", say(status, bytes));
}
