/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LOGICAL_DNS: the cluster has one host, whatever a name stands for, and its address follows the
 * answers: new connections go to the first address of the last answer (or to whichever of several
 * answers first), those that there are stay where they lead. An answer without addresses and a
 * failure leave the host as it is. The cluster is warm after the first answer or failure. Main
 * thread.
 */
#ifndef NU_UPSTREAM_LOGICAL_DNS_H
#define NU_UPSTREAM_LOGICAL_DNS_H

#include "upstream/discovery/strict_dns.h"

/* A discovery for `cluster`, which takes it over; it is not started. There is one endpoint in
 * `params`. `keeper` and `loop` (the main thread's) are borrowed. */
struct nu_discovery *nu_logical_dns_create(struct nu_cluster *cluster,
                                           struct nu_host_keeper *keeper, struct nu_loop *loop,
                                           const struct nu_strict_dns_params *params);

#endif
