/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo sends back what comes, and ends its side when the client does. A client that sends and does
 * not read is not read from either, once a buffer's worth of its bytes waits.
 */
#include "filters/network/echo/echo.h"

#include "net/listener.h"

static enum nu_network_status on_data(struct nu_network_filter *self, struct nu_buf *data, bool end)
{
    struct nu_connection *conn = &self->conn->conn;
    nu_buf_move_all(&conn->out, data);
    if (end)
        nu_connection_end_write(conn);
    else
        nu_connection_write(conn);
    return NU_NETWORK_STOP;
}

static void on_above_high(struct nu_network_filter *self)
{
    nu_connection_hold_read(&self->conn->conn);
}

static void on_below_low(struct nu_network_filter *self)
{
    nu_connection_release_read(&self->conn->conn);
}

static const struct nu_network_filter_class echo_class = {
    .name = "envoy.filters.network.echo",
    .instance_size = sizeof(struct nu_network_filter),
    .is_terminal = true,
    .half_close = true,
    .on_data = on_data,
    .on_above_high = on_above_high,
    .on_below_low = on_below_low,
};

static const void *create(struct nu_factory *factory, const ProtobufCMessage *message)
{
    (void)factory;
    return message;
}

const struct nu_network_filter_factory nu_echo_factory = {
    .name = "envoy.filters.network.echo",
    .type = "envoy.extensions.filters.network.echo.v3.Echo",
    .cls = &echo_class,
    .create = create,
};
