/* SPDX-License-Identifier: Apache-2.0 */
/* The main thread's side of a DNS cache: names, questions, and when either ends. */
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "upstream/dns_cache/dns_cache_internal.h"

/* --- What is known ---------------------------------------------------------------------------- */

static void set_result(struct nu_dns_cache_entry *entry, struct nu_dns_result *result)
{
    nu_dns_result_unref(entry->result);
    entry->result = result;
    nu_dns_cache_tell_all(entry->cache, NU_DNS_NEWS_RESULT, result);
}

static struct nu_dns_cache_host host_of(const struct nu_dns_cache_entry *entry)
{
    return (struct nu_dns_cache_host){entry->key, entry->addresses, entry->count};
}

static bool is_known(const struct nu_dns_cache_entry *entry, const struct nu_dns_answer *answer)
{
    if (entry->count != answer->count)
        return false;
    for (uint32_t i = 0; i < entry->count; i++) {
        struct nu_address address = answer->addresses[i].address;
        address.port = entry->port;
        if (!nu_address_eq(&entry->addresses[i], &address))
            return false;
    }
    return true;
}

/* The clusters first: whoever hears of the result then finds the host. */
static void set_addresses(struct nu_dns_cache_entry *entry, const struct nu_dns_answer *answer)
{
    struct nu_dns_cache *cache = entry->cache;
    struct nu_dns_cache_observer *observer;
    nu_free(entry->addresses);
    entry->addresses = nu_alloc(answer->count * sizeof(struct nu_address));
    entry->count = (uint32_t)answer->count;
    for (uint32_t i = 0; i < entry->count; i++) {
        entry->addresses[i] = answer->addresses[i].address;
        entry->addresses[i].port = entry->port;
    }
    const struct nu_dns_cache_host host = host_of(entry);
    nu_list_for_each(observer, &cache->observers, struct nu_dns_cache_observer, link)
    {
        observer->on_host(observer, &host);
    }
    nu_counter_inc(&cache->stats->host_address_changed);
    struct nu_dns_result *result = nu_dns_result_create(entry->key, nu_str_make(NULL, 0));
    result->has_address = true;
    result->address = entry->addresses[0];
    set_result(entry, result);
}

/* "dns_resolution_failure{...}", one word for the log. */
static void set_failure(struct nu_dns_cache_entry *entry, bool failed, const char *kind,
                        const char *why)
{
    struct nu_strbuf details = {0};
    nu_strbuf_add_cstr(&details, "dns_resolution_failure{");
    nu_strbuf_add_cstr(&details, kind);
    for (const char *p = why ? why : ""; *p; p++)
        nu_strbuf_add_char(&details, *p == ' ' ? '_' : *p);
    nu_strbuf_add_char(&details, '}');
    const struct nu_dns_result *now = entry->result;
    if (!now || now->failed != failed || !nu_str_eq(now->details, nu_strbuf_str(&details))) {
        struct nu_dns_result *result = nu_dns_result_create(entry->key, nu_strbuf_str(&details));
        result->failed = failed;
        set_result(entry, result);
    }
    nu_strbuf_finish(&details);
}

/* --- The end of a name ------------------------------------------------------------------------ */

static void free_entry(void *obj)
{
    struct nu_dns_cache_entry *entry = obj;
    nu_dns_result_unref(entry->result);
    nu_free(entry->addresses);
    nu_free(nu_unconst(entry->key.ptr));
    nu_free(entry);
}

static void stop(struct nu_dns_cache_entry *entry)
{
    nu_dns_cancel(entry->cache->params.resolver, &entry->query);
    nu_timer_cancel(&entry->refresh);
    nu_timer_cancel(&entry->timeout);
}

/* Its timer or its answer may be on the stack. */
static void remove_entry(struct nu_dns_cache_entry *entry)
{
    struct nu_dns_cache *cache = entry->cache;
    struct nu_dns_cache_observer *observer;
    stop(entry);
    nu_map_remove(&cache->entries, entry->key);
    atomic_fetch_sub_explicit(&cache->entry_count, 1, memory_order_relaxed);
    if (entry->result)
        nu_dns_cache_tell_all(cache, NU_DNS_NEWS_GONE, entry->result);
    nu_list_for_each(observer, &cache->observers, struct nu_dns_cache_observer, link)
    {
        if (entry->count)
            observer->on_gone(observer, entry->key);
    }
    nu_counter_inc(&cache->stats->host_removed);
    nu_gauge_dec(&cache->stats->num_hosts);
    nu_loop_defer_free(cache->loop, free_entry, entry);
}

