/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a PluginConfig to a plug-in and the VM that it shares with others. What is wrong with a module
 * is found here, whole: a VM is made, started and given the configuration, and thrown away.
 */
#include <stdlib.h>
#include <openssl/evp.h>

#include "base/hash.h"
#include "config/print.h"
#include "config/values.h"
#include "filters/http/wasm/wasm.h"
#include "filters/http/wasm/wasm_internal.h"
#include "wasm/loader.h"
#include "wasm/restriction_from_proto.h"
#include "wasm/shared_data.h"
#include "wasm/vm.h"
#include "wasm/wasm_stats.h"

#include "envoy/extensions/filters/http/wasm/v3/wasm.pb-c.h"
#include "google/protobuf/struct.pb-c.h"

typedef Envoy__Extensions__Wasm__V3__PluginConfig plugin_proto;
typedef Envoy__Extensions__Wasm__V3__VmConfig vm_proto;
typedef Envoy__Extensions__Wasm__V3__EnvironmentVariables environment_proto;

/* --- Configurations as bytes --------------------------------------------------------------------- */

static struct nu_str print_json(struct nu_factory *factory, const ProtobufCMessage *message)
{
    struct nu_strbuf text = {0};
    struct nu_json json;
    nu_json_init(&json, &text, false);
    nu_config_print(&json, message);
    struct nu_str copy = nu_arena_dup(factory->arena, nu_strbuf_str(&text));
    nu_strbuf_finish(&text);
    return copy;
}

/* A string or bytes as they are, a Struct as JSON, any other message in its binary form. */
static struct nu_str read_configuration(struct nu_factory *factory,
                                        const Google__Protobuf__Any *any)
{
    const ProtobufCMessage *message = nu_config_any(factory->ctx, any);
    if (!message)
        return NU_STR("");
    if (message->descriptor == &google__protobuf__string_value__descriptor)
        return nu_arena_dup(factory->arena,
                            nu_str_from(((const Google__Protobuf__StringValue *)message)->value));
    if (message->descriptor == &google__protobuf__bytes_value__descriptor) {
        ProtobufCBinaryData value = ((const Google__Protobuf__BytesValue *)message)->value;
        return nu_arena_dup(factory->arena, nu_str_make((const char *)value.data, value.len));
    }
    if (message->descriptor == &google__protobuf__struct__descriptor)
        return print_json(factory, message);
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = nu_arena_alloc(factory->arena, size);
    return nu_str_make((const char *)bytes, protobuf_c_message_pack(message, bytes));
}

