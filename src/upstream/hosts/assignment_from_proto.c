/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what a load assignment says besides its hosts. */
#include "config/values.h"
#include "runtime/settings.h"
#include "upstream/cluster_from_proto_internal.h"

typedef Envoy__Config__Endpoint__V3__ClusterLoadAssignment assignment_proto;
typedef Envoy__Config__Endpoint__V3__ClusterLoadAssignment__Policy policy_proto;
typedef Envoy__Config__Endpoint__V3__LocalityLbEndpoints group_proto;

struct nu_locality nu_locality_from_proto(struct nu_arena *arena,
                                          const Envoy__Config__Core__V3__Locality *proto)
{
    struct nu_locality locality = {0};
    if (proto) {
        locality.region = nu_arena_dup(arena, nu_str_from(proto->region));
        locality.zone = nu_arena_dup(arena, nu_str_from(proto->zone));
        locality.sub_zone = nu_arena_dup(arena, nu_str_from(proto->sub_zone));
    }
    return locality;
}

enum nu_eds_health nu_eds_health_from_proto(Envoy__Config__Core__V3__HealthStatus proto)
{
    int number = (int)proto;
    return number > 0 && number < NU_EDS_HEALTH_COUNT ? (enum nu_eds_health)number : NU_EDS_UNKNOWN;
}

/* --- Drops ------------------------------------------------------------------------------------ */

static void read_drop(struct nu_factory *factory, struct nu_assignment *assignment,
                      const policy_proto *proto)
{
    if (proto->n_drop_overloads == 0)
        return;
    assignment->drop = nu_fraction_from_proto(proto->drop_overloads[0]->drop_percentage);
    assignment->drop_category =
        nu_arena_dup(&assignment->arena, nu_str_from(proto->drop_overloads[0]->category));
    if (proto->n_drop_overloads > 1)
        nu_config_error(factory->ctx, proto, "drop_overloads",
                        "there are %zu categories, and only one is supported",
                        proto->n_drop_overloads);
    if (assignment->drop.numerator > assignment->drop.denominator)
        nu_config_error_at(factory->ctx, proto, "drop_overloads", 0,
                           "%u of %u is more than all requests", assignment->drop.numerator,
                           assignment->drop.denominator);
}

static void read_policy(struct nu_factory *factory, struct nu_assignment *assignment,
                        const policy_proto *proto)
{
    if (!proto)
        return;
    assignment->overprovisioning_percent =
        nu_u32_or(proto->overprovisioning_factor, assignment->overprovisioning_percent);
    assignment->weighted_priority_health = proto->weighted_priority_health;
    assignment->stale_after_ms = nu_config_duration_ms(factory->ctx, proto, "endpoint_stale_after",
                                                       proto->endpoint_stale_after, 0);
    read_drop(factory, assignment, proto);
}

/* --- Localities ------------------------------------------------------------------------------- */

/* Weights without a locality say nothing, as with Envoy. */
static bool has_weight(const group_proto *proto)
{
    return proto->locality && proto->load_balancing_weight;
}

static size_t count_weights(const assignment_proto *proto)
{
    size_t count = 0;
    for (size_t i = 0; i < proto->n_endpoints; i++)
        count += has_weight(proto->endpoints[i]);
    return count;
}

static void read_weights(struct nu_assignment *assignment, const assignment_proto *proto,
                         size_t count)
{
    struct nu_locality_weight *weights =
        nu_arena_alloc(&assignment->arena, (count + 1) * sizeof(*weights));
    size_t used = 0;
    for (size_t i = 0; i < proto->n_endpoints; i++) {
        const group_proto *group = proto->endpoints[i];
        if (has_weight(group))
            weights[used++] = (struct nu_locality_weight){
                .locality = nu_locality_from_proto(&assignment->arena, group->locality),
                .priority = group->priority,
                .weight = group->load_balancing_weight->value,
            };
    }
    assignment->locality_weights = weights;
    assignment->locality_weight_count = used;
}

struct nu_assignment *nu_assignment_from_proto(struct nu_factory *factory,
                                               const assignment_proto *proto)
{
    size_t weights = proto ? count_weights(proto) : 0;
    if (!proto || (!proto->policy && !weights))
        return NULL;
    struct nu_assignment *assignment = nu_assignment_create();
    read_policy(factory, assignment, proto->policy);
    read_weights(assignment, proto, weights);
    return assignment;
}
