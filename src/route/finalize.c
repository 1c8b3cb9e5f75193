/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a route does to headers: edits of every level, then the host, then the path. A route that
 * says nothing about headers costs one look at a flag.
 */
#include "format/format.h"
#include "http/joined.h"
#include "http/path.h"
#include "route/route_internal.h"

/* --- Edits ------------------------------------------------------------------------------------ */

enum direction { TO_UPSTREAM, TO_CLIENT };

static void apply_level(const struct nu_route_level *level, enum direction direction,
                        struct nu_headers *headers, const struct nu_format_context *context)
{
    if (direction == TO_UPSTREAM && level->request_edits)
        nu_header_edits_apply(level->request_edits, headers, &nu_joined_request_headers, context);
    if (direction == TO_CLIENT && level->response_edits)
        nu_header_edits_apply(level->response_edits, headers, &nu_joined_response_headers, context);
}

/* The route's own level and those above it, in the order that the table asks for. */
static void apply_levels(const struct nu_route_match *match, enum direction direction,
                         struct nu_headers *headers, const struct nu_format_context *context)
{
    const struct nu_route_entry *entry = nu_route_entry_of(match);
    const struct nu_route_level *own = &entry->level;
    const struct nu_route_level *top = &match->table->level;
    bool reversed = match->table->most_specific_wins;
    apply_level(reversed ? top : own, direction, headers, context);
    apply_level(&entry->virtual_host->level, direction, headers, context);
    apply_level(reversed ? own : top, direction, headers, context);
}

/* --- Host ------------------------------------------------------------------------------------- */

static void set_host(const struct nu_route *route, struct nu_headers *headers, struct nu_str host,
                     bool suppress_envoy_headers)
{
    struct nu_str old = nu_headers_get_id(headers, NU_HEADER_AUTHORITY);
    if (!suppress_envoy_headers)
        nu_headers_set_id(headers, NU_HEADER_X_ENVOY_ORIGINAL_HOST, old);
    if (route->append_x_forwarded_host)
        nu_headers_append_ref(headers, &nu_joined_request_headers, NU_HEADER_X_FORWARDED_HOST,
                              nu_header_name_of(NU_HEADER_X_FORWARDED_HOST), old);
    nu_headers_set_id(headers, NU_HEADER_AUTHORITY, host);
}

static struct nu_str replace(const struct nu_regex_rewrite *rewrite, struct nu_str text,
                             struct nu_arena *arena)
{
    struct nu_strbuf out = {0};
    nu_regex_replace_all(rewrite->regex, text, rewrite->substitution, &out);
    struct nu_str copy = nu_arena_dup(arena, nu_strbuf_str(&out));
    nu_strbuf_finish(&out);
    return copy;
}

/* The new host, or empty to keep the old one. */
static struct nu_str new_host(const struct nu_cluster_action *action,
                              const struct nu_headers *headers)
{
    switch (action->host_rewrite) {
    case NU_HOST_KEPT:
        break;
    case NU_HOST_LITERAL:
        return action->host;
    case NU_HOST_FROM_HEADER:
        return nu_headers_get(headers, action->host);
    case NU_HOST_FROM_PATH: {
        struct nu_str path = nu_headers_get_id(headers, NU_HEADER_PATH);
        path = nu_path_without_query_and_fragment(path);
        return replace(&action->host_regex, path, headers->arena);
    }
    }
    return nu_str_make(NULL, 0);
}

void nu_route_rewrite_host(const struct nu_route_match *match, struct nu_headers *headers,
                           struct nu_str host_name, bool suppress_envoy_headers)
{
    if (match->route && host_name.len)
        set_host(match->route, headers, host_name, suppress_envoy_headers);
}

/* --- Path ------------------------------------------------------------------------------------- */

/* How many bytes of a path without its query a prefix rewrite replaces. */
static size_t matched_len(const struct nu_path_rule *rule, struct nu_str path)
{
    if (rule->kind == NU_PATH_KIND_REGEX)
        return path.len;
    return nu_min_size(rule->text.len, path.len);
}

