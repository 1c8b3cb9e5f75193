/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of hosts in /stats, for the clusters that ask for it (per_endpoint_stats). */
#ifndef NU_ADMIN_ENDPOINT_STATS_H
#define NU_ADMIN_ENDPOINT_STATS_H

#include "stats/rows.h"

struct nu_cluster_manager;

/* The table of all hosts there are now, for a rendering to own; NULL where no cluster asks. */
struct nu_stats_rows *nu_admin_endpoint_stats(const struct nu_cluster_manager *clusters);

#endif
