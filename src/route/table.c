/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking requests up. A table with only the domain "*" needs no look at the host; a virtual host
 * with few routes none at the index.
 */
#include "http/authority.h"
#include "http/grpc.h"
#include "http/path.h"
#include "route/route_internal.h"

#include "base/alloc.h"

/* --- Life ------------------------------------------------------------------------------------- */

void nu_route_table_destroy(struct nu_route_table **table)
{
    struct nu_route_table *own = *table;
    *table = NULL;
    if (!own)
        return;
    nu_map_finish(&own->exact_hosts);
    nu_map_finish(&own->suffixes.hosts);
    nu_map_finish(&own->prefixes.hosts);
    nu_arena_finish(&own->arena);
    nu_free(own);
}

void nu_route_table_remove_internal(const struct nu_route_table *table, struct nu_headers *headers)
{
    if (nu_headers_has_any(headers, &table->internal_ids))
        nu_headers_remove_set(headers, &table->internal_ids);
    for (size_t i = 0; i < table->internal_count; i++)
        nu_headers_remove(headers, table->internal_names[i]);
}

/* --- Virtual hosts ---------------------------------------------------------------------------- */

/* The longest domain wins; what '*' stands for has at least one character. */
static const struct nu_virtual_host_entry *find_suffix(const struct nu_wildcard_domains *domains,
                                                       struct nu_str host)
{
    for (uint32_t i = 0; i < domains->length_count; i++) {
        uint32_t len = domains->lengths[i];
        if (len >= host.len)
            continue;
        const struct nu_virtual_host_entry *found =
            nu_map_get(&domains->hosts, nu_str_skip(host, host.len - len));
        if (found)
            return found;
    }
    return NULL;
}

static const struct nu_virtual_host_entry *find_prefix(const struct nu_wildcard_domains *domains,
                                                       struct nu_str host)
{
    for (uint32_t i = 0; i < domains->length_count; i++) {
        uint32_t len = domains->lengths[i];
        if (len >= host.len)
            continue;
        const struct nu_virtual_host_entry *found =
            nu_map_get(&domains->hosts, nu_str_first(host, len));
        if (found)
            return found;
    }
    return NULL;
}

static const struct nu_virtual_host_entry *find_virtual_host(const struct nu_route_table *table,
                                                             const struct nu_headers *headers)
{
    if (table->exact_hosts.count == 0 && table->suffixes.length_count == 0 &&
        table->prefixes.length_count == 0)
        return table->default_host;
    struct nu_str host = nu_headers_get_id(headers, NU_HEADER_AUTHORITY);
    if (table->ignore_port)
        host = nu_str_first(host, nu_authority_port_colon(host));
    host = nu_authority_lower(headers->arena, host);
    const struct nu_virtual_host_entry *found = nu_map_get(&table->exact_hosts, host);
    if (!found)
        found = find_suffix(&table->suffixes, host);
    if (!found)
        found = find_prefix(&table->prefixes, host);
    return found ? found : table->default_host;
}

static bool needs_tls(const struct nu_virtual_host_entry *host, const struct nu_headers *headers)
{
    if (nu_likely(host->tls == NU_TLS_NOT_REQUIRED))
        return false;
    if (nu_str_eq(nu_headers_get_id(headers, NU_HEADER_X_FORWARDED_PROTO), NU_STR("https")))
        return false;
    return host->tls == NU_TLS_REQUIRED ||
           !nu_str_eq(nu_headers_get_id(headers, NU_HEADER_X_ENVOY_INTERNAL), NU_STR("true"));
}

/* --- Routes ----------------------------------------------------------------------------------- */

/* The part of a `:path` that routes look at. */
static struct nu_str path_to_match(const struct nu_route_table *table, struct nu_str path)
{
    path = nu_path_without_query_and_fragment(path);
    return table->ignore_path_parameters ? nu_path_without_parameters(path) : path;
}

static bool conditions_hold(const struct nu_route_conditions *conditions,
                            const struct nu_route_input *input, struct nu_str path)
{
    const struct nu_headers *headers = input->headers;
    if (conditions->has_share &&
        !nu_runtime_share_has(&conditions->share, input->runtime, input->random))
        return false;
    if (conditions->is_grpc &&
        !nu_grpc_is_content_type(nu_headers_get_id(headers, NU_HEADER_CONTENT_TYPE)))
        return false;
    return nu_header_matches_all(&conditions->headers, headers) &&
           nu_query_matches_all(&conditions->query, path);
}

static bool entry_holds(const struct nu_route_entry *entry, const struct nu_route_input *input,
                        struct nu_str path)
{
    return !entry->conditions || conditions_hold(entry->conditions, input, path);
}

/* Out of line for the sake of its frame, which routes without an index do not need. */
static NU_NOINLINE const struct nu_route_entry *
find_indexed(const struct nu_virtual_host_entry *host, const struct nu_route_input *input,
             struct nu_str path, struct nu_str match_path)
{
    struct nu_path_walk walk;
    uint32_t number;
    nu_path_walk_start(&walk, host->index, match_path);
    while (nu_path_walk_next(&walk, &number)) {
        if (entry_holds(&host->routes[number], input, path))
            return &host->routes[number];
    }
    return NULL;
}

/* A request without a path is a CONNECT. */
static NU_NOINLINE const struct nu_route_entry *
find_connect(const struct nu_virtual_host_entry *host, const struct nu_route_input *input)
{
    for (uint32_t i = 0; i < host->connect_count; i++) {
        const struct nu_route_entry *entry = &host->routes[host->connect_routes[i]];
        if (entry_holds(entry, input, nu_str_make(NULL, 0)))
            return entry;
    }
    return NULL;
}

