/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing a host set: its hosts are sorted by priority, health and locality, and each priority gets
 * its load (priority_load.h).
 */
#include "upstream/hosts/host_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* --- Loads ------------------------------------------------------------------------------------ */

static uint64_t weight_of(const struct nu_host_set *set, const struct nu_host_list *list)
{
    uint64_t weight = 0;
    for (uint32_t i = 0; i < list->count; i++)
        weight += nu_host_weight(set->hosts[nu_host_list_at(list, i)]);
    return weight;
}

static bool is_excluded(const struct nu_host *host)
{
    return atomic_load_explicit(&host->flags, memory_order_relaxed) & NU_HOST_EXCLUDED_FLAGS;
}

static uint64_t excluded_weight(const struct nu_host_set *set,
                                const struct nu_host_priority *priority)
{
    uint64_t weight = 0;
    for (uint32_t i = 0; i < priority->all.count; i++) {
        const struct nu_host *host = set->hosts[priority->all.first + i];
        weight += is_excluded(host) ? nu_host_weight(host) : 0;
    }
    return weight;
}

static uint32_t overprovisioning_of(const struct nu_host_set *set)
{
    return set->assignment ? set->assignment->overprovisioning_percent
                           : NU_OVERPROVISIONING_DEFAULT;
}

struct nu_priority_state nu_host_set_state(const struct nu_host_set *set, uint32_t index)
{
    const struct nu_host_priority *priority = &set->priorities[index];
    struct nu_priority_state state = {
        .healthy = priority->healthy.count,
        .degraded = priority->degraded.count,
        .total = priority->all.count - priority->excluded_count,
        .overprovisioning_percent = overprovisioning_of(set),
        .host_count = priority->all.count,
        .fit_count = priority->healthy.count + priority->degraded.count,
        .counted_count = priority->all.count - priority->excluded_count,
    };
    if (set->assignment && set->assignment->weighted_priority_health) {
        state.healthy = weight_of(set, &priority->healthy);
        state.degraded = weight_of(set, &priority->degraded);
        state.total = weight_of(set, &priority->all) - excluded_weight(set, priority);
    }
    return state;
}

/* Owned by the caller. */
static struct nu_priority_state *states_of(const struct nu_host_set *set)
{
    struct nu_priority_state *states = nu_alloc(set->priority_count * sizeof(*states));
    for (uint32_t i = 0; i < set->priority_count; i++)
        states[i] = nu_host_set_state(set, i);
    return states;
}

uint32_t nu_host_set_health(const struct nu_host_set *set, struct nu_priority_load *health)
{
    struct nu_priority_state *states = states_of(set);
    uint32_t sum = nu_priority_health(states, set->priority_count, health);
    nu_free(states);
    return sum;
}

bool nu_host_set_is_in_panic(const struct nu_host_set *set, uint32_t panic_percent)
{
    struct nu_priority_state state = nu_host_set_state(set, 0);
    return nu_priority_is_in_panic(&state, panic_percent);
}

static void compute_loads(struct nu_host_set *set, uint32_t panic_percent)
{
    struct nu_priority_state *states = states_of(set);
    uint32_t sum = nu_priority_give_load(states, set->priority_count, panic_percent, set->loads);
    for (uint32_t i = 0; i < set->priority_count; i++)
        set->priorities[i].in_panic =
            sum < 100 && nu_priority_is_in_panic(&states[i], panic_percent);
    nu_free(states);
}

/* --- Localities ------------------------------------------------------------------------------- */

static int by_locality(const void *a_ptr, const void *b_ptr, void *arg)
{
    const uint32_t *a = a_ptr;
    const uint32_t *b = b_ptr;
    struct nu_host *const *hosts = arg;
    int order = nu_locality_cmp(&hosts[*a]->locality, &hosts[*b]->locality);
    if (order)
        return order;
    return *a < *b ? -1 : *a > *b;
}

/* The hosts of all priorities, each priority's by locality; owned by the caller. */
static uint32_t *sort_by_locality(struct nu_host_set *set)
{
    uint32_t *sorted = nu_alloc(set->count * sizeof(*sorted));
    for (uint32_t i = 0; i < set->count; i++)
        sorted[i] = i;
    for (uint32_t i = 0; i < set->priority_count; i++) {
        const struct nu_host_list *all = &set->priorities[i].all;
        qsort_r(sorted + all->first, all->count, sizeof(*sorted), by_locality, set->hosts);
    }
    return sorted;
}

