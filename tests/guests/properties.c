/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter that asks for properties, for tests/e2e/test_wasm_properties.py and the compat cases. A
 * request says which, and when:
 *
 *     at-start, at-request: request/path, request/headers/host
 *                                                          in the request's headers callback, at its
 *                                                          beginning and its end
 *     at-response, at-log                                  in those
 *     at-root                                              in the request's, for the root context
 *     set: name=value, set-at-response, set-at-log         proxy_set_property, before asking
 *     declare: name=RTL, declare-as-root                   declare_property, before that: whether it
 *                                                          is read-only, its type, its life span
 *
 * '/' stands for the NUL between segments ('|' for a '/'), and before a path stand how its value is
 * shown: "#" as a number, "?" only whether it is there and how long. The answers, a status for each
 * and the value as text or in hex, are property "answer", for the access log to print, and response
 * header "answer" as far as they are known by then.
 */
#include "proxy_wasm.h"

enum { ASK_MAX = 8 * 1024, OUT_MAX = 64 * 1024 };

static char asks[4][ASK_MAX]; /* of the request that was seen last: tests send one at a time */
static size_t ask_sizes[4];
static char out[OUT_MAX];
static size_t out_size;
static uint32_t root;

enum when { AT_RESPONSE, AT_LOG, SET_AT_RESPONSE, SET_AT_LOG };

static void put(char c)
{
    if (out_size < OUT_MAX)
        out[out_size++] = c;
}

static void put_text(struct text text)
{
    for (size_t i = 0; i < text.size; i++)
        put(text.ptr[i]);
}

static bool is_plain(struct text value)
{
    for (size_t i = 0; i < value.size; i++) {
        if (value.ptr[i] < ' ' || value.ptr[i] > '~')
            return false;
    }
    return true;
}

static void put_value(struct text value)
{
    static const char digits[] = "0123456789abcdef";
    if (is_plain(value)) {
        put('\'');
        put_text(value);
        put('\'');
        return;
    }
    put('0');
    put('x');
    for (size_t i = 0; i < value.size; i++) {
        put(digits[(unsigned char)value.ptr[i] >> 4]);
        put(digits[value.ptr[i] & 15]);
    }
}

static void put_number(struct text value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < value.size && i < 8; i++)
        sum |= (uint64_t)(unsigned char)value.ptr[i] << 8 * i;
    put('#');
    put_text(number(sum));
}

static void put_size(struct text value)
{
    put('?');
    put_text(number(value.size));
}

static void ask_one(struct text path)
{
    char name[512];
    size_t size = 0;
    struct text value = {0};
    char style = path.size ? path.ptr[0] : 0;
    put_text(path);
    if (style == '#' || style == '?') {
        path.ptr++;
        path.size--;
    }
    for (size_t i = 0; i < path.size && size < sizeof(name); i++)
        name[size++] = path.ptr[i] == '/' ? '\0' : path.ptr[i] == '|' ? '/' : path.ptr[i];
    int status = proxy_get_property(name, size, &value.ptr, &value.size);
    put('=');
    if (status != 0)
        put_text(number((uint64_t)status));
    else if (style == '#')
        put_number(value);
    else if (style == '?')
        put_size(value);
    else
        put_value(value);
    put(' ');
}

static void put_status(char *name, size_t size, int status)
{
    if (status == 0)
        return;
    put_text((struct text){name, size});
    put('!');
    put_text(number((uint64_t)status));
    put(' ');
}

/* {name, readonly, type, schema, span} */
static void declare_one(struct text pair)
{
    char message[256];
    size_t at = 2;
    size_t name = 0;
    while (name < pair.size && pair.ptr[name] != '=')
        name++;
    if (name > 100 || pair.size < name + 4)
        return;
    message[0] = 1 << 3 | 2;
    message[1] = (char)name;
    for (size_t i = 0; i < name; i++)
        message[at++] = pair.ptr[i];
    for (int i = 0; i < 3; i++) {
        static const char fields[] = {2 << 3, 3 << 3, 5 << 3};
        message[at++] = fields[i];
        message[at++] = (char)(pair.ptr[name + 1 + (size_t)i] - '0');
    }
    int status = proxy_call_foreign_function(LITERAL("declare_property"), message, at, NULL, NULL);
    put_status(pair.ptr, name, status);
}

