/* SPDX-License-Identifier: Apache-2.0 */
/* The bootstrap's node, completed by the command line, our name and version, and what is built in. */
#include "server/node.h"

#include <stdio.h>

#include "access_log/access_log.h"
#include "config/bootstrap_extension.h"
#include "filter/factory.h"
#include "net/network_factory.h"

#include "envoy/config/core/v3/base.pb-c.h"

typedef Envoy__Config__Core__V3__Node node_proto;
typedef Envoy__Config__Core__V3__Extension extension_proto;

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
                   count_of((const void *const *)all->access_loggers) +
                   count_of((const void *const *)all->bootstrap_extensions);
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
    for (size_t i = 0; all->bootstrap_extensions[i]; i++)
        add_extension(node, arena, all->bootstrap_extensions[i]->name, "envoy.bootstrap",
                      all->bootstrap_extensions[i]->type);
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

const struct Envoy__Config__Core__V3__Node *
nu_node_make(const struct Envoy__Config__Core__V3__Node *configured,
             const struct nu_factory *factory)
{
    struct nu_arena *arena = factory->arena;
    const struct nu_local_info *local = factory->local;
    node_proto *node = nu_arena_alloc(arena, sizeof(*node));
    envoy__config__core__v3__node__init(node);
    if (configured)
        *node = *configured;
    if (local->node_id.len)
        node->id = nu_unconst(nu_arena_dup(arena, local->node_id).ptr);
    if (local->cluster.len)
        node->cluster = nu_unconst(nu_arena_dup(arena, local->cluster).ptr);
    node->user_agent_name = nu_unconst("nuncio");
    add_version(node, arena);
    add_extensions(node, factory->extensions, arena);
    return node;
}
