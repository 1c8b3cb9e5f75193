/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar of a text with operators, as Envoy's regular expression has it:
 *
 *     % [A-Z0-9_]+ ( "(" anything but a line break, as little as possible ")" )? ( ":" [0-9]+ )? %
 *
 * "As little as possible" means that the arguments may hold ')' and '%': they end at the first ')'
 * that is followed by what must follow.
 */
#include "base/alloc.h"
#include "format/format_internal.h"

/* What is being built; its array is on the heap until its size is known. */
struct parser {
    struct nu_arena *arena;
    const struct nu_format_options *options;
    struct nu_format_part *items;
    size_t count;
    size_t cap;
    struct nu_strbuf literal; /* under way */
    unsigned *needs;
    struct nu_strbuf *error;
};

static void add_part(struct parser *p, struct nu_format_part part)
{
    if (p->count == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 16;
        p->items = nu_realloc(p->items, p->cap * sizeof(*p->items));
    }
    p->items[p->count++] = part;
}

static void end_literal(struct parser *p)
{
    if (p->literal.len == 0)
        return;
    struct nu_str text = nu_arena_dup(p->arena, nu_strbuf_str(&p->literal));
    add_part(p, (struct nu_format_part){.text = text, .max_len = SIZE_MAX});
    nu_strbuf_clear(&p->literal);
}

static bool is_name_char(char c)
{
    return (c >= 'A' && c <= 'Z') || nu_ascii_is_digit(c) || c == '_';
}

/* ":LENGTH%" or "%" at the front of `s`; `*used` is its length. */
static bool match_end(struct nu_str s, struct nu_str *digits, size_t *used)
{
    size_t at = 0;
    *digits = nu_str_make(NULL, 0);
    if (s.len && s.ptr[0] == ':') {
        at = 1;
        while (at < s.len && nu_ascii_is_digit(s.ptr[at]))
            at++;
        if (at == 1)
            return false;
        *digits = nu_str_make(s.ptr + 1, at - 1);
    }
    *used = at + 1;
    return at < s.len && s.ptr[at] == '%';
}

/* Finds where the arguments end; `s` begins behind the bracket. */
static bool match_args(struct nu_str s, struct nu_str *args, struct nu_str *digits, size_t *used)
{
    for (size_t i = 0; i < s.len && s.ptr[i] != '\n'; i++) {
        if (s.ptr[i] != ')' || !match_end(nu_str_skip(s, i + 1), digits, used))
            continue;
        *args = nu_str_first(s, i);
        *used += i + 1;
        return true;
    }
    return false;
}

/* Matches an operator at the front of `s`, which begins with '%'; returns its length, 0 if there is
 * none. */
static size_t match_operator(struct nu_str s, struct nu_op_source *source)
{
    size_t at = 1;
    while (at < s.len && is_name_char(s.ptr[at]))
        at++;
    source->name = nu_str_make(s.ptr + 1, at - 1);
    source->args = nu_str_make("", 0);
    if (at == 1 || at == s.len)
        return 0;
    struct nu_str digits;
    size_t used = 0;
    bool matched;
    if (s.ptr[at] == '(')
        matched = match_args(nu_str_skip(s, ++at), &source->args, &digits, &used);
    else
        matched = match_end(nu_str_skip(s, at), &digits, &used);
    if (!matched)
        return 0;
    source->has_length = digits.ptr != NULL;
    if (digits.ptr && nu_str_to_u64(digits, &source->length) != NU_OK)
        return 0;
    return at + used;
}

/* An operator that never changes (HOSTNAME) joins the literals around it. */
static bool add_operator(struct parser *p, const struct nu_op_source *source)
{
    struct nu_format_part part;
    if (!nu_op_make(source, &part))
        return false;
    if (!part.fn) {
        nu_strbuf_add(&p->literal, part.text);
        return true;
    }
    end_literal(p);
    add_part(p, part);
    return true;
}

/* One step at `at`; returns how far it went, 0 after an error. */
static size_t parse_next(struct parser *p, struct nu_str text, size_t at)
{
    struct nu_str rest = nu_str_skip(text, at);
    size_t plain = nu_min_size(nu_str_find_char(rest, '%'), rest.len);
    if (plain) {
        nu_strbuf_add(&p->literal, nu_str_first(rest, plain));
        return plain;
    }
    if (nu_str_starts_with(rest, NU_STR("%%"))) {
        nu_strbuf_add_char(&p->literal, '%');
        return 2;
    }
    struct nu_op_source source = {
        .arena = p->arena, .options = p->options, .needs = p->needs, .error = p->error};
    size_t used = match_operator(rest, &source);
    if (used == 0) {
        nu_strbuf_addf(p->error,
                       "Incorrect configuration: %.*s. Couldn't find valid command at position %zu",
                       NU_STR_ARG(text), at);
        return 0;
    }
    return add_operator(p, &source) ? used : 0;
}

static struct nu_format_parts take_parts(struct parser *p)
{
    struct nu_format_parts parts = {.count = p->count};
    parts.items = nu_arena_alloc(p->arena, p->count * sizeof(*parts.items));
    if (p->count)
        memcpy(parts.items, p->items, p->count * sizeof(*parts.items));
    return parts;
}

bool nu_format_parse(struct nu_arena *arena, struct nu_str text,
                     const struct nu_format_options *options, struct nu_format_parts *parts,
                     unsigned *needs, struct nu_strbuf *error)
{
    struct parser p = {.arena = arena, .options = options, .needs = needs, .error = error};
    size_t at = 0;
    while (at < text.len) {
        size_t used = parse_next(&p, text, at);
        if (used == 0)
            break;
        at += used;
    }
    end_literal(&p);
    *parts = take_parts(&p);
    nu_strbuf_finish(&p.literal);
    nu_free(p.items);
    return at == text.len;
}

static void set_plain(struct nu_formatter *formatter)
{
    const struct nu_format_parts *parts = &formatter->parts;
    formatter->is_plain = parts->count == 0 || (parts->count == 1 && !parts->items[0].fn);
    if (formatter->is_plain)
        formatter->plain = parts->count ? parts->items[0].text : nu_str_make("", 0);
}

const struct nu_formatter *nu_formatter_compile(struct nu_arena *arena, struct nu_str text,
                                                const struct nu_format_options *options,
                                                struct nu_strbuf *error)
{
    struct nu_formatter *formatter = nu_arena_calloc(arena, sizeof(*formatter));
    formatter->omit_empty = options->omit_empty || options->is_header;
    if (options->is_header)
        text = nu_format_modernize(arena, text);
    if (!nu_format_parse(arena, text, options, &formatter->parts, &formatter->needs, error))
        return NULL;
    set_plain(formatter);
    return formatter;
}
