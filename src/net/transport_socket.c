/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a transport socket's class by the type of its configuration. */
#include "net/transport_socket.h"

#include <string.h>

#include "envoy/config/core/v3/base.pb-c.h"

const struct nu_transport_socket_class nu_raw_buffer_socket = {
    .name = "envoy.transport_sockets.raw_buffer",
    .downstream_type = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
    .upstream_type = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
};

static const struct nu_transport_socket_class *find(const struct nu_factory *factory,
                                                    const char *type, bool is_upstream)
{
    const struct nu_transport_socket_class *const *list = factory->extensions->transport_sockets;
    for (; *list; list++) {
        if (strcmp(is_upstream ? (*list)->upstream_type : (*list)->downstream_type, type) == 0)
            return *list;
    }
    return NULL;
}

/* The class of the last one, next to the connection's user; NULL for plain TCP. */
static const struct nu_transport_socket_class *last_class(const struct nu_transport_socket *socket)
{
    while (socket->cls && socket->cls->inner)
        socket = socket->cls->inner(socket->config);
    return socket->cls;
}

bool nu_transport_socket_agrees_on_protocol(const struct nu_transport_socket *socket)
{
    const struct nu_transport_socket_class *cls = last_class(socket);
    return cls && cls->agrees_on_protocol;
}

bool nu_transport_socket_is_secure(const struct nu_transport_socket *socket)
{
    const struct nu_transport_socket_class *cls = last_class(socket);
    return cls && cls->is_secure;
}

bool nu_transport_socket_from_proto(struct nu_factory *factory,
                                    const Envoy__Config__Core__V3__TransportSocket *proto,
                                    bool is_upstream, struct nu_str scope,
                                    struct nu_transport_socket *out)
{
    *out = (struct nu_transport_socket){0};
    if (!proto || !proto->typed_config)
        return true;
    const ProtobufCMessage *message = nu_config_any(factory->ctx, proto->typed_config);
    if (!message)
        return false;
    const struct nu_transport_socket_class *cls =
        find(factory, message->descriptor->name, is_upstream);
    if (!cls) {
        nu_config_error(factory->ctx, proto, "typed_config", "%s is no transport socket of a %s",
                        message->descriptor->name, is_upstream ? "cluster" : "listener");
        return false;
    }
    if (!cls->create)
        return true;
    out->cls = cls;
    out->config = cls->create(factory, message, scope);
    return out->config != NULL;
}
