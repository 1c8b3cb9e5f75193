/* SPDX-License-Identifier: Apache-2.0 */
/* The bootstrap of `nuncio wasm run`: what would be written by hand to try the filter. */
#ifndef NU_SERVER_WASM_RUN_CONFIG_H
#define NU_SERVER_WASM_RUN_CONFIG_H

#include "server/wasm_run/options.h"

/*
 * Writes it, as JSON: one listener at a port of the kernel's choice, the filter and the router
 * before the cluster `upstream` at 127.0.0.1:upstream_port, and an access log at `access_log`,
 * whose lines are the status, the details and the flags with tabs between them.
 */
void nu_wasm_run_config_write(const struct nu_wasm_run_options *options, uint16_t upstream_port,
                              const char *access_log, struct nu_strbuf *out);

#endif
