/* SPDX-License-Identifier: Apache-2.0 */
/* Active health checks from a cluster's configuration. Main thread. */
#ifndef NU_UPSTREAM_HEALTH_HEALTH_FROM_PROTO_H
#define NU_UPSTREAM_HEALTH_HEALTH_FROM_PROTO_H

#include "config/factory.h"
#include "upstream/health/checker.h"

struct Envoy__Config__Cluster__V3__Cluster;

/*
 * Adds the checker that the configuration asks for to a cluster that was built from it and is in no
 * manager yet; `*checker` is NULL where there are no health checks. False after adding errors.
 */
NU_MUST_USE bool nu_health_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                                      const struct Envoy__Config__Cluster__V3__Cluster *proto,
                                      struct nu_health_checker **checker);

#endif
