/* SPDX-License-Identifier: Apache-2.0 */
/* The bootstrap extension envoy.bootstrap.wasm: a plug-in that runs without traffic, on the main
 * thread if it is a singleton, else on every worker. */
#ifndef NU_WASM_SERVICE_H
#define NU_WASM_SERVICE_H

#include "config/bootstrap_extension.h"

extern const struct nu_bootstrap_extension nu_wasm_service_extension;

#endif
