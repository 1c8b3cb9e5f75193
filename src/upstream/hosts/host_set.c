/* SPDX-License-Identifier: Apache-2.0 */
/* The life of host sets; how they are sorted and what load they get is in host_set_seal.c. */
#include "upstream/hosts/host_set.h"

#include "base/alloc.h"

static uint32_t greatest_priority(struct nu_host *const *hosts, uint32_t count)
{
    uint32_t greatest = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (nu_host_priority(hosts[i]) > greatest)
            greatest = nu_host_priority(hosts[i]);
    }
    return greatest;
}

/* By priority, else in the order that they have. */
static void add_hosts(struct nu_host_set *set, struct nu_host *const *hosts, uint32_t count)
{
    for (uint32_t priority = 0; set->count < count; priority++) {
        for (uint32_t i = 0; i < count; i++) {
            if (nu_host_priority(hosts[i]) == priority)
                set->hosts[set->count++] = nu_host_ref(hosts[i]);
        }
    }
}

struct nu_host_set *nu_host_set_create(struct nu_host *const *hosts, uint32_t count)
{
    return nu_host_set_create_roomy(hosts, count, 0);
}

struct nu_host_set *nu_host_set_create_roomy(struct nu_host *const *hosts, uint32_t count,
                                             uint32_t room)
{
    struct nu_host_set *set =
        nu_calloc(1, sizeof(*set) + ((size_t)count + room) * sizeof(set->hosts[0]));
    atomic_init(&set->refs, 1);
    set->priority_count = greatest_priority(hosts, count) + 1;
    add_hosts(set, hosts, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t weight = nu_host_weight(hosts[i]);
        set->weighted |= weight != nu_host_weight(hosts[0]);
        if (weight > set->max_weight)
            set->max_weight = weight;
    }
    return set;
}

static bool is_whole(const struct nu_host_set *set, const struct nu_host_list *list)
{
    return !list->index && list->first == 0 && list->count == set->count && !list->weighted;
}

bool nu_host_set_append(struct nu_host_set *set, struct nu_host *host)
{
    struct nu_host_priority *only = set->priorities;
    if (set->count == 0 || set->priority_count != 1 || only->locality_count ||
        set->max_weight != 1 || set->shared || !is_whole(set, &only->all) ||
        !is_whole(set, &only->healthy))
        return false;
    set->hosts[set->count++] = nu_host_ref(host);
    only->all.count++;
    only->healthy.count++;
    return true;
}

void nu_host_set_take_assignment(struct nu_host_set *set, struct nu_assignment *assignment)
{
    nu_assignment_unref(set->assignment);
    set->assignment = assignment;
}

struct nu_host_set *nu_host_set_ref(struct nu_host_set *set)
{
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void nu_host_set_unref(struct nu_host_set *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (set->free_shared)
        set->free_shared(set->shared);
    for (uint32_t i = 0; i < set->count; i++)
        nu_host_unref(set->hosts[i]);
    nu_assignment_unref(set->assignment);
    nu_free(set->priorities);
    nu_free(set->details);
    nu_free(set);
}

bool nu_host_set_has(const struct nu_host_set *set, const struct nu_host *host)
{
    for (uint32_t i = set->count; i > 0; i--) { /* it is asked of hosts that came last */
        if (set->hosts[i - 1] == host)
            return true;
    }
    return false;
}
