/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions on a parameter of the query: the first one of its name counts, nothing is
 * unescaped. */
#ifndef NU_MATCH_QUERY_MATCHER_H
#define NU_MATCH_QUERY_MATCHER_H

#include "match/string_matcher.h"

struct Envoy__Config__Route__V3__QueryParameterMatcher;

struct nu_query_matcher {
    struct nu_str name;
    bool has_string;
    bool wants_absent; /* present_match: false */
    struct nu_string_matcher string;
};

/* Conditions that must all hold. */
struct nu_query_matcher_list {
    struct nu_query_matcher *items;
    size_t count;
};

/* False after adding an error. */
NU_MUST_USE bool nu_query_matcher_list_from_protos(
    const struct nu_match_factory *factory,
    struct Envoy__Config__Route__V3__QueryParameterMatcher *const *protos, size_t count,
    struct nu_query_matcher_list *out);

/* Whether all of the list hold for a `:path`; an empty list matches everything. */
bool nu_query_matches_all(const struct nu_query_matcher_list *list, struct nu_str path);

#endif
