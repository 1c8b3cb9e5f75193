/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Obsolete spellings that Envoy still takes in header values:
 *
 *     %UPSTREAM_METADATA(["a","b"])%  is  %UPSTREAM_METADATA(a:b)%
 *     %PER_REQUEST_STATE(a)%          is  %FILTER_STATE(a:PLAIN)%
 *
 * They are rewritten as text, so that what follows knows only the new ones. What does not look
 * exactly like one of them stays as it is.
 */
#include "format/format_internal.h"

static struct nu_str skip_blanks(struct nu_str s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = nu_str_skip(s, 1);
    return s;
}

/* Reads a JSON string of plain characters and simple escapes at the front of `*s`. */
static bool take_string(struct nu_str *s, struct nu_strbuf *out)
{
    if (!nu_str_starts_with(*s, NU_STR("\"")))
        return false;
    size_t i = 1;
    for (; i < s->len && s->ptr[i] != '"'; i++) {
        bool is_escape = s->ptr[i] == '\\';
        i += is_escape;
        if (i == s->len || (is_escape && !strchr("\"\\/", s->ptr[i])))
            return false;
        nu_strbuf_add_char(out, s->ptr[i]);
    }
    if (i == s->len)
        return false;
    *s = nu_str_skip(*s, i + 1);
    return true;
}

/* Reads `(["a", "b"])%` as "a:b". */
static bool take_list(struct nu_str *s, struct nu_strbuf *out)
{
    struct nu_str rest = *s;
    if (!nu_str_starts_with(rest, NU_STR("(")))
        return false;
    rest = skip_blanks(nu_str_skip(rest, 1));
    if (!nu_str_starts_with(rest, NU_STR("[")))
        return false;
    char separator = '[';
    while (rest.len && rest.ptr[0] == separator) {
        if (separator == ',')
            nu_strbuf_add_char(out, ':');
        rest = skip_blanks(nu_str_skip(rest, 1));
        if (!take_string(&rest, out))
            return false;
        rest = skip_blanks(rest);
        separator = ',';
    }
    if (!nu_str_starts_with(rest, NU_STR("]")))
        return false;
    rest = skip_blanks(nu_str_skip(rest, 1));
    if (!nu_str_starts_with(rest, NU_STR(")%")))
        return false;
    *s = nu_str_skip(rest, 2);
    return true;
}

/* Appends the new spelling of the metadata operator `name` at the front of `*s`, if that is one. */
static bool take_metadata(struct nu_str *s, struct nu_str name, struct nu_strbuf *out)
{
    if (!nu_str_starts_with(*s, name))
        return false;
    struct nu_str rest = nu_str_skip(*s, name.len);
    struct nu_strbuf path = {0};
    bool matched = take_list(&rest, &path);
    if (matched) {
        nu_strbuf_add(out, name);
        nu_strbuf_addf(out, "(%s)%%", path.data ? path.data : "");
        *s = rest;
    }
    nu_strbuf_finish(&path);
    return matched;
}

static bool take_state(struct nu_str *s, struct nu_strbuf *out)
{
    static const struct nu_str start = NU_STR_INIT("%PER_REQUEST_STATE(");
    if (!nu_str_starts_with(*s, start))
        return false;
    struct nu_str rest = nu_str_skip(*s, start.len);
    size_t end = nu_str_find(rest, NU_STR(")%"));
    if (end == NU_NPOS || end == 0)
        return false;
    nu_strbuf_add_cstr(out, "%FILTER_STATE(");
    nu_strbuf_add(out, nu_str_first(rest, end));
    nu_strbuf_add_cstr(out, ":PLAIN)%");
    *s = nu_str_skip(rest, end + 2);
    return true;
}

struct nu_str nu_format_modernize(struct nu_arena *arena, struct nu_str text)
{
    if (nu_str_find_char(text, '%') == NU_NPOS)
        return text;
    struct nu_strbuf out = {0};
    for (struct nu_str rest = text; rest.len;) {
        if (take_metadata(&rest, NU_STR("%UPSTREAM_METADATA"), &out) ||
            take_metadata(&rest, NU_STR("%DYNAMIC_METADATA"), &out) || take_state(&rest, &out))
            continue;
        nu_strbuf_add_char(&out, rest.ptr[0]);
        rest = nu_str_skip(rest, 1);
    }
    struct nu_str modern = nu_arena_dup(arena, nu_strbuf_str(&out));
    nu_strbuf_finish(&out);
    return modern;
}
