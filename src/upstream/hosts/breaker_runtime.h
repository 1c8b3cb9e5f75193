/* SPDX-License-Identifier: Apache-2.0 */
/* Limits that the runtime overrules: circuit_breakers.<cluster>.<priority>.max_connections ... */
#ifndef NU_UPSTREAM_BREAKER_RUNTIME_H
#define NU_UPSTREAM_BREAKER_RUNTIME_H

#include "upstream/cluster.h"

struct nu_runtime;

/* Sets the limits that count from now on: the runtime's, else those of the configuration. `runtime`
 * may be NULL. Main thread; workers see them with their next look. */
void nu_breakers_apply_runtime(struct nu_cluster *cluster, enum nu_priority priority,
                               const struct nu_runtime *runtime);

#endif
