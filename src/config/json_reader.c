/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON reader: recursive descent over the text, at most NU_DOC_MAX_DEPTH levels. Numbers keep
 * their text, so that 64-bit integers lose nothing. libyaml does not serve here although JSON is
 * nearly YAML: it refuses surrogate pairs and long keys, and accepts much that is no JSON.
 */
#include "config/doc.h"

struct reader {
    const struct nu_doc_input *in;
    const char *at;
    const char *end;
    const char *line_start;
    uint32_t line;
    unsigned depth;
};

static uint32_t column_of(const struct reader *r, const char *at)
{
    return (uint32_t)(at - r->line_start) + 1;
}

/* Adds an error at the current byte. Always false. */
static bool fail(struct reader *r, const char *text)
{
    struct nu_position at = {r->in->source, r->line, column_of(r, r->at)};
    if (r->at == r->end)
        nu_error_add(r->in->errors, at, NULL, "JSON: the text ends here, %s", text);
    else
        nu_error_add(r->in->errors, at, NULL, "JSON: %s", text);
    return false;
}

static void note_newline(struct reader *r, const char *at)
{
    r->line++;
    r->line_start = at + 1;
}

static void skip_space(struct reader *r)
{
    for (; r->at < r->end; r->at++) {
        char c = *r->at;
        if (c == '\n')
            note_newline(r, r->at);
        else if (c != ' ' && c != '\t' && c != '\r')
            return;
    }
}

static bool is_next(const struct reader *r, char c)
{
    return r->at < r->end && *r->at == c;
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'';
}

/* --- Strings ---------------------------------------------------------------------------------- */

