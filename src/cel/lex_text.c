/* SPDX-License-Identifier: Apache-2.0 */
/*
 * String and bytes literals of CEL: in one quote or three, raw or with escapes. In a string an
 * escape stands for a character, in bytes for a byte.
 */
#include "cel/cel_internal.h"

struct literal {
    struct nu_cel_lexer *lexer;
    bool is_raw;
    bool is_bytes;
    bool is_long; /* three quotes: lines may end in it */
    char quote;
    char *out; /* room for all of it: no escape is shorter than what it stands for */
    size_t len;
};

static char peek(const struct nu_cel_lexer *lexer, size_t ahead)
{
    size_t at = lexer->at + ahead;
    return at < lexer->all.len ? lexer->all.ptr[at] : '\0';
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'';
}

/* Prefixes and quotes; false if what begins here is no literal. */
static bool begin(struct literal *literal)
{
    struct nu_cel_lexer *lexer = literal->lexer;
    size_t prefix = 0;
    for (; prefix < 2 && !is_quote(peek(lexer, prefix)); prefix++) {
        char c = nu_ascii_lower(peek(lexer, prefix));
        bool *flag = c == 'r' ? &literal->is_raw : &literal->is_bytes;
        if ((c != 'r' && c != 'b') || literal->is_raw || *flag) /* "br", but not "rb" */
            return false;
        *flag = true;
    }
    literal->quote = peek(lexer, prefix);
    if (!is_quote(literal->quote))
        return false;
    literal->is_long =
        peek(lexer, prefix + 1) == literal->quote && peek(lexer, prefix + 2) == literal->quote;
    lexer->at += prefix + (literal->is_long ? 3 : 1);
    return true;
}

static bool at_end(const struct literal *literal)
{
    const struct nu_cel_lexer *lexer = literal->lexer;
    if (peek(lexer, 0) != literal->quote)
        return false;
    return !literal->is_long ||
           (peek(lexer, 1) == literal->quote && peek(lexer, 2) == literal->quote);
}

/* So many digits to a base, 8 or 16. */
static bool read_code(struct nu_cel_lexer *lexer, size_t count, int base, uint32_t *code)
{
    *code = 0;
    for (size_t i = 0; i < count; i++) {
        int digit = nu_hex_value(peek(lexer, i));
        if (digit < 0 || digit >= base)
            return false;
        *code = *code * (uint32_t)base + (uint32_t)digit;
    }
    lexer->at += count;
    return true;
}

/* \x41, \u0041, \U00000041, \101 */
static bool read_coded(struct literal *literal, char c, uint32_t *code)
{
    struct nu_cel_lexer *lexer = literal->lexer;
    switch (c) {
    case 'x':
    case 'X':
        return read_code(lexer, 2, 16, code);
    case 'u':
        return !literal->is_bytes && read_code(lexer, 4, 16, code);
    case 'U':
        return !literal->is_bytes && read_code(lexer, 8, 16, code);
    default:
        lexer->at--;
        return c >= '0' && c <= '3' && read_code(lexer, 3, 8, code);
    }
}

static bool add_escape(struct literal *literal)
{
    static const struct nu_str plain = NU_STR_INIT("abfnrtv\\?\"'`");
    static const char meaning[] = "\a\b\f\n\r\t\v\\?\"'`";
    char c = peek(literal->lexer, 1);
    size_t at = nu_str_find_char(plain, c);
    uint32_t code;
    literal->lexer->at += 2;
    if (at != NU_NPOS) {
        literal->out[literal->len++] = meaning[at];
        return true;
    }
    if (!read_coded(literal, c, &code) || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return false;
    if (literal->is_bytes)
        literal->out[literal->len++] = (char)code;
    else
        literal->len += nu_utf8_write(code, literal->out + literal->len);
    return true;
}

/* What is wrong with the literal, or NULL. */
static const char *read_all(struct literal *literal)
{
    struct nu_cel_lexer *lexer = literal->lexer;
    while (!at_end(literal)) {
        if (lexer->at >= lexer->all.len)
            return "a string without an end";
        char c = peek(lexer, 0);
        if (!literal->is_long && (c == '\n' || c == '\r'))
            return "a line ends in a string of one quote";
        if (c == '\\' && !literal->is_raw) {
            if (!add_escape(literal))
                return "no such escape";
        } else {
            literal->out[literal->len++] = c;
            lexer->at++;
        }
    }
    lexer->at += literal->is_long ? 3 : 1;
    return NULL;
}

/* Bytes from here to the literal's end, or to that of the text. */
static size_t measure(const struct literal *literal)
{
    struct nu_cel_lexer lexer = *literal->lexer;
    struct literal copy = *literal;
    copy.lexer = &lexer;
    while (lexer.at < lexer.all.len && !at_end(&copy))
        lexer.at += peek(&lexer, 0) == '\\' && !literal->is_raw ? 2 : 1;
    return lexer.at - literal->lexer->at;
}

bool nu_cel_lex_text(struct nu_cel_lexer *lexer, struct nu_cel_token *token)
{
    struct literal literal = {.lexer = lexer};
    size_t start = lexer->at;
    if (!begin(&literal))
        return false;
    literal.out = nu_arena_alloc(lexer->arena, measure(&literal) + 1);
    const char *wrong = read_all(&literal);
    struct nu_str text = nu_str_make(literal.out, literal.len);
    if (!wrong && !literal.is_bytes && !nu_str_is_utf8(text))
        wrong = "a string that is not UTF-8";
    if (wrong) {
        nu_cel_wrong(lexer, start, wrong);
        token->type = NU_CEL_WRONG;
    }
    token->value = literal.is_bytes ? nu_cel_bytes(text) : nu_cel_string(text);
    return true;
}
