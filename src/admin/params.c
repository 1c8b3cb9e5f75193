/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of a query or a form: %XX and '+' are decoded, as Envoy does for its admin paths. */
#include "admin/admin_internal.h"

static struct nu_str decode(struct nu_arena *arena, struct nu_str text)
{
    char *out = nu_arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int high = text.ptr[i] == '%' && i + 2 < text.len ? nu_hex_value(text.ptr[i + 1]) : -1;
        int low = high >= 0 ? nu_hex_value(text.ptr[i + 2]) : -1;
        if (low >= 0) {
            out[len++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[len++] = text.ptr[i] == '+' ? ' ' : text.ptr[i];
        }
    }
    return nu_str_make(out, len);
}

static size_t count_pairs(struct nu_str text)
{
    size_t count = 0;
    while (text.ptr) {
        nu_str_split(&text, '&');
        count++;
    }
    return count;
}

void nu_admin_parse_params(struct nu_admin_request *request, struct nu_str text)
{
    struct nu_arena *arena = request->arena;
    if (text.len == 0)
        return;
    struct nu_admin_param *params = nu_arena_alloc(arena, count_pairs(text) * sizeof(*params));
    while (text.ptr) {
        struct nu_str pair = nu_str_split(&text, '&');
        size_t equals = nu_str_find_char(pair, '=');
        if (pair.len == 0)
            continue;
        params[request->param_count++] = (struct nu_admin_param){
            .name = decode(arena, nu_str_first(pair, equals)),
            .value = equals == NU_NPOS ? NU_STR("") : decode(arena, nu_str_skip(pair, equals + 1)),
        };
    }
    request->params = params;
}

struct nu_str nu_admin_param(const struct nu_admin_request *request, const char *name)
{
    for (size_t i = 0; i < request->param_count; i++) {
        if (nu_str_eq(request->params[i].name, nu_str_from(name)))
            return request->params[i].value;
    }
    return nu_str_make(NULL, 0);
}

bool nu_admin_has_param(const struct nu_admin_request *request, const char *name)
{
    return nu_admin_param(request, name).ptr != NULL;
}
