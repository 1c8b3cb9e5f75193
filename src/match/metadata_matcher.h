/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions on values of free-form data, and on metadata. */
#ifndef NU_MATCH_METADATA_MATCHER_H
#define NU_MATCH_METADATA_MATCHER_H

#include "match/string_matcher.h"

struct Envoy__Type__Matcher__V3__MetadataMatcher;
struct Envoy__Type__Matcher__V3__ValueMatcher;
struct nu_metadata;
struct nu_value;

enum nu_value_match_kind {
    NU_VALUE_MATCH_NULL,
    NU_VALUE_MATCH_NUMBER, /* from `start` up to but not including `end` */
    NU_VALUE_MATCH_EXACT,  /* the number `start` */
    NU_VALUE_MATCH_STRING,
    NU_VALUE_MATCH_TRUE,
    NU_VALUE_MATCH_FALSE,
    NU_VALUE_MATCH_PRESENT,
    NU_VALUE_MATCH_NEVER,
    NU_VALUE_MATCH_ITEM, /* a list with an item that matches `parts` */
    NU_VALUE_MATCH_ANY,  /* one of `parts` */
};

struct nu_value_matcher {
    enum nu_value_match_kind kind;
    double start;
    double end;
    struct nu_string_matcher string;
    struct nu_value_matcher *parts;
    size_t part_count;
};

/* False after adding an error. */
NU_MUST_USE bool
nu_value_matcher_from_proto(const struct nu_match_factory *factory,
                            const struct Envoy__Type__Matcher__V3__ValueMatcher *proto,
                            struct nu_value_matcher *out);

/* `value` may be NULL: nothing is there. */
bool nu_value_matches(const struct nu_value_matcher *matcher, const struct nu_value *value);

struct nu_metadata_matcher {
    struct nu_str space;
    struct nu_str *path;
    size_t path_len;
    struct nu_value_matcher value;
    bool invert;
};

NU_MUST_USE bool
nu_metadata_matcher_from_proto(const struct nu_match_factory *factory,
                               const struct Envoy__Type__Matcher__V3__MetadataMatcher *proto,
                               struct nu_metadata_matcher *out);

/* `metadata` may be NULL. */
bool nu_metadata_matches(const struct nu_metadata_matcher *matcher,
                         const struct nu_metadata *metadata);

#endif
