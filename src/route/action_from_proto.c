/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling the actions of routes. */
#include "config/values.h"
#include "format/format_from_proto.h"
#include "http/lb_criteria.h"
#include "http/metadata_from_proto.h"
#include "match/hash_policy.h"
#include "route/build_internal.h"
#include "route/retry_policy.h"

#define CLUSTER(name) ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__CLUSTER_SPECIFIER_##name
#define HOST(name) ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__HOST_REWRITE_SPECIFIER_##name
#define SCHEME(name) ENVOY__CONFIG__ROUTE__V3__REDIRECT_ACTION__SCHEME_REWRITE_SPECIFIER_##name
#define PATH(name) ENVOY__CONFIG__ROUTE__V3__REDIRECT_ACTION__PATH_REWRITE_SPECIFIER_##name

enum { DEFAULT_TIMEOUT_MS = 15000 };

typedef Envoy__Config__Route__V3__RouteAction action_proto;
typedef Envoy__Config__Route__V3__WeightedCluster__ClusterWeight weight_proto;

/* --- Clusters --------------------------------------------------------------------------------- */

bool nu_build_knows_cluster(const struct nu_route_build *build, struct nu_str cluster)
{
    const struct nu_route_factory *factory = build->factory;
    return !build->check_clusters || !factory->has_cluster ||
           factory->has_cluster(factory->context, cluster);
}

static const struct nu_value *build_criteria(struct nu_route_build *build,
                                             const Envoy__Config__Core__V3__Metadata *proto)
{
    return nu_lb_criteria_of(nu_metadata_from_proto(proto, build->match.arena));
}

static void build_weighted(struct nu_route_build *build, struct nu_weighted_cluster *cluster,
                           const struct nu_cluster_action *action, const weight_proto *proto)
{
    struct nu_config_ctx *ctx = build->match.ctx;
    cluster->name = nu_build_dup(build, proto->name);
    if (cluster->name.len == 0)
        nu_config_error(ctx, proto, "name",
                        "At least one of name or cluster_header need to be specified");
    else if (!nu_build_knows_cluster(build, cluster->name))
        nu_config_error(ctx, proto, "name", "route: unknown weighted cluster '%s'", proto->name);
    if (!proto->weight)
        nu_config_error(ctx, proto, "weight", "Field 'weight' is missing in: name: \"%s\"",
                        proto->name);
    if (proto->host_rewrite_specifier_case ==
        ENVOY__CONFIG__ROUTE__V3__WEIGHTED_CLUSTER__CLUSTER_WEIGHT__HOST_REWRITE_SPECIFIER_HOST_REWRITE_LITERAL)
        cluster->host_rewrite = nu_build_dup(build, proto->host_rewrite_literal);
    cluster->criteria = nu_lb_criteria_merge(
        action->criteria, build_criteria(build, proto->metadata_match), build->match.arena);
    struct nu_route_level *level = &cluster->level;
    level->request_edits = nu_build_edits(build, NU_EDITS_SOURCE(proto, request));
    level->response_edits = nu_build_edits(build, NU_EDITS_SOURCE(proto, response));
    nu_build_filters(build, level, proto->n_typed_per_filter_config);
    for (size_t i = 0; i < proto->n_typed_per_filter_config; i++)
        nu_build_filter(build, level, proto->typed_per_filter_config[i]->key,
                        proto->typed_per_filter_config[i]->value);
}

static void build_weights(struct nu_route_build *build, struct nu_cluster_action *action,
                          const struct nu_route *route,
                          const Envoy__Config__Route__V3__WeightedCluster *proto)
{
    action->weighted_count = proto->n_clusters;
    action->weighted =
        nu_arena_calloc(build->match.arena, proto->n_clusters * sizeof(*action->weighted));
    bool is_complete = true;
    for (size_t i = 0; i < proto->n_clusters; i++) {
        build_weighted(build, &action->weighted[i], action, proto->clusters[i]);
        is_complete &= proto->clusters[i]->weight != NULL;
        action->total_weight += nu_u32_or(proto->clusters[i]->weight, 0);
        action->weighted[i].weight_end = action->total_weight;
    }
    if (action->total_weight == 0 && is_complete)
        nu_config_error(build->match.ctx, proto, "clusters",
                        "Sum of weights in the weighted_cluster must be greater than 0.");
    if (action->total_weight > UINT32_MAX)
        nu_config_error(build->match.ctx, proto, "clusters",
                        "The sum of weights of all weighted clusters of route %.*s exceeds %u",
                        NU_STR_ARG(route->name), UINT32_MAX);
}

