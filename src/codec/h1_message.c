/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message. llhttp gets the first line, the field lines that bear on framing, and the body; the
 * other field lines it would only walk over. Its callbacks only note things: whoever feeds the
 * message acts on them after llhttp has returned, so that nothing is destroyed under the parser.
 */
#include "base/assert.h"
#include "codec/h1_internal.h"

#define DETAILS_CODEC_ERROR NU_STR("http1.codec_error")
#define DETAILS_INVALID_CHARACTERS NU_STR("http1.invalid_characters")
#define DETAILS_HEADERS_TOO_LARGE NU_STR("http1.headers_too_large")
#define DETAILS_TOO_MANY_HEADERS NU_STR("http1.too_many_headers")

static struct nu_h1_message *message_of(llhttp_t *parser)
{
    return nu_container_of(parser, struct nu_h1_message, parser);
}

int nu_h1_message_fail(struct nu_h1_message *msg, uint32_t status, struct nu_str details)
{
    if (msg->phase != NU_H1_FAILED) {
        msg->error = (struct nu_codec_error){
            .status = status,
            .details = details,
        };
        msg->phase = NU_H1_FAILED;
    }
    return HPE_USER;
}

static int fail_syntax(struct nu_h1_message *msg)
{
    return nu_h1_message_fail(msg, 400, DETAILS_CODEC_ERROR);
}

/* Adds a piece to a view; all pieces of one text are neighbours, or something was skipped. */
static bool extend(struct nu_str *text, const char *at, size_t len)
{
    if (!text->ptr)
        text->ptr = at;
    else if (text->ptr + text->len != at)
        return false;
    text->len += len;
    return true;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct nu_h1_message *msg = message_of(parser);
    return extend(&msg->url, at, len) ? 0 : fail_syntax(msg);
}

static int on_status(llhttp_t *parser, const char *at, size_t len)
{
    struct nu_h1_message *msg = message_of(parser);
    return extend(&msg->reason, at, len) ? 0 : fail_syntax(msg);
}

static bool is_digit_pair(const char *p)
{
    return nu_ascii_is_digit(p[0]) && p[1] == '.' && nu_ascii_is_digit(p[2]);
}

/* What stands behind the target is " HTTP/1.0" or " HTTP/1.1"; another version, or none, gets
 * Envoy's answer to old clients. */
static bool check_version(struct nu_h1_message *msg, struct nu_str rest)
{
    static const struct nu_str prefix = NU_STR_INIT(" HTTP/");
    bool is_well_formed = rest.len == 11 && nu_str_starts_with(rest, prefix) &&
                          is_digit_pair(rest.ptr + prefix.len) && rest.ptr[9] == '\r';
    char least_minor = msg->options->accept_http_10 ? '0' : '1';
    if (nu_likely(is_well_formed && rest.ptr[6] == '1' && rest.ptr[8] >= least_minor &&
                  rest.ptr[8] <= '1'))
        return true;
    if (is_well_formed || nu_str_eq(rest, NU_STR("\r\n")))
        nu_h1_message_fail(msg, 426, NU_STR("low_version"));
    return false;
}

static bool is_control(char c)
{
    unsigned char u = (unsigned char)c;
    return (u < 0x20 && u != '\t' && u != '\r' && u != '\n') || u == 0x7f;
}

/* The request line is METHOD SP target SP HTTP/1.x CRLF and nothing else. `end` is behind its
 * LF. */
static bool check_request_line(struct nu_h1_message *msg, const char *end, struct nu_str *target)
{
    const char *method_end = nu_header_name_end(msg->head, end);
    if (method_end == msg->head || *method_end != ' ')
        return false;
    const char *start = method_end + 1;
    const char *stop = start;
    for (; *stop != ' ' && *stop != '\r' && *stop != '\n'; stop++) {
        if (*stop == '\t')
            return false;
        if (nu_unlikely(is_control(*stop))) {
            nu_h1_message_fail(msg, 400, DETAILS_INVALID_CHARACTERS);
            return false;
        }
    }
    *target = nu_str_make(start, (size_t)(stop - start));
    return target->len && check_version(msg, nu_str_make(stop, (size_t)(end - stop)));
}

