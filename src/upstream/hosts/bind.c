/* SPDX-License-Identifier: Apache-2.0 */
/* Binding sockets before they connect. */
#include "upstream/hosts/bind.h"

#include <netinet/in.h>

static const struct nu_bind_source *choose(const struct nu_bind_config *bind,
                                           enum nu_address_family family)
{
    for (uint32_t i = 0; i < bind->count; i++) {
        if (bind->sources[i].address.family == family)
            return &bind->sources[i];
    }
    return &bind->sources[0];
}

static bool set_flag(int fd, int level, int name)
{
    int one = 1;
    return setsockopt(fd, level, name, &one, sizeof(one)) == 0;
}

static bool bind_to(int fd, const struct nu_address *address)
{
    struct sockaddr_storage sa;
    socklen_t len;
    if (nu_address_to_sockaddr(address, &sa, &len) != NU_OK)
        return false;
    /* The port is chosen by connect, so that one port serves many hosts. */
    if (address->port == 0 && !set_flag(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT))
        return false;
    return bind(fd, (const struct sockaddr *)&sa, len) == 0;
}

static bool apply(const struct nu_bind_source *source, int fd, bool v6, bool freebind)
{
    if (!nu_socket_apply_options(fd, source->options, source->option_count, NU_SOCKET_PREBIND))
        return false;
    if (freebind && !set_flag(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND))
        return false;
    if (source->address.family != NU_ADDRESS_NONE && !bind_to(fd, &source->address))
        return false;
    return nu_socket_apply_options(fd, source->options, source->option_count, NU_SOCKET_BOUND);
}

const struct nu_bind_source *nu_bind_apply(const struct nu_bind_config *bind, int fd)
{
    int domain = AF_UNSPEC;
    socklen_t len = sizeof(domain);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0)
        return &bind->sources[0];
    if (domain != AF_INET && domain != AF_INET6)
        return NULL;
    bool v6 = domain == AF_INET6;
    const struct nu_bind_source *source = choose(bind, v6 ? NU_ADDRESS_IPV6 : NU_ADDRESS_IPV4);
    return apply(source, fd, v6, bind->freebind) ? NULL : source;
}
