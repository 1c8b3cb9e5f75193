/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STRICT_DNS: every address of every configured name is a host. Each name is asked for again and
 * again at its own pace. An answer replaces the hosts of its name, also an empty one; a failure
 * leaves them. The cluster is warm after the first answer or failure of any name. Main thread.
 */
#ifndef NU_UPSTREAM_STRICT_DNS_H
#define NU_UPSTREAM_STRICT_DNS_H

#include "net/dns_pace.h"
#include "upstream/discovery/discovery.h"
#include "upstream/hosts/host.h"

struct nu_dns_endpoint {
    struct nu_str name;
    uint16_t port;
    struct nu_host_params host; /* of its hosts, but for the address */
};

struct nu_strict_dns_params {
    struct nu_dns_resolver *resolver;
    bool owns_resolver; /* the discovery frees it */
    enum nu_dns_family family;
    struct nu_dns_pace_params pace;
    bool wait_for_warm;                      /* listeners wait for it */
    const struct nu_dns_endpoint *endpoints; /* borrowed: the cluster's arena */
    size_t endpoint_count;
};

/* A discovery for `cluster`, which takes it over; it is not started. `keeper` and `loop` (the main
 * thread's) are borrowed. */
struct nu_discovery *nu_strict_dns_create(struct nu_cluster *cluster, struct nu_host_keeper *keeper,
                                          struct nu_loop *loop,
                                          const struct nu_strict_dns_params *params);

#endif
