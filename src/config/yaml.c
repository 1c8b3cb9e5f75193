/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The YAML reader, over libyaml's events. It keeps a stack of open collections and types scalars
 * the way Envoy's reader (yaml-cpp) does, which differs from YAML 1.1: "0o17" and "1.5" are
 * strings, "y" is a boolean, and "<<" is a key like any other.
 *
 * An alias takes the children of its anchor without a copy. What all aliases together stand for is
 * bounded, so that a small file cannot describe a tree of billions of nodes.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "config/yaml_internal.h"

enum { MAX_ALIASED_NODES = 10000000 };

struct level {
    struct nu_doc_node *node;
    struct nu_str key; /* of the member whose value comes next */
    uint32_t key_line;
    uint32_t key_column;
    bool has_key;
    bool ignore_value; /* the key was tagged !ignore */
};

struct reader {
    const struct nu_doc_input *in;
    struct nu_yaml_text text;
    size_t next_colon; /* of those that the text hides */
    yaml_parser_t parser;
    struct nu_map anchors; /* name -> node */
    struct nu_map keys;    /* those that came so far -> where the tree has them */
    struct level levels[NU_DOC_MAX_DEPTH];
    size_t depth;
    uint64_t aliased_nodes;
    struct nu_doc_node *root;
};

static uint32_t line_of(yaml_mark_t mark)
{
    return (uint32_t)mark.line + 1;
}

static uint32_t column_of(yaml_mark_t mark)
{
    return (uint32_t)mark.column + 1;
}

NU_PRINTF(3, 4)
static bool fail_at(struct reader *r, yaml_mark_t mark, const char *fmt, ...)
{
    struct nu_position at = {r->in->source, line_of(mark), column_of(mark)};
    va_list args;
    va_start(args, fmt);
    nu_error_addv(r->in->errors, at, NULL, fmt, args);
    va_end(args);
    return false;
}

/* A character that libyaml has told of. It does not follow that there is one: a text may end. */
struct spot {
    struct nu_str before; /* in its line */
    struct nu_str rest;   /* of the text, from it on */
};

static struct spot spot_of(struct nu_str text, yaml_mark_t mark)
{
    text = nu_yaml_text_begin(text);
    for (size_t i = 0; i < mark.line; i++)
        nu_yaml_text_line(&text);
    size_t size = 0;
    for (size_t i = 0; i < mark.column && size < text.len; i++)
        size += nu_yaml_text_character(nu_str_skip(text, size));
    return (struct spot){nu_str_first(text, size), nu_str_skip(text, size)};
}

static bool is_indented_by_tab(const struct spot *spot)
{
    for (size_t i = 0; i < spot->before.len; i++)
        if (spot->before.ptr[i] != ' ')
            return false;
    return nu_str_starts_with(spot->rest, NU_STR("\t"));
}

/* Whether a plain scalar begins here with a colon, which libyaml takes for one that separates. */
static bool begins_with_colon(const struct spot *spot)
{
    static const char ends[] = " \t\r\n,[]{}";
    if (spot->before.len == 0 || !strchr(" \t,[{", spot->before.ptr[spot->before.len - 1]))
        return false;
    return nu_str_starts_with(spot->rest, NU_STR(":")) && spot->rest.len > 1 &&
           !memchr(ends, spot->rest.ptr[1], sizeof(ends));
}

/* Bytes that are no text, wherever they stand. */
static bool fail_in_bytes(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    struct nu_position at = nu_yaml_text_position(r->in, p->problem_offset);
    if (p->problem_value >= 0)
        nu_error_add(r->in->errors, at, NULL, "YAML: %s: 0x%02x at byte %zu", p->problem,
                     (unsigned)p->problem_value, p->problem_offset);
    else
        nu_error_add(r->in->errors, at, NULL, "YAML: %s at byte %zu", p->problem,
                     p->problem_offset);
    return false;
}

/* Only what stands in brackets can be open when the text ends. */
static bool fail_unclosed(struct reader *r)
{
    const struct nu_doc_node *open = r->levels[r->depth - 1].node;
    nu_error_add(r->in->errors, open->at, NULL, "YAML: the %s that begins here has no end",
                 open->kind == NU_DOC_MAP ? "object" : "list");
    return false;
}

