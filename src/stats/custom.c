/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Custom statistics are sets (stats/stats.h) of one statistic without a name of its own: the set's
 * prefix is all of it. Other threads make sets that nobody sees yet; the main thread lists them
 * before it renders, flushes or resets. One lock for the tables of names: it is held for a lookup
 * and, the first time, for making the set.
 */
#include "stats/custom.h"

#include <pthread.h>

#include "base/list.h"
#include "stats/custom_internal.h"
#include "stats/memory_internal.h"
#include "stats/registry_internal.h"

/* What a statistic takes, about: its set, blocks, places in tables, its metric and label values for
 * Prometheus, which all hold the name or parts of it. */
enum { STAT_BYTES = 1024, NAME_COPIES = 6 };

struct nu_custom_stat {
    struct nu_list link; /* of those that are not listed yet */
    struct nu_stat_set *set;
    struct nu_gauge *gauge; /* in the set's only block; NULL for other kinds */
    struct nu_str key;      /* owned: its kind in one byte, and the full name */
    uint32_t scopes;        /* that have it */
};

struct nu_custom_stats {
    pthread_mutex_t lock;
    struct nu_map by_key;
    struct nu_list unlisted;
    struct nu_stat_set *models[NU_CUSTOM_KIND_COUNT];
};

struct nu_custom_scope {
    struct nu_custom_stats *custom; /* borrowed from the registry */
    struct nu_map by_key;           /* keys belong to the statistics */
    size_t bytes;
};

/* --- Tables ----------------------------------------------------------------------------------- */

/* A gauge is written by all threads: it has a cache line to itself. */
struct gauge_block {
    unsigned char before[48];
    struct nu_gauge gauge;
    unsigned char behind[48];
};

static const struct nu_stat_desc counter_desc = {"", "", 0, NU_STAT_COUNTER, 0};
static const struct nu_stat_desc gauge_desc = {"", "", offsetof(struct gauge_block, gauge),
                                               NU_STAT_GAUGE64, 0};
static const struct nu_stat_desc histogram_desc = {"", "", 0, NU_STAT_HISTOGRAM, 0};

#define TABLE(desc, type) \
    { \
        NU_CUSTOM_NAMESPACE ".<name>", "", desc, 1, sizeof(type), false \
    }
static const struct nu_stat_table tables[NU_CUSTOM_KIND_COUNT] = {
    [NU_CUSTOM_COUNTER] = TABLE(&counter_desc, struct nu_counter),
    [NU_CUSTOM_GAUGE] = TABLE(&gauge_desc, struct gauge_block),
    [NU_CUSTOM_HISTOGRAM] = TABLE(&histogram_desc, struct nu_histogram),
};

/* --- The registry's part ---------------------------------------------------------------------- */

static struct nu_custom_stats *get_custom(struct nu_stats *stats)
{
    if (stats->custom)
        return stats->custom;
    struct nu_custom_stats *custom = nu_stat_alloc(sizeof(*custom));
    pthread_mutex_init(&custom->lock, NULL);
    nu_list_init(&custom->unlisted);
    for (unsigned kind = 0; kind < NU_CUSTOM_KIND_COUNT; kind++)
        custom->models[kind] = nu_stat_set_create_private(stats, &tables[kind]);
    stats->custom = custom;
    return custom;
}

void nu_custom_stats_list(struct nu_stats *stats)
{
    struct nu_custom_stats *custom = stats->custom;
    if (!custom)
        return;
    struct nu_list fresh;
    struct nu_custom_stat *stat;
    nu_list_init(&fresh);
    pthread_mutex_lock(&custom->lock);
    nu_list_move_all(&fresh, &custom->unlisted);
    pthread_mutex_unlock(&custom->lock);
    nu_list_for_each(stat, &fresh, struct nu_custom_stat, link)
    {
        nu_list_remove(&stat->link);
        nu_stat_set_list(stat->set);
    }
}

static void free_stat(struct nu_custom_stat *stat)
{
    nu_list_remove(&stat->link);
    nu_stat_set_destroy(&stat->set);
    nu_stat_free(nu_unconst(stat->key.ptr), stat->key.len);
    nu_stat_free(stat, sizeof(*stat));
}

void nu_custom_stats_destroy(struct nu_custom_stats **custom)
{
    struct nu_custom_stats *old = *custom;
    if (!old)
        return;
    nu_map_for_each(slot, &old->by_key) free_stat(slot->value);
    nu_map_finish(&old->by_key);
    for (unsigned kind = 0; kind < NU_CUSTOM_KIND_COUNT; kind++)
        nu_stat_set_destroy(&old->models[kind]);
    pthread_mutex_destroy(&old->lock);
    nu_stat_free(old, sizeof(*old));
    *custom = NULL;
}