/* The status line is HTTP/1.x SP 3 digits, then SP and a reason or CRLF. */
static bool check_status_line(const struct nu_h1_message *msg, const char *end)
{
    enum { SHORTEST = sizeof("HTTP/1.1 200\r\n") - 1 };
    const char *p = msg->head;
    if (end - p < SHORTEST || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') ||
        p[8] != ' ')
        return false;
    for (int i = 9; i < 12; i++) {
        if (!nu_ascii_is_digit(p[i]))
            return false;
    }
    p += 12;
    if (*p == ' ')
        p++;
    if (msg->reason.len) {
        if (msg->reason.ptr != p || !nu_header_value_is_valid(msg->reason))
            return false;
        p += msg->reason.len;
    }
    return end - p == 2 && *p == '\r';
}

static int on_headers_complete(llhttp_t *parser)
{
    struct nu_h1_message *msg = message_of(parser);
    if (msg->phase == NU_H1_TRAILERS)
        return 0;
    int code = msg->is_request ? nu_h1_check_request(msg) : nu_h1_check_response(msg);
    if (code != 0)
        return code;
    /* What llhttp would treat as another protocol is an ordinary message here. */
    parser->upgrade = 0;
    msg->phase = NU_H1_BODY;
    return msg->has_body ? 0 : 1;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    enum { WORTH_SHARING = 512 };
    struct nu_h1_message *msg = message_of(parser);
    /* Many small chunks would each hold the block and be a piece of their own to write. */
    if (nu_unlikely(msg->body.len && len < WORTH_SHARING))
        nu_buf_append(&msg->body, nu_str_make(at, len));
    else
        nu_buf_add_block(&msg->body, msg->body_block, nu_str_make(at, len));
    return 0;
}

/* The last chunk's size line is read: what follows is the trailer section, which is kept whole. */
static int on_chunk_header(llhttp_t *parser)
{
    return parser->content_length == 0 ? HPE_PAUSED : 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct nu_h1_message *msg = message_of(parser);
    msg->phase = NU_H1_COMPLETE;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_status = on_status,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_message_complete = on_message_complete,
};

