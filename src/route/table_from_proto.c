/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiling a table: virtual hosts and their domains. All errors of a table are reported in one
 * run; a table with any is thrown away.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "config/values.h"
#include "http/metadata_from_proto.h"
#include "route/build_internal.h"
#include "stats/http_stats.h"
#include "stats/stats.h"

enum {
    DEFAULT_MAX_BODY_BYTES = 4096,
    LINEAR_ROUTES_MAX = 6, /* with fewer routes, trying each costs less than the index */
};

/* --- Levels ----------------------------------------------------------------------------------- */

const struct nu_header_edits *nu_build_edits(struct nu_route_build *build,
                                             struct nu_header_edits_source source)
{
    return nu_header_edits_from_source(&build->match, &source);
}

void nu_build_filters(struct nu_route_build *build, struct nu_route_level *level, size_t count)
{
    level->filters.items =
        nu_arena_calloc(build->match.arena, count * sizeof(*level->filters.items));
}

/* The FilterConfig in an Any, or NULL when it holds something else. */
static const Envoy__Config__Route__V3__FilterConfig *unwrap(const struct nu_route_build *build,
                                                            const struct Google__Protobuf__Any *any)
{
    const ProtobufCMessage *message = nu_config_any(build->match.ctx, any);
    if (!message || message->descriptor != &envoy__config__route__v3__filter_config__descriptor)
        return NULL;
    return (const Envoy__Config__Route__V3__FilterConfig *)message;
}

void nu_build_filter(struct nu_route_build *build, struct nu_route_level *level, const char *name,
                     const struct Google__Protobuf__Any *config)
{
    const struct nu_route_factory *factory = build->factory;
    const Envoy__Config__Route__V3__FilterConfig *wrapper = unwrap(build, config);
    struct nu_filter_setting setting = {.name = nu_build_dup(build, name)};
    bool is_optional = wrapper && wrapper->is_optional;
    setting.is_disabled = wrapper && wrapper->disabled;
    if (wrapper)
        config = wrapper->config;
    if (wrapper && !wrapper->disabled && !config) {
        nu_config_error(build->match.ctx, wrapper, NULL,
                        "Empty route/virtual host per filter configuration for %s filter", name);
        return;
    }
    if (setting.is_disabled && factory->filter_disabled)
        factory->filter_disabled(factory->context, name, wrapper);
    else if (!setting.is_disabled && factory->filter_config)
        setting.config =
            factory->filter_config(factory->context, build->match.arena, name, config, is_optional);
    if (setting.config || setting.is_disabled)
        level->filters.items[level->filters.count++] = setting;
}

struct nu_str nu_build_header_name(const struct nu_route_build *build, const char *text)
{
    struct nu_str name = nu_arena_dup(build->match.arena, nu_str_from(text));
    nu_header_name_lower(nu_unconst(name.ptr), name.len);
    return nu_str_eq(name, NU_STR("host")) ? NU_STR(":authority") : name;
}

/* --- Domains ---------------------------------------------------------------------------------- */

/* A domain that is already taken is an error, as is a second "*". */
static void report_duplicate(struct nu_route_build *build,
                             const Envoy__Config__Route__V3__VirtualHost *proto, size_t index,
                             struct nu_str domain)
{
    if (nu_str_eq(domain, NU_STR("*")))
        nu_config_error_at(build->match.ctx, proto, "domains", index,
                           "Only a single wildcard domain is permitted in route %.*s",
                           NU_STR_ARG(build->table->name));
    else
        nu_config_error_at(build->match.ctx, proto, "domains", index,
                           "Only unique values for domains are permitted. Duplicate entry of "
                           "domain %.*s in route %.*s",
                           NU_STR_ARG(domain), NU_STR_ARG(build->table->name));
}

