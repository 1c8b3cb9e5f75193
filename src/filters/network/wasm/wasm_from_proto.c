/* SPDX-License-Identifier: Apache-2.0 */
/* The filter's configuration is a plug-in, which runs on the workers. */
#include "filters/network/wasm/wasm.h"
#include "filters/network/wasm/wasm_internal.h"
#include "wasm/plugin.h"

#include "envoy/extensions/filters/network/wasm/v3/wasm.pb-c.h"

static const void *create(struct nu_factory *factory, const ProtobufCMessage *message)
{
    const Envoy__Extensions__Filters__Network__Wasm__V3__Wasm *filter = (const void *)message;
    return nu_wasm_plugin_from_proto(factory, filter, filter->config, NU_THREADS_WORKERS);
}

const struct nu_network_filter_factory nu_network_wasm_factory = {
    .name = "envoy.filters.network.wasm",
    .type = "envoy.extensions.filters.network.wasm.v3.Wasm",
    .cls = &nu_network_wasm_class,
    .create = create,
};