static bool fail_in_parser(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "not well-formed";
    if (p->error == YAML_READER_ERROR)
        return fail_in_bytes(r);
    struct spot spot = spot_of(r->in->text, p->problem_mark);
    if (p->error == YAML_SCANNER_ERROR && is_indented_by_tab(&spot))
        return fail_at(r, p->problem_mark,
                       "YAML: lines are indented by blanks, this one has a tab");
    if (p->error == YAML_PARSER_ERROR && spot.rest.len == 0 && r->depth > 0)
        return fail_unclosed(r);
    if (p->error == YAML_PARSER_ERROR && begins_with_colon(&spot))
        return fail_at(r, p->problem_mark, "YAML: in brackets, quote what begins with a colon");
    if (p->context)
        return fail_at(r, p->problem_mark, "YAML: %s, %s that began at line %u", problem,
                       p->context, line_of(p->context_mark));
    return fail_at(r, p->problem_mark, "YAML: %s", problem);
}

/* --- Scalars ---------------------------------------------------------------------------------- */

static bool is_null(struct nu_str s)
{
    return s.len == 0 || nu_str_eq(s, NU_STR("~")) || nu_str_eq(s, NU_STR("null")) ||
           nu_str_eq(s, NU_STR("Null")) || nu_str_eq(s, NU_STR("NULL"));
}

/* Whether the letters are all lower case, all upper case, or only the first is upper case. */
static bool has_word_case(struct nu_str s)
{
    size_t upper = 0;
    for (size_t i = 0; i < s.len; i++)
        upper += s.ptr[i] >= 'A' && s.ptr[i] <= 'Z';
    return upper == 0 || upper == s.len || (upper == 1 && nu_ascii_lower(s.ptr[0]) != s.ptr[0]);
}

static bool parse_bool(struct nu_str s, bool *out)
{
    static const struct {
        struct nu_str name;
        bool value;
    } names[] = {
        {NU_STR_INIT("true"), true}, {NU_STR_INIT("false"), false}, {NU_STR_INIT("yes"), true},
        {NU_STR_INIT("no"), false},  {NU_STR_INIT("on"), true},     {NU_STR_INIT("off"), false},
        {NU_STR_INIT("y"), true},    {NU_STR_INIT("n"), false},
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(names); i++) {
        if (nu_str_eq_nocase(s, names[i].name) && has_word_case(s)) {
            *out = names[i].value;
            return true;
        }
    }
    return false;
}

/* An integer as strtoll reads it with base 0; `s` is NUL-terminated. */
static bool parse_int(struct nu_str s, long long *out)
{
    char c = s.ptr[0];
    if (s.len > 40 || !(nu_ascii_is_digit(c) || c == '-' || c == '+'))
        return false;
    char *end;
    errno = 0;
    *out = strtoll(s.ptr, &end, 0);
    return errno == 0 && end == s.ptr + s.len;
}

/* Gives a plain scalar its kind. node->text is set and NUL-terminated. */
static void type_plain_scalar(const struct nu_doc_input *in, struct nu_doc_node *node)
{
    long long number;
    node->is_plain = true;
    if (is_null(node->text)) {
        node->kind = NU_DOC_NULL;
    } else if (parse_bool(node->text, &node->boolean)) {
        node->kind = NU_DOC_BOOL;
    } else if (parse_int(node->text, &number)) {
        node->kind = number >= INT32_MIN && number <= INT32_MAX ? NU_DOC_NUMBER : NU_DOC_STRING;
        node->text = nu_str_from(nu_arena_printf(in->arena, "%lld", number));
    }
}

static bool has_tag(const char *tag, const char *name)
{
    return tag && strcmp(tag, name) == 0;
}

static void type_scalar(const struct reader *r, const yaml_event_t *event, struct nu_doc_node *node)
{
    const char *tag = (const char *)event->data.scalar.tag;
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE || tag;
    if (is_plain && !has_tag(tag, "!"))
        type_plain_scalar(r->in, node);
}

static struct nu_str text_of(const yaml_event_t *event)
{
    return nu_str_make((const char *)event->data.scalar.value, event->data.scalar.length);
}

