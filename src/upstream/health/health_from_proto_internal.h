/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of reading a health check: what all kinds have in health_from_proto.c, each kind's own
 * settings in probe_from_proto.c. Main thread. */
#ifndef NU_UPSTREAM_HEALTH_HEALTH_FROM_PROTO_INTERNAL_H
#define NU_UPSTREAM_HEALTH_HEALTH_FROM_PROTO_INTERNAL_H

#include "config/factory.h"
#include "upstream/health/checker.h"

#include "envoy/config/core/v3/health_check.pb-c.h"

/* Sets the kind of the check and its settings. */
void nu_health_probe_from_proto(struct nu_factory *factory, const struct nu_cluster *cluster,
                                const Envoy__Config__Core__V3__HealthCheck *proto,
                                struct nu_health_config *config);

#endif
