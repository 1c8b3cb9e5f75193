/* SPDX-License-Identifier: Apache-2.0 */
/* Query parameter matchers. */
#include "match/query_matcher.h"

#include "config/config.h"
#include "envoy/config/route/v3/route_components.pb-c.h"
#include "http/query.h"

#define SPECIFIER(name) \
    ENVOY__CONFIG__ROUTE__V3__QUERY_PARAMETER_MATCHER__QUERY_PARAMETER_MATCH_SPECIFIER_##name

static bool from_proto(const struct nu_match_factory *factory,
                       const Envoy__Config__Route__V3__QueryParameterMatcher *proto,
                       struct nu_query_matcher *out)
{
    out->name = nu_arena_dup(factory->arena, nu_str_from(proto->name));
    out->has_string = proto->query_parameter_match_specifier_case == SPECIFIER(STRING_MATCH);
    out->wants_absent = proto->query_parameter_match_specifier_case == SPECIFIER(PRESENT_MATCH) &&
                        !proto->present_match;
    return !out->has_string ||
           nu_string_matcher_from_proto(factory, proto->string_match, &out->string);
}

bool nu_query_matcher_list_from_protos(
    const struct nu_match_factory *factory,
    Envoy__Config__Route__V3__QueryParameterMatcher *const *protos, size_t count,
    struct nu_query_matcher_list *out)
{
    bool ok = true;
    out->count = count;
    out->items = nu_arena_calloc(factory->arena, count * sizeof(*out->items));
    for (size_t i = 0; i < count; i++)
        ok &= from_proto(factory, protos[i], &out->items[i]);
    return ok;
}

static bool matches(const struct nu_query_matcher *matcher, struct nu_str path)
{
    struct nu_str value = nu_query_get(path, matcher->name);
    if (!value.ptr)
        return matcher->wants_absent;
    if (matcher->has_string)
        return nu_string_matches(&matcher->string, value);
    return !matcher->wants_absent;
}

bool nu_query_matches_all(const struct nu_query_matcher_list *list, struct nu_str path)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!matches(&list->items[i], path))
            return false;
    }
    return true;
}
