/* SPDX-License-Identifier: Apache-2.0 */
/* Each phase takes what it can from the front of the input; the message waits where one takes
 * nothing. */
#include "server/wasm_run/message.h"

/* --- Taking ----------------------------------------------------------------------------------- */

/* The input that is not taken yet. */
struct input {
    struct nu_str left;
};

/* The next line, without its end; false if it is not there as a whole. */
static bool take_line(struct input *in, struct nu_str *line)
{
    size_t end = nu_str_find(in->left, NU_STR("\r\n"));
    if (end == NU_NPOS)
        return false;
    *line = nu_str_first(in->left, end);
    in->left = nu_str_skip(in->left, end + 2);
    return true;
}

static bool go(struct nu_wasm_run_message *message, enum nu_wasm_run_phase phase)
{
    message->phase = phase;
    return true;
}

/* --- The head --------------------------------------------------------------------------------- */

/* The value of the first such field among lines; no view if there is none. */
static struct nu_str find_field(const struct nu_strbuf *lines, struct nu_str name)
{
    struct nu_str rest = nu_strbuf_str(lines);
    while (rest.ptr) {
        struct nu_str line = nu_str_split(&rest, '\n');
        if (line.len > name.len && line.ptr[name.len] == ':' &&
            nu_str_starts_with_nocase(line, name))
            return nu_str_trim(nu_str_skip(line, name.len + 1));
    }
    return nu_str_make(NULL, 0);
}

static unsigned read_status(const struct nu_strbuf *head)
{
    enum { VERSION = 9 }; /* "HTTP/1.1 " */
    uint64_t status;
    struct nu_str digits = nu_str_first(nu_str_skip(nu_strbuf_str(head), VERSION), 3);
    return nu_str_to_u64(digits, &status) == NU_OK ? (unsigned)status : 0;
}

static bool is_without_body(const struct nu_wasm_run_message *message)
{
    return message->is_response &&
           (message->answers_head || message->status == 204 || message->status == 304);
}

static bool choose_body(struct nu_wasm_run_message *message)
{
    struct nu_str length = find_field(&message->head, NU_STR("content-length"));
    struct nu_str coding = find_field(&message->head, NU_STR("transfer-encoding"));
    if (is_without_body(message))
        return go(message, NU_WASM_RUN_COMPLETE);
    if (nu_str_ends_with_nocase(coding, NU_STR("chunked")))
        return go(message, NU_WASM_RUN_CHUNK_SIZE);
    if (length.ptr && nu_str_to_u64(length, &message->left) != NU_OK)
        return go(message, NU_WASM_RUN_FAILED);
    if (length.ptr)
        return go(message, message->left ? NU_WASM_RUN_BODY : NU_WASM_RUN_COMPLETE);
    return go(message, message->is_response ? NU_WASM_RUN_BODY_REST : NU_WASM_RUN_COMPLETE);
}

static bool end_head(struct nu_wasm_run_message *message)
{
    enum { SWITCHING = 101 };
    message->status = message->is_response ? read_status(&message->head) : 0;
    if (message->is_response && message->status < 100)
        return go(message, NU_WASM_RUN_FAILED);
    if (message->is_response && message->status < 200 && message->status != SWITCHING) {
        nu_strbuf_clear(&message->head);
        return true;
    }
    return choose_body(message);
}

/* A line of the head or of the trailers. */
static bool take_field(struct nu_wasm_run_message *message, struct input *in)
{
    bool is_head = message->phase == NU_WASM_RUN_HEAD;
    struct nu_strbuf *lines = is_head ? &message->head : &message->trailers;
    struct nu_str line = in->left;
    bool is_whole = take_line(in, &line);
    if (lines->len + line.len > NU_WASM_RUN_HEAD_MAX)
        return go(message, NU_WASM_RUN_FAILED);
    if (!is_whole)
        return false;
    if (line.len == 0)
        return is_head ? end_head(message) : go(message, NU_WASM_RUN_COMPLETE);
    nu_strbuf_add(lines, line);
    nu_strbuf_add_char(lines, '\n');
    return true;
}

/* --- The body --------------------------------------------------------------------------------- */

static void keep(struct nu_wasm_run_message *message, struct nu_str bytes)
{
    size_t room = NU_WASM_RUN_BODY_KEPT - message->body.len;
    nu_strbuf_add(&message->body, nu_str_first(bytes, nu_min_size(bytes.len, room)));
    message->body_bytes += bytes.len;
}

