/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding what a module imports, and telling what is wrong with it. Somebody who built a filter for
 * the wrong target sees the cause and not the symptom that happens to come first.
 */
#include "wasm/abi.h"

static const char *const markers[NU_WASM_ABI_COUNT] = {
    "proxy_abi_version_0_1_0",
    "proxy_abi_version_0_2_0",
    "proxy_abi_version_0_2_1",
};

static const struct {
    const char *name;
    const char *types[2];
} callbacks[] = {
#define X(id, name, type_0_1, type_0_2) {name, {type_0_1, type_0_2}},
    NU_WASM_CALLBACKS(X)
#undef X
};

const char *nu_wasm_abi_name(enum nu_wasm_abi abi)
{
    static const char *const names[NU_WASM_ABI_COUNT] = {"0.1.0", "0.2.0", "0.2.1"};
    return names[abi];
}

const char *nu_wasm_callback_name(enum nu_wasm_callback callback)
{
    return callbacks[callback].name;
}

const char *nu_wasm_callback_type(enum nu_wasm_callback callback, enum nu_wasm_abi abi)
{
    return callbacks[callback].types[abi != NU_WASM_ABI_0_1_0];
}

/* --- Imports ---------------------------------------------------------------------------------- */

static bool is_wasi(struct nu_str module)
{
    return nu_str_eq(module, NU_STR("wasi_snapshot_preview1")) ||
           nu_str_eq(module, NU_STR("wasi_unstable"));
}

static const struct nu_wasm_import *find_in(const struct nu_wasm_import *table, struct nu_str name)
{
    for (; table->module; table++) {
        if (nu_str_eq(nu_str_from(table->name), name))
            return table;
    }
    return NULL;
}

const struct nu_wasm_import *nu_wasm_host_function(struct nu_str module, struct nu_str name)
{
    static const struct nu_wasm_import *const tables[] = {
        nu_wasm_host_core,     nu_wasm_host_maps,     nu_wasm_host_buffers, nu_wasm_host_shared,
        nu_wasm_host_foreign,  nu_wasm_host_callouts, nu_wasm_host_grpc,    nu_wasm_host_metrics,
        nu_wasm_host_property, nu_wasm_host_dns,
    };
    const struct nu_wasm_import *found = NULL;
    if (is_wasi(module))
        return find_in(nu_wasm_host_wasi, name);
    if (!nu_str_eq(module, NU_STR("env")))
        return NULL;
    for (size_t i = 0; i < NU_ARRAY_LEN(tables) && !found; i++)
        found = find_in(tables[i], name);
    return found;
}

/* Why somebody imports what no proxy has. */
static const char *cause_of(const struct nu_wasm_item *item)
{
    if (nu_str_starts_with(item->module, NU_STR("__wbindgen")) ||
        nu_str_starts_with(item->name, NU_STR("__wbindgen")) ||
        nu_str_starts_with(item->name, NU_STR("__wbg_")))
        return "of wasm-bindgen: a crate was built for a browser (chrono, getrandom and uuid do so "
               "for wasm32-unknown-unknown); build for wasm32-wasip1, or turn that feature off";
    if (nu_str_eq(item->module, NU_STR("gojs")) || nu_str_eq(item->module, NU_STR("go")))
        return "of Go for browsers: build with GOOS=wasip1 and -buildmode=c-shared, or with TinyGo "
               "for wasip1";
    if (nu_str_starts_with(item->module, NU_STR("wasi:")))
        return "of WASI preview 2: build a core module for preview 1 (wasm32-wasip1)";
    if (item->kind != NU_WASM_FUNCTION)
        return "a host makes memory and tables for a guest, and nothing else: do not link as a "
               "shared library";
    if (nu_str_starts_with(item->name, NU_STR("proxy_")))
        return "no version of proxy-wasm up to 0.2.1 has it: built for a fork or a later draft?";
    if (nu_str_eq(item->module, NU_STR("env")))
        return "an undefined symbol of the program, which the linker took for an import";
    return NULL;
}

static void name_item(const struct nu_wasm_item *item, struct nu_strbuf *out)
{
    nu_strbuf_addf(out, "%.*s.%.*s", NU_STR_ARG(item->module), NU_STR_ARG(item->name));
}

static void tell_missing(const struct nu_wasm_item *item, struct nu_strbuf *error)
{
    const char *cause = cause_of(item);
    nu_strbuf_addf(error, "\n  missing import: ");
    name_item(item, error);
    if (item->kind != NU_WASM_FUNCTION)
        nu_strbuf_addf(error, ", a %s", nu_wasm_kind_name(item->kind));
    if (cause)
        nu_strbuf_addf(error, " (%s)", cause);
}

static void tell_types(const char *what, const struct nu_wasm_item *item, const char *has,
                       const char *wanted, struct nu_strbuf *error)
{
    nu_strbuf_addf(error, "\n  %s ", what);
    if (item->module.len)
        name_item(item, error);
    else
        nu_strbuf_add(error, item->name);
    nu_strbuf_add_cstr(error, " has the wrong type: ");
    nu_wasm_type_format(has, error);
    nu_strbuf_add_cstr(error, ", not ");
    nu_wasm_type_format(wanted, error);
}

/* An engine finds functions by the names that the module has for them, old ones of WASI as well. */
static const struct nu_wasm_import *as_named(const struct nu_wasm_import *import,
                                             const struct nu_wasm_item *item,
                                             struct nu_arena *arena)
{
    if (!import || nu_str_eq(item->module, nu_str_from(import->module)))
        return import;
    struct nu_wasm_import *copy = nu_arena_alloc(arena, sizeof(*copy));
    *copy = *import;
    copy->module = nu_arena_printf(arena, "%.*s", NU_STR_ARG(item->module));
    return copy;
}