static void build_source(struct nu_route_build *build, struct nu_cluster_action *action,
                         const struct nu_route *route, const action_proto *proto)
{
    switch (proto->cluster_specifier_case) {
    case CLUSTER(CLUSTER):
        action->source = NU_CLUSTER_NAMED;
        action->cluster = nu_build_dup(build, proto->cluster);
        if (!nu_build_knows_cluster(build, action->cluster))
            nu_config_error(build->match.ctx, proto, "cluster", "route: unknown cluster '%s'",
                            proto->cluster);
        break;
    case CLUSTER(CLUSTER_HEADER):
        action->source = NU_CLUSTER_BY_HEADER;
        action->cluster = nu_build_header_name(build, proto->cluster_header);
        break;
    case CLUSTER(WEIGHTED_CLUSTERS):
        action->source = NU_CLUSTER_WEIGHTED;
        build_weights(build, action, route, proto->weighted_clusters);
        break;
    default:
        nu_config_error(build->match.ctx, proto, NULL, "a cluster is required");
    }
}

/* --- Rewrites --------------------------------------------------------------------------------- */

static void build_host_rewrite(struct nu_route_build *build, struct nu_cluster_action *action,
                               struct nu_route *route, const action_proto *proto)
{
    switch (proto->host_rewrite_specifier_case) {
    case HOST(HOST_REWRITE_LITERAL):
        action->host_rewrite = NU_HOST_LITERAL;
        action->host = nu_build_dup(build, proto->host_rewrite_literal);
        break;
    case HOST(AUTO_HOST_REWRITE):
        route->auto_host_rewrite = nu_bool_or(proto->auto_host_rewrite, false);
        break;
    case HOST(HOST_REWRITE_HEADER):
        action->host_rewrite = NU_HOST_FROM_HEADER;
        action->host = nu_build_header_name(build, proto->host_rewrite_header);
        break;
    case HOST(HOST_REWRITE_PATH_REGEX):
        action->host_rewrite = NU_HOST_FROM_PATH;
        nu_regex_rewrite_from_proto(&build->match, proto->host_rewrite_path_regex,
                                    &action->host_regex);
        break;
    default:
        break;
    }
}

static void build_path_rewrite(struct nu_route_build *build, struct nu_cluster_action *action,
                               const action_proto *proto)
{
    struct nu_path_rewrite *rewrite = &action->path_rewrite;
    rewrite->prefix = nu_build_dup(build, proto->prefix_rewrite);
    if (proto->regex_rewrite)
        nu_regex_rewrite_from_proto(&build->match, proto->regex_rewrite, &rewrite->regex);
    if (rewrite->prefix.len && proto->regex_rewrite)
        nu_config_error(build->match.ctx, proto, "regex_rewrite",
                        "Specify only one of prefix_rewrite, regex_rewrite or "
                        "path_rewrite_policy");
}

/* --- Timeouts --------------------------------------------------------------------------------- */

static struct nu_route_duration duration(struct nu_route_build *build, const void *owner,
                                         const char *field, const Google__Protobuf__Duration *proto)
{
    return (struct nu_route_duration){
        .ms = nu_config_duration_ms(build->match.ctx, owner, field, proto, 0),
        .is_set = proto != NULL,
    };
}

static void build_timeouts(struct nu_route_build *build, struct nu_route *route,
                           const action_proto *proto)
{
    const Envoy__Config__Route__V3__RouteAction__MaxStreamDuration *max =
        proto->max_stream_duration;
    route->timeout_ms = nu_config_duration_ms(build->match.ctx, proto, "timeout", proto->timeout,
                                              DEFAULT_TIMEOUT_MS);
    route->idle_timeout = duration(build, proto, "idle_timeout", proto->idle_timeout);
    route->flush_timeout = duration(build, proto, "flush_timeout", proto->flush_timeout);
    route->max_grpc_timeout = duration(build, proto, "max_grpc_timeout", proto->max_grpc_timeout);
    route->max_grpc_timeout_offset_ms = nu_config_duration_ms(
        build->match.ctx, proto, "grpc_timeout_offset", proto->grpc_timeout_offset, 0);
    if (!max)
        return;
    route->has_duration_rules = true;
    route->timeout_ms = 0;
    route->max_stream_duration =
        duration(build, max, "max_stream_duration", max->max_stream_duration);
    route->grpc_timeout_max =
        duration(build, max, "grpc_timeout_header_max", max->grpc_timeout_header_max);
    route->grpc_timeout_offset =
        duration(build, max, "grpc_timeout_header_offset", max->grpc_timeout_header_offset);
}

/* --- Upgrades --------------------------------------------------------------------------------- */

