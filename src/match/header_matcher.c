/* SPDX-License-Identifier: Apache-2.0 */
/* Header matchers. */
#include "match/header_matcher.h"

#include "config/config.h"
#include "envoy/config/route/v3/route_components.pb-c.h"
#include "http/headers.h"
#include "match/regex.h"

/* Fields that Envoy calls deprecated and still obeys. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define SPECIFIER(name) ENVOY__CONFIG__ROUTE__V3__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_##name

static void set_name(const struct nu_match_factory *factory, struct nu_header_matcher *out,
                     const char *name)
{
    struct nu_str copy = nu_arena_dup(factory->arena, nu_str_from(name));
    nu_header_name_lower(nu_unconst(copy.ptr), copy.len);
    out->name = nu_str_eq(copy, NU_STR("host")) ? NU_STR(":authority") : copy;
    out->id = nu_header_id_of(out->name);
}

static bool set_text(const struct nu_match_factory *factory, struct nu_header_matcher *out,
                     enum nu_string_match_kind kind, const char *text)
{
    out->kind = NU_HEADER_MATCH_STRING;
    out->string.kind = kind;
    out->string.text = nu_arena_dup(factory->arena, nu_str_from(text));
    return true;
}

static bool set_regex(const struct nu_match_factory *factory, struct nu_header_matcher *out,
                      const Envoy__Type__Matcher__V3__RegexMatcher *proto)
{
    out->kind = NU_HEADER_MATCH_STRING;
    out->string.kind = NU_STRING_MATCH_REGEX;
    out->string.regex = nu_regex_from_proto(factory, proto);
    return out->string.regex != NULL;
}

static bool set_range(struct nu_header_matcher *out, const Envoy__Type__V3__Int64Range *range)
{
    out->kind = NU_HEADER_MATCH_RANGE;
    out->start = range->start;
    out->end = range->end;
    return true;
}

bool nu_header_matcher_from_proto(const struct nu_match_factory *factory,
                                  const Envoy__Config__Route__V3__HeaderMatcher *proto,
                                  struct nu_header_matcher *out)
{
    *out = (struct nu_header_matcher){
        .kind = NU_HEADER_MATCH_PRESENT,
        .invert = proto->invert_match,
        .missing_is_empty = proto->treat_missing_header_as_empty,
    };
    set_name(factory, out, proto->name);
    switch (proto->header_match_specifier_case) {
    case SPECIFIER(EXACT_MATCH):
        return set_text(factory, out, NU_STRING_MATCH_EXACT, proto->exact_match);
    case SPECIFIER(PREFIX_MATCH):
        return set_text(factory, out, NU_STRING_MATCH_PREFIX, proto->prefix_match);
    case SPECIFIER(SUFFIX_MATCH):
        return set_text(factory, out, NU_STRING_MATCH_SUFFIX, proto->suffix_match);
    case SPECIFIER(CONTAINS_MATCH):
        return set_text(factory, out, NU_STRING_MATCH_CONTAINS, proto->contains_match);
    case SPECIFIER(SAFE_REGEX_MATCH):
        return set_regex(factory, out, proto->safe_regex_match);
    case SPECIFIER(RANGE_MATCH):
        return set_range(out, proto->range_match);
    case SPECIFIER(PRESENT_MATCH):
        out->kind = proto->present_match ? NU_HEADER_MATCH_PRESENT : NU_HEADER_MATCH_ABSENT;
        return true;
    case SPECIFIER(STRING_MATCH):
        out->kind = NU_HEADER_MATCH_STRING;
        return nu_string_matcher_from_proto(factory, proto->string_match, &out->string);
    default:
        return true;
    }
}

static bool in_range(const struct nu_header_matcher *matcher, struct nu_str value)
{
    int64_t number;
    return nu_str_to_i64(nu_str_trim(value), &number) == NU_OK && number >= matcher->start &&
           number < matcher->end;
}

static bool matches_value(const struct nu_header_matcher *matcher, struct nu_str value)
{
    switch (matcher->kind) {
    case NU_HEADER_MATCH_PRESENT:
        return true;
    case NU_HEADER_MATCH_ABSENT:
        return false;
    case NU_HEADER_MATCH_STRING:
        return nu_string_matches(&matcher->string, value);
    case NU_HEADER_MATCH_RANGE:
        return in_range(matcher, value);
    }
    return false;
}

bool nu_header_matches(const struct nu_header_matcher *matcher, const struct nu_headers *headers)
{
    struct nu_str value = matcher->id ? nu_headers_join_id(headers, matcher->id, NU_STR(","))
                                      : nu_headers_get_all(headers, matcher->name);
    if (!value.ptr && !matcher->missing_is_empty) {
        if (matcher->kind == NU_HEADER_MATCH_PRESENT)
            return matcher->invert;
        return matcher->kind == NU_HEADER_MATCH_ABSENT && !matcher->invert;
    }
    return matches_value(matcher, value) != matcher->invert;
}

bool nu_header_matcher_list_from_protos(const struct nu_match_factory *factory,
                                        Envoy__Config__Route__V3__HeaderMatcher *const *protos,
                                        size_t count, struct nu_header_matcher_list *out)
{
    bool ok = true;
    out->count = count;
    out->items = nu_arena_calloc(factory->arena, count * sizeof(*out->items));
    for (size_t i = 0; i < count; i++)
        ok &= nu_header_matcher_from_proto(factory, protos[i], &out->items[i]);
    return ok;
}

bool nu_header_matches_all(const struct nu_header_matcher_list *list,
                           const struct nu_headers *headers)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!nu_header_matches(&list->items[i], headers))
            return false;
    }
    return true;
}
