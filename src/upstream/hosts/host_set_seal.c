/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing a host set: its hosts are sorted by priority, health and locality, and each priority gets
 * its load. The rules and their rounding are Envoy's.
 *
 * The health of a priority is its share of healthy hosts times the overprovisioning factor, at most
 * 100: so some hosts may be unwell before requests go elsewhere. Load goes to the first priorities
 * up to their health, and what is left to degraded hosts in the same way; where all that together
 * is below 100, everything is scaled up. A priority with too few healthy hosts is in panic, unless
 * the others make up for it: then its requests go to all of its hosts. With every priority in panic
 * the load follows their sizes.
 */
#include "upstream/hosts/host_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* --- Loads ------------------------------------------------------------------------------------ */

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What is compared to tell how healthy a priority is: numbers of hosts, or their weights. */
struct amounts {
    uint64_t healthy;
    uint64_t degraded;
    uint64_t total;
};

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

static struct amounts amounts_of(const struct nu_host_set *set,
                                 const struct nu_host_priority *priority)
{
    if (set->assignment && set->assignment->weighted_priority_health)
        return (struct amounts){
            .healthy = weight_of(set, &priority->healthy),
            .degraded = weight_of(set, &priority->degraded),
            .total = weight_of(set, &priority->all) - excluded_weight(set, priority),
        };
    return (struct amounts){
        .healthy = priority->healthy.count,
        .degraded = priority->degraded.count,
        .total = priority->all.count - priority->excluded_count,
    };
}

static uint32_t overprovisioning_of(const struct nu_host_set *set)
{
    return set->assignment ? set->assignment->overprovisioning_percent
                           : NU_OVERPROVISIONING_DEFAULT;
}

/* Percent, with overprovisioning, but at most 100. */
static uint8_t health_percent(const struct nu_host_set *set, uint64_t amount, uint64_t total)
{
    uint64_t percent = overprovisioning_of(set) * amount / total;
    return (uint8_t)(percent < 100 ? percent : 100);
}

uint32_t nu_host_set_health(const struct nu_host_set *set, struct nu_priority_load *health)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < set->priority_count; i++) {
        struct amounts amounts = amounts_of(set, &set->priorities[i]);
        health[i] = (struct nu_priority_load){0};
        if (amounts.total) {
            health[i].healthy = health_percent(set, amounts.healthy, amounts.total);
            health[i].degraded = health_percent(set, amounts.degraded, amounts.total);
        }
        sum = min_u32(100, sum + health[i].healthy + health[i].degraded);
    }
    return sum;
}

/* Which of the two loads is given out. */
typedef uint8_t *load_fn(struct nu_priority_load *load);

static uint8_t *healthy_load(struct nu_priority_load *load)
{
    return &load->healthy;
}

static uint8_t *degraded_load(struct nu_priority_load *load)
{
    return &load->degraded;
}

/* Gives out `left` percent by health; returns what is left. `first` is the first that could take
 * some, NULL for none. */
static uint32_t give_out(struct nu_host_set *set, struct nu_priority_load *health, uint32_t sum,
                         uint32_t left, load_fn *of, uint8_t **first)
{
    *first = NULL;
    for (uint32_t i = 0; i < set->priority_count; i++) {
        uint32_t percent = *of(&health[i]);
        uint8_t *load = of(&set->loads[i]);
        if (!*first && percent)
            *first = load;
        *load = (uint8_t)min_u32(left, percent * 100 / sum);
        left -= *load;
    }
    return left;
}

static void load_by_health(struct nu_host_set *set, struct nu_priority_load *health, uint32_t sum)
{
    uint8_t *healthy;
    uint8_t *degraded;
    uint32_t left = give_out(set, health, sum, 100, healthy_load, &healthy);
    left = give_out(set, health, sum, left, degraded_load, &degraded);
    /* What rounding left over. */
    uint8_t *rest = healthy ? healthy : degraded;
    *rest = (uint8_t)(*rest + left);
}

/* Every priority is in panic. */
static void load_by_size(struct nu_host_set *set)
{
    uint32_t left = 100;
    uint32_t first = UINT32_MAX;
    for (uint32_t i = 0; i < set->priority_count; i++) {
        uint32_t count = set->priorities[i].all.count;
        uint32_t load = (uint32_t)(set->count ? (uint64_t)count * 100 / set->count : 0);
        if (first == UINT32_MAX && count)
            first = i;
        set->loads[i] = (struct nu_priority_load){.healthy = (uint8_t)load};
        left -= load;
    }
    struct nu_priority_load *rest = &set->loads[first == UINT32_MAX ? 0 : first];
    rest->healthy = (uint8_t)(rest->healthy + left);
}

static bool is_in_panic(const struct nu_host_priority *priority, uint32_t panic_percent)
{
    uint32_t count = priority->all.count - priority->excluded_count;
    double fit = count ? 100.0 * (priority->healthy.count + priority->degraded.count) / count : 0;
    return fit < panic_percent;
}

bool nu_host_set_is_in_panic(const struct nu_host_set *set, uint32_t panic_percent)
{
    return is_in_panic(&set->priorities[0], panic_percent);
}

static void compute_loads(struct nu_host_set *set, uint32_t panic_percent)
{
    struct nu_priority_load *health = nu_alloc(set->priority_count * sizeof(*health));
    uint32_t sum = nu_host_set_health(set, health);
    if (sum)
        load_by_health(set, health, sum);
    nu_free(health);
    if (panic_percent == 0 && sum == 0) {
        set->loads[0].healthy = 100; /* somewhere; nobody is there to take it */
        return;
    }
    bool everywhere = true;
    for (uint32_t i = 0; i < set->priority_count; i++) {
        struct nu_host_priority *priority = &set->priorities[i];
        priority->in_panic = sum < 100 && is_in_panic(priority, panic_percent);
        everywhere &= priority->in_panic;
    }
    if (everywhere)
        load_by_size(set);
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
