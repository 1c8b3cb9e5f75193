/* SPDX-License-Identifier: Apache-2.0 */
/* Telling a guest of a stream for its log. */
#include "wasm/logger.h"

#include "wasm/plugin.h"

void nu_wasm_log_stream(const struct nu_wasm_plugin *plugin, const struct nu_format_context *logged)
{
    struct nu_wasm_context *root = nu_wasm_plugin_root(plugin);
    if (!root)
        return;
    union nu_wasm_value id = {.i32 = (int32_t)root->id};
    root->logged = logged;
    nu_wasm_vm_call(root, NU_WASM_ON_LOG, &id, 0);
    root->logged = NULL;
    nu_wasm_vm_is_dead(root->vm);
}
