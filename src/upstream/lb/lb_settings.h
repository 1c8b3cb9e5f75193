/* SPDX-License-Identifier: Apache-2.0 */
/* How a cluster balances; from its configuration, with defaults resolved. Immutable. */
#ifndef NU_UPSTREAM_LB_SETTINGS_H
#define NU_UPSTREAM_LB_SETTINGS_H

#include "runtime/settings.h"

/* Requests to hosts of the zone where this process is, as far as that is fair to the hosts. */
struct nu_lb_zone_settings {
    uint32_t routing_percent;   /* of requests; runtime key upstream.zone_routing.enabled */
    uint64_t min_cluster_size;  /* healthy hosts; key upstream.zone_routing.min_cluster_size */
    bool fail_traffic_on_panic; /* with too few healthy hosts nobody is chosen */
    bool by_weight;             /* shares of zones are those of weights, not of hosts */
    bool forces_local;          /* the local zone alone, while it has so many healthy hosts: */
    uint32_t force_local_minimum;
};

/* A host that has just become fit gets its share little by little. */
struct nu_lb_slow_start {
    uint64_t window_ms; /* 0: it does not */
    struct nu_runtime_number aggression;
    double min_weight; /* part of its weight that it has at least: 0 to 1 */
};

struct nu_lb_settings {
    uint32_t panic_percent;     /* runtime key upstream.healthy_panic_threshold */
    uint32_t override_statuses; /* bits of enum nu_eds_health that an override host may have */
    bool ignores_new_hosts;     /* until their first health check has an answer */
    bool closes_connections;    /* all of them, when hosts come or go */
    bool is_locality_weighted;  /* localities have their share by their weights */
    bool scans_all;             /* least request: all hosts are compared */
    uint32_t choice_count;      /* least request: else so many, at random */
    struct nu_runtime_number active_request_bias; /* least request, with weights */
    struct nu_lb_zone_settings zone;
    struct nu_lb_slow_start slow_start;
};

/* Envoy's defaults. */
extern const struct nu_lb_settings nu_lb_settings_default;

#endif
