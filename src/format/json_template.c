/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON templates. Everything that is the same in every line, from braces and names to constants, is
 * written while compiling and joined into as few pieces as possible:
 *
 *     {"a": "%DURATION%", "b": {"c": 1}}  ->  [{"a":] [DURATION] [,"b":{"c":1}}\n]
 */
#include "base/alloc.h"
#include "base/json.h"
#include "format/format_internal.h"

struct builder {
    struct nu_arena *arena;
    const struct nu_format_options *options;
    struct nu_json_step *steps; /* on the heap until their number is known */
    size_t count;
    size_t cap;
    struct nu_strbuf raw; /* under way */
    unsigned *needs;
    struct nu_strbuf *error;
};

static void add_step(struct builder *b, struct nu_json_step step)
{
    if (b->count == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 16;
        b->steps = nu_realloc(b->steps, b->cap * sizeof(*b->steps));
    }
    b->steps[b->count++] = step;
}

static void end_raw(struct builder *b)
{
    if (b->raw.len == 0)
        return;
    struct nu_str raw = nu_arena_dup(b->arena, nu_strbuf_str(&b->raw));
    add_step(b, (struct nu_json_step){.kind = NU_JSON_RAW, .raw = raw});
    nu_strbuf_clear(&b->raw);
}

static void add_raw_string(struct builder *b, struct nu_str text)
{
    nu_strbuf_add_char(&b->raw, '"');
    nu_json_escape_bytes(&b->raw, text);
    nu_strbuf_add_char(&b->raw, '"');
}

static void escape_literals(struct builder *b, struct nu_format_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        if (parts->items[i].fn)
            continue;
        struct nu_strbuf escaped = {0};
        nu_json_escape_bytes(&escaped, parts->items[i].text);
        parts->items[i].text = nu_arena_dup(b->arena, nu_strbuf_str(&escaped));
        nu_strbuf_finish(&escaped);
    }
}

static bool add_string(struct builder *b, struct nu_str text)
{
    struct nu_format_parts parts;
    if (!nu_format_parse(b->arena, text, b->options, &parts, b->needs, b->error))
        return false;
    bool is_constant = parts.count == 0 || (parts.count == 1 && !parts.items[0].fn);
    if (is_constant) {
        add_raw_string(b, parts.count ? parts.items[0].text : nu_str_make("", 0));
        return true;
    }
    end_raw(b);
    escape_literals(b, &parts);
    enum nu_json_step_kind kind = parts.count == 1 ? NU_JSON_TYPED : NU_JSON_MIXED;
    add_step(b, (struct nu_json_step){.kind = kind, .parts = parts});
    return true;
}

static bool add_value(struct builder *b, const struct nu_value *value);

static bool add_list(struct builder *b, const struct nu_value *list)
{
    nu_strbuf_add_char(&b->raw, '[');
    for (uint32_t i = 0; i < list->count; i++) {
        if (i)
            nu_strbuf_add_char(&b->raw, ',');
        if (!add_value(b, &list->items[i]))
            return false;
    }
    nu_strbuf_add_char(&b->raw, ']');
    return true;
}

static bool add_struct(struct builder *b, const struct nu_value *record)
{
    nu_strbuf_add_char(&b->raw, '{');
    for (uint32_t i = 0; i < record->count; i++) {
        if (i)
            nu_strbuf_add_char(&b->raw, ',');
        add_raw_string(b, record->fields[i].name);
        nu_strbuf_add_char(&b->raw, ':');
        if (!add_value(b, &record->fields[i].value))
            return false;
    }
    nu_strbuf_add_char(&b->raw, '}');
    return true;
}

static bool add_value(struct builder *b, const struct nu_value *value)
{
    switch ((enum nu_value_type)value->type) {
    case NU_VALUE_NULL:
    case NU_VALUE_BOOL:
    case NU_VALUE_NUMBER:
        nu_value_to_json(value, &b->raw);
        return true;
    case NU_VALUE_STRING:
        return add_string(b, nu_value_text(value));
    case NU_VALUE_LIST:
        return add_list(b, value);
    case NU_VALUE_STRUCT:
        return add_struct(b, value);
    }
    return false;
}

static void take_steps(struct builder *b, struct nu_formatter *formatter)
{
    formatter->steps = nu_arena_alloc(b->arena, b->count * sizeof(*b->steps));
    memcpy(formatter->steps, b->steps, b->count * sizeof(*b->steps));
    formatter->step_count = b->count;
    formatter->is_plain = b->count == 1 && b->steps[0].kind == NU_JSON_RAW;
    if (formatter->is_plain)
        formatter->plain = b->steps[0].raw;
}

const struct nu_formatter *nu_formatter_compile_json(struct nu_arena *arena,
                                                     const struct nu_value *json,
                                                     const struct nu_format_options *options,
                                                     struct nu_strbuf *error)
{
    struct nu_formatter *formatter = nu_arena_calloc(arena, sizeof(*formatter));
    formatter->omit_empty = options->omit_empty;
    formatter->is_json = true;
    struct builder b = {
        .arena = arena, .options = options, .needs = &formatter->needs, .error = error};
    bool ok = add_struct(&b, json);
    if (ok) {
        nu_strbuf_add_char(&b.raw, '\n');
        end_raw(&b);
        take_steps(&b, formatter);
    }
    nu_strbuf_finish(&b.raw);
    nu_free(b.steps);
    return ok ? formatter : NULL;
}
