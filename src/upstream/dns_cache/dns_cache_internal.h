/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the DNS cache share. */
#ifndef NU_UPSTREAM_DNS_CACHE_INTERNAL_H
#define NU_UPSTREAM_DNS_CACHE_INTERNAL_H

#include "base/arena.h"
#include "event/inbox.h"
#include "event/timer.h"
#include "net/dns_pace.h"
#include "upstream/dns_cache/dns_cache.h"

struct nu_dns_caches {
    struct nu_stats *stats;      /* borrowed */
    struct nu_loop *loop;        /* borrowed: the main thread's */
    struct nu_dns_cache **items; /* owned */
    uint32_t count;
    struct nu_cluster_table **tables; /* borrowed, the array is owned: every thread's */
    uint32_t table_count;
    struct nu_arena arena;
};

struct nu_dns_cache {
    struct nu_dns_caches *all; /* borrowed: the owner */
    struct nu_loop *loop;      /* borrowed: the main thread's */
    char *name;                /* owned */
    char *runtime_key;         /* owned: of how many requests may wait */
    uint32_t index;            /* in the caches, and in each table */
    const char *config;        /* in the arena of all */
    struct nu_dns_cache_params params;
    struct nu_dns_pace_params pace;
    struct nu_inbox questions; /* of struct nu_dns_question, from workers */
    struct nu_map entries;     /* of struct nu_dns_cache_entry, owned; main thread */
    struct nu_list observers;  /* of struct nu_dns_cache_observer */
    bool started;              /* its first names were asked for */
    _Atomic uint32_t entry_count;
    _Atomic uint32_t pending; /* requests that wait, in all threads */
    atomic_bool is_open;      /* as many as may, as the gauge says */
    struct nu_stat_set *set;
    struct nu_stat_set *breaker_set;
    struct nu_dns_cache_stats *stats; /* the main thread's */
};

/* One name; the main thread's. */
struct nu_dns_cache_entry {
    struct nu_dns_cache *cache; /* borrowed */
    struct nu_str key;          /* owned */
    struct nu_str host;         /* of the key: what is asked for */
    uint16_t port;
    struct nu_dns_query query;
    struct nu_timer refresh;
    struct nu_timer timeout;
    struct nu_dns_pace pace;
    uint64_t made_us;
    struct nu_dns_result *result; /* one reference; NULL before the first answer */
    struct nu_address *addresses; /* owned: present ones, with the port */
    uint32_t count;
};

/* A thread's part of a cache. */
struct nu_dns_cache_local {
    struct nu_dns_cache *cache;     /* borrowed */
    struct nu_cluster_table *table; /* borrowed: the owner */
    struct nu_map known;            /* of struct nu_dns_result, one reference each */
    struct nu_map waiting;          /* of struct waiting */
};

/* What a worker is told. */
enum nu_dns_news_kind {
    NU_DNS_NEWS_RESULT,
    NU_DNS_NEWS_GONE, /* the name of the result is not known any more */
    NU_DNS_NEWS_FULL, /* the name of the result does not fit in */
};

/* --- dns_cache_result.c --- */

/* A result with one reference; `details` may be empty. */
struct nu_dns_result *nu_dns_result_create(struct nu_str key, struct nu_str details);
struct nu_dns_result *nu_dns_result_ref(struct nu_dns_result *result);
void nu_dns_result_unref(struct nu_dns_result *result);

/* --- dns_cache_local.c --- */

/* What the questions of a cache are given to: to be answered, or freed. Main thread. */
void nu_dns_cache_on_question(struct nu_inbox *inbox, struct nu_inbox_item *item);
void nu_dns_cache_drop_question(struct nu_inbox *inbox, struct nu_inbox_item *item);

/* Sends news to one thread's part, or to all of them. Main thread. */
void nu_dns_cache_tell(struct nu_dns_cache *cache, struct nu_cluster_table *table,
                       enum nu_dns_news_kind kind, struct nu_dns_result *result);
void nu_dns_cache_tell_all(struct nu_dns_cache *cache, enum nu_dns_news_kind kind,
                           struct nu_dns_result *result);

/* --- dns_cache.c --- */

/* A worker, which has `table`, wants to know a name; `again`: it knows that it failed. Main
 * thread. */
void nu_dns_cache_load(struct nu_dns_cache *cache, struct nu_cluster_table *table,
                       struct nu_str key, uint16_t default_port, bool again);

#endif
