/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights of hosts by what they report of their load (the policy client_side_weighted_round_robin).
 *
 *     worker: reads the report beside an answer, notes the weight in its host
 *     main thread: every period gives the hosts the weights that hold, and tells the workers
 *
 * A weight holds when the host has reported for a while (the blackout), until its last report is
 * too old. The other hosts get the median of their priority.
 */
#ifndef NU_UPSTREAM_REPORTED_WEIGHTS_H
#define NU_UPSTREAM_REPORTED_WEIGHTS_H

#include <stdatomic.h>

#include "upstream/lb/load_report.h"

struct nu_cluster;
struct nu_loop;
struct nu_reported_weights;

/* What a host reported. Written by workers, read by the main thread. */
struct nu_host_report {
    _Atomic uint32_t weight;
    _Atomic uint64_t since_us; /* of the first of them without a gap; 0: there is none */
    _Atomic uint64_t last_us;
};

struct nu_reported_settings {
    struct nu_load_metrics metrics; /* in the cluster's arena */
    uint64_t blackout_ms;
    uint64_t expiration_ms;
    uint64_t period_ms;
};

/* An observer of the cluster's hosts, which the cluster destroys. Main thread. */
void nu_reported_weights_create(struct nu_cluster *cluster, struct nu_loop *loop,
                                const struct nu_reported_settings *settings);
/* How a cluster with reports reads them; any thread. */
const struct nu_load_metrics *nu_reported_metrics(const struct nu_reported_weights *weights);
/* Notes a weight; a worker's thread. */
void nu_host_report_note(struct nu_host_report *report, uint32_t weight, uint64_t now_us);

#endif
