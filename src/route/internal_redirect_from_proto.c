/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling the internal redirects of a route. */
#include "config/values.h"
#include "envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config.pb-c.h"
#include "envoy/extensions/internal_redirect/previous_routes/v3/previous_routes_config.pb-c.h"
#include "envoy/extensions/internal_redirect/safe_cross_scheme/v3/safe_cross_scheme_config.pb-c.h"
#include "route/build_internal.h"
#include "route/internal_redirect.h"

/* Fields that Envoy calls deprecated and still obeys. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

enum { DEFAULT_MAX = 1, DEFAULT_CODES = 1 << 2 };

typedef Envoy__Config__Route__V3__InternalRedirectPolicy policy_proto;
typedef Envoy__Config__Core__V3__TypedExtensionConfig extension_proto;
typedef Envoy__Extensions__InternalRedirect__AllowListedRoutes__V3__AllowListedRoutesConfig
    listed_proto;

/* Envoy passes over codes that are no redirects. */
static unsigned read_codes(const policy_proto *proto)
{
    if (proto->n_redirect_response_codes == 0)
        return DEFAULT_CODES;
    unsigned codes = 0;
    for (size_t i = 0; i < proto->n_redirect_response_codes; i++) {
        switch (proto->redirect_response_codes[i]) {
        case 301:
        case 302:
        case 303:
        case 307:
        case 308:
            codes |= 1U << (proto->redirect_response_codes[i] - 300);
            break;
        default:
            break;
        }
    }
    return codes;
}

static void build_listed(struct nu_route_build *build, struct nu_redirect_rule *rule,
                         const listed_proto *proto)
{
    struct nu_str *routes =
        nu_arena_alloc(build->match.arena, proto->n_allowed_route_names * sizeof(*routes));
    for (size_t i = 0; i < proto->n_allowed_route_names; i++)
        routes[i] = nu_build_dup(build, proto->allowed_route_names[i]);
    rule->kind = NU_REDIRECT_TO_LISTED;
    rule->routes = routes;
    rule->route_count = proto->n_allowed_route_names;
}

static void build_rule(struct nu_route_build *build, struct nu_redirect_rule *rule,
                       const extension_proto *proto)
{
    const ProtobufCMessage *message = nu_config_any(build->match.ctx, proto->typed_config);
    const ProtobufCMessageDescriptor *type = message ? message->descriptor : NULL;
    if (type ==
        &envoy__extensions__internal_redirect__previous_routes__v3__previous_routes_config__descriptor)
        rule->kind = NU_REDIRECT_TO_NEW_ROUTE;
    else if (
        type ==
        &envoy__extensions__internal_redirect__safe_cross_scheme__v3__safe_cross_scheme_config__descriptor)
        rule->kind = NU_REDIRECT_SAFE_SCHEME;
    else if (
        type ==
        &envoy__extensions__internal_redirect__allow_listed_routes__v3__allow_listed_routes_config__descriptor)
        build_listed(build, rule, (const listed_proto *)message);
    else
        nu_config_error(build->match.ctx, proto, "typed_config",
                        "Didn't find a registered implementation for '%s' with type URL: '%s'",
                        proto->name, type ? type->name : "");
}

static void build_rules(struct nu_route_build *build, struct nu_internal_redirect *policy,
                        const policy_proto *proto)
{
    struct nu_redirect_rule *rules =
        nu_arena_calloc(build->match.arena, proto->n_predicates * sizeof(*rules));
    for (size_t i = 0; i < proto->n_predicates; i++)
        build_rule(build, &rules[i], proto->predicates[i]);
    policy->rules = rules;
    policy->rule_count = proto->n_predicates;
}

/* As they are written, as Envoy looks at it. */
static bool is_repeated(const char *const *names, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(names[i], names[index]) == 0)
            return true;
    }
    return false;
}

static void build_copied(struct nu_route_build *build, struct nu_internal_redirect *policy,
                         const policy_proto *proto)
{
    struct nu_str *names =
        nu_arena_alloc(build->match.arena, proto->n_response_headers_to_copy * sizeof(*names));
    for (size_t i = 0; i < proto->n_response_headers_to_copy; i++) {
        names[i] = nu_build_header_name(build, proto->response_headers_to_copy[i]);
        if (nu_str_starts_with(names[i], NU_STR(":")))
            nu_config_error_at(build->match.ctx, proto, "response_headers_to_copy", i,
                               ":-prefixed headers or Hosts may not be specified here.");
        if (is_repeated(proto->response_headers_to_copy, i))
            nu_config_error_at(build->match.ctx, proto, "response_headers_to_copy", i,
                               "repeated value must contain unique items");
    }
    policy->copied = names;
    policy->copied_count = proto->n_response_headers_to_copy;
}

static const struct nu_internal_redirect *build_policy(struct nu_route_build *build,
                                                       const policy_proto *proto)
{
    struct nu_internal_redirect *policy = nu_arena_calloc(build->match.arena, sizeof(*policy));
    policy->codes = read_codes(proto);
    policy->max = nu_u32_or(proto->max_internal_redirects, DEFAULT_MAX);
    policy->allows_other_scheme = proto->allow_cross_scheme_redirect;
    build_rules(build, policy, proto);
    build_copied(build, policy, proto);
    return policy;
}

const struct nu_internal_redirect *
nu_build_internal_redirect(struct nu_route_build *build,
                           const Envoy__Config__Route__V3__RouteAction *proto)
{
    if (proto->internal_redirect_policy)
        return build_policy(build, proto->internal_redirect_policy);
    if (proto->internal_redirect_action !=
        ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__INTERNAL_REDIRECT_ACTION__HANDLE_INTERNAL_REDIRECT)
        return NULL;
    struct nu_internal_redirect *policy = nu_arena_calloc(build->match.arena, sizeof(*policy));
    policy->codes = DEFAULT_CODES;
    policy->max = nu_u32_or(proto->max_internal_redirects, DEFAULT_MAX);
    return policy;
}
