/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that does what its configuration says, for tests/compat/cases/wasm and others: what each line
 * got of the host is a line of the log. A line that is not indented names a callback, those below
 * it are done when it comes:
 *
 *     request_headers
 *       get 0 x-a            log: get 0 x-a: 0 'its value'
 *       add 0 x-b some%20text
 *       return 1
 *     request_body end       only the call that ends the message; `more`: only the others
 *     response_headers /b    only of requests with this path
 *     request_body more quiet    without the line that says that it came
 *
 * A callback that is not named says and does nothing. In words, %XX is a byte; in what is shown, too.
 * Another file may include this one after it has said what more commands there are (SCRIPT_MORE).
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "proxy_wasm.h"

enum { ROOTS_MAX = 8, CONTEXTS_MAX = 64, WORDS_MAX = 32, LINE_BYTES = 16384 };

struct script {
    uint32_t root;
    size_t size;
    char bytes[4096];
};

struct context {
    uint32_t id;
    const struct script *script;
    size_t path_size;
    char path[256];
};

static struct script scripts[ROOTS_MAX];
static size_t script_count;
static struct context contexts[CONTEXTS_MAX]; /* by their ids */
static uint32_t held;                         /* the request that said `hold` */
static uint32_t last_cas;
static int verdict; /* what the callback returns */

/* The line that is done, as words, and what is said about it. */
static char word_bytes[LINE_BYTES];
static struct text words[WORDS_MAX];
static size_t word_count;
static char said[LINE_BYTES];
static size_t said_size;

/* --- Words ------------------------------------------------------------------------------------ */

static int digit_of(char c)
{
    return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

static void split_words(struct text line)
{
    size_t used = 0;
    word_count = 0;
    for (size_t i = 0; i < line.size && word_count < WORDS_MAX;) {
        while (i < line.size && line.ptr[i] == ' ')
            i++;
        size_t start = used;
        for (; i < line.size && line.ptr[i] != ' '; i++) {
            char c = line.ptr[i];
            if (c == '%' && i + 2 < line.size) {
                c = (char)(digit_of(line.ptr[i + 1]) * 16 + digit_of(line.ptr[i + 2]));
                i += 2;
            }
            word_bytes[used++] = c;
        }
        if (used > start)
            words[word_count++] = (struct text){word_bytes + start, used - start};
    }
}

/* A word by its place; an empty one behind the last. `-` stands for an empty one as well. */
static struct text word(size_t i)
{
    static struct text none = {word_bytes, 0};
    return i < word_count && !is(words[i], "-") ? words[i] : none;
}

static uint32_t number_of(size_t i)
{
    struct text text = word(i);
    uint32_t n = 0;
    bool is_negative = text.size && text.ptr[0] == '-';
    if (is(text, "all"))
        return 0xffffffff;
    for (size_t k = is_negative; k < text.size; k++)
        n = n * 10 + (uint32_t)(text.ptr[k] - '0');
    return is_negative ? 0 - n : n;
}

/* --- What is said ------------------------------------------------------------------------------ */

static void say_bytes(const char *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size && said_size + 3 < sizeof(said); i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= ' ' && c < 127 && c != '%') {
            said[said_size++] = (char)c;
            continue;
        }
        said[said_size++] = '%';
        said[said_size++] = digits[c / 16];
        said[said_size++] = digits[c % 16];
    }
}

static void say(const char *text)
{
    while (*text && said_size < sizeof(said))
        said[said_size++] = *text++;
}

static void say_number(uint64_t n)
{
    struct text text = number(n);
    say_bytes(text.ptr, text.size);
}

static void say_status(int status)
{
    say(": ");
    say_number((uint64_t)status);
}

/* A status and, if it is 0, what came with it. */
static void say_value(int status, struct text value)
{
    say_status(status);
    if (status != 0)
        return;
    say(" '");
    say_bytes(value.ptr, value.size);
    say("'");
}

static void finish_line(void)
{
    proxy_log(LOG_INFO, said, said_size);
    said_size = 0;
}

/* --- Commands ---------------------------------------------------------------------------------- */