static const struct nu_route_entry *find_route(const struct nu_route_table *table,
                                               const struct nu_virtual_host_entry *host,
                                               const struct nu_route_input *input)
{
    struct nu_str path = nu_headers_get_id(input->headers, NU_HEADER_PATH);
    if (nu_unlikely(!path.ptr))
        return find_connect(host, input);
    struct nu_str match_path = path_to_match(table, path);
    if (host->index)
        return find_indexed(host, input, path, match_path);
    for (uint32_t i = 0; i < host->route_count; i++) {
        if (nu_path_rule_holds(&host->rules[i], match_path) &&
            entry_holds(&host->routes[i], input, path))
            return &host->routes[i];
    }
    return NULL;
}

static const struct nu_weighted_cluster *pick_weighted(const struct nu_cluster_action *action,
                                                       uint64_t random)
{
    uint64_t selected = random % action->total_weight;
    const struct nu_weighted_cluster *cluster = action->weighted;
    while (selected >= cluster->weight_end)
        cluster++;
    return cluster;
}

static void pick_cluster(const struct nu_cluster_action *action, const struct nu_route_input *input,
                         struct nu_route_match *match)
{
    switch (action->source) {
    case NU_CLUSTER_NAMED:
        match->cluster = action->cluster;
        break;
    case NU_CLUSTER_BY_HEADER:
        match->cluster = nu_headers_get(input->headers, action->cluster);
        break;
    case NU_CLUSTER_WEIGHTED: {
        const struct nu_weighted_cluster *weighted = pick_weighted(action, input->random);
        match->weighted = weighted;
        match->cluster = weighted->name;
        break;
    }
    }
}

bool nu_route_table_match(const struct nu_route_table *table, const struct nu_route_input *input,
                          struct nu_route_match *match)
{
    *match = (struct nu_route_match){.table = table};
    const struct nu_virtual_host_entry *host = find_virtual_host(table, input->headers);
    if (!host)
        return false;
    match->virtual_host = &host->host;
    if (nu_unlikely(!nu_headers_get_id(input->headers, NU_HEADER_X_FORWARDED_PROTO).len))
        return false; /* Envoy finds no route for a request that has none */
    if (needs_tls(host, input->headers)) {
        match->needs_tls = true;
        return true;
    }
    const struct nu_route_entry *entry = find_route(table, host, input);
    if (!entry)
        return false;
    match->route = &entry->route;
    if (entry->route.action == NU_ROUTE_CLUSTER)
        pick_cluster(entry->cluster, input, match);
    return true;
}

const struct nu_virtual_cluster *nu_route_virtual_cluster(const struct nu_route_match *match,
                                                          const struct nu_headers *headers)
{
    const struct nu_virtual_host_entry *host = nu_route_entry_of(match)->virtual_host;
    const struct nu_virtual_cluster_entry *entry = host->virtual_clusters;
    /* The last one has no conditions. */
    while (!nu_header_matches_all(&entry->headers, headers))
        entry++;
    return &entry->cluster;
}

/* --- Filter configurations -------------------------------------------------------------------- */

const struct nu_value *nu_route_criteria(const struct nu_route_match *match)
{
    const struct nu_weighted_cluster *weighted = match->weighted;
    if (weighted)
        return weighted->criteria;
    const struct nu_route_entry *entry = nu_route_entry_of(match);
    return entry && entry->route.action == NU_ROUTE_CLUSTER ? entry->cluster->criteria : NULL;
}

bool nu_route_has_filter_configs(const struct nu_route_match *match)
{
    const struct nu_weighted_cluster *weighted = match->weighted;
    if (!match->route)
        return false;
    return nu_route_entry_of(match)->has_filters || (weighted && weighted->level.filters.count);
}

static const struct nu_filter_setting *find_setting(const struct nu_filter_settings *settings,
                                                    struct nu_str name)
{
    for (size_t i = 0; i < settings->count; i++) {
        if (nu_str_eq(settings->items[i].name, name))
            return &settings->items[i];
    }
    return NULL;
}

/* The levels of a match that has filter configs, the most specific one last; how many there are. */
static size_t levels_of(const struct nu_route_match *match,
                        const struct nu_route_level *levels[NU_ROUTE_LEVELS])
{
    const struct nu_route_entry *entry = nu_route_entry_of(match);
    const struct nu_weighted_cluster *weighted = match->weighted;
    size_t count = 0;
    levels[count++] = &match->table->level;
    levels[count++] = &entry->virtual_host->level;
    levels[count++] = &entry->level;
    if (weighted)
        levels[count++] = &weighted->level;
    return count;
}

size_t nu_route_filter_configs(const struct nu_route_match *match, struct nu_str name,
                               const void *out[NU_ROUTE_LEVELS])
{
    const struct nu_route_level *levels[NU_ROUTE_LEVELS];
    if (!nu_route_has_filter_configs(match))
        return 0;
    size_t level_count = levels_of(match, levels);
    size_t count = 0;
    for (size_t i = 0; i < level_count; i++) {
        const struct nu_filter_setting *setting = find_setting(&levels[i]->filters, name);
        if (setting && setting->config)
            out[count++] = setting->config;
    }
    return count;
}

NU_NOINLINE const void *nu_route_filter_config(const struct nu_route_match *match,
                                               struct nu_str name, bool *disabled)
{
    const struct nu_route_level *levels[NU_ROUTE_LEVELS];
    if (!nu_route_has_filter_configs(match))
        return NULL;
    for (size_t i = levels_of(match, levels); i-- > 0;) {
        const struct nu_filter_setting *setting = find_setting(&levels[i]->filters, name);
        if (!setting)
            continue;
        *disabled = setting->is_disabled;
        return setting->config;
    }
    return NULL;
}
