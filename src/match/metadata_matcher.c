/* SPDX-License-Identifier: Apache-2.0 */
/* Reading conditions on values and on metadata, and asking them. */
#include "match/metadata_matcher.h"

#include "base/value.h"
#include "config/config.h"
#include "http/metadata.h"

#include "envoy/type/matcher/v3/metadata.pb-c.h"

#define PATTERN(name) ENVOY__TYPE__MATCHER__V3__VALUE_MATCHER__MATCH_PATTERN_##name

typedef Envoy__Type__Matcher__V3__ValueMatcher value_proto;

static void read_number(const Envoy__Type__Matcher__V3__DoubleMatcher *proto,
                        struct nu_value_matcher *out)
{
    if (proto->match_pattern_case ==
        ENVOY__TYPE__MATCHER__V3__DOUBLE_MATCHER__MATCH_PATTERN_RANGE) {
        out->kind = NU_VALUE_MATCH_NUMBER;
        out->start = proto->range->start;
        out->end = proto->range->end;
        return;
    }
    out->kind = NU_VALUE_MATCH_EXACT;
    out->start = proto->exact;
}

/* The depth is bounded by that of the message. */
static bool read_parts(const struct nu_match_factory *factory, value_proto *const *protos,
                       size_t count, struct nu_value_matcher *out)
{
    bool ok = true;
    out->parts = nu_arena_calloc(factory->arena, count * sizeof(*out->parts));
    out->part_count = count;
    for (size_t i = 0; i < count; i++)
        ok &= nu_value_matcher_from_proto(factory, protos[i], &out->parts[i]);
    return ok;
}

bool nu_value_matcher_from_proto(const struct nu_match_factory *factory, const value_proto *proto,
                                 struct nu_value_matcher *out)
{
    *out = (struct nu_value_matcher){.kind = NU_VALUE_MATCH_NEVER};
    switch (proto->match_pattern_case) {
    case PATTERN(NULL_MATCH):
        out->kind = NU_VALUE_MATCH_NULL;
        return true;
    case PATTERN(DOUBLE_MATCH):
        read_number(proto->double_match, out);
        return true;
    case PATTERN(STRING_MATCH):
        out->kind = NU_VALUE_MATCH_STRING;
        return nu_string_matcher_from_proto(factory, proto->string_match, &out->string);
    case PATTERN(BOOL_MATCH):
        out->kind = proto->bool_match ? NU_VALUE_MATCH_TRUE : NU_VALUE_MATCH_FALSE;
        return true;
    case PATTERN(PRESENT_MATCH):
        out->kind = proto->present_match ? NU_VALUE_MATCH_PRESENT : NU_VALUE_MATCH_NEVER;
        return true;
    case PATTERN(LIST_MATCH):
        out->kind = NU_VALUE_MATCH_ITEM;
        return read_parts(factory, &proto->list_match->one_of, 1, out);
    case PATTERN(OR_MATCH):
        out->kind = NU_VALUE_MATCH_ANY;
        return read_parts(factory, proto->or_match->value_matchers,
                          proto->or_match->n_value_matchers, out);
    default:
        return true;
    }
}

static bool matches_item(const struct nu_value_matcher *matcher, const struct nu_value *list)
{
    if (list->type != NU_VALUE_LIST)
        return false;
    for (size_t i = 0; i < list->count; i++) {
        if (nu_value_matches(&matcher->parts[0], &list->items[i]))
            return true;
    }
    return false;
}

static bool matches_any(const struct nu_value_matcher *matcher, const struct nu_value *value)
{
    for (size_t i = 0; i < matcher->part_count; i++) {
        if (nu_value_matches(&matcher->parts[i], value))
            return true;
    }
    return false;
}

static bool is_bool(const struct nu_value *value, bool expected)
{
    return value->type == NU_VALUE_BOOL && value->boolean == expected;
}

bool nu_value_matches(const struct nu_value_matcher *matcher, const struct nu_value *value)
{
    if (!value)
        return false;
    bool is_number = value->type == NU_VALUE_NUMBER;
    switch (matcher->kind) {
    case NU_VALUE_MATCH_NULL:
        return value->type == NU_VALUE_NULL;
    case NU_VALUE_MATCH_NUMBER:
        return is_number && value->number >= matcher->start && value->number < matcher->end;
    case NU_VALUE_MATCH_EXACT:
        return is_number && value->number == matcher->start;
    case NU_VALUE_MATCH_STRING:
        return value->type == NU_VALUE_STRING &&
               nu_string_matches(&matcher->string, nu_value_text(value));
    case NU_VALUE_MATCH_TRUE:
        return is_bool(value, true);
    case NU_VALUE_MATCH_FALSE:
        return is_bool(value, false);
    case NU_VALUE_MATCH_PRESENT:
        return true;
    case NU_VALUE_MATCH_NEVER:
        return false;
    case NU_VALUE_MATCH_ITEM:
        return matches_item(matcher, value);
    case NU_VALUE_MATCH_ANY:
        return matches_any(matcher, value);
    }
    return false;
}

bool nu_metadata_matcher_from_proto(const struct nu_match_factory *factory,
                                    const Envoy__Type__Matcher__V3__MetadataMatcher *proto,
                                    struct nu_metadata_matcher *out)
{
    out->space = nu_arena_dup(factory->arena, nu_str_from(proto->filter));
    out->path_len = proto->n_path;
    out->path = nu_arena_calloc(factory->arena, (proto->n_path + 1) * sizeof(*out->path));
    for (size_t i = 0; i < proto->n_path; i++)
        out->path[i] = nu_arena_dup(factory->arena, nu_str_from(proto->path[i]->key));
    out->invert = proto->invert;
    return nu_value_matcher_from_proto(factory, proto->value, &out->value);
}

bool nu_metadata_matches(const struct nu_metadata_matcher *matcher,
                         const struct nu_metadata *metadata)
{
    const struct nu_value *value =
        nu_metadata_find(metadata, matcher->space, matcher->path, matcher->path_len);
    return nu_value_matches(&matcher->value, value) != matcher->invert;
}
