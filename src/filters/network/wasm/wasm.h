/* SPDX-License-Identifier: Apache-2.0 */
/* The network filter `envoy.filters.network.wasm`: a proxy-wasm plug-in before a connection's last
 * filter. */
#ifndef NU_FILTERS_NETWORK_WASM_WASM_H
#define NU_FILTERS_NETWORK_WASM_WASM_H

#include "net/network_factory.h"

extern const struct nu_network_filter_factory nu_network_wasm_factory;

#endif
