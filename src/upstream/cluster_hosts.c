/* SPDX-License-Identifier: Apache-2.0 */
/* The main thread's side of a cluster's hosts. */
#include "upstream/cluster_hosts.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "runtime/runtime.h"
#include "upstream/cluster_build.h"
#include "upstream/cluster_manager.h"

/* --- What changed ----------------------------------------------------------------------------- */

static int by_address_of(const void *a_ptr, const void *b_ptr)
{
    uintptr_t a = (uintptr_t) * (struct nu_host *const *)a_ptr;
    uintptr_t b = (uintptr_t) * (struct nu_host *const *)b_ptr;
    return a < b ? -1 : a > b;
}

/* The hosts of a set, ordered for a comparison; owned by the caller. */
static struct nu_host **sort_hosts(const struct nu_host_set *set)
{
    struct nu_host **hosts = nu_alloc(set->count * sizeof(struct nu_host *));
    for (uint32_t i = 0; i < set->count; i++)
        hosts[i] = set->hosts[i];
    qsort(hosts, set->count, sizeof(struct nu_host *), by_address_of);
    return hosts;
}

/* Leaves in `hosts` those that are not in `others`; both are sorted. Returns how many. */
static uint32_t subtract(struct nu_host **hosts, uint32_t count, struct nu_host *const *others,
                         uint32_t other_count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0, j = 0; i < count; i++) {
        while (j < other_count && (uintptr_t)others[j] < (uintptr_t)hosts[i])
            j++;
        if (j == other_count || others[j] != hosts[i])
            hosts[kept++] = hosts[i];
    }
    return kept;
}

/* The arrays of a change are the caller's to free. */
static struct nu_host_change compare(const struct nu_host_set *old, const struct nu_host_set *set)
{
    struct nu_host **before = sort_hosts(old);
    struct nu_host **after = sort_hosts(set);
    struct nu_host **added = sort_hosts(set);
    struct nu_host_change change = {
        .added = added,
        .added_count = subtract(added, set->count, before, old->count),
        .removed = before,
    };
    change.removed_count = subtract(before, old->count, after, set->count);
    nu_free(after);
    return change;
}

/* --- Statistics ------------------------------------------------------------------------------- */

/* Priorities, one bit each. */
struct priorities {
    uint64_t bits[NU_PRIORITIES_MAX / 64 + 1];
    uint32_t count;
};

static void add_priority(struct priorities *set, uint32_t priority)
{
    uint64_t bit = (uint64_t)1 << priority % 64;
    if (set->bits[priority / 64] & bit)
        return;
    set->bits[priority / 64] |= bit;
    set->count++;
}

/* A host that is of another priority now came to the one and went from the other. */
static void add_moved(struct priorities *changed, const struct nu_host_set *old)
{
    for (uint32_t i = 0; i < old->priority_count; i++) {
        const struct nu_host_list *all = &old->priorities[i].all;
        for (uint32_t n = 0; n < all->count; n++) {
            uint32_t now = nu_host_priority(old->hosts[nu_host_list_at(all, n)]);
            if (nu_likely(now == i))
                continue;
            add_priority(changed, i);
            add_priority(changed, now);
        }
    }
}

/* In how many priorities hosts came or went: Envoy counts a change for each. */
static uint32_t count_changes(const struct nu_host_set *old, const struct nu_host_change *change)
{
    struct priorities changed = {0};
    for (uint32_t i = 0; i < change->added_count; i++)
        add_priority(&changed, nu_host_priority(change->added[i]));
    for (uint32_t i = 0; i < change->removed_count; i++)
        add_priority(&changed, nu_host_priority(change->removed[i]));
    add_moved(&changed, old);
    return changed.count;
}

