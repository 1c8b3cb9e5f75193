/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict reading of HTTP/1.1, written apart from the codec so as not to share its mistakes: what
 * the encoders write must be exactly one message with the body that was meant. Any violation ends
 * the process.
 */
#ifndef NU_FUZZ_H1_STRICT_H
#define NU_FUZZ_H1_STRICT_H

#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/str.h"

struct strict {
    const char *at;
    const char *end;
    struct nu_str body; /* what was meant */
    bool has_length;
    bool is_chunked;
    unsigned hosts;
    unsigned long long length;
};

static inline void strict_eat(struct strict *s, const char *text)
{
    size_t len = strlen(text);
    nu_assert((size_t)(s->end - s->at) >= len && memcmp(s->at, text, len) == 0);
    s->at += len;
}

static inline bool strict_name_char(char c)
{
    return c && (strchr("!#$%&'*+-.^_`|~0123456789", c) || (c >= 'a' && c <= 'z') ||
                 (c >= 'A' && c <= 'Z'));
}

/* The text up to `stop`, all of whose bytes are visible or high, or `also`. */
static inline struct nu_str strict_text(struct strict *s, char stop, const char *also)
{
    const char *from = s->at;
    for (; s->at < s->end && *s->at != stop; s->at++) {
        unsigned char c = (unsigned char)*s->at;
        nu_assert((c > ' ' && c != 0x7f) || (c && strchr(also, *s->at)));
    }
    nu_assert(s->at < s->end);
    return nu_str_make(from, (size_t)(s->at - from));
}

static inline void strict_note(struct strict *s, struct nu_str name, struct nu_str value)
{
    if (nu_str_eq_nocase(name, NU_STR("host")))
        s->hosts++;
    if (nu_str_eq_nocase(name, NU_STR("transfer-encoding"))) {
        nu_assert(!s->is_chunked && nu_str_eq(value, NU_STR("chunked")));
        s->is_chunked = true;
    }
    if (nu_str_eq_nocase(name, NU_STR("content-length"))) {
        nu_assert(!s->has_length && value.len > 0);
        s->has_length = true;
        for (size_t i = 0; i < value.len; i++) {
            nu_assert(value.ptr[i] >= '0' && value.ptr[i] <= '9');
            s->length = s->length * 10 + (unsigned long long)(value.ptr[i] - '0');
        }
    }
}

/* Field lines and the empty line. */
static inline void strict_fields(struct strict *s, bool is_head)
{
    while (s->at < s->end && *s->at != '\r') {
        const char *from = s->at;
        while (s->at < s->end && strict_name_char(*s->at))
            s->at++;
        struct nu_str name = nu_str_make(from, (size_t)(s->at - from));
        nu_assert(name.len > 0);
        strict_eat(s, ": ");
        struct nu_str value = strict_text(s, '\r', " \t");
        strict_eat(s, "\r\n");
        if (is_head)
            strict_note(s, name, value);
        else
            nu_assert(!nu_str_eq_nocase(name, NU_STR("content-length")) &&
                      !nu_str_eq_nocase(name, NU_STR("transfer-encoding")) &&
                      !nu_str_eq_nocase(name, NU_STR("host")));
    }
    strict_eat(s, "\r\n");
    nu_assert(!(s->has_length && s->is_chunked));
}

static inline void strict_take_body(struct strict *s, size_t n)
{
    nu_assert(n <= s->body.len && n <= (size_t)(s->end - s->at));
    nu_assert(memcmp(s->at, s->body.ptr, n) == 0);
    s->at += n;
    s->body = nu_str_skip(s->body, n);
}

static inline void strict_chunks(struct strict *s)
{
    for (;;) {
        size_t size = 0;
        const char *from = s->at;
        for (; s->at < s->end && *s->at != '\r'; s->at++) {
            const char *digit = strchr("0123456789abcdef", *s->at);
            nu_assert(digit && *s->at);
            size = size * 16 + (size_t)(*digit <= '9' ? *digit - '0' : *digit - 'a' + 10);
        }
        nu_assert(s->at > from);
        strict_eat(s, "\r\n");
        if (size == 0)
            break;
        strict_take_body(s, size);
        strict_eat(s, "\r\n");
    }
    strict_fields(s, false);
}

/* The body as the head said, and nothing behind it. */
static inline void strict_body(struct strict *s, bool has_none, bool reads_to_end)
{
    if (has_none)
        s->body = nu_str_make(NULL, 0);
    else if (s->is_chunked)
        strict_chunks(s);
    else if (s->has_length || !reads_to_end)
        strict_take_body(s, (size_t)s->length);
    else
        strict_take_body(s, s->body.len);
    nu_assert(s->body.len == 0 && s->at == s->end);
}

/* A buffer's bytes, for the caller to free. */
static inline struct nu_str strict_copy(const struct nu_buf *buf)
{
    char *bytes = malloc(buf->len + 1);
    nu_assert(bytes);
    nu_buf_copy_out(buf, 0, bytes, buf->len);
    return nu_str_make(bytes, buf->len);
}

static inline void strict_request(struct nu_str bytes, struct nu_str body)
{
    struct strict s = {.at = bytes.ptr, .end = bytes.ptr + bytes.len, .body = body};
    struct nu_str method = strict_text(&s, ' ', "");
    nu_assert(method.len > 0);
    strict_eat(&s, " ");
    nu_assert(strict_text(&s, ' ', "").len > 0);
    strict_eat(&s, " HTTP/1.1\r\n");
    strict_fields(&s, true);
    nu_assert(s.hosts == 1);
    strict_body(&s, false, false);
}

/* `must_close`: the connection's end may mark the body's. */
static inline void strict_response(struct nu_str bytes, struct nu_str body, bool is_head,
                                   bool must_close)
{
    struct strict s = {.at = bytes.ptr, .end = bytes.ptr + bytes.len, .body = body};
    strict_eat(&s, "HTTP/1.");
    s.at += 1;
    strict_eat(&s, " ");
    struct nu_str status = strict_text(&s, ' ', "");
    nu_assert(status.len == 3);
    strict_text(&s, '\r', " \t");
    strict_eat(&s, "\r\n");
    strict_fields(&s, true);
    bool bodiless = nu_str_eq(status, NU_STR("204")) || nu_str_eq(status, NU_STR("304"));
    strict_body(&s, is_head || bodiless, must_close);
}

/* What was read of a tunnel is all of the input behind the empty line of a head. */
static inline void strict_rest(const struct nu_buf *rest, struct nu_str input)
{
    enum { EMPTY_LINE = 4 };
    nu_assert(rest->len + EMPTY_LINE <= input.len);
    const char *from = input.ptr + input.len - rest->len;
    struct nu_str copy = strict_copy(rest);
    nu_assert(memcmp(from - EMPTY_LINE, "\r\n\r\n", EMPTY_LINE) == 0);
    nu_assert(nu_str_eq(copy, nu_str_make(from, rest->len)));
    free(nu_unconst(copy.ptr));
}

#endif
