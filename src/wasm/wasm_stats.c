/* SPDX-License-Identifier: Apache-2.0 */
/* Prefixes of wasm's statistics. */
#include "wasm/wasm_stats.h"

struct nu_stat_set *nu_wasm_runtime_stats(struct nu_stats *stats, struct nu_str runtime)
{
    struct nu_strbuf prefix = {0};
    nu_strbuf_addf(&prefix, "wasm.%.*s", NU_STR_ARG(runtime));
    struct nu_stat_set *set =
        nu_stat_set_create(stats, &nu_wasm_runtime_stats_table, nu_strbuf_str(&prefix));
    nu_strbuf_finish(&prefix);
    return set;
}

struct nu_stat_set *nu_wasm_plugin_stats(struct nu_stats *stats, struct nu_str name)
{
    struct nu_strbuf prefix = {0};
    nu_strbuf_add_cstr(&prefix, name.len ? "wasm." : "wasm");
    nu_stats_sanitize(&prefix, name);
    struct nu_stat_set *set =
        nu_stat_set_create(stats, &nu_wasm_plugin_stats_table, nu_strbuf_str(&prefix));
    nu_strbuf_finish(&prefix);
    return set;
}

struct nu_stat_set *nu_wasm_remote_stats(struct nu_stats *stats)
{
    return nu_stat_set_create(stats, &nu_wasm_remote_stats_table, NU_STR("wasm"));
}
