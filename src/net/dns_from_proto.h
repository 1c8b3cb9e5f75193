/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of resolvers from a configuration, which has three spellings: typed_dns_resolver_config,
 * which wins, the older dns_resolution_config, and the oldest dns_resolvers with
 * use_tcp_for_dns_lookups. Main thread.
 */
#ifndef NU_NET_DNS_FROM_PROTO_H
#define NU_NET_DNS_FROM_PROTO_H

#include "config/factory.h"
#include "net/dns_cares.h"

#include "envoy/config/cluster/v3/cluster.pb-c.h"

struct Envoy__Config__Core__V3__Address;
struct Envoy__Config__Core__V3__DnsResolutionConfig;
struct Envoy__Config__Core__V3__TypedExtensionConfig;

/* What a message says of resolvers; members may be NULL or 0. */
struct nu_dns_settings {
    const struct Envoy__Config__Core__V3__TypedExtensionConfig *typed;
    const struct Envoy__Config__Core__V3__DnsResolutionConfig *resolution;
    struct Envoy__Config__Core__V3__Address *const *resolvers;
    size_t resolver_count;
    bool use_tcp;
};

/* Whether they name a resolver; use_tcp alone does not, as in Envoy. */
bool nu_dns_settings_are_set(const struct nu_dns_settings *settings);
/* The options, in factory->arena. After errors they are of no use. */
const struct nu_dns_options *nu_dns_options_from_proto(struct nu_factory *factory,
                                                       const struct nu_dns_settings *settings);

/* Which addresses a cluster's dns_lookup_family asks for; a number that it does not have means AUTO. */
enum nu_dns_family
nu_dns_family_from_proto(Envoy__Config__Cluster__V3__Cluster__DnsLookupFamily family);

#endif
