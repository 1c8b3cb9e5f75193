/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree of conditions on an exchange, asked when the head of its answer is there and of nothing
 * else: conditions on the request, on trailers and on bodies do not hold, as with Envoy where it
 * asks at that moment. Immutable, in the arena it was compiled in.
 */
#ifndef NU_MATCH_PREDICATE_H
#define NU_MATCH_PREDICATE_H

#include "match/header_matcher.h"

struct Envoy__Config__Common__Matcher__V3__MatchPredicate;
struct nu_match_predicate;

/* NULL after an error was added. */
const struct nu_match_predicate *nu_match_predicate_from_proto(
    const struct nu_match_factory *factory,
    const struct Envoy__Config__Common__Matcher__V3__MatchPredicate *proto);

/* Whether it holds for an answer with this head. */
bool nu_match_predicate_holds(const struct nu_match_predicate *predicate,
                              const struct nu_headers *response);

#endif
