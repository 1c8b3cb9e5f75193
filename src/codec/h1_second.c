/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second reader. llhttp's callbacks only note things: whoever feeds the message acts on them
 * after llhttp has returned, so that nothing is destroyed under the parser.
 */
#include "codec/h1_second.h"

#include <llhttp.h>

struct nu_h1_second {
    llhttp_t parser;
    struct nu_h1_message *msg; /* borrowed: owns this */
    struct nu_block *block;    /* that the body bytes being shown lie in */
    struct nu_str url;
    struct nu_str reason;
    bool had_chunk; /* it was shown one */
};

static struct nu_h1_second *second_of(llhttp_t *parser)
{
    return nu_container_of(parser, struct nu_h1_second, parser);
}

static int fail_syntax(struct nu_h1_message *msg)
{
    return nu_h1_message_fail(msg, 400, NU_STR("http1.codec_error"));
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
    struct nu_h1_second *second = second_of(parser);
    return extend(&second->url, at, len) ? 0 : fail_syntax(second->msg);
}

static int on_status(llhttp_t *parser, const char *at, size_t len)
{
    struct nu_h1_second *second = second_of(parser);
    return extend(&second->reason, at, len) ? 0 : fail_syntax(second->msg);
}

static int on_headers_complete(llhttp_t *parser)
{
    struct nu_h1_message *msg = second_of(parser)->msg;
    if (msg->phase == NU_H1_TRAILERS)
        return 0;
    int code = nu_h1_message_end_head(msg);
    if (code != 0)
        return code;
    /* What llhttp would treat as another protocol is an ordinary message here. */
    parser->upgrade = 0;
    if (msg->is_tunnel)
        return HPE_PAUSED; /* for good: what follows is not HTTP */
    return msg->has_body ? 0 : 1;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    enum { WORTH_SHARING = 512 };
    struct nu_h1_second *second = second_of(parser);
    struct nu_buf *body = &second->msg->body;
    /* Many small chunks would each hold the block and be a piece of their own to write. */
    if (nu_unlikely(body->len && len < WORTH_SHARING))
        nu_buf_append(body, nu_str_make(at, len));
    else
        nu_buf_add_block(body, second->block, nu_str_make(at, len));
    return 0;
}

/* The last chunk's size line is read: what follows is the trailer section, which is kept whole. */
static int on_chunk_header(llhttp_t *parser)
{
    return parser->content_length == 0 ? HPE_PAUSED : 0;
}

static int on_message_complete(llhttp_t *parser)
{
    second_of(parser)->msg->phase = NU_H1_COMPLETE;
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

/* Shows llhttp some bytes; false when the message failed. */
static bool show(struct nu_h1_message *msg, const char *from, size_t len)
{
    enum llhttp_errno code = llhttp_execute(&msg->second->parser, from, len);
    if (msg->phase == NU_H1_FAILED)
        return false;
    if (nu_likely(code == HPE_OK || code == HPE_PAUSED))
        return true;
    fail_syntax(msg);
    return false;
}

/* It has to find the same texts and numbers in the first line as we do. */
static bool agrees_on_line(const struct nu_h1_message *msg)
{
    const struct nu_h1_second *second = msg->second;
    if (msg->is_request)
        return second->url.ptr == msg->url.ptr && second->url.len == msg->url.len;
    return second->reason.len == msg->reason.len &&
           (!msg->reason.len || second->reason.ptr == msg->reason.ptr);
}

static bool show_line(struct nu_h1_message *msg, const char *end)
{
    if (!show(msg, msg->head, (size_t)(end - msg->head)))
        return false;
    if (agrees_on_line(msg))
        return true;
    fail_syntax(msg);
    return false;
}

bool nu_h1_second_begin(struct nu_h1_message *msg, const char *line_end)
{
    struct nu_h1_second *second = nu_arena_calloc(msg->arena, sizeof(*second));
    second->msg = msg;
    llhttp_init(&second->parser, msg->is_request ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
    /* Content-Length beside Transfer-Encoding is judged by our own rules. */
    llhttp_set_lenient_chunked_length(&second->parser, 1);
    msg->second = second;
    if (!show_line(msg, line_end))
        return false;
    for (uint32_t i = 0; i < msg->headers->used; i++) {
        const struct nu_header *header = &msg->headers->entries[i];
        enum nu_header_id id = (enum nu_header_id)header->id;
        if (nu_h1_bears_on_framing(id) && !nu_h1_second_show_field(msg, id, header->value))
            return false;
    }
    return true;
}

bool nu_h1_second_show_field(struct nu_h1_message *msg, enum nu_header_id id, struct nu_str value)
{
    struct nu_str name = nu_header_name_of(id);
    if (nu_unlikely(id == NU_HEADER_TRANSFER_ENCODING && msg->has_wrong_coding))
        return true; /* the message is refused, however llhttp reads it */
    return show(msg, name.ptr, name.len) && show(msg, ":", 1) && show(msg, value.ptr, value.len) &&
           show(msg, "\r\n", 2);
}

bool nu_h1_second_end_section(struct nu_h1_message *msg)
{
    uint8_t phase = msg->phase;
    if (!show(msg, "\r\n", 2))
        return false;
    if (nu_likely(msg->phase != phase))
        return true;
    fail_syntax(msg); /* llhttp takes it for the beginning of another protocol */
    return false;
}

bool nu_h1_second_agrees(const struct nu_h1_message *msg)
{
    const llhttp_t *parser = &msg->second->parser;
    if (parser->http_minor != msg->http_minor ||
        (!msg->is_request && parser->status_code != msg->status))
        return false;
    if (msg->is_chunked)
        return parser->flags & F_CHUNKED;
    bool has_length = parser->flags & F_CONTENT_LENGTH;
    return !(parser->flags & F_CHUNKED) && has_length == msg->has_length &&
           (!has_length || parser->content_length == msg->content_length);
}

bool nu_h1_second_show_chunk(struct nu_h1_message *msg, uint64_t size)
{
    char line[24];
    char *end = line + sizeof(line);
    char *p = end - 2;
    memcpy(p, "\r\n", 2);
    do {
        *--p = "0123456789abcdef"[size & 15];
        size >>= 4;
    } while (size);
    if (msg->second->had_chunk) {
        p -= 2;
        memcpy(p, "\r\n", 2);
    }
    msg->second->had_chunk = true;
    return show(msg, p, (size_t)(end - p));
}

void nu_h1_second_begin_trailers(struct nu_h1_message *msg)
{
    llhttp_resume(&msg->second->parser);
}

size_t nu_h1_second_show_body(struct nu_h1_message *msg, struct nu_block *block, const char *from,
                              size_t len)
{
    llhttp_t *parser = &msg->second->parser;
    msg->second->block = block;
    if (!show(msg, from, len))
        return 0;
    if (llhttp_get_errno(parser) == HPE_OK)
        return len;
    return (size_t)(llhttp_get_error_pos(parser) - from);
}