/* Puts the host under the domain; false if that is taken. */
static bool put_domain(struct nu_route_table *table, struct nu_str domain,
                       struct nu_virtual_host_entry *host)
{
    struct nu_map *map = &table->exact_hosts;
    if (domain.len == 1 && domain.ptr[0] == '*') {
        bool is_free = !table->default_host;
        table->default_host = host;
        return is_free;
    }
    if (domain.len && domain.ptr[0] == '*') {
        map = &table->suffixes.hosts;
        domain = nu_str_skip(domain, 1);
    } else if (domain.len && domain.ptr[domain.len - 1] == '*') {
        map = &table->prefixes.hosts;
        domain = nu_str_first(domain, domain.len - 1);
    }
    return !nu_map_put(map, domain, host);
}

static void build_domains(struct nu_route_build *build, struct nu_virtual_host_entry *host,
                          const Envoy__Config__Route__V3__VirtualHost *proto)
{
    for (size_t i = 0; i < proto->n_domains; i++) {
        struct nu_str domain = nu_arena_dup(build->match.arena, nu_str_from(proto->domains[i]));
        nu_header_name_lower(nu_unconst(domain.ptr), domain.len);
        if (!put_domain(build->table, domain, host))
            report_duplicate(build, proto, i, domain);
    }
}

static int compare_lengths(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left > right ? -1 : left < right;
}

static void build_lengths(struct nu_wildcard_domains *domains, struct nu_arena *arena)
{
    uint32_t *lengths = nu_arena_alloc(arena, domains->hosts.count * sizeof(*lengths));
    uint32_t count = 0;
    nu_map_for_each(slot, &domains->hosts)
    {
        lengths[count++] = (uint32_t)slot->key.len;
    }
    qsort(lengths, count, sizeof(*lengths), compare_lengths);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || lengths[i] != lengths[i - 1])
            lengths[domains->length_count++] = lengths[i];
    }
    domains->lengths = lengths;
}

/* --- Virtual hosts ---------------------------------------------------------------------------- */

static void build_host_level(struct nu_route_build *build, struct nu_virtual_host_entry *host,
                             const Envoy__Config__Route__V3__VirtualHost *proto)
{
    host->level.request_edits = nu_build_edits(build, NU_EDITS_SOURCE(proto, request));
    host->level.response_edits = nu_build_edits(build, NU_EDITS_SOURCE(proto, response));
    nu_build_filters(build, &host->level, proto->n_typed_per_filter_config);
    for (size_t i = 0; i < proto->n_typed_per_filter_config; i++)
        nu_build_filter(build, &host->level, proto->typed_per_filter_config[i]->key,
                        proto->typed_per_filter_config[i]->value);
}

static enum nu_tls_requirement tls_of(const Envoy__Config__Route__V3__VirtualHost *proto)
{
    switch (proto->require_tls) {
    case ENVOY__CONFIG__ROUTE__V3__VIRTUAL_HOST__TLS_REQUIREMENT_TYPE__EXTERNAL_ONLY:
        return NU_TLS_REQUIRED_EXTERNALLY;
    case ENVOY__CONFIG__ROUTE__V3__VIRTUAL_HOST__TLS_REQUIREMENT_TYPE__ALL:
        return NU_TLS_REQUIRED;
    default:
        return NU_TLS_NOT_REQUIRED;
    }
}

/* The newer field goes before the older one, and of the older ones the virtual host's before the
 * route's, as with Envoy. */
static uint64_t body_limit(const Envoy__Config__Route__V3__VirtualHost *host,
                           const Envoy__Config__Route__V3__Route *route)
{
    if (route->request_body_buffer_limit)
        return route->request_body_buffer_limit->value;
    if (host->request_body_buffer_limit)
        return host->request_body_buffer_limit->value;
    if (host->per_request_buffer_limit_bytes)
        return host->per_request_buffer_limit_bytes->value;
    if (route->per_request_buffer_limit_bytes)
        return route->per_request_buffer_limit_bytes->value;
    return NU_ROUTE_NO_LIMIT;
}

/* --- Virtual clusters ------------------------------------------------------------------------- */

static struct nu_stat_set *create_stats(struct nu_route_build *build, const char *host,
                                        const char *kind, const char *name)
{
    const char *prefix = nu_arena_printf(build->match.arena, "vhost.%s.%s.%s", host, kind, name);
    return nu_stat_set_create(build->factory->stats, &nu_route_stats_table, nu_str_from(prefix));
}

