/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's side of a DNS cache: results by name, and who waits for one. News come in the order
 * in which the main thread knew them, so a wait that begins while its name is on its way is ended by
 * that very message.
 */
#include <string.h>

#include "base/alloc.h"
#include "runtime/runtime.h"
#include "upstream/cluster.h"
#include "upstream/dns_cache/dns_cache_internal.h"

/* Those who wait for one name. */
struct waiting {
    struct nu_list waits; /* of struct nu_dns_cache_wait, longest first */
    struct nu_str key;    /* behind this struct */
};

static struct nu_dns_cache_local *local_of(const struct nu_cluster_table *table,
                                           const struct nu_dns_cache *cache)
{
    return table->dns_caches ? &table->dns_caches[cache->index] : NULL;
}

/* --- How many wait ---------------------------------------------------------------------------- */

static uint64_t max_pending(const struct nu_dns_cache *cache, const struct nu_loop *loop)
{
    const struct nu_runtime *runtime = loop->runtime;
    if (nu_likely(!runtime || nu_runtime_key_count(runtime) == 0))
        return cache->params.max_pending;
    return nu_runtime_integer(runtime, nu_str_from(cache->runtime_key), cache->params.max_pending);
}

static bool is_full(const struct nu_dns_cache *cache, uint64_t max)
{
    return atomic_load_explicit(&cache->pending, memory_order_relaxed) >= max;
}

/* Others may count meanwhile: whoever comes last looks again. */
static void update_gauge(struct nu_dns_cache *cache, uint64_t max)
{
    struct nu_dns_cache_breaker_stats *stats = nu_stat_set_block(cache->breaker_set);
    bool full;
    do {
        full = is_full(cache, max);
        if (atomic_exchange(&cache->is_open, full) != full)
            nu_gauge_add(&stats->rq_pending_open, full ? 1 : -1);
    } while (is_full(cache, max) != full);
}

static void count_wait(struct nu_dns_cache_local *local, int change)
{
    struct nu_dns_cache *cache = local->cache;
    struct nu_dns_cache_breaker_stats *stats = nu_stat_set_block(cache->breaker_set);
    atomic_fetch_add_explicit(&cache->pending, (uint32_t)change, memory_order_relaxed);
    nu_gauge_add(&stats->rq_pending_remaining, -change);
    update_gauge(cache, max_pending(cache, local->table->loop));
}

