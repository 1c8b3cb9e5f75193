/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar of CEL, by descent. Functions are looked up and macros taken apart here, so that what
 * cannot mean anything is an error of the expression and not of its evaluation.
 */
#include "base/regex.h"
#include "cel/cel_internal.h"

enum {
    NESTING_MAX = 100,     /* of parentheses and the like: the parser's own stack */
    ARGUMENTS_MAX = 16384, /* of one node */
    /* Compiled ahead; further ones are when they are used. */
    PATTERNS_MAX = 100,
    PATTERN_BYTES_MAX = 8192,
};

struct parser {
    struct nu_cel_lexer lexer;
    struct nu_cel *cel;
    struct nu_cel_token token; /* the next one */
    unsigned nesting;
    size_t pattern_bytes;
    unsigned variable_count;
    struct nu_str variables[NU_CEL_DEPTH_MAX]; /* of the macros around */
};

static struct nu_cel_node *parse_expression(struct parser *parser);
static struct nu_cel_node *parse_unary(struct parser *parser);

/* --- Tokens ----------------------------------------------------------------------------------- */

static void advance(struct parser *parser)
{
    if (parser->token.type != NU_CEL_WRONG)
        parser->token = nu_cel_lex(&parser->lexer);
}

static void *wrong(struct parser *parser, const char *text)
{
    nu_cel_wrong(&parser->lexer, parser->token.at, text);
    parser->token.type = NU_CEL_WRONG;
    return NULL;
}

static bool is_next(const struct parser *parser, const char *punct)
{
    return parser->token.type == NU_CEL_PUNCT && nu_str_eq(parser->token.text, nu_str_from(punct));
}

static bool take(struct parser *parser, const char *punct)
{
    if (!is_next(parser, punct))
        return false;
    advance(parser);
    return true;
}

static bool expect(struct parser *parser, const char *punct, const char *text)
{
    if (take(parser, punct))
        return true;
    wrong(parser, text);
    return false;
}

/* --- Nodes ------------------------------------------------------------------------------------ */

static struct nu_cel_node *make_node(struct parser *parser, enum nu_cel_op op)
{
    struct nu_cel_node *node = nu_arena_calloc(parser->lexer.arena, sizeof(*node));
    node->op = op;
    node->depth = 1;
    return node;
}

static bool set_depth(struct parser *parser, struct nu_cel_node *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->args[i]->depth >= node->depth)
            node->depth = (uint16_t)(node->args[i]->depth + 1);
    }
    if (node->depth < NU_CEL_DEPTH_MAX)
        return true;
    wrong(parser, "too many expressions within expressions");
    return false;
}

/* A growing row of arguments. */
struct row {
    struct nu_cel_node **items; /* in the arena */
    uint32_t count;
    uint32_t room;
};

static bool add(struct parser *parser, struct row *row, struct nu_cel_node *node)
{
    if (!node)
        return false;
    if (row->count == row->room) {
        uint32_t room = row->room ? row->room * 2 : 2;
        if (room > ARGUMENTS_MAX)
            return wrong(parser, "too many of them");
        struct nu_cel_node **items =
            nu_arena_alloc(parser->lexer.arena, room * sizeof(struct nu_cel_node *));
        if (row->count)
            memcpy(items, row->items, row->count * sizeof(struct nu_cel_node *));
        row->items = items;
        row->room = room;
    }
    row->items[row->count++] = node;
    return true;
}

static struct nu_cel_node *with_args(struct parser *parser, enum nu_cel_op op,
                                     const struct row *row)
{
    struct nu_cel_node *node = make_node(parser, op);
    node->args = row->items;
    node->count = row->count;
    return set_depth(parser, node) ? node : NULL;
}

static struct nu_cel_node *make_call(struct parser *parser, nu_cel_fn *call, struct row *row)
{
    struct nu_cel_node *node = with_args(parser, NU_CEL_OP_CALL, row);
    if (node)
        node->call = call;
    return node;
}

static struct nu_cel_node *call_one(struct parser *parser, nu_cel_fn *call, struct nu_cel_node *arg)
{
    struct row row = {0};
    return add(parser, &row, arg) ? make_call(parser, call, &row) : NULL;
}

static struct nu_cel_node *call_two(struct parser *parser, nu_cel_fn *call, struct nu_cel_node *a,
                                    struct nu_cel_node *b)
{
    struct row row = {0};
    return add(parser, &row, a) && add(parser, &row, b) ? make_call(parser, call, &row) : NULL;
}

