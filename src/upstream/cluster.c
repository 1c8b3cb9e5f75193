/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's side of clusters: the table by name, host sets, breakers with their gauges. */
#include "upstream/cluster.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "upstream/discovery/fresh_hosts.h"
#include "upstream/dns_cache/dns_cache.h"
#include "upstream/lb/lb_aggregate.h"
#include "upstream/lb/lb_locality.h"
#include "upstream/pool/pool.h"
#include "upstream/pool/tcp_client.h"

void nu_cluster_table_init(struct nu_cluster_table *table, struct nu_loop *loop)
{
    *table = (struct nu_cluster_table){.loop = loop};
}

/* What ends with them may be another cluster's: an aggregate's requests are at work here. */
static void end_connections(struct nu_cluster_local *local)
{
    while (!nu_list_is_empty(&local->pools))
        nu_pool_destroy(nu_list_entry(local->pools.next, struct nu_pool, link));
    nu_tcp_clients_destroy(local);
}

static void destroy_local(struct nu_cluster_local *local)
{
    end_connections(local); /* which the end of others' may have begun */
    nu_lb_destroy(&local->lb);
    nu_host_set_unref(local->hosts);
    nu_fresh_hosts_finish(local);
    nu_map_finish(&local->own_pools);
    nu_free(local->pool_of);
    nu_free(local);
}

void nu_cluster_table_finish(struct nu_cluster_table *table)
{
    nu_map_for_each(entry, &table->by_name)
    {
        end_connections(entry->value);
    }
    nu_map_for_each(entry, &table->by_name)
    {
        destroy_local(entry->value);
    }
    nu_map_finish(&table->by_name);
    nu_dns_caches_detach(table);
}

static struct nu_pool **make_pool_slots(const struct nu_host_set *hosts)
{
    return nu_calloc((size_t)hosts->count * NU_PRIORITY_COUNT * NU_POOLS_PER_PRIORITY,
                     sizeof(struct nu_pool *));
}

/* Where requests go by zones, that depends on the local cluster, which may not be there yet. */
static void update_zones(const struct nu_cluster_table *table, struct nu_cluster_local *local)
{
    const struct nu_cluster_local *ours = nu_cluster_table_find(table, table->local_cluster);
    if (ours != local && local->lb->cls->knows_zones)
        nu_lb_update_zones(local->lb, ours ? ours->hosts : NULL);
}

/* After a cluster got hosts: of this one, or of all if it is the local one. */
static void update_zones_after(const struct nu_cluster_table *table, struct nu_cluster_local *local)
{
    if (nu_likely(table->local_cluster.len == 0))
        return;
    if (!nu_str_eq(local->cluster->name, table->local_cluster)) {
        update_zones(table, local);
        return;
    }
    nu_map_for_each(entry, &table->by_name)
    {
        update_zones(table, entry->value);
    }
}

static void count_streams(struct nu_cluster_table *table)
{
    table->counts_streams = true;
    nu_map_for_each(entry, &table->by_name)
    {
        struct nu_cluster_local *local = entry->value;
        local->totals = &table->totals;
    }
}

/* After a cluster came or got hosts: those aggregates that it is part of. */
static void update_aggregates_after(const struct nu_cluster_table *table,
                                    struct nu_cluster_local *local)
{
    if (nu_unlikely(local->cluster->aggregate != NULL))
        nu_aggregate_refresh(local, table);
    for (struct nu_cluster_local *each = table->aggregates; nu_unlikely(each != NULL);
         each = each->next_aggregate) {
        if (each != local && nu_aggregate_has(each->cluster->aggregate, local->cluster->name))
            nu_aggregate_refresh(each, table);
    }
}

void nu_cluster_table_add(struct nu_cluster_table *table, struct nu_cluster *cluster,
                          struct nu_host_set *hosts)
{
    struct nu_cluster_local *local = nu_calloc(1, sizeof(*local));
    local->cluster = cluster;
    local->loop = table->loop;
    local->hosts = nu_host_set_ref(hosts);
    local->lb = nu_lb_create(cluster->lb_class, local, hosts);
    local->counts_active = cluster->lb_class->counts_active;
    local->pool_of = make_pool_slots(hosts);
    nu_list_init(&local->pools);
    nu_list_init(&local->tcp_clients);
    nu_list_init(&local->tcp_waiting);
    if (cluster->options.predictive_ratio > 1 && !table->counts_streams)
        count_streams(table);
    local->totals = table->counts_streams ? &table->totals : NULL;
    local->is_metered = cluster->sets.budgets || cluster->sets.sizes;
    memset(table->found, 0, sizeof(table->found));
    void *before = nu_map_put(&table->by_name, cluster->name, local);
    nu_assert(!before);
    if (nu_unlikely(cluster->aggregate != NULL)) {
        local->next_aggregate = table->aggregates;
        table->aggregates = local;
    }
    update_zones_after(table, local);
    update_aggregates_after(table, local);
}

