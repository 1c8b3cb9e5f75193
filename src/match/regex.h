/* SPDX-License-Identifier: Apache-2.0 */
/* Regexes of a configuration, within Envoy's bounds on their size. */
#ifndef NU_MATCH_REGEX_H
#define NU_MATCH_REGEX_H

#include "base/regex.h"
#include "match/factory.h"

struct Envoy__Type__Matcher__V3__RegexMatcher;
struct Envoy__Type__Matcher__V3__RegexMatchAndSubstitute;

/*
 * Compiles a regex. NULL after adding an error: a wrong pattern, or a compiled size over
 * max_program_size, or, where that is not set, over the runtime's re2.max_program_size.error_level
 * (100 by default).
 */
const struct nu_regex *
nu_regex_from_proto(const struct nu_match_factory *factory,
                    const struct Envoy__Type__Matcher__V3__RegexMatcher *proto);

/* A regex and what each of its matches becomes. */
struct nu_regex_rewrite {
    const struct nu_regex *regex; /* NULL: not set */
    struct nu_str substitution;
};

bool nu_regex_rewrite_from_proto(
    const struct nu_match_factory *factory,
    const struct Envoy__Type__Matcher__V3__RegexMatchAndSubstitute *proto,
    struct nu_regex_rewrite *out);

#endif