static void set_members(struct nu_cluster *cluster, struct nu_cluster_membership_stats *stats)
{
    const struct nu_host_set *set = cluster->hosts;
    uint32_t healthy = 0, degraded = 0, excluded = 0;
    for (uint32_t i = 0; i < set->priority_count; i++) {
        const struct nu_host_priority *priority = &set->priorities[i];
        healthy += priority->healthy.count;
        degraded += priority->degraded.count;
        excluded += priority->excluded_count;
    }
    atomic_store_explicit(&cluster->members, (uint64_t)set->count << 32 | (healthy + degraded),
                          memory_order_relaxed);
    nu_gauge_set(&stats->membership_total, set->count);
    nu_gauge_set(&stats->membership_healthy, healthy);
    nu_gauge_set(&stats->membership_degraded, degraded);
    nu_gauge_set(&stats->membership_excluded, excluded);
}

/* --- Zones ------------------------------------------------------------------------------------ */

/* Requests from our zone to another one. */
struct nu_zone_stats {
    struct nu_zone_stats *next;
    struct nu_str zone;      /* the other */
    struct nu_stat_set *set; /* owned: .zone.FROM.TO. */
};

static struct nu_zone_stats *add_zone(struct nu_cluster *cluster, struct nu_str from,
                                      struct nu_str to)
{
    struct nu_strbuf suffix = {0};
    nu_strbuf_add_cstr(&suffix, ".zone.");
    nu_stats_sanitize(&suffix, from);
    nu_strbuf_add_char(&suffix, '.');
    nu_stats_sanitize(&suffix, to);
    struct nu_zone_stats *zone = nu_arena_alloc(&cluster->arena, sizeof(*zone));
    *zone = (struct nu_zone_stats){
        .next = cluster->zone_stats,
        .zone = nu_arena_dup(&cluster->arena, to),
        .set = nu_cluster_create_set(cluster, &nu_response_stats_table, suffix.data),
    };
    nu_strbuf_finish(&suffix);
    return cluster->zone_stats = zone;
}

static void set_zones(struct nu_cluster *cluster, const struct nu_host_change *change,
                      const struct nu_locality *here)
{
    for (uint32_t i = 0; here && here->zone.len && i < change->added_count; i++) {
        struct nu_host *host = change->added[i];
        struct nu_zone_stats *zone = cluster->zone_stats;
        if (!host->locality.zone.len)
            continue;
        while (zone && !nu_str_eq(zone->zone, host->locality.zone))
            zone = zone->next;
        if (!zone)
            zone = add_zone(cluster, here->zone, host->locality.zone);
        host->zone_stats = zone->set;
    }
}

/* --- Publishing ------------------------------------------------------------------------------- */

static uint32_t panic_percent(const struct nu_cluster *cluster, const struct nu_runtime *runtime)
{
    uint64_t percent = nu_runtime_integer(runtime, NU_STR("upstream.healthy_panic_threshold"),
                                          cluster->lb->panic_percent);
    return (uint32_t)(percent < 100 ? percent : 100);
}

static void seal(struct nu_cluster *cluster, const struct nu_cluster_surroundings *around)
{
    struct nu_host_set *set = cluster->hosts;
    const struct nu_host_set_settings settings = {
        .panic_percent = panic_percent(cluster, around->runtime),
        .with_localities = cluster->lb->is_locality_weighted || around->has_local_cluster,
        .here = around->here,
    };
    nu_lb_prepare(cluster->lb_class, cluster, set, &settings);
}

static void tell(const struct nu_cluster *cluster, const struct nu_host_change *change)
{
    struct nu_cluster_observer *observer;
    nu_list_for_each(observer, &cluster->observers, struct nu_cluster_observer, link)
    {
        observer->on_hosts(observer, change);
    }
}

void nu_cluster_announce_host(struct nu_cluster *cluster, struct nu_host *host)
{
    struct nu_host *const hosts[] = {host};
    const struct nu_host_change change = {.added = hosts, .added_count = 1};
    tell(cluster, &change);
    host->is_announced = true;
}

