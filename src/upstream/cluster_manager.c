/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cluster manager. Updates travel as messages that own a reference to what they carry; a table
 * is changed by its own thread only.
 */
#include "upstream/cluster_manager.h"

#include "base/alloc.h"
#include "config/init_manager.h"
#include "runtime/runtime.h"
#include "stats/server_stats.h"
#include "upstream/hosts/breaker_runtime.h"
#include "upstream/cluster_hosts.h"
#include "upstream/dns_cache/dns_cache.h"

struct table_link {
    struct nu_list link;
    struct nu_cluster_table *table; /* borrowed */
};

struct nu_cluster_manager {
    struct nu_stats *stats;     /* borrowed */
    struct nu_loop *loop;       /* borrowed */
    struct nu_runtime *runtime; /* one reference; NULL for none */
    struct nu_arena arena;      /* of what follows */
    struct nu_str local_cluster;
    struct nu_locality here;
    bool is_somewhere;
    struct nu_map clusters; /* of struct nu_cluster, owned */
    struct nu_list tables;  /* of struct table_link */
    struct nu_list retired; /* of struct retirement */
    struct nu_host_keeper host_keeper;
    struct nu_dns_caches *dns_caches; /* owned */
    struct nu_stat_set *stat_set;
    struct nu_cluster_manager_stats *counters;
};

/* --- Retirement ------------------------------------------------------------------------------- */

struct retirement;

/* The message to one table. */
struct retirement_step {
    struct nu_task task;
    struct retirement *owner;
};

/* Something that nobody finds any more, while somebody may still look at it. */
struct retirement {
    struct nu_list link; /* in the manager's list */
    struct nu_loop *loop;
    struct nu_task done;
    _Atomic uint32_t left; /* tables that the message has not reached */
    void (*fn)(void *obj);
    void *obj;
    struct retirement_step steps[];
};

static void finish_retirement(struct retirement *retirement)
{
    nu_list_remove(&retirement->link);
    retirement->fn(retirement->obj);
    nu_free(retirement);
}

static void on_retired(struct nu_task *task)
{
    finish_retirement(nu_container_of(task, struct retirement, done));
}

static void on_retirement_step(struct nu_task *task)
{
    struct retirement *retirement = nu_container_of(task, struct retirement_step, task)->owner;
    if (atomic_fetch_sub_explicit(&retirement->left, 1, memory_order_acq_rel) == 1)
        nu_loop_post(retirement->loop, &retirement->done);
}

static size_t count_tables(const struct nu_cluster_manager *manager)
{
    size_t count = 0;
    const struct nu_list *tables = &manager->tables;
    for (const struct nu_list *link = tables->next; link != tables; link = link->next)
        count++;
    return count;
}

void nu_cluster_manager_retire(struct nu_cluster_manager *manager, void (*fn)(void *obj), void *obj)
{
    size_t count = count_tables(manager);
    if (count == 0) {
        fn(obj);
        return;
    }
    struct retirement *retirement =
        nu_alloc(sizeof(*retirement) + count * sizeof(retirement->steps[0]));
    *retirement = (struct retirement){
        .loop = manager->loop, .done = {.fn = on_retired}, .fn = fn, .obj = obj};
    atomic_init(&retirement->left, (uint32_t)count);
    nu_list_add_last(&manager->retired, &retirement->link);
    struct retirement_step *step = retirement->steps;
    struct table_link *table;
    nu_list_for_each(table, &manager->tables, struct table_link, link)
    {
        step->task.fn = on_retirement_step;
        step->owner = retirement;
        nu_loop_post(table->table->loop, &step++->task);
    }
}

static void retire_of_host(struct nu_host_keeper *keeper, void (*fn)(void *obj), void *obj)
{
    nu_cluster_manager_retire(nu_container_of(keeper, struct nu_cluster_manager, host_keeper), fn,
                              obj);
}

/* --- Life ------------------------------------------------------------------------------------- */

