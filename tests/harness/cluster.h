/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cluster with its manager on a loop of the test's, made by hand instead of from a configuration,
 * and one table of a worker on the same loop.
 */
#ifndef NU_TESTS_HARNESS_CLUSTER_H
#define NU_TESTS_HARNESS_CLUSTER_H

#include "harness/loop.h"
#include "upstream/cluster_build.h"
#include "upstream/cluster_manager.h"

struct cluster_fixture {
    struct nu_loop *loop;
    struct nu_stats *stats;
    struct nu_cluster_manager *manager;
    struct nu_host_keeper *keeper;
    struct nu_cluster *cluster;
    struct nu_cluster_table table;
};

/* A host of "ip:port" with a weight. The caller owns the reference. */
static inline struct nu_host *cluster_host(struct cluster_fixture *f, const char *address,
                                           uint32_t weight)
{
    struct nu_host_params params = {.weight = weight};
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(address), &params.address), NU_OK);
    return nu_host_create(f->keeper, &params);
}

/* A set of these hosts, whose references it takes over. */
static inline struct nu_host_set *cluster_host_set(struct nu_host **hosts, uint32_t count)
{
    struct nu_host_set *set = nu_host_set_create(hosts, count);
    for (uint32_t i = 0; i < count; i++)
        nu_host_unref(hosts[i]);
    return set;
}

/* The loop and an empty cluster "c", which is not in the manager yet. */
static inline void cluster_fixture_init(struct cluster_fixture *f)
{
    *f = (struct cluster_fixture){.loop = nu_loop_create(), .stats = nu_stats_create()};
    f->manager = nu_cluster_manager_create(f->stats, f->loop);
    f->keeper = nu_cluster_manager_host_keeper(f->manager);
    f->cluster = nu_cluster_create(f->stats, NU_STR("c"), NU_STR(""));
}

/* Hands the cluster with its first hosts (taken over) to the manager and to the table. */
static inline void cluster_fixture_start(struct cluster_fixture *f, struct nu_host_set *hosts)
{
    nu_cluster_set_first_hosts(f->cluster, hosts);
    nu_host_set_unref(hosts);
    assert_true(nu_cluster_manager_add(f->manager, f->cluster));
    nu_cluster_table_init(&f->table, f->loop);
    nu_cluster_manager_attach(f->manager, &f->table);
}

static inline struct nu_cluster_local *cluster_local(struct cluster_fixture *f)
{
    return nu_cluster_table_find(&f->table, NU_STR("c"));
}

static inline void cluster_fixture_finish(struct cluster_fixture *f)
{
    nu_cluster_table_finish(&f->table);
    nu_loop_run_once(f->loop);
    nu_cluster_manager_destroy(&f->manager);
    nu_loop_destroy(&f->loop);
    nu_stats_destroy(&f->stats);
}

/* The statistic cluster.c.NAME. */
static inline uint64_t cluster_stat(const struct cluster_fixture *f, const char *name)
{
    uint64_t value = 0;
    char full[128];
    snprintf(full, sizeof(full), "cluster.c.%s", name);
    nu_stats_value(f->stats, nu_str_from(full), &value);
    return value;
}

#endif