static bool is_same_locality(const struct nu_host_set *set, uint32_t a, uint32_t b)
{
    return nu_locality_eq(&set->hosts[a]->locality, &set->hosts[b]->locality);
}

static uint32_t count_localities(struct nu_host_set *set, const uint32_t *sorted)
{
    uint32_t total = 0;
    for (uint32_t p = 0; p < set->priority_count; p++) {
        struct nu_host_priority *priority = &set->priorities[p];
        const uint32_t *hosts = sorted + priority->all.first;
        for (uint32_t i = 0; i < priority->all.count; i++)
            priority->locality_count += i == 0 || !is_same_locality(set, hosts[i - 1], hosts[i]);
        total += priority->locality_count;
    }
    return total;
}

/* --- Lists ------------------------------------------------------------------------------------ */

/* Where index arrays are carved from. */
struct room {
    uint32_t *next;
};

static bool is_weighted(const struct nu_host_set *set, const struct nu_host_list *list)
{
    for (uint32_t i = 1; i < list->count; i++) {
        if (nu_host_weight(set->hosts[nu_host_list_at(list, i)]) !=
            nu_host_weight(set->hosts[nu_host_list_at(list, 0)]))
            return true;
    }
    return false;
}

static uint32_t count_with(const struct nu_host_set *set, const struct nu_host_list *of,
                           enum nu_host_health health)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < of->count; i++)
        count += nu_host_health(set->hosts[nu_host_list_at(of, i)]) == health;
    return count;
}

/* Those of `of` that have this health; where all have it, the same list. */
static struct nu_host_list select_hosts(const struct nu_host_set *set,
                                        const struct nu_host_list *of, enum nu_host_health health,
                                        struct room *room)
{
    struct nu_host_list list = {.count = count_with(set, of, health)};
    if (list.count == of->count)
        return *of;
    list.index = room->next;
    for (uint32_t i = 0; i < of->count; i++) {
        uint32_t index = nu_host_list_at(of, i);
        if (nu_host_health(set->hosts[index]) == health)
            *room->next++ = index;
    }
    list.weighted = of->weighted && is_weighted(set, &list);
    return list;
}

static uint32_t count_excluded(const struct nu_host_set *set, const struct nu_host_list *list)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < list->count; i++)
        count += is_excluded(set->hosts[nu_host_list_at(list, i)]);
    return count;
}

static double effective_weight(const struct nu_host_set *set, uint32_t weight, uint32_t fit,
                               uint32_t count)
{
    if (count == 0)
        return 0;
    double share = overprovisioning_of(set) / 100.0 * (1.0 * fit / count);
    return weight * (share < 1 ? share : 1);
}

static void fill_locality(const struct nu_host_set *set, uint32_t priority,
                          struct nu_host_locality *locality, struct room *room)
{
    locality->name = &set->hosts[nu_host_list_at(&locality->all, 0)]->locality;
    locality->all.weighted = is_weighted(set, &locality->all);
    locality->healthy = select_hosts(set, &locality->all, NU_HOST_HEALTHY, room);
    locality->degraded = select_hosts(set, &locality->all, NU_HOST_DEGRADED, room);
    locality->excluded_count = count_excluded(set, &locality->all);
    uint32_t weight = nu_assignment_locality_weight(set->assignment, priority, locality->name);
    uint32_t count = locality->all.count - locality->excluded_count;
    locality->healthy_weight = effective_weight(set, weight, locality->healthy.count, count);
    locality->degraded_weight = effective_weight(set, weight, locality->degraded.count, count);
}

/* The locality where this process is comes first. */
static void put_local_first(struct nu_host_priority *priority, const struct nu_locality *here)
{
    for (uint32_t i = 0; here && i < priority->locality_count; i++) {
        struct nu_host_locality *localities = priority->localities;
        if (!nu_locality_eq(localities[i].name, here))
            continue;
        struct nu_host_locality local = localities[i];
        memmove(localities + 1, localities, i * sizeof(*localities));
        localities[0] = local;
        priority->has_local_locality = true;
        return;
    }
}