static uint32_t read_u32(const char *at)
{
    const unsigned char *b = (const unsigned char *)at;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static size_t write_u32(char *at, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(n >> 8 * i);
    return 4;
}

static void say_pairs(int status, struct text pairs)
{
    say_status(status);
    if (status != 0 || pairs.size < 4)
        return;
    uint32_t count = read_u32(pairs.ptr);
    const char *at = pairs.ptr + 4 + 8 * count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t name_size = read_u32(pairs.ptr + 4 + 8 * i);
        uint32_t value_size = read_u32(pairs.ptr + 8 + 8 * i);
        say(i ? ", " : " ");
        say_bytes(at, name_size);
        say("=");
        say_bytes(at + name_size + 1, value_size);
        at += name_size + value_size + 2;
    }
}

/* The words from `first` on, two by two, as the host wants them. */
static struct text pairs_of(size_t first)
{
    static char pairs[LINE_BYTES];
    uint32_t count = (uint32_t)(word_count > first ? (word_count - first + 1) / 2 : 0);
    size_t size = write_u32(pairs, count);
    for (size_t i = first; i < first + 2 * count; i++)
        size += write_u32(pairs + size, (uint32_t)word(i).size);
    for (size_t i = first; i < first + 2 * count; i++) {
        for (size_t k = 0; k < word(i).size; k++)
            pairs[size++] = word(i).ptr[k];
        pairs[size++] = '\0';
    }
    return (struct text){pairs, count ? size : 0};
}

/* A path with points between its parts. */
static struct text path_of(size_t i)
{
    struct text path = word(i);
    for (size_t k = 0; k < path.size; k++) {
        if (path.ptr[k] == '.')
            path.ptr[k] = '\0';
    }
    return path;
}

#define WORD(i) word(i).ptr, word(i).size

#ifdef PROXY_WASM_ABI_0_1_0
PROXY_IMPORT(proxy_continue_request) int proxy_continue_request(void);
PROXY_IMPORT(proxy_continue_response) int proxy_continue_response(void);

static int continue_stream(uint32_t type)
{
    return type == 0 ? proxy_continue_request() : proxy_continue_response();
}

static int close_stream(uint32_t type)
{
    (void)type;
    return 12;
}
#else
static int continue_stream(uint32_t type)
{
    return proxy_continue_stream((int)type);
}

static int close_stream(uint32_t type)
{
    return proxy_close_stream((int)type);
}
#endif

static bool do_map(int map)
{
    struct text value = {0};
    size_t size = 0;
    if (is(words[0], "get"))
        say_value(proxy_get_header_map_value(map, WORD(2), &value.ptr, &value.size), value);
    else if (is(words[0], "add"))
        say_status(proxy_add_header_map_value(map, WORD(2), WORD(3)));
    else if (is(words[0], "set"))
        say_status(proxy_replace_header_map_value(map, WORD(2), WORD(3)));
    else if (is(words[0], "remove"))
        say_status(proxy_remove_header_map_value(map, WORD(2)));
    else if (is(words[0], "pairs"))
        say_pairs(proxy_get_header_map_pairs(map, &value.ptr, &value.size), value);
    else if (is(words[0], "set-pairs")) {
        struct text pairs = pairs_of(2);
        say_status(proxy_set_header_map_pairs(map, pairs.ptr, pairs.size));
    } else if (is(words[0], "set-bytes"))
        say_status(proxy_set_header_map_pairs(map, WORD(2)));
    else if (is(words[0], "fill")) { /* so many more headers */
        for (uint32_t i = 0; i < number_of(2); i++) {
            struct text name = number(1000 + i);
            say_bytes("", (size_t)proxy_add_header_map_value(map, name.ptr, name.size, "v", 1));
        }
    } else if (is(words[0], "map-size")) {
        say_status(proxy_get_header_map_size(map, &size));
        say(" ");
        say_number(size);
    } else {
        return false;
    }
    return true;
}

static bool do_buffer(int buffer)
{
    struct text value = {0};
    size_t size = 0;
    int flags = 0;
    if (is(words[0], "body"))
        say_value(
            proxy_get_buffer_bytes(buffer, number_of(2), number_of(3), &value.ptr, &value.size),
            value);
    else if (is(words[0], "edit"))
        say_status(proxy_set_buffer_bytes(buffer, number_of(2), number_of(3), WORD(4)));
    else if (is(words[0], "length")) {
        int status = proxy_get_buffer_status(buffer, &size, &flags);
        say_status(status);
        say(" ");
        say_number(size);
    } else {
        return false;
    }
    return true;
}

