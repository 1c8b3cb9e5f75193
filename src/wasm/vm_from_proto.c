/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a VmConfig to what VMs are made of: the code is read, judged as a whole and compiled, unless
 * another plug-in has the same VM.
 */
#include <stdlib.h>
#include <openssl/evp.h>

#include "wasm/limits_from_proto.h"
#include "wasm/loader.h"
#include "wasm/plugin_internal.h"
#include "wasm/restriction_from_proto.h"
#include "wasm/shared_data.h"
#include "wasm/wasm_stats.h"

typedef Envoy__Extensions__Wasm__V3__PluginConfig plugin_proto;
typedef Envoy__Extensions__Wasm__V3__VmConfig vm_proto;
typedef Envoy__Extensions__Wasm__V3__EnvironmentVariables environment_proto;

enum { ROOM_BYTES = 8192 }; /* for what is said of a module, beside its bytes */

/* --- The environment -------------------------------------------------------------------------- */

/* Where else the i-th of the host's keys stands, which Envoy refuses; NULL: nowhere. */
static const char *find_again(const environment_proto *proto, size_t i)
{
    const char *key = proto->host_env_keys[i];
    for (size_t k = 0; k < proto->n_key_values; k++) {
        if (strcmp(proto->key_values[k]->key, key) == 0)
            return "in key_values as well";
    }
    for (size_t k = 0; k < i; k++) {
        if (strcmp(proto->host_env_keys[k], key) == 0)
            return "there twice";
    }
    return NULL;
}

static bool read_environment(struct nu_factory *factory, const environment_proto *proto,
                             struct nu_wasm_vm_spec *spec)
{
    if (!proto)
        return true;
    size_t max = proto->n_host_env_keys + proto->n_key_values;
    struct nu_str *variables = nu_arena_alloc(factory->arena, (max + 1) * sizeof(*variables));
    for (size_t i = 0; i < proto->n_host_env_keys; i++) {
        const char *key = proto->host_env_keys[i];
        const char *value = getenv(key);
        const char *again = find_again(proto, i);
        if (again) {
            nu_config_error(factory->ctx, proto, "host_env_keys", "%s stands %s", key, again);
            return false;
        }
        if (value)
            variables[spec->environment_count++] =
                nu_str_from(nu_arena_printf(factory->arena, "%s=%s", key, value));
    }
    for (size_t i = 0; i < proto->n_key_values; i++)
        variables[spec->environment_count++] = nu_str_from(nu_arena_printf(
            factory->arena, "%s=%s", proto->key_values[i]->key, proto->key_values[i]->value));
    spec->environment = variables;
    return true;
}

/* --- The code --------------------------------------------------------------------------------- */

void nu_wasm_refuse_code(struct nu_config_ctx *ctx, const vm_proto *proto, const char *what,
                         const struct nu_strbuf *why)
{
    struct nu_str rest = nu_strbuf_str(why);
    while (rest.ptr) {
        struct nu_str line = nu_str_trim(nu_str_split(&rest, '\n'));
        if (line.len)
            nu_config_error(ctx, proto, "code", "%s: %.*s", what, NU_STR_ARG(line));
    }
}

bool nu_wasm_vm_spec_compile(struct nu_wasm_vm_spec *spec, struct nu_str code, const char **what,
                             struct nu_strbuf *error)
{
    const struct nu_wasm_import *const *imports = NULL;
    const struct nu_wasm_limits limits = spec->program.limits;
    *what = "the module cannot be used";
    struct nu_wasm_module *module = nu_wasm_module_read(&spec->arena, code, error);
    if (!module || !nu_wasm_abi_check(module, &spec->arena, &spec->abi, &imports, error))
        return false;
    *what = "wasm cannot be used";
    const struct nu_wasm_engine *engine = nu_wasm_engine_load(NULL, error);
    if (!engine)
        return false;
    *what = "the module cannot be compiled";
    imports =
        nu_wasm_restriction_apply(spec->restriction, imports, module->import_count, &spec->arena);
    return nu_wasm_program_init(&spec->program, engine, module, imports, &limits, &spec->arena,
                                error);
}

/* Copies the key and the code. They are the first things in the arena, which gets a block of the
 * size that it needs: those of usual sizes, with each change of the code, would gather in the cache
 * of the thread that lets go of them. */