static void fill_localities(const struct nu_host_set *set, uint32_t p, const uint32_t *sorted,
                            const struct nu_locality *here, struct room *room)
{
    struct nu_host_priority *priority = &set->priorities[p];
    uint32_t *hosts = room->next;
    if (priority->all.count == 0)
        return;
    room->next += priority->all.count;
    memcpy(hosts, sorted + priority->all.first, priority->all.count * sizeof(*hosts));
    struct nu_host_locality *next = priority->localities;
    for (uint32_t begin = 0, end; begin < priority->all.count; begin = end) {
        end = begin + 1;
        while (end < priority->all.count && is_same_locality(set, hosts[begin], hosts[end]))
            end++;
        next->all = (struct nu_host_list){.index = hosts + begin, .count = end - begin};
        fill_locality(set, p, next++, room);
    }
    put_local_first(priority, here);
}

static void fill_priority(const struct nu_host_set *set, struct nu_host_priority *priority,
                          struct room *room)
{
    priority->all.weighted = set->weighted && is_weighted(set, &priority->all);
    priority->healthy = select_hosts(set, &priority->all, NU_HOST_HEALTHY, room);
    priority->degraded = select_hosts(set, &priority->all, NU_HOST_DEGRADED, room);
    priority->excluded_count = count_excluded(set, &priority->all);
}

/* --- The whole -------------------------------------------------------------------------------- */

static void find_priorities(struct nu_host_set *set)
{
    size_t priorities = set->priority_count * sizeof(*set->priorities);
    size_t loads = set->priority_count * sizeof(*set->loads);
    char *memory = nu_calloc(1, priorities + loads);
    set->priorities = (struct nu_host_priority *)(void *)memory;
    set->loads = (struct nu_priority_load *)(void *)(memory + priorities);
    for (uint32_t i = 0; i < set->count; i++) {
        struct nu_host_list *all = &set->priorities[nu_host_priority(set->hosts[i])].all;
        if (all->count++ == 0)
            all->first = i;
    }
}

static bool all_are_healthy(const struct nu_host_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (nu_host_health(set->hosts[i]) != NU_HOST_HEALTHY)
            return false;
    }
    return true;
}

/* Room for what cannot be told by ranges of hosts: localities and lists of indices. */
static struct room make_room(struct nu_host_set *set, uint32_t locality_count)
{
    size_t lists_per_host = all_are_healthy(set) ? 0 : 1;
    if (locality_count)
        lists_per_host = 2 * lists_per_host + 1;
    size_t localities = locality_count * sizeof(struct nu_host_locality);
    size_t indices = set->count * lists_per_host * sizeof(uint32_t);
    if (localities + indices == 0)
        return (struct room){NULL};
    set->details = nu_calloc(1, localities + indices);
    struct nu_host_locality *next = set->details;
    for (uint32_t i = 0; i < set->priority_count; i++) {
        set->priorities[i].localities = next;
        next += set->priorities[i].locality_count;
    }
    return (struct room){(uint32_t *)(void *)next};
}

static void number_lists(struct nu_host_set *set)
{
    for (uint32_t i = 0; i < set->priority_count; i++) {
        struct nu_host_priority *priority = &set->priorities[i];
        priority->slot = set->slot_count;
        set->slot_count += NU_SLOTS_PER_PRIORITY + NU_SLOTS_PER_LOCALITY * priority->locality_count;
    }
}

static void fill_lists(struct nu_host_set *set, const struct nu_host_set_settings *settings)
{
    uint32_t *sorted = settings->with_localities ? sort_by_locality(set) : NULL;
    struct room room = make_room(set, sorted ? count_localities(set, sorted) : 0);
    for (uint32_t i = 0; i < set->priority_count; i++) {
        fill_priority(set, &set->priorities[i], &room);
        if (sorted)
            fill_localities(set, i, sorted, settings->here, &room);
    }
    nu_free(sorted);
}

void nu_host_set_seal(struct nu_host_set *set, const struct nu_host_set_settings *settings)
{
    if (set->is_sealed)
        return;
    find_priorities(set);
    fill_lists(set, settings);
    number_lists(set);
    compute_loads(set, settings->panic_percent);
    set->panic_percent = (uint8_t)settings->panic_percent;
    set->is_plain = set->priority_count == 1 && !set->priorities[0].in_panic &&
                    set->loads[0].healthy == 100 && set->priorities[0].locality_count < 2;
    set->is_sealed = true;
}