/* Four hexadecimal digits at r->at, or -1. */
static int parse_hex4(struct reader *r)
{
    int value = 0;
    if (r->end - r->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = nu_hex_value(r->at[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    r->at += 4;
    return value;
}

/* The digits behind \u, with the second half of a surrogate pair. */
static bool parse_unicode(struct reader *r, char **out)
{
    int high = parse_hex4(r);
    if (high < 0)
        return fail(r, "\\u wants four hexadecimal digits");
    uint32_t c = (uint32_t)high;
    if (c >= 0xdc00 && c < 0xe000)
        return fail(r, "a low surrogate without a high one");
    if (c >= 0xd800 && c < 0xdc00) {
        int low = -1;
        if (r->end - r->at >= 2 && r->at[0] == '\\' && r->at[1] == 'u') {
            r->at += 2;
            low = parse_hex4(r);
        }
        if (low < 0xdc00 || low >= 0xe000)
            return fail(r, "a high surrogate without a low one");
        c = 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
    }
    *out += nu_utf8_write(c, *out);
    return true;
}

/* r->at stands behind the backslash. */
static bool parse_escape(struct reader *r, char **out)
{
    static const char from[] = "\"\\/'bfnrt";
    static const char to[] = "\"\\/'\b\f\n\r\t";
    if (r->at == r->end)
        return fail(r, "inside a string");
    char c = *r->at;
    if (c == 'u') {
        r->at++;
        return parse_unicode(r, out);
    }
    const char *found = c ? strchr(from, c) : NULL;
    if (!found)
        return fail(r, "no such escape in a string");
    *(*out)++ = to[found - from];
    r->at++;
    return true;
}

/* Where the string's closing quote stands, or the end of the text. */
static const char *find_quote(const struct reader *r, char quote)
{
    const char *at = r->at;
    while (at < r->end && *at != quote)
        at += *at == '\\' && at + 1 < r->end ? 2 : 1;
    return at;
}

/* A quoted string, r->at on its first quote. Its bytes get a home of their own, NUL-terminated. */
static bool parse_string(struct reader *r, struct nu_str *out)
{
    char quote = *r->at++;
    const char *close = find_quote(r, quote);
    char *text = nu_arena_alloc(r->in->arena, (size_t)(close - r->at) + 1);
    char *put = text;
    while (r->at < close) {
        char c = *r->at++;
        if (c == '\n')
            note_newline(r, r->at - 1);
        if (c != '\\')
            *put++ = c;
        else if (!parse_escape(r, &put))
            return false;
    }
    if (r->at >= r->end)
        return fail(r, "inside a string");
    *put = '\0';
    *out = nu_str_make(text, (size_t)(put - text));
    if (!nu_str_is_utf8(*out))
        return fail(r, "the string that ends here is not UTF-8");
    r->at++;
    return true;
}

/* --- Numbers and words ------------------------------------------------------------------------ */

static size_t skip_digits(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && nu_ascii_is_digit(*r->at))
        r->at++;
    return (size_t)(r->at - start);
}

static bool parse_number(struct reader *r, struct nu_doc_node *node)
{
    const char *start = r->at;
    if (is_next(r, '-'))
        r->at++;
    const char *first_digit = r->at;
    size_t digits = skip_digits(r);
    if (digits == 0)
        return fail(r, "a digit is missing");
    if (digits > 1 && *first_digit == '0')
        return fail(r, "a number may not begin with an extra 0");
    if (is_next(r, '.')) {
        r->at++;
        if (skip_digits(r) == 0)
            return fail(r, "a digit is missing behind the point");
    }
    if (is_next(r, 'e') || is_next(r, 'E')) {
        r->at++;
        if (is_next(r, '-') || is_next(r, '+'))
            r->at++;
        if (skip_digits(r) == 0)
            return fail(r, "a digit is missing in the exponent");
    }
    node->kind = NU_DOC_NUMBER;
    node->text = nu_arena_dup(r->in->arena, nu_str_make(start, (size_t)(r->at - start)));
    return true;
}

static bool is_word_char(char c)
{
    return nu_ascii_is_alpha(c) || nu_ascii_is_digit(c) || c == '_';
}

static struct nu_str parse_word(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && is_word_char(*r->at))
        r->at++;
    return nu_str_make(start, (size_t)(r->at - start));
}

/* null, true or false into `node`. */
static bool parse_literal(struct reader *r, struct nu_doc_node *node)
{
    const char *start = r->at;
    struct nu_str word = parse_word(r);
    if (nu_str_eq(word, NU_STR("null")))
        return true;
    node->kind = NU_DOC_BOOL;
    node->boolean = nu_str_eq(word, NU_STR("true"));
    if (node->boolean || nu_str_eq(word, NU_STR("false")))
        return true;
    r->at = start;
    return fail(r, "a value was expected");
}

/* --- Structure -------------------------------------------------------------------------------- */

static bool parse_value(struct reader *r, struct nu_doc_node **out);

static bool parse_key(struct reader *r, struct nu_str *out)
{
    if (r->at < r->end && is_quote(*r->at))
        return parse_string(r, out);
    const char *start = r->at;
    struct nu_str word = parse_word(r);
    bool is_name = word.len > 0 && !nu_ascii_is_digit(word.ptr[0]) &&
                   !nu_str_eq(word, NU_STR("null")) && !nu_str_eq(word, NU_STR("true")) &&
                   !nu_str_eq(word, NU_STR("false"));
    if (!is_name) {
        r->at = start;
        return fail(r, "a quoted member name was expected");
    }
    *out = nu_arena_dup(r->in->arena, word);
    return true;
}

/* One member and its place in `map`. */
static bool parse_member(struct reader *r, struct nu_doc_node *map)
{
    struct nu_str key;
    struct nu_doc_node *value;
    uint32_t line = r->line;
    uint32_t column = column_of(r, r->at);
    if (!parse_key(r, &key))
        return false;
    skip_space(r);
    if (!is_next(r, ':'))
        return fail(r, "':' was expected behind a member name");
    r->at++;
    if (!parse_value(r, &value))
        return false;
    value->key = key;
    value->key_line = line;
    value->key_column = column;
    nu_doc_node_add(map, value);
    return true;
}

static bool parse_item(struct reader *r, struct nu_doc_node *list)
{
    struct nu_doc_node *value;
    if (!parse_value(r, &value))
        return false;
    nu_doc_node_add(list, value);
    return true;
}

/* The inside of an object or a list up to its closing bracket; r->at on the opening one. */
static bool parse_collection(struct reader *r, struct nu_doc_node *node)
{
    char close = node->kind == NU_DOC_MAP ? '}' : ']';
    if (r->depth == NU_DOC_MAX_DEPTH)
        return fail(r, "nested more than 100 levels deep");
    r->depth++;
    r->at++;
    skip_space(r);
    while (!is_next(r, close)) {
        bool ok = node->kind == NU_DOC_MAP ? parse_member(r, node) : parse_item(r, node);
        if (!ok)
            return false;
        skip_space(r);
        if (is_next(r, close))
            break;
        if (!is_next(r, ','))
            return fail(r, close == '}' ? "',' or '}' was expected" : "',' or ']' was expected");
        r->at++;
        skip_space(r);
    }
    r->at++;
    r->depth--;
    if (node->kind == NU_DOC_MAP)
        nu_doc_mark_duplicates(r->in, node);
    return true;
}

static bool parse_value(struct reader *r, struct nu_doc_node **out)
{
    skip_space(r);
    struct nu_doc_node *node = nu_doc_node_create(r->in, NU_DOC_NULL, r->line, column_of(r, r->at));
    *out = node;
    if (r->at == r->end)
        return fail(r, "a value was expected");
    char c = *r->at;
    if (c == '{' || c == '[') {
        node->kind = c == '{' ? NU_DOC_MAP : NU_DOC_LIST;
        return parse_collection(r, node);
    }
    if (is_quote(c)) {
        node->kind = NU_DOC_STRING;
        return parse_string(r, &node->text);
    }
    if (c == '-' || nu_ascii_is_digit(c))
        return parse_number(r, node);
    return parse_literal(r, node);
}

struct nu_doc_node *nu_doc_parse_json(const struct nu_doc_input *in)
{
    const char *start = in->text.ptr ? in->text.ptr : "";
    struct reader r = {.in = in, .at = start, .end = start + in->text.len, .line_start = start};
    struct nu_doc_node *root;
    r.line = 1;
    if (!parse_value(&r, &root))
        return NULL;
    skip_space(&r);
    if (r.at != r.end) {
        fail(&r, "something follows the end of the document");
        return NULL;
    }
    return root;
}
