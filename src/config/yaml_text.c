/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a text that libyaml takes as yaml-cpp does; yaml_internal.h says what for.
 *
 * Every line of white space with a tab, alone or before a comment, gets blanks first. That says
 * the same between two tokens, and in a quoted scalar too, whose lines lose what they begin with.
 * Then libyaml's tokens show which of those lines a plain or a block scalar may have read: they
 * get their tabs back, as content, or as what both libraries refuse there. The tokens also show a
 * "::1": two colons in a row where a value should be.
 */
#include "base/alloc.h"
#include "config/yaml_internal.h"

struct tabbed_line {
    size_t start;     /* in bytes */
    size_t blanks;    /* bytes of white space at its start */
    size_t number;    /* of the line, from 0 */
    size_t last_word; /* number of the last line before it that is not empty */
};

struct pass {
    const struct nu_doc_input *in;
    char *copy;
    struct tabbed_line *lines;
    size_t line_count;
    size_t line_capacity;
    size_t next_line; /* the first that no scalar so far was before */
    size_t *colons;
    size_t colon_count;
    size_t colon_capacity;
    size_t index; /* a character of libyaml's, and */
    size_t byte;  /* where it begins */
};

static const struct nu_str BYTE_ORDER_MARK = NU_STR_INIT("\xef\xbb\xbf");

/* Bytes of the line end at the start of `s`, or 0. */
static size_t line_end_size(struct nu_str s)
{
    static const struct nu_str ends[] = {
        NU_STR_INIT("\r\n"),     NU_STR_INIT("\n"),           NU_STR_INIT("\r"),
        NU_STR_INIT("\xc2\x85"), NU_STR_INIT("\xe2\x80\xa8"), NU_STR_INIT("\xe2\x80\xa9"),
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(ends); i++)
        if (nu_str_starts_with(s, ends[i]))
            return ends[i].len;
    return 0;
}

struct nu_str nu_yaml_text_line(struct nu_str *rest)
{
    for (size_t at = 0; at < rest->len; at++) {
        unsigned char c = (unsigned char)rest->ptr[at];
        if (c != '\n' && c != '\r' && c != 0xc2 && c != 0xe2)
            continue;
        size_t end = line_end_size(nu_str_skip(*rest, at));
        if (end == 0)
            continue;
        struct nu_str line = nu_str_first(*rest, at);
        *rest = nu_str_skip(*rest, at + end);
        return line;
    }
    struct nu_str line = *rest;
    *rest = nu_str_skip(*rest, rest->len);
    return line;
}

size_t nu_yaml_text_character(struct nu_str s)
{
    size_t size = 1;
    while (size < s.len && ((unsigned char)s.ptr[size] & 0xc0) == 0x80)
        size++;
    return size;
}

static bool is_utf16(struct nu_str text)
{
    return nu_str_starts_with(text, NU_STR("\xff\xfe")) ||
           nu_str_starts_with(text, NU_STR("\xfe\xff"));
}

