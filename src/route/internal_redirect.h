/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which redirects of an upstream a route follows by itself. Immutable, in the route table's arena.
 */
#ifndef NU_ROUTE_INTERNAL_REDIRECT_H
#define NU_ROUTE_INTERNAL_REDIRECT_H

#include "base/str.h"

struct nu_stream_info;

enum nu_redirect_rule_kind {
    NU_REDIRECT_TO_NEW_ROUTE, /* none that the request has gone to from this route before */
    NU_REDIRECT_TO_LISTED,    /* one of these */
    NU_REDIRECT_SAFE_SCHEME,  /* none from plain HTTP to HTTPS */
};

struct nu_redirect_rule {
    enum nu_redirect_rule_kind kind;
    const struct nu_str *routes; /* LISTED */
    size_t route_count;
};

struct nu_internal_redirect {
    unsigned codes; /* set of 1 << (status - 300) */
    uint32_t max;   /* of one request, before this one is not followed */
    bool allows_other_scheme;
    const struct nu_redirect_rule *rules;
    size_t rule_count;
    const struct nu_str *copied; /* headers, lower case */
    size_t copied_count;
};

static inline bool nu_internal_redirect_has(const struct nu_internal_redirect *policy,
                                            uint32_t status)
{
    return status >= 300 && status < 309 && policy->codes >> (status - 300) & 1;
}

/* Where a redirect would go. */
struct nu_redirect_target {
    struct nu_str from; /* names of routes */
    struct nu_str to;
    bool from_https;
    bool to_https;
};

/* Whether all rules hold; notes in `info` where the request has been. */
bool nu_internal_redirect_allows(const struct nu_internal_redirect *policy,
                                 const struct nu_redirect_target *target,
                                 struct nu_stream_info *info);

#endif
