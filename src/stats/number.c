/* SPDX-License-Identifier: Apache-2.0 */
/* Printing floating-point numbers in the ways of Envoy's stats pages. */
#include "stats/number_internal.h"

#include <math.h>
#include <stdlib.h>

#include "base/number.h"

/* A number's digits and the decimal exponent of the first of them. */
struct decimal {
    char digits[NU_DOUBLE_TEXT_MAX];
    int count;
    int exponent;
};

/* Takes the digits out of the shortest text, which is "0.00012", "1.5e+20" or the like. */
static struct decimal split(struct nu_str text)
{
    struct decimal decimal = {.exponent = -1};
    bool behind_point = false;
    for (size_t i = 0; i < text.len && text.ptr[i] != 'e'; i++) {
        char c = text.ptr[i];
        if (c == '.') {
            behind_point = true;
            continue;
        }
        bool is_leading_zero = decimal.count == 0 && c == '0';
        decimal.exponent += behind_point ? -is_leading_zero : !is_leading_zero;
        if (!is_leading_zero)
            decimal.digits[decimal.count++] = c;
    }
    size_t e = nu_str_find_char(text, 'e');
    if (e != NU_NPOS)
        decimal.exponent += atoi(text.ptr + e + 1);
    while (decimal.count > 1 && decimal.digits[decimal.count - 1] == '0')
        decimal.count--;
    return decimal;
}

static void add_zeros(struct nu_strbuf *out, int count)
{
    while (count-- > 0)
        nu_strbuf_add_char(out, '0');
}

static void add_fixed(struct nu_strbuf *out, const struct decimal *decimal)
{
    if (decimal->exponent < 0) {
        nu_strbuf_add_cstr(out, "0.");
        add_zeros(out, -decimal->exponent - 1);
    }
    for (int i = 0; i < decimal->count; i++) {
        if (i > 0 && i == decimal->exponent + 1)
            nu_strbuf_add_char(out, '.');
        nu_strbuf_add_char(out, decimal->digits[i]);
    }
    add_zeros(out, decimal->exponent + 1 - decimal->count);
}

void nu_stat_add_plain(struct nu_strbuf *out, double value)
{
    char text[NU_DOUBLE_TEXT_MAX + 1];
    size_t len = nu_double_to_chars(value, text);
    text[len] = '\0';
    if (value >= 1e16 && isfinite(value)) {
        nu_stat_add_digits(out, value, 16);
    } else if (value >= 1e-4 && isfinite(value)) {
        struct decimal decimal = split(nu_str_make(text, len));
        add_fixed(out, &decimal);
    } else { /* 0, tiny or not finite: the text is right */
        nu_strbuf_add(out, nu_str_make(text, len));
    }
}

void nu_stat_add_json(struct nu_strbuf *out, double value)
{
    if (isnan(value)) {
        nu_strbuf_add_cstr(out, "null");
        return;
    }
    char text[NU_DOUBLE_TEXT_MAX];
    nu_strbuf_add(out, nu_str_make(text, nu_double_to_chars(value, text)));
}

void nu_stat_add_digits(struct nu_strbuf *out, double value, int digits)
{
    nu_strbuf_addf(out, "%.*g", digits, value);
}
