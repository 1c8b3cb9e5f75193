/* SPDX-License-Identifier: Apache-2.0 */
/* What is known about the process and its machine without asking anybody. */
#include "server/local_info.h"

#include <arpa/inet.h>
#include <ifaddrs.h>

#include "envoy/config/core/v3/base.pb-c.h"

/* The first address of the machine that is not a loopback one: what Envoy calls the local
 * address. A machine without one, as a container without a network, has the loopback's. */
static struct nu_address find_own_address(bool ipv6)
{
    struct nu_address found = {0};
    struct ifaddrs *list = NULL;
    enum nu_result result =
        nu_address_parse_ip(ipv6 ? NU_STR("::1") : NU_STR("127.0.0.1"), 0, &found);
    nu_assert(result == NU_OK);
    if (getifaddrs(&list) != 0)
        return found;
    for (struct ifaddrs *item = list; item; item = item->ifa_next) {
        if (!item->ifa_addr || item->ifa_addr->sa_family != (ipv6 ? AF_INET6 : AF_INET))
            continue;
        struct nu_address address = nu_address_from_sockaddr(
            item->ifa_addr, ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
        if (!nu_address_is_loopback(&address)) {
            found = address;
            break;
        }
    }
    freeifaddrs(list);
    return found;
}

static struct nu_str either(const char *configured, const char *option)
{
    if (configured && *configured)
        return nu_str_from(configured);
    return nu_str_from(option);
}

struct nu_local_info nu_local_info_make(const Envoy__Config__Core__V3__Node *node,
                                        const struct nu_options *options)
{
    const Envoy__Config__Core__V3__Locality *locality = node ? node->locality : NULL;
    struct nu_str zone = either(locality ? locality->zone : NULL, options->service_zone);
    return (struct nu_local_info){
        .node_id = either(node ? node->id : NULL, options->service_node),
        .cluster = either(node ? node->cluster : NULL, options->service_cluster),
        .has_locality = locality || zone.len,
        .region = nu_str_from(locality ? locality->region : ""),
        .zone = zone,
        .sub_zone = nu_str_from(locality ? locality->sub_zone : ""),
        .address = find_own_address(options->local_address_ipv6),
    };
}
