/* SPDX-License-Identifier: Apache-2.0 */
/* Guests that are told of each stream for a log, on behalf of a root context, as in Envoy: no
 * context is made for the stream, which may never have had a filter. */
#ifndef NU_WASM_LOGGER_H
#define NU_WASM_LOGGER_H

struct nu_format_context;
struct nu_wasm_plugin;

/* Calls on_log of the calling thread's root context; meanwhile the guest may read what `logged`
 * has. Nothing is told where there is no guest now. Never below a guest's call. */
void nu_wasm_log_stream(const struct nu_wasm_plugin *plugin,
                        const struct nu_format_context *logged);

#endif