enum { LOCAL_BYTES = 224 }; /* for the names of the local cluster and its place */

struct nu_cluster_manager *nu_cluster_manager_create(struct nu_stats *stats, struct nu_loop *loop)
{
    struct nu_cluster_manager *manager = nu_calloc(1, sizeof(*manager));
    manager->stats = stats;
    manager->loop = loop;
    manager->stat_set =
        nu_stat_set_create(stats, &nu_cluster_manager_stats_table, NU_STR("cluster_manager"));
    manager->counters = nu_stat_set_block(manager->stat_set);
    nu_arena_init_small(&manager->arena, LOCAL_BYTES);
    nu_list_init(&manager->tables);
    nu_list_init(&manager->retired);
    nu_host_keeper_init(&manager->host_keeper, stats, loop);
    manager->host_keeper.retire = retire_of_host;
    manager->dns_caches = nu_dns_caches_create(stats, loop);
    return manager;
}

struct nu_host_keeper *nu_cluster_manager_host_keeper(struct nu_cluster_manager *manager)
{
    return &manager->host_keeper;
}

void nu_cluster_manager_set_local(struct nu_cluster_manager *manager, struct nu_str cluster,
                                  const struct nu_locality *here)
{
    manager->local_cluster = nu_arena_dup(&manager->arena, cluster);
    manager->is_somewhere = here != NULL;
    if (here)
        manager->here = (struct nu_locality){
            .region = nu_arena_dup(&manager->arena, here->region),
            .zone = nu_arena_dup(&manager->arena, here->zone),
            .sub_zone = nu_arena_dup(&manager->arena, here->sub_zone),
        };
}

struct nu_dns_caches *nu_cluster_manager_dns_caches(struct nu_cluster_manager *manager)
{
    return manager->dns_caches;
}

struct nu_loop *nu_cluster_manager_loop(struct nu_cluster_manager *manager)
{
    return manager->loop;
}

static void apply_runtime(const struct nu_cluster_manager *manager, struct nu_cluster *cluster)
{
    for (int i = 0; i < NU_PRIORITY_COUNT; i++)
        nu_breakers_apply_runtime(cluster, (enum nu_priority)i, manager->runtime);
}

void nu_cluster_manager_set_runtime(struct nu_cluster_manager *manager, struct nu_runtime *runtime)
{
    nu_runtime_unref(&manager->runtime);
    manager->runtime = runtime ? nu_runtime_ref(runtime) : NULL;
    nu_map_for_each(entry, &manager->clusters)
    {
        apply_runtime(manager, entry->value);
    }
}

void nu_cluster_manager_destroy(struct nu_cluster_manager **manager_ptr)
{
    struct nu_cluster_manager *manager = *manager_ptr;
    if (!manager)
        return;
    *manager_ptr = NULL;
    nu_map_for_each(entry, &manager->clusters)
    {
        struct nu_cluster *cluster = entry->value;
        nu_cluster_destroy(&cluster);
    }
    nu_map_finish(&manager->clusters);
    nu_dns_caches_destroy(&manager->dns_caches);
    struct table_link *table;
    nu_list_for_each(table, &manager->tables, struct table_link, link)
    {
        nu_free(table);
    }
    while (!nu_list_is_empty(&manager->retired))
        finish_retirement(nu_list_first(&manager->retired, struct retirement, link));
    nu_host_keeper_finish(&manager->host_keeper);
    nu_stat_set_destroy(&manager->stat_set);
    nu_runtime_unref(&manager->runtime);
    nu_arena_finish(&manager->arena);
    nu_free(manager);
}

struct nu_cluster *nu_cluster_manager_find(const struct nu_cluster_manager *manager,
                                           struct nu_str name)
{
    return nu_map_get(&manager->clusters, name);
}

struct nu_cluster *nu_cluster_manager_next(const struct nu_cluster_manager *manager, size_t *cursor)
{
    while (*cursor < manager->clusters.cap) {
        struct nu_map_entry *entry = &manager->clusters.slots[(*cursor)++];
        if (entry->key.ptr)
            return entry->value;
    }
    return NULL;
}

