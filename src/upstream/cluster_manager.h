/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main thread's side of all clusters: builds them from the configuration, owns them and their
 * host sets, and keeps the workers' tables up to date by message.
 */
#ifndef NU_UPSTREAM_CLUSTER_MANAGER_H
#define NU_UPSTREAM_CLUSTER_MANAGER_H

#include "upstream/cluster.h"

struct nu_cluster_manager;
struct nu_dns_caches;
struct nu_runtime;

/* `stats` and `loop` (the main thread's) are borrowed. */
struct nu_cluster_manager *nu_cluster_manager_create(struct nu_stats *stats, struct nu_loop *loop);
/* After the workers' tables are finished. */
void nu_cluster_manager_destroy(struct nu_cluster_manager **manager);
/* What hosts of this process are made with. */
struct nu_host_keeper *nu_cluster_manager_host_keeper(struct nu_cluster_manager *manager);

/* The DNS caches of this process, by name. */
struct nu_dns_caches *nu_cluster_manager_dns_caches(struct nu_cluster_manager *manager);
/* The main thread's loop. */
struct nu_loop *nu_cluster_manager_loop(struct nu_cluster_manager *manager);
/* What host sets that come look up their settings in (takes a reference); NULL for nothing. */
void nu_cluster_manager_set_runtime(struct nu_cluster_manager *manager, struct nu_runtime *runtime);

/* Calls fn(obj) on the main thread when every table's thread has been between two messages: none
 * can be reading then what was reachable before and is not any more. At once without tables; what
 * is left at the end is called by nu_cluster_manager_destroy. */
void nu_cluster_manager_retire(struct nu_cluster_manager *manager, void (*fn)(void *obj),
                               void *obj);

/* Which cluster has the processes like this one, and where this is: copied; before clusters are
 * added. Empty and NULL: unknown. */
void nu_cluster_manager_set_local(struct nu_cluster_manager *manager, struct nu_str cluster,
                                  const struct nu_locality *here);

/* The cluster of this name, or NULL. Main thread. */
struct nu_cluster *nu_cluster_manager_find(const struct nu_cluster_manager *manager,
                                           struct nu_str name);
/* Walks the clusters by name: start with *cursor = 0; NULL at the end. */
struct nu_cluster *nu_cluster_manager_next(const struct nu_cluster_manager *manager,
                                           size_t *cursor);

/* Takes over a built cluster, whose first hosts count from here on; false (and the cluster is not taken) if the name is in use. */
NU_MUST_USE bool nu_cluster_manager_add(struct nu_cluster_manager *manager,
                                        struct nu_cluster *cluster);

/*
 * Registers a thread's table: it gets every cluster now and every change of hosts later, as
 * messages to its loop. Main thread, before that loop runs.
 */
void nu_cluster_manager_attach(struct nu_cluster_manager *manager, struct nu_cluster_table *table);
/* Gives a cluster new hosts (takes a reference of its own), which every table is told of by its
 * rules (struct nu_cluster_updates). */
void nu_cluster_manager_set_hosts(struct nu_cluster_manager *manager, struct nu_cluster *cluster,
                                  struct nu_host_set *hosts);

/* A host that is in no set of the cluster yet is for use: every table gets it now, and the set that
 * has it may come later. */
void nu_cluster_manager_add_host(struct nu_cluster_manager *manager, struct nu_cluster *cluster,
                                 struct nu_host *host);

/* Weights of hosts changed, and nothing else: every table gets a new set of the same hosts at once.
 * It is no update of the cluster, and not counted as one. */
void nu_cluster_manager_reweigh(struct nu_cluster_manager *manager, struct nu_cluster *cluster);

/* A host was found unwell: connections to it end when their streams do, idle ones at once, in every
 * thread. */
void nu_cluster_manager_drain_host(struct nu_cluster_manager *manager, struct nu_cluster *cluster,
                                   struct nu_host *host);

#endif
