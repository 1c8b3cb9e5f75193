/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sets of wasm's statistics, under the names that Envoy gives them. Main thread; each call is
 * matched by one nu_stat_set_destroy. Blocks of them are counted into by any numbered thread.
 */
#ifndef NU_WASM_WASM_STATS_H
#define NU_WASM_WASM_STATS_H

#include "stats/stats.h"
#include "stats/wasm_stats.h"

/* wasm.RUNTIME.created and so on, of struct nu_wasm_runtime_stats: the runtime as the configuration
 * has it, which may be nothing at all: "wasm..created". */
struct nu_stat_set *nu_wasm_runtime_stats(struct nu_stats *stats, struct nu_str runtime);
/* wasm.PLUGIN.vm_reload and so on, of struct nu_wasm_plugin_stats; one without a name has
 * "wasm.vm_reload". */
struct nu_stat_set *nu_wasm_plugin_stats(struct nu_stats *stats, struct nu_str name);
/* wasm.remote_load_cache_hits and so on, of struct nu_wasm_remote_stats: there as soon as some
 * plug-in is. */
struct nu_stat_set *nu_wasm_remote_stats(struct nu_stats *stats);

#endif
