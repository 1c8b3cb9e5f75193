/* SPDX-License-Identifier: Apache-2.0 */
/* Route tables with what filters make of their per-route configurations. */
#include "filter/route_table.h"

#include "filter/factory.h"
#include "route/route_from_proto.h"

struct build {
    struct nu_factory *factory;
    const struct nu_filter_chains *chains;
};

static bool has_cluster(void *context, struct nu_str name)
{
    const struct build *build = context;
    return build->factory->has_cluster(build->factory->owner, name);
}

/* Whether some chain has a filter of that name, and of that class if one is given. A chain that could
 * not be read is empty, and might have had it: what is wrong with it has been said. */
static bool has_filter(const struct nu_filter_chains *chains, const char *name,
                       const struct nu_filter_class *cls)
{
    for (size_t i = 0; i < chains->count; i++) {
        const struct nu_filter_chain_config *chain = chains->items[i];
        if (chain->count == 0)
            return true;
        for (uint8_t j = 0; j < chain->count; j++) {
            const struct nu_filter_entry *entry = &chain->entries[j];
            if (nu_str_eq(entry->name, nu_str_from(name)) && (!cls || entry->cls == cls))
                return true;
        }
    }
    return false;
}

/* A wrong name is easy to write, and then a filter does not do what is asked of it. */
static void filter_disabled(void *context, const char *name, const void *where)
{
    const struct build *build = context;
    if (!has_filter(build->chains, name, NULL))
        nu_config_warn(build->factory->ctx, where, NULL,
                       "has no effect: no HTTP filter is called '%s'", name);
}

static void check_name(const struct build *build, const char *name,
                       const struct nu_filter_route_config *config,
                       const struct Google__Protobuf__Any *where)
{
    if (!has_filter(build->chains, name, config->cls))
        nu_config_warn(build->factory->ctx, where, NULL,
                       "has no effect: no HTTP filter of this kind is called '%s'", name);
}

/* The configuration with the class that it is for: it stands under a filter's name, which may be
 * that of another kind of filter. */
static const struct nu_filter_route_config *create_config(struct nu_factory *factory,
                                                          const struct nu_filter_factory *filter,
                                                          const ProtobufCMessage *message)
{
    struct nu_filter_route_config *config = nu_arena_calloc(factory->arena, sizeof(*config));
    if (!filter->create_route(factory, message, &config->cls, &config->config))
        return NULL;
    return config;
}

static const void *filter_config(void *context, struct nu_arena *arena, const char *name,
                                 const struct Google__Protobuf__Any *config, bool is_optional)
{
    const struct build *build = context;
    struct nu_factory factory = *build->factory;
    factory.arena = arena;
    const ProtobufCMessage *message = nu_config_any(factory.ctx, config);
    if (!message) {
        if (!is_optional)
            nu_config_error(factory.ctx, config, NULL,
                            "the configuration of the filter %s is empty: \"@type\" says which "
                            "message it is",
                            name);
        return NULL;
    }
    const struct nu_filter_factory *filter = nu_filter_factory_find_route(
        factory.extensions->http_filters, nu_str_from(message->descriptor->name));
    if (filter) {
        const struct nu_filter_route_config *made = create_config(&factory, filter, message);
        if (made && !is_optional)
            check_name(build, name, made, config);
        return made;
    }
    if (!is_optional)
        nu_config_error(
            factory.ctx, config, NULL,
            "The filter %s doesn't support virtual host or route specific configurations "
            "of type %s",
            name, message->descriptor->name);
    return NULL;
}

struct nu_route_table *
nu_filter_route_table_from_proto(struct nu_factory *factory, const struct nu_filter_chains *chains,
                                 const struct Envoy__Config__Route__V3__RouteConfiguration *proto)
{
    struct build build = {.factory = factory, .chains = chains};
    const struct nu_route_factory routes = {
        .ctx = factory->ctx,
        .runtime = factory->runtime,
        .stats = factory->stats,
        .validate_clusters = true,
        .has_cluster = has_cluster,
        .filter_config = filter_config,
        .filter_disabled = filter_disabled,
        .context = &build,
    };
    return nu_route_table_from_proto(proto, &routes);
}