/* But of those whom the observers know already. */
static void tell_news(const struct nu_cluster *cluster, const struct nu_host_change *change)
{
    struct nu_host_change news = *change;
    struct nu_host **added = nu_alloc(change->added_count * sizeof(struct nu_host *));
    news.added = added;
    news.added_count = 0;
    for (uint32_t i = 0; i < change->added_count; i++) {
        if (!change->added[i]->is_announced)
            added[news.added_count++] = change->added[i];
        change->added[i]->is_announced = false;
    }
    if (news.added_count || news.removed_count)
        tell(cluster, &news);
    nu_free(added);
}

uint32_t nu_cluster_publish_hosts(struct nu_cluster *cluster, const struct nu_host_set *old,
                                  const struct nu_cluster_surroundings *around)
{
    struct nu_cluster_membership_stats *stats = nu_stat_set_block(cluster->sets.membership);
    static const struct nu_host_set nobody;
    old = old ? old : &nobody;
    struct nu_host_change change = compare(old, cluster->hosts);
    if (change.added_count || change.removed_count)
        tell_news(cluster, &change);
    set_zones(cluster, &change, around->here);
    seal(cluster, around);
    uint32_t changed = count_changes(old, &change);
    nu_counter_add(&stats->membership_change, changed);
    set_members(cluster, stats);
    nu_free(nu_unconst(change.added));
    nu_free(nu_unconst(change.removed));
    return changed;
}

void nu_cluster_add_observer(struct nu_cluster *cluster, struct nu_cluster_observer *observer)
{
    nu_list_add_last(&cluster->observers, &observer->link);
    if (!cluster->manager || !cluster->hosts->count)
        return;
    const struct nu_host_change change = {
        .added = cluster->hosts->hosts,
        .added_count = cluster->hosts->count,
    };
    observer->on_hosts(observer, &change);
}

struct nu_host_set *nu_cluster_copy_hosts(const struct nu_host_set *old)
{
    struct nu_host **hosts = nu_alloc(old->count * sizeof(struct nu_host *));
    uint32_t count = 0;
    for (uint32_t i = 0; i < old->count; i++) {
        if (!nu_host_is_gone(old->hosts[i]))
            hosts[count++] = old->hosts[i];
    }
    struct nu_host_set *set = nu_host_set_create(hosts, count);
    nu_host_set_take_assignment(set, nu_assignment_ref(old->assignment));
    nu_free(hosts);
    return set;
}

static void on_health_task(struct nu_turn_task *task)
{
    struct nu_cluster *cluster = nu_container_of(task, struct nu_cluster, health_task);
    struct nu_host_set *set = nu_cluster_copy_hosts(cluster->hosts);
    nu_cluster_manager_set_hosts(cluster->manager, cluster, set);
    nu_host_set_unref(set);
}

void nu_cluster_health_changed(struct nu_cluster *cluster)
{
    if (cluster->manager)
        nu_loop_at_turn_end(nu_cluster_manager_loop(cluster->manager), &cluster->health_task);
}

/* --- Life ------------------------------------------------------------------------------------- */

void nu_cluster_init_hosts(struct nu_cluster *cluster)
{
    enum { DEFAULT_WINDOW_MS = 1000 };
    cluster->updates.window_ms = DEFAULT_WINDOW_MS;
    nu_list_init(&cluster->updates.timer.link);
    nu_list_init(&cluster->observers);
    nu_turn_task_init(&cluster->health_task, on_health_task);
}

void nu_cluster_destroy_observers(struct nu_cluster *cluster)
{
    while (!nu_list_is_empty(&cluster->observers)) {
        struct nu_cluster_observer *observer =
            nu_list_entry(cluster->observers.next, struct nu_cluster_observer, link);
        nu_list_remove(&observer->link);
        if (observer->destroy)
            observer->destroy(observer);
    }
}

void nu_cluster_finish_hosts(struct nu_cluster *cluster)
{
    nu_list_remove(&cluster->health_task.link);
    for (struct nu_zone_stats *zone = cluster->zone_stats; zone; zone = zone->next)
        nu_stat_set_destroy(&zone->set);
    nu_host_set_unref(cluster->hosts);
}
