/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of secrets that come from files, with Envoy's names. */
#ifndef NU_STATS_SDS_STATS_H
#define NU_STATS_SDS_STATS_H

#include "stats/table.h"

/* sds.<secret>. */
#define NU_SDS_STATS(X, S) \
    X(S, COUNTER, update_attempt, "Versions that were found.") \
    X(S, COUNTER, update_success, "Versions that were taken.") \
    X(S, COUNTER, update_rejected, "Versions that were read and refused.") \
    X(S, COUNTER, update_failure, "Versions that could not be read.") \
    X(S, COUNTER, init_fetch_timeout, "Always 0: nothing waits for a file.") \
    X(S, COUNTER, key_rotation_failed, "Files named by the secret that changed to no use.") \
    X(S, GAUGE64, update_time, "When the last version was taken: milliseconds since 1970.") \
    X(S, GAUGE64, version, "A hash of the last version's name.") \
    X(S, HISTOGRAM, update_duration, "Milliseconds that taking a version took.") \
    X(S, TEXT, version_text, "The last version's name.")

struct nu_sds_stats {
    NU_SDS_STATS(NU_STAT_FIELD, )
};
extern const struct nu_stat_table nu_sds_stats_table;

#endif
