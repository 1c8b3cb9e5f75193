/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the interface shows of the bootstrap: the node that the process is, and the route configurations
 * inside its listeners.
 */
#include <time.h>

#include "admin/admin_internal.h"
#include "base/clock.h"
#include "config/config.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb-c.h"

typedef Envoy__Extensions__Filters__Network__HttpConnectionManager__V3__HttpConnectionManager
    hcm_proto;
typedef Envoy__Config__Route__V3__RouteConfiguration routes_proto;
typedef Envoy__Config__Bootstrap__V3__Bootstrap bootstrap_proto;

/* --- Route configurations --------------------------------------------------------------------- */

static const routes_proto *routes_of(struct nu_factory *factory,
                                     const Envoy__Config__Listener__V3__Filter *filter)
{
    if (filter->config_type_case != ENVOY__CONFIG__LISTENER__V3__FILTER__CONFIG_TYPE_TYPED_CONFIG)
        return NULL;
    const ProtobufCMessage *message = nu_config_any(factory->ctx, filter->typed_config);
    if (!message ||
        message->descriptor !=
            &envoy__extensions__filters__network__http_connection_manager__v3__http_connection_manager__descriptor)
        return NULL;
    return ((const hcm_proto *)message)->route_config;
}

struct found_routes {
    const routes_proto **list; /* NULL while counting */
    size_t count;
};

static void find_in_chain(struct nu_factory *factory,
                          const Envoy__Config__Listener__V3__FilterChain *chain,
                          struct found_routes *found)
{
    for (size_t i = 0; chain && i < chain->n_filters; i++) {
        const routes_proto *routes = routes_of(factory, chain->filters[i]);
        if (routes && found->list)
            found->list[found->count] = routes;
        found->count += routes != NULL;
    }
}

static void find_routes(struct nu_factory *factory, const bootstrap_proto *bootstrap,
                        struct found_routes *found)
{
    const Envoy__Config__Bootstrap__V3__Bootstrap__StaticResources *resources =
        bootstrap->static_resources;
    for (size_t i = 0; resources && i < resources->n_listeners; i++) {
        const Envoy__Config__Listener__V3__Listener *listener = resources->listeners[i];
        for (size_t k = 0; k < listener->n_filter_chains; k++)
            find_in_chain(factory, listener->filter_chains[k], found);
        find_in_chain(factory, listener->default_filter_chain, found);
    }
}

static void read_routes(struct nu_admin *admin, struct nu_factory *factory)
{
    struct found_routes found = {0};
    find_routes(factory, admin->parts.bootstrap, &found);
    found.list = nu_arena_alloc(factory->arena, (found.count + 1) * sizeof(*found.list));
    found.count = 0;
    find_routes(factory, admin->parts.bootstrap, &found);
    admin->route_configs = found.list;
    admin->route_config_count = found.count;
}

/* --- The whole -------------------------------------------------------------------------------- */

const char *nu_admin_format_time(uint64_t us, struct nu_arena *arena)
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm = {0};
    char date[64];
    gmtime_r(&seconds, &tm);
    size_t len = strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    return nu_arena_printf(arena, "%.*s.%03uZ", (int)len, date, (unsigned)(us / 1000 % 1000));
}

void nu_admin_read_bootstrap(struct nu_admin *admin, struct nu_factory *factory)
{
    bootstrap_proto *shown = nu_arena_alloc(factory->arena, sizeof(*shown));
    *shown = *admin->parts.bootstrap;
    shown->node = nu_unconst(factory->local->node);
    admin->bootstrap = shown;
    admin->created = nu_admin_format_time(nu_clock_realtime_us(), factory->arena);
    read_routes(admin, factory);
}