static struct nu_str keep(struct nu_wasm_vm_spec *spec, struct nu_str key, struct nu_str code)
{
    nu_arena_init_small(&spec->arena, code.len + code.len / 4 + ROOM_BYTES);
    spec->key = nu_arena_dup(&spec->arena, key);
    return nu_arena_dup(&spec->arena, code);
}

/* Keeps and compiles the code. */
static bool build(struct nu_config_ctx *ctx, const vm_proto *proto, struct nu_str key,
                  struct nu_str code, struct nu_wasm_vm_spec *spec)
{
    struct nu_strbuf error = {0};
    const char *what;
    bool ok = nu_wasm_vm_spec_compile(spec, keep(spec, key, code), &what, &error);
    if (!ok)
        nu_wasm_refuse_code(ctx, proto, what, &error);
    nu_strbuf_finish(&error);
    return ok;
}

static bool check_runtime(struct nu_factory *factory, const vm_proto *proto)
{
    static const char *const runtimes[] = {
        "", "envoy.wasm.runtime.v8", "envoy.wasm.runtime.wasmtime", "envoy.wasm.runtime.wamr"};
    for (size_t i = 0; i < NU_ARRAY_LEN(runtimes); i++) {
        if (strcmp(proto->runtime, runtimes[i]) == 0)
            return true;
    }
    if (strcmp(proto->runtime, "envoy.wasm.runtime.null") == 0)
        nu_config_error(factory->ctx, proto, "runtime",
                        "%s: known to Envoy, not implemented by nuncio: its plug-ins are part of "
                        "Envoy's program",
                        proto->runtime);
    else
        nu_config_error(factory->ctx, proto, "runtime", "there is no wasm runtime '%s'",
                        proto->runtime);
    return false;
}

struct nu_str nu_wasm_vm_spec_key(const struct nu_wasm_vm_spec *spec, struct nu_str code,
                                  unsigned char room[NU_WASM_KEY_BYTES])
{
    struct nu_strbuf all = {0};
    struct nu_str parts[] = {spec->vm_id, spec->configuration, code};
    for (size_t i = 0; i < NU_ARRAY_LEN(parts); i++) {
        nu_strbuf_addf(&all, "%zu:", parts[i].len);
        nu_strbuf_add(&all, parts[i]);
    }
    for (size_t i = 0; i < spec->environment_count; i++) {
        nu_strbuf_addf(&all, "%zu:", spec->environment[i].len);
        nu_strbuf_add(&all, spec->environment[i]);
    }
    for (size_t i = 0; spec->restriction && i < spec->restriction->count; i++) {
        struct nu_str name = spec->restriction->allowed[i];
        nu_strbuf_addf(&all, "+%zu:%.*s", name.len, NU_STR_ARG(name));
    }
    EVP_Digest(all.data, all.len, room, NULL, EVP_sha256(), NULL);
    nu_strbuf_finish(&all);
    return nu_str_make((const char *)room, NU_WASM_KEY_BYTES);
}

/* --- VMs -------------------------------------------------------------------------------------- */

/* All but the code; it lives as long as the configuration. */
static bool read_settings(struct nu_factory *factory, const plugin_proto *plugin,
                          struct nu_wasm_vm_spec *spec)
{
    const vm_proto *proto = plugin->vm_config;
    if (!check_runtime(factory, proto) ||
        !read_environment(factory, proto->environment_variables, spec))
        return false;
    spec->vm_id = nu_arena_dup(factory->arena, nu_str_from(proto->vm_id));
    spec->program.limits = nu_wasm_limits_of(factory, proto->vm_id);
    spec->configuration = nu_wasm_configuration(factory, proto->configuration);
    spec->restriction =
        nu_wasm_restriction_from_proto(factory->arena, plugin->capability_restriction_config);
    return true;
}

static void drop_stats(void *obj)
{
    struct nu_stat_set *set = obj;
    nu_stat_set_destroy(&set);
}

/* They live with the configuration: a spec may go on any thread. */
static struct nu_stat_set *make_stats(struct nu_factory *factory, const vm_proto *proto)
{
    struct nu_stat_set *set = nu_wasm_runtime_stats(factory->stats, nu_str_from(proto->runtime));
    nu_arena_on_free(factory->arena, drop_stats, set);
    return set;
}

