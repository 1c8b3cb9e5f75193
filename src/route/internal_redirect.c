/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of internal redirects. */
#include "route/internal_redirect.h"

#include "http/stream_info.h"

static bool is_listed(const struct nu_redirect_rule *rule, struct nu_str name)
{
    for (size_t i = 0; i < rule->route_count; i++) {
        if (nu_str_eq(rule->routes[i], name))
            return true;
    }
    return false;
}

/* Notes the way, unless it was gone before. */
static bool is_new(const struct nu_redirect_target *target, struct nu_stream_info *info)
{
    struct nu_redirect_hop *hop = info->redirects.hops;
    for (; hop; hop = hop->next) {
        if (nu_str_eq(hop->from, target->from) && nu_str_eq(hop->to, target->to))
            return false;
    }
    hop = nu_arena_alloc(info->arena, sizeof(*hop));
    *hop = (struct nu_redirect_hop){info->redirects.hops, target->from, target->to};
    info->redirects.hops = hop;
    return true;
}

static bool holds(const struct nu_redirect_rule *rule, const struct nu_redirect_target *target,
                  struct nu_stream_info *info)
{
    switch (rule->kind) {
    case NU_REDIRECT_TO_NEW_ROUTE:
        return is_new(target, info);
    case NU_REDIRECT_TO_LISTED:
        return is_listed(rule, target->to);
    case NU_REDIRECT_SAFE_SCHEME:
        return target->from_https || !target->to_https;
    }
    return false;
}

bool nu_internal_redirect_allows(const struct nu_internal_redirect *policy,
                                 const struct nu_redirect_target *target,
                                 struct nu_stream_info *info)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (!holds(&policy->rules[i], target, info))
            return false;
    }
    return true;
}
