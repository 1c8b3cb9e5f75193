/* SPDX-License-Identifier: Apache-2.0 */
/* Between the plug-ins of a configuration and what reads them. Main thread. */
#ifndef NU_WASM_PLUGIN_INTERNAL_H
#define NU_WASM_PLUGIN_INTERNAL_H

#include "wasm/plugin.h"

struct Envoy__Extensions__Wasm__V3__VmConfig;

/* All plug-ins of the factory's configuration; made if they are not there. */
struct nu_wasm_plugins *nu_wasm_plugins_get(struct nu_factory *factory);
/* Adds a plug-in that is complete. */
void nu_wasm_plugins_add(struct nu_wasm_plugins *all, struct nu_factory *factory,
                         struct nu_wasm_plugin *plugin);
/* What one of them has whose key this is, or NULL. */
struct nu_wasm_vm_spec *nu_wasm_plugins_find_spec(struct nu_wasm_plugins *all, struct nu_str key);

/* The bytes of a configuration: a string or bytes as they are, a Struct as JSON, any other message in
 * its binary form; in `arena`. */
struct nu_str nu_wasm_configuration(struct nu_factory *factory, struct nu_arena *arena,
                                    const struct Google__Protobuf__Any *any);

/* What the VMs of a plug-in are made of: another plug-in's, or built. A reference for the caller. NULL
 * after adding errors. */
struct nu_wasm_vm_spec *
nu_wasm_vm_spec_from_proto(struct nu_factory *factory, struct nu_wasm_plugins *all,
                           const struct Envoy__Extensions__Wasm__V3__PluginConfig *plugin);
/* Adds an error about the code, or one for each line of `why`. */
void nu_wasm_refuse_code(struct nu_factory *factory,
                         const struct Envoy__Extensions__Wasm__V3__VmConfig *proto,
                         const char *what, const struct nu_strbuf *why);

#endif
