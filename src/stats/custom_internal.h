/* SPDX-License-Identifier: Apache-2.0 */
/* Custom statistics as the registry sees them. Main thread. */
#ifndef NU_STATS_CUSTOM_INTERNAL_H
#define NU_STATS_CUSTOM_INTERNAL_H

#include "stats/stats.h"

struct nu_custom_stats;

/* Lists what other threads have defined since the last time. */
void nu_custom_stats_list(struct nu_stats *stats);
/* Frees what is left. */
void nu_custom_stats_destroy(struct nu_custom_stats **custom);

#endif
