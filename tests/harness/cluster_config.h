/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster built from the YAML of its message, with what that needs of a process. */
#ifndef NU_TESTS_HARNESS_CLUSTER_CONFIG_H
#define NU_TESTS_HARNESS_CLUSTER_CONFIG_H

#include "harness/config.h"
#include "harness/loop.h"

#include "config/factory.h"
#include "net/dns_cares.h"
#include "upstream/cluster_from_proto.h"
#include "upstream/cluster_manager.h"

struct cluster_config {
    struct config_fixture config;
    struct nu_loop *loop;
    struct nu_stats *stats;
    struct nu_cluster_manager *manager;
    struct nu_dns_options dns_options;
    struct nu_dns_resolver *dns;
    struct nu_cluster *cluster;
};

/* Builds the cluster of a YAML text into f->cluster. */
static inline void cluster_config_build(struct cluster_config *f, const char *yaml)
{
    *f = (struct cluster_config){.loop = nu_loop_create(), .stats = nu_stats_create()};
    config_open(&f->config);
    f->manager = nu_cluster_manager_create(f->stats, f->loop);
    f->dns = nu_dns_cares_create(f->loop, f->stats, &f->dns_options);
    struct nu_factory factory = {
        .ctx = &f->config.ctx,
        .arena = &f->config.arena,
        .stats = f->stats,
        .loop = f->loop,
        .dns = f->dns,
        .host_keeper = nu_cluster_manager_host_keeper(f->manager),
    };
    const void *proto = config_yaml(&f->config, "envoy.config.cluster.v3.Cluster", yaml);
    if (proto && !f->config.ctx.errors.count)
        f->cluster = nu_cluster_from_proto(&factory, proto);
    nu_error_list_sort(&f->config.ctx.errors);
}

static inline void cluster_config_finish(struct cluster_config *f)
{
    nu_cluster_destroy(&f->cluster);
    nu_dns_resolver_destroy(&f->dns);
    nu_cluster_manager_destroy(&f->manager);
    nu_loop_destroy(&f->loop);
    nu_stats_destroy(&f->stats);
    config_close(&f->config);
}

#define CLUSTER_ENDPOINT(address) \
    "load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: " \
    "{socket_address: {address: " address ", port_value: 80}}}}]}]}\n"

#endif