static struct nu_cel_node *make_literal(struct parser *parser, struct nu_cel_value value)
{
    struct nu_cel_node *node = make_node(parser, NU_CEL_OP_LITERAL);
    node->value = value;
    return node;
}

/* --- Calls ------------------------------------------------------------------------------------ */

static void destroy_regex(void *obj)
{
    struct nu_regex *regex = obj;
    nu_regex_destroy(&regex);
}

/* A pattern that is known now is compiled now; one that is wrong is an error of the evaluation. */
static struct nu_cel_node *compile_pattern(struct parser *parser, struct nu_cel_node *node)
{
    const struct nu_cel_value *pattern = &node->args[1]->value;
    if (node->args[1]->op != NU_CEL_OP_LITERAL || pattern->type != NU_CEL_STRING ||
        parser->cel->pattern_count == PATTERNS_MAX ||
        pattern->text.len > PATTERN_BYTES_MAX - parser->pattern_bytes)
        return node;
    parser->pattern_bytes += pattern->text.len;
    parser->cel->pattern_count++; /* one that is wrong took as long */
    node->regex = nu_cel_pattern(pattern->text);
    if (!node->regex)
        return node;
    nu_arena_on_free(parser->lexer.arena, destroy_regex, node->regex);
    return node;
}

static struct nu_cel_node *make_named_call(struct parser *parser, struct nu_str name,
                                           struct row *row, bool has_receiver)
{
    nu_cel_fn *call = nu_cel_function(name, row->count, has_receiver);
    if (!call) {
        if (parser->lexer.error->len == 0) /* what stands behind it may be wrong, too */
            nu_strbuf_addf(parser->lexer.error, "no function is called %.*s and takes this",
                           NU_STR_ARG(nu_str_first(name, 100)));
        return wrong(parser, "");
    }
    struct nu_cel_node *node = make_call(parser, call, row);
    return node && call == nu_cel_matches ? compile_pattern(parser, node) : node;
}

/* Up to `end`, with an optional comma before it if `has_last_comma`. */
static bool parse_arguments(struct parser *parser, struct row *row, const char *end,
                            bool has_last_comma)
{
    if (take(parser, end))
        return true;
    if (has_last_comma && take(parser, ","))
        return expect(parser, end, "an item is missing");
    do {
        if (has_last_comma && is_next(parser, end))
            break;
        if (!add(parser, row, parse_expression(parser)))
            return false;
    } while (take(parser, ","));
    return expect(parser, end, "a comma or an end is missing");
}

/* --- Macros ----------------------------------------------------------------------------------- */

static struct nu_cel_node *parse_has(struct parser *parser)
{
    struct nu_cel_node *node = parse_expression(parser);
    if (!node || !expect(parser, ")", "has() takes one argument"))
        return NULL;
    if (node->op != NU_CEL_OP_SELECT)
        return wrong(parser, "has() takes a field of something");
    node->op = NU_CEL_OP_HAS;
    return node;
}

static const struct {
    struct nu_str name;
    enum nu_cel_op op;
} macros[] = {
    {NU_STR_INIT("all"), NU_CEL_OP_ALL},
    {NU_STR_INIT("exists"), NU_CEL_OP_EXISTS},
    {NU_STR_INIT("exists_one"), NU_CEL_OP_EXISTS_ONE},
    {NU_STR_INIT("filter"), NU_CEL_OP_FILTER},
    {NU_STR_INIT("map"), NU_CEL_OP_TRANSFORM},
};

/* The macro of a name, or `macros`' length. */
static size_t find_macro(struct nu_str name)
{
    size_t i = 0;
    while (i < NU_ARRAY_LEN(macros) && !nu_str_eq(macros[i].name, name))
        i++;
    return i;
}

/* What is said of each item: with two expressions of map() the condition comes first. */
static bool parse_macro_body(struct parser *parser, enum nu_cel_op op, struct row *row)
{
    struct nu_cel_node *first = parse_expression(parser);
    if (!first)
        return false;
    if (op != NU_CEL_OP_TRANSFORM || !take(parser, ","))
        return add(parser, row, first);
    return add(parser, row, parse_expression(parser)) && add(parser, row, first);
}