void nu_cluster_table_hand_over(struct nu_cluster_table *table)
{
    nu_map_for_each(entry, &table->by_name)
    {
        struct nu_cluster_local *local = entry->value;
        local->stats = NULL; /* and with it all others: see make_blocks */
    }
}

/* Where a host stands in a set, to find the places of pools that stay. */
struct place {
    const struct nu_host *host;
    uint32_t index;
};

static int by_host(const void *a_ptr, const void *b_ptr)
{
    const struct place *a = a_ptr;
    const struct place *b = b_ptr;
    if (a->host == b->host)
        return 0;
    return (uintptr_t)a->host < (uintptr_t)b->host ? -1 : 1;
}

/* The places of all hosts, ordered for a search; owned by the caller. */
static struct place *make_places(const struct nu_host_set *hosts)
{
    struct place *places = nu_alloc(hosts->count * sizeof(*places));
    for (uint32_t i = 0; i < hosts->count; i++)
        places[i] = (struct place){hosts->hosts[i], i};
    qsort(places, hosts->count, sizeof(*places), by_host);
    return places;
}

static void place_pools(struct nu_cluster_local *local)
{
    struct place *places = make_places(local->hosts);
    struct nu_pool *pool;
    nu_list_for_each(pool, &local->pools, struct nu_pool, link)
    {
        if (pool->draining)
            continue;
        const struct place key = {.host = pool->host};
        const struct place *found =
            bsearch(&key, places, local->hosts->count, sizeof(*places), by_host);
        if (!found)
            nu_pool_drain(pool);
        else if (!pool->own)
            local->pool_of[nu_pool_slot(pool, found->index)] = pool;
    }
    nu_free(places);
}

void nu_cluster_local_set_hosts(struct nu_cluster_local *local, struct nu_host_set *hosts)
{
    struct nu_host_set *old = local->hosts;
    static const struct nu_host_set_settings plain = {0};
    nu_host_set_seal(hosts, &plain); /* one that was made here */
    nu_lb_destroy(&local->lb);
    nu_free(local->pool_of);
    local->room = 0;
    local->hosts = nu_host_set_ref(hosts);
    local->lb = nu_lb_create(local->cluster->lb_class, local, hosts);
    local->pool_of = make_pool_slots(hosts);
    place_pools(local);
    nu_host_set_unref(old);
}

void nu_cluster_local_grow(struct nu_cluster_local *local)
{
    enum { SLOTS = NU_PRIORITY_COUNT * NU_POOLS_PER_PRIORITY };
    size_t slots = (size_t)local->hosts->count * SLOTS;
    local->pool_of = nu_realloc(local->pool_of, slots * sizeof(struct nu_pool *));
    for (size_t i = slots - SLOTS; i < slots; i++)
        local->pool_of[i] = NULL;
}

void nu_cluster_table_set_hosts(struct nu_cluster_table *table, struct nu_cluster *cluster,
                                struct nu_host_set *hosts)
{
    struct nu_cluster_local *local = nu_cluster_table_find(table, cluster->name);
    if (!local)
        return;
    struct nu_host_set *set = nu_unlikely(cluster->lb_class->add != NULL)
                                  ? nu_fresh_hosts_merge(local, hosts)
                                  : nu_host_set_ref(hosts);
    nu_cluster_local_set_hosts(local, set);
    nu_host_set_unref(set);
    update_zones_after(table, local);
    update_aggregates_after(table, local);
}

void nu_cluster_table_add_host(struct nu_cluster_table *table, const struct nu_cluster *cluster,
                               struct nu_host *host)
{
    struct nu_cluster_local *local = nu_cluster_table_find(table, cluster->name);
    if (local && !nu_host_set_has(local->hosts, host))
        nu_fresh_hosts_add(local, host);
}

static void drain_pool(struct nu_cluster_local *local, struct nu_pool *pool)
{
    for (uint32_t i = 0; i < local->hosts->count && !pool->own; i++) {
        struct nu_pool **slot = &local->pool_of[nu_pool_slot(pool, i)];
        if (*slot == pool)
            *slot = NULL;
    }
    nu_pool_drain(pool);
}

/* A session that ends may begin another one, with the same host if there is no better. */
static void close_sessions(struct nu_cluster_local *local, const struct nu_host *host)
{
    struct nu_list old;
    nu_list_init(&old);
    nu_list_move_all(&old, &local->tcp_clients);
    while (!nu_list_is_empty(&old)) {
        struct nu_tcp_client *client = nu_list_first(&old, struct nu_tcp_client, link);
        nu_list_remove(&client->link);
        nu_list_add_last(&local->tcp_clients, &client->link);
        if (client->host == host)
            nu_connection_close(&client->conn, NU_CLOSE_NOW);
    }
}

