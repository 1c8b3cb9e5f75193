/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plug-in may do: a list of the host functions that it may call and of its callbacks that
 * may be called. A function that is not in the list is still there, so that the module links: it
 * does nothing, answers with a failure and writes a line of the log. A callback that is not in it
 * counts as not exported. The list is resolved when a module is loaded: what is allowed costs
 * nothing.
 */
#ifndef NU_WASM_RESTRICTION_H
#define NU_WASM_RESTRICTION_H

#include "wasm/abi.h"

/* Immutable. */
struct nu_wasm_restriction {
    const struct nu_str *allowed; /* names, such as "proxy_log", "fd_write", "proxy_on_tick" */
    size_t count;
};

/* NULL allows everything. */
bool nu_wasm_restriction_allows(const struct nu_wasm_restriction *restriction, const char *name);

/* The host functions with what is not allowed exchanged; the same ones for NULL. In `arena`. */
const struct nu_wasm_import *const *
nu_wasm_restriction_apply(const struct nu_wasm_restriction *restriction,
                          const struct nu_wasm_import *const *imports, size_t count,
                          struct nu_arena *arena);

/* The host's end of such a function (wasm/engine.h). */
void nu_wasm_restriction_refuse(void *host, const struct nu_wasm_import *import,
                                union nu_wasm_value *result);

#endif
