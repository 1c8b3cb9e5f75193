/* SPDX-License-Identifier: Apache-2.0 */
/* The way from a set to the list that a balancer picks from. */
#include "upstream/lb_source.h"

#include "base/random.h"
#include "upstream/cluster.h"

struct nu_lb_priority nu_lb_choose_priority(const struct nu_host_set *set,
                                            const struct nu_lb_context *context, uint64_t random)
{
    const struct nu_priority_load *loads =
        context->loads ? context->loads(context, set) : set->loads;
    uint32_t wanted = (uint32_t)(random % 100) + 1;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < set->priority_count; i++) {
        sum += loads[i].healthy;
        if (wanted <= sum)
            return (struct nu_lb_priority){i, false};
    }
    for (uint32_t i = 0; i < set->priority_count; i++) {
        sum += loads[i].degraded;
        if (wanted <= sum)
            return (struct nu_lb_priority){i, true};
    }
    return (struct nu_lb_priority){0, false};
}

bool nu_lb_find_source(struct nu_lb *lb, const struct nu_lb_context *context,
                       struct nu_lb_source *source)
{
    const struct nu_host_set *set = lb->hosts;
    struct nu_lb_priority chosen = {0};
    if (set->priority_count > 1 || set->loads[0].healthy < 100)
        chosen = nu_lb_choose_priority(set, context, nu_random_u64());
    const struct nu_host_priority *priority = &set->priorities[chosen.priority];
    if (priority->in_panic) {
        nu_counter_inc(&nu_cluster_local_lb_stats(lb->local)->lb_healthy_panic);
        *source = (struct nu_lb_source){&priority->all, priority->slot + NU_SLOT_ALL};
    } else if (chosen.degraded) {
        *source = (struct nu_lb_source){&priority->degraded, priority->slot + NU_SLOT_DEGRADED};
    } else {
        *source = (struct nu_lb_source){&priority->healthy, priority->slot + NU_SLOT_HEALTHY};
    }
    return true;
}