void nu_cluster_table_drain_host(struct nu_cluster_table *table, const struct nu_cluster *cluster,
                                 const struct nu_host *host)
{
    struct nu_cluster_local *local = nu_cluster_table_find(table, cluster->name);
    struct nu_pool *pool;
    if (!local)
        return;
    nu_list_for_each(pool, &local->pools, struct nu_pool, link)
    {
        if (pool->host == host && !pool->draining)
            drain_pool(local, pool);
    }
    if (cluster->options.closes_unwell)
        close_sessions(local, host);
}

void nu_cluster_table_drain(struct nu_cluster_table *table, const struct nu_cluster *cluster)
{
    struct nu_cluster_local *local = nu_cluster_table_find(table, cluster->name);
    struct nu_pool *pool;
    if (!local)
        return;
    nu_list_for_each(pool, &local->pools, struct nu_pool, link)
    {
        if (!pool->draining)
            drain_pool(local, pool);
    }
}

struct nu_cluster_local *nu_cluster_table_find(const struct nu_cluster_table *table,
                                               struct nu_str name)
{
    return nu_map_get(&table->by_name, name);
}

struct nu_cluster_local *nu_cluster_table_find_again(struct nu_cluster_table *table,
                                                     struct nu_str name)
{
    struct nu_cluster_local **found = &table->found[(uintptr_t)name.ptr / 16 % NU_CLUSTER_MEMO];
    if (nu_unlikely(!*found || !nu_str_eq((*found)->cluster->name, name)))
        *found = nu_cluster_table_find(table, name);
    return *found;
}

uint32_t nu_cluster_priority_count(const struct nu_cluster_local *local)
{
    return nu_unlikely(local->cluster->aggregate != NULL) ? nu_aggregate_priority_count(local)
                                                          : local->hosts->priority_count;
}

uint32_t nu_cluster_priority_health(const struct nu_cluster_local *local,
                                    struct nu_priority_load *health)
{
    return nu_unlikely(local->cluster->aggregate != NULL)
               ? nu_aggregate_health(local, health)
               : nu_host_set_health(local->hosts, health);
}

uint32_t nu_cluster_priority_of(const struct nu_cluster_local *local,
                                const struct nu_cluster_local *owner, const struct nu_host *host)
{
    return nu_unlikely(local->cluster->aggregate != NULL)
               ? nu_aggregate_priority_of(local, owner, host)
               : nu_host_priority(host);
}

static void make_blocks(struct nu_cluster_local *local)
{
    const struct nu_cluster_sets *sets = &local->cluster->sets;
    local->stats = nu_stat_set_block(sets->traffic);
    local->responses[0] = nu_stat_set_block(sets->external);
    local->responses[1] = nu_stat_set_block(sets->internal);
    local->canary = nu_stat_set_block(sets->canary);
    local->retried = nu_stat_set_block(sets->retry);
    local->lb_stats = nu_stat_set_block(sets->lb);
    for (int i = 0; i < NU_PRIORITY_COUNT; i++) {
        local->breaker_stats[i] = nu_stat_set_block(sets->breakers[i]);
        if (sets->remaining[i])
            local->remaining_stats[i] = nu_stat_set_block(sets->remaining[i]);
    }
}

struct nu_cluster_traffic_stats *nu_cluster_local_stats(struct nu_cluster_local *local)
{
    if (nu_unlikely(!local->stats))
        make_blocks(local);
    return local->stats;
}

struct nu_cluster_http1_stats *nu_cluster_local_http1_stats(struct nu_cluster_local *local)
{
    if (!local->http1_stats)
        local->http1_stats = nu_stat_set_block(local->cluster->sets.http1);
    return local->http1_stats;
}

struct nu_http2_stats *nu_cluster_local_http2_stats(struct nu_cluster_local *local)
{
    if (!local->http2_stats)
        local->http2_stats = nu_stat_set_block(local->cluster->sets.http2);
    return local->http2_stats;
}

/* The gauges of one breaker: whether it is open, and how many more it allows. */
struct breaker_gauges {
    struct nu_gauge *open;
    struct nu_gauge *remaining;
};

