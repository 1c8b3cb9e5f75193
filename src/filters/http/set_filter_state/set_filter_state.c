/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set_filter_state leaves objects with each request, for filters behind it, for the cluster and for
 * logs: those of the chain, and then those that the route table, the virtual host and the route say
 * besides.
 */
#include "filters/http/set_filter_state/set_filter_state.h"

#include "filter/chain.h"
#include "format/state_values.h"

#include "envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.pb-c.h"

static enum nu_headers_status decode_headers(struct nu_filter *self, struct nu_headers *headers,
                                             bool end)
{
    const struct nu_format_context context = {.request_headers = headers,
                                              .info = self->chain->info};
    const void *settings[NU_ROUTE_LEVELS];
    size_t count = nu_chain_route_configs(self, settings);
    (void)end;
    nu_state_values_set(self->config, NU_FILTER_STATE_FILTER_CHAIN, &context, self->chain->info);
    for (size_t i = 0; i < count; i++)
        nu_state_values_set(settings[i], NU_FILTER_STATE_FILTER_CHAIN, &context, self->chain->info);
    return NU_HEADERS_CONTINUE;
}

static const struct nu_filter_class set_filter_state_class = {
    .abi = NUNCIO_FILTER_ABI,
    .name = "envoy.filters.http.set_filter_state",
    .instance_size = sizeof(struct nu_filter),
    .decode_headers = decode_headers,
};

static bool create(struct nu_factory *factory, const ProtobufCMessage *message,
                   const struct nu_filter_class **cls, const void **out)
{
    const Envoy__Extensions__Filters__Http__SetFilterState__V3__Config *proto =
        (const void *)message;
    struct nu_state_values *values = nu_arena_calloc(factory->arena, sizeof(*values));
    *cls = &set_filter_state_class;
    *out = values;
    return nu_state_values_from_proto(factory->ctx, proto->on_request_headers,
                                      proto->n_on_request_headers, factory->arena, values);
}

const struct nu_filter_factory nu_http_set_filter_state_factory = {
    .name = "envoy.filters.http.set_filter_state",
    .type = "envoy.extensions.filters.http.set_filter_state.v3.Config",
    .route_type = "envoy.extensions.filters.http.set_filter_state.v3.Config",
    .create = create,
    .create_route = create,
};
