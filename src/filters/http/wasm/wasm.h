/* SPDX-License-Identifier: Apache-2.0 */
/* The filter `envoy.filters.http.wasm`: a proxy-wasm plug-in in the chain. */
#ifndef NU_FILTERS_HTTP_WASM_WASM_H
#define NU_FILTERS_HTTP_WASM_WASM_H

#include "filter/factory.h"

extern const struct nu_filter_factory nu_http_wasm_factory;

#endif