static struct breaker_gauges gauges_of(struct nu_cluster_local *local, enum nu_priority priority,
                                       enum nu_breaker_kind kind)
{
    struct nu_circuit_breaker_stats *open = local->breaker_stats[priority];
    struct nu_circuit_breaker_remaining_stats *left = local->remaining_stats[priority];
    switch (kind) {
    case NU_BREAKER_CONNECTIONS:
        return (struct breaker_gauges){&open->cx_open, left ? &left->remaining_cx : NULL};
    case NU_BREAKER_PENDING:
        return (struct breaker_gauges){&open->rq_pending_open,
                                       left ? &left->remaining_pending : NULL};
    case NU_BREAKER_REQUESTS:
        return (struct breaker_gauges){&open->rq_open, left ? &left->remaining_rq : NULL};
    case NU_BREAKER_RETRIES:
        if (nu_breakers_have_budget(&local->cluster->breakers[priority]))
            left = NULL;
        return (struct breaker_gauges){&open->rq_retry_open,
                                       left ? &left->remaining_retries : NULL};
    case NU_BREAKER_POOLS:
        return (struct breaker_gauges){&open->cx_pool_open,
                                       left ? &left->remaining_cx_pools : NULL};
    case NU_BREAKER_KIND_COUNT:
        break;
    }
    return (struct breaker_gauges){NULL, NULL};
}

void nu_cluster_note_retry_budget(struct nu_cluster *cluster, enum nu_priority priority)
{
    struct nu_breakers *breakers = &cluster->breakers[priority];
    struct nu_stat_set *set = cluster->sets.remaining[priority];
    if (!set || !nu_breakers_have_budget(breakers) || atomic_exchange(&breakers->budget_used, true))
        return;
    struct nu_circuit_breaker_remaining_stats *stats = nu_stat_set_block(set);
    nu_gauge_add(&stats->remaining_retries,
                 -(int64_t)nu_breaker_max(&breakers->of[NU_BREAKER_RETRIES]));
}

bool nu_cluster_allows_retry(struct nu_cluster_local *local, enum nu_priority priority)
{
    const struct nu_breakers *breakers = &local->cluster->breakers[priority];
    uint32_t current =
        atomic_load_explicit(&breakers->of[NU_BREAKER_RETRIES].current, memory_order_relaxed);
    nu_cluster_note_retry_budget(local->cluster, priority);
    return current < nu_breakers_max_retries(breakers);
}

/* The host's gauge is the sum over all threads; it is looked at only where it matters. */
bool nu_cluster_allows_connection(const struct nu_cluster_local *local, enum nu_priority priority,
                                  const struct nu_host *host)
{
    const struct nu_breakers *breakers = &local->cluster->breakers[priority];
    if (nu_unlikely(breakers->max_host_connections != NU_HOST_CONNECTIONS_MAX) &&
        nu_stat_set_gauge(host->stats, offsetof(struct nu_host_stats, cx_active)) >=
            breakers->max_host_connections)
        return false;
    return nu_breaker_allows(&breakers->of[NU_BREAKER_CONNECTIONS]);
}

/* Brings the gauge up to the count. Others may count meanwhile: whoever comes last looks again. */
static void update_open(struct nu_breaker *breaker, struct nu_gauge *gauge)
{
    bool is_full;
    do {
        is_full = nu_breaker_is_full(breaker);
        if (atomic_exchange(&breaker->is_open, is_full) != is_full)
            nu_gauge_add(gauge, is_full ? 1 : -1);
    } while (nu_breaker_is_full(breaker) != is_full);
}

static bool says_open(const struct nu_breaker *breaker)
{
    return atomic_load_explicit(&breaker->is_open, memory_order_relaxed);
}

/* More may be counted than the limit allows: a first connection always is. */
void nu_cluster_breaker_add(struct nu_cluster_local *local, enum nu_priority priority,
                            enum nu_breaker_kind kind)
{
    struct nu_breaker *breaker = &local->cluster->breakers[priority].of[kind];
    uint32_t before = nu_breaker_add(breaker);
    uint32_t max = nu_breaker_max(breaker);
    if (nu_likely((before + 1 >= max) == says_open(breaker) && !local->remaining_stats[priority]))
        return;
    struct breaker_gauges gauges = gauges_of(local, priority, kind);
    update_open(breaker, gauges.open);
    if (gauges.remaining && before < max)
        nu_gauge_dec(gauges.remaining);
}

void nu_cluster_breaker_sub(struct nu_cluster_local *local, enum nu_priority priority,
                            enum nu_breaker_kind kind)
{
    struct nu_breaker *breaker = &local->cluster->breakers[priority].of[kind];
    uint32_t before = nu_breaker_sub(breaker);
    uint32_t max = nu_breaker_max(breaker);
    if (nu_likely((before - 1 >= max) == says_open(breaker) && !local->remaining_stats[priority]))
        return;
    struct breaker_gauges gauges = gauges_of(local, priority, kind);
    update_open(breaker, gauges.open);
    if (gauges.remaining && before <= max)
        nu_gauge_inc(gauges.remaining);
}
