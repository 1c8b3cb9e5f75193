/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formatting: each part finds its value, which is written as text or as JSON. This runs for every
 * log line, so appending a few bytes is inlined here.
 */
#include "base/json.h"
#include "base/number.h"
#include "format/format_internal.h"

/* memcpy for what is mostly a few bytes, without the call. */
static inline void copy_short(char *to, const char *from, size_t n)
{
    if (n >= 8 && n <= 16) {
        memcpy(to, from, 8);
        memcpy(to + n - 8, from + n - 8, 8);
    } else if (n >= 4 && n < 8) {
        memcpy(to, from, 4);
        memcpy(to + n - 4, from + n - 4, 4);
    } else if (n >= 1 && n < 4) {
        to[0] = from[0];
        to[n >> 1] = from[n >> 1];
        to[n - 1] = from[n - 1];
    } else if (n) {
        memcpy(to, from, n);
    }
}

static inline void append(struct nu_strbuf *out, struct nu_str s)
{
    if (nu_unlikely(out->cap - out->len <= s.len))
        nu_strbuf_reserve(out, s.len);
    copy_short(out->data + out->len, s.ptr, s.len);
    out->len += s.len;
}

static void append_integer(struct nu_strbuf *out, int64_t number)
{
    enum { ROOM = 24 };
    if (nu_unlikely(out->cap - out->len <= ROOM))
        nu_strbuf_reserve(out, ROOM);
    uint64_t magnitude = (uint64_t)number;
    if (nu_unlikely(number < 0)) {
        out->data[out->len++] = '-';
        magnitude = 0 - magnitude;
    }
    out->len += nu_u64_to_chars(magnitude, out->data + out->len);
}

/* A value as text, cut to `max_len`. */
static void append_value(struct nu_strbuf *out, const struct nu_value *value, size_t max_len,
                         bool quoted)
{
    if (value->type == NU_VALUE_STRING && !quoted) {
        append(out, nu_str_first(nu_value_text(value), max_len));
        return;
    }
    size_t before = out->len;
    nu_value_to_json(value, out);
    if (out->len - before > max_len)
        out->len = before + max_len;
}

static void append_text(struct nu_strbuf *out, const struct nu_format_part *part,
                        const struct nu_op_result *result, bool omit_empty)
{
    switch (result->kind) {
    case NU_OP_NONE:
        if (!omit_empty)
            append(out, NU_STR("-"));
        break;
    case NU_OP_BLANK:
        break;
    case NU_OP_TEXT:
        append(out, nu_str_first(result->text, part->max_len));
        break;
    case NU_OP_NUMBER:
        append_integer(out, result->number);
        break;
    case NU_OP_VALUE:
    case NU_OP_JSON:
        append_value(out, &result->value, part->max_len, result->kind == NU_OP_JSON);
        break;
    }
}

/* Every number in JSON is a double to Envoy. An integer looks different as one only where the
 * scientific form is shorter, which takes five zeros at the end. */
static void append_json_number(struct nu_strbuf *out, int64_t number)
{
    enum { FIVE_ZEROS = 100000 };
    const int64_t exact = (int64_t)1 << 53;
    if (nu_likely((number % FIVE_ZEROS != 0 || number == 0) && number < exact && number > -exact)) {
        append_integer(out, number);
        return;
    }
    char text[NU_DOUBLE_TEXT_MAX];
    append(out, nu_str_make(text, nu_double_to_chars((double)number, text)));
}

static void append_typed(struct nu_strbuf *out, const struct nu_format_part *part,
                         const struct nu_format_context *context)
{
    struct nu_op_result result;
    part->fn(part, context, &result);
    switch (result.kind) {
    case NU_OP_NONE:
    case NU_OP_BLANK:
        append(out, NU_STR("null"));
        break;
    case NU_OP_TEXT:
        append(out, NU_STR("\""));
        nu_json_escape_bytes(out, nu_str_first(result.text, part->max_len));
        append(out, NU_STR("\""));
        break;
    case NU_OP_NUMBER:
        append_json_number(out, result.number);
        break;
    case NU_OP_VALUE:
    case NU_OP_JSON:
        nu_value_to_json(&result.value, out);
        break;
    }
}

