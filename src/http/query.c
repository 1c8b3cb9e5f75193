/* SPDX-License-Identifier: Apache-2.0 */
/* Query parameters. */
#include "http/query.h"

#include "http/path.h"

struct nu_query nu_query_open(struct nu_str path)
{
    struct nu_str query = nu_path_query(path);
    if (query.len == 0)
        return (struct nu_query){{NULL, 0}};
    return (struct nu_query){nu_str_skip(query, 1)};
}

bool nu_query_next(struct nu_query *query, struct nu_str *name, struct nu_str *value)
{
    while (query->rest.ptr) {
        struct nu_str pair = nu_str_split(&query->rest, '&');
        if (pair.len == 0)
            continue;
        size_t equals = nu_str_find_char(pair, '=');
        *name = nu_str_first(pair, equals);
        *value =
            equals == NU_NPOS ? nu_str_make(pair.ptr + pair.len, 0) : nu_str_skip(pair, equals + 1);
        return true;
    }
    return false;
}

struct nu_str nu_query_get(struct nu_str path, struct nu_str name)
{
    struct nu_query query = nu_query_open(path);
    struct nu_str found;
    struct nu_str value;
    while (nu_query_next(&query, &found, &value)) {
        if (nu_str_eq(found, name))
            return value;
    }
    return nu_str_make(NULL, 0);
}

static int decoded_at(struct nu_str text, size_t i)
{
    if (text.ptr[i] != '%' || i + 2 >= text.len)
        return -1;
    int high = nu_hex_value(text.ptr[i + 1]);
    int low = nu_hex_value(text.ptr[i + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

struct nu_str nu_percent_decode(struct nu_arena *arena, struct nu_str text)
{
    if (nu_str_find_char(text, '%') == NU_NPOS)
        return text;
    char *out = nu_arena_alloc(arena, text.len);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int c = decoded_at(text, i);
        out[len++] = c < 0 ? text.ptr[i] : (char)c;
        i += c < 0 ? 0 : 2;
    }
    return nu_str_make(out, len);
}
