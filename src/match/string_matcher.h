/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions on a text: exact, prefix, suffix, contains, regex; the first four also without
 * case. */
#ifndef NU_MATCH_STRING_MATCHER_H
#define NU_MATCH_STRING_MATCHER_H

#include "match/factory.h"

struct Envoy__Type__Matcher__V3__ListStringMatcher;
struct Envoy__Type__Matcher__V3__PathMatcher;
struct Envoy__Type__Matcher__V3__StringMatcher;
struct nu_regex;

enum nu_string_match_kind {
    NU_STRING_MATCH_EXACT,
    NU_STRING_MATCH_PREFIX,
    NU_STRING_MATCH_SUFFIX,
    NU_STRING_MATCH_CONTAINS,
    NU_STRING_MATCH_REGEX,
};

struct nu_string_matcher {
    enum nu_string_match_kind kind;
    bool ignore_case;
    struct nu_str text;           /* not for REGEX */
    const struct nu_regex *regex; /* REGEX: must match the whole text */
};

/* False after adding an error. */
NU_MUST_USE bool
nu_string_matcher_from_proto(const struct nu_match_factory *factory,
                             const struct Envoy__Type__Matcher__V3__StringMatcher *proto,
                             struct nu_string_matcher *out);

bool nu_string_matches(const struct nu_string_matcher *matcher, struct nu_str text);

/* Several conditions of which one must hold. */
struct nu_string_matcher_list {
    struct nu_string_matcher *items;
    size_t count;
};

NU_MUST_USE bool
nu_string_matcher_list_from_protos(const struct nu_match_factory *factory,
                                   struct Envoy__Type__Matcher__V3__StringMatcher *const *protos,
                                   size_t count, struct nu_string_matcher_list *out);

/* Whether one of the list matches; an empty list matches nothing. */
bool nu_string_matches_any(const struct nu_string_matcher_list *list, struct nu_str text);

/* A condition on a `:path`: query and fragment are left out. */
NU_MUST_USE bool
nu_path_matcher_from_proto(const struct nu_match_factory *factory,
                           const struct Envoy__Type__Matcher__V3__PathMatcher *proto,
                           struct nu_string_matcher *out);
bool nu_path_matches(const struct nu_string_matcher *matcher, struct nu_str path);

#endif