/* --- Scopes ----------------------------------------------------------------------------------- */

struct nu_custom_scope *nu_custom_scope_create(struct nu_stats *stats)
{
    struct nu_custom_scope *scope = nu_stat_alloc(sizeof(*scope));
    scope->custom = get_custom(stats);
    return scope;
}

void nu_custom_scope_destroy(struct nu_custom_scope **scope)
{
    struct nu_custom_scope *old = *scope;
    if (!old)
        return;
    struct nu_custom_stats *custom = old->custom;
    pthread_mutex_lock(&custom->lock);
    nu_map_for_each(slot, &old->by_key)
    {
        struct nu_custom_stat *stat = slot->value;
        if (--stat->scopes > 0)
            continue;
        nu_map_remove(&custom->by_key, stat->key);
        free_stat(stat);
    }
    pthread_mutex_unlock(&custom->lock);
    nu_map_finish(&old->by_key);
    nu_stat_free(old, sizeof(*old));
    *scope = NULL;
}

static struct nu_custom_stat *create(struct nu_custom_stats *custom, enum nu_custom_kind kind,
                                     struct nu_str key)
{
    struct nu_custom_stat *stat = nu_stat_alloc(sizeof(*stat));
    char *copy = nu_stat_alloc(key.len);
    memcpy(copy, key.ptr, key.len);
    stat->key = nu_str_make(copy, key.len);
    stat->set = nu_stat_set_create_unlisted(custom->models[kind], nu_str_skip(stat->key, 1));
    if (kind == NU_CUSTOM_GAUGE)
        stat->gauge = &((struct gauge_block *)nu_stat_set_block(stat->set))->gauge;
    nu_map_put(&custom->by_key, stat->key, stat);
    nu_list_add_last(&custom->unlisted, &stat->link);
    return stat;
}

static struct nu_custom_stat *find_or_create(struct nu_custom_scope *scope,
                                             enum nu_custom_kind kind, struct nu_str key)
{
    struct nu_custom_stat *stat = nu_map_get(&scope->by_key, key);
    size_t bytes = STAT_BYTES + NAME_COPIES * key.len;
    if (stat)
        return stat;
    if (bytes > NU_CUSTOM_SCOPE_BYTES_MAX - scope->bytes)
        return NULL;
    stat = nu_map_get(&scope->custom->by_key, key);
    if (!stat)
        stat = create(scope->custom, kind, key);
    stat->scopes++;
    scope->bytes += bytes;
    nu_map_put(&scope->by_key, stat->key, stat);
    return stat;
}

/* The kind and the full name. */
static void make_key(enum nu_custom_kind kind, struct nu_str name, struct nu_strbuf *key)
{
    while (name.len && name.ptr[name.len - 1] == '.')
        name.len--;
    nu_strbuf_add_char(key, (char)('0' + kind));
    nu_strbuf_add_cstr(key, NU_CUSTOM_NAMESPACE);
    if (name.len)
        nu_strbuf_add_char(key, '.');
    size_t begin = key->len;
    nu_strbuf_add(key, name);
    for (size_t i = begin; i < key->len; i++) {
        if ((unsigned char)key->data[i] < ' ' || key->data[i] == '\177')
            key->data[i] = '_';
    }
}

struct nu_custom_stat *nu_custom_scope_define(struct nu_custom_scope *scope,
                                              enum nu_custom_kind kind, struct nu_str name)
{
    struct nu_strbuf key = {0};
    if (name.len > NU_CUSTOM_NAME_MAX)
        return NULL;
    make_key(kind, name, &key);
    pthread_mutex_lock(&scope->custom->lock);
    struct nu_custom_stat *stat = find_or_create(scope, kind, nu_strbuf_str(&key));
    pthread_mutex_unlock(&scope->custom->lock);
    nu_strbuf_finish(&key);
    return stat;
}

/* --- Values ----------------------------------------------------------------------------------- */

struct nu_counter *nu_custom_stat_counter(struct nu_custom_stat *stat)
{
    return nu_stat_set_block(stat->set);
}

struct nu_histogram *nu_custom_stat_histogram(struct nu_custom_stat *stat)
{
    return nu_stat_set_block(stat->set);
}

struct nu_gauge *nu_custom_stat_gauge(struct nu_custom_stat *stat)
{
    return stat->gauge;
}

void nu_custom_stat_mark(struct nu_custom_stat *stat)
{
    atomic_store_explicit(&stat->set->is_marked, true, memory_order_relaxed);
}

uint64_t nu_custom_stat_sum(const struct nu_custom_stat *stat)
{
    return nu_stat_set_counter(stat->set, 0);
}
