/* SPDX-License-Identifier: Apache-2.0 */
/* /certs: the certificates of every TLS context, one context after the other. */
#include "admin/admin_internal.h"
#include "tls/describe.h"

struct walk {
    const struct nu_list *contexts; /* borrowed */
    size_t index;                   /* of the next context: one may go between slices */
    uint64_t now_s;
    struct nu_json json;
};

static const struct nu_tls_context *context_at(const struct nu_list *list, size_t index)
{
    const struct nu_tls_context *context = nu_tls_context_next(list, NULL);
    while (context && index-- > 0)
        context = nu_tls_context_next(list, context);
    return context;
}

static bool next_slice(void *state, struct nu_strbuf *out, size_t bytes)
{
    struct walk *walk = state;
    size_t full = out->len + bytes;
    const struct nu_tls_context *context = context_at(walk->contexts, walk->index);
    walk->json.out = out;
    for (; context && out->len < full; walk->index++) {
        nu_tls_describe_context(context, walk->now_s, &walk->json);
        context = nu_tls_context_next(walk->contexts, context);
    }
    if (context)
        return true;
    nu_json_array_end(&walk->json);
    nu_json_object_end(&walk->json);
    nu_strbuf_add_char(out, '\n');
    return false;
}

static const struct nu_admin_source certs_source = {.next = next_slice};

void nu_admin_certs(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    struct walk *walk = nu_arena_calloc(request->arena, sizeof(*walk));
    walk->contexts = request->admin->parts.tls_contexts;
    walk->now_s = nu_loop_realtime_us(request->admin->loop) / 1000000;
    nu_json_init(&walk->json, &response->body, true);
    nu_json_object_begin(&walk->json);
    nu_json_key(&walk->json, NU_STR("certificates"));
    nu_json_array_begin(&walk->json);
    response->content_type = NU_ADMIN_JSON;
    response->source = &certs_source;
    response->state = walk;
}