static void init_parser(struct nu_h1_message *msg)
{
    nu_headers_reserve_first(msg->headers, msg->is_request ? NU_PLACE_COUNT : 1);
    llhttp_init(&msg->parser, msg->is_request ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
    /* Content-Length beside Transfer-Encoding is judged by our own rules. */
    llhttp_set_lenient_chunked_length(&msg->parser, 1);
}

struct nu_h1_message *nu_h1_message_create(struct nu_stream_decoder *decoder,
                                           const struct nu_h1_options *options, bool is_request)
{
    struct nu_h1_message *msg = nu_arena_calloc(decoder->arena, sizeof(*msg));
    msg->options = options;
    msg->arena = decoder->arena;
    msg->headers = decoder->headers;
    msg->target = decoder->headers;
    msg->headers->name_style = (uint8_t)options->keep_names;
    msg->is_request = is_request;
    msg->joined = is_request ? &nu_joined_request_headers : &nu_joined_response_headers;
    init_parser(msg);
    return msg;
}

void nu_h1_message_restart(struct nu_h1_message *msg)
{
    msg->phase = NU_H1_START;
    msg->head = NULL;
    msg->field.line = NULL;
    msg->url = nu_str_make(NULL, 0);
    msg->reason = nu_str_make(NULL, 0);
    msg->parsed = 0;
    msg->header_count = 0;
    nu_headers_clear(msg->headers);
    init_parser(msg);
}

static void shift(const char **p, const char *from, size_t len, const char *to)
{
    if (*p && *p >= from && *p <= from + len)
        *p = to + (*p - from);
}

/* Moves every view that points into the old bytes. */
static void rebase(struct nu_h1_message *msg, const char *from, size_t len, const char *to)
{
    shift(&msg->head, from, len, to);
    shift(&msg->field.line, from, len, to);
    shift(&msg->field.at, from, len, to);
    shift(&msg->field.name.ptr, from, len, to);
    shift(&msg->url.ptr, from, len, to);
    shift(&msg->reason.ptr, from, len, to);
    nu_headers_for_each(header, msg->target)
    {
        if (header->id == NU_HEADER_OTHER)
            shift(&header->name.ptr, from, len, to);
        shift(&header->value.ptr, from, len, to);
    }
}

/*
 * Makes the retained bytes one slice again after a read went to another block. The new block is
 * twice as large, so that a head which comes in many pieces is copied only a few times.
 */
static void linearize(struct nu_h1_message *msg, struct nu_buf *in)
{
    const char *old = in->first->ptr;
    size_t old_len = in->first->len;
    size_t total = in->len;
    struct nu_block *block = nu_block_get_size(total * 2);
    nu_buf_copy_out(in, 0, block->data, total);
    block->fill = (uint32_t)total;
    struct nu_buf joined = {0};
    nu_buf_add_block(&joined, block, nu_str_make(block->data, total));
    nu_block_unref(block);
    rebase(msg, old, old_len, block->data);
    nu_buf_clear(in);
    *in = joined;
}

bool nu_h1_skip_empty_lines(struct nu_buf *in)
{
    while (in->len && in->first->ptr[0] == '\r') {
        char start[2];
        if (nu_buf_copy_out(in, 0, start, 2) < 2)
            return false;
        if (start[1] != '\n')
            return true;
        nu_buf_drain(in, 2);
    }
    return in->len > 0;
}

/* llhttp refused a byte: which details word Envoy has for it. */
static void note_error(struct nu_h1_message *msg, enum llhttp_errno code)
{
    if (code == HPE_INVALID_TRANSFER_ENCODING)
        nu_h1_message_fail(msg, 501, NU_STR("http1.invalid_transfer_encoding"));
    else
        fail_syntax(msg);
}

/* Shows llhttp some bytes; false when the message failed. */
static bool feed_parser(struct nu_h1_message *msg, const char *from, size_t len)
{
    enum llhttp_errno code = llhttp_execute(&msg->parser, from, len);
    if (msg->phase == NU_H1_FAILED)
        return false;
    if (nu_likely(code == HPE_OK || code == HPE_PAUSED))
        return true;
    note_error(msg, code);
    return false;
}

/* --- Head and trailer section
 * ------------------------------------------------------------------- */

/* llhttp has to find the same target in the line as we do. */
static bool read_request_line(struct nu_h1_message *msg, const char *end)
{
    struct nu_str target;
    return check_request_line(msg, end, &target) &&
           feed_parser(msg, msg->head, (size_t)(end - msg->head)) && msg->url.ptr == target.ptr &&
           msg->url.len == target.len;
}

static bool read_status_line(struct nu_h1_message *msg, const char *end)
{
    return feed_parser(msg, msg->head, (size_t)(end - msg->head)) && check_status_line(msg, end);
}

/* Waits for the first line to be complete, so that what is said of it does not depend on how it
 * came; what cannot begin one is not waited for. Returns whether the line is right. */
static bool read_first_line(struct nu_h1_message *msg, const char *end)
{
    const char *from = msg->head + msg->parsed;
    const char *lf = memchr(from, '\n', (size_t)(end - from));
    msg->parsed = (uint32_t)(end - msg->head);
    if (nu_unlikely(!lf)) {
        if (!nu_is_token_char(*msg->head))
            fail_syntax(msg);
        return false;
    }
    bool is_right =
        msg->is_request ? read_request_line(msg, lf + 1) : read_status_line(msg, lf + 1);
    if (!is_right)
        fail_syntax(msg);
    nu_h1_field_begin(&msg->field, lf + 1);
    return is_right;
}

/* The names that llhttp looks at. */
static bool bears_on_framing(enum nu_header_id id)
{
    switch (id) {
    case NU_HEADER_CONNECTION:
    case NU_HEADER_CONTENT_LENGTH:
    case NU_HEADER_PROXY_CONNECTION:
    case NU_HEADER_TRANSFER_ENCODING:
    case NU_HEADER_UPGRADE:
        return true;
    default:
        return false;
    }
}

/* Names that say one thing about a message; even equal or empty ones are read in more ways than
 * one. */
static bool may_repeat(enum nu_header_id id)
{
    return id != NU_HEADER_HOST && id != NU_HEADER_CONTENT_LENGTH &&
           id != NU_HEADER_TRANSFER_ENCODING;
}

static void fail_repeated(struct nu_h1_message *msg, enum nu_header_id id)
{
    if (id == NU_HEADER_TRANSFER_ENCODING)
        nu_h1_message_fail(msg, 501, NU_STR("http1.invalid_transfer_encoding"));
    else
        fail_syntax(msg);
}

/* Shows llhttp a field line without the blanks around its value, of which its versions think
 * differently. */
static bool show_field(struct nu_h1_message *msg, enum nu_header_id id)
{
    struct nu_str name = nu_header_name_of(id);
    struct nu_str value = msg->field.value;
    return feed_parser(msg, name.ptr, name.len) && feed_parser(msg, ":", 1) &&
           feed_parser(msg, value.ptr, value.len) && feed_parser(msg, "\r\n", 2);
}

/* What is configured for names with an underscore; returns whether the header is to be kept. */
static bool may_keep_name(struct nu_h1_message *msg, struct nu_str name)
{
    if (nu_likely(msg->options->underscore_action == NU_UNDERSCORE_ALLOW) ||
        nu_str_find_char(name, '_') == NU_NPOS)
        return true;
    if (msg->options->underscore_action == NU_UNDERSCORE_REJECT)
        nu_h1_message_fail(msg, 400, NU_STR("http1.unexpected_underscore"));
    msg->underscores++;
    return false;
}

static void add_header(struct nu_h1_message *msg, enum nu_header_id id, const char *original)
{
    struct nu_headers *headers = msg->target;
    const struct nu_h1_field *field = &msg->field;
    if (nu_unlikely(id != NU_HEADER_OTHER && nu_headers_has_id(headers, id)))
        msg->has_repeated |= nu_header_set_has(msg->joined, id);
    struct nu_str name = id ? nu_header_name_of(id) : field->name;
    nu_headers_add_ref(headers, id, name, field->value)->original_name = original;
}

/* Takes over the field line that was read; false when the message failed. */
static bool take_field(struct nu_h1_message *msg)
{
    enum { FIELD_EXTRA = sizeof(":\r\n") - 1 };
    const struct nu_h1_field *field = &msg->field;
    const char *original = NULL;
    msg->field_bytes += (uint32_t)(field->name.len + field->value.len) + FIELD_EXTRA;
    if (++msg->header_count > msg->options->max_headers) {
        nu_h1_message_fail(msg, 431, DETAILS_TOO_MANY_HEADERS);
        return false;
    }
    if (!may_keep_name(msg, field->name))
        return msg->phase != NU_H1_FAILED;
    if (nu_unlikely(msg->options->keep_names))
        original = nu_arena_dup(msg->arena, field->name).ptr;
    enum nu_header_id id = nu_header_id_of_token(field->name);
    if (id == NU_HEADER_OTHER)
        nu_header_name_lower(nu_unconst(field->name.ptr), field->name.len);
    if (nu_unlikely(!may_repeat(id) && nu_headers_has_id(msg->target, id))) {
        fail_repeated(msg, id);
        return false;
    }
    if (bears_on_framing(id) && msg->phase == NU_H1_HEAD && !show_field(msg, id))
        return false;
    add_header(msg, id, original);
    return true;
}

/* Reads field lines up to `end`. Returns whether the empty line was among them. */
static bool read_fields(struct nu_h1_message *msg, const char *end)
{
    for (;;) {
        switch (nu_h1_field_read(&msg->field, end)) {
        case NU_H1_FIELD_PARTIAL:
            return false;
        case NU_H1_FIELD_COMPLETE:
            if (!take_field(msg))
                return false;
            nu_h1_field_begin(&msg->field, msg->field.at);
            break;
        case NU_H1_FIELD_END:
            return true;
        case NU_H1_FIELD_BAD:
            fail_syntax(msg);
            return false;
        case NU_H1_FIELD_BAD_CHARACTER:
            nu_h1_message_fail(msg, 400, DETAILS_INVALID_CHARACTERS);
            return false;
        }
    }
}

/* Reads on in the section's bytes, which lie between `start` and `end`. Returns whether its empty
 * line was seen. */
static bool read_section(struct nu_h1_message *msg, const char *start, const char *end)
{
    if (!msg->head) {
        msg->head = start;
        if (msg->phase == NU_H1_TRAILERS)
            nu_h1_field_begin(&msg->field, start);
    }
    if (!msg->field.line && !read_first_line(msg, end))
        return false;
    return read_fields(msg, end);
}

static void join_repeated(struct nu_h1_message *msg)
{
    if (nu_likely(!msg->has_repeated))
        return;
    msg->has_repeated = false;
    nu_headers_join_repeated(msg->target, msg->joined);
}

/* The head or the trailer section: bytes are retained until it is complete. */
static void feed_section(struct nu_h1_message *msg, struct nu_buf *in)
{
    if (in->first->next)
        linearize(msg, in);
    struct nu_slice *slice = in->first;
    uint8_t phase = msg->phase;
    /* What lies behind the limit is not looked at, however much came at once. */
    size_t visible = nu_min_size(slice->len, msg->options->max_head_bytes);
    bool is_complete = read_section(msg, slice->ptr, slice->ptr + visible);
    if (msg->phase == NU_H1_FAILED)
        return;
    if (nu_unlikely(!is_complete && slice->len > visible)) {
        nu_h1_message_fail(msg, 431, DETAILS_HEADERS_TOO_LARGE);
        return;
    }
    if (!is_complete)
        return;
    join_repeated(msg);
    if (!feed_parser(msg, "\r\n", 2))
        return;
    if (nu_unlikely(msg->phase == phase)) {
        fail_syntax(msg); /* llhttp takes it for the beginning of another protocol */
        return;
    }
    /* The section's views keep the block; the rest of it is body or the next message. */
    nu_arena_hold_block(msg->arena, slice->block);
    nu_buf_drain(in, (size_t)(msg->field.at - slice->ptr));
}

/* --- Body
 * --------------------------------------------------------------------------------------- */

/* The last chunk's size line is read: the trailer section begins. */
static void begin_trailers(struct nu_h1_message *msg)
{
    msg->phase = NU_H1_TRAILERS;
    msg->header_count = 0;
    msg->head = NULL;
    msg->trailers = nu_arena_alloc(msg->arena, sizeof(*msg->trailers));
    nu_headers_init(msg->trailers, msg->arena, 0);
    msg->trailers->name_style = (uint8_t)msg->options->keep_names;
    msg->target = msg->trailers;
    llhttp_resume(&msg->parser);
}

/* Shows llhttp the size line that was read, as it is written at its plainest, and the end of the
 * chunk before. */
static bool show_chunk(struct nu_h1_message *msg)
{
    char line[24];
    char *end = line + sizeof(line);
    char *p = end - 2;
    memcpy(p, "\r\n", 2);
    uint64_t size = msg->chunks.left;
    do {
        *--p = "0123456789abcdef"[size & 15];
        size >>= 4;
    } while (size);
    if (msg->had_chunk) {
        p -= 2;
        memcpy(p, "\r\n", 2);
    }
    msg->had_chunk = true;
    return feed_parser(msg, p, (size_t)(end - p));
}

/* Reads on in a chunked body up to `end`; returns where it stopped. */
static const char *read_chunks(struct nu_h1_message *msg, const char *p, const char *end)
{
    struct nu_h1_chunks *chunks = &msg->chunks;
    while (p < end && msg->phase == NU_H1_BODY) {
        if (chunks->in_data) {
            size_t n = (size_t)(end - p);
            if (n > chunks->left)
                n = (size_t)chunks->left;
            if (!feed_parser(msg, p, n))
                break;
            nu_h1_chunks_take(chunks, n);
            p += n;
            continue;
        }
        enum nu_h1_chunk_result result = nu_h1_chunks_read(chunks, &p, end);
        if (result == NU_H1_CHUNK_BAD)
            fail_syntax(msg);
        else if (result == NU_H1_CHUNK_DATA && show_chunk(msg) && !chunks->in_data)
            begin_trailers(msg);
    }
    return p;
}

static void feed_chunks(struct nu_h1_message *msg, struct nu_buf *in)
{
    struct nu_slice *slice = in->first;
    msg->body_block = slice->block;
    const char *stop = read_chunks(msg, slice->ptr, slice->ptr + slice->len);
    if (msg->phase != NU_H1_FAILED)
        nu_buf_drain(in, (size_t)(stop - slice->ptr));
}

static void feed_body(struct nu_h1_message *msg, struct nu_buf *in)
{
    struct nu_slice *slice = in->first;
    msg->body_block = slice->block;
    if (!feed_parser(msg, slice->ptr, slice->len))
        return;
    if (llhttp_get_errno(&msg->parser) == HPE_OK) {
        nu_buf_drain(in, slice->len);
        return;
    }
    nu_buf_drain(in, (size_t)(llhttp_get_error_pos(&msg->parser) - slice->ptr));
}

void nu_h1_message_feed(struct nu_h1_message *msg, struct nu_buf *in)
{
    if (msg->phase == NU_H1_START && in->len)
        msg->phase = NU_H1_HEAD;
    while (in->len && msg->phase < NU_H1_COMPLETE) {
        size_t before = in->len;
        enum nu_h1_phase phase = (enum nu_h1_phase)msg->phase;
        if (phase == NU_H1_BODY && msg->is_chunked)
            feed_chunks(msg, in);
        else if (phase == NU_H1_BODY)
            feed_body(msg, in);
        else
            feed_section(msg, in);
        bool head_ended = phase == NU_H1_HEAD && msg->phase == NU_H1_BODY;
        if (head_ended || (in->len == before && (enum nu_h1_phase)msg->phase == phase))
            return;
    }
}

void nu_h1_message_feed_eof(struct nu_h1_message *msg)
{
    if (msg->phase >= NU_H1_COMPLETE)
        return;
    if (msg->phase == NU_H1_BODY && msg->reads_to_eof)
        msg->phase = NU_H1_COMPLETE;
    else
        fail_syntax(msg);
}