static bool do_state(void)
{
    struct text value = {0};
    if (is(words[0], "property"))
        say_value(proxy_get_property(path_of(1).ptr, word(1).size, &value.ptr, &value.size), value);
    else if (is(words[0], "set-property"))
        say_status(proxy_set_property(path_of(1).ptr, word(1).size, WORD(2)));
    else if (is(words[0], "shared"))
        say_value(proxy_get_shared_data(WORD(1), &value.ptr, &value.size, &last_cas), value);
    else if (is(words[0], "share")) /* key, value, cas: a number or `last` */
        say_status(
            proxy_set_shared_data(WORD(1), WORD(2), is(word(3), "last") ? last_cas : number_of(3)));
    else if (is(words[0], "tick"))
        say_status(proxy_set_tick_period_milliseconds(number_of(1)));
    else
        return false;
    return true;
}

static bool do_flow(uint32_t id)
{
    struct text pairs;
    if (is(words[0], "hold"))
        held = id;
    else if (is(words[0], "effective"))
        say_status(proxy_set_effective_context(is(word(1), "held") ? held : number_of(1)));
    else if (is(words[0], "continue"))
        say_status(continue_stream(number_of(1)));
    else if (is(words[0], "close"))
        say_status(close_stream(number_of(1)));
    else if (is(words[0], "reply")) { /* status, details, body, gRPC status, headers */
        pairs = pairs_of(5);
        say_status(proxy_send_local_response((int)number_of(1), WORD(2), WORD(3), pairs.ptr,
                                             pairs.size, (int)number_of(4)));
    } else if (is(words[0], "return"))
        verdict = (int)number_of(1);
    else if (is(words[0], "trap"))
        __builtin_trap();
    else if (!is(words[0], "log"))
        return false;
    return true;
}

#ifndef SCRIPT_MORE
#define SCRIPT_MORE(id) ((void)(id), false)
#endif

static void do_line(uint32_t id, struct text line)
{
    split_words(line);
    if (word_count == 0)
        return;
    bool is_quiet = is(words[0], "return") || is(words[0], "hold") || is(words[0], "trap");
    for (size_t i = 0; i < word_count; i++) {
        say(i ? " " : "");
        say_bytes(words[i].ptr, words[i].size);
    }
    if (!do_map((int)number_of(1)) && !do_buffer((int)number_of(1)) && !do_state() &&
        !do_flow(id) && !SCRIPT_MORE(id))
        say(": there is no such command");
    if (is_quiet)
        said_size = 0;
    else
        finish_line();
}

/* --- Callbacks ---------------------------------------------------------------------------------- */

static struct context *context_of(uint32_t id)
{
    return &contexts[id % CONTEXTS_MAX];
}

static struct text take_line(struct text *rest)
{
    struct text line = {rest->ptr, 0};
    while (line.size < rest->size && rest->ptr[line.size] != '\n')
        line.size++;
    size_t step = line.size < rest->size ? line.size + 1 : line.size;
    rest->ptr += step;
    rest->size -= step;
    return line;
}

static bool is_meant(const struct context *context, struct text line, const char *callback, int end)
{
    split_words(line);
    if (word_count == 0 || !is(words[0], callback))
        return false;
    struct text condition = word(1);
    if (is(condition, "end") || is(condition, "more"))
        return is(condition, end ? "end" : "more");
    if (condition.size == 0)
        return true;
    if (condition.size != context->path_size)
        return false;
    for (size_t i = 0; i < condition.size; i++) {
        if (condition.ptr[i] != context->path[i])
            return false;
    }
    return true;
}

/* Says that the callback came, with a number unless it is below zero, and does what is meant for it. */
static int run(uint32_t id, const char *callback, int n, int end, int otherwise)
{
    const struct context *context = context_of(id);
    bool is_told = false;
    bool is_on = false;
    verdict = otherwise;
    if (context->id != id || !context->script)
        return otherwise;
    struct text rest = {(char *)context->script->bytes, context->script->size};
    while (rest.size) {
        struct text line = take_line(&rest);
        if (line.size && line.ptr[0] != ' ') {
            is_on = is_meant(context, line, callback, end);
            if (is_on && !is_told && !is(word(2), "quiet")) {
                say(callback);
                if (n >= 0) {
                    say(" ");
                    say_number((uint64_t)n);
                }
                say(end ? " end" : "");
                finish_line();
                is_told = true;
            }
        } else if (is_on) {
            do_line(id, line);
        }
    }
    return verdict;
}

