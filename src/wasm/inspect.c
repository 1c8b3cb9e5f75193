/* SPDX-License-Identifier: Apache-2.0 */
/* A module's page: facts first, the verdict last. Its names are shown so that a terminal takes
 * nothing in them for a command. */
#include "wasm/inspect.h"

#include "base/log_pattern.h"
#include "wasm/abi.h"

enum { PAGE_BYTES = 64 * 1024 };

/* --- Facts ------------------------------------------------------------------------------------ */

static const char *section_name(uint8_t id)
{
    static const char *const names[] = {"custom", "type",   "import",     "function", "table",
                                        "memory", "global", "export",     "start",    "element",
                                        "code",   "data",   "data count", "tag"};
    return id < NU_ARRAY_LEN(names) ? names[id] : "unknown";
}

static void add_sections(const struct nu_wasm_module *module, struct nu_strbuf *out)
{
    nu_strbuf_addf(out, "size: %zu bytes\n", module->bytes.len);
    for (size_t i = 0; i < module->section_count; i++) {
        const struct nu_wasm_section *section = &module->sections[i];
        nu_strbuf_addf(out, "  %-10s %10zu", section_name(section->id), section->body.len);
        if (section->id == 0) {
            nu_strbuf_add_cstr(out, "  ");
            nu_log_escape(out, section->name);
        }
        nu_strbuf_add_char(out, '\n');
    }
}

static void add_memory(const struct nu_wasm_module *module, struct nu_strbuf *out)
{
    if (!module->has_memory)
        return;
    nu_strbuf_addf(out, "memory: %llu bytes from the start",
                   (unsigned long long)module->memory.min * PAGE_BYTES);
    if (module->memory.max != UINT32_MAX)
        nu_strbuf_addf(out, ", %llu at most", (unsigned long long)module->memory.max * PAGE_BYTES);
    nu_strbuf_add_char(out, '\n');
}

static void add_item(const struct nu_wasm_item *item, struct nu_strbuf *out)
{
    nu_strbuf_add_cstr(out, "  ");
    if (item->module.len) {
        nu_log_escape(out, item->module);
        nu_strbuf_add_char(out, '.');
    }
    nu_log_escape(out, item->name);
    nu_strbuf_add_char(out, ' ');
    if (item->type)
        nu_wasm_type_format(item->type, out);
    else
        nu_strbuf_add_cstr(out, nu_wasm_kind_name(item->kind));
    nu_strbuf_add_char(out, '\n');
}

static void add_items(const char *what, const struct nu_wasm_item *items, size_t count,
                      struct nu_strbuf *out)
{
    nu_strbuf_addf(out, "%s: %zu\n", what, count);
    for (size_t i = 0; i < count; i++)
        add_item(&items[i], out);
}

/* How the host will begin it. */
static void add_start(const struct nu_wasm_module *module, struct nu_strbuf *out)
{
    const char *separator = "start: ";
    static const char *const names[] = {"_initialize", "_start", "main", "__main_void"};
    if (module->has_start) {
        nu_strbuf_addf(out, "%sthe start section", separator);
        separator = ", ";
    }
    bool is_reactor = nu_wasm_module_export(module, names[0], NU_WASM_FUNCTION) != NULL;
    for (size_t i = 0; i < NU_ARRAY_LEN(names); i++) {
        bool is_used = is_reactor ? i != 1 : i == 1;
        if (!is_used || !nu_wasm_module_export(module, names[i], NU_WASM_FUNCTION))
            continue;
        nu_strbuf_addf(out, "%s%s", separator, names[i]);
        separator = ", ";
    }
    nu_strbuf_add_cstr(out, *separator == 's' ? "start: nothing\n" : "\n");
}

/* --- The verdict ------------------------------------------------------------------------------ */

/* What is wrong, line by line: names of the module are among it, whatever they are made of. */
static void add_reasons(const struct nu_strbuf *error, struct nu_strbuf *out)
{
    struct nu_str rest = nu_strbuf_str(error);
    const char *separator = "";
    while (rest.ptr) {
        nu_strbuf_add_cstr(out, separator);
        nu_log_escape(out, nu_str_split(&rest, '\n'));
        separator = "\n";
    }
}

static bool add_verdict(const struct nu_wasm_module *module, struct nu_arena *arena,
                        struct nu_strbuf *out)
{
    struct nu_strbuf error = {0};
    enum nu_wasm_abi abi = NU_WASM_ABI_COUNT;
    const struct nu_wasm_import *const *imports;
    bool ok = nu_wasm_abi_check(module, arena, &abi, &imports, &error);
    nu_strbuf_addf(out, "proxy-wasm ABI: %s\n",
                   abi == NU_WASM_ABI_COUNT ? "none" : nu_wasm_abi_name(abi));
    nu_strbuf_addf(out, "verdict: %s", ok ? "nuncio can use it" : "nuncio cannot use it");
    add_reasons(&error, out);
    nu_strbuf_add_char(out, '\n');
    nu_strbuf_finish(&error);
    return ok;
}

bool nu_wasm_inspect(struct nu_str bytes, struct nu_strbuf *out)
{
    struct nu_arena *arena = nu_arena_create();
    struct nu_strbuf error = {0};
    bool ok = false;
    const struct nu_wasm_module *module = nu_wasm_module_read(arena, bytes, &error);
    if (module) {
        add_sections(module, out);
        add_memory(module, out);
        add_items("imports", module->imports, module->import_count, out);
        add_items("exports", module->exports, module->export_count, out);
        add_start(module, out);
        ok = add_verdict(module, arena, out);
    } else {
        nu_strbuf_addf(out, "verdict: nuncio cannot use it: %.*s\n",
                       NU_STR_ARG(nu_strbuf_str(&error)));
    }
    nu_strbuf_finish(&error);
    nu_arena_destroy(&arena);
    return ok;
}
