/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a DNS cache. Two configurations are the same if they are printed alike. */
#include "upstream/dns_cache/dns_cache_from_proto.h"

#include <string.h>

#include "config/print.h"
#include "config/values.h"
#include "net/dns_from_proto.h"

#include "envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache.pb-c.h"

typedef Envoy__Extensions__Common__DynamicForwardProxy__V3__DnsCacheConfig config_proto;

enum {
    DEFAULT_REFRESH_MS = 60 * 1000,
    DEFAULT_MIN_REFRESH_MS = 5000,
    DEFAULT_HOST_TTL_MS = 300 * 1000,
    DEFAULT_QUERY_TIMEOUT_MS = 5000,
    DEFAULT_MAX_HOSTS = 1024,
    DEFAULT_MAX_PENDING = 1024,
};

static void read_failure_rate(struct nu_config_ctx *ctx, struct nu_dns_cache_params *params,
                              const config_proto *proto)
{
    const Envoy__Config__Cluster__V3__Cluster__RefreshRate *rate = proto->dns_failure_refresh_rate;
    if (!rate)
        return;
    params->failure_base_ms =
        nu_config_duration_ms(ctx, rate, "base_interval", rate->base_interval, 0);
    params->failure_max_ms = nu_config_duration_ms(ctx, rate, "max_interval", rate->max_interval,
                                                   params->failure_base_ms * 10);
    if (params->failure_max_ms < params->failure_base_ms)
        nu_config_error(ctx, proto, "dns_failure_refresh_rate",
                        "max_interval must be greater than or equal to base_interval");
}

static void read_times(struct nu_config_ctx *ctx, struct nu_dns_cache_params *params,
                       const config_proto *proto)
{
    params->refresh_ms = nu_config_duration_ms(ctx, proto, "dns_refresh_rate",
                                               proto->dns_refresh_rate, DEFAULT_REFRESH_MS);
    params->min_refresh_ms = nu_config_duration_ms(
        ctx, proto, "dns_min_refresh_rate", proto->dns_min_refresh_rate, DEFAULT_MIN_REFRESH_MS);
    params->query_timeout_ms = nu_config_duration_ms(
        ctx, proto, "dns_query_timeout", proto->dns_query_timeout, DEFAULT_QUERY_TIMEOUT_MS);
    params->host_ttl_ms =
        nu_config_duration_ms(ctx, proto, "host_ttl", proto->host_ttl, DEFAULT_HOST_TTL_MS);
    read_failure_rate(ctx, params, proto);
}

/* Unlike a cluster's, use_tcp_for_dns_lookups alone asks for a resolver of its own. */
static void choose_resolver(struct nu_factory *factory, struct nu_dns_cache_params *params,
                            const config_proto *proto)
{
    const struct nu_dns_settings settings = {
        .typed = proto->typed_dns_resolver_config,
        .resolution = proto->dns_resolution_config,
        .use_tcp = proto->use_tcp_for_dns_lookups,
    };
    struct nu_factory own = *factory;
    own.arena = nu_dns_caches_arena(factory->dns_caches);
    params->resolver = factory->dns;
    if (!nu_dns_settings_are_set(&settings) && !settings.use_tcp)
        return;
    params->resolver = nu_dns_cares_create(factory->loop, factory->stats,
                                           nu_dns_options_from_proto(&own, &settings));
    params->owns_resolver = true;
}

static void check_preresolved(struct nu_factory *factory, const struct nu_dns_cache_params *params,
                              const config_proto *proto)
{
    if (proto->n_preresolve_hostnames > params->max_hosts)
        nu_config_error(factory->ctx, proto, "preresolve_hostnames",
                        "DNS Cache [%s] configured with preresolve_hostnames=%zu larger than "
                        "max_hosts=%u",
                        proto->name, proto->n_preresolve_hostnames, params->max_hosts);
}

static void read_first_names(struct nu_factory *factory, struct nu_dns_cache_params *params,
                             const config_proto *proto)
{
    struct nu_arena *arena = nu_dns_caches_arena(factory->dns_caches);
    struct nu_dns_cache_name *names =
        nu_arena_calloc(arena, (proto->n_preresolve_hostnames + 1) * sizeof(*names));
    for (size_t i = 0; i < proto->n_preresolve_hostnames; i++) {
        const Envoy__Config__Core__V3__SocketAddress *address = proto->preresolve_hostnames[i];
        names[i].host = nu_arena_dup(arena, nu_str_from(address->address));
        names[i].port = (uint16_t)address->port_value;
    }
    params->first_names = names;
    params->first_name_count = proto->n_preresolve_hostnames;
}

static struct nu_dns_cache *create(struct nu_factory *factory, const config_proto *proto,
                                   const char *config)
{
    size_t errors = factory->ctx->errors.count;
    struct nu_dns_cache_params params = {
        .family = nu_dns_family_from_proto(proto->dns_lookup_family),
        .max_hosts = nu_u32_or(proto->max_hosts, DEFAULT_MAX_HOSTS),
        .max_pending = DEFAULT_MAX_PENDING,
        .forgets_failures = proto->disable_dns_refresh_on_failure,
    };
    if (proto->dns_cache_circuit_breaker)
        params.max_pending =
            nu_u32_or(proto->dns_cache_circuit_breaker->max_pending_requests, DEFAULT_MAX_PENDING);
    read_times(factory->ctx, &params, proto);
    check_preresolved(factory, &params, proto);
    read_first_names(factory, &params, proto);
    choose_resolver(factory, &params, proto);
    struct nu_dns_cache *cache =
        nu_dns_caches_add(factory->dns_caches, nu_str_from(proto->name), &params);
    nu_dns_cache_set_config(cache, config);
    return factory->ctx->errors.count == errors ? cache : NULL;
}

struct nu_dns_cache *nu_dns_cache_from_proto(struct nu_factory *factory, const void *owner,
                                             const config_proto *proto)
{
    struct nu_strbuf text = {0};
    struct nu_json json;
    if (!proto || !factory->dns_caches) {
        nu_config_error(factory->ctx, owner, "dns_cache_config", "is missing");
        return NULL;
    }
    nu_json_init(&json, &text, false);
    nu_config_print(&json, &proto->base);
    struct nu_dns_cache *cache = nu_dns_caches_find(factory->dns_caches, nu_str_from(proto->name));
    if (!cache) {
        cache = create(factory, proto, text.data);
    } else if (strcmp(text.data, nu_dns_cache_config(cache)) != 0) {
        nu_config_error(factory->ctx, owner, "dns_cache_config",
                        "config specified DNS cache '%s' with different settings", proto->name);
        cache = NULL;
    }
    nu_strbuf_finish(&text);
    return cache;
}
