/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cookies. Reading is Envoy's: spaces before a name do not count, a value is all up to the
 * semicolon, names are compared with their case.
 */
#include "http/cookie.h"

#include "http/headers.h"

static struct nu_str skip_spaces(struct nu_str s)
{
    while (s.len && s.ptr[0] == ' ')
        s = nu_str_skip(s, 1);
    return s;
}

static struct nu_str unquote(struct nu_str value)
{
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        return nu_str_make(value.ptr + 1, value.len - 2);
    return value;
}

/* In one header's value. */
static struct nu_str find_in(struct nu_str pairs, struct nu_str name)
{
    while (pairs.ptr) {
        struct nu_str pair = skip_spaces(nu_str_split(&pairs, ';'));
        size_t equals = nu_str_find_char(pair, '=');
        if (equals != NU_NPOS && nu_str_eq(nu_str_make(pair.ptr, equals), name))
            return unquote(nu_str_skip(pair, equals + 1));
    }
    return nu_str_make(NULL, 0);
}

struct nu_str nu_cookie_find(const struct nu_headers *headers, struct nu_str name)
{
    if (nu_headers_has_id(headers, NU_HEADER_COOKIE)) {
        nu_headers_for_each(header, headers)
        {
            struct nu_str value = {0};
            if (header->id == NU_HEADER_COOKIE)
                value = find_in(header->value, name);
            if (value.ptr)
                return value;
        }
    }
    return nu_str_make(NULL, 0);
}

static void add_attribute(struct nu_strbuf *out, struct nu_str name, struct nu_str value)
{
    nu_strbuf_add(out, NU_STR("; "));
    nu_strbuf_add(out, name);
    if (value.len == 0)
        return;
    nu_strbuf_add_char(out, '=');
    nu_strbuf_add(out, value);
}

struct nu_str nu_set_cookie_format(const struct nu_set_cookie *cookie, struct nu_arena *arena)
{
    struct nu_strbuf out = {0};
    nu_strbuf_addf(&out, "%.*s=\"%.*s\"", NU_STR_ARG(cookie->name), NU_STR_ARG(cookie->value));
    if (cookie->max_age_seconds)
        nu_strbuf_addf(&out, "; Max-Age=%llu", (unsigned long long)cookie->max_age_seconds);
    if (cookie->path.len)
        add_attribute(&out, NU_STR("Path"), cookie->path);
    for (size_t i = 0; i < cookie->attribute_count; i++)
        add_attribute(&out, cookie->attributes[i].name, cookie->attributes[i].value);
    nu_strbuf_add(&out, NU_STR("; HttpOnly"));
    struct nu_str text = nu_arena_dup(arena, nu_strbuf_str(&out));
    nu_strbuf_finish(&out);
    return text;
}
