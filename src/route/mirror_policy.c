/* SPDX-License-Identifier: Apache-2.0 */
/* What a mirror policy makes of a request's headers. */
#include "route/mirror_policy.h"

#include "format/format.h"
#include "http/authority.h"
#include "http/headers.h"
#include "http/joined.h"
#include "route/header_mutations.h"

struct nu_str nu_mirror_policy_cluster(const struct nu_mirror_policy *policy,
                                       const struct nu_headers *headers)
{
    return policy->cluster.len ? policy->cluster : nu_headers_get(headers, policy->cluster_header);
}

/* "-shadow" goes before the port, so that logs of the other side tell copies apart. */
static struct nu_str shadow_host(struct nu_str host, struct nu_arena *arena)
{
    size_t colon = nu_authority_port_colon(host);
    size_t len = colon == NU_NPOS ? host.len : colon;
    struct nu_str name = nu_arena_concat(arena, nu_str_first(host, len), NU_STR("-shadow"));
    return len == host.len ? name : nu_arena_concat(arena, name, nu_str_skip(host, len));
}

void nu_mirror_policy_apply(const struct nu_mirror_policy *policy, struct nu_headers *headers,
                            const struct nu_stream_info *info)
{
    if (policy->mutations) {
        struct nu_format_context context = {.request_headers = headers, .info = info};
        nu_header_mutations_apply(policy->mutations, headers, &nu_joined_request_headers, &context);
    }
    if (policy->host.len)
        nu_headers_set_id(headers, NU_HEADER_AUTHORITY, policy->host);
    else if (!policy->keeps_host)
        nu_headers_set_id(
            headers, NU_HEADER_AUTHORITY,
            shadow_host(nu_headers_get_id(headers, NU_HEADER_AUTHORITY), headers->arena));
}
