/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plug-in as a configuration names it (PluginConfig), for whoever runs one: filters, loggers,
 * services. It is loaded once; each thread on which it runs then has a root context for it, made
 * when the thread begins and before there is traffic:
 *
 *     nu_wasm_plugin_from_proto   main thread: reads, compiles, tries out
 *     nu_wasm_plugin_root         a thread's root context, now; streams' contexts hang below it
 *
 * Where the code is a file and that changes, threads get a root in a VM of the new code, and let go
 * of the one that they have: it ends with its last stream.
 *
 * A plug-in lives as long as its configuration. It ends with the thread: when the contexts of
 * streams are gone, the root's on_done is called, and on_delete when the guest is ready.
 *
 * Plug-ins whose VMs have the same key share the thread's VM; those with the same name, root_id,
 * configuration and direction share the root context in it.
 */
#ifndef NU_WASM_PLUGIN_H
#define NU_WASM_PLUGIN_H

#include "config/factory.h"
#include "event/thread_service.h"
#include "wasm/vm.h"

struct Envoy__Extensions__Wasm__V3__PluginConfig;
struct nu_wasm_handle;

struct nu_wasm_plugin {
    struct nu_list link; /* of the configuration's */
    struct nu_wasm_plugins *all;
    struct nu_wasm_vm_spec *spec; /* a reference; for the main thread */
    struct nu_str name;
    struct nu_str root_id;
    struct nu_str configuration;
    const struct Envoy__Config__Core__V3__Node *node; /* borrowed: the process's; may be NULL */
    struct nu_stat_set *stats;        /* its own, struct nu_wasm_plugin_stats; a reference */
    struct nu_stat_set *remote_stats; /* struct nu_wasm_remote_stats; a reference */
    unsigned direction;               /* of the listener: enum nu_traffic_direction */
    enum nu_thread_place place;
    bool fails_open;
    bool stops_iteration; /* Pause in a headers callback leaves the body coming */
    /* Least time between the starts of two VMs of a thread; 0: a new one comes a second after a
     * failure. */
    uint64_t backoff_us;
    struct nu_wasm_handle **handles; /* by thread, each its thread's; NULL where it does not run */
};

/*
 * Loads the plug-in of a PluginConfig, which may be NULL, for threads at `place`; it lives in the
 * factory's arena. `owner` is the message whose `config` it is. NULL after adding errors: what is
 * wrong with a module is found here, whole, in a VM that is thrown away.
 */
struct nu_wasm_plugin *
nu_wasm_plugin_from_proto(struct nu_factory *factory, const void *owner,
                          const struct Envoy__Extensions__Wasm__V3__PluginConfig *proto,
                          enum nu_thread_place place);

/*
 * The calling thread's root context of the plug-in, borrowed till the end of the turn; a stream's
 * context (nu_wasm_context_open) holds it. NULL if there is none: the guest has failed and no new
 * VM is to be made yet (`fails_open` says what becomes of the stream), or the thread ends. May make
 * a VM; never below a guest's call.
 */
struct nu_wasm_context *nu_wasm_plugin_root(const struct nu_wasm_plugin *plugin);

/* Whether both are to have one root context in a VM. */
bool nu_wasm_plugin_is_same(const struct nu_wasm_plugin *a, const struct nu_wasm_plugin *b);

#endif
