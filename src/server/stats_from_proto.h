/* SPDX-License-Identifier: Apache-2.0 */
/* How statistics are named and tagged: stats_config and --stats-tag. Main thread, while loading. */
#ifndef NU_SERVER_STATS_FROM_PROTO_H
#define NU_SERVER_STATS_FROM_PROTO_H

#include "config/factory.h"
#include "server/options.h"

struct Envoy__Config__Metrics__V3__StatsConfig;

/* Applies both to factory->stats; errors go to the context. `proto` may be NULL. */
void nu_stats_from_proto(struct nu_factory *factory,
                         const struct Envoy__Config__Metrics__V3__StatsConfig *proto,
                         const struct nu_options *options);

#endif
