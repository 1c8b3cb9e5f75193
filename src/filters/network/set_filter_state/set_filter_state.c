/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set_filter_state leaves objects with each new connection, for tcp_proxy, for the requests of the
 * connection, and for logs.
 */
#include "filters/network/set_filter_state/set_filter_state.h"

#include "format/state_values.h"
#include "net/conn_record.h"

#include "envoy/extensions/filters/network/set_filter_state/v3/set_filter_state.pb-c.h"

static enum nu_network_status open_filter(struct nu_network_filter *self)
{
    struct nu_stream_info *info = nu_server_conn_info(self->conn);
    const struct nu_format_context context = {.info = info};
    nu_state_values_set(self->config, NU_FILTER_STATE_CONNECTION, &context, info);
    return NU_NETWORK_CONTINUE;
}

static const struct nu_network_filter_class set_filter_state_class = {
    .name = "envoy.filters.network.set_filter_state",
    .instance_size = sizeof(struct nu_network_filter),
    .open = open_filter,
};

static const void *create(struct nu_factory *factory, const ProtobufCMessage *message)
{
    const Envoy__Extensions__Filters__Network__SetFilterState__V3__Config *proto =
        (const void *)message;
    struct nu_state_values *values = nu_arena_calloc(factory->arena, sizeof(*values));
    bool ok = nu_state_values_from_proto(factory->ctx, proto->on_new_connection,
                                         proto->n_on_new_connection, factory->arena, values);
    return ok ? values : NULL;
}

const struct nu_network_filter_factory nu_network_set_filter_state_factory = {
    .name = "envoy.filters.network.set_filter_state",
    .type = "envoy.extensions.filters.network.set_filter_state.v3.Config",
    .cls = &set_filter_state_class,
    .create = create,
};
