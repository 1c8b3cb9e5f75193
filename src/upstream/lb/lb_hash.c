/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Balancers by hash. Each priority has a table over its healthy hosts, or over all of them in panic.
 * As with Envoy degraded hosts get nothing, the hash also chooses the priority, and locality weights
 * count as they were assigned, whatever the health of their hosts.
 */
#include "upstream/lb/lb_hash.h"

#include <math.h>

#include "base/alloc.h"
#include "base/random.h"
#include "http/metadata.h"
#include "stats/cluster_stats.h"
#include "upstream/lb/bounded_load.h"
#include "upstream/cluster.h"
#include "upstream/lb/lb_source.h"
#include "upstream/lb/maglev_table.h"

/* --- Tables, on the main thread --------------------------------------------------------------- */

/* A priority's table; without hosts it is empty. */
struct table {
    struct nu_hash_ring *ring;      /* owned; NULL: a Maglev table, or none */
    struct nu_maglev_table *maglev; /* owned; NULL: a ring, or none */
    uint32_t *hosts;                /* owned: indices of the set, by the table's numbers */
    double *shares;                 /* owned: of the same; NULL unless loads are bounded */
    uint32_t count;                 /* of hosts */
};

struct tables {
    uint32_t max_count; /* of the hosts of a table */
    uint32_t count;
    struct table of[]; /* by priority */
};

/* Hosts on their way into a table. */
struct gatherer {
    const struct nu_host_set *set;
    const struct nu_hash_lb_settings *settings;
    struct nu_hash_host *hosts; /* owned */
    uint32_t *indices;          /* owned */
    uint32_t count;
};

/* What is hashed for a host: a key of its metadata, or its name or address. */
static struct nu_str key_of(const struct nu_host *host, const struct nu_hash_lb_settings *settings)
{
    static const struct nu_str path[] = {NU_STR_INIT("hash_key")};
    const struct nu_value *key =
        nu_metadata_find(nu_host_metadata(host), NU_STR("envoy.lb"), path, 1);
    if (key && key->type == NU_VALUE_STRING && key->text_len)
        return nu_value_text(key);
    return settings->by_hostname ? host->hostname : host->address_text;
}

static void gather(struct gatherer *gatherer, const struct nu_host_list *list, double share)
{
    uint32_t first = gatherer->count;
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t index = nu_host_list_at(list, i);
        const struct nu_host *host = gatherer->set->hosts[index];
        gatherer->indices[gatherer->count] = index;
        gatherer->hosts[gatherer->count++] = (struct nu_hash_host){
            .key = key_of(host, gatherer->settings),
            .weight = nu_host_weight(host),
        };
    }
    nu_hash_hosts_share(gatherer->hosts + first, list->count, share);
}

static uint32_t weight_of(const struct nu_host_set *set, uint32_t priority,
                          const struct nu_host_locality *locality)
{
    return nu_assignment_locality_weight(set->assignment, priority, locality->name);
}

/* Each locality has its share of the table, and each of its hosts of that. */
static void gather_localities(struct gatherer *gatherer, uint32_t p)
{
    const struct nu_host_set *set = gatherer->set;
    const struct nu_host_priority *priority = &set->priorities[p];
    double sum = 0;
    for (uint32_t i = 0; i < priority->locality_count; i++)
        sum += weight_of(set, p, &priority->localities[i]);
    for (uint32_t i = 0; i < priority->locality_count; i++) {
        const struct nu_host_locality *locality = &priority->localities[i];
        uint32_t weight = weight_of(set, p, locality);
        if (weight)
            gather(gatherer, priority->in_panic ? &locality->all : &locality->healthy,
                   weight / sum);
    }
}

static void gather_priority(struct gatherer *gatherer, uint32_t p)
{
    const struct nu_host_priority *priority = &gatherer->set->priorities[p];
    gatherer->hosts = nu_alloc((priority->all.count + 1) * sizeof(*gatherer->hosts));
    gatherer->indices = nu_alloc((priority->all.count + 1) * sizeof(*gatherer->indices));
    if (gatherer->settings->by_locality)
        gather_localities(gatherer, p);
    else
        gather(gatherer, priority->in_panic ? &priority->all : &priority->healthy, 1);
}

