/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message through llhttp. The callbacks only note pieces and check that they join; whoever feeds
 * the message acts on it after llhttp has returned, so that nothing is destroyed under the parser.
 */
#include "base/assert.h"
#include "codec/h1_internal.h"

#define DETAILS_CODEC_ERROR NU_STR("http1.codec_error")
#define DETAILS_HEADERS_TOO_LARGE NU_STR("http1.headers_too_large")
#define DETAILS_TOO_MANY_HEADERS NU_STR("http1.too_many_headers")

static struct nu_h1_message *message_of(llhttp_t *parser)
{
    return nu_container_of(parser, struct nu_h1_message, parser);
}

int nu_h1_message_fail(struct nu_h1_message *msg, uint32_t status, struct nu_str details)
{
    if (msg->phase != NU_H1_FAILED) {
        msg->phase = NU_H1_FAILED;
        msg->error = (struct nu_codec_error){.status = status, .details = details};
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

/* Whether `len` bytes at `at` are `text`, which may be compared because the line is complete. */
static bool is_text(const char *at, const char *text, size_t len)
{
    return memcmp(at, text, len) == 0;
}

/* A version that is well formed but not ours gets Envoy's answer to old clients. */
static bool check_version(struct nu_h1_message *msg, const char *version)
{
    if (is_text(version, "\r\n", 2) ||
        (is_text(version, " HTTP/", 6) && nu_ascii_is_digit(version[6]) && version[7] == '.' &&
         nu_ascii_is_digit(version[8]) && (version[6] != '1' || version[8] > '1')))
        nu_h1_message_fail(msg, 426, NU_STR("low_version"));
    return is_text(version, " HTTP/1.", 8) && (version[8] == '0' || version[8] == '1') &&
           is_text(version + 9, "\r\n", 2);
}

/* The request line is METHOD SP target SP HTTP/1.x CRLF and nothing else. */
static bool check_request_line(struct nu_h1_message *msg)
{
    if (!msg->url.ptr || msg->url.ptr - msg->head < 2 || msg->url.ptr[-1] != ' ')
        return false;
    const char *version = msg->url.ptr + msg->url.len;
    size_t method_len = (size_t)(msg->url.ptr - msg->head);
    if (!nu_header_name_is_valid(nu_str_make(msg->head, method_len - 1)))
        return false;
    if (!check_version(msg, version))
        return false;
    msg->expect = version + 11;
    return true;
}

/* The status line is HTTP/1.x SP 3 digits, then SP and a reason or CRLF. */
static bool check_status_line(struct nu_h1_message *msg)
{
    const char *p = msg->head;
    if (!is_text(p, "HTTP/1.", 7) || (p[7] != '0' && p[7] != '1') || p[8] != ' ')
        return false;
    for (int i = 9; i < 12; i++) {
        if (!nu_ascii_is_digit(p[i]))
            return false;
    }
    const char *end = p + 12;
    if (*end == ' ')
        end++;
    if (msg->reason.len) {
        if (msg->reason.ptr != end)
            return false;
        end += msg->reason.len;
    }
    msg->expect = end + 2;
    return is_text(end, "\r\n", 2);
}

static bool check_first_line(struct nu_h1_message *msg)
{
    return msg->is_request ? check_request_line(msg) : check_status_line(msg);
}

/* Where the pieces of a new header line start; a first line that was not closed yet ends here. */
static bool begin_line(struct nu_h1_message *msg, const char *at)
{
    if (!msg->expect && !check_first_line(msg))
        return false;
    return at == msg->expect;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct nu_h1_message *msg = message_of(parser);
    if (msg->phase == NU_H1_BODY)
        return fail_syntax(msg);
    if (!msg->name.ptr && !begin_line(msg, at))
        return fail_syntax(msg);
    return extend(&msg->name, at, len) ? 0 : fail_syntax(msg);
}

static int on_header_field_complete(llhttp_t *parser)
{
    struct nu_h1_message *msg = message_of(parser);
    if (!msg->name.len || msg->name.ptr[msg->name.len] != ':')
        return fail_syntax(msg);
    return 0;
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    return p;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
    struct nu_h1_message *msg = message_of(parser);
    if (len == 0)
        return 0;
    if (!msg->value.ptr && skip_blanks(msg->name.ptr + msg->name.len + 1, at) != at)
        return fail_syntax(msg);
    return extend(&msg->value, at, len) ? 0 : fail_syntax(msg);
}

/* The value's end must be the line's end, and its CRLF was seen by now. */
static bool end_line(struct nu_h1_message *msg)
{
    const char *end =
        msg->value.ptr ? msg->value.ptr + msg->value.len : msg->name.ptr + msg->name.len + 1;
    while (*end == ' ' || *end == '\t')
        end++;
    msg->expect = end + 2;
    return end[0] == '\r' && end[1] == '\n';
}

/* What is configured for names with an underscore; returns whether the header is to be kept. */
static bool may_keep_name(struct nu_h1_message *msg, struct nu_str name, int *code)
{
    if (nu_likely(msg->options->underscore_action == NU_UNDERSCORE_ALLOW) ||
        nu_str_find_char(name, '_') == NU_NPOS)
        return true;
    if (msg->options->underscore_action == NU_UNDERSCORE_REJECT)
        *code = nu_h1_message_fail(msg, 400, NU_STR("http1.unexpected_underscore"));
    msg->underscores++;
    return false;
}

static int add_header(struct nu_h1_message *msg, struct nu_str name, struct nu_str value)
{
    int code = 0;
    if (!may_keep_name(msg, name, &code))
        return code;
    const char *original = NULL;
    if (msg->options->name_format == NU_H1_NAMES_PRESERVE)
        original = nu_arena_dup(msg->arena, name).ptr;
    nu_header_name_lower(nu_unconst(name.ptr), name.len);
    enum nu_header_id id = nu_header_id_of(name);
    if (id)
        name = nu_header_name_of(id);
    struct nu_header *before = id ? nu_headers_find_id(msg->target, id) : NULL;
    if (nu_unlikely(before && nu_header_id_is_joined(id, msg->is_request))) {
        before->value = nu_arena_concat(msg->arena, before->value, NU_STR(","));
        before->value = nu_arena_concat(msg->arena, before->value, value);
        return 0;
    }
    struct nu_header *header = nu_headers_add_ref(msg->target, id, name, value);
    header->original_name = original;
    return 0;
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct nu_h1_message *msg = message_of(parser);
    if (!end_line(msg))
        return fail_syntax(msg);
    if (++msg->header_count > msg->options->max_headers)
        return nu_h1_message_fail(msg, 431, DETAILS_TOO_MANY_HEADERS);
    struct nu_str name = msg->name;
    struct nu_str value = nu_str_trim(msg->value);
    msg->name = nu_str_make(NULL, 0);
    msg->value = nu_str_make(NULL, 0);
    return add_header(msg, name, value);
}

static int on_headers_complete(llhttp_t *parser)
{
    struct nu_h1_message *msg = message_of(parser);
    if ((!msg->expect && !check_first_line(msg)) || !is_text(msg->expect, "\r\n", 2))
        return fail_syntax(msg);
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
    struct nu_h1_message *msg = message_of(parser);
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
    if (msg->phase == NU_H1_TRAILERS && !is_text(msg->expect, "\r\n", 2))
        return fail_syntax(msg);
    msg->phase = NU_H1_COMPLETE;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_status = on_status,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
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
    msg->is_request = is_request;
    msg->content_length = NU_H1_NO_LENGTH;
    init_parser(msg);
    return msg;
}

void nu_h1_message_restart(struct nu_h1_message *msg)
{
    msg->phase = NU_H1_START;
    msg->head = NULL;
    msg->expect = NULL;
    msg->url = nu_str_make(NULL, 0);
    msg->reason = nu_str_make(NULL, 0);
    msg->parsed = 0;
    msg->header_count = 0;
    msg->content_length = NU_H1_NO_LENGTH;
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
    shift(&msg->expect, from, len, to);
    shift(&msg->url.ptr, from, len, to);
    shift(&msg->reason.ptr, from, len, to);
    shift(&msg->name.ptr, from, len, to);
    shift(&msg->value.ptr, from, len, to);
    nu_headers_for_each(header, msg->target)
    {
        if (header->id == NU_HEADER_OTHER)
            shift(&header->name.ptr, from, len, to);
        shift(&header->value.ptr, from, len, to);
    }
}

/*
 * Makes the retained bytes one slice again after a read went to another block. The new block is twice
 * as large, so that a head which comes in many pieces is copied only a few times.
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

/* Drops the empty lines that may stand before a message (RFC 9112 2.2). False while a lone CR waits
 * for what follows it. */
static bool skip_empty_lines(struct nu_buf *in)
{
    char start[2];
    while (nu_buf_copy_out(in, 0, start, 2) == 2 && start[0] == '\r' && start[1] == '\n')
        nu_buf_drain(in, 2);
    return in->len > 1 || (in->len == 1 && start[0] != '\r');
}

static bool is_control(char c)
{
    unsigned char u = (unsigned char)c;
    return (u < 0x20 && u != '\t' && u != '\r' && u != '\n') || u == 0x7f;
}

/* llhttp refused a byte: which details word Envoy has for it. */
static void note_error(struct nu_h1_message *msg, enum llhttp_errno code, const char *end)
{
    const char *at = llhttp_get_error_pos(&msg->parser);
    bool in_section = msg->phase == NU_H1_HEAD || msg->phase == NU_H1_TRAILERS;
    if (code == HPE_INVALID_TRANSFER_ENCODING)
        nu_h1_message_fail(msg, 501, NU_STR("http1.invalid_transfer_encoding"));
    else if (code == HPE_INVALID_VERSION && msg->is_request)
        nu_h1_message_fail(msg, 426, NU_STR("low_version"));
    else if (in_section && (msg->url.ptr || msg->reason.ptr) && at && at < end && is_control(*at))
        nu_h1_message_fail(msg, 400, NU_STR("http1.invalid_characters"));
    else
        fail_syntax(msg);
}

/* A pause in the body is the last chunk's: the trailer section begins where llhttp stopped. */
static void begin_trailers(struct nu_h1_message *msg)
{
    msg->phase = NU_H1_TRAILERS;
    msg->parsed = 0;
    msg->header_count = 0;
    msg->head = NULL;
    msg->trailers = nu_arena_alloc(msg->arena, sizeof(*msg->trailers));
    nu_headers_init(msg->trailers, msg->arena, 0);
    msg->target = msg->trailers;
    llhttp_resume(&msg->parser);
}

/* The head or the trailer section: bytes are retained until it is complete. */
static void feed_retained(struct nu_h1_message *msg, struct nu_buf *in)
{
    if (in->first->next)
        linearize(msg, in);
    struct nu_slice *slice = in->first;
    if (!msg->head)
        msg->head = slice->ptr;
    const char *from = slice->ptr + msg->parsed;
    size_t len = slice->len - msg->parsed;
    if (len == 0)
        return;
    enum nu_h1_phase before = (enum nu_h1_phase)msg->phase;
    msg->body_block = slice->block;
    enum llhttp_errno code = llhttp_execute(&msg->parser, from, len);
    if (msg->phase == NU_H1_FAILED)
        return;
    if (code != HPE_OK && code != HPE_PAUSED) {
        note_error(msg, code, from + len);
        return;
    }
    size_t used =
        code == HPE_OK ? slice->len : (size_t)(llhttp_get_error_pos(&msg->parser) - slice->ptr);
    size_t section = msg->phase == before ? used : (size_t)(msg->expect + 2 - slice->ptr);
    if (section > msg->options->max_head_bytes) {
        nu_h1_message_fail(msg, 431, DETAILS_HEADERS_TOO_LARGE);
        return;
    }
    if (msg->phase == before) {
        msg->parsed = (uint32_t)used;
        return;
    }
    /* The section is complete: its views keep the block, the rest of it is body or the next message. */
    nu_arena_hold_block(msg->arena, slice->block);
    msg->parsed = 0;
    nu_buf_drain(in, used);
    if (msg->phase == NU_H1_BODY && code == HPE_PAUSED)
        begin_trailers(msg);
}

static void feed_body(struct nu_h1_message *msg, struct nu_buf *in)
{
    struct nu_slice *slice = in->first;
    msg->body_block = slice->block;
    enum llhttp_errno code = llhttp_execute(&msg->parser, slice->ptr, slice->len);
    if (msg->phase == NU_H1_FAILED)
        return;
    if (code == HPE_OK) {
        nu_buf_drain(in, slice->len);
        return;
    }
    if (code != HPE_PAUSED) {
        note_error(msg, code, slice->ptr + slice->len);
        return;
    }
    nu_buf_drain(in, (size_t)(llhttp_get_error_pos(&msg->parser) - slice->ptr));
    if (msg->phase == NU_H1_BODY)
        begin_trailers(msg);
}

/* The first line of the trailer section begins with its first retained byte. */
static void mark_trailer_start(struct nu_h1_message *msg, const struct nu_buf *in)
{
    if (msg->phase == NU_H1_TRAILERS && !msg->head)
        msg->expect = in->first->ptr;
}

void nu_h1_message_feed(struct nu_h1_message *msg, struct nu_buf *in)
{
    if (msg->phase == NU_H1_START) {
        if (!skip_empty_lines(in))
            return;
        msg->phase = NU_H1_HEAD;
    }
    while (in->len && msg->phase < NU_H1_COMPLETE) {
        size_t before = in->len;
        enum nu_h1_phase phase = (enum nu_h1_phase)msg->phase;
        if (phase == NU_H1_BODY) {
            feed_body(msg, in);
        } else {
            mark_trailer_start(msg, in);
            feed_retained(msg, in);
        }
        if (in->len == before && (enum nu_h1_phase)msg->phase == phase)
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