static void on_updates_timer(struct nu_timer *timer);

static uint32_t publish(const struct nu_cluster_manager *manager, struct nu_cluster *cluster,
                        const struct nu_host_set *old)
{
    const struct nu_cluster_surroundings around = {
        .runtime = manager->runtime,
        .here = manager->is_somewhere ? &manager->here : NULL,
        .has_local_cluster = manager->local_cluster.len != 0,
    };
    return nu_cluster_publish_hosts(cluster, old, &around);
}

bool nu_cluster_manager_add(struct nu_cluster_manager *manager, struct nu_cluster *cluster)
{
    if (nu_map_get(&manager->clusters, cluster->name))
        return false;
    nu_map_put(&manager->clusters, cluster->name, cluster);
    cluster->manager = manager;
    if (manager->runtime)
        apply_runtime(manager, cluster);
    nu_timer_init(&cluster->updates.timer, on_updates_timer);
    publish(manager, cluster, NULL);
    nu_counter_inc(&manager->counters->cluster_added);
    nu_gauge_inc(&manager->counters->active_clusters);
    return true;
}

void nu_cluster_manager_attach(struct nu_cluster_manager *manager, struct nu_cluster_table *table)
{
    nu_dns_caches_flush(manager->dns_caches);
    table->local_cluster = manager->local_cluster;
    /* The local cluster first, on which zones of all others depend. */
    struct nu_cluster *local = nu_cluster_manager_find(manager, manager->local_cluster);
    if (local)
        nu_cluster_table_add(table, local, local->hosts);
    nu_map_for_each(entry, &manager->clusters)
    {
        struct nu_cluster *cluster = entry->value;
        if (cluster != local)
            nu_cluster_table_add(table, cluster, cluster->hosts);
    }
    nu_cluster_table_hand_over(table);
    struct table_link *link = nu_alloc(sizeof(*link));
    link->table = table;
    nu_list_add_last(&manager->tables, &link->link);
    nu_dns_caches_attach(manager->dns_caches, table);
}

/* New hosts on their way to one table. */
struct hosts_message {
    struct nu_task task;
    struct nu_cluster_table *table;
    struct nu_cluster *cluster;
    struct nu_host_set *hosts; /* one reference */
    bool drains;               /* connections to all hosts are to end */
};

static void on_hosts_message(struct nu_task *task)
{
    struct hosts_message *message = nu_container_of(task, struct hosts_message, task);
    if (message->drains)
        nu_cluster_table_drain(message->table, message->cluster);
    nu_cluster_table_set_hosts(message->table, message->cluster, message->hosts);
    nu_host_set_unref(message->hosts);
    nu_free(message);
}

/* `is_new`: hosts came or went. */
static void tell_tables(struct nu_cluster_manager *manager, struct nu_cluster *cluster, bool is_new)
{
    struct table_link *link;
    nu_list_for_each(link, &manager->tables, struct table_link, link)
    {
        struct hosts_message *message = nu_alloc(sizeof(*message));
        message->task.fn = on_hosts_message;
        message->table = link->table;
        message->cluster = cluster;
        message->hosts = nu_host_set_ref(cluster->hosts);
        message->drains = is_new && cluster->lb->closes_connections;
        nu_loop_post(link->table->loop, &message->task);
    }
}

/* --- When they are told ----------------------------------------------------------------------- */

static void on_updates_timer(struct nu_timer *timer)
{
    struct nu_cluster *cluster = nu_container_of(timer, struct nu_cluster, updates.timer);
    struct nu_cluster_manager *manager = cluster->manager;
    nu_counter_inc(&manager->counters->cluster_updated_via_merge);
    cluster->updates.last_ms = nu_loop_now_us(manager->loop) / 1000;
    tell_tables(manager, cluster, false);
}

