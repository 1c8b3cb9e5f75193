/* SPDX-License-Identifier: Apache-2.0 */
/*
 * %XFCC_VALUE(key)%: the first value of a key in x-forwarded-client-cert, a list of elements of
 * key=value pairs:
 *
 *     By=spiffe://a;Hash=1f;Subject="CN=x, O=\"y\"",By=spiffe://b;Hash=2e
 */
#include "format/format_internal.h"
#include "http/headers.h"

/* Cuts the part before the first `sep` outside of quotes off `*rest`, as nu_str_split does.
 * False if a quote is not closed. */
static bool split_unquoted(struct nu_str *rest, char sep, struct nu_str *part)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < rest->len && (quoted || rest->ptr[i] != sep); i++) {
        if (rest->ptr[i] == '"')
            quoted = !quoted;
        else if (quoted && rest->ptr[i] == '\\' && i + 1 < rest->len)
            i++;
    }
    *part = nu_str_first(*rest, i);
    bool is_last = i >= rest->len;
    *rest = is_last ? nu_str_make(NULL, 0) : nu_str_skip(*rest, i + 1);
    return !quoted;
}

/* Gives the value without its quotes, and what they protected without the backslash. */
static void give_unquoted(const struct nu_format_context *context, struct nu_op_result *result,
                          struct nu_str value)
{
    if (value.len < 2 || value.ptr[0] != '"' || value.ptr[value.len - 1] != '"') {
        nu_op_give_text(result, value);
        return;
    }
    value = nu_str_make(value.ptr + 1, value.len - 2);
    char *copy = nu_op_room(context, result, value.len);
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++) {
        bool is_escape = value.ptr[i] == '\\' && i + 1 < value.len &&
                         (value.ptr[i + 1] == '"' || value.ptr[i + 1] == '\\');
        i += is_escape;
        copy[len++] = value.ptr[i];
    }
    nu_op_give_text(result, nu_str_make(copy, len));
}

/* Finds the key in one element. */
static bool find_in_element(const struct nu_format_part *part,
                            const struct nu_format_context *context, struct nu_str element,
                            struct nu_op_result *result)
{
    while (element.ptr) {
        struct nu_str value;
        if (!split_unquoted(&element, ';', &value))
            return false;
        struct nu_str key = nu_str_split(&value, '=');
        if (nu_str_eq_nocase(nu_str_trim(key), part->text)) {
            give_unquoted(context, result, nu_str_trim(value));
            return true;
        }
    }
    return false;
}

void nu_op_xfcc(const struct nu_format_part *part, const struct nu_format_context *context,
                struct nu_op_result *result)
{
    result->kind = NU_OP_NONE;
    if (!context->request_headers)
        return;
    struct nu_str rest =
        nu_headers_get_all(context->request_headers, NU_STR("x-forwarded-client-cert"));
    while (rest.ptr) {
        struct nu_str element;
        if (!split_unquoted(&rest, ',', &element) ||
            find_in_element(part, context, element, result))
            return;
    }
}
