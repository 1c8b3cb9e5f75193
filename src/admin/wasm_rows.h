/* SPDX-License-Identifier: Apache-2.0 */
/* VMs of wasm plug-ins, for the pages that show them. */
#ifndef NU_ADMIN_WASM_ROWS_H
#define NU_ADMIN_WASM_ROWS_H

#include "admin/admin_internal.h"
#include "wasm/report.h"

/* The thread that a VM is of, as statistics name it: "main", "worker_0". */
const char *nu_admin_wasm_worker(const struct nu_wasm_vm_row *row, struct nu_arena *arena);

#endif
