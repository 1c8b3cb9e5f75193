/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a load assignment says, for the hosts of a subset: the weight of a locality may be scaled by
 * how many of its hosts are there, or weights of localities count for nothing.
 */
#include <math.h>

#include "upstream/hosts/subset_internal.h"

static uint32_t count_in(const struct nu_host_set *set, const struct nu_locality_weight *weight)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct nu_host *host = set->hosts[i];
        count += nu_host_priority(host) == weight->priority &&
                 nu_locality_eq(&host->locality, &weight->locality);
    }
    return count;
}

/* Envoy's rounding, in single precision. */
static uint32_t scaled(const struct nu_locality_weight *weight, const struct nu_host_set *whole,
                       const struct nu_host_set *part)
{
    uint32_t all = count_in(whole, weight);
    if (all == 0)
        return 0;
    float product = (float)((uint64_t)weight->weight * count_in(part, weight));
    return (uint32_t)lroundf(product / (float)all);
}

static struct nu_locality copy_locality(struct nu_arena *arena, const struct nu_locality *locality)
{
    return (struct nu_locality){
        .region = nu_arena_dup(arena, locality->region),
        .zone = nu_arena_dup(arena, locality->zone),
        .sub_zone = nu_arena_dup(arena, locality->sub_zone),
    };
}

static void copy_weights(struct nu_assignment *to, const struct nu_assignment *from,
                         const struct nu_host_set *whole, const struct nu_host_set *part)
{
    to->locality_weight_count = from->locality_weight_count;
    to->locality_weights =
        nu_arena_alloc(&to->arena, from->locality_weight_count * sizeof(*to->locality_weights));
    for (size_t i = 0; i < from->locality_weight_count; i++) {
        const struct nu_locality_weight *weight = &from->locality_weights[i];
        to->locality_weights[i] = (struct nu_locality_weight){
            .locality = copy_locality(&to->arena, &weight->locality),
            .priority = weight->priority,
            .weight = scaled(weight, whole, part),
        };
    }
}

struct nu_assignment *nu_subset_assignment(const struct nu_subset_settings *settings,
                                           const struct nu_host_set *whole,
                                           const struct nu_host_set *part)
{
    struct nu_assignment *of_all = whole->assignment;
    bool as_it_is = settings->is_locality_aware && !settings->scales_locality_weights;
    if (!of_all || as_it_is || of_all->locality_weight_count == 0)
        return nu_assignment_ref(of_all);
    struct nu_assignment *copy = nu_assignment_create();
    copy->overprovisioning_percent = of_all->overprovisioning_percent;
    copy->weighted_priority_health = of_all->weighted_priority_health;
    if (settings->is_locality_aware)
        copy_weights(copy, of_all, whole, part);
    return copy;
}