static uint64_t last_used_us(const struct nu_dns_cache_entry *entry)
{
    uint64_t last_us = entry->made_us;
    struct nu_dns_cache_observer *observer;
    nu_list_for_each(observer, &entry->cache->observers, struct nu_dns_cache_observer, link)
    {
        uint64_t used_us = observer->used_us(observer, entry->key);
        if (used_us > last_us)
            last_us = used_us;
    }
    return last_us;
}

static bool is_unused(const struct nu_dns_cache_entry *entry)
{
    uint64_t now_us = nu_loop_now_us(entry->cache->loop);
    uint64_t last_us = last_used_us(entry);
    return now_us > last_us && now_us - last_us > entry->cache->params.host_ttl_ms * 1000;
}

/* --- Asking ----------------------------------------------------------------------------------- */

static void ask(struct nu_dns_cache_entry *entry)
{
    struct nu_dns_cache *cache = entry->cache;
    nu_counter_inc(&cache->stats->dns_query_attempt);
    if (cache->params.query_timeout_ms)
        nu_timer_arm(cache->loop, &entry->timeout, cache->params.query_timeout_ms);
    nu_dns_resolve(cache->params.resolver, &entry->query, entry->host, cache->params.family);
}

/* Whole seconds, as Envoy counts them; the age of the first address decides. */
static uint64_t pause_after(const struct nu_dns_cache *cache, const struct nu_dns_answer *answer)
{
    const struct nu_dns_cache_params *params = &cache->params;
    uint64_t pause_ms = params->refresh_ms / 1000 * 1000;
    if (answer->count == 0)
        return pause_ms;
    uint64_t age_ms = (uint64_t)answer->addresses[0].ttl_s * 1000;
    uint64_t least_ms = params->min_refresh_ms / 1000 * 1000;
    return age_ms > least_ms ? age_ms : least_ms;
}

static void plan_after_failure(struct nu_dns_cache_entry *entry)
{
    struct nu_dns_cache *cache = entry->cache;
    uint64_t pause_ms = nu_dns_pace_after_failure(&entry->pace);
    /* Nobody asks for it again by itself, but it does not stay for ever either. */
    if (cache->params.forgets_failures)
        pause_ms = cache->params.host_ttl_ms + 1;
    nu_timer_arm(cache->loop, &entry->refresh, pause_ms);
}

static void on_good_answer(struct nu_dns_cache_entry *entry, const struct nu_dns_answer *answer)
{
    struct nu_dns_cache *cache = entry->cache;
    nu_counter_inc(&cache->stats->dns_query_success);
    entry->pace.backoff_ms = entry->pace.params->failure_base_ms;
    nu_timer_arm(cache->loop, &entry->refresh, pause_after(cache, answer));
    if (answer->count && !is_known(entry, answer))
        set_addresses(entry, answer);
    else if (!entry->count)
        set_failure(entry, false, "cares_norecords:", answer->error);
}

static void on_failure(struct nu_dns_cache_entry *entry, const char *kind, const char *why)
{
    nu_counter_inc(&entry->cache->stats->dns_query_failure);
    plan_after_failure(entry);
    if (!entry->count)
        set_failure(entry, true, kind, why);
}

static void on_answer(struct nu_dns_query *query, const struct nu_dns_answer *answer)
{
    struct nu_dns_cache_entry *entry = nu_container_of(query, struct nu_dns_cache_entry, query);
    nu_timer_cancel(&entry->timeout);
    nu_log(NU_LOG_UPSTREAM, NU_LOG_DEBUG, "dns cache %s: %.*s has %zu addresses",
           entry->cache->name, NU_STR_ARG(entry->key), answer->count);
    if (answer->ok)
        on_good_answer(entry, answer);
    else
        on_failure(entry, "cares_failure:", answer->error);
}

static void on_timeout(struct nu_timer *timer)
{
    struct nu_dns_cache_entry *entry = nu_container_of(timer, struct nu_dns_cache_entry, timeout);
    nu_dns_cancel(entry->cache->params.resolver, &entry->query);
    nu_counter_inc(&entry->cache->stats->dns_query_timeout);
    on_failure(entry, "resolve_timeout", NULL);
}

