/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing heads and chunks. A head's size is known before it is written, so it goes into the output
 * buffer as one run of bytes.
 */
#include <stdio.h>

#include "base/assert.h"
#include "codec/h1_internal.h"

/* Short texts, as most names and values are, are copied by two words that may overlap. */
static inline char *put(char *p, struct nu_str s)
{
    const char *from = s.ptr;
    size_t len = s.len;
    if (len >= 8 && len <= 16) {
        memcpy(p, from, 8);
        memcpy(p + len - 8, from + len - 8, 8);
    } else if (len >= 4 && len < 8) {
        memcpy(p, from, 4);
        memcpy(p + len - 4, from + len - 4, 4);
    } else if (len) {
        memcpy(p, from, len);
    }
    return p + len;
}

/* The first letter, and each behind one that is no letter or digit, in upper case. */
static char *put_proper(char *p, struct nu_str name)
{
    bool start = true;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        *p++ = start ? nu_ascii_upper(c) : c;
        start = !nu_ascii_is_alpha(c) && !nu_ascii_is_digit(c);
    }
    return p;
}

static char *put_name(char *p, struct nu_str name, const char *original,
                      enum nu_h1_name_format format)
{
    if (nu_unlikely(original != NULL))
        return put(p, nu_str_make(original, name.len));
    return nu_unlikely(format == NU_H1_NAMES_PROPER) ? put_proper(p, name) : put(p, name);
}

/* The format of names that were not kept: the reader's word goes before the writer's. */
static enum nu_h1_name_format format_of(const struct nu_headers *headers,
                                        enum nu_h1_name_format writers)
{
    switch ((enum nu_name_style)headers->name_style) {
    case NU_NAMES_AS_WRITER_LIKES:
        break;
    case NU_NAMES_AS_RECEIVED:
        return NU_H1_NAMES_LOWER;
    case NU_NAMES_AS_RECEIVED_OR_PROPER_WORDS:
        return NU_H1_NAMES_PROPER;
    }
    return writers;
}

static char *put_header(char *p, struct nu_str name, const char *original, struct nu_str value,
                        enum nu_h1_name_format format)
{
    p = put_name(p, name, original, format);
    *p++ = ':';
    *p++ = ' ';
    p = put(p, value);
    *p++ = '\r';
    *p++ = '\n';
    return p;
}

static inline bool is_pseudo(const struct nu_header *header)
{
    return header->id != NU_HEADER_OTHER && header->id <= NU_HEADER_LAST_PSEUDO;
}

static size_t headers_size(const struct nu_headers *headers)
{
    size_t size = 0;
    nu_headers_for_each(header, headers)
    {
        size += header->name.len + header->value.len + 4;
    }
    return size;
}

static char *put_first_line(char *p, const struct nu_h1_line *line)
{
    p = put(p, line->first);
    *p++ = ' ';
    p = put(p, line->second);
    return put(p, line->is_request ? NU_STR(" HTTP/1.1\r\n") : NU_STR("\r\n"));
}

/* Names that only the codec writes, each at most once. */
static inline bool is_ours(const struct nu_header *header, bool *drop_length)
{
    switch (header->id) {
    case NU_HEADER_CONTENT_LENGTH: {
        bool drop = *drop_length;
        *drop_length = true;
        return drop;
    }
    case NU_HEADER_HOST:
    case NU_HEADER_TRANSFER_ENCODING:
        return true;
    default:
        return is_pseudo(header);
    }
}

static char *put_headers(char *p, const struct nu_headers *headers, enum nu_h1_name_format format,
                         bool drop_length)
{
    nu_headers_for_each(header, headers)
    {
        if (is_ours(header, &drop_length))
            continue;
        p = put_header(p, header->name, header->original_name, header->value, format);
    }
    return p;
}

static char *put_framing(char *p, const struct nu_h1_framing *framing,
                         enum nu_h1_name_format format)
{
    if (framing->add_zero_length)
        p = put_header(p, NU_STR("content-length"), NULL, NU_STR("0"), format);
    if (framing->add_chunked)
        p = put_header(p, NU_STR("transfer-encoding"), NULL, NU_STR("chunked"), format);
    if (framing->add_close)
        p = put_header(p, NU_STR("connection"), NULL, NU_STR("close"), format);
    return put(p, NU_STR("\r\n"));
}