static struct nu_cel_node *parse_macro(struct parser *parser, enum nu_cel_op op,
                                       struct nu_cel_node *range)
{
    struct row row = {0};
    struct nu_str name = parser->token.text;
    if (parser->token.type != NU_CEL_IDENT)
        return wrong(parser, "a macro takes a variable's name");
    if (parser->variable_count == NU_CEL_DEPTH_MAX)
        return wrong(parser, "too many macros within macros");
    advance(parser);
    if (!expect(parser, ",", "a macro takes a variable's name and an expression") ||
        !add(parser, &row, range))
        return NULL;
    uint16_t slot = (uint16_t)parser->variable_count;
    parser->variables[parser->variable_count++] = name;
    bool ok = parse_macro_body(parser, op, &row);
    parser->variable_count--;
    if (!ok || !expect(parser, ")", "the macro does not end"))
        return NULL;
    struct nu_cel_node *node = with_args(parser, op, &row);
    if (node)
        node->slot = slot;
    return node;
}

/* --- Names ------------------------------------------------------------------------------------ */

static bool is_reserved(struct nu_str name)
{
    static const struct nu_str words[] = {
        NU_STR_INIT("as"),       NU_STR_INIT("break"),     NU_STR_INIT("const"),
        NU_STR_INIT("continue"), NU_STR_INIT("else"),      NU_STR_INIT("for"),
        NU_STR_INIT("function"), NU_STR_INIT("if"),        NU_STR_INIT("import"),
        NU_STR_INIT("in"),       NU_STR_INIT("let"),       NU_STR_INIT("loop"),
        NU_STR_INIT("package"),  NU_STR_INIT("namespace"), NU_STR_INIT("return"),
        NU_STR_INIT("var"),      NU_STR_INIT("void"),      NU_STR_INIT("while"),
    };
    for (size_t i = 0; i < NU_ARRAY_LEN(words); i++) {
        if (nu_str_eq(words[i], name))
            return true;
    }
    return false;
}

/* true, false, null, and the names of types. */
static bool constant_of(struct nu_str name, struct nu_cel_value *value)
{
    enum nu_cel_type type = nu_cel_type_by_name(name);
    if (nu_str_eq(name, NU_STR("true")) || nu_str_eq(name, NU_STR("false")))
        *value = nu_cel_bool(name.ptr[0] == 't');
    else if (nu_str_eq(name, NU_STR("null")))
        *value = (struct nu_cel_value){.type = NU_CEL_NULL};
    else if (type != NU_CEL_ERROR)
        *value = (struct nu_cel_value){.type = NU_CEL_TYPE, .named = type};
    else
        return false;
    return true;
}

static struct nu_cel_node *make_name(struct parser *parser, struct nu_str name, bool is_global)
{
    struct nu_cel_value value;
    for (unsigned i = is_global ? 0 : parser->variable_count; i > 0; i--) {
        if (!nu_str_eq(parser->variables[i - 1], name))
            continue;
        struct nu_cel_node *node = make_node(parser, NU_CEL_OP_VARIABLE);
        node->slot = (uint16_t)(i - 1);
        return node;
    }
    if (constant_of(name, &value))
        return make_literal(parser, value);
    struct nu_cel_node *node = make_node(parser, NU_CEL_OP_NAME);
    node->name = name;
    return node;
}

static struct nu_cel_node *parse_name(struct parser *parser, bool is_global)
{
    struct nu_str name = parser->token.text;
    struct row row = {0};
    if (is_reserved(name))
        return wrong(parser, "the word is reserved");
    advance(parser);
    if (is_next(parser, "{"))
        return wrong(parser, "messages cannot be made here");
    if (!take(parser, "("))
        return make_name(parser, name, is_global);
    if (nu_str_eq(name, NU_STR("has")))
        return parse_has(parser);
    if (!parse_arguments(parser, &row, ")", false))
        return NULL;
    return make_named_call(parser, name, &row, false);
}

/* --- Operands --------------------------------------------------------------------------------- */

static struct nu_cel_node *parse_map(struct parser *parser)
{
    struct row row = {0};
    while (!is_next(parser, "}") && !is_next(parser, ",")) {
        if (!add(parser, &row, parse_expression(parser)) ||
            !expect(parser, ":", "a key of a map has a colon behind it") ||
            !add(parser, &row, parse_expression(parser)))
            return NULL;
        if (!take(parser, ","))
            break;
    }
    if (row.count == 0)
        take(parser, ",");
    if (!expect(parser, "}", "a map does not end"))
        return NULL;
    return with_args(parser, NU_CEL_OP_MAP, &row);
}

