/* SPDX-License-Identifier: Apache-2.0 */
/* VMs of wasm plug-ins, for the pages that show them. */
#ifndef NU_ADMIN_WASM_ROWS_H
#define NU_ADMIN_WASM_ROWS_H

#include "admin/admin_internal.h"
#include "wasm/report.h"

/* Takes the next of a row's plug-ins off; false behind the last. */
bool nu_admin_wasm_next_plugin(struct nu_str *rest, struct nu_str *name);
/* Appends all of them, ", " between. */
void nu_admin_wasm_plugins(struct nu_strbuf *out, const struct nu_wasm_vm_row *row);
/* The thread that a VM is of, as statistics name it: "main", "worker_0". */
const char *nu_admin_wasm_worker(const struct nu_wasm_vm_row *row, struct nu_arena *arena);

#endif
