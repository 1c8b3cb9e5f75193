/* SPDX-License-Identifier: Apache-2.0 */
/*
 * original_dst takes the address that the client meant, where a firewall rule (iptables' REDIRECT)
 * sent the connection here: chains are then chosen by that address.
 */
#include "filters/listener/original_dst/original_dst.h"

#include <netinet/in.h>

/* SO_ORIGINAL_DST of linux/netfilter_ipv4.h, and the same for IPv6: those headers clash with
 * netinet. */
enum { ORIGINAL_DST = 80 };

static bool ask_kernel(int fd, uint8_t family, struct nu_address *out)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    int code = family == NU_ADDRESS_IPV6 ? getsockopt(fd, IPPROTO_IPV6, ORIGINAL_DST, &sa, &len)
                                         : getsockopt(fd, IPPROTO_IP, ORIGINAL_DST, &sa, &len);
    if (code != 0)
        return false;
    *out = nu_address_from_sockaddr((const struct sockaddr *)&sa, len);
    return nu_address_is_ip(out);
}

static enum nu_listener_filter_status on_data(void *config, struct nu_accepted *accepted,
                                              struct nu_str bytes, size_t *taken)
{
    (void)config;
    (void)bytes;
    (void)taken;
    struct nu_address original;
    if (nu_address_is_ip(&accepted->local) &&
        ask_kernel(accepted->fd, accepted->local.family, &original) &&
        !nu_address_eq(&original, &accepted->local)) {
        accepted->local = original;
        accepted->local_restored = true;
    }
    return NU_LISTENER_FILTER_CONTINUE;
}

static const struct nu_listener_filter_class original_dst_class = {
    .name = "envoy.filters.listener.original_dst",
    .on_data = on_data,
};

static void *create(struct nu_factory *factory, const ProtobufCMessage *message)
{
    (void)message; /* it has no settings */
    return nu_arena_calloc(factory->arena, 1);
}

const struct nu_listener_filter_factory nu_original_dst_factory = {
    .name = "envoy.filters.listener.original_dst",
    .type = "envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
    .cls = &original_dst_class,
    .create = create,
};
