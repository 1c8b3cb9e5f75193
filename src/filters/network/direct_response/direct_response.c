/* SPDX-License-Identifier: Apache-2.0 */
/* direct_response answers every connection with the same bytes, unasked, and ends it. */
#include "filters/network/direct_response/direct_response.h"

#include "net/listener.h"

#include "envoy/extensions/filters/network/direct_response/v3/config.pb-c.h"

static enum nu_network_status open_filter(struct nu_network_filter *self)
{
    const struct nu_str *response = self->config;
    struct nu_connection *conn = &self->conn->conn;
    if (response->len)
        nu_buf_add_static(&conn->out, *response);
    nu_connection_close(conn, NU_CLOSE_FLUSH);
    return NU_NETWORK_STOP;
}

static const struct nu_network_filter_class direct_response_class = {
    .name = "envoy.filters.network.direct_response",
    .instance_size = sizeof(struct nu_network_filter),
    .is_terminal = true,
    .open = open_filter,
};

static const void *create(struct nu_factory *factory, const ProtobufCMessage *message)
{
    const Envoy__Extensions__Filters__Network__DirectResponse__V3__Config *proto =
        (const void *)message;
    struct nu_str *response = nu_arena_calloc(factory->arena, sizeof(*response));
    if (!proto->response)
        return response;
    struct nu_str bytes;
    if (!nu_config_data_source(factory->ctx, proto->response, &bytes))
        return NULL;
    *response = nu_arena_dup(factory->arena, bytes);
    return response;
}

const struct nu_network_filter_factory nu_direct_response_factory = {
    .name = "envoy.filters.network.direct_response",
    .type = "envoy.extensions.filters.network.direct_response.v3.Config",
    .cls = &direct_response_class,
    .create = create,
};
