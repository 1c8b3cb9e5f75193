/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of wasm VMs and plug-ins, with Envoy's names. */
#ifndef NU_STATS_WASM_STATS_H
#define NU_STATS_WASM_STATS_H

#include "stats/table.h"

/* wasm.<runtime>, the runtime as the configuration names it */
#define NU_WASM_RUNTIME_STATS(X, S) \
    X(S, COUNTER, created, "VMs that were made, those to try a configuration out included.") \
    X(S, GAUGE, active, "VMs that there are.") \
    X(S, GAUGE, memory_bytes, "Bytes of all their memory.")

struct nu_wasm_runtime_stats {
    NU_WASM_RUNTIME_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_wasm_runtime_stats_table;

/* wasm: code that is fetched */
#define NU_WASM_REMOTE_STATS(X, S) \
    X(S, GAUGE, remote_load_cache_entries, "Pieces of code that are kept.") \
    X(S, COUNTER, remote_load_cache_hits, "Code that was there already.") \
    X(S, COUNTER, remote_load_cache_misses, "Code that had to be fetched.") \
    X(S, COUNTER, remote_load_cache_negative_hits, \
      "Code that was not fetched, because that had failed not long before.") \
    X(S, COUNTER, remote_load_fetch_failures, "Fetches that failed.") \
    X(S, COUNTER, remote_load_fetch_successes, "Fetches that did not.")

struct nu_wasm_remote_stats {
    NU_WASM_REMOTE_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_wasm_remote_stats_table;

/* wasm.<plug-in> */
#define NU_WASM_PLUGIN_STATS(X, S) \
    X(S, COUNTER, vm_reload, "Always 0, as in Envoy.") \
    X(S, COUNTER, vm_reload_backoff, \
      "Requests, and looks of services, for which it was too early to make a new VM.") \
    X(S, COUNTER, vm_reload_failure, "New VMs in place of failed ones that failed to start.") \
    X(S, COUNTER, vm_reload_success, "New VMs in place of failed ones.") \
    X(S, COUNTER, code_update_success, "Changes of its file of code that were taken.") \
    X(S, COUNTER, code_update_rejected, \
      "Changes of its file of code that were not: it could not be read, or did not start.") \
    X(S, GAUGE, vm_memory_bytes, "Bytes of memory of the VMs that it is in.")

struct nu_wasm_plugin_stats {
    NU_WASM_PLUGIN_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_wasm_plugin_stats_table;

#endif
