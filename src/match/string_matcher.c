/* SPDX-License-Identifier: Apache-2.0 */
/* String matchers. */
#include "match/string_matcher.h"

#include "config/config.h"
#include "envoy/type/matcher/v3/path.pb-c.h"
#include "envoy/type/matcher/v3/string.pb-c.h"
#include "http/path.h"
#include "match/regex.h"

static void set_text(const struct nu_match_factory *factory, struct nu_string_matcher *out,
                     enum nu_string_match_kind kind, const char *text)
{
    out->kind = kind;
    out->text = nu_arena_dup(factory->arena, nu_str_from(text));
}

static bool set_regex(const struct nu_match_factory *factory, struct nu_string_matcher *out,
                      const Envoy__Type__Matcher__V3__StringMatcher *proto)
{
    if (proto->ignore_case)
        nu_config_error(factory->ctx, proto, "ignore_case",
                        "ignore_case has no effect for safe_regex.");
    out->kind = NU_STRING_MATCH_REGEX;
    out->regex = nu_regex_from_proto(factory, proto->safe_regex);
    return out->regex && !proto->ignore_case;
}

bool nu_string_matcher_from_proto(const struct nu_match_factory *factory,
                                  const Envoy__Type__Matcher__V3__StringMatcher *proto,
                                  struct nu_string_matcher *out)
{
    *out = (struct nu_string_matcher){.ignore_case = proto->ignore_case};
    switch (proto->match_pattern_case) {
    case ENVOY__TYPE__MATCHER__V3__STRING_MATCHER__MATCH_PATTERN_EXACT:
        set_text(factory, out, NU_STRING_MATCH_EXACT, proto->exact);
        return true;
    case ENVOY__TYPE__MATCHER__V3__STRING_MATCHER__MATCH_PATTERN_PREFIX:
        set_text(factory, out, NU_STRING_MATCH_PREFIX, proto->prefix);
        return true;
    case ENVOY__TYPE__MATCHER__V3__STRING_MATCHER__MATCH_PATTERN_SUFFIX:
        set_text(factory, out, NU_STRING_MATCH_SUFFIX, proto->suffix);
        return true;
    case ENVOY__TYPE__MATCHER__V3__STRING_MATCHER__MATCH_PATTERN_CONTAINS:
        set_text(factory, out, NU_STRING_MATCH_CONTAINS, proto->contains);
        return true;
    case ENVOY__TYPE__MATCHER__V3__STRING_MATCHER__MATCH_PATTERN_SAFE_REGEX:
        return set_regex(factory, out, proto);
    default:
        nu_config_error(factory->ctx, proto, NULL, "one of the patterns is required");
        return false;
    }
}

static bool matches_nocase(const struct nu_string_matcher *matcher, struct nu_str text)
{
    switch (matcher->kind) {
    case NU_STRING_MATCH_EXACT:
        return nu_str_eq_nocase(text, matcher->text);
    case NU_STRING_MATCH_PREFIX:
        return nu_str_starts_with_nocase(text, matcher->text);
    case NU_STRING_MATCH_SUFFIX:
        return nu_str_ends_with_nocase(text, matcher->text);
    case NU_STRING_MATCH_CONTAINS:
        return nu_str_contains_nocase(text, matcher->text);
    case NU_STRING_MATCH_REGEX:
        break;
    }
    return false;
}

bool nu_string_matches(const struct nu_string_matcher *matcher, struct nu_str text)
{
    if (matcher->ignore_case)
        return matches_nocase(matcher, text);
    switch (matcher->kind) {
    case NU_STRING_MATCH_EXACT:
        return nu_str_eq(text, matcher->text);
    case NU_STRING_MATCH_PREFIX:
        return nu_str_starts_with(text, matcher->text);
    case NU_STRING_MATCH_SUFFIX:
        return nu_str_ends_with(text, matcher->text);
    case NU_STRING_MATCH_CONTAINS:
        return nu_str_find(text, matcher->text) != NU_NPOS;
    case NU_STRING_MATCH_REGEX:
        return nu_regex_full_match(matcher->regex, text);
    }
    return false;
}

bool nu_string_matcher_list_from_protos(const struct nu_match_factory *factory,
                                        Envoy__Type__Matcher__V3__StringMatcher *const *protos,
                                        size_t count, struct nu_string_matcher_list *out)
{
    bool ok = true;
    out->count = count;
    out->items = nu_arena_calloc(factory->arena, count * sizeof(*out->items));
    for (size_t i = 0; i < count; i++)
        ok &= nu_string_matcher_from_proto(factory, protos[i], &out->items[i]);
    return ok;
}

bool nu_string_matches_any(const struct nu_string_matcher_list *list, struct nu_str text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (nu_string_matches(&list->items[i], text))
            return true;
    }
    return false;
}

bool nu_path_matcher_from_proto(const struct nu_match_factory *factory,
                                const Envoy__Type__Matcher__V3__PathMatcher *proto,
                                struct nu_string_matcher *out)
{
    return nu_string_matcher_from_proto(factory, proto->path, out);
}

bool nu_path_matches(const struct nu_string_matcher *matcher, struct nu_str path)
{
    return nu_string_matches(matcher, nu_path_without_query_and_fragment(path));
}
