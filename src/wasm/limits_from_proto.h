/* SPDX-License-Identifier: Apache-2.0 */
/* The bootstrap extension nuncio.bootstrap.wasm_limits: what guests may take. Main thread, while
 * loading. */
#ifndef NU_WASM_LIMITS_FROM_PROTO_H
#define NU_WASM_LIMITS_FROM_PROTO_H

#include "config/bootstrap_extension.h"
#include "wasm/guest.h"

extern const struct nu_bootstrap_extension nu_wasm_limits_extension;

/* The limits of VMs with this vm_id in the factory's configuration. */
struct nu_wasm_limits nu_wasm_limits_of(const struct nu_factory *factory, const char *vm_id);

#endif
