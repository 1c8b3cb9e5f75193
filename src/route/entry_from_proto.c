/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling routes: what they match. Their actions are in action_from_proto.c. */
#include "config/values.h"
#include "http/metadata_from_proto.h"
#include "route/build_internal.h"

#define PATH(name) ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER_##name
#define ACTION(name) ENVOY__CONFIG__ROUTE__V3__ROUTE__ACTION_##name

static void build_rule(struct nu_route_build *build, struct nu_path_rule *rule,
                       const Envoy__Config__Route__V3__RouteMatch *proto)
{
    rule->ignore_case = !nu_bool_or(proto->case_sensitive, true);
    switch (proto->path_specifier_case) {
    case PATH(PREFIX):
        rule->kind = NU_PATH_KIND_PREFIX;
        rule->text = nu_build_dup(build, proto->prefix);
        break;
    case PATH(PATH):
        rule->kind = NU_PATH_KIND_EXACT;
        rule->text = nu_build_dup(build, proto->path);
        break;
    case PATH(PATH_SEPARATED_PREFIX):
        rule->kind = NU_PATH_KIND_SEPARATED;
        rule->text = nu_build_dup(build, proto->path_separated_prefix);
        break;
    case PATH(SAFE_REGEX):
        rule->kind = NU_PATH_KIND_REGEX;
        rule->ignore_case = false;
        rule->regex = nu_regex_from_proto(&build->match, proto->safe_regex);
        break;
    case PATH(CONNECT_MATCHER):
        rule->kind = NU_PATH_KIND_NONE;
        rule->ignore_case = false;
        break;
    default:
        nu_config_error(build->match.ctx, proto, NULL, "a condition on the path is required");
    }
}

static const struct nu_route_conditions *
build_conditions(struct nu_route_build *build, const Envoy__Config__Route__V3__RouteMatch *proto)
{
    if (!proto->n_headers && !proto->n_query_parameters && !proto->runtime_fraction && !proto->grpc)
        return NULL;
    struct nu_route_conditions *conditions =
        nu_arena_calloc(build->match.arena, sizeof(*conditions));
    bool ok = nu_header_matcher_list_from_protos(&build->match, proto->headers, proto->n_headers,
                                                 &conditions->headers);
    ok &= nu_query_matcher_list_from_protos(&build->match, proto->query_parameters,
                                            proto->n_query_parameters, &conditions->query);
    conditions->is_grpc = proto->grpc != NULL;
    conditions->has_share = proto->runtime_fraction != NULL;
    if (proto->runtime_fraction)
        conditions->share =
            nu_runtime_share_from_proto(proto->runtime_fraction, build->match.arena);
    return ok ? conditions : NULL;
}

static void build_level(struct nu_route_build *build, struct nu_route_entry *entry,
                        const Envoy__Config__Route__V3__Route *proto)
{
    const struct nu_route_level *host = &entry->virtual_host->level;
    const struct nu_route_level *top = &build->table->level;
    struct nu_route_level *own = &entry->level;
    own->request_edits = nu_build_edits(build, NU_EDITS_SOURCE(proto, request));
    own->response_edits = nu_build_edits(build, NU_EDITS_SOURCE(proto, response));
    nu_build_filters(build, own, proto->n_typed_per_filter_config);
    for (size_t i = 0; i < proto->n_typed_per_filter_config; i++)
        nu_build_filter(build, own, proto->typed_per_filter_config[i]->key,
                        proto->typed_per_filter_config[i]->value);
    entry->changes_request = own->request_edits || host->request_edits || top->request_edits;
    entry->changes_response = own->response_edits || host->response_edits || top->response_edits;
    entry->has_filters = own->filters.count || host->filters.count || top->filters.count;
}

static void build_action(struct nu_route_build *build, struct nu_route_entry *entry,
                         const Envoy__Config__Route__V3__Route *proto)
{
    switch (proto->action_case) {
    case ACTION(ROUTE):
        nu_build_cluster_action(build, entry, proto->route);
        break;
    case ACTION(REDIRECT):
        nu_build_redirect(build, entry, proto->redirect);
        break;
    case ACTION(DIRECT_RESPONSE):
        nu_build_direct(build, entry, proto->direct_response);
        break;
    case ACTION(NON_FORWARDING_ACTION):
        entry->route.action = NU_ROUTE_NON_FORWARDING;
        entry->route.cluster_not_found_status = 503;
        break;
    default:
        nu_config_error(build->match.ctx, proto, NULL, "an action is required");
    }
}

void nu_build_route(struct nu_route_build *build, struct nu_virtual_host_entry *host,
                    uint32_t number, const Envoy__Config__Route__V3__Route *proto)
{
    struct nu_route_entry *entry = &host->routes[number];
    struct nu_path_rule *rule = &host->rules[number];
    entry->rule = rule;
    entry->virtual_host = host;
    entry->route.name = nu_build_dup(build, proto->name);
    entry->route.metadata = nu_metadata_from_proto(proto->metadata, build->match.arena);
    if (!proto->match) {
        nu_config_error(build->match.ctx, proto, "match", "is required");
        return;
    }
    build_rule(build, rule, proto->match);
    entry->conditions = build_conditions(build, proto->match);
    build_level(build, entry, proto);
    build_action(build, entry, proto);
}