/* 2^63 is one only behind a minus, which has taken it by now. */
static struct nu_cel_node *parse_value(struct parser *parser)
{
    struct nu_cel_value value = parser->token.value;
    if (value.type == NU_CEL_INT && value.natural > INT64_MAX)
        return wrong(parser, "an integer of more than 64 bits");
    advance(parser);
    return make_literal(parser, value);
}

static struct nu_cel_node *parse_primary(struct parser *parser)
{
    struct row row = {0};
    if (parser->token.type == NU_CEL_VALUE)
        return parse_value(parser);
    if (parser->token.type == NU_CEL_IDENT)
        return parse_name(parser, false);
    if (take(parser, "."))
        return parser->token.type == NU_CEL_IDENT ? parse_name(parser, true)
                                                  : wrong(parser, "a name is missing");
    if (take(parser, "[")) {
        if (!parse_arguments(parser, &row, "]", true))
            return NULL;
        return with_args(parser, NU_CEL_OP_LIST, &row);
    }
    if (take(parser, "{"))
        return parse_map(parser);
    if (!take(parser, "("))
        return wrong(parser, "an operand is missing");
    struct nu_cel_node *node = parse_expression(parser);
    return node && expect(parser, ")", "a parenthesis does not end") ? node : NULL;
}

/* google.protobuf.Timestamp and Duration are types. */
static struct nu_cel_node *select_type(struct parser *parser, const struct nu_cel_node *of,
                                       struct nu_str name)
{
    if (of->op != NU_CEL_OP_SELECT || !nu_str_eq(of->name, NU_STR("protobuf")) ||
        of->args[0]->op != NU_CEL_OP_NAME || !nu_str_eq(of->args[0]->name, NU_STR("google")))
        return NULL;
    struct nu_cel_value type = {.type = NU_CEL_TYPE, .named = NU_CEL_TIMESTAMP};
    if (nu_str_eq(name, NU_STR("Duration")))
        type.named = NU_CEL_DURATION;
    else if (!nu_str_eq(name, NU_STR("Timestamp")))
        return NULL;
    return make_literal(parser, type);
}

/* Behind a dot: a field, a macro, or a function of what stands before it. */
static struct nu_cel_node *parse_selection(struct parser *parser, struct nu_cel_node *of)
{
    struct nu_str name = parser->token.text;
    struct row row = {0};
    struct nu_cel_value value;
    if (parser->token.type != NU_CEL_IDENT || nu_str_eq(name, NU_STR("in")) ||
        (constant_of(name, &value) && value.type != NU_CEL_TYPE))
        return wrong(parser, "a field's name is missing");
    advance(parser);
    if (take(parser, "(")) {
        size_t macro = find_macro(name);
        if (macro < NU_ARRAY_LEN(macros))
            return parse_macro(parser, macros[macro].op, of);
        if (!add(parser, &row, of) || !parse_arguments(parser, &row, ")", false))
            return NULL;
        return make_named_call(parser, name, &row, true);
    }
    if (is_next(parser, "{"))
        return wrong(parser, "messages cannot be made here");
    struct nu_cel_node *type = select_type(parser, of, name);
    if (type)
        return type;
    if (!add(parser, &row, of))
        return NULL;
    struct nu_cel_node *node = with_args(parser, NU_CEL_OP_SELECT, &row);
    if (node)
        node->name = name;
    return node;
}

static struct nu_cel_node *parse_index(struct parser *parser, struct nu_cel_node *of)
{
    struct nu_cel_node *index = parse_expression(parser);
    if (!index || !expect(parser, "]", "an index does not end"))
        return NULL;
    return call_two(parser, nu_cel_index, of, index);
}

static struct nu_cel_node *parse_members(struct parser *parser, struct nu_cel_node *node)
{
    while (node) {
        if (take(parser, "."))
            node = parse_selection(parser, node);
        else if (take(parser, "["))
            node = parse_index(parser, node);
        else
            break;
    }
    return node;
}

/* --- Operators -------------------------------------------------------------------------------- */