static void build_virtual_cluster(struct nu_route_build *build,
                                  struct nu_virtual_cluster_entry *entry, const char *host,
                                  const Envoy__Config__Route__V3__VirtualCluster *proto)
{
    if (proto->n_headers == 0)
        nu_config_error(build->match.ctx, proto, "headers",
                        "virtual clusters must define 'headers'");
    else if (nu_header_matcher_list_from_protos(&build->match, proto->headers, proto->n_headers,
                                                &entry->headers))
        entry->cluster = (struct nu_virtual_cluster){
            .name = nu_build_dup(build, proto->name),
            .stats = create_stats(build, host, "vcluster", proto->name),
        };
}

static void build_virtual_clusters(struct nu_route_build *build, struct nu_virtual_host_entry *host,
                                   const Envoy__Config__Route__V3__VirtualHost *proto)
{
    size_t count = proto->n_virtual_clusters;
    if (count == 0)
        return;
    host->host.has_virtual_clusters = true;
    host->virtual_clusters =
        nu_arena_calloc(build->match.arena, (count + 1) * sizeof(*host->virtual_clusters));
    for (size_t i = 0; i < count; i++)
        build_virtual_cluster(build, &host->virtual_clusters[i], proto->name,
                              proto->virtual_clusters[i]);
    host->virtual_clusters[count].cluster.stats =
        create_stats(build, proto->name, "vcluster", "other");
}

/* --- Hosts ------------------------------------------------------------------------------------ */

static void build_host(struct nu_route_build *build, struct nu_virtual_host_entry *host,
                       const Envoy__Config__Route__V3__VirtualHost *proto)
{
    struct nu_arena *arena = build->match.arena;
    host->host.name = nu_build_dup(build, proto->name);
    host->host.metadata = nu_metadata_from_proto(proto->metadata, arena);
    host->host.include_request_attempt_count = proto->include_request_attempt_count;
    host->host.include_attempt_count_in_response = proto->include_attempt_count_in_response;
    host->host.include_is_timeout_retry_header = proto->include_is_timeout_retry_header;
    host->retry = nu_build_retry_policy(build, proto->retry_policy);
    host->hedges = proto->hedge_policy && proto->hedge_policy->hedge_on_per_try_timeout;
    host->mirrors =
        nu_build_mirrors(build, proto->request_mirror_policies, proto->n_request_mirror_policies);
    if (!host->mirrors)
        host->mirrors = build->mirrors;
    host->tls = tls_of(proto);
    build_host_level(build, host, proto);
    build_domains(build, host, proto);
    build_virtual_clusters(build, host, proto);
    host->route_count = (uint32_t)proto->n_routes;
    host->rules = nu_arena_calloc(arena, proto->n_routes * sizeof(*host->rules));
    host->routes = nu_arena_calloc(arena, proto->n_routes * sizeof(*host->routes));
    for (uint32_t i = 0; i < host->route_count; i++) {
        struct nu_route *route = &host->routes[i].route;
        nu_build_route(build, host, i, proto->routes[i]);
        route->body_limit = body_limit(proto, proto->routes[i]);
        if (proto->routes[i]->stat_prefix[0] && route->action == NU_ROUTE_CLUSTER)
            route->stats = create_stats(build, proto->name, "route", proto->routes[i]->stat_prefix);
    }
}

static void list_connect_routes(struct nu_virtual_host_entry *host, struct nu_arena *arena)
{
    for (uint32_t i = 0; i < host->route_count; i++)
        host->connect_count += host->rules[i].kind == NU_PATH_KIND_NONE;
    host->connect_routes = nu_arena_alloc(arena, host->connect_count * sizeof(uint32_t));
    uint32_t at = 0;
    for (uint32_t i = 0; i < host->route_count; i++) {
        if (host->rules[i].kind == NU_PATH_KIND_NONE)
            host->connect_routes[at++] = i;
    }
}

