/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter that defines and changes metrics as the path of a request says, and answers with the
 * status and what it got. For tests/e2e/test_wasm_metrics.py:
 *
 *     /define/TYPE/NAME  /increment/ID/DELTA  /record/ID/VALUE  /get/ID   "STATUS NUMBER"
 *     /hex/TYPE/HEX      the same as define, the name in hexadecimal digits
 *     /bad/TYPE          defines with a place for the id, and a name, that are not in memory
 *     /many/COUNT/NAME   defines counters NAME0, NAME1 ...: the status of the last, and how many
 *                        were there
 *     /grow/PAGES        makes its memory larger
 *     /trap              ends the guest
 *
 * Its configuration is a row of names, a comma after each: counters to define in on_configure.
 */
#include "guest.h"

static char path_bytes[8192];
static struct text path;

/* What follows the next slash. */
static struct text next(void)
{
    return cut(&path, '/');
}

static uint64_t to_number(struct text text)
{
    bool is_negative = text.size && text.ptr[0] == '-';
    uint64_t n = 0;
    for (size_t i = is_negative; i < text.size; i++)
        n = n * 10 + (uint64_t)(text.ptr[i] - '0');
    return is_negative ? 0 - n : n;
}

static struct text from_hex(struct text text)
{
    for (size_t i = 0; i + 1 < text.size; i += 2)
        text.ptr[i / 2] = (char)(digit(text.ptr[i]) * 16 + digit(text.ptr[i + 1]));
    return (struct text){text.ptr, text.size / 2};
}

static size_t put(char *to, size_t at, uint64_t value)
{
    struct text digits = number(value);
    for (size_t i = 0; i < digits.size; i++)
        to[at++] = digits.ptr[i];
    return at;
}

static void answer(int status, uint64_t value)
{
    char body[64];
    size_t size = put(body, 0, (uint64_t)status);
    body[size++] = ' ';
    size = put(body, size, value);
    body[size++] = '\n';
    proxy_send_local_response(200, LITERAL(""), body, size, NULL, 0, -1);
}

static int define(int type, struct text name, uint64_t *id)
{
    uint32_t got = 0;
    int status = proxy_define_metric(type, name.ptr, name.size, &got);
    *id = got;
    return status;
}

static int define_many(uint64_t count, struct text prefix, uint64_t *made)
{
    static char name[512];
    uint64_t id;
    int status = 0;
    for (size_t i = 0; i < prefix.size; i++)
        name[i] = prefix.ptr[i];
    for (*made = 0; *made < count; ++*made) {
        struct text digits = number(*made);
        for (size_t i = 0; i < digits.size; i++)
            name[prefix.size + i] = digits.ptr[i];
        status = define(COUNTER, (struct text){name, prefix.size + digits.size}, &id);
        if (status != 0)
            break;
    }
    return status;
}

static int do_what_it_says(struct text what, uint64_t *value)
{
    uint64_t first = to_number(next());
    if (is(what, "define"))
        return define((int)first, path, value);
    if (is(what, "hex"))
        return define((int)first, from_hex(path), value);
    if (is(what, "increment"))
        return proxy_increment_metric((uint32_t)first, (int64_t)to_number(path));
    if (is(what, "record"))
        return proxy_record_metric((uint32_t)first, to_number(path));
    if (is(what, "get"))
        return proxy_get_metric((uint32_t)first, value);
    if (is(what, "many"))
        return define_many(first, path, value);
    if (is(what, "bad")) {
        *value = (uint64_t)proxy_define_metric((int)first, (const char *)0xfffffff0, 4,
                                               (uint32_t *)value);
        return proxy_define_metric((int)first, LITERAL("bad"), (uint32_t *)0xfffffff0);
    }
    if (is(what, "badget"))
        return proxy_get_metric((uint32_t)first, (uint64_t *)0xfffffff0);
    if (is(what, "grow")) {
        *value = __builtin_wasm_memory_grow(0, (size_t)first);
        return 0;
    }
    return 99;
}

PROXY_EXPORT(proxy_on_configure) int on_configure(uint32_t id, size_t size)
{
    struct text names = {0};
    uint64_t ignored;
    (void)id;
    proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, &names.ptr, &names.size);
    for (size_t at = 0, begin = 0; at < names.size; at++) {
        if (names.ptr[at] == ',') {
            define(COUNTER, (struct text){names.ptr + begin, at - begin}, &ignored);
            begin = at + 1;
        }
    }
    return 1;
}

PROXY_EXPORT(proxy_on_request_headers) int on_request_headers(uint32_t id, int count, int end)
{
    struct text now = header(REQUEST_HEADERS, ":path");
    uint64_t value = 0;
    (void)id, (void)count, (void)end;
    path = (struct text){path_bytes, now.size < sizeof(path_bytes) ? now.size : sizeof(path_bytes)};
    for (size_t i = 0; i < path.size; i++)
        path_bytes[i] = now.ptr[i];
    next();
    struct text what = next();
    if (what.size == 0)
        return CONTINUE;
    if (is(what, "trap"))
        __builtin_trap();
    int status = do_what_it_says(what, &value);
    answer(status, value);
    return PAUSE;
}
