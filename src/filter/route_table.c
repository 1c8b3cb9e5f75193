/* SPDX-License-Identifier: Apache-2.0 */
/* Route tables with what filters make of their per-route configurations. */
#include "filter/route_table.h"

#include "filter/factory.h"
#include "route/route_from_proto.h"

static bool has_cluster(void *context, struct nu_str name)
{
    const struct nu_factory *factory = context;
    return factory->has_cluster(factory->owner, name);
}

/* The configuration with the class that it is for: it stands under a filter's name, which may be
 * that of another kind of filter. */
static const void *create_config(struct nu_factory *factory, const struct nu_filter_factory *filter,
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
    struct nu_factory factory = *(struct nu_factory *)context;
    factory.arena = arena;
    const ProtobufCMessage *message = nu_config_any(factory.ctx, config);
    if (!message)
        return NULL; /* reported where it was read, or empty */
    const struct nu_filter_factory *filter = nu_filter_factory_find_route(
        factory.extensions->http_filters, nu_str_from(message->descriptor->name));
    if (filter)
        return create_config(&factory, filter, message);
    if (!is_optional)
        nu_config_error(
            factory.ctx, config, NULL,
            "The filter %s doesn't support virtual host or route specific configurations "
            "of type %s",
            name, message->descriptor->name);
    return NULL;
}

struct nu_route_table *
nu_filter_route_table_from_proto(struct nu_factory *factory,
                                 const struct Envoy__Config__Route__V3__RouteConfiguration *proto)
{
    const struct nu_route_factory routes = {
        .ctx = factory->ctx,
        .runtime = factory->runtime,
        .validate_clusters = true,
        .has_cluster = has_cluster,
        .filter_config = filter_config,
        .context = factory,
    };
    return nu_route_table_from_proto(proto, &routes);
}
