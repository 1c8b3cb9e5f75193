/* SPDX-License-Identifier: Apache-2.0 */
/* The way from a set to the list that a balancer picks from. */
#include "upstream/lb/lb_source.h"

#include "base/random.h"
#include "upstream/cluster.h"
#include "upstream/lb/lb_locality.h"

struct nu_lb_priority nu_lb_pick_priority(const struct nu_priority_load *loads, uint32_t count,
                                          uint64_t random)
{
    uint32_t wanted = (uint32_t)(random % 100) + 1;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += loads[i].healthy;
        if (wanted <= sum)
            return (struct nu_lb_priority){i, false};
    }
    for (uint32_t i = 0; i < count; i++) {
        sum += loads[i].degraded;
        if (wanted <= sum)
            return (struct nu_lb_priority){i, true};
    }
    return (struct nu_lb_priority){0, false};
}

struct nu_lb_priority nu_lb_choose_priority(const struct nu_host_set *set,
                                            const struct nu_lb_context *context, uint64_t random)
{
    const struct nu_priority_load *loads =
        context->loads ? context->loads(context, set->priority_count) : NULL;
    return nu_lb_pick_priority(loads ? loads : set->loads, set->priority_count, random);
}

static struct nu_lb_source source_of(const struct nu_host_priority *priority, bool degraded)
{
    if (degraded)
        return (struct nu_lb_source){&priority->degraded, priority->slot + NU_SLOT_DEGRADED};
    return (struct nu_lb_source){&priority->healthy, priority->slot + NU_SLOT_HEALTHY};
}

static struct nu_lb_source source_in(const struct nu_host_priority *priority, bool degraded,
                                     uint32_t locality)
{
    const struct nu_host_locality *hosts = &priority->localities[locality];
    uint32_t slot = priority->slot + NU_SLOTS_PER_PRIORITY + locality * NU_SLOTS_PER_LOCALITY;
    if (degraded)
        return (struct nu_lb_source){&hosts->degraded, slot + 1};
    return (struct nu_lb_source){&hosts->healthy, slot};
}

/* Whether this request is kept in our zone if possible. */
static bool routes_by_zone(const struct nu_lb *lb, uint32_t priority)
{
    return lb->zones && priority == 0 &&
           nu_runtime_feature_enabled(lb->local->loop->runtime,
                                      NU_STR("upstream.zone_routing.enabled"),
                                      lb->settings->zone.routing_percent, nu_random_u64());
}

static bool find_in_zone(struct nu_lb *lb, bool degraded, struct nu_lb_source *source)
{
    const struct nu_host_priority *priority = &lb->hosts->priorities[0];
    if (!lb->zones->local_is_in_panic) {
        *source = source_in(priority, degraded, nu_lb_zone_locality(lb));
        return true;
    }
    nu_counter_inc(&nu_cluster_local_lb_stats(lb->local)->lb_local_cluster_not_ok);
    *source = source_of(priority, degraded);
    return !lb->settings->zone.fail_traffic_on_panic;
}

bool nu_lb_find_source(struct nu_lb *lb, const struct nu_lb_context *context,
                       struct nu_lb_source *source)
{
    const struct nu_host_set *set = lb->hosts;
    struct nu_lb_priority chosen = {0};
    if (set->priority_count > 1 || set->loads[0].healthy < 100)
        chosen = nu_lb_choose_priority(set, context, nu_random_u64());
    const struct nu_host_priority *priority = &set->priorities[chosen.priority];
    uint32_t locality;
    if (priority->in_panic) {
        nu_counter_inc(&nu_cluster_local_lb_stats(lb->local)->lb_healthy_panic);
        *source = (struct nu_lb_source){&priority->all, priority->slot + NU_SLOT_ALL};
        return !lb->settings->zone.fail_traffic_on_panic;
    }
    if (lb->settings->is_locality_weighted &&
        nu_lb_next_locality(lb, chosen.priority, chosen.degraded, &locality)) {
        *source = source_in(priority, chosen.degraded, locality);
        return true;
    }
    if (routes_by_zone(lb, chosen.priority))
        return find_in_zone(lb, chosen.degraded, source);
    *source = source_of(priority, chosen.degraded);
    return true;
}