/* Only for a table without errors: a rule whose regex is wrong has none. */
static void index_routes(struct nu_route_table *table)
{
    for (size_t i = 0; i < table->virtual_host_count; i++) {
        struct nu_virtual_host_entry *host = &table->virtual_hosts[i];
        list_connect_routes(host, &table->arena);
        if (host->route_count > LINEAR_ROUTES_MAX)
            host->index = nu_path_index_create(&table->arena, host->rules, host->route_count);
    }
}

/* --- Table ------------------------------------------------------------------------------------ */

static void build_internal_only(struct nu_route_build *build,
                                const Envoy__Config__Route__V3__RouteConfiguration *proto)
{
    struct nu_route_table *table = build->table;
    table->internal_names = nu_arena_calloc(&table->arena, proto->n_internal_only_headers *
                                                               sizeof(*table->internal_names));
    for (size_t i = 0; i < proto->n_internal_only_headers; i++) {
        struct nu_str name = nu_build_header_name(build, proto->internal_only_headers[i]);
        enum nu_header_id id = nu_header_id_of(name);
        if (id)
            nu_header_set_add(&table->internal_ids, id);
        else
            table->internal_names[table->internal_count++] = name;
    }
}

static void build_table_level(struct nu_route_build *build,
                              const Envoy__Config__Route__V3__RouteConfiguration *proto)
{
    struct nu_route_level *level = &build->table->level;
    level->request_edits = nu_build_edits(build, NU_EDITS_SOURCE(proto, request));
    level->response_edits = nu_build_edits(build, NU_EDITS_SOURCE(proto, response));
    nu_build_filters(build, level, proto->n_typed_per_filter_config);
    for (size_t i = 0; i < proto->n_typed_per_filter_config; i++)
        nu_build_filter(build, level, proto->typed_per_filter_config[i]->key,
                        proto->typed_per_filter_config[i]->value);
    build_internal_only(build, proto);
}

static void build_hosts(struct nu_route_build *build,
                        const Envoy__Config__Route__V3__RouteConfiguration *proto)
{
    struct nu_route_table *table = build->table;
    table->virtual_host_count = proto->n_virtual_hosts;
    table->virtual_hosts =
        nu_arena_calloc(&table->arena, proto->n_virtual_hosts * sizeof(*table->virtual_hosts));
    for (size_t i = 0; i < proto->n_virtual_hosts; i++)
        build_host(build, &table->virtual_hosts[i], proto->virtual_hosts[i]);
    build_lengths(&table->suffixes, &table->arena);
    build_lengths(&table->prefixes, &table->arena);
}

static struct nu_route_table *create_table(void)
{
    struct nu_route_table *table = nu_calloc(1, sizeof(*table));
    nu_arena_init(&table->arena);
    return table;
}

struct nu_route_table *
nu_route_table_from_proto(const Envoy__Config__Route__V3__RouteConfiguration *proto,
                          const struct nu_route_factory *factory)
{
    size_t errors = factory->ctx->errors.count;
    struct nu_route_table *table = create_table();
    struct nu_route_build build = {
        .factory = factory,
        .match = {.ctx = factory->ctx, .arena = &table->arena, .runtime = factory->runtime},
        .table = table,
        .check_clusters = nu_bool_or(proto->validate_clusters, factory->validate_clusters),
        .max_body_bytes =
            nu_u32_or(proto->max_direct_response_body_size_bytes, DEFAULT_MAX_BODY_BYTES),
    };
    table->name = nu_build_dup(&build, proto->name);
    table->ignore_port = proto->ignore_port_in_host_matching;
    table->ignore_path_parameters = proto->ignore_path_parameters_in_path_matching;
    table->most_specific_wins = proto->most_specific_header_mutations_wins;
    build_table_level(&build, proto);
    build.mirrors =
        nu_build_mirrors(&build, proto->request_mirror_policies, proto->n_request_mirror_policies);
    build_hosts(&build, proto);
    if (factory->ctx->errors.count != errors)
        nu_route_table_destroy(&table);
    else
        index_routes(table);
    return table;
}
