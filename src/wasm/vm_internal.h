/* SPDX-License-Identifier: Apache-2.0 */
/* Between VMs and their contexts. */
#ifndef NU_WASM_VM_INTERNAL_H
#define NU_WASM_VM_INTERNAL_H

#include "wasm/vm.h"

/* Ends a root that nobody holds: on_done, and on_delete with it if the guest is ready or `forced`.
 * The VM may be gone then. */
void nu_wasm_root_end(struct nu_wasm_context *root, bool forced);
/* Without a word to the guest. */
void nu_wasm_root_free(struct nu_wasm_context *root);

#endif