/* A minus is part of a number right behind it. */
static struct nu_cel_node *parse_negative(struct parser *parser)
{
    struct nu_cel_value *value = &parser->token.value;
    if (parser->token.type != NU_CEL_VALUE ||
        (value->type != NU_CEL_INT && value->type != NU_CEL_DOUBLE))
        return call_one(parser, nu_cel_negate, parse_unary(parser));
    if (value->type == NU_CEL_DOUBLE)
        value->real = -value->real;
    else
        *value = nu_cel_int((int64_t)(0 - value->natural));
    struct nu_cel_node *node = make_literal(parser, *value);
    advance(parser);
    return parse_members(parser, node);
}

static struct nu_cel_node *parse_operand(struct parser *parser)
{
    if (take(parser, "!"))
        return call_one(parser, nu_cel_not, parse_unary(parser));
    if (take(parser, "-"))
        return parse_negative(parser);
    return parse_members(parser, parse_primary(parser));
}

static struct nu_cel_node *parse_unary(struct parser *parser)
{
    if (parser->nesting == NESTING_MAX)
        return wrong(parser, "too much nested");
    parser->nesting++;
    struct nu_cel_node *node = parse_operand(parser);
    parser->nesting--;
    return node;
}

enum { LEVEL_RELATION = 1, LEVEL_SUM, LEVEL_PRODUCT };

/* How strongly the next token binds what stands beside it; 0: it does not. */
static int level_of(const struct parser *parser)
{
    struct nu_str text = parser->token.text;
    if (parser->token.type == NU_CEL_IDENT)
        return nu_str_eq(text, NU_STR("in")) ? LEVEL_RELATION : 0;
    if (parser->token.type != NU_CEL_PUNCT)
        return 0;
    if (nu_str_find_char(NU_STR("*/%"), text.ptr[0]) != NU_NPOS)
        return LEVEL_PRODUCT;
    if (nu_str_find_char(NU_STR("+-"), text.ptr[0]) != NU_NPOS)
        return LEVEL_SUM;
    return nu_cel_binary(text) ? LEVEL_RELATION : 0;
}

static struct nu_cel_node *parse_binary(struct parser *parser, int level)
{
    struct nu_cel_node *node =
        level > LEVEL_PRODUCT ? parse_unary(parser) : parse_binary(parser, level + 1);
    if (level > LEVEL_PRODUCT)
        return node;
    while (node && level_of(parser) == level) {
        nu_cel_fn *call = nu_cel_binary(parser->token.text);
        advance(parser);
        struct nu_cel_node *right = parse_binary(parser, level + 1);
        node = right ? call_two(parser, call, node, right) : NULL;
    }
    return node;
}

static struct nu_cel_node *parse_and(struct parser *parser)
{
    struct row row = {0};
    do {
        if (!add(parser, &row, parse_binary(parser, LEVEL_RELATION)))
            return NULL;
    } while (take(parser, "&&"));
    return row.count == 1 ? row.items[0] : with_args(parser, NU_CEL_OP_AND, &row);
}

static struct nu_cel_node *parse_or(struct parser *parser)
{
    struct row row = {0};
    do {
        if (!add(parser, &row, parse_and(parser)))
            return NULL;
    } while (take(parser, "||"));
    return row.count == 1 ? row.items[0] : with_args(parser, NU_CEL_OP_OR, &row);
}

static struct nu_cel_node *parse_choice(struct parser *parser)
{
    struct row row = {0};
    struct nu_cel_node *node = parse_or(parser);
    if (!node || !take(parser, "?"))
        return node;
    if (!add(parser, &row, node) || !add(parser, &row, parse_or(parser)) ||
        !expect(parser, ":", "a colon is missing") || !add(parser, &row, parse_expression(parser)))
        return NULL;
    return with_args(parser, NU_CEL_OP_CHOOSE, &row);
}

static struct nu_cel_node *parse_expression(struct parser *parser)
{
    if (parser->nesting == NESTING_MAX)
        return wrong(parser, "too much nested");
    parser->nesting++;
    struct nu_cel_node *node = parse_choice(parser);
    parser->nesting--;
    return node;
}

const struct nu_cel_node *nu_cel_parse(struct nu_str text, struct nu_cel *cel,
                                       struct nu_strbuf *error)
{
    struct parser parser = {.cel = cel,
                            .lexer = {.all = text, .arena = cel->arena, .error = error}};
    advance(&parser);
    struct nu_cel_node *node = parse_expression(&parser);
    if (node && parser.token.type != NU_CEL_END)
        return wrong(&parser, "the expression should end here");
    return node;
}
