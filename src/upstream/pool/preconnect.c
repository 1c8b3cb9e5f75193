/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections ahead of requests: how many are enough, by the cluster's preconnect_policy. A pool
 * has enough with room for as many streams as its ratio makes of those that it has; and a worker,
 * whatever its clusters are, by the ratio of the cluster that a request is for. The rules, which
 * count in single precision, are Envoy's. Pools count streams only where somebody asks.
 */
#include "upstream/pool/pool_internal.h"

static bool lacks_room(const struct nu_stream_counts *counts, float ratio, uint64_t expected)
{
    float wanted = (float)(counts->waiting + counts->active + expected) * ratio;
    return wanted > (float)(counts->capacity + counts->active);
}

/* A host that is not well gets no more work than there is. */
static bool is_well(const struct nu_pool *pool)
{
    return nu_host_health(pool->host) == NU_HOST_HEALTHY;
}

static bool has_too_few(const struct nu_pool *pool)
{
    return pool->waiting_count > pool->connecting_capacity;
}

bool nu_pool_needs_connection(const struct nu_pool *pool)
{
    if (nu_likely(!pool->is_counted) || pool->draining || !is_well(pool))
        return has_too_few(pool);
    return lacks_room(&pool->counts, nu_pool_options(pool)->preconnect_ratio, 0);
}

bool nu_pool_foresees_need(const struct nu_pool *pool)
{
    if (!pool->is_counted || !is_well(pool))
        return has_too_few(pool);
    return lacks_room(&pool->counts, nu_pool_options(pool)->predictive_ratio, 1);
}

bool nu_pool_lacks_room(const struct nu_cluster_local *cluster)
{
    float ratio = cluster->cluster->options.predictive_ratio;
    return cluster->totals && ratio > 1 && lacks_room(cluster->totals, ratio, 1);
}

/* --- Counting --------------------------------------------------------------------------------- */

static void add(struct nu_stream_counts *counts, const struct nu_stream_counts *change)
{
    counts->waiting += change->waiting;
    counts->active += change->active;
    counts->capacity += change->capacity;
}

/* What is to be subtracted wraps around. */
static void count(struct nu_pool *pool, const struct nu_stream_counts *change)
{
    add(&pool->counts, change);
    if (pool->cluster->totals)
        add(pool->cluster->totals, change);
}

static uint32_t capacity_of(const struct nu_upstream_conn *conn)
{
    bool takes_streams = conn->state != NU_UPSTREAM_DRAINING && conn->state != NU_UPSTREAM_CLOSED;
    return takes_streams ? nu_upstream_conn_capacity(conn) : 0;
}

void nu_pool_recount(struct nu_upstream_conn *conn)
{
    uint32_t capacity = capacity_of(conn);
    struct nu_stream_counts change = {
        .active = (uint64_t)conn->active - conn->counted_active,
        .capacity = (uint64_t)capacity - conn->counted_capacity,
    };
    conn->counted_active = conn->active;
    conn->counted_capacity = capacity;
    count(conn->pool, &change);
}

void nu_pool_recount_waiting(struct nu_pool *pool)
{
    struct nu_stream_counts change = {.waiting = pool->waiting_count - pool->counts.waiting};
    if (pool->is_counted)
        count(pool, &change);
}