/* What is there of `left` bytes, which `next` follows. */
static bool take_body(struct nu_wasm_run_message *message, struct input *in,
                      enum nu_wasm_run_phase next)
{
    size_t n = in->left.len < message->left ? in->left.len : (size_t)message->left;
    keep(message, nu_str_first(in->left, n));
    in->left = nu_str_skip(in->left, n);
    message->left -= n;
    return message->left == 0 && go(message, next);
}

static bool take_rest(struct nu_wasm_run_message *message, struct input *in)
{
    keep(message, in->left);
    in->left = nu_str_skip(in->left, in->left.len);
    return false;
}

static bool read_size(struct nu_str text, uint64_t *size)
{
    enum { DIGITS_MAX = 15 };
    *size = 0;
    if (text.len == 0 || text.len > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = nu_hex_value(text.ptr[i]);
        if (digit < 0)
            return false;
        *size = *size * 16 + (uint64_t)digit;
    }
    return true;
}

static bool take_chunk_size(struct nu_wasm_run_message *message, struct input *in)
{
    struct nu_str line;
    if (!take_line(in, &line))
        return in->left.len > NU_WASM_RUN_HEAD_MAX && go(message, NU_WASM_RUN_FAILED);
    if (!read_size(nu_str_split(&line, ';'), &message->left))
        return go(message, NU_WASM_RUN_FAILED);
    return go(message, message->left ? NU_WASM_RUN_CHUNK : NU_WASM_RUN_TRAILERS);
}

static bool take_chunk_end(struct nu_wasm_run_message *message, struct input *in)
{
    if (in->left.len < 2)
        return false;
    bool is_end = nu_str_starts_with(in->left, NU_STR("\r\n"));
    in->left = nu_str_skip(in->left, 2);
    return go(message, is_end ? NU_WASM_RUN_CHUNK_SIZE : NU_WASM_RUN_FAILED);
}

/* --- The message ------------------------------------------------------------------------------ */

/* One step; false where it has to wait for more, or is done. */
static bool step(struct nu_wasm_run_message *message, struct input *in)
{
    switch (message->phase) {
    case NU_WASM_RUN_HEAD:
    case NU_WASM_RUN_TRAILERS:
        return take_field(message, in);
    case NU_WASM_RUN_BODY:
        return take_body(message, in, NU_WASM_RUN_COMPLETE);
    case NU_WASM_RUN_CHUNK:
        return take_body(message, in, NU_WASM_RUN_CHUNK_END);
    case NU_WASM_RUN_BODY_REST:
        return take_rest(message, in);
    case NU_WASM_RUN_CHUNK_SIZE:
        return take_chunk_size(message, in);
    case NU_WASM_RUN_CHUNK_END:
        return take_chunk_end(message, in);
    case NU_WASM_RUN_COMPLETE:
    case NU_WASM_RUN_FAILED:
        return false;
    }
    return false;
}

void nu_wasm_run_message_init(struct nu_wasm_run_message *message)
{
    *message = (struct nu_wasm_run_message){.phase = NU_WASM_RUN_HEAD};
}

void nu_wasm_run_message_init_response(struct nu_wasm_run_message *message, bool answers_head)
{
    nu_wasm_run_message_init(message);
    message->is_response = true;
    message->answers_head = answers_head;
}

void nu_wasm_run_message_finish(struct nu_wasm_run_message *message)
{
    nu_strbuf_finish(&message->head);
    nu_strbuf_finish(&message->trailers);
    nu_strbuf_finish(&message->body);
}

void nu_wasm_run_message_feed(struct nu_wasm_run_message *message, struct nu_strbuf *in)
{
    struct input input = {.left = nu_strbuf_str(in)};
    while (step(message, &input))
        continue;
    struct nu_strbuf rest = {0};
    nu_strbuf_add(&rest, input.left);
    nu_strbuf_finish(in);
    *in = rest;
}

void nu_wasm_run_message_end(struct nu_wasm_run_message *message)
{
    bool is_complete =
        message->phase == NU_WASM_RUN_BODY_REST || message->phase == NU_WASM_RUN_COMPLETE;
    message->phase = is_complete ? NU_WASM_RUN_COMPLETE : NU_WASM_RUN_FAILED;
}

struct nu_str nu_wasm_run_message_method(const struct nu_wasm_run_message *message)
{
    struct nu_str head = nu_strbuf_str(&message->head);
    return nu_str_split(&head, ' ');
}