static void show_ring(const struct nu_hash_ring *ring, struct nu_stat_set *set)
{
    struct nu_ring_hash_stats *stats = nu_stat_set_block(set);
    nu_gauge_set(&stats->size, (int64_t)ring->size);
    nu_gauge_set(&stats->min_hashes_per_host, (int64_t)ring->min_per_host);
    nu_gauge_set(&stats->max_hashes_per_host, (int64_t)ring->max_per_host);
}

static void show_maglev(const struct nu_maglev_table *table, struct nu_stat_set *set)
{
    struct nu_maglev_stats *stats = nu_stat_set_block(set);
    nu_gauge_set(&stats->min_entries_per_host, (int64_t)table->min_per_host);
    nu_gauge_set(&stats->max_entries_per_host, (int64_t)table->max_per_host);
}

static double *copy_shares(const struct gatherer *gatherer)
{
    double *shares = nu_alloc(gatherer->count * sizeof(*shares));
    for (uint32_t i = 0; i < gatherer->count; i++)
        shares[i] = gatherer->hosts[i].weight;
    return shares;
}

static void build(struct table *table, const struct gatherer *gatherer, bool is_ring)
{
    const struct nu_hash_lb_settings *settings = gatherer->settings;
    if (gatherer->count == 0)
        return;
    if (is_ring) {
        table->ring = nu_hash_ring_create(gatherer->hosts, gatherer->count, &settings->ring);
        show_ring(table->ring, settings->stats);
    } else {
        table->maglev =
            nu_maglev_table_create(gatherer->hosts, gatherer->count, settings->maglev_size);
        show_maglev(table->maglev, settings->stats);
    }
    if (settings->balance_percent)
        table->shares = copy_shares(gatherer);
}

static void *share(const struct nu_cluster *cluster, const struct nu_host_set *set, bool is_ring)
{
    struct tables *tables =
        nu_calloc(1, sizeof(*tables) + set->priority_count * sizeof(tables->of[0]));
    tables->count = set->priority_count;
    for (uint32_t i = 0; i < set->priority_count; i++) {
        struct gatherer gatherer = {.set = set, .settings = cluster->hash};
        gather_priority(&gatherer, i);
        build(&tables->of[i], &gatherer, is_ring);
        tables->of[i].hosts = gatherer.indices;
        tables->of[i].count = gatherer.count;
        if (gatherer.count > tables->max_count)
            tables->max_count = gatherer.count;
        nu_free(gatherer.hosts);
    }
    return tables;
}

static void *share_rings(const struct nu_cluster *cluster, const struct nu_host_set *set,
                         const struct nu_host_set_settings *settings)
{
    (void)settings;
    return share(cluster, set, true);
}

static void *share_maglev(const struct nu_cluster *cluster, const struct nu_host_set *set,
                          const struct nu_host_set_settings *settings)
{
    (void)settings;
    return share(cluster, set, false);
}

static void free_shared(void *shared)
{
    struct tables *tables = shared;
    for (uint32_t i = 0; i < tables->count; i++) {
        nu_free(tables->of[i].ring);
        nu_free(tables->of[i].maglev);
        nu_free(tables->of[i].hosts);
        nu_free(tables->of[i].shares);
    }
    nu_free(tables);
}

/* --- Choosing, on the workers ----------------------------------------------------------------- */

struct hash_lb {
    struct nu_lb base;
    uint32_t order[]; /* for shuffles, where loads are bounded */
};

/* What a host's load is told by. */
struct load_context {
    const struct nu_lb *lb;
    const struct table *table;
    uint32_t slots; /* requests that all hosts may have together */
};

static uint32_t active_requests(const struct nu_cluster *cluster)
{
    uint32_t active = 0;
    for (int i = 0; i < NU_PRIORITY_COUNT; i++)
        active += atomic_load_explicit(&cluster->breakers[i].of[NU_BREAKER_REQUESTS].current,
                                       memory_order_relaxed);
    return active;
}