static struct nu_doc_node *scalar_node(struct reader *r, const yaml_event_t *event)
{
    struct nu_doc_node *node = nu_doc_node_create(r->in, NU_DOC_STRING, line_of(event->start_mark),
                                                  column_of(event->start_mark));
    node->text = nu_arena_dup(r->in->arena, text_of(event));
    type_scalar(r, event, node);
    return node;
}

/* --- Structure -------------------------------------------------------------------------------- */

static void remember_anchor(struct reader *r, const yaml_char_t *anchor, struct nu_doc_node *node)
{
    if (anchor)
        nu_map_put(&r->anchors, nu_arena_dup(r->in->arena, nu_str_from((const char *)anchor)),
                   node);
}

static void set_key(struct level *level, struct nu_str key, const yaml_event_t *event)
{
    level->key = key;
    level->key_line = line_of(event->start_mark);
    level->key_column = column_of(event->start_mark);
    level->has_key = true;
}

/* A few names make up most keys of a configuration: each is in the tree once. */
static struct nu_str keep_key(struct reader *r, struct nu_str text)
{
    if (text.len == 0)
        return NU_STR("");
    const char *known = nu_map_get(&r->keys, text);
    if (known)
        return nu_str_make(known, text.len);
    struct nu_str kept = nu_arena_dup(r->in->arena, text);
    nu_map_put(&r->keys, kept, nu_unconst(kept.ptr));
    return kept;
}

/* What a key looks like in the tree: its text, whatever it would mean as a value. */
static struct nu_str key_of(struct reader *r, enum nu_doc_kind kind, struct nu_str text)
{
    return kind == NU_DOC_NULL ? NU_STR("null") : keep_key(r, text);
}

/* Puts a value where the open collection wants it. */
static void place_value(struct reader *r, struct nu_doc_node *node)
{
    if (r->depth == 0) {
        r->root = node;
        return;
    }
    struct level *level = &r->levels[r->depth - 1];
    if (level->node->kind == NU_DOC_MAP) {
        node->key = level->key;
        node->key_line = level->key_line;
        node->key_column = level->key_column;
        level->has_key = false;
        if (level->ignore_value)
            return;
    }
    nu_doc_node_add(level->node, node);
}

static bool is_key_position(const struct reader *r)
{
    return r->depth > 0 && r->levels[r->depth - 1].node->kind == NU_DOC_MAP &&
           !r->levels[r->depth - 1].has_key;
}

/* An alias may name a key: then it is a node as well. */
static enum nu_doc_kind kind_of_key(struct reader *r, const yaml_event_t *event)
{
    struct nu_doc_node scalar = {.kind = NU_DOC_STRING, .text = text_of(event)};
    if (event->data.scalar.anchor) {
        struct nu_doc_node *node = scalar_node(r, event);
        remember_anchor(r, event->data.scalar.anchor, node);
        if (node->kind != NU_DOC_NULL)
            node->text = nu_arena_dup(r->in->arena, text_of(event));
        return (enum nu_doc_kind)node->kind;
    }
    type_scalar(r, event, &scalar);
    return (enum nu_doc_kind)scalar.kind;
}

static void on_key(struct reader *r, const yaml_event_t *event)
{
    struct level *level = &r->levels[r->depth - 1];
    level->ignore_value = has_tag((const char *)event->data.scalar.tag, "!ignore");
    set_key(level, key_of(r, kind_of_key(r, event), text_of(event)), event);
}

static void on_scalar(struct reader *r, const yaml_event_t *event)
{
    if (is_key_position(r)) {
        on_key(r, event);
        return;
    }
    struct nu_doc_node *node = scalar_node(r, event);
    remember_anchor(r, event->data.scalar.anchor, node);
    place_value(r, node);
}