static void on_refresh(struct nu_timer *timer)
{
    struct nu_dns_cache_entry *entry = nu_container_of(timer, struct nu_dns_cache_entry, refresh);
    if (is_unused(entry))
        remove_entry(entry);
    else if (entry->cache->params.forgets_failures && entry->result->failed)
        nu_timer_arm(entry->cache->loop, &entry->refresh, entry->cache->params.host_ttl_ms + 1);
    else
        ask(entry);
}

/* --- Names ------------------------------------------------------------------------------------ */

static struct nu_dns_cache_entry *create_entry(struct nu_dns_cache *cache, struct nu_str key,
                                               uint16_t default_port)
{
    struct nu_dns_cache_entry *entry = nu_calloc(1, sizeof(*entry));
    entry->cache = cache;
    entry->key = nu_str_make(nu_strndup(key.ptr, key.len), key.len);
    struct nu_dns_cache_name name = nu_dns_cache_split_key(entry->key, default_port);
    entry->host = name.host;
    entry->port = name.port;
    entry->query.on_answer = on_answer;
    entry->made_us = nu_loop_now_us(cache->loop);
    nu_timer_init(&entry->refresh, on_refresh);
    nu_timer_init(&entry->timeout, on_timeout);
    nu_dns_pace_init(&entry->pace, &cache->pace);
    nu_map_put(&cache->entries, entry->key, entry);
    atomic_fetch_add_explicit(&cache->entry_count, 1, memory_order_relaxed);
    nu_counter_inc(&cache->stats->host_added);
    nu_gauge_inc(&cache->stats->num_hosts);
    return entry;
}

static bool is_full(const struct nu_dns_cache *cache)
{
    return cache->entries.count >= cache->params.max_hosts;
}

/* Workers look before they ask, but several may have looked at the same time. */
static void refuse(struct nu_dns_cache *cache, struct nu_cluster_table *table, struct nu_str key)
{
    struct nu_dns_result *result = nu_dns_result_create(key, nu_str_make(NULL, 0));
    nu_counter_inc(&cache->stats->host_overflow);
    nu_dns_cache_tell(cache, table, NU_DNS_NEWS_FULL, result);
    nu_dns_result_unref(result);
}

/* A name that is there already is on its way to all workers, or will be. */
void nu_dns_cache_load(struct nu_dns_cache *cache, struct nu_cluster_table *table,
                       struct nu_str key, uint16_t default_port, bool again)
{
    struct nu_dns_cache_entry *entry = nu_map_get(&cache->entries, key);
    if (entry && (!again || !entry->result || !entry->result->failed))
        return;
    if (entry)
        remove_entry(entry);
    if (is_full(cache))
        refuse(cache, table, key);
    else
        ask(create_entry(cache, key, default_port));
}

static void preresolve(struct nu_dns_cache *cache, const struct nu_dns_cache_name *name)
{
    char text[NU_DNS_CACHE_KEY_MAX];
    struct nu_str key = nu_dns_cache_key(name, text);
    if (key.len && !nu_map_get(&cache->entries, key) && !is_full(cache))
        ask(create_entry(cache, key, name->port));
}

void nu_dns_cache_add_observer(struct nu_dns_cache *cache, struct nu_dns_cache_observer *observer)
{
    nu_list_add_last(&cache->observers, &observer->link);
    nu_map_for_each(item, &cache->entries)
    {
        const struct nu_dns_cache_host host = host_of(item->value);
        if (host.count)
            observer->on_host(observer, &host);
    }
    if (cache->started)
        return;
    cache->started = true;
    for (size_t i = 0; i < cache->params.first_name_count; i++)
        preresolve(cache, &cache->params.first_names[i]);
}

/* --- Life ------------------------------------------------------------------------------------- */

static struct nu_stat_set *create_set(struct nu_stats *stats, const struct nu_stat_table *table,
                                      struct nu_str name, const char *suffix)
{
    struct nu_strbuf prefix = {0};
    nu_strbuf_add_cstr(&prefix, "dns_cache.");
    nu_stats_sanitize(&prefix, name);
    nu_strbuf_add_cstr(&prefix, suffix);
    struct nu_stat_set *set = nu_stat_set_create(stats, table, nu_strbuf_str(&prefix));
    nu_strbuf_finish(&prefix);
    return set;
}