static void build_connect(struct nu_route_build *build, struct nu_route *route,
                          const Envoy__Config__Route__V3__RouteAction__UpgradeConfig *proto)
{
    const Envoy__Config__Route__V3__RouteAction__UpgradeConfig__ConnectConfig *config =
        proto->connect_config;
    if (!config)
        return;
    if (!nu_str_eq_nocase(nu_str_from(proto->upgrade_type), NU_STR("CONNECT"))) {
        nu_config_error(build->match.ctx, proto, "connect_config",
                        "Non-CONNECT upgrade type %s has ConnectConfig", proto->upgrade_type);
        return;
    }
    struct nu_route_connect *connect = nu_arena_calloc(build->match.arena, sizeof(*connect));
    connect->allow_post = config->allow_post;
    if (config->proxy_protocol_config)
        connect->proxy_version = config->proxy_protocol_config->version ==
                                         ENVOY__CONFIG__CORE__V3__PROXY_PROTOCOL_CONFIG__VERSION__V2
                                     ? 2
                                     : 1;
    route->connect = connect;
}

static void build_upgrade(struct nu_route_build *build, struct nu_route_upgrade *upgrades,
                          size_t index,
                          const Envoy__Config__Route__V3__RouteAction__UpgradeConfig *proto)
{
    struct nu_str type = nu_build_dup(build, proto->upgrade_type);
    upgrades[index] = (struct nu_route_upgrade){type, nu_bool_or(proto->enabled, true)};
    if (nu_str_eq_nocase(type, NU_STR("CONNECT-UDP")))
        nu_config_error(build->match.ctx, proto, "upgrade_type",
                        "CONNECT-UDP is known to Envoy, not implemented by nuncio");
    for (size_t i = 0; i < index; i++) {
        if (nu_str_eq_nocase(upgrades[i].type, type))
            nu_config_error(build->match.ctx, proto, "upgrade_type", "Duplicate upgrade %s",
                            proto->upgrade_type);
    }
}

static void build_upgrades(struct nu_route_build *build, struct nu_route *route,
                           const action_proto *proto)
{
    size_t count = proto->n_upgrade_configs;
    struct nu_route_upgrade *upgrades =
        nu_arena_alloc(build->match.arena, count * sizeof(*upgrades));
    for (size_t i = 0; i < count; i++) {
        build_upgrade(build, upgrades, i, proto->upgrade_configs[i]);
        build_connect(build, route, proto->upgrade_configs[i]);
    }
    route->upgrades = upgrades;
    route->upgrade_count = count;
}

/* --- Retries ---------------------------------------------------------------------------------- */

static void build_retries(struct nu_route_build *build, struct nu_route_entry *entry,
                          const action_proto *proto)
{
    const struct nu_virtual_host_entry *host = entry->virtual_host;
    entry->route.retry =
        proto->retry_policy ? nu_build_retry_policy(build, proto->retry_policy) : host->retry;
    entry->route.hedges =
        proto->hedge_policy ? proto->hedge_policy->hedge_on_per_try_timeout : host->hedges;
}

/* Computed once, since most requests change nothing of it. */
static void build_rules(struct nu_route_build *build, struct nu_route *route)
{
    if (route->retry) {
        struct nu_retry_rules *rules = nu_arena_alloc(build->match.arena, sizeof(*rules));
        nu_retry_rules_init(rules, route->retry, route->hedges, route->timeout_ms);
        route->rules = nu_retry_rules_are_plain(rules) ? NULL : rules;
    }
    route->looks_at_requests =
        route->max_grpc_timeout.is_set || (route->retry && route->retry->request_header_count);
    uint64_t expected = nu_retry_expected_ms(route->rules, route->timeout_ms);
    if (expected)
        route->expected_text =
            nu_str_from(nu_arena_printf(build->match.arena, "%llu", (unsigned long long)expected));
}

static uint32_t not_found_status(const action_proto *proto)
{
    switch (proto->cluster_not_found_response_code) {
    case ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__CLUSTER_NOT_FOUND_RESPONSE_CODE__NOT_FOUND:
        return 404;
    case ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__CLUSTER_NOT_FOUND_RESPONSE_CODE__INTERNAL_SERVER_ERROR:
        return 500;
    default:
        return 503;
    }
}

void nu_build_cluster_action(struct nu_route_build *build, struct nu_route_entry *entry,
                             const action_proto *proto)
{
    struct nu_route *route = &entry->route;
    struct nu_cluster_action *action = nu_arena_calloc(build->match.arena, sizeof(*action));
    entry->cluster = action;
    route->action = NU_ROUTE_CLUSTER;
    route->cluster_not_found_status = not_found_status(proto);
    route->is_high_priority = proto->priority == ENVOY__CONFIG__CORE__V3__ROUTING_PRIORITY__HIGH;
    route->append_x_forwarded_host = proto->append_x_forwarded_host;
    action->criteria = build_criteria(build, proto->metadata_match);
    build_source(build, action, route, proto);
    build_host_rewrite(build, action, route, proto);
    build_path_rewrite(build, action, proto);
    build_timeouts(build, route, proto);
    build_upgrades(build, route, proto);
    route->hash_policy =
        nu_hash_policy_from_protos(&build->match, proto->hash_policy, proto->n_hash_policy);
    build_retries(build, entry, proto);
    build_rules(build, route);
    route->internal_redirect = nu_build_internal_redirect(build, proto);
    route->mirrors =
        nu_build_mirrors(build, proto->request_mirror_policies, proto->n_request_mirror_policies);
    if (!route->mirrors)
        route->mirrors = entry->virtual_host->mirrors;
    entry->changes_request |= action->host_rewrite != NU_HOST_KEPT ||
                              action->path_rewrite.prefix.len || action->path_rewrite.regex.regex;
}

