/* SPDX-License-Identifier: Apache-2.0 */
/* Reading addresses. */
#include "net/address_from_proto.h"

#include "envoy/config/core/v3/address.pb-c.h"

static bool pipe_from_proto(struct nu_factory *factory, const Envoy__Config__Core__V3__Pipe *proto,
                            struct nu_arena *arena, struct nu_address *out)
{
    struct sockaddr_storage sa;
    socklen_t len;
    *out = nu_address_unix(nu_arena_strdup(arena, proto->path));
    if (nu_address_to_sockaddr(out, &sa, &len) == NU_OK)
        return true;
    nu_config_error(factory->ctx, proto, "path",
                    "Path \"%s\" exceeds maximum UNIX domain socket path size of %zu.", proto->path,
                    sizeof(((struct sockaddr_un *)0)->sun_path));
    return false;
}

bool nu_address_from_proto(struct nu_factory *factory, const void *owner, const char *field,
                           const Envoy__Config__Core__V3__Address *proto, const char *advice,
                           struct nu_arena *arena, struct nu_address *out)
{
    switch (proto ? proto->address_case : ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS__NOT_SET) {
    case ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS_PIPE:
        return pipe_from_proto(factory, proto->pipe, arena, out);
    case ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS_SOCKET_ADDRESS:
        break;
    default:
        nu_config_error(factory->ctx, owner, field, "address is necessary");
        return false;
    }
    const Envoy__Config__Core__V3__SocketAddress *socket = proto->socket_address;
    if (nu_address_parse_ip(nu_str_from(socket->address), (uint16_t)socket->port_value, out) ==
        NU_OK)
        return true;
    nu_config_error(factory->ctx, socket, "address", "malformed IP address: %s. %s",
                    socket->address, advice);
    return false;
}
