/* SPDX-License-Identifier: Apache-2.0 */
/* Maintenance and drop_overloads. */
#include "client/refusal.h"

#include "base/random.h"
#include "runtime/runtime.h"

static bool is_in_maintenance(const struct nu_cluster_local *cluster, struct nu_arena *arena)
{
    const struct nu_runtime *runtime = cluster->loop->runtime;
    if (nu_likely(!runtime || nu_runtime_key_count(runtime) == 0))
        return false;
    struct nu_str key =
        nu_arena_concat(arena, NU_STR("upstream.maintenance_mode."), cluster->cluster->name);
    return nu_runtime_feature_enabled(runtime, key, 0, nu_random_u64());
}

enum nu_refusal nu_refusal_of(struct nu_cluster_local *cluster, struct nu_arena *arena)
{
    if (nu_unlikely(is_in_maintenance(cluster, arena))) {
        nu_counter_inc(&nu_cluster_local_stats(cluster)->upstream_rq_maintenance_mode);
        return NU_REFUSED_IN_MAINTENANCE;
    }
    const struct nu_assignment *assignment = cluster->hosts->assignment;
    if (nu_likely(!nu_assignment_drops(assignment)))
        return NU_NOT_REFUSED;
    if (nu_assignment_drops_all(assignment))
        return NU_REFUSED_ALL;
    return nu_fraction_has(assignment->drop, nu_random_u64()) ? NU_REFUSED_SOME : NU_NOT_REFUSED;
}
