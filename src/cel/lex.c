/* SPDX-License-Identifier: Apache-2.0 */
/* The words of CEL: names, numbers, signs. Strings are in lex_text.c. */
#include <math.h>

#include "cel/cel_internal.h"

void nu_cel_wrong(struct nu_cel_lexer *lexer, size_t at, const char *text)
{
    if (lexer->error->len == 0)
        nu_strbuf_addf(lexer->error, "at %zu: %s", at + 1, text);
}

static char peek(const struct nu_cel_lexer *lexer, size_t ahead)
{
    size_t at = lexer->at + ahead;
    return at < lexer->all.len ? lexer->all.ptr[at] : '\0';
}

static bool is_name_char(char c)
{
    return nu_ascii_is_alpha(c) || nu_ascii_is_digit(c) || c == '_';
}

static void skip_blanks(struct nu_cel_lexer *lexer)
{
    while (lexer->at < lexer->all.len) {
        char c = peek(lexer, 0);
        if (c == '/' && peek(lexer, 1) == '/') {
            while (lexer->at < lexer->all.len && peek(lexer, 0) != '\n')
                lexer->at++;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
            lexer->at++;
        } else {
            return;
        }
    }
}

/* --- Numbers ---------------------------------------------------------------------------------- */

static size_t digits(struct nu_cel_lexer *lexer)
{
    size_t begin = lexer->at;
    while (nu_ascii_is_digit(peek(lexer, 0)))
        lexer->at++;
    return lexer->at - begin;
}

static bool hex_to_u64(struct nu_str text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (*out >> 60)
            return false;
        *out = *out << 4 | (uint64_t)nu_hex_value(text.ptr[i]);
    }
    return text.len != 0;
}

/* As JSON has it: a digit before the point, no others before that. */
static bool to_double(struct nu_cel_lexer *lexer, struct nu_str text, double *out)
{
    while (text.len > 1 && text.ptr[0] == '0' && nu_ascii_is_digit(text.ptr[1]))
        text = nu_str_skip(text, 1);
    if (text.ptr[0] == '.')
        text = nu_arena_concat(lexer->arena, NU_STR("0"), text);
    switch (nu_str_to_double(text, out)) {
    case NU_OK:
        return true;
    case NU_OVERFLOW:
        *out = INFINITY;
        return true;
    default:
        return false;
    }
}

/* Where a part of a floating-point number begins. */
static bool fraction_follows(const struct nu_cel_lexer *lexer)
{
    return peek(lexer, 0) == '.' && nu_ascii_is_digit(peek(lexer, 1));
}

static bool exponent_follows(const struct nu_cel_lexer *lexer)
{
    char sign = peek(lexer, 1);
    return (peek(lexer, 0) == 'e' || peek(lexer, 0) == 'E') &&
           nu_ascii_is_digit(sign == '+' || sign == '-' ? peek(lexer, 2) : sign);
}

static bool lex_double(struct nu_cel_lexer *lexer, size_t begin, struct nu_cel_token *token)
{
    if (fraction_follows(lexer)) {
        lexer->at++;
        digits(lexer);
    }
    if (exponent_follows(lexer)) {
        lexer->at += 2;
        digits(lexer);
    }
    token->value.type = NU_CEL_DOUBLE;
    struct nu_str text = nu_str_make(lexer->all.ptr + begin, lexer->at - begin);
    if (to_double(lexer, text, &token->value.real))
        return true;
    nu_cel_wrong(lexer, begin, "not a number");
    return false;
}

/* Integers are read without their sign: the parser takes "-" and 2^63 together. */
static bool lex_number(struct nu_cel_lexer *lexer, struct nu_cel_token *token)
{
    size_t begin = lexer->at;
    bool is_hex =
        peek(lexer, 0) == '0' && peek(lexer, 1) == 'x' && nu_hex_value(peek(lexer, 2)) >= 0;
    uint64_t value = 0;
    bool fits;
    if (is_hex) {
        lexer->at += 2;
        while (nu_hex_value(peek(lexer, 0)) >= 0)
            lexer->at++;
        fits = hex_to_u64(nu_str_make(lexer->all.ptr + begin + 2, lexer->at - begin - 2), &value);
    } else {
        digits(lexer);
        if (fraction_follows(lexer) || exponent_follows(lexer))
            return lex_double(lexer, begin, token);
        fits =
            nu_str_to_u64(nu_str_make(lexer->all.ptr + begin, lexer->at - begin), &value) == NU_OK;
    }
    bool is_unsigned = peek(lexer, 0) == 'u' || peek(lexer, 0) == 'U';
    if (is_unsigned)
        lexer->at++;
    if (!fits || (!is_unsigned && value > (uint64_t)INT64_MAX + 1)) {
        nu_cel_wrong(lexer, begin, "an integer of more than 64 bits");
        return false;
    }
    token->value = nu_cel_uint(value);
    if (!is_unsigned)
        token->value.type = NU_CEL_INT;
    return true;
}

/* --- Tokens ----------------------------------------------------------------------------------- */

static bool lex_punct(struct nu_cel_lexer *lexer, struct nu_cel_token *token)
{
    static const char *const twos[] = {"==", "!=", "<=", ">=", "&&", "||"};
    token->type = NU_CEL_PUNCT;
    for (size_t i = 0; i < NU_ARRAY_LEN(twos); i++) {
        if (peek(lexer, 0) == twos[i][0] && peek(lexer, 1) == twos[i][1]) {
            token->text = nu_str_make(lexer->all.ptr + lexer->at, 2);
            lexer->at += 2;
            return true;
        }
    }
    if (nu_str_find_char(NU_STR("<>+-*/%!?:.,()[]{}"), peek(lexer, 0)) == NU_NPOS) {
        nu_cel_wrong(lexer, lexer->at, "no expression has such a character here");
        return false;
    }
    token->text = nu_str_make(lexer->all.ptr + lexer->at, 1);
    lexer->at++;
    return true;
}

static void lex_name(struct nu_cel_lexer *lexer, struct nu_cel_token *token)
{
    size_t begin = lexer->at;
    while (is_name_char(peek(lexer, 0)))
        lexer->at++;
    token->type = NU_CEL_IDENT;
    token->text = nu_str_make(lexer->all.ptr + begin, lexer->at - begin);
}

struct nu_cel_token nu_cel_lex(struct nu_cel_lexer *lexer)
{
    struct nu_cel_token token = {.type = NU_CEL_VALUE};
    bool ok = true;
    skip_blanks(lexer);
    token.at = lexer->at;
    char c = peek(lexer, 0);
    if (lexer->at == lexer->all.len)
        token.type = NU_CEL_END;
    else if (nu_cel_lex_text(lexer, &token))
        ok = token.type != NU_CEL_WRONG;
    else if (nu_ascii_is_digit(c))
        ok = lex_number(lexer, &token);
    else if (fraction_follows(lexer))
        ok = lex_double(lexer, lexer->at, &token);
    else if (nu_ascii_is_alpha(c) || c == '_')
        lex_name(lexer, &token);
    else
        ok = lex_punct(lexer, &token);
    if (!ok)
        token.type = NU_CEL_WRONG;
    return token;
}
