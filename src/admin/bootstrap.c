/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the interface shows of the bootstrap: its node, completed by who this process is and what is
 * built in, and the route configurations inside its listeners.
 */
#include <stdio.h>
#include <time.h>

#include "access_log/access_log.h"
#include "admin/admin_internal.h"
#include "base/clock.h"
#include "config/config.h"
#include "filter/factory.h"
#include "net/network_factory.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb-c.h"

typedef Envoy__Extensions__Filters__Network__HttpConnectionManager__V3__HttpConnectionManager
    hcm_proto;
typedef Envoy__Config__Core__V3__Node node_proto;
typedef Envoy__Config__Core__V3__Extension extension_proto;
typedef Envoy__Config__Route__V3__RouteConfiguration routes_proto;
typedef Envoy__Config__Bootstrap__V3__Bootstrap bootstrap_proto;

/* --- Node ------------------------------------------------------------------------------------- */

static void add_extension(node_proto *node, struct nu_arena *arena, const char *name,
                          const char *category, const char *type)
{
    extension_proto *extension = nu_arena_alloc(arena, sizeof(*extension));
    envoy__config__core__v3__extension__init(extension);
    extension->name = nu_unconst(name);
    extension->category = nu_unconst(category);
    extension->n_type_urls = 1;
    extension->type_urls = nu_arena_alloc(arena, sizeof(*extension->type_urls));
    extension->type_urls[0] = nu_unconst(type);
    node->extensions[node->n_extensions++] = extension;
}

static size_t count_of(const void *const *list)
{
    size_t count = 0;
    while (list[count])
        count++;
    return count;
}

static void add_extensions(node_proto *node, const struct nu_extensions *all,
                           struct nu_arena *arena)
{
    size_t count = count_of((const void *const *)all->http_filters) +
                   count_of((const void *const *)all->network_filters) +
                   count_of((const void *const *)all->access_loggers);
    node->n_extensions = 0;
    node->extensions = nu_arena_alloc(arena, (count + 1) * sizeof(*node->extensions));
    for (size_t i = 0; all->http_filters[i]; i++)
        add_extension(node, arena, all->http_filters[i]->name, "envoy.filters.http",
                      all->http_filters[i]->type);
    for (size_t i = 0; all->network_filters[i]; i++)
        add_extension(node, arena, all->network_filters[i]->name, "envoy.filters.network",
                      all->network_filters[i]->type);
    for (size_t i = 0; all->access_loggers[i]; i++)
        add_extension(node, arena, all->access_loggers[i]->name, "envoy.access_loggers",
                      all->access_loggers[i]->config_type->name);
}

static void add_version(node_proto *node, struct nu_arena *arena)
{
    Envoy__Config__Core__V3__BuildVersion *build = nu_arena_alloc(arena, sizeof(*build));
    Envoy__Type__V3__SemanticVersion *version = nu_arena_alloc(arena, sizeof(*version));
    envoy__config__core__v3__build_version__init(build);
    envoy__type__v3__semantic_version__init(version);
    if (sscanf(NU_VERSION, "%u.%u.%u", &version->major_number, &version->minor_number,
               &version->patch) != 3)
        return;
    build->version = version;
    node->user_agent_version_type_case =
        ENVOY__CONFIG__CORE__V3__NODE__USER_AGENT_VERSION_TYPE_USER_AGENT_BUILD_VERSION;
    node->user_agent_build_version = build;
}

static node_proto *make_node(const bootstrap_proto *bootstrap, const struct nu_factory *factory)
{
    struct nu_arena *arena = factory->arena;
    const struct nu_local_info *local = factory->local;
    node_proto *node = nu_arena_alloc(arena, sizeof(*node));
    envoy__config__core__v3__node__init(node);
    if (bootstrap->node)
        *node = *bootstrap->node;
    if (local->node_id.len)
        node->id = nu_unconst(nu_arena_dup(arena, local->node_id).ptr);
    if (local->cluster.len)
        node->cluster = nu_unconst(nu_arena_dup(arena, local->cluster).ptr);
    node->user_agent_name = nu_unconst("nuncio");
    add_version(node, arena);
    add_extensions(node, factory->extensions, arena);
    return node;
}

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
    shown->node = make_node(admin->parts.bootstrap, factory);
    admin->bootstrap = shown;
    admin->created = nu_admin_format_time(nu_clock_realtime_us(), factory->arena);
    read_routes(admin, factory);
}