static void drop_metrics(void *obj)
{
    struct nu_custom_scope *scope = obj;
    nu_custom_scope_destroy(&scope);
}

/* Likewise, and whatever VMs come and go. */
static struct nu_custom_scope *make_metrics(struct nu_factory *factory)
{
    struct nu_custom_scope *scope = nu_custom_scope_create(factory->stats);
    nu_arena_on_free(factory->arena, drop_metrics, scope);
    return scope;
}

/* Reads the code into `scratch`, since only one copy is kept. What is wrong is told where the
 * configuration's errors go. */
static bool read_code(struct nu_factory *factory, const vm_proto *proto, struct nu_arena *scratch,
                      struct nu_str *code)
{
    struct nu_config_ctx reading;
    if (!proto->code) {
        nu_config_error(factory->ctx, proto, "code", "a VM needs code");
        return false;
    }
    nu_config_ctx_init_view(&reading, factory->ctx, scratch);
    bool ok = nu_config_data_source_now(&reading, proto->code->local, code);
    nu_config_ctx_finish(&reading);
    return ok || nu_config_data_source_now(factory->ctx, proto->code->local, code);
}

/* Code that comes later needs the engine as well, and that it is missing is better known now. */
static bool check_engine(struct nu_factory *factory, const vm_proto *proto)
{
    struct nu_strbuf error = {0};
    bool ok = nu_wasm_engine_load(NULL, &error) != NULL;
    if (!ok)
        nu_wasm_refuse_code(factory->ctx, proto, "wasm cannot be used", &error);
    nu_strbuf_finish(&error);
    return ok;
}

static bool has_remote_code(const vm_proto *proto)
{
    return proto->code && proto->code->specifier_case ==
                              ENVOY__CONFIG__CORE__V3__ASYNC_DATA_SOURCE__SPECIFIER_REMOTE;
}

struct nu_wasm_vm_spec *nu_wasm_vm_spec_from_proto(struct nu_factory *factory,
                                                   struct nu_wasm_plugins *all,
                                                   const plugin_proto *plugin)
{
    const vm_proto *proto = plugin->vm_config;
    struct nu_str code;
    struct nu_str key;
    unsigned char room[NU_WASM_KEY_BYTES];
    struct nu_wasm_vm_spec *other = NULL;
    struct nu_wasm_vm_spec *spec = nu_wasm_vm_spec_create();
    struct nu_arena scratch;
    nu_arena_init(&scratch);
    bool is_remote = has_remote_code(proto);
    bool ok =
        read_settings(factory, plugin, spec) &&
        (is_remote ? check_engine(factory, proto) : read_code(factory, proto, &scratch, &code));
    if (ok && !is_remote) {
        key = nu_wasm_vm_spec_key(spec, code, room);
        other = nu_wasm_plugins_find_spec(all, key);
    }
    if (ok && !other) {
        spec->dns = factory->dns;
        spec->main_loop = factory->loop;
        spec->stats = make_stats(factory, proto);
        spec->metrics = make_metrics(factory);
        spec->shared = nu_wasm_shared_data_get(spec->vm_id);
        ok = is_remote || build(factory->ctx, proto, key, code, spec);
    }
    nu_arena_finish(&scratch);
    if (ok && !other)
        return spec;
    nu_wasm_vm_spec_unref(&spec);
    return other ? nu_wasm_vm_spec_ref(other) : NULL;
}

/* --- Changed code ----------------------------------------------------------------------------- */

/* An empty one with the settings of another. */
static struct nu_wasm_vm_spec *copy_settings(const struct nu_wasm_vm_spec *other)
{
    const size_t at = offsetof(struct nu_wasm_vm_spec, vm_id);
    struct nu_wasm_vm_spec *spec = nu_wasm_vm_spec_create();
    memcpy((char *)spec + at, (const char *)other + at, sizeof(*spec) - at);
    spec->program.limits = other->program.limits;
    spec->shared = nu_wasm_shared_data_get(spec->vm_id);
    return spec;
}

struct nu_wasm_vm_spec *nu_wasm_vm_spec_renew(const struct nu_wasm_vm_spec *other,
                                              struct nu_str key, struct nu_str code,
                                              struct nu_str *copy)
{
    struct nu_wasm_vm_spec *spec = copy_settings(other);
    *copy = keep(spec, key, code);
    return spec;
}