static void create_sets(struct nu_dns_cache *cache, struct nu_stats *stats, struct nu_str name)
{
    cache->set = create_set(stats, &nu_dns_cache_stats_table, name, "");
    cache->breaker_set =
        create_set(stats, &nu_dns_cache_breaker_stats_table, name, ".circuit_breakers");
    cache->stats = nu_stat_set_block(cache->set);
    struct nu_dns_cache_breaker_stats *breaker = nu_stat_set_block(cache->breaker_set);
    nu_gauge_set(&breaker->rq_pending_remaining, cache->params.max_pending);
}

static struct nu_dns_cache *create(struct nu_dns_caches *caches, struct nu_str name,
                                   const struct nu_dns_cache_params *params)
{
    struct nu_dns_cache *cache = nu_calloc(1, sizeof(*cache));
    cache->all = caches;
    cache->loop = caches->loop;
    cache->name = nu_strndup(name.ptr, name.len);
    cache->runtime_key = nu_asprintf("dns_cache.%s.circuit_breakers", cache->name);
    cache->index = caches->count;
    cache->params = *params;
    cache->pace = (struct nu_dns_pace_params){
        .refresh_ms = params->refresh_ms,
        .failure_base_ms = params->failure_base_ms,
        .failure_max_ms = params->failure_max_ms,
    };
    nu_inbox_init(&cache->questions, caches->loop, nu_dns_cache_on_question);
    nu_list_init(&cache->observers);
    create_sets(cache, caches->stats, name);
    return cache;
}

static void destroy(struct nu_dns_cache *cache)
{
    nu_inbox_finish(&cache->questions, nu_dns_cache_drop_question);
    nu_map_for_each(item, &cache->entries)
    {
        stop(item->value);
        free_entry(item->value);
    }
    nu_map_finish(&cache->entries);
    if (cache->params.owns_resolver)
        nu_dns_resolver_destroy(&cache->params.resolver);
    nu_stat_set_destroy(&cache->set);
    nu_stat_set_destroy(&cache->breaker_set);
    nu_free(cache->runtime_key);
    nu_free(cache->name);
    nu_free(cache);
}

struct nu_dns_caches *nu_dns_caches_create(struct nu_stats *stats, struct nu_loop *loop)
{
    struct nu_dns_caches *caches = nu_calloc(1, sizeof(*caches));
    caches->stats = stats;
    caches->loop = loop;
    nu_arena_init(&caches->arena);
    return caches;
}

void nu_dns_caches_destroy(struct nu_dns_caches **caches_ptr)
{
    struct nu_dns_caches *caches = *caches_ptr;
    if (!caches)
        return;
    *caches_ptr = NULL;
    for (uint32_t i = 0; i < caches->count; i++)
        destroy(caches->items[i]);
    nu_free(caches->items);
    nu_free(caches->tables);
    nu_arena_finish(&caches->arena);
    nu_free(caches);
}

struct nu_dns_cache *nu_dns_caches_find(const struct nu_dns_caches *caches, struct nu_str name)
{
    for (uint32_t i = 0; i < caches->count; i++) {
        if (nu_str_eq(nu_str_from(caches->items[i]->name), name))
            return caches->items[i];
    }
    return NULL;
}

struct nu_dns_cache *nu_dns_caches_add(struct nu_dns_caches *caches, struct nu_str name,
                                       const struct nu_dns_cache_params *params)
{
    struct nu_dns_cache *cache = create(caches, name, params);
    size_t size = (caches->count + 1) * sizeof(struct nu_dns_cache *);
    caches->items = nu_realloc(caches->items, size);
    caches->items[caches->count++] = cache;
    return cache;
}

const char *nu_dns_cache_config(const struct nu_dns_cache *cache)
{
    return cache->config;
}

void nu_dns_cache_set_config(struct nu_dns_cache *cache, const char *config)
{
    cache->config = nu_arena_strdup(&cache->all->arena, config);
}

struct nu_arena *nu_dns_caches_arena(struct nu_dns_caches *caches)
{
    return &caches->arena;
}

void nu_dns_caches_flush(struct nu_dns_caches *caches)
{
    for (uint32_t i = 0; i < caches->count; i++) {
        struct nu_dns_cache_observer *observer;
        nu_list_for_each(observer, &caches->items[i]->observers, struct nu_dns_cache_observer, link)
        {
            observer->flush(observer);
        }
    }
}
