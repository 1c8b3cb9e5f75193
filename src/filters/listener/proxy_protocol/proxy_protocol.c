/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_protocol takes a load balancer's word for who the client is: the PROXY header in front of
 * the connection gives the addresses that everything behind it sees.
 */
#include "filters/listener/proxy_protocol/proxy_protocol.h"

#include "filters/listener/proxy_protocol/header.h"
#include "stats/listener_filter_stats.h"
#include "stats/stats.h"

#include "envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.pb-c.h"

typedef Envoy__Extensions__Filters__Listener__ProxyProtocol__V3__ProxyProtocol filter_proto;

enum { VERSION_COUNT = 2 };

struct proxy_protocol {
    bool allow_without;
    bool is_disallowed[VERSION_COUNT];
    struct nu_stat_set *stats;
    struct nu_stat_set *version_stats[VERSION_COUNT];
};

static struct nu_proxy_protocol_version_stats *stats_of(const struct proxy_protocol *filter,
                                                        const struct nu_proxy_header *header)
{
    return nu_stat_set_block(filter->version_stats[header->version - 1]);
}

static enum nu_listener_filter_status go_on_without(const struct proxy_protocol *filter)
{
    struct nu_proxy_protocol_stats *stats = nu_stat_set_block(filter->stats);
    nu_counter_inc(filter->allow_without ? &stats->not_found_allowed
                                         : &stats->not_found_disallowed);
    return filter->allow_without ? NU_LISTENER_FILTER_CONTINUE : NU_LISTENER_FILTER_CLOSE;
}

static enum nu_listener_filter_status apply(const struct proxy_protocol *filter,
                                            const struct nu_proxy_header *header,
                                            struct nu_accepted *accepted, size_t *taken)
{
    struct nu_proxy_protocol_version_stats *stats = stats_of(filter, header);
    if (filter->is_disallowed[header->version - 1]) {
        nu_counter_inc(&stats->disallowed);
        return filter->allow_without ? NU_LISTENER_FILTER_CONTINUE : NU_LISTENER_FILTER_CLOSE;
    }
    nu_counter_inc(&stats->found);
    *taken = header->size;
    if (header->has_addresses) {
        accepted->remote = header->source;
        accepted->local = header->destination;
        accepted->local_restored = true;
    }
    return NU_LISTENER_FILTER_CONTINUE;
}

static enum nu_listener_filter_status on_data(void *config, struct nu_accepted *accepted,
                                              struct nu_str bytes, size_t *taken)
{
    const struct proxy_protocol *filter = config;
    struct nu_proxy_header header;
    if (bytes.len == 0)
        return NU_LISTENER_FILTER_WAIT;
    switch (nu_proxy_header_read(bytes, &header)) {
    case NU_PROXY_HEADER_PARTIAL:
        return NU_LISTENER_FILTER_WAIT;
    case NU_PROXY_HEADER_NONE:
        return go_on_without(filter);
    case NU_PROXY_HEADER_MALFORMED:
        nu_counter_inc(&stats_of(filter, &header)->error);
        return NU_LISTENER_FILTER_CLOSE;
    case NU_PROXY_HEADER_COMPLETE:
        break;
    }
    return apply(filter, &header, accepted, taken);
}

static const struct nu_listener_filter_class proxy_protocol_class = {
    .name = "envoy.filters.listener.proxy_protocol",
    .max_bytes = NU_PROXY_HEADER_MAX,
    .on_data = on_data,
};

static void create_stats(struct nu_factory *factory, const char *stat_prefix,
                         struct proxy_protocol *filter)
{
    const char *dot = stat_prefix[0] ? "." : "";
    const char *scope = nu_arena_printf(factory->arena, "proxy_proto%s%s", dot, stat_prefix);
    filter->stats =
        nu_stat_set_create(factory->stats, &nu_proxy_protocol_stats_table, nu_str_from(scope));
    for (int i = 0; i < VERSION_COUNT; i++) {
        const char *version = nu_arena_printf(factory->arena, "%s.versions.v%d", scope, i + 1);
        filter->version_stats[i] = nu_stat_set_create(
            factory->stats, &nu_proxy_protocol_version_stats_table, nu_str_from(version));
    }
}

static void *create(struct nu_factory *factory, const ProtobufCMessage *message)
{
    const filter_proto *proto = (const void *)message;
    struct proxy_protocol *filter = nu_arena_calloc(factory->arena, sizeof(*filter));
    filter->allow_without = proto->allow_requests_without_proxy_protocol;
    for (size_t i = 0; i < proto->n_disallowed_versions; i++) {
        size_t version = (size_t)proto->disallowed_versions[i];
        if (version < VERSION_COUNT)
            filter->is_disallowed[version] = true;
    }
    create_stats(factory, proto->stat_prefix, filter);
    return filter;
}

const struct nu_listener_filter_factory nu_proxy_protocol_factory = {
    .name = "envoy.filters.listener.proxy_protocol",
    .type = "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
    .cls = &proxy_protocol_class,
    .create = create,
};
