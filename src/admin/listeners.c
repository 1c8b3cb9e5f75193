/* SPDX-License-Identifier: Apache-2.0 */
/* /listeners: which listeners there are and where they are bound. */
#include "admin/address_json.h"
#include "admin/admin_internal.h"

struct walk {
    const struct nu_admin *admin;
    size_t index; /* of the next listener */
    struct nu_json json;
    bool as_json;
    bool is_begun;
};

static void print_text(struct nu_strbuf *out, const struct nu_listener *listener)
{
    for (unsigned i = 0; i < listener->config->address_count; i++) {
        char text[NU_ADDRESS_TEXT_MAX];
        size_t len = nu_address_format(&listener->bound[i], text);
        nu_strbuf_addf(out, "%.*s::%.*s\n", NU_STR_ARG(listener->config->name), (int)len, text);
    }
}

static void print_more_addresses(struct nu_json *json, const struct nu_listener *listener)
{
    if (listener->config->address_count < 2)
        return;
    nu_json_key(json, NU_STR("additional_local_addresses"));
    nu_json_array_begin(json);
    for (unsigned i = 1; i < listener->config->address_count; i++)
        nu_admin_print_address(json, &listener->bound[i]);
    nu_json_array_end(json);
}

static void print_json(struct walk *walk, const struct nu_listener *listener)
{
    struct nu_json *json = &walk->json;
    if (!walk->is_begun) {
        nu_json_key(json, NU_STR("listener_statuses"));
        nu_json_array_begin(json);
        walk->is_begun = true;
    }
    nu_json_object_begin(json);
    nu_json_key(json, NU_STR("name"));
    nu_json_string(json, listener->config->name);
    nu_json_key(json, NU_STR("local_address"));
    nu_admin_print_address(json, &listener->bound[0]);
    print_more_addresses(json, listener);
    nu_json_object_end(json);
}

static void end_json(struct walk *walk, struct nu_strbuf *out)
{
    if (walk->is_begun)
        nu_json_array_end(&walk->json);
    nu_json_object_end(&walk->json);
    nu_strbuf_add_char(out, '\n');
}

static bool next_slice(void *state, struct nu_strbuf *out, size_t bytes)
{
    struct walk *walk = state;
    const struct nu_admin_parts *parts = &walk->admin->parts;
    size_t end = out->len + bytes;
    walk->json.out = out;
    while (out->len < end) {
        const struct nu_listener *listener = parts->ops->listener(parts->owner, walk->index);
        if (!listener) {
            if (walk->as_json)
                end_json(walk, out);
            return false;
        }
        walk->index++;
        if (walk->as_json)
            print_json(walk, listener);
        else
            print_text(out, listener);
    }
    return true;
}

static const struct nu_admin_source listeners_source = {.next = next_slice};

void nu_admin_listeners(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    struct walk *walk = nu_arena_calloc(request->arena, sizeof(*walk));
    walk->admin = request->admin;
    walk->as_json = nu_str_eq(nu_admin_param(request, "format"), NU_STR("json"));
    if (walk->as_json) {
        nu_json_init(&walk->json, &response->body, true);
        nu_json_object_begin(&walk->json);
        response->content_type = NU_ADMIN_JSON;
    }
    response->source = &listeners_source;
    response->state = walk;
}
