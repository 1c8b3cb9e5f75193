/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling mirror policies. */
#include "route/build_internal.h"
#include "route/header_mutations.h"

typedef Envoy__Config__Route__V3__RouteAction__RequestMirrorPolicy policy_proto;

static void build_cluster(struct nu_route_build *build, struct nu_mirror_policy *policy,
                          const policy_proto *proto)
{
    bool has_cluster = proto->cluster[0], has_header = proto->cluster_header[0];
    policy->cluster = nu_build_dup(build, proto->cluster);
    if (has_header)
        policy->cluster_header = nu_build_header_name(build, proto->cluster_header);
    if (has_cluster && has_header)
        nu_config_error(build->match.ctx, proto, "cluster_header",
                        "Only one of cluster '%s' or cluster_header '%s' in request mirror policy "
                        "can be specified",
                        proto->cluster, proto->cluster_header);
    else if (!has_cluster && !has_header)
        nu_config_error(build->match.ctx, proto, NULL,
                        "Exactly one of cluster or cluster_header in request mirror policy need to "
                        "be specified");
    else if (has_cluster && !nu_build_knows_cluster(build, policy->cluster))
        nu_config_error(build->match.ctx, proto, "cluster", "route: unknown shadow cluster '%s'",
                        proto->cluster);
}

static void build_policy(struct nu_route_build *build, struct nu_mirror_policy *policy,
                         const policy_proto *proto)
{
    build_cluster(build, policy, proto);
    policy->share.fallback = (struct nu_fraction){.numerator = 100, .denominator = 100};
    if (proto->runtime_fraction)
        policy->share = nu_runtime_share_from_proto(proto->runtime_fraction, build->match.arena);
    policy->keeps_host = proto->disable_shadow_host_suffix_append;
    policy->host = nu_build_dup(build, proto->host_rewrite_literal);
    policy->mutations = nu_header_mutations_from_protos(
        &build->match, proto->request_headers_mutations, proto->n_request_headers_mutations);
}

const struct nu_mirror_policies *nu_build_mirrors(struct nu_route_build *build,
                                                  policy_proto *const *protos, size_t count)
{
    if (count == 0)
        return NULL;
    struct nu_arena *arena = build->match.arena;
    struct nu_mirror_policies *policies = nu_arena_calloc(arena, sizeof(*policies));
    struct nu_mirror_policy *items = nu_arena_calloc(arena, count * sizeof(*items));
    for (size_t i = 0; i < count; i++)
        build_policy(build, &items[i], protos[i]);
    policies->items = items;
    policies->count = count;
    return policies;
}
