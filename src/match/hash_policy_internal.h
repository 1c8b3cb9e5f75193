/* SPDX-License-Identifier: Apache-2.0 */
/* What a hash policy is made of. Everything lives in the arena of the configuration. */
#ifndef NU_MATCH_HASH_POLICY_INTERNAL_H
#define NU_MATCH_HASH_POLICY_INTERNAL_H

#include "http/cookie.h"
#include "http/header_name.h"
#include "match/hash_policy.h"
#include "match/regex.h"

enum nu_hash_method_kind {
    NU_HASH_METHOD_HEADER,
    NU_HASH_METHOD_COOKIE,
    NU_HASH_METHOD_SOURCE_IP,
    NU_HASH_METHOD_QUERY_PARAMETER,
    NU_HASH_METHOD_FILTER_STATE,
};

struct nu_hash_method {
    enum nu_hash_method_kind kind;
    bool is_terminal;              /* with a hash so far, what follows is not asked */
    struct nu_str name;            /* of the header (lower case), cookie, parameter or object */
    enum nu_header_id header;      /* HEADER */
    struct nu_regex_rewrite regex; /* HEADER: what is hashed in place of the value */
    bool makes_cookie;             /* COOKIE: where the client has none, one is made */
    struct nu_set_cookie cookie;   /* COOKIE: like this, but for the value */
};

struct nu_hash_policy {
    size_t count;
    struct nu_hash_method methods[];
};

#endif
