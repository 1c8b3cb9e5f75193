/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions on a header. Several fields of one name count as one value, joined by ",". A missing
 * header matches nothing, inverted or not, unless it is taken for an empty one or the condition is
 * about its presence.
 */
#ifndef NU_MATCH_HEADER_MATCHER_H
#define NU_MATCH_HEADER_MATCHER_H

#include "http/header_name.h"
#include "match/string_matcher.h"

struct Envoy__Config__Route__V3__HeaderMatcher;
struct nu_headers;

enum nu_header_match_kind {
    NU_HEADER_MATCH_PRESENT,
    NU_HEADER_MATCH_ABSENT,
    NU_HEADER_MATCH_STRING,
    NU_HEADER_MATCH_RANGE, /* an integer from `start` up to but not including `end` */
};

struct nu_header_matcher {
    struct nu_str name; /* lower case; "host" is ":authority" */
    enum nu_header_id id;
    enum nu_header_match_kind kind;
    bool invert;
    bool missing_is_empty;
    struct nu_string_matcher string;
    int64_t start;
    int64_t end;
};

/* False after adding an error. */
NU_MUST_USE bool
nu_header_matcher_from_proto(const struct nu_match_factory *factory,
                             const struct Envoy__Config__Route__V3__HeaderMatcher *proto,
                             struct nu_header_matcher *out);

bool nu_header_matches(const struct nu_header_matcher *matcher, const struct nu_headers *headers);

/* Conditions that must all hold. */
struct nu_header_matcher_list {
    struct nu_header_matcher *items;
    size_t count;
};

NU_MUST_USE bool
nu_header_matcher_list_from_protos(const struct nu_match_factory *factory,
                                   struct Envoy__Config__Route__V3__HeaderMatcher *const *protos,
                                   size_t count, struct nu_header_matcher_list *out);

/* Whether all of the list match; an empty list matches everything. */
bool nu_header_matches_all(const struct nu_header_matcher_list *list,
                           const struct nu_headers *headers);

#endif