bool nu_dns_cache_allows(const struct nu_cluster_table *table, struct nu_dns_cache *cache)
{
    if (nu_likely(!is_full(cache, max_pending(cache, table->loop))))
        return true;
    struct nu_dns_cache_stats *stats = nu_stat_set_block(cache->set);
    nu_counter_inc(&stats->dns_rq_pending_overflow);
    return false;
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static void add_wait(struct nu_dns_cache_local *local, struct nu_str key,
                     struct nu_dns_cache_wait *wait)
{
    struct waiting *waiting = nu_map_get(&local->waiting, key);
    if (!waiting) {
        waiting = nu_alloc(sizeof(*waiting) + key.len);
        nu_list_init(&waiting->waits);
        waiting->key = nu_str_make((char *)(waiting + 1), key.len);
        memcpy(waiting + 1, key.ptr, key.len);
        nu_map_put(&local->waiting, waiting->key, waiting);
    }
    wait->local = local;
    nu_list_add_last(&waiting->waits, &wait->link);
    count_wait(local, 1);
}

void nu_dns_cache_wait_cancel(struct nu_dns_cache_wait *wait)
{
    struct nu_dns_cache_local *local = wait->local;
    if (!local)
        return;
    wait->local = NULL;
    nu_list_remove(&wait->link);
    count_wait(local, -1);
}

/* A wait that is told may begin others, for this name too, or end some of the others here. */
static void end_waits(struct nu_dns_cache_local *local, struct nu_str key,
                      const struct nu_dns_result *result)
{
    struct waiting *waiting = nu_map_remove(&local->waiting, key);
    if (!waiting)
        return;
    while (!nu_list_is_empty(&waiting->waits)) {
        struct nu_dns_cache_wait *wait =
            nu_list_entry(waiting->waits.next, struct nu_dns_cache_wait, link);
        nu_dns_cache_wait_cancel(wait);
        wait->on_result(wait, result);
    }
    nu_free(waiting);
}

/* --- News from the main thread ---------------------------------------------------------------- */

struct news {
    struct nu_task task;
    struct nu_dns_cache *cache;
    struct nu_cluster_table *table;
    struct nu_dns_result *result; /* one reference */
    enum nu_dns_news_kind kind;
};

static void forget(struct nu_dns_cache_local *local, struct nu_str key)
{
    nu_dns_result_unref(nu_map_remove(&local->known, key));
}

/* The key of a map is the one of its value. */
static void know(struct nu_dns_cache_local *local, struct nu_dns_result *result)
{
    struct nu_dns_result *old = nu_map_remove(&local->known, result->key);
    nu_map_put(&local->known, result->key, nu_dns_result_ref(result));
    nu_dns_result_unref(old);
}

static void take_news(struct nu_dns_cache_local *local, const struct news *news)
{
    switch (news->kind) {
    case NU_DNS_NEWS_RESULT:
        know(local, news->result);
        end_waits(local, news->result->key, news->result);
        return;
    case NU_DNS_NEWS_GONE:
        forget(local, news->result->key);
        return;
    case NU_DNS_NEWS_FULL:
        end_waits(local, news->result->key, NULL);
        return;
    }
}

static void on_news(struct nu_task *task)
{
    struct news *news = nu_container_of(task, struct news, task);
    struct nu_dns_cache_local *local = local_of(news->table, news->cache);
    if (local)
        take_news(local, news);
    nu_dns_result_unref(news->result);
    nu_free(news);
}

void nu_dns_cache_tell(struct nu_dns_cache *cache, struct nu_cluster_table *table,
                       enum nu_dns_news_kind kind, struct nu_dns_result *result)
{
    struct news *news = nu_alloc(sizeof(*news));
    *news = (struct news){
        .task = {.fn = on_news},
        .cache = cache,
        .table = table,
        .result = nu_dns_result_ref(result),
        .kind = kind,
    };
    nu_loop_post(table->loop, &news->task);
}

void nu_dns_cache_tell_all(struct nu_dns_cache *cache, enum nu_dns_news_kind kind,
                           struct nu_dns_result *result)
{
    for (uint32_t i = 0; i < cache->all->table_count; i++)
        nu_dns_cache_tell(cache, cache->all->tables[i], kind, result);
}

/* --- Questions to the main thread ------------------------------------------------------------- */

struct nu_dns_question {
    struct nu_inbox_item item;
    struct nu_cluster_table *table; /* borrowed: who asks */
    uint16_t port;
    bool again;
    size_t len;
    char key[];
};

static struct nu_dns_question *question_of(struct nu_inbox_item *item)
{
    return nu_container_of(item, struct nu_dns_question, item);
}

void nu_dns_cache_drop_question(struct nu_inbox *inbox, struct nu_inbox_item *item)
{
    (void)inbox;
    nu_free(question_of(item));
}

void nu_dns_cache_on_question(struct nu_inbox *inbox, struct nu_inbox_item *item)
{
    struct nu_dns_cache *cache = nu_container_of(inbox, struct nu_dns_cache, questions);
    const struct nu_dns_question *question = question_of(item);
    nu_dns_cache_load(cache, question->table, nu_str_make(question->key, question->len),
                      question->port, question->again);
    nu_dns_cache_drop_question(inbox, item);
}

static void ask(const struct nu_dns_cache_local *local, struct nu_str key, uint16_t port,
                bool again)
{
    struct nu_dns_question *question = nu_alloc(sizeof(*question) + key.len);
    question->table = local->table;
    question->port = port;
    question->again = again;
    question->len = key.len;
    memcpy(question->key, key.ptr, key.len);
    nu_inbox_send(&local->cache->questions, &question->item);
}

/* --- Looking up ------------------------------------------------------------------------------- */

/* What is too long for a name fails as one with a wrong character does, and is not kept. */
static const struct nu_dns_result *no_name(void)
{
    static const struct nu_dns_result result = {
        .failed = true,
        .details = NU_STR_INIT("dns_resolution_failure{cares_failure:Misformatted_domain_name}"),
    };
    return &result;
}

static bool has_no_room(const struct nu_dns_cache *cache)
{
    return atomic_load_explicit(&cache->entry_count, memory_order_relaxed) >=
           cache->params.max_hosts;
}

enum nu_dns_cache_status nu_dns_cache_find(struct nu_cluster_table *table,
                                           struct nu_dns_cache *cache,
                                           const struct nu_dns_cache_name *name,
                                           struct nu_dns_cache_wait *wait,
                                           const struct nu_dns_result **result)
{
    char text[NU_DNS_CACHE_KEY_MAX];
    struct nu_dns_cache_local *local = local_of(table, cache);
    struct nu_str key = nu_dns_cache_key(name, text);
    *result = no_name();
    if (nu_unlikely(!local || key.len == 0))
        return NU_DNS_CACHE_KNOWN;
    *result = nu_map_get(&local->known, key);
    bool again = *result && (*result)->failed && cache->params.forgets_failures;
    if (nu_likely(*result && !again))
        return NU_DNS_CACHE_KNOWN;
    if (has_no_room(cache)) {
        struct nu_dns_cache_stats *stats = nu_stat_set_block(cache->set);
        nu_counter_inc(&stats->host_overflow);
        return NU_DNS_CACHE_OVERFLOW;
    }
    bool is_first = !nu_map_get(&local->waiting, key);
    add_wait(local, key, wait);
    if (is_first)
        ask(local, key, name->port, again);
    return NU_DNS_CACHE_LOADING;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void init_local(struct nu_dns_cache_local *local, struct nu_dns_cache *cache,
                       struct nu_cluster_table *table)
{
    local->cache = cache;
    local->table = table;
    nu_map_for_each(item, &cache->entries)
    {
        const struct nu_dns_cache_entry *entry = item->value;
        if (entry->result)
            know(local, entry->result);
    }
}

void nu_dns_caches_attach(struct nu_dns_caches *caches, struct nu_cluster_table *table)
{
    if (caches->count == 0)
        return;
    size_t size = (caches->table_count + 1) * sizeof(struct nu_cluster_table *);
    caches->tables = nu_realloc(caches->tables, size);
    caches->tables[caches->table_count++] = table;
    table->dns_caches = nu_calloc(caches->count, sizeof(*table->dns_caches));
    table->dns_cache_count = caches->count;
    for (uint32_t i = 0; i < caches->count; i++)
        init_local(&table->dns_caches[i], caches->items[i], table);
}

static void finish_local(struct nu_dns_cache_local *local)
{
    nu_map_for_each(item, &local->known)
    {
        nu_dns_result_unref(item->value);
    }
    nu_map_finish(&local->known);
    nu_map_for_each(item, &local->waiting)
    {
        struct waiting *waiting = item->value;
        while (!nu_list_is_empty(&waiting->waits))
            nu_dns_cache_wait_cancel(
                nu_list_entry(waiting->waits.next, struct nu_dns_cache_wait, link));
        nu_free(waiting);
    }
    nu_map_finish(&local->waiting);
}

void nu_dns_caches_detach(struct nu_cluster_table *table)
{
    for (uint32_t i = 0; i < table->dns_cache_count; i++)
        finish_local(&table->dns_caches[i]);
    nu_free(table->dns_caches);
    table->dns_caches = NULL;
}
