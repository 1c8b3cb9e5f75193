/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which requests are copied, where the copies go, and what is changed in them. Immutable, in the
 * route table's arena.
 */
#ifndef NU_ROUTE_MIRROR_POLICY_H
#define NU_ROUTE_MIRROR_POLICY_H

#include "runtime/settings.h"

struct nu_header_mutations; /* route/header_mutations.h */
struct nu_headers;
struct nu_stream_info;

struct nu_mirror_policy {
    struct nu_str cluster;                       /* empty: the value of cluster_header */
    struct nu_str cluster_header;                /* lower case */
    struct nu_runtime_share share;               /* of the requests */
    const struct nu_header_mutations *mutations; /* NULL: none */
    struct nu_str host;                          /* in place of the request's; empty: none */
    bool keeps_host;                             /* without "-shadow" */
};

struct nu_mirror_policies {
    const struct nu_mirror_policy *items;
    size_t count;
};

/* The cluster that a request with these headers is copied to; empty if they name none. */
struct nu_str nu_mirror_policy_cluster(const struct nu_mirror_policy *policy,
                                       const struct nu_headers *headers);
/* Makes the headers of a request those of its copy, but for what the client adds. */
void nu_mirror_policy_apply(const struct nu_mirror_policy *policy, struct nu_headers *headers,
                            const struct nu_stream_info *info);

#endif
