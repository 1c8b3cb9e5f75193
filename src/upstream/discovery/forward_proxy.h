/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A forward proxy's cluster: its hosts are those that requests name, as the DNS cache knows them
 * (upstream/dns_cache/dns_cache.h). Each name with its port is one host, whose addresses may change.
 *
 *     main thread: hears of names from the cache, makes the hosts, tells the workers of each
 *     worker: chooses by the request's name; one that it does not know is looked up, and waits
 */
#ifndef NU_UPSTREAM_FORWARD_PROXY_H
#define NU_UPSTREAM_FORWARD_PROXY_H

#include "upstream/dns_cache/dns_cache.h"
#include "upstream/lb/lb.h"

struct nu_discovery;
struct nu_headers;
struct nu_stream_info;

/* Immutable. */
struct nu_forward_proxy {
    struct nu_dns_cache *cache; /* borrowed: the manager's */
    uint16_t default_port;      /* of names that have none: 443 with TLS, else 80 */
};

/* The class of its balancers: a host is chosen by nu_lb_context.host_name. */
extern const struct nu_lb_class nu_lb_by_name;

/* The discovery of a cluster with `forward_proxy` set, which takes it over; not started. Main
 * thread. */
struct nu_discovery *nu_forward_proxy_create(struct nu_cluster *cluster, struct nu_loop *loop);

/* Whom a request or a connection (without headers) is for, as "host:port" in the stream's arena; empty:
 * nothing says it, or it is too long for a name. The cluster has `forward_proxy`. */
struct nu_str nu_forward_proxy_name(struct nu_cluster_local *local,
                                    const struct nu_stream_info *info,
                                    const struct nu_headers *headers);
/* The name and the port that filters have left in the stream's filter state for it; false if there
 * is no name. Without a port `*name` keeps its own. */
bool nu_forward_proxy_find_state(const struct nu_stream_info *info, struct nu_dns_cache_name *name);

/*
 * No host was chosen: looks the name up, unless it has a host, which then cannot be used. True: the
 * wait will be told, and the host can be chosen then. False: there is none; `*details` says why,
 * constant or in the arena, or is empty.
 */
bool nu_forward_proxy_load(struct nu_cluster_local *local, const struct nu_lb_context *context,
                           struct nu_dns_cache_wait *wait, struct nu_arena *arena,
                           struct nu_str *details);

#endif