static void set_one(struct text pair)
{
    char name[512];
    size_t size = 0;
    size_t at = 0;
    for (; at < pair.size && pair.ptr[at] != '=' && size < sizeof(name); at++)
        name[size++] = pair.ptr[at] == '/' ? '\0' : pair.ptr[at];
    int status =
        proxy_set_property(name, size, pair.ptr + at + 1, at < pair.size ? pair.size - at - 1 : 0);
    put_status(name, size, status);
}

/* Of a list with ", " between. */
static void for_each(struct text list, void (*fn)(struct text item))
{
    while (list.size) {
        struct text item = {list.ptr, 0};
        while (item.size < list.size && list.ptr[item.size] != ',')
            item.size++;
        size_t next = item.size < list.size ? item.size + 1 : item.size;
        list.ptr += next;
        list.size -= next;
        while (list.size && *list.ptr == ' ') {
            list.ptr++;
            list.size--;
        }
        fn(item);
    }
}

static void keep(enum when when, const char *name)
{
    struct text list = header(REQUEST_HEADERS, name);
    ask_sizes[when] = 0;
    for (size_t i = 0; list.ptr && i < list.size && i < ASK_MAX; i++)
        asks[when][ask_sizes[when]++] = list.ptr[i];
}

static struct text kept(enum when when)
{
    return (struct text){asks[when], ask_sizes[when]};
}

static void ask(const char *when, struct text list)
{
    if (!list.size || !list.ptr)
        return;
    put_text((struct text){(char *)when, length_(when)});
    put(':');
    put(' ');
    for_each(list, ask_one);
}

/* Lists are copied before: what asks gives out may come to lie over a header's value. */
static struct text copy(struct text list)
{
    static char bytes[ASK_MAX];
    size_t size = 0;
    for (; list.ptr && size < list.size && size < ASK_MAX; size++)
        bytes[size] = list.ptr[size];
    return (struct text){bytes, size};
}

PROXY_EXPORT(proxy_on_context_create) void on_context_create(uint32_t id, uint32_t parent)
{
    if (parent == 0)
        root = id;
}

/* What the plug-in's configuration says is declared at once. */
PROXY_EXPORT(proxy_on_configure) int on_configure(uint32_t id, size_t size)
{
    struct text list = {0};
    (void)id;
    proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, &list.ptr, &list.size);
    for_each(list, declare_one);
    return 1;
}

static void as_root(uint32_t id)
{
    struct text list = copy(header(REQUEST_HEADERS, "declare-as-root"));
    proxy_set_effective_context(root);
    for_each(list, declare_one);
    proxy_set_effective_context(id);
    for_each(copy(header(REQUEST_HEADERS, "set")), set_one);
    ask("request", copy(header(REQUEST_HEADERS, "at-request")));
    list = copy(header(REQUEST_HEADERS, "at-root"));
    proxy_set_effective_context(root);
    ask("root", list);
    proxy_set_effective_context(id);
}

PROXY_EXPORT(proxy_on_request_headers) int on_request_headers(uint32_t id, uint32_t n, int end)
{
    (void)n, (void)end;
    out_size = 0;
    keep(AT_RESPONSE, "at-response");
    keep(AT_LOG, "at-log");
    keep(SET_AT_RESPONSE, "set-at-response");
    keep(SET_AT_LOG, "set-at-log");
    ask("start", copy(header(REQUEST_HEADERS, "at-start")));
    for_each(copy(header(REQUEST_HEADERS, "declare")), declare_one);
    as_root(id);
    proxy_set_property(LITERAL("answer"), out, out_size);
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_response_headers) int on_response_headers(uint32_t id, uint32_t n, int end)
{
    (void)id, (void)n, (void)end;
    for_each(kept(SET_AT_RESPONSE), set_one);
    ask("response", kept(AT_RESPONSE));
    proxy_replace_header_map_value(RESPONSE_HEADERS, LITERAL("answer"), out, out_size);
    proxy_set_property(LITERAL("answer"), out, out_size);
    return CONTINUE;
}

PROXY_EXPORT(proxy_on_log) void on_log(uint32_t id)
{
    (void)id;
    for_each(kept(SET_AT_LOG), set_one);
    ask("log", kept(AT_LOG));
    proxy_set_property(LITERAL("answer"), out, out_size);
}