/* --- Redirects -------------------------------------------------------------------------------- */

static uint32_t redirect_status(const Envoy__Config__Route__V3__RedirectAction *proto)
{
    switch (proto->response_code) {
    case ENVOY__CONFIG__ROUTE__V3__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE__FOUND:
        return 302;
    case ENVOY__CONFIG__ROUTE__V3__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE__SEE_OTHER:
        return 303;
    case ENVOY__CONFIG__ROUTE__V3__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE__TEMPORARY_REDIRECT:
        return 307;
    case ENVOY__CONFIG__ROUTE__V3__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE__PERMANENT_REDIRECT:
        return 308;
    default:
        return 301;
    }
}

static void build_redirect_scheme(struct nu_route_build *build, struct nu_redirect_action *redirect,
                                  const Envoy__Config__Route__V3__RedirectAction *proto)
{
    if (proto->scheme_rewrite_specifier_case == SCHEME(SCHEME_REDIRECT))
        redirect->scheme = nu_build_dup(build, proto->scheme_redirect);
    else if (proto->scheme_rewrite_specifier_case == SCHEME(HTTPS_REDIRECT) &&
             proto->https_redirect)
        redirect->scheme = NU_STR("https");
}

static void build_redirect_path(struct nu_route_build *build, struct nu_redirect_action *redirect,
                                const Envoy__Config__Route__V3__RedirectAction *proto)
{
    switch (proto->path_rewrite_specifier_case) {
    case PATH(PATH_REDIRECT):
        redirect->path = nu_build_dup(build, proto->path_redirect);
        redirect->path_has_query = nu_str_find_char(redirect->path, '?') != NU_NPOS;
        break;
    case PATH(PREFIX_REWRITE):
        redirect->path_rewrite.prefix = nu_build_dup(build, proto->prefix_rewrite);
        break;
    case PATH(REGEX_REWRITE):
        nu_regex_rewrite_from_proto(&build->match, proto->regex_rewrite,
                                    &redirect->path_rewrite.regex);
        break;
    default:
        break;
    }
}

void nu_build_redirect(struct nu_route_build *build, struct nu_route_entry *entry,
                       const Envoy__Config__Route__V3__RedirectAction *proto)
{
    struct nu_redirect_action *redirect = nu_arena_calloc(build->match.arena, sizeof(*redirect));
    entry->redirect = redirect;
    entry->route.action = NU_ROUTE_REDIRECT;
    entry->route.status = redirect_status(proto);
    build_redirect_scheme(build, redirect, proto);
    redirect->host = nu_build_dup(build, proto->host_redirect);
    if (proto->port_redirect)
        redirect->port =
            nu_str_from(nu_arena_printf(build->match.arena, ":%u", proto->port_redirect));
    build_redirect_path(build, redirect, proto);
    redirect->strip_query = proto->strip_query;
}

/* --- Direct responses ------------------------------------------------------------------------- */

void nu_build_direct(struct nu_route_build *build, struct nu_route_entry *entry,
                     const Envoy__Config__Route__V3__DirectResponseAction *proto)
{
    struct nu_config_ctx *ctx = build->match.ctx;
    struct nu_direct_action *direct = nu_arena_calloc(build->match.arena, sizeof(*direct));
    struct nu_str body = nu_str_make(NULL, 0);
    entry->direct = direct;
    entry->route.action = NU_ROUTE_DIRECT_RESPONSE;
    entry->route.status = proto->status;
    if (proto->body && nu_config_data_source(ctx, proto->body, &body)) {
        if (build->max_body_bytes && body.len > build->max_body_bytes)
            nu_config_error(ctx, proto, "body", "response body size is %zu bytes; maximum is %u",
                            body.len, build->max_body_bytes);
        direct->body = nu_arena_dup(build->match.arena, body);
    }
    struct nu_format_string format;
    if (proto->body_format &&
        nu_format_string_from_proto(ctx, proto->body_format, build->match.arena, &format)) {
        direct->format = format.formatter;
        direct->content_type = nu_arena_dup(build->match.arena, format.content_type);
    }
}
