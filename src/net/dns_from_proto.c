/* SPDX-License-Identifier: Apache-2.0 */
/* Reading resolver settings. */
#include "net/dns_from_proto.h"

#include "config/values.h"

#include "envoy/config/core/v3/extension.pb-c.h"
#include "envoy/config/core/v3/resolver.pb-c.h"
#include "envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.pb-c.h"
#include "envoy/extensions/network/dns_resolver/getaddrinfo/v3/getaddrinfo_dns_resolver.pb-c.h"

typedef Envoy__Config__Core__V3__Address address_proto;
typedef Envoy__Extensions__Network__DnsResolver__Cares__V3__CaresDnsResolverConfig cares_proto;

#define GETADDRINFO_DESCRIPTOR \
    envoy__extensions__network__dns_resolver__getaddrinfo__v3__get_addr_info_dns_resolver_config__descriptor
#define CARES_DESCRIPTOR \
    envoy__extensions__network__dns_resolver__cares__v3__cares_dns_resolver_config__descriptor

static void add_server(struct nu_factory *factory, struct nu_strbuf *list,
                       const address_proto *proto)
{
    if (proto->address_case != ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS_SOCKET_ADDRESS) {
        nu_config_error(factory->ctx, proto, NULL, "a DNS resolver must be an IP address");
        return;
    }
    const Envoy__Config__Core__V3__SocketAddress *socket = proto->socket_address;
    struct nu_address address;
    if (nu_address_parse_ip(nu_str_from(socket->address), (uint16_t)socket->port_value, &address) !=
        NU_OK) {
        nu_config_error(factory->ctx, socket, "address",
                        "malformed IP address: %s. A DNS resolver must be an IP address",
                        socket->address);
        return;
    }
    char text[NU_ADDRESS_TEXT_MAX];
    /* Without a port the library takes 53. */
    size_t len =
        address.port ? nu_address_format(&address, text) : nu_address_format_ip(&address, text);
    if (list->len)
        nu_strbuf_add_cstr(list, ",");
    nu_strbuf_add(list, nu_str_make(text, len));
}

static void read_servers(struct nu_factory *factory, struct nu_dns_options *options,
                         address_proto *const *servers, size_t count)
{
    struct nu_strbuf list = {0};
    for (size_t i = 0; i < count; i++)
        add_server(factory, &list, servers[i]);
    options->servers = nu_arena_dup(factory->arena, nu_strbuf_str(&list));
    nu_strbuf_finish(&list);
}

static void read_resolver_options(struct nu_dns_options *options,
                                  const Envoy__Config__Core__V3__DnsResolverOptions *proto)
{
    if (!proto)
        return;
    options->use_tcp = proto->use_tcp_for_dns_lookups;
    options->no_search = proto->no_default_search_domain;
}

static uint32_t read_timeout(struct nu_factory *factory, const cares_proto *proto)
{
    enum { MOST_S = 24 * 3600 };
    uint64_t seconds = nu_u64_or(proto->query_timeout_seconds, 0);
    if (seconds > MOST_S) {
        nu_config_error(factory->ctx, proto, "query_timeout_seconds",
                        "more than a day is not implemented by nuncio");
        return 0;
    }
    return (uint32_t)seconds * 1000;
}

static uint32_t read_tries(struct nu_factory *factory, const cares_proto *proto)
{
    enum { MOST = 100 };
    uint32_t tries = nu_u32_or(proto->query_tries, 0);
    if (tries > MOST)
        nu_config_error(factory->ctx, proto, "query_tries",
                        "more than %d is not implemented by nuncio", MOST);
    return tries;
}

static uint32_t read_udp_max_queries(struct nu_factory *factory, const cares_proto *proto)
{
    uint32_t max = nu_u32_or(proto->udp_max_queries, 0);
    if (max && !nu_dns_can_limit_udp())
        nu_config_error(factory->ctx, proto, "udp_max_queries",
                        "not implemented by the c-ares that nuncio was built with (1.20 is)");
    if (max > INT32_MAX)
        nu_config_error(factory->ctx, proto, "udp_max_queries", "is too large");
    return max;
}

static void read_cares(struct nu_factory *factory, struct nu_dns_options *options,
                       const cares_proto *proto)
{
    read_servers(factory, options, proto->resolvers, proto->n_resolvers);
    read_resolver_options(options, proto->dns_resolver_options);
    options->servers_are_fallback = proto->use_resolvers_as_fallback;
    options->rotate = proto->rotate_nameservers;
    options->query_timeout_ms = read_timeout(factory, proto);
    options->query_tries = read_tries(factory, proto);
    options->edns_payload_bytes = nu_u32_or(proto->edns0_max_payload_size, 0);
    options->udp_max_queries = read_udp_max_queries(factory, proto);
}

/* The system's resolver asks as c-ares does without settings. */
static bool is_system_resolver(struct nu_factory *factory,
                               const Envoy__Config__Core__V3__TypedExtensionConfig *typed)
{
    const ProtobufCMessage *message = nu_config_any(factory->ctx, typed->typed_config);
    return message && message->descriptor == &GETADDRINFO_DESCRIPTOR;
}

static void read_typed(struct nu_factory *factory, struct nu_dns_options *options,
                       const Envoy__Config__Core__V3__TypedExtensionConfig *typed)
{
    if (is_system_resolver(factory, typed))
        return;
    const ProtobufCMessage *message = nu_config_any_of(factory->ctx, typed, "typed_config",
                                                       typed->typed_config, &CARES_DESCRIPTOR);
    if (message)
        read_cares(factory, options, (const cares_proto *)message);
}

bool nu_dns_settings_are_set(const struct nu_dns_settings *settings)
{
    return settings->typed || settings->resolution || settings->resolver_count;
}

const struct nu_dns_options *nu_dns_options_from_proto(struct nu_factory *factory,
                                                       const struct nu_dns_settings *settings)
{
    struct nu_dns_options *options = nu_arena_calloc(factory->arena, sizeof(*options));
    if (settings->typed) {
        read_typed(factory, options, settings->typed);
    } else if (settings->resolution) {
        read_servers(factory, options, settings->resolution->resolvers,
                     settings->resolution->n_resolvers);
        read_resolver_options(options, settings->resolution->dns_resolver_options);
    } else {
        read_servers(factory, options, settings->resolvers, settings->resolver_count);
        options->use_tcp = settings->use_tcp;
    }
    return options;
}

enum nu_dns_family
nu_dns_family_from_proto(Envoy__Config__Cluster__V3__Cluster__DnsLookupFamily family)
{
    switch (family) {
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DNS_LOOKUP_FAMILY__V4_ONLY:
        return NU_DNS_V4_ONLY;
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DNS_LOOKUP_FAMILY__V6_ONLY:
        return NU_DNS_V6_ONLY;
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DNS_LOOKUP_FAMILY__V4_PREFERRED:
        return NU_DNS_V4_PREFERRED;
    case ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DNS_LOOKUP_FAMILY__ALL:
        return NU_DNS_ALL;
    default:
        return NU_DNS_AUTO;
    }
}