static void keep_path(uint32_t id)
{
    struct context *context = context_of(id);
    struct text path = header(REQUEST_HEADERS, ":path");
    context->path_size = path.size < sizeof(context->path) ? path.size : 0;
    for (size_t i = 0; i < context->path_size; i++)
        context->path[i] = path.ptr[i];
}

/* A root's script is its plug-in's configuration. */
static const struct script *read_script(uint32_t id)
{
    struct text bytes = {0};
    struct script *script = &scripts[script_count];
    if (script_count == ROOTS_MAX ||
        proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, 0xffffffff, &bytes.ptr, &bytes.size) != 0)
        return NULL;
    script_count++;
    script->root = id;
    script->size = bytes.size < sizeof(script->bytes) ? bytes.size : 0;
    for (size_t i = 0; i < script->size; i++)
        script->bytes[i] = bytes.ptr[i];
    return script;
}

PROXY_EXPORT(proxy_on_context_create) void on_context_create(uint32_t id, uint32_t parent)
{
    struct context *context = context_of(id);
    *context = (struct context){.id = id};
    for (size_t i = 0; parent && i < script_count; i++) {
        if (scripts[i].root == parent)
            context->script = &scripts[i];
    }
    if (!parent)
        context->script = read_script(id);
    run(id, "create", -1, 0, 0);
}

PROXY_EXPORT(proxy_on_vm_start) int on_vm_start(uint32_t id, size_t size)
{
    return run(id, "vm_start", (int)size, 0, 1);
}

PROXY_EXPORT(proxy_on_configure) int on_configure(uint32_t id, size_t size)
{
    return run(id, "configure", (int)size, 0, 1);
}

PROXY_EXPORT(proxy_on_tick) void on_tick(uint32_t id)
{
    run(id, "tick", -1, 0, 0);
}

#if defined(PROXY_WASM_ABI_0_1_0) /* headers come without word of the end */
PROXY_EXPORT(proxy_on_request_headers) int on_request_headers(uint32_t id, uint32_t n)
{
    keep_path(id);
    return run(id, "request_headers", (int)n, 0, CONTINUE);
}

PROXY_EXPORT(proxy_on_response_headers) int on_response_headers(uint32_t id, uint32_t n)
{
    return run(id, "response_headers", (int)n, 0, CONTINUE);
}
#else
PROXY_EXPORT(proxy_on_request_headers) int on_request_headers(uint32_t id, uint32_t n, int end)
{
    keep_path(id);
    return run(id, "request_headers", (int)n, end, CONTINUE);
}

PROXY_EXPORT(proxy_on_response_headers) int on_response_headers(uint32_t id, uint32_t n, int end)
{
    return run(id, "response_headers", (int)n, end, CONTINUE);
}
#endif

PROXY_EXPORT(proxy_on_request_body) int on_request_body(uint32_t id, size_t size, int end)
{
    return run(id, "request_body", (int)size, end, CONTINUE);
}

PROXY_EXPORT(proxy_on_request_trailers) int on_request_trailers(uint32_t id, uint32_t n)
{
    return run(id, "request_trailers", (int)n, 0, CONTINUE);
}

PROXY_EXPORT(proxy_on_response_body) int on_response_body(uint32_t id, size_t size, int end)
{
    return run(id, "response_body", (int)size, end, CONTINUE);
}

PROXY_EXPORT(proxy_on_response_trailers) int on_response_trailers(uint32_t id, uint32_t n)
{
    return run(id, "response_trailers", (int)n, 0, CONTINUE);
}

PROXY_EXPORT(proxy_on_log) void on_log(uint32_t id)
{
    run(id, "log", -1, 0, 0);
}

PROXY_EXPORT(proxy_on_done) int on_done(uint32_t id)
{
    return run(id, "done", -1, 0, 1);
}

PROXY_EXPORT(proxy_on_delete) void on_delete(uint32_t id)
{
    run(id, "delete", -1, 0, 0);
}

#endif
