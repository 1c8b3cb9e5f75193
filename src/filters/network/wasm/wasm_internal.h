/* SPDX-License-Identifier: Apache-2.0 */
/* The filter's class, for what makes its configuration. */
#ifndef NU_FILTERS_NETWORK_WASM_WASM_INTERNAL_H
#define NU_FILTERS_NETWORK_WASM_WASM_INTERNAL_H

#include "net/network_filter.h"

/* Its configuration is a struct nu_wasm_plugin. */
extern const struct nu_network_filter_class nu_network_wasm_class;

#endif
