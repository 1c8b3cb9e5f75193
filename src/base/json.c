/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer. Strings are copied in runs of bytes that need no escape. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void nu_json_init(struct nu_json *json, struct nu_strbuf *out, bool pretty)
{
    *json = (struct nu_json){.out = out, .pretty = pretty};
}

static void new_line(struct nu_json *json)
{
    if (!json->pretty)
        return;
    nu_strbuf_add_char(json->out, '\n');
    for (int i = 0; i < json->depth; i++)
        nu_strbuf_add_char(json->out, ' ');
}

/* What stands before a value or a key: a comma after a sibling, and the indent. */
static void before_item(struct nu_json *json)
{
    if (json->after_key) {
        json->after_key = false;
        return;
    }
    if (json->need_comma)
        nu_strbuf_add_char(json->out, ',');
    if (json->depth)
        new_line(json);
}

static void open_scope(struct nu_json *json, char c)
{
    before_item(json);
    nu_strbuf_add_char(json->out, c);
    json->depth++;
    json->need_comma = false;
}

static void close_scope(struct nu_json *json, char c)
{
    json->depth--;
    if (json->need_comma)
        new_line(json);
    nu_strbuf_add_char(json->out, c);
    json->need_comma = true;
}

void nu_json_object_begin(struct nu_json *json)
{
    open_scope(json, '{');
}

void nu_json_object_end(struct nu_json *json)
{
    close_scope(json, '}');
}

void nu_json_array_begin(struct nu_json *json)
{
    open_scope(json, '[');
}

void nu_json_array_end(struct nu_json *json)
{
    close_scope(json, ']');
}

void nu_json_key(struct nu_json *json, struct nu_str key)
{
    before_item(json);
    nu_json_escape(json->out, key);
    nu_strbuf_add_cstr(json->out, json->pretty ? ": " : ":");
    json->after_key = true;
}

void nu_json_raw(struct nu_json *json, struct nu_str value)
{
    before_item(json);
    nu_strbuf_add(json->out, value);
    json->need_comma = true;
}

void nu_json_string(struct nu_json *json, struct nu_str value)
{
    before_item(json);
    nu_json_escape(json->out, value);
    json->need_comma = true;
}

void nu_json_u64(struct nu_json *json, uint64_t value)
{
    char text[20];
    nu_json_raw(json, nu_str_make(text, nu_u64_to_chars(value, text)));
}

void nu_json_i64(struct nu_json *json, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)value);
    nu_json_raw(json, nu_str_make(text, (size_t)len));
}

void nu_json_double(struct nu_json *json, double value)
{
    if (isnan(value)) {
        nu_json_string(json, NU_STR("NaN"));
        return;
    }
    if (isinf(value)) {
        nu_json_string(json, value > 0 ? NU_STR("Infinity") : NU_STR("-Infinity"));
        return;
    }
    char text[32];
    int len = snprintf(text, sizeof(text), "%.15g", value);
    if (strtod(text, NULL) != value)
        len = snprintf(text, sizeof(text), "%.17g", value);
    nu_json_raw(json, nu_str_make(text, (size_t)len));
}

void nu_json_bool(struct nu_json *json, bool value)
{
    nu_json_raw(json, value ? NU_STR("true") : NU_STR("false"));
}

void nu_json_null(struct nu_json *json)
{
    nu_json_raw(json, NU_STR("null"));
}

static void escape_char(struct nu_strbuf *out, unsigned char c)
{
    switch (c) {
    case '"':
        nu_strbuf_add_cstr(out, "\\\"");
        return;
    case '\\':
        nu_strbuf_add_cstr(out, "\\\\");
        return;
    case '\n':
        nu_strbuf_add_cstr(out, "\\n");
        return;
    case '\r':
        nu_strbuf_add_cstr(out, "\\r");
        return;
    case '\t':
        nu_strbuf_add_cstr(out, "\\t");
        return;
    case '\b':
        nu_strbuf_add_cstr(out, "\\b");
        return;
    case '\f':
        nu_strbuf_add_cstr(out, "\\f");
        return;
    default:
        nu_strbuf_addf(out, "\\u%04x", c);
    }
}

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
}

/* The length of the plain, well-formed run at the front of `s`. */
static size_t plain_run(struct nu_str s)
{
    size_t n = 0;
    while (n < s.len) {
        unsigned char c = (unsigned char)s.ptr[n];
        if (needs_escape(c))
            break;
        if (c < 0x80) {
            n++;
            continue;
        }
        size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        if (!nu_str_is_utf8(nu_str_first(nu_str_skip(s, n), len)))
            break;
        n += nu_min_size(len, s.len - n);
    }
    return n;
}

void nu_json_escape_body(struct nu_strbuf *out, struct nu_str s)
{
    while (s.len) {
        size_t n = plain_run(s);
        nu_strbuf_add(out, nu_str_first(s, n));
        s = nu_str_skip(s, n);
        if (s.len == 0)
            return;
        unsigned char c = (unsigned char)s.ptr[0];
        if (needs_escape(c))
            escape_char(out, c);
        else
            nu_strbuf_add_cstr(out, "\xef\xbf\xbd");
        s = nu_str_skip(s, 1);
    }
}

/*
 * Whether eight bytes surely need no escape and are ASCII. It may say no to bytes that are fine:
 * those are looked at one by one.
 */
static bool are_plain(const char *p)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    uint64_t quotes = word ^ ones * '"';
    uint64_t slashes = word ^ ones * '\\';
    uint64_t odd = (word - ones * ' ') | (quotes - ones) | (slashes - ones) | word;
    return (odd & ones << 7) == 0;
}

/*
 * The length of the run at the front of `s` that JSON takes as it is; bytes from `limit` on end it.
 */
static size_t run_below(struct nu_str s, unsigned limit)
{
    size_t n = 0;
    while (n < s.len) {
        if (n + 8 <= s.len && are_plain(s.ptr + n)) {
            n += 8;
            continue;
        }
        if (n + 8 > s.len && s.len >= 8 && are_plain(s.ptr + s.len - 8))
            return s.len;
        unsigned char c = (unsigned char)s.ptr[n];
        if (c < 0x20 || c == '"' || c == '\\' || c >= limit)
            break;
        n++;
    }
    return n;
}

/* Every byte but plain ASCII as a \u00XX of its own. */
static void escape_each(struct nu_strbuf *out, struct nu_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (needs_escape(c) || c >= 0x80)
            nu_strbuf_addf(out, "\\u%04x", c);
        else
            nu_strbuf_add_char(out, (char)c);
    }
}

void nu_json_escape_bytes(struct nu_strbuf *out, struct nu_str s)
{
    size_t n = run_below(s, 0x80);
    if (nu_likely(n == s.len)) {
        nu_strbuf_add(out, s);
        return;
    }
    if (nu_unlikely(!nu_str_is_utf8(nu_str_skip(s, n)))) {
        escape_each(out, s);
        return;
    }
    while (s.len) {
        n = run_below(s, 0x100);
        nu_strbuf_add(out, nu_str_first(s, n));
        s = nu_str_skip(s, n);
        if (s.len)
            escape_char(out, (unsigned char)s.ptr[0]);
        s = nu_str_skip(s, 1);
    }
}

void nu_json_escape(struct nu_strbuf *out, struct nu_str s)
{
    nu_strbuf_add_char(out, '"');
    nu_json_escape_body(out, s);
    nu_strbuf_add_char(out, '"');
}
