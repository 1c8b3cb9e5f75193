/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing heads and chunks. A head's size is known before it is written, so it goes into the output
 * buffer as one run of bytes.
 */
#include <stdio.h>

#include "base/assert.h"
#include "codec/h1_internal.h"

/* Short texts, as most names and values are, are copied by two words or pieces that may overlap. */
static inline char *put(char *p, struct nu_str s)
{
    const char *from = s.ptr;
    size_t len = s.len;
    if (len >= 8) {
        if (len <= 16) {
            memcpy(p, from, 8);
            memcpy(p + len - 8, from + len - 8, 8);
        } else if (len <= 32) {
            memcpy(p, from, 16);
            memcpy(p + len - 16, from + len - 16, 16);
        } else if (len <= 64) {
            memcpy(p, from, 32);
            memcpy(p + len - 32, from + len - 32, 32);
        } else {
            memcpy(p, from, len);
        }
    } else if (len >= 4) {
        memcpy(p, from, 4);
        memcpy(p + len - 4, from + len - 4, 4);
    } else if (len) {
        p[0] = from[0];
        p[len / 2] = from[len / 2];
        p[len - 1] = from[len - 1];
    }
    return p + len;
}

/* Writes up to NU_HEADER_ROW_ROOM bytes, of which those behind the blank do not count. */
static inline char *put_known_name(char *p, enum nu_header_id id, size_t len)
{
    const char *from = nu_header_rows[id].text;
    memcpy(p, from, 16);
    if (len > 14)
        memcpy(p + 16, from + 16, NU_HEADER_ROW_ROOM - 16);
    return p + len + 2;
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

static inline char *put_line_end(char *p)
{
    memcpy(p, "\r\n", 2);
    return p + 2;
}

static NU_NOINLINE char *put_header(char *p, struct nu_str name, const char *original,
                                    struct nu_str value, enum nu_h1_name_format format)
{
    p = put_name(p, name, original, format);
    memcpy(p, ": ", 2);
    return put_line_end(put(p + 2, value));
}

static NU_NOINLINE char *put_unknown_name(char *p, struct nu_str name)
{
    p = put(p, name);
    memcpy(p, ": ", 2);
    return p + 2;
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

static inline char *put_first_line(char *p, const struct nu_h1_head *head)
{
    p = put(p, head->first);
    *p++ = ' ';
    p = put(p, head->second);
    if (!head->is_request)
        return put_line_end(p);
    memcpy(p, " HTTP/1.1\r\n", 11);
    return p + 11;
}

/* What is to be done with an entry, by its id: 0 for most. */
enum { NOT_COPIED = 1, NOT_IN_REQUESTS, COPIED_ONCE, UNKNOWN };
static const uint8_t treatment[NU_HEADER_ID_COUNT] = {
#define PSEUDO(id) [NU_HEADER_##id] = NOT_COPIED
    PSEUDO(AUTHORITY), PSEUDO(METHOD), PSEUDO(PATH), PSEUDO(PROTOCOL), PSEUDO(SCHEME),
    PSEUDO(STATUS),
#undef PSEUDO
    /* Names that only the codec writes; a response's Host means nothing. */
    [NU_HEADER_HOST] = NOT_IN_REQUESTS, [NU_HEADER_TRANSFER_ENCODING] = NOT_COPIED,
    [NU_HEADER_CONTENT_LENGTH] = COPIED_ONCE, [NU_HEADER_OTHER] = UNKNOWN, /* a hole or any name */
};

/* Whether the header, whose name has a treatment, goes out. */
static inline bool is_copied(const struct nu_header *header, bool is_request, bool *drop_length)
{
    switch (treatment[header->id]) {
    case NOT_COPIED:
        return false;
    case NOT_IN_REQUESTS:
        return !is_request;
    case UNKNOWN:
        return header->name.ptr != NULL;
    default:
        break;
    }
    if (*drop_length)
        return false;
    *drop_length = true;
    return true;
}

/* What is to be free behind each header: a known name, the framing fields, and what copying in one
 * go writes behind the end of a name. */
enum { SPARE = 160 };

/* Whether `len` bytes fit with SPARE bytes behind them, which are behind `limit`. */
static inline bool fits(size_t len, const char *p, const char *limit)
{
    return (ptrdiff_t)len <= limit - p;
}

/* Writes the headers up to `limit`, with names of any spelling; returns NULL if they do not fit. */
static NU_NOINLINE char *put_spelt_headers(char *p, const char *limit,
                                           const struct nu_headers *headers,
                                           enum nu_h1_name_format format, bool is_request,
                                           bool drop_length)
{
    nu_headers_for_each(header, headers)
    {
        if (treatment[header->id] && !is_copied(header, is_request, &drop_length))
            continue;
        if (!fits(header->name.len + header->value.len, p, limit))
            return NULL;
        p = put_header(p, header->name, header->original_name, header->value, format);
    }
    return p;
}

/* The same where no name is spelt in another way than ours. */
static inline char *put_headers(char *p, const char *limit, const struct nu_headers *headers,
                                bool is_request, bool drop_length)
{
    const struct nu_header *header = headers->entries;
    const struct nu_header *end = header + headers->used;
    while (header < end && is_pseudo(header)) /* most stand first */
        header++;
    for (; header < end; header++) {
        enum nu_header_id id = (enum nu_header_id)header->id;
        if (treatment[id] && !is_copied(header, is_request, &drop_length))
            continue;
        if (nu_unlikely(!fits(header->value.len, p, limit)))
            return NULL;
        if (nu_likely(id))
            p = put_known_name(p, id, header->name.len);
        else if (nu_likely(fits(header->name.len + header->value.len, p, limit)))
            p = put_unknown_name(p, header->name);
        else
            return NULL;
        p = put_line_end(put(p, header->value));
    }
    return p;
}

static NU_NOINLINE char *put_framing(char *p, unsigned framing, enum nu_h1_name_format format)
{
    if (framing & NU_H1_ADD_ZERO_LENGTH)
        p = put_header(p, NU_STR("content-length"), NULL, NU_STR("0"), format);
    if (framing & NU_H1_ADD_CHUNKED)
        p = put_header(p, NU_STR("transfer-encoding"), NULL, NU_STR("chunked"), format);
    if (framing & NU_H1_ADD_CLOSE)
        p = put_header(p, NU_STR("connection"), NULL, NU_STR("close"), format);
    return p;
}

/* Bytes of the first line and the host. */
static inline size_t start_size(const struct nu_h1_head *head)
{
    size_t host = head->host ? head->host->value.len : 0;
    return head->first.len + head->second.len + host + SPARE;
}

static inline char *put_host(char *p, const struct nu_header *host, enum nu_h1_name_format format)
{
    if (nu_unlikely(host->original_name || format != NU_H1_NAMES_LOWER))
        return put_header(p, NU_STR("host"), host->original_name, host->value, format);
    memcpy(p, "host: ", 6);
    return put_line_end(put(p + 6, host->value));
}

/* Writes the head into `size` bytes; returns what it took, or 0 bytes if it may not fit. */
static inline struct nu_h1_written put_head(char *start, size_t size, const struct nu_h1_head *head)
{
    enum { EMPTY_LINE = 2 };
    const struct nu_h1_written too_long = {0, 0};
    const char *limit = start + size - SPARE;
    if (nu_unlikely(size < start_size(head)))
        return too_long;
    const struct nu_headers *headers = head->headers;
    bool is_usual =
        headers->name_style == NU_NAMES_AS_WRITER_LIKES && head->format == NU_H1_NAMES_LOWER;
    enum nu_h1_name_format format =
        nu_likely(is_usual) ? NU_H1_NAMES_LOWER : format_of(headers, head->format);
    char *p = put_first_line(start, head);
    const char *fields = p;
    if (head->host)
        p = put_host(p, head->host, format);
    bool drop_length = head->framing & NU_H1_DROP_LENGTH;
    p = nu_likely(is_usual)
            ? put_headers(p, limit, headers, head->is_request, drop_length)
            : put_spelt_headers(p, limit, headers, format, head->is_request, drop_length);
    if (nu_unlikely(!p))
        return too_long;
    if (nu_unlikely(head->framing & ~NU_H1_DROP_LENGTH))
        p = put_framing(p, head->framing, format);
    p = put_line_end(p);
    return (struct nu_h1_written){(size_t)(p - start), (size_t)(p - fields) - EMPTY_LINE};
}

/* One that is larger than what is mostly enough. A copy of it, so that the usual one needs no place
 * in memory. */
NU_COLD static struct nu_h1_written write_large_head(struct nu_buf *out, struct nu_h1_head head)
{
    size_t size = start_size(&head) + headers_size(head.headers) + 2 * SPARE;
    struct nu_h1_written written = put_head(nu_buf_reserve(out, size), size, &head);
    nu_debug_assert(written.bytes > 0);
    nu_buf_commit(out, written.bytes);
    return written;
}

struct nu_h1_written nu_h1_write_head(struct nu_buf *out, const struct nu_h1_head *head)
{
    enum { USUAL = 1024 };
    char *start = nu_buf_reserve(out, USUAL); /* mostly in a block that has room for more */
    struct nu_h1_written written = put_head(start, nu_block_room(out->last->block), head);
    if (nu_unlikely(written.bytes == 0))
        return write_large_head(out, *head);
    nu_buf_commit(out, written.bytes);
    return written;
}

bool nu_h1_length_fits(struct nu_headers *headers, bool end, uint64_t *length)
{
    return nu_headers_read_length(headers, length) && (*length == 0 || !end);
}

static NU_NOINLINE void cut(struct nu_buf *data, size_t len)
{
    struct nu_buf fitting = {0};
    nu_buf_move(&fitting, data, len);
    nu_buf_clear(data);
    *data = fitting;
}

bool nu_h1_take_length(uint64_t *left, struct nu_buf *data)
{
    if (nu_likely(data->len <= *left)) {
        *left -= data->len;
        return true;
    }
    cut(data, (size_t)*left);
    *left = 0;
    return false;
}

void nu_h1_write_chunk(struct nu_buf *out, struct nu_buf *data)
{
    char line[20];
    int len = snprintf(line, sizeof(line), "%zx\r\n", data->len);
    nu_buf_append(out, nu_str_make(line, (size_t)len));
    nu_buf_collect(out, data);
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
