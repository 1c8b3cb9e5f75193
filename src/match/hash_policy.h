/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash policies: which parts of a request decide the host that a hashing balancer sends it to. The
 * hash is Envoy's: of the same request it comes out the same.
 */
#ifndef NU_MATCH_HASH_POLICY_H
#define NU_MATCH_HASH_POLICY_H

#include "match/factory.h"

struct Envoy__Config__Route__V3__RouteAction__HashPolicy;
struct nu_hash_policy;
struct nu_headers;
struct nu_stream_info;

/* A cookie that a policy made for a client that had none. */
struct nu_made_cookie {
    struct nu_made_cookie *next;
    struct nu_str header; /* the value of set-cookie */
};

/* Compiles a list of policies; NULL if there are none, or after adding an error. */
const struct nu_hash_policy *
nu_hash_policy_from_protos(const struct nu_match_factory *factory,
                           struct Envoy__Config__Route__V3__RouteAction__HashPolicy *const *protos,
                           size_t count);

/*
 * The hash of a request; false if nothing that the policies ask for is there. Cookies that have to
 * be made are added behind `*cookies`, in the stream's arena. Any thread.
 */
bool nu_hash_policy_eval(const struct nu_hash_policy *policy, const struct nu_headers *headers,
                         struct nu_stream_info *info, struct nu_made_cookie **cookies,
                         uint64_t *hash);

#endif
