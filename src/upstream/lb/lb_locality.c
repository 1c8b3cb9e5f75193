/* SPDX-License-Identifier: Apache-2.0 */
/* Which locality's hosts a request goes to. Rules and rounding are Envoy's. */
#include "upstream/lb/lb_locality.h"

#include "base/alloc.h"
#include "base/random.h"
#include "upstream/cluster.h"
#include "upstream/lb/edf.h"

/* --- By weight -------------------------------------------------------------------------------- */

struct weighed {
    const struct nu_host_priority *priority;
    bool degraded;
};

static double weight_of(void *arg, uint32_t item)
{
    const struct weighed *weighed = arg;
    const struct nu_host_locality *locality = &weighed->priority->localities[item];
    return weighed->degraded ? locality->degraded_weight : locality->healthy_weight;
}

static bool has_weights(struct weighed *weighed)
{
    for (uint32_t i = 0; i < weighed->priority->locality_count; i++) {
        if (weight_of(weighed, i) > 0)
            return true;
    }
    return false;
}

bool nu_lb_next_locality(struct nu_lb *lb, uint32_t priority, bool degraded, uint32_t *locality)
{
    struct weighed weighed = {&lb->hosts->priorities[priority], degraded};
    if (!lb->localities)
        lb->localities =
            nu_calloc((size_t)lb->hosts->priority_count * NU_LB_TURNS, sizeof(*lb->localities));
    struct nu_edf *turn = &lb->localities[priority * NU_LB_TURNS + degraded];
    if (!turn->heap) {
        if (!has_weights(&weighed))
            return false;
        nu_edf_init(turn, weighed.priority->locality_count, weight_of, &weighed);
    }
    *locality = nu_edf_pick(turn, weight_of, &weighed);
    return true;
}

/* --- By zone ---------------------------------------------------------------------------------- */

enum { WHOLE = 10000 };

static uint64_t size_of(const struct nu_lb *lb, const struct nu_host_set *set,
                        const struct nu_host_locality *locality)
{
    if (!lb->settings->zone.by_weight)
        return locality->healthy.count;
    uint64_t weight = 0;
    for (uint32_t i = 0; i < locality->healthy.count; i++)
        weight += nu_host_weight(set->hosts[nu_host_list_at(&locality->healthy, i)]);
    return weight;
}

static uint64_t total_size(const struct nu_lb *lb, const struct nu_host_set *set)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < set->priorities[0].locality_count; i++)
        total += size_of(lb, set, &set->priorities[0].localities[i]);
    return total;
}

/* The part of 10000 that a locality has of the healthy hosts of a set. */
static uint64_t share_of(const struct nu_lb *lb, const struct nu_host_set *set,
                         const struct nu_locality *name)
{
    uint64_t total = total_size(lb, set);
    for (uint32_t i = 0; total && i < set->priorities[0].locality_count; i++) {
        const struct nu_host_locality *locality = &set->priorities[0].localities[i];
        if (nu_locality_eq(locality->name, name))
            return WHOLE * size_of(lb, set, locality) / total;
    }
    return 0;
}

static uint64_t min_cluster_size(const struct nu_lb *lb)
{
    return nu_runtime_integer(lb->local->loop->runtime,
                              NU_STR("upstream.zone_routing.min_cluster_size"),
                              lb->settings->zone.min_cluster_size);
}

/* Whether zones can be looked at. */
static bool can_route(struct nu_lb *lb, const struct nu_host_set *local)
{
    static const struct nu_host_priority nobody;
    const struct nu_host_priority *ours = local ? &local->priorities[0] : &nobody;
    const struct nu_host_priority *hosts = &lb->hosts->priorities[0];
    struct nu_cluster_lb_stats *stats = nu_cluster_local_lb_stats(lb->local);
    if (hosts->locality_count < 2)
        return false;
    if (ours->locality_count < 2 && !lb->settings->zone.forces_local)
        return false;
    if (!ours->has_local_locality) {
        nu_counter_inc(&stats->lb_local_cluster_not_ok);
        return false;
    }
    if (hosts->healthy.count < min_cluster_size(lb)) {
        nu_counter_inc(&stats->lb_zone_cluster_too_small);
        return false;
    }
    return true;
}

static bool keeps_all(const struct nu_lb *lb, uint64_t upstream, uint64_t local)
{
    const struct nu_lb_zone_settings *zone = &lb->settings->zone;
    const struct nu_host_priority *priority = &lb->hosts->priorities[0];
    if (!priority->has_local_locality)
        return false;
    return (upstream > 0 && upstream >= local) ||
           (zone->forces_local &&
            priority->localities[0].healthy.count >= zone->force_local_minimum);
}

static void compute_zones(struct nu_lb *lb, const struct nu_host_set *local)
{
    const struct nu_host_priority *priority = &lb->hosts->priorities[0];
    struct nu_lb_zones *zones = lb->zones;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < zones->count; i++) {
        const struct nu_locality *name = priority->localities[i].name;
        uint64_t theirs = share_of(lb, lb->hosts, name);
        uint64_t ours = share_of(lb, local, name);
        bool is_here = i == 0 && priority->has_local_locality;
        if (i == 0)
            zones->all_local = keeps_all(lb, theirs, ours);
        if (is_here)
            zones->local_share = (uint32_t)(ours ? theirs * WHOLE / ours : 0);
        else if (theirs > ours)
            sum += theirs - ours;
        zones->capacity[i] = sum;
    }
}

void nu_lb_update_zones(struct nu_lb *lb, const struct nu_host_set *local)
{
    nu_counter_inc(&nu_cluster_local_lb_stats(lb->local)->lb_recalculate_zone_structures);
    nu_free(lb->zones);
    lb->zones = NULL;
    if (!can_route(lb, local))
        return;
    uint32_t count = lb->hosts->priorities[0].locality_count;
    lb->zones = nu_calloc(1, sizeof(*lb->zones) + count * sizeof(lb->zones->capacity[0]));
    lb->zones->count = count;
    lb->zones->local_is_in_panic = nu_host_set_is_in_panic(local, lb->hosts->panic_percent);
    compute_zones(lb, local);
}

uint32_t nu_lb_zone_locality(struct nu_lb *lb)
{
    const struct nu_lb_zones *zones = lb->zones;
    struct nu_cluster_lb_stats *stats = nu_cluster_local_lb_stats(lb->local);
    if (zones->all_local) {
        nu_counter_inc(&stats->lb_zone_routing_all_directly);
        return 0;
    }
    if (nu_random_below(WHOLE) < zones->local_share) {
        nu_counter_inc(&stats->lb_zone_routing_sampled);
        return 0;
    }
    nu_counter_inc(&stats->lb_zone_routing_cross_zone);
    uint64_t capacity = zones->capacity[zones->count - 1];
    if (capacity == 0) { /* rounding may leave nothing */
        nu_counter_inc(&stats->lb_zone_no_capacity_left);
        return (uint32_t)nu_random_below(zones->count);
    }
    uint64_t wanted = nu_random_below(capacity);
    uint32_t i = 0;
    while (wanted >= zones->capacity[i])
        i++;
    return i;
}