/* Whether a key stands in both lists, which Envoy refuses. */
static bool has_key(const environment_proto *proto, const char *key)
{
    for (size_t i = 0; i < proto->n_key_values; i++) {
        if (strcmp(proto->key_values[i]->key, key) == 0)
            return true;
    }
    return false;
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
        if (has_key(proto, key)) {
            nu_config_error(factory->ctx, proto, "host_env_keys", "%s stands in key_values as well",
                            key);
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

/* --- VMs ----------------------------------------------------------------------------------------- */

static void finish_spec(void *obj)
{
    struct nu_wasm_vm_spec *spec = obj;
    for (size_t i = 0; i < NU_THREAD_MAX; i++)
        nu_wasm_vm_unref(&spec->vms[i]);
    nu_wasm_program_finish(&spec->program);
    nu_wasm_shared_data_unref(&spec->shared);
    nu_stat_set_destroy(&spec->stats);
}

/* An error about the code, of one line or with more of them below it. */
static bool refuse(struct nu_factory *factory, const vm_proto *proto, const char *what,
                   const struct nu_strbuf *why)
{
    struct nu_str rest = nu_strbuf_str(why);
    while (rest.ptr) {
        struct nu_str line = nu_str_trim(nu_str_split(&rest, '\n'));
        if (line.len)
            nu_config_error(factory->ctx, proto, "code", "%s: %.*s", what, NU_STR_ARG(line));
    }
    return false;
}

/* Reads and compiles the code. */
static bool build(struct nu_factory *factory, const vm_proto *proto, struct nu_str code,
                  struct nu_wasm_vm_spec *spec)
{
    struct nu_strbuf error = {0};
    const struct nu_wasm_import *const *imports = NULL;
    const struct nu_wasm_engine *engine = NULL;
    const char *what = "the module cannot be used";
    struct nu_wasm_module *module = nu_wasm_module_read(factory->arena, code, &error);
    bool ok = module && nu_wasm_abi_check(module, factory->arena, &spec->abi, &imports, &error);
    if (ok) {
        what = "wasm cannot be used";
        engine = nu_wasm_engine_load(NULL, &error);
        ok = engine != NULL;
    }
    if (ok) {
        what = "the module cannot be compiled";
        imports = nu_wasm_restriction_apply(spec->restriction, imports, module->import_count,
                                            factory->arena);
        ok = nu_wasm_program_init(&spec->program, engine, module, imports, &nu_wasm_default_limits,
                                  factory->arena, &error);
    }
    if (!ok)
        refuse(factory, proto, what, &error);
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

/* What makes two VMs one, under which they are shared. */
static struct nu_str key_of(struct nu_factory *factory, const struct nu_wasm_vm_spec *spec,
                            struct nu_str code)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
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
    EVP_Digest(all.data, all.len, digest, &size, EVP_sha256(), NULL);
    nu_strbuf_finish(&all);
    return nu_arena_concat(factory->arena, NU_STR("wasm-vm "),
                           nu_str_make((const char *)digest, size));
}

static struct nu_wasm_vm_spec *find_or_build(struct nu_factory *factory, const plugin_proto *plugin)
{
    const vm_proto *proto = plugin->vm_config;
    struct nu_str code;
    struct nu_wasm_vm_spec *spec = nu_arena_calloc(factory->arena, sizeof(*spec));
    if (!check_runtime(factory, proto) ||
        !read_environment(factory, proto->environment_variables, spec))
        return NULL;
    if (!proto->code) {
        nu_config_error(factory->ctx, proto, "code", "a VM needs code");
        return NULL;
    }
    if (!nu_config_data_source(factory->ctx, proto->code->local, &code))
        return NULL;
    spec->vm_id = nu_arena_dup(factory->arena, nu_str_from(proto->vm_id));
    spec->configuration = read_configuration(factory, proto->configuration);
    spec->restriction =
        nu_wasm_restriction_from_proto(factory->arena, plugin->capability_restriction_config);
    struct nu_str key = key_of(factory, spec, code);
    struct nu_wasm_vm_spec *other = nu_map_get(factory->shared, key);
    if (other)
        return other;
    spec->shared = nu_wasm_shared_data_get(spec->vm_id);
    spec->stats = nu_wasm_runtime_stats(factory->stats, nu_str_from(proto->runtime));
    nu_arena_on_free(factory->arena, finish_spec, spec);
    if (!build(factory, proto, nu_arena_dup(factory->arena, code), spec))
        return NULL;
    nu_map_put(factory->shared, key, spec);
    return spec;
}

/* --- Plug-ins ------------------------------------------------------------------------------------ */

/* Makes a VM with the plug-in in it, and throws it away. */
static bool try_out(struct nu_factory *factory, const vm_proto *proto,
                    const struct nu_wasm_plugin *plugin)
{
    struct nu_strbuf error = {0};
    struct nu_wasm_vm *vm = nu_wasm_vm_create(plugin->spec, factory->loop, &error);
    bool ok = vm && nu_wasm_vm_root(vm, plugin, &error);
    nu_wasm_vm_unref(&vm);
    if (!ok)
        refuse(factory, proto, "the plug-in does not start", &error);
    nu_strbuf_finish(&error);
    return ok;
}

static bool read_policy(struct nu_factory *factory, const plugin_proto *proto,
                        struct nu_wasm_plugin *plugin)
{
    if (proto->fail_open && proto->failure_policy) {
        nu_config_error(factory->ctx, proto, "failure_policy",
                        "only one of fail_open and failure_policy can be set");
        return false;
    }
    plugin->fails_open =
        proto->fail_open ||
        proto->failure_policy == ENVOY__EXTENSIONS__WASM__V3__FAILURE_POLICY__FAIL_OPEN;
    return true;
}

static void drop_stats(void *obj)
{
    struct nu_wasm_plugin *plugin = obj;
    nu_stat_set_destroy(&plugin->stats);
    nu_stat_set_destroy(&plugin->remote_stats);
}

static void make_stats(struct nu_factory *factory, struct nu_wasm_plugin *plugin)
{
    plugin->stats = nu_wasm_plugin_stats(factory->stats, plugin->name);
    plugin->remote_stats = nu_wasm_remote_stats(factory->stats);
    nu_arena_on_free(factory->arena, drop_stats, plugin);
}

static bool create(struct nu_factory *factory, const ProtobufCMessage *message,
                   const struct nu_filter_class **cls, const void **out)
{
    const Envoy__Extensions__Filters__Http__Wasm__V3__Wasm *filter = (const void *)message;
    const plugin_proto *proto = filter->config;
    if (!proto || !proto->vm_config) {
        nu_config_error(factory->ctx, filter, "config", "a wasm filter needs config.vm_config");
        return false;
    }
    struct nu_wasm_plugin *plugin = nu_arena_calloc(factory->arena, sizeof(*plugin));
    plugin->name = nu_arena_dup(factory->arena, nu_str_from(proto->name));
    plugin->root_id = nu_arena_dup(factory->arena, nu_str_from(proto->root_id));
    plugin->configuration = read_configuration(factory, proto->configuration);
    make_stats(factory, plugin);
    plugin->stops_iteration = nu_bool_or(proto->allow_on_headers_stop_iteration, false);
    if (!read_policy(factory, proto, plugin))
        return false;
    plugin->spec = find_or_build(factory, proto);
    if (!plugin->spec || !try_out(factory, proto->vm_config, plugin))
        return false;
    *cls = &nu_http_wasm_class;
    *out = plugin;
    return true;
}

const struct nu_filter_factory nu_http_wasm_factory = {
    .name = "envoy.filters.http.wasm",
    .type = "envoy.extensions.filters.http.wasm.v3.Wasm",
    .create = create,
};
