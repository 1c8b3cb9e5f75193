/* SPDX-License-Identifier: Apache-2.0 */
/* Between the plug-ins of a configuration and what reads them. Main thread. */
#ifndef NU_WASM_PLUGIN_INTERNAL_H
#define NU_WASM_PLUGIN_INTERNAL_H

#include "wasm/plugin.h"

struct Envoy__Extensions__Wasm__V3__VmConfig;
struct nu_wasm_compiler;
struct nu_wasm_trial;

/* All plug-ins of the factory's configuration; made if they are not there. */
struct nu_wasm_plugins *nu_wasm_plugins_get(struct nu_factory *factory);
/* Adds a plug-in that is complete. */
void nu_wasm_plugins_add(struct nu_wasm_plugins *all, struct nu_factory *factory,
                         struct nu_wasm_plugin *plugin);
/* What one of them has whose key this is, or NULL. */
struct nu_wasm_vm_spec *nu_wasm_plugins_find_spec(struct nu_wasm_plugins *all, struct nu_str key);
/* With what the configuration's guests are tried out; the configuration's. */
const struct nu_wasm_trial *nu_wasm_plugins_trial(const struct nu_wasm_plugins *all);
/* What compiles other code for them (wasm/renewal.h). */
struct nu_wasm_compiler *nu_wasm_plugins_compiler(struct nu_wasm_plugins *all);

/* The bytes of a configuration: a string or bytes as they are, a Struct as JSON, any other message
 * in its binary form. */
struct nu_str nu_wasm_configuration(struct nu_factory *factory,
                                    const struct Google__Protobuf__Any *any);

/* What the VMs of a plug-in are made of: another plug-in's, or built, but without code where that
 * is to be fetched (nu_wasm_vm_spec_has_code). A reference for the caller. NULL after adding
 * errors. */
struct nu_wasm_vm_spec *
nu_wasm_vm_spec_from_proto(struct nu_factory *factory, struct nu_wasm_plugins *all,
                           const struct Envoy__Extensions__Wasm__V3__PluginConfig *plugin);
/* What makes two VMs one, under which they are shared: of this code with the spec's settings, in
 * `room`. */
enum { NU_WASM_KEY_BYTES = 32 };
struct nu_str nu_wasm_vm_spec_key(const struct nu_wasm_vm_spec *spec, struct nu_str code,
                                  unsigned char room[NU_WASM_KEY_BYTES]);
/* One with the settings of another, and copies of this key and this code in its memory; the code is
 * still to be compiled. */
struct nu_wasm_vm_spec *nu_wasm_vm_spec_renew(const struct nu_wasm_vm_spec *other,
                                              struct nu_str key, struct nu_str code,
                                              struct nu_str *copy);
/* Reads, judges and compiles the code, which lies in the spec's memory. False with what is wrong,
 * as a heading and as lines. Any thread, once the engine is loaded. */
NU_MUST_USE bool nu_wasm_vm_spec_compile(struct nu_wasm_vm_spec *spec, struct nu_str code,
                                         const char **what, struct nu_strbuf *error);
/*
 * Gives the plug-in other code, whose reference is taken: each thread makes a root in a VM of it,
 * and then lets go of the one that it has. Where the new one does not start the old one stays. Main
 * thread.
 */
void nu_wasm_plugin_set_spec(struct nu_wasm_plugin *plugin, struct nu_wasm_vm_spec *spec);

/* Gives it to the plug-in in the same way, if it is other than what it has, and good: a VM of it is
 * tried out. False if it is not, and the reference stays the caller's; errors go to `ctx`. */
NU_MUST_USE bool nu_wasm_plugin_take(struct nu_config_ctx *ctx, struct nu_loop *loop,
                                     struct nu_wasm_plugin *plugin,
                                     const struct Envoy__Extensions__Wasm__V3__VmConfig *proto,
                                     struct nu_wasm_vm_spec *spec);
/* Logs errors about code that came while the plug-in runs, behind its name and `what`. */
void nu_wasm_plugin_log_errors(const struct nu_wasm_plugin *plugin, const char *what,
                               const struct nu_error_list *errors);

/* Watches the file that has the plug-in's code, if it has one and files can be watched; it is read
 * again when it changes (code_file.c). */
void nu_wasm_code_file_watch(struct nu_factory *factory, struct nu_wasm_plugin *plugin,
                             const struct Envoy__Extensions__Wasm__V3__VmConfig *proto);

/* Fetches the code of a plug-in that has been added, when the clusters are ready, for which
 * listeners wait (remote_code.c). False after adding an error. */
NU_MUST_USE bool
nu_wasm_remote_code_fetch(struct nu_factory *factory, struct nu_wasm_plugin *plugin,
                          const struct Envoy__Extensions__Wasm__V3__VmConfig *proto);

/* Adds an error about the code, or one for each line of `why`. */
void nu_wasm_refuse_code(struct nu_config_ctx *ctx,
                         const struct Envoy__Extensions__Wasm__V3__VmConfig *proto,
                         const char *what, const struct nu_strbuf *why);

#endif