/* Whether the tables are told later, with what may follow. The counting is Envoy's. */
static bool is_held(struct nu_cluster_manager *manager, struct nu_cluster *cluster, bool is_new)
{
    struct nu_cluster_updates *updates = &cluster->updates;
    uint64_t now_ms = nu_loop_now_us(manager->loop) / 1000;
    bool is_late = !updates->last_ms || now_ms - updates->last_ms > updates->window_ms;
    if (!updates->window_ms)
        return false;
    if (!is_new && !is_late) {
        if (!nu_timer_is_armed(&updates->timer))
            nu_timer_arm(manager->loop, &updates->timer, updates->window_ms);
        return true;
    }
    if (!is_new)
        nu_counter_inc(&manager->counters->update_out_of_merge_window);
    if (nu_timer_is_armed(&updates->timer))
        nu_counter_inc(&manager->counters->update_merge_cancelled);
    nu_timer_cancel(&updates->timer);
    updates->last_ms = now_ms;
    return false;
}

static bool is_warm(const struct nu_cluster *cluster)
{
    return !cluster->warm || cluster->warm->state == NU_INIT_READY;
}

void nu_cluster_manager_set_hosts(struct nu_cluster_manager *manager, struct nu_cluster *cluster,
                                  struct nu_host_set *hosts)
{
    struct nu_host_set *old = cluster->hosts;
    cluster->hosts = nu_host_set_ref(hosts);
    uint32_t changed = publish(manager, cluster, old);
    nu_host_set_unref(old);
    if (is_warm(cluster)) {
        if (is_held(manager, cluster, changed > 0))
            return;
        nu_counter_add(&manager->counters->cluster_updated, changed ? changed : 1);
    }
    tell_tables(manager, cluster, changed > 0);
}

void nu_cluster_manager_reweigh(struct nu_cluster_manager *manager, struct nu_cluster *cluster)
{
    struct nu_host_set *old = cluster->hosts;
    cluster->hosts = nu_cluster_copy_hosts(old);
    uint32_t changed = publish(manager, cluster, old);
    nu_host_set_unref(old);
    tell_tables(manager, cluster, changed > 0);
}

/* --- Single hosts ----------------------------------------------------------------------------- */

/* A host on its way to one table, which does something with it. */
struct host_message {
    struct nu_task task;
    void (*fn)(struct nu_cluster_table *table, const struct nu_cluster *cluster,
               struct nu_host *host);
    struct nu_cluster_table *table;
    struct nu_cluster *cluster;
    struct nu_host *host; /* one reference */
};

static void on_host_message(struct nu_task *task)
{
    struct host_message *message = nu_container_of(task, struct host_message, task);
    message->fn(message->table, message->cluster, message->host);
    nu_host_unref(message->host);
    nu_free(message);
}

static void send_host(struct nu_cluster_manager *manager, const struct host_message *model)
{
    struct table_link *link;
    nu_list_for_each(link, &manager->tables, struct table_link, link)
    {
        struct host_message *message = nu_alloc(sizeof(*message));
        *message = *model;
        message->task.fn = on_host_message;
        message->table = link->table;
        nu_host_ref(message->host);
        nu_loop_post(link->table->loop, &message->task);
    }
}

static void drain_host(struct nu_cluster_table *table, const struct nu_cluster *cluster,
                       struct nu_host *host)
{
    nu_cluster_table_drain_host(table, cluster, host);
}

void nu_cluster_manager_drain_host(struct nu_cluster_manager *manager, struct nu_cluster *cluster,
                                   struct nu_host *host)
{
    send_host(manager, &(struct host_message){.fn = drain_host, .cluster = cluster, .host = host});
}

void nu_cluster_manager_add_host(struct nu_cluster_manager *manager, struct nu_cluster *cluster,
                                 struct nu_host *host)
{
    nu_cluster_announce_host(cluster, host);
    send_host(manager, &(struct host_message){
                           .fn = nu_cluster_table_add_host, .cluster = cluster, .host = host});
}