static double load_of(void *arg, uint32_t n)
{
    const struct load_context *context = arg;
    const struct nu_host *host = context->lb->hosts->hosts[context->table->hosts[n]];
    double slots = fmax(ceil(context->slots * context->table->shares[n]), 1);
    return atomic_load_explicit(&host->active, memory_order_relaxed) / slots;
}

static uint32_t bound(struct hash_lb *lb, const struct table *table, uint32_t preferred,
                      uint64_t hash)
{
    const struct nu_cluster *cluster = lb->base.local->cluster;
    struct load_context context = {
        .lb = &lb->base,
        .table = table,
        .slots = ((active_requests(cluster) + 1) * cluster->hash->balance_percent + 99) / 100,
    };
    return nu_bounded_load_choose(preferred, table->count, hash, lb->order, load_of, &context);
}

static const struct table *find_table(const struct nu_lb *lb, uint64_t hash)
{
    static const struct nu_lb_context nothing;
    const struct nu_host_set *set = lb->hosts;
    uint32_t p = 0;
    if (nu_unlikely(!set->is_plain)) {
        if (set->priority_count > 1)
            p = nu_lb_choose_priority(set, &nothing, hash).priority;
        if (set->priorities[p].in_panic)
            nu_counter_inc(&nu_cluster_local_lb_stats(lb->local)->lb_healthy_panic);
    }
    return &((const struct tables *)set->shared)->of[p];
}

static int32_t choose(struct nu_lb *base, const struct nu_lb_context *context)
{
    struct hash_lb *lb = nu_container_of(base, struct hash_lb, base);
    uint64_t hash = context->has_hash ? context->hash : nu_random_u64();
    const struct table *table = find_table(base, hash);
    uint32_t n = NU_HASH_NO_HOST;
    if (table->ring)
        n = nu_hash_ring_find(table->ring, hash, base->attempt);
    else if (table->maglev)
        n = nu_maglev_table_find(table->maglev, hash, base->attempt);
    if (nu_unlikely(n == NU_HASH_NO_HOST))
        return NU_LB_NONE;
    if (table->shares)
        n = bound(lb, table, n, hash);
    return (int32_t)table->hosts[n];
}

static struct nu_lb *create(struct nu_cluster_local *local, const struct nu_host_set *set,
                            const struct nu_lb_class *cls)
{
    const struct tables *tables = set->shared;
    uint32_t order = cls->counts_active ? tables->max_count : 0;
    struct hash_lb *lb = nu_alloc(sizeof(*lb) + order * sizeof(lb->order[0]));
    nu_lb_init(&lb->base, cls, local, set);
    return &lb->base;
}

static void destroy(struct nu_lb *base)
{
    nu_lb_finish(base);
    nu_free(nu_container_of(base, struct hash_lb, base));
}

#define HASH_LB_CLASS(id, text, share_fn, bounded) \
    static struct nu_lb *create_##id(struct nu_cluster_local *local, \
                                     const struct nu_host_set *set) \
    { \
        return create(local, set, &nu_lb_##id); \
    } \
    const struct nu_lb_class nu_lb_##id = { \
        .name = (text), \
        .counts_active = (bounded), \
        .uses_hash = true, \
        .share = (share_fn), \
        .free_shared = free_shared, \
        .create = create_##id, \
        .destroy = destroy, \
        .choose = choose, \
    }

HASH_LB_CLASS(ring_hash, "ring_hash", share_rings, false);
HASH_LB_CLASS(ring_hash_bounded, "ring_hash", share_rings, true);
HASH_LB_CLASS(maglev, "maglev", share_maglev, false);
HASH_LB_CLASS(maglev_bounded, "maglev", share_maglev, true);

const struct nu_lb_class *nu_hash_lb_class(enum nu_hash_table_kind kind,
                                           const struct nu_hash_lb_settings *settings)
{
    bool is_bounded = settings->balance_percent != 0;
    if (kind == NU_HASH_RING)
        return is_bounded ? &nu_lb_ring_hash_bounded : &nu_lb_ring_hash;
    return is_bounded ? &nu_lb_maglev_bounded : &nu_lb_maglev;
}