/* libyaml counts no byte order mark. */
static size_t mark_size(struct nu_str text)
{
    return nu_str_starts_with(text, BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.len : 0;
}

struct nu_str nu_yaml_text_begin(struct nu_str text)
{
    return nu_str_skip(text, mark_size(text));
}

struct nu_position nu_yaml_text_position(const struct nu_doc_input *in, size_t byte)
{
    struct nu_position at = {in->source, 0, 0};
    if (is_utf16(in->text))
        return at;
    struct nu_str rest = nu_str_first(nu_yaml_text_begin(in->text), byte - mark_size(in->text));
    struct nu_str line;
    bool has_end;
    do {
        line = nu_yaml_text_line(&rest);
        has_end = rest.ptr > line.ptr + line.len;
        at.line++;
    } while (has_end);
    for (at.column = 1; line.len; at.column++)
        line = nu_str_skip(line, nu_yaml_text_character(line));
    return at;
}

/* --- Lines with tabs -------------------------------------------------------------------------- */

static size_t count_blanks(struct nu_str line, bool *has_tab)
{
    size_t at = 0;
    for (; at < line.len && nu_ascii_is_blank(line.ptr[at]); at++)
        *has_tab |= line.ptr[at] == '\t';
    return at;
}

static void *grow(void *list, size_t *capacity, size_t item_size)
{
    *capacity = *capacity ? *capacity * 2 : 16;
    return nu_realloc(list, *capacity * item_size);
}

static void add_line(struct pass *p, struct tabbed_line line)
{
    if (p->line_count == p->line_capacity)
        p->lines = grow(p->lines, &p->line_capacity, sizeof(*p->lines));
    p->lines[p->line_count++] = line;
}

static void find_tabbed_lines(struct pass *p)
{
    struct nu_str rest = nu_yaml_text_begin(p->in->text);
    size_t last_word = SIZE_MAX;
    for (size_t number = 0; rest.len; number++) {
        size_t start = (size_t)(rest.ptr - p->in->text.ptr);
        struct nu_str line = nu_yaml_text_line(&rest);
        bool has_tab = false;
        size_t blanks = count_blanks(line, &has_tab);
        bool is_empty = blanks == line.len;
        if (has_tab && (is_empty || line.ptr[blanks] == '#'))
            add_line(p, (struct tabbed_line){start, blanks, number, last_word});
        if (!is_empty)
            last_word = number;
    }
}

static void replace_tabs(struct pass *p)
{
    for (size_t i = 0; i < p->line_count; i++)
        memset(p->copy + p->lines[i].start, ' ', p->lines[i].blanks);
}

/* Moves on to a character; tokens come in order. */
static void go_to(struct pass *p, size_t index)
{
    struct nu_str text = p->in->text;
    for (; p->index < index && p->byte < text.len; p->index++)
        p->byte += nu_yaml_text_character(nu_str_skip(text, p->byte));
}

static bool is_end_of_line(struct pass *p, yaml_mark_t mark)
{
    go_to(p, mark.index);
    bool has_tab = false;
    struct nu_str rest = nu_str_skip(p->in->text, p->byte);
    struct nu_str after = nu_str_skip(rest, count_blanks(rest, &has_tab));
    return after.len == 0 || line_end_size(after) > 0;
}

/* Gives their tabs back to the lines that a plain or a block scalar, and nothing else, has read. */
static void restore_tabs(struct pass *p, const yaml_token_t *token)
{
    size_t first = token->start_mark.line + 1;
    size_t last = token->end_mark.line;
    bool reads_on =
        token->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && is_end_of_line(p, token->end_mark);
    for (; p->next_line < p->line_count; p->next_line++) {
        const struct tabbed_line *line = &p->lines[p->next_line];
        bool is_read = line->number <= last || (reads_on && line->last_word == last);
        if (!is_read)
            return;
        if (line->number >= first)
            memcpy(p->copy + line->start, p->in->text.ptr + line->start, line->blanks);
    }
}

static void on_scalar(struct pass *p, const yaml_token_t *token)
{
    yaml_scalar_style_t style = token->data.scalar.style;
    if (style != YAML_SINGLE_QUOTED_SCALAR_STYLE && style != YAML_DOUBLE_QUOTED_SCALAR_STYLE)
        restore_tabs(p, token);
}

/* --- Colons ----------------------------------------------------------------------------------- */

/* Whether a node can begin behind this token, a plain scalar without any properties. */
static bool is_before_node(yaml_token_type_t type)
{
    return type == YAML_VALUE_TOKEN || type == YAML_FLOW_ENTRY_TOKEN ||
           type == YAML_FLOW_SEQUENCE_START_TOKEN;
}

/* Whether this colon is the first of an IPv6 address that begins with two: plain, in brackets. */
static bool begins_address(struct pass *p, const yaml_token_t *before, const yaml_token_t *colon)
{
    if (!is_before_node(before->type))
        return false;
    /* Behind a quoted key a colon separates, whatever follows it. */
    if (before->type == YAML_VALUE_TOKEN && before->end_mark.index == colon->start_mark.index)
        return false;
    go_to(p, colon->start_mark.index);
    struct nu_str rest = nu_str_skip(p->in->text, p->byte);
    return nu_str_starts_with(rest, NU_STR("::")) && rest.len > 2 && nu_hex_value(rest.ptr[2]) >= 0;
}

/* A letter in place of the colon makes libyaml read a plain scalar of the same length. */
static void hide_colon(struct pass *p, size_t index)
{
    if (p->colon_count == p->colon_capacity)
        p->colons = grow(p->colons, &p->colon_capacity, sizeof(*p->colons));
    p->colons[p->colon_count++] = index;
    p->copy[p->byte] = 'x';
}

/* --- The pass over the tokens ----------------------------------------------------------------- */

static void read_tokens(struct pass *p, yaml_parser_t *parser)
{
    yaml_token_t before = {.type = YAML_NO_TOKEN};
    yaml_token_t token;
    do {
        if (!yaml_parser_scan(parser, &token))
            return;
        if (token.type == YAML_SCALAR_TOKEN)
            on_scalar(p, &token);
        else if (token.type == YAML_VALUE_TOKEN && begins_address(p, &before, &token))
            hide_colon(p, token.start_mark.index);
        before = token; /* its type and marks only */
        yaml_token_delete(&token);
    } while (before.type != YAML_STREAM_END_TOKEN && before.type != YAML_NO_TOKEN);
}

/* libyaml reads the copy with blanks for all tabs while a copy of that gets what has to come back. */
static void compare_with_tokens(struct pass *p)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return;
    size_t size = p->in->text.len;
    struct nu_str blanked = nu_arena_dup(p->in->arena, nu_str_make(p->copy, size));
    yaml_parser_set_input_string(&parser, (const unsigned char *)blanked.ptr, size);
    p->byte = mark_size(blanked);
    read_tokens(p, &parser);
    yaml_parser_delete(&parser);
}

/* Whether a "::" comes before a digit somewhere: few files have one. */
static bool may_have_address(struct nu_str text)
{
    size_t at;
    while ((at = nu_str_find(text, NU_STR("::"))) != NU_NPOS) {
        text = nu_str_skip(text, at + 2);
        if (text.len && nu_hex_value(text.ptr[0]) >= 0)
            return true;
    }
    return false;
}

struct nu_yaml_text nu_yaml_text_prepare(const struct nu_doc_input *in)
{
    struct pass p = {.in = in};
    struct nu_yaml_text result = {.text = in->text};
    if (is_utf16(in->text))
        return result;
    if (nu_str_find_char(in->text, '\t') != NU_NPOS)
        find_tabbed_lines(&p);
    if (p.line_count || may_have_address(in->text)) {
        p.copy = memcpy(nu_arena_alloc(in->arena, in->text.len), in->text.ptr, in->text.len);
        replace_tabs(&p);
        compare_with_tokens(&p);
        result.text.ptr = p.copy;
        result.colon_count = p.colon_count;
        if (p.colon_count)
            result.colons = memcpy(nu_arena_alloc(in->arena, p.colon_count * sizeof(*p.colons)),
                                   p.colons, p.colon_count * sizeof(*p.colons));
    }
    nu_free(p.lines);
    nu_free(p.colons);
    return result;
}
