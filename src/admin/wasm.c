/* SPDX-License-Identifier: Apache-2.0 */
/* /wasm: the VMs of wasm plug-ins, as lines of text or as JSON. */
#include "admin/wasm_rows.h"

const char *nu_admin_wasm_worker(const struct nu_wasm_vm_row *row, struct nu_arena *arena)
{
    return row->thread == 0 ? "main" : nu_arena_printf(arena, "worker_%u", row->thread - 1);
}

bool nu_admin_wasm_next_plugin(struct nu_str *rest, struct nu_str *name)
{
    if (!rest->len)
        return false;
    *name = nu_str_split(rest, '\0');
    return true;
}

void nu_admin_wasm_plugins(struct nu_strbuf *out, const struct nu_wasm_vm_row *row)
{
    struct nu_str rest = row->plugins;
    struct nu_str name;
    for (bool more = false; nu_admin_wasm_next_plugin(&rest, &name); more = true) {
        if (more)
            nu_strbuf_add_cstr(out, ", ");
        nu_strbuf_add(out, name);
    }
}

static const char *state_of(const struct nu_wasm_vm_row *row)
{
    return row->is_dead ? "failed" : "live";
}

/* The figures in the order in which they are shown. */
struct figure {
    const char *name;
    size_t offset;
};

#define FIGURE(field) \
    { \
#field, offsetof(struct nu_wasm_vm_row, field) \
    }
static const struct figure figures[] = {
    FIGURE(memory_bytes), FIGURE(memory_limit_bytes), FIGURE(contexts),
    FIGURE(calls),        FIGURE(failures),           FIGURE(age_s),
};

static uint64_t figure_of(const struct nu_wasm_vm_row *row, const struct figure *figure)
{
    return *(const uint64_t *)(const void *)((const char *)row + figure->offset);
}

/* vm_id/key::worker::name:: */
static void begin_line(struct nu_strbuf *out, const struct nu_wasm_vm_row *row, const char *worker,
                       const char *name)
{
    nu_strbuf_addf(out, "%.*s/%.*s::%s::%s::", NU_STR_ARG(row->vm_id), NU_STR_ARG(row->key), worker,
                   name);
}

static void print_text(struct nu_strbuf *out, const struct nu_wasm_vm_row *row, const char *worker)
{
    begin_line(out, row, worker, "plugins");
    nu_admin_wasm_plugins(out, row);
    nu_strbuf_add_char(out, '\n');
    begin_line(out, row, worker, "state");
    nu_strbuf_addf(out, "%s\n", state_of(row));
    for (size_t i = 0; i < NU_ARRAY_LEN(figures); i++) {
        begin_line(out, row, worker, figures[i].name);
        nu_strbuf_add_u64(out, figure_of(row, &figures[i]));
        nu_strbuf_add_char(out, '\n');
    }
}

static void print_string(struct nu_json *json, const char *name, struct nu_str value)
{
    nu_json_key(json, nu_str_from(name));
    nu_json_string(json, value);
}

static void print_json(struct nu_json *json, const struct nu_wasm_vm_row *row, const char *worker)
{
    struct nu_str rest = row->plugins;
    struct nu_str name;
    nu_json_object_begin(json);
    print_string(json, "vm_id", row->vm_id);
    print_string(json, "key", row->key);
    print_string(json, "worker", nu_str_from(worker));
    nu_json_key(json, NU_STR("plugins"));
    nu_json_array_begin(json);
    while (nu_admin_wasm_next_plugin(&rest, &name))
        nu_json_string(json, name);
    nu_json_array_end(json);
    print_string(json, "state", nu_str_from(state_of(row)));
    for (size_t i = 0; i < NU_ARRAY_LEN(figures); i++) {
        nu_json_key(json, nu_str_from(figures[i].name));
        nu_json_u64(json, figure_of(row, &figures[i]));
    }
    nu_json_object_end(json);
}

struct walk {
    const struct nu_wasm_vm_row *rows;
    size_t count;
    size_t at;
    struct nu_arena *arena;
    struct nu_json json;
    bool as_json;
};

static bool next_slice(void *state, struct nu_strbuf *out, size_t bytes)
{
    struct walk *walk = state;
    size_t end = out->len + bytes;
    walk->json.out = out;
    for (; walk->at < walk->count && out->len < end; walk->at++) {
        const struct nu_wasm_vm_row *row = &walk->rows[walk->at];
        const char *worker = nu_admin_wasm_worker(row, walk->arena);
        if (walk->as_json)
            print_json(&walk->json, row, worker);
        else
            print_text(out, row, worker);
    }
    if (walk->at < walk->count)
        return true;
    if (walk->as_json) {
        nu_json_array_end(&walk->json);
        nu_json_object_end(&walk->json);
        nu_strbuf_add_char(out, '\n');
    }
    return false;
}

static const struct nu_admin_source wasm_source = {.next = next_slice};

void nu_admin_wasm(const struct nu_admin_request *request, struct nu_admin_response *response)
{
    struct walk *walk = nu_arena_calloc(request->arena, sizeof(*walk));
    walk->arena = request->arena;
    walk->rows = nu_wasm_report_list(request->arena, &walk->count);
    walk->as_json = nu_str_eq(nu_admin_param(request, "format"), NU_STR("json"));
    if (walk->as_json) {
        nu_json_init(&walk->json, &response->body, true);
        nu_json_object_begin(&walk->json);
        nu_json_key(&walk->json, NU_STR("vms"));
        nu_json_array_begin(&walk->json);
        response->content_type = NU_ADMIN_JSON;
    }
    if (!walk->as_json && !walk->count)
        nu_strbuf_add_cstr(&response->body, "no VMs\n");
    response->source = &wasm_source;
    response->state = walk;
}
