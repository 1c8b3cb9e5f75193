/* SPDX-License-Identifier: Apache-2.0 */
/* DNS caches from a configuration: whoever names one shares it. Main thread. */
#ifndef NU_UPSTREAM_DNS_CACHE_FROM_PROTO_H
#define NU_UPSTREAM_DNS_CACHE_FROM_PROTO_H

#include "config/factory.h"
#include "upstream/dns_cache/dns_cache.h"

struct Envoy__Extensions__Common__DynamicForwardProxy__V3__DnsCacheConfig;

/* The cache of a configuration, which is the field dns_cache_config of `owner`; made where it is named
 * first. NULL after an error. */
struct nu_dns_cache *nu_dns_cache_from_proto(
    struct nu_factory *factory, const void *owner,
    const struct Envoy__Extensions__Common__DynamicForwardProxy__V3__DnsCacheConfig *proto);

#endif
