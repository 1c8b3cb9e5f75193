/* SPDX-License-Identifier: Apache-2.0 */
/* The filter's configuration, and a route's, is a plug-in, which runs on the workers. */
#include "filters/http/wasm/wasm.h"
#include "filters/http/wasm/wasm_internal.h"
#include "wasm/plugin.h"

#include "envoy/extensions/filters/http/wasm/v3/wasm.pb-c.h"

static bool create(struct nu_factory *factory, const ProtobufCMessage *message,
                   const struct nu_filter_class **cls, const void **out)
{
    const Envoy__Extensions__Filters__Http__Wasm__V3__Wasm *filter = (const void *)message;
    *cls = &nu_http_wasm_class;
    *out = nu_wasm_plugin_from_proto(factory, filter, filter->config, NU_THREADS_WORKERS);
    return *out != NULL;
}

const struct nu_filter_factory nu_http_wasm_factory = {
    .name = "envoy.filters.http.wasm",
    .type = "envoy.extensions.filters.http.wasm.v3.Wasm",
    .route_type = "envoy.extensions.filters.http.wasm.v3.Wasm",
    .create = create,
    .create_route = create,
};