struct nu_h1_written nu_h1_write_head(struct nu_buf *out, const struct nu_h1_line *line,
                                      const struct nu_headers *headers,
                                      const struct nu_h1_framing *framing,
                                      enum nu_h1_name_format format, const struct nu_header *host)
{
    enum { FIXED_PARTS = 160, EMPTY_LINE = 2 };
    format = format_of(headers, format);
    size_t size = line->first.len + line->second.len + headers_size(headers) + FIXED_PARTS;
    char *start = nu_buf_reserve(out, size);
    char *fields = put_first_line(start, line);
    char *p = fields;
    if (host)
        p = put_header(p, NU_STR("host"), host->original_name, host->value, format);
    p = put_headers(p, headers, format, framing->drop_content_length);
    p = put_framing(p, framing, format);
    size_t bytes = (size_t)(p - start);
    nu_debug_assert(bytes <= size);
    nu_buf_commit(out, bytes);
    return (struct nu_h1_written){bytes, (size_t)(p - fields) - EMPTY_LINE};
}

bool nu_h1_length_fits(const struct nu_headers *headers, bool end, uint64_t *length)
{
    struct nu_str text = nu_headers_get_id(headers, NU_HEADER_CONTENT_LENGTH);
    return nu_str_to_u64(text, length) == NU_OK && (*length == 0 || !end);
}

bool nu_h1_take_length(uint64_t *left, struct nu_buf *data)
{
    if (nu_likely(data->len <= *left)) {
        *left -= data->len;
        return true;
    }
    struct nu_buf fitting = {0};
    nu_buf_move(&fitting, data, (size_t)*left);
    nu_buf_clear(data);
    *data = fitting;
    *left = 0;
    return false;
}

void nu_h1_write_chunk(struct nu_buf *out, struct nu_buf *data)
{
    char line[20];
    int len = snprintf(line, sizeof(line), "%zx\r\n", data->len);
    nu_buf_append(out, nu_str_make(line, (size_t)len));
    nu_buf_move_all(out, data);
    nu_buf_append(out, NU_STR("\r\n"));
}

/* Fields that frame, route or authenticate a message have no meaning behind it (RFC 9110 6.5.1):
 * one who merges trailers into the head would read another message than we did. */
static bool may_be_trailer(const struct nu_header *header)
{
    switch (header->id) {
    case NU_HEADER_AUTHORIZATION:
    case NU_HEADER_CONNECTION:
    case NU_HEADER_CONTENT_ENCODING:
    case NU_HEADER_CONTENT_LENGTH:
    case NU_HEADER_CONTENT_TYPE:
    case NU_HEADER_COOKIE:
    case NU_HEADER_EXPECT:
    case NU_HEADER_HOST:
    case NU_HEADER_KEEP_ALIVE:
    case NU_HEADER_PROXY_CONNECTION:
    case NU_HEADER_SET_COOKIE:
    case NU_HEADER_TE:
    case NU_HEADER_TRANSFER_ENCODING:
    case NU_HEADER_UPGRADE:
        return false;
    default:
        return !is_pseudo(header);
    }
}

static char *put_trailers(char *p, const struct nu_headers *trailers, enum nu_h1_name_format format)
{
    nu_headers_for_each(header, trailers)
    {
        if (may_be_trailer(header))
            p = put_header(p, header->name, header->original_name, header->value, format);
    }
    return p;
}

size_t nu_h1_write_last_chunk(struct nu_buf *out, const struct nu_headers *trailers,
                              enum nu_h1_name_format format)
{
    if (!trailers || nu_headers_count(trailers) == 0) {
        nu_buf_append(out, NU_STR("0\r\n\r\n"));
        return 0;
    }
    nu_buf_append(out, NU_STR("0\r\n"));
    size_t size = headers_size(trailers) + 2;
    char *start = nu_buf_reserve(out, size);
    char *p = put_trailers(start, trailers, format_of(trailers, format));
    size_t field_bytes = (size_t)(p - start);
    p = put(p, NU_STR("\r\n"));
    nu_buf_commit(out, (size_t)(p - start));
    return field_bytes;
}