/* A part inside of a JSON string. Values are written once as text to be escaped from there. */
static void append_escaped(struct nu_strbuf *out, const struct nu_format_part *part,
                           const struct nu_format_context *context, bool omit_empty)
{
    struct nu_op_result result;
    part->fn(part, context, &result);
    if (result.kind == NU_OP_TEXT) {
        nu_json_escape_bytes(out, nu_str_first(result.text, part->max_len));
    } else if (result.kind == NU_OP_VALUE || result.kind == NU_OP_JSON) {
        struct nu_strbuf text = {0};
        append_text(&text, part, &result, omit_empty);
        nu_json_escape_bytes(out, nu_strbuf_str(&text));
        nu_strbuf_finish(&text);
    } else {
        append_text(out, part, &result, omit_empty);
    }
}

/* Makes room for more than `n` bytes behind `at`, the end of what is written so far. */
NU_COLD static char *make_room(struct nu_strbuf *out, char *at, size_t n)
{
    out->len = (size_t)(at - out->data);
    nu_strbuf_reserve(out, n);
    return out->data + out->len;
}

/* The loop that log lines are made in: texts and numbers are copied here, with the end of the
 * output in registers; what is rare goes to append_text. */
static void format_text(const struct nu_formatter *formatter,
                        const struct nu_format_context *context, struct nu_strbuf *out)
{
    enum { NUMBER_ROOM = 20 };
    struct nu_op_result result;
    char *at = out->data + out->len;
    const struct nu_format_part *part = formatter->parts.items;
    const struct nu_format_part *end = part + formatter->parts.count;
    for (; part < end; part++) {
        struct nu_str text = part->text;
        if (part->fn) {
            part->fn(part, context, &result);
            if (result.kind == NU_OP_NUMBER && result.number >= 0) {
                if (nu_unlikely(out->data + out->cap - at <= NUMBER_ROOM))
                    at = make_room(out, at, NUMBER_ROOM);
                at += nu_u64_to_chars((uint64_t)result.number, at);
                continue;
            }
            if (nu_unlikely(result.kind != NU_OP_TEXT)) {
                out->len = (size_t)(at - out->data);
                append_text(out, part, &result, formatter->omit_empty);
                at = out->data + out->len;
                continue;
            }
            text = nu_str_first(result.text, part->max_len);
        }
        if (nu_unlikely((size_t)(out->data + out->cap - at) <= text.len))
            at = make_room(out, at, text.len);
        copy_short(at, text.ptr, text.len);
        at += text.len;
    }
    out->len = (size_t)(at - out->data);
}

/* The literals of a mixed string were escaped when it was compiled. */
static void append_mixed(struct nu_strbuf *out, const struct nu_format_parts *parts,
                         const struct nu_format_context *context, bool omit_empty)
{
    append(out, NU_STR("\""));
    for (size_t i = 0; i < parts->count; i++) {
        if (parts->items[i].fn)
            append_escaped(out, &parts->items[i], context, omit_empty);
        else
            append(out, parts->items[i].text);
    }
    append(out, NU_STR("\""));
}

static void format_json(const struct nu_formatter *formatter,
                        const struct nu_format_context *context, struct nu_strbuf *out)
{
    for (size_t i = 0; i < formatter->step_count; i++) {
        const struct nu_json_step *step = &formatter->steps[i];
        switch (step->kind) {
        case NU_JSON_RAW:
            append(out, step->raw);
            break;
        case NU_JSON_TYPED:
            append_typed(out, &step->parts.items[0], context);
            break;
        case NU_JSON_MIXED:
            append_mixed(out, &step->parts, context, formatter->omit_empty);
            break;
        }
    }
}

void nu_formatter_format(const struct nu_formatter *formatter,
                         const struct nu_format_context *context, struct nu_strbuf *out)
{
    nu_strbuf_reserve(out, 0);
    if (formatter->is_plain)
        append(out, formatter->plain);
    else if (formatter->is_json)
        format_json(formatter, context, out);
    else
        format_text(formatter, context, out);
    out->data[out->len] = '\0';
}

bool nu_formatter_is_plain(const struct nu_formatter *formatter, struct nu_str *text)
{
    if (formatter->is_plain)
        *text = formatter->plain;
    return formatter->is_plain;
}

bool nu_formatter_is_json(const struct nu_formatter *formatter)
{
    return formatter->is_json;
}

unsigned nu_formatter_needs(const struct nu_formatter *formatter)
{
    return formatter->needs;
}
