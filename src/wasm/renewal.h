/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other code for plug-ins that run. To compile it takes long, and the main thread has more to do:
 * it is compiled on a thread of its own, one code after the other; that thread is there only
 * meanwhile. Before that and behind it, the trying out included, everything is on the main thread:
 *
 *     nu_wasm_renew    waits ... compiled ... tried out, given to the plug-in    on_done
 */
#ifndef NU_WASM_RENEWAL_H
#define NU_WASM_RENEWAL_H

#include <pthread.h>

#include "wasm/plugin_internal.h"

/* One plug-in's way to other code, embedded by who finds that code; it lives as long as the
 * configuration. The first four members are set by the owner. */
struct nu_wasm_renewal {
    struct nu_wasm_plugin *plugin;
    const struct Envoy__Extensions__Wasm__V3__VmConfig *proto; /* borrowed: the configuration's */
    const struct nu_config_ctx *ctx;                           /* borrowed: where that was read */
    /* Told when it is over, unless the process ends before: `is_renewed` if the plug-in has got
     * other code; `errors` is empty also where the code is what it had. May renew again. */
    void (*on_done)(struct nu_wasm_renewal *renewal, bool is_renewed,
                    const struct nu_error_list *errors);
    struct nu_list link;          /* of those that wait */
    struct nu_wasm_vm_spec *spec; /* a reference, while it is on its way */
    struct nu_str code;           /* in the spec's memory; of who made it, to compile it */
    bool is_tried;                /* it was compiled, or cannot be */
    bool is_good;                 /* it could be compiled */
    const char *what;             /* and if not, what is wrong */
    struct nu_strbuf error;
};

/* Compiles for the plug-ins of a configuration. */
struct nu_wasm_compiler {
    struct nu_wasm_plugins *all;     /* borrowed: embeds this */
    struct nu_loop *loop;            /* of the main thread */
    struct nu_list waiting;          /* renewals */
    struct nu_wasm_renewal *running; /* NULL: there is no thread */
    pthread_t thread;
    struct nu_task done; /* from that thread */
    bool is_over;
};

void nu_wasm_compiler_init(struct nu_wasm_compiler *compiler, struct nu_wasm_plugins *all,
                           struct nu_loop *loop);
/* Takes nothing up any more and drops what waits; true when no thread is left. */
bool nu_wasm_compiler_end(struct nu_wasm_compiler *compiler);
/* The same, and waits for the thread, but not for long: an engine cannot be asked to stop. False if the
 * thread goes on, with all that it uses. */
NU_MUST_USE bool nu_wasm_compiler_finish(struct nu_wasm_compiler *compiler);

/* Begins to give the plug-in this code, which is copied unless a plug-in has it, or another renewal
 * that is on its way. Not while the renewal is on its way itself. */
void nu_wasm_renew(struct nu_wasm_renewal *renewal, struct nu_str code);
static inline bool nu_wasm_renewal_is_on_its_way(const struct nu_wasm_renewal *renewal)
{
    return renewal->spec != NULL;
}

#endif