static void find_imports(const struct nu_wasm_module *module, struct nu_arena *arena,
                         const struct nu_wasm_import **imports, struct nu_strbuf *error)
{
    for (size_t i = 0; i < module->import_count; i++) {
        const struct nu_wasm_item *item = &module->imports[i];
        if (item->kind == NU_WASM_MEMORY || item->kind == NU_WASM_TABLE)
            continue; /* the engine makes it */
        imports[i] =
            item->kind == NU_WASM_FUNCTION ? nu_wasm_host_function(item->module, item->name) : NULL;
        if (!imports[i])
            tell_missing(item, error);
        else if (strcmp(imports[i]->type, item->type) != 0)
            tell_types("import", item, item->type, imports[i]->type, error);
        imports[i] = as_named(imports[i], item, arena);
    }
}

/* --- Exports ---------------------------------------------------------------------------------- */

static bool has_function(const struct nu_wasm_module *module, const char *name)
{
    return nu_wasm_module_export(module, name, NU_WASM_FUNCTION) != NULL;
}

bool nu_wasm_abi_is_command(const struct nu_wasm_module *module)
{
    return has_function(module, "_start") && !has_function(module, "_initialize");
}

static bool is_marker(const struct nu_wasm_item *item, enum nu_wasm_abi *abi)
{
    for (size_t i = 0; i < NU_WASM_ABI_COUNT; i++) {
        if (!nu_str_eq(item->name, nu_str_from(markers[i])))
            continue;
        *abi = (enum nu_wasm_abi)i;
        return true;
    }
    return false;
}

/* Why a module has no marker of a version that there is. */
static void tell_no_abi(const struct nu_wasm_module *module, struct nu_strbuf *error)
{
    nu_strbuf_add_cstr(error, "\n  missing export: proxy_abi_version_0_2_1, _0_2_0 or _0_1_0, by "
                              "which a module says that it is a proxy-wasm filter");
    enum nu_wasm_abi abi;
    for (size_t i = 0; i < module->export_count; i++) {
        struct nu_str name = module->exports[i].name;
        if (!nu_str_starts_with(name, NU_STR("proxy_abi_version_")))
            continue;
        if (is_marker(&module->exports[i], &abi))
            nu_strbuf_addf(error, " (its %.*s is a %s, not a function)", NU_STR_ARG(name),
                           nu_wasm_kind_name(module->exports[i].kind));
        else
            nu_strbuf_addf(error, " (it has %.*s: built for another version)", NU_STR_ARG(name));
        return;
    }
    if (nu_wasm_abi_is_command(module))
        nu_strbuf_add_cstr(error, " (" NU_WASM_IS_COMMAND ")");
}

/* Of several the first one, as in Envoy. */
static bool find_abi(const struct nu_wasm_module *module, enum nu_wasm_abi *abi,
                     struct nu_strbuf *error)
{
    for (size_t i = 0; i < module->export_count; i++) {
        if (module->exports[i].kind == NU_WASM_FUNCTION && is_marker(&module->exports[i], abi))
            return true;
    }
    tell_no_abi(module, error);
    return false;
}

static void check_type(const struct nu_wasm_module *module, const char *name, const char *type,
                       struct nu_strbuf *error)
{
    const struct nu_wasm_item *item = nu_wasm_module_export(module, name, NU_WASM_FUNCTION);
    if (item && strcmp(item->type, type) != 0)
        tell_types("export", item, item->type, type, error);
}

static void check_callbacks(const struct nu_wasm_module *module, enum nu_wasm_abi abi,
                            struct nu_strbuf *error)
{
    for (size_t i = 0; i < NU_WASM_CALLBACK_COUNT; i++)
        check_type(module, callbacks[i].name, nu_wasm_callback_type((enum nu_wasm_callback)i, abi),
                   error);
}

/* Those that every version wants. */
static void check_exports(const struct nu_wasm_module *module, struct nu_strbuf *error)
{
    check_type(module, "malloc", "i=i", error);
    check_type(module, "proxy_on_memory_allocate", "i=i", error);
    check_type(module, "_initialize", "=", error);
    check_type(module, "_start", "=", error);
    if (!has_function(module, "malloc") && !has_function(module, "proxy_on_memory_allocate"))
        nu_strbuf_add_cstr(error,
                           "\n  missing export: malloc or proxy_on_memory_allocate, with "
                           "which the host asks for memory of the guest (a linker drops what "
                           "is not exported by name)");
    if (module->is_memory_imported)
        return;
    for (size_t i = 0; i < module->export_count; i++) {
        if (module->exports[i].kind == NU_WASM_MEMORY)
            return;
    }
    nu_strbuf_add_cstr(error, "\n  missing export: memory");
}

bool nu_wasm_abi_check(const struct nu_wasm_module *module, struct nu_arena *arena,
                       enum nu_wasm_abi *abi, const struct nu_wasm_import *const **imports,
                       struct nu_strbuf *error)
{
    size_t length = error->len;
    const struct nu_wasm_import **found =
        nu_arena_calloc(arena, (module->import_count + 1) * sizeof(struct nu_wasm_import *));
    find_imports(module, arena, found, error);
    if (find_abi(module, abi, error))
        check_callbacks(module, *abi, error);
    check_exports(module, error);
    *imports = found;
    return error->len == length;
}