static struct nu_str rewritten(const struct nu_path_rule *rule,
                               const struct nu_path_rewrite *rewrite, struct nu_str path,
                               struct nu_arena *arena)
{
    struct nu_str bare = nu_path_without_query_and_fragment(path);
    struct nu_str rest = nu_str_skip(path, bare.len);
    if (rewrite->prefix.len)
        bare = nu_arena_concat(arena, rewrite->prefix, nu_str_skip(bare, matched_len(rule, bare)));
    else
        bare = replace(&rewrite->regex, bare, arena);
    if (bare.len == 0)
        bare = NU_STR("/");
    return rest.len ? nu_arena_concat(arena, bare, rest) : bare;
}

void nu_route_rewrite_path(const struct nu_path_rule *rule, const struct nu_path_rewrite *rewrite,
                           struct nu_headers *headers, bool suppress_envoy_headers)
{
    if (rewrite->prefix.len == 0 && !rewrite->regex.regex)
        return;
    struct nu_str old = nu_headers_get_id(headers, NU_HEADER_PATH);
    if (!suppress_envoy_headers)
        nu_headers_set_id(headers, NU_HEADER_X_ENVOY_ORIGINAL_PATH, old);
    nu_headers_set_id(headers, NU_HEADER_PATH, rewritten(rule, rewrite, old, headers->arena));
}

/* --- All of it -------------------------------------------------------------------------------- */

static __attribute__((noinline)) void change_request(const struct nu_route_match *match,
                                                     struct nu_headers *headers,
                                                     const struct nu_stream_info *info,
                                                     bool suppress_envoy_headers)
{
    const struct nu_route_entry *entry = nu_route_entry_of(match);
    const struct nu_weighted_cluster *weighted = match->weighted;
    struct nu_format_context context = {.request_headers = headers, .info = info};
    if (weighted) {
        apply_level(&weighted->level, TO_UPSTREAM, headers, &context);
        if (weighted->host_rewrite.len)
            nu_headers_set_id(headers, NU_HEADER_AUTHORITY, weighted->host_rewrite);
    }
    apply_levels(match, TO_UPSTREAM, headers, &context);
    if (entry->route.action != NU_ROUTE_CLUSTER)
        return;
    struct nu_str host = new_host(entry->cluster, headers);
    if (host.len)
        set_host(&entry->route, headers, host, suppress_envoy_headers);
    nu_route_rewrite_path(entry->rule, &entry->cluster->path_rewrite, headers,
                          suppress_envoy_headers);
}

void nu_route_finalize_request(const struct nu_route_match *match, struct nu_headers *headers,
                               const struct nu_stream_info *info, bool suppress_envoy_headers)
{
    const struct nu_route_entry *entry = nu_route_entry_of(match);
    if (entry && (entry->changes_request || match->weighted))
        change_request(match, headers, info, suppress_envoy_headers);
}

static __attribute__((noinline)) void change_response(const struct nu_route_match *match,
                                                      struct nu_headers *headers,
                                                      const struct nu_headers *request_headers,
                                                      const struct nu_stream_info *info)
{
    const struct nu_weighted_cluster *weighted = match->weighted;
    struct nu_format_context context = {
        .request_headers = request_headers,
        .response_headers = headers,
        .info = info,
    };
    if (weighted)
        apply_level(&weighted->level, TO_CLIENT, headers, &context);
    apply_levels(match, TO_CLIENT, headers, &context);
}

void nu_route_finalize_response(const struct nu_route_match *match, struct nu_headers *headers,
                                const struct nu_headers *request_headers,
                                const struct nu_stream_info *info)
{
    const struct nu_route_entry *entry = nu_route_entry_of(match);
    if (entry && (entry->changes_response || match->weighted))
        change_response(match, headers, request_headers, info);
}
