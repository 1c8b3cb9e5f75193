/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cluster manager. Updates travel as messages that own a reference to what they carry; a table
 * is changed by its own thread only.
 */
#include "upstream/cluster_manager.h"

#include "base/alloc.h"
#include "runtime/runtime.h"
#include "stats/server_stats.h"
#include "upstream/cluster_hosts.h"

struct table_link {
    struct nu_list link;
    struct nu_cluster_table *table; /* borrowed */
};

struct nu_cluster_manager {
    struct nu_stats *stats;     /* borrowed */
    struct nu_loop *loop;       /* borrowed */
    struct nu_runtime *runtime; /* one reference; NULL for none */
    struct nu_map clusters;     /* of struct nu_cluster, owned */
    struct nu_list tables;      /* of struct table_link */
    struct nu_host_keeper host_keeper;
    struct nu_stat_set *stat_set;
    struct nu_cluster_manager_stats *counters;
};

struct nu_cluster_manager *nu_cluster_manager_create(struct nu_stats *stats, struct nu_loop *loop)
{
    struct nu_cluster_manager *manager = nu_calloc(1, sizeof(*manager));
    manager->stats = stats;
    manager->loop = loop;
    manager->stat_set =
        nu_stat_set_create(stats, &nu_cluster_manager_stats_table, NU_STR("cluster_manager"));
    manager->counters = nu_stat_set_block(manager->stat_set);
    nu_list_init(&manager->tables);
    nu_host_keeper_init(&manager->host_keeper, stats, loop);
    return manager;
}

struct nu_host_keeper *nu_cluster_manager_host_keeper(struct nu_cluster_manager *manager)
{
    return &manager->host_keeper;
}

struct nu_loop *nu_cluster_manager_loop(struct nu_cluster_manager *manager)
{
    return manager->loop;
}

void nu_cluster_manager_set_runtime(struct nu_cluster_manager *manager, struct nu_runtime *runtime)
{
    nu_runtime_unref(&manager->runtime);
    manager->runtime = runtime ? nu_runtime_ref(runtime) : NULL;
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
    struct table_link *table;
    nu_list_for_each(table, &manager->tables, struct table_link, link)
    {
        nu_free(table);
    }
    nu_host_keeper_finish(&manager->host_keeper);
    nu_stat_set_destroy(&manager->stat_set);
    nu_runtime_unref(&manager->runtime);
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

bool nu_cluster_manager_add(struct nu_cluster_manager *manager, struct nu_cluster *cluster)
{
    if (nu_map_get(&manager->clusters, cluster->name))
        return false;
    nu_map_put(&manager->clusters, cluster->name, cluster);
    cluster->manager = manager;
    nu_cluster_publish_hosts(cluster, NULL, manager->runtime);
    nu_counter_inc(&manager->counters->cluster_added);
    nu_gauge_inc(&manager->counters->active_clusters);
    return true;
}

void nu_cluster_manager_attach(struct nu_cluster_manager *manager, struct nu_cluster_table *table)
{
    nu_map_for_each(entry, &manager->clusters)
    {
        struct nu_cluster *cluster = entry->value;
        nu_cluster_table_add(table, cluster, cluster->hosts);
    }
    struct table_link *link = nu_alloc(sizeof(*link));
    link->table = table;
    nu_list_add_last(&manager->tables, &link->link);
}

/* New hosts on their way to one table. */
struct hosts_message {
    struct nu_task task;
    struct nu_cluster_table *table;
    struct nu_cluster *cluster;
    struct nu_host_set *hosts; /* one reference */
};

static void on_hosts_message(struct nu_task *task)
{
    struct hosts_message *message = nu_container_of(task, struct hosts_message, task);
    nu_cluster_table_set_hosts(message->table, message->cluster, message->hosts);
    nu_host_set_unref(message->hosts);
    nu_free(message);
}

void nu_cluster_manager_set_hosts(struct nu_cluster_manager *manager, struct nu_cluster *cluster,
                                  struct nu_host_set *hosts)
{
    struct nu_host_set *old = cluster->hosts;
    cluster->hosts = nu_host_set_ref(hosts);
    nu_cluster_publish_hosts(cluster, old, manager->runtime);
    nu_host_set_unref(old);
    struct table_link *link;
    nu_list_for_each(link, &manager->tables, struct table_link, link)
    {
        struct hosts_message *message = nu_alloc(sizeof(*message));
        message->task.fn = on_hosts_message;
        message->table = link->table;
        message->cluster = cluster;
        message->hosts = nu_host_set_ref(hosts);
        nu_loop_post(link->table->loop, &message->task);
    }
}