static bool on_alias(struct reader *r, const yaml_event_t *event)
{
    struct nu_str name = nu_str_from((const char *)event->data.alias.anchor);
    struct nu_doc_node *target = nu_map_get(&r->anchors, name);
    if (!target)
        return fail_at(r, event->start_mark, "YAML: no anchor is called \"%.*s\"",
                       NU_STR_ARG(name));
    for (size_t i = 0; i < r->depth; i++)
        if (r->levels[i].node == target)
            return fail_at(r, event->start_mark,
                           "YAML: the alias \"%.*s\" stands inside its anchor", NU_STR_ARG(name));
    if (is_key_position(r)) {
        if (target->kind == NU_DOC_LIST || target->kind == NU_DOC_MAP)
            return fail_at(r, event->start_mark, "YAML: a key must be a scalar");
        r->levels[r->depth - 1].ignore_value = false;
        set_key(&r->levels[r->depth - 1], key_of(r, (enum nu_doc_kind)target->kind, target->text),
                event);
        return true;
    }
    r->aliased_nodes += target->weight;
    if (r->aliased_nodes > MAX_ALIASED_NODES)
        return fail_at(r, event->start_mark, "YAML: aliases expand to more than %d nodes",
                       MAX_ALIASED_NODES);
    struct nu_doc_node *node = nu_arena_alloc(r->in->arena, sizeof(*node));
    *node = *target;
    node->next = NULL;
    place_value(r, node);
    return true;
}

static bool on_collection(struct reader *r, const yaml_event_t *event, enum nu_doc_kind kind,
                          const yaml_char_t *anchor)
{
    if (is_key_position(r))
        return fail_at(r, event->start_mark, "YAML: a key must be a scalar");
    if (r->depth == NU_DOC_MAX_DEPTH)
        return fail_at(r, event->start_mark, "nested more than %d levels deep", NU_DOC_MAX_DEPTH);
    struct nu_doc_node *node =
        nu_doc_node_create(r->in, kind, line_of(event->start_mark), column_of(event->start_mark));
    remember_anchor(r, anchor, node);
    r->levels[r->depth++] = (struct level){.node = node};
    return true;
}

static void on_collection_end(struct reader *r)
{
    struct nu_doc_node *node = r->levels[--r->depth].node;
    if (node->kind == NU_DOC_MAP)
        nu_doc_drop_duplicates(r->in, node);
    place_value(r, node);
}

/* Takes one event; false after an error. */
static bool on_event(struct reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        on_scalar(r, event);
        return true;
    case YAML_ALIAS_EVENT:
        return on_alias(r, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_collection(r, event, NU_DOC_LIST, event->data.sequence_start.anchor);
    case YAML_MAPPING_START_EVENT:
        return on_collection(r, event, NU_DOC_MAP, event->data.mapping_start.anchor);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        on_collection_end(r);
        return true;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return true;
    }
    return true;
}

/* Gives a plain scalar the colon back that yaml_internal.h tells of. */
static void show_colon(struct reader *r, const yaml_event_t *event)
{
    if (event->type != YAML_SCALAR_EVENT || r->next_colon == r->text.colon_count ||
        event->start_mark.index != r->text.colons[r->next_colon])
        return;
    r->next_colon++;
    event->data.scalar.value[0] = ':';
}

/* Reads events up to the end of the first document. */
static bool read_document(struct reader *r)
{
    yaml_event_type_t type;
    do {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event))
            return fail_in_parser(r);
        type = event.type;
        show_colon(r, &event);
        bool ok = on_event(r, &event);
        yaml_event_delete(&event);
        if (!ok)
            return false;
    } while (type != YAML_DOCUMENT_END_EVENT && type != YAML_STREAM_END_EVENT);
    return true;
}

struct nu_doc_node *nu_doc_parse_yaml(const struct nu_doc_input *in)
{
    struct reader r = {.in = in, .text = nu_yaml_text_prepare(in)};
    if (!yaml_parser_initialize(&r.parser)) {
        nu_error_add(in->errors, (struct nu_position){in->source, 0, 0}, NULL, "out of memory");
        return NULL;
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)r.text.text.ptr,
                                 r.text.text.len);
    bool ok = read_document(&r);
    yaml_parser_delete(&r.parser);
    nu_map_finish(&r.anchors);
    nu_map_finish(&r.keys);
    if (!ok)
        return NULL;
    if (!r.root)
        r.root = nu_doc_node_create(in, NU_DOC_NULL, 1, 1);
    return r.root;
}
