/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a PluginConfig to a plug-in. What is wrong with it is found here, whole: a VM is made,
 * started and given the configuration, and thrown away.
 */
#include "base/log.h"
#include "config/print.h"
#include "config/values.h"
#include "wasm/plugin_internal.h"

#include "envoy/extensions/wasm/v3/wasm.pb-c.h"
#include "google/protobuf/struct.pb-c.h"

typedef Envoy__Extensions__Wasm__V3__PluginConfig plugin_proto;

enum { DEFAULT_BACKOFF_US = 1000 * 1000 };

/* --- Configurations as bytes ------------------------------------------------------------------ */

static struct nu_str print_json(struct nu_arena *arena, const ProtobufCMessage *message)
{
    struct nu_strbuf text = {0};
    struct nu_json json;
    nu_json_init(&json, &text, false);
    nu_config_print(&json, message);
    struct nu_str copy = nu_arena_dup(arena, nu_strbuf_str(&text));
    nu_strbuf_finish(&text);
    return copy;
}

struct nu_str nu_wasm_configuration(struct nu_factory *factory, const Google__Protobuf__Any *any)
{
    struct nu_arena *arena = factory->arena;
    const ProtobufCMessage *message = nu_config_any(factory->ctx, any);
    if (!message)
        return NU_STR("");
    if (message->descriptor == &google__protobuf__string_value__descriptor)
        return nu_arena_dup(arena,
                            nu_str_from(((const Google__Protobuf__StringValue *)message)->value));
    if (message->descriptor == &google__protobuf__bytes_value__descriptor) {
        ProtobufCBinaryData value = ((const Google__Protobuf__BytesValue *)message)->value;
        return nu_arena_dup(arena, nu_str_make((const char *)value.data, value.len));
    }
    if (message->descriptor == &google__protobuf__struct__descriptor)
        return print_json(arena, message);
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = nu_arena_alloc(arena, size);
    return nu_str_make((const char *)bytes, protobuf_c_message_pack(message, bytes));
}

/* --- Plug-ins --------------------------------------------------------------------------------- */

/* Makes a VM of `spec` with the plug-in in it, and throws it away. False after adding an error. */
static bool try_out(struct nu_config_ctx *ctx, struct nu_loop *loop,
                    const struct nu_wasm_trial *trial, const struct nu_wasm_plugin *plugin,
                    struct nu_wasm_vm_spec *spec,
                    const Envoy__Extensions__Wasm__V3__VmConfig *proto)
{
    struct nu_strbuf error = {0};
    struct nu_wasm_vm *vm = nu_wasm_vm_create(spec, loop, trial, &error);
    bool ok = vm && nu_wasm_vm_root(vm, plugin, &error);
    nu_wasm_vm_destroy(&vm);
    if (!ok)
        nu_wasm_refuse_code(ctx, proto, "the plug-in does not start", &error);
    nu_strbuf_finish(&error);
    return ok;
}

bool nu_wasm_plugin_take(struct nu_config_ctx *ctx, struct nu_loop *loop,
                         struct nu_wasm_plugin *plugin,
                         const Envoy__Extensions__Wasm__V3__VmConfig *proto,
                         struct nu_wasm_vm_spec *spec)
{
    if (spec == plugin->spec ||
        !try_out(ctx, loop, nu_wasm_plugins_trial(plugin->all), plugin, spec, proto))
        return false;
    nu_wasm_plugin_set_spec(plugin, spec);
    return true;
}

void nu_wasm_plugin_log_errors(const struct nu_wasm_plugin *plugin, const char *what,
                               const struct nu_error_list *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        struct nu_strbuf text = {0};
        nu_error_format(&errors->items[i], &text);
        nu_log(NU_LOG_WASM, NU_LOG_ERROR, "wasm plug-in %.*s: %s: %s", NU_STR_ARG(plugin->name),
               what, text.data);
        nu_strbuf_finish(&text);
    }
}

/* base_interval alone counts, as in Envoy. */
static uint64_t read_backoff_us(struct nu_factory *factory,
                                const Envoy__Extensions__Wasm__V3__ReloadConfig *proto)
{
    const Envoy__Config__Core__V3__BackoffStrategy *backoff = proto ? proto->backoff : NULL;
    return nu_config_duration_us(factory->ctx, backoff, "base_interval",
                                 backoff ? backoff->base_interval : NULL, DEFAULT_BACKOFF_US);
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
    if (proto->failure_policy == ENVOY__EXTENSIONS__WASM__V3__FAILURE_POLICY__FAIL_RELOAD)
        plugin->backoff_us = read_backoff_us(factory, proto->reload_config);
    return true;
}

static struct nu_wasm_plugin *read_plugin(struct nu_factory *factory, const plugin_proto *proto,
                                          enum nu_thread_place place)
{
    struct nu_wasm_plugin *plugin = nu_arena_calloc(factory->arena, sizeof(*plugin));
    plugin->name = nu_arena_dup(factory->arena, nu_str_from(proto->name));
    plugin->root_id = nu_arena_dup(factory->arena, nu_str_from(proto->root_id));
    plugin->configuration = nu_wasm_configuration(factory, proto->configuration);
    plugin->node = factory->local ? factory->local->node : NULL;
    plugin->direction = factory->listener_direction;
    plugin->place = place;
    plugin->stops_iteration = nu_bool_or(proto->allow_on_headers_stop_iteration, false);
    return read_policy(factory, proto, plugin) ? plugin : NULL;
}

struct nu_wasm_plugin *nu_wasm_plugin_from_proto(struct nu_factory *factory, const void *owner,
                                                 const plugin_proto *proto,
                                                 enum nu_thread_place place)
{
    if (!proto || !proto->vm_config) {
        nu_config_error(factory->ctx, owner, "config", "a wasm plug-in needs config.vm_config");
        return NULL;
    }
    struct nu_wasm_plugins *all = nu_wasm_plugins_get(factory);
    struct nu_wasm_plugin *plugin = read_plugin(factory, proto, place);
    if (plugin)
        plugin->spec = nu_wasm_vm_spec_from_proto(factory, all, proto);
    if (!plugin || !plugin->spec)
        return NULL;
    bool has_code = nu_wasm_vm_spec_has_code(plugin->spec);
    if (has_code && !try_out(factory->ctx, factory->loop, nu_wasm_plugins_trial(all), plugin,
                             plugin->spec, proto->vm_config)) {
        nu_wasm_vm_spec_unref(&plugin->spec);
        return NULL;
    }
    if (place == NU_THREADS_MAIN && factory->main_calls_clusters)
        *factory->main_calls_clusters = true;
    nu_wasm_plugins_add(all, factory, plugin);
    if (!has_code)
        return nu_wasm_remote_code_fetch(factory, plugin, proto->vm_config) ? plugin : NULL;
    nu_wasm_code_file_watch(factory, plugin, proto->vm_config);
    return plugin;
}
