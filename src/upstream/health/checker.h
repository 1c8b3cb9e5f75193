/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Active health checks of one cluster: asks each of its hosts again and again whether it is well,
 * and sets the host's flags by the answers. Balancing follows from those (nu_cluster_health_changed).
 *
 *     cluster -> observer -> checker -> session of each host -> probe
 *
 * A new host is unhealthy until its first check says otherwise. The cluster is warm once its
 * discovery is and every host that came by then has had its first result.
 *
 * A checker belongs to its cluster, which destroys it. Main thread.
 */
#ifndef NU_UPSTREAM_HEALTH_CHECKER_H
#define NU_UPSTREAM_HEALTH_CHECKER_H

#include "config/init_manager.h"
#include "upstream/cluster.h"
#include "upstream/health/event_log.h"
#include "upstream/health/probe.h"

struct nu_health_checker;

/* One health check, as configured; lives in the cluster's arena. */
struct nu_health_config {
    struct nu_health_rules rules;
    const struct nu_health_probe_class *probe;
    const void *settings; /* the kind's */
    bool reuses_connection;
    struct nu_str alpn; /* to be offered, in wire form; empty: what HTTP needs */
    bool has_criteria;  /* `transport` stands in for each host's own */
    const struct nu_transport_match *transport; /* NULL: the cluster's */
    struct nu_health_event_log log;
};

/* A checker that observes `cluster`, which owns it from here on and is in no manager yet. */
struct nu_health_checker *nu_health_checker_create(struct nu_cluster *cluster,
                                                   const struct nu_health_config *config,
                                                   struct nu_loop *loop);
/* Lets `init` wait until the cluster is warm, and start its discovery and the checks; the manager
 * has the cluster. */
void nu_health_checker_start(struct nu_health_checker *checker, struct nu_init_manager *init);

#endif
