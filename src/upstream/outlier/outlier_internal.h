/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the parts of outlier detection: host_outlier.c counts, outlier.c keeps the hosts and puts
 * them aside, outlier_rates.c compares them, outlier_log.c writes of it.
 */
#ifndef NU_UPSTREAM_OUTLIER_INTERNAL_H
#define NU_UPSTREAM_OUTLIER_INTERNAL_H

#include "event/timer.h"
#include "upstream/outlier/outlier.h"

/* Why a host is an outlier. X(kind, what it enforces, its statistics, its name in the log) */
#define NU_OUTLIER_KINDS(X) \
    X(CONSECUTIVE_5XX, ENFORCING_CONSECUTIVE_5XX, consecutive_5xx, "CONSECUTIVE_5XX") \
    X(CONSECUTIVE_GATEWAY, ENFORCING_CONSECUTIVE_GATEWAY_FAILURE, consecutive_gateway_failure, \
      "CONSECUTIVE_GATEWAY_FAILURE") \
    X(CONSECUTIVE_LOCAL, ENFORCING_CONSECUTIVE_LOCAL_ORIGIN_FAILURE, \
      consecutive_local_origin_failure, "CONSECUTIVE_LOCAL_ORIGIN_FAILURE") \
    X(SUCCESS_RATE, ENFORCING_SUCCESS_RATE, success_rate, "SUCCESS_RATE") \
    X(SUCCESS_RATE_LOCAL, ENFORCING_LOCAL_ORIGIN_SUCCESS_RATE, local_origin_success_rate, \
      "SUCCESS_RATE_LOCAL_ORIGIN") \
    X(FAILURE_PERCENTAGE, ENFORCING_FAILURE_PERCENTAGE, failure_percentage, "FAILURE_PERCENTAGE") \
    X(FAILURE_PERCENTAGE_LOCAL, ENFORCING_FAILURE_PERCENTAGE_LOCAL_ORIGIN, \
      local_origin_failure_percentage, "FAILURE_PERCENTAGE_LOCAL_ORIGIN")

#define NU_OUTLIER_KIND_ENUM(kind, setting, stat, name) NU_OUTLIER_BY_##kind,
enum nu_outlier_kind {
    NU_OUTLIER_KINDS(NU_OUTLIER_KIND_ENUM) NU_OUTLIER_KIND_COUNT,
};

struct nu_outlier {
    struct nu_cluster *cluster; /* borrowed: the owner */
    struct nu_loop *loop;       /* borrowed */
    struct nu_outlier_config config;
    struct nu_log_file *log; /* borrowed; may be NULL */
    struct nu_cluster_observer observer;
    struct nu_timer interval;
    struct nu_list hosts; /* of struct nu_host_outlier */
    uint32_t host_count;
    uint32_t ejected; /* of them */
    struct nu_outlier_rates rates[NU_OUTLIER_ORIGIN_COUNT];
    struct nu_stat_set *stat_set;   /* owned */
    struct nu_outlier_stats *stats; /* NULL before the first event */
};

/* --- host_outlier.c and outlier.c ------------------------------------------------------------- */

/* How long a run may become: the runtime's word, else the configuration's. */
uint64_t nu_outlier_run_limit(const struct nu_host_outlier *outlier, enum nu_outlier_run run,
                              const struct nu_runtime *runtime);
/* Runs of these bits were as long as is allowed; the host is in its cluster. Main thread. */
void nu_outlier_judge_runs(struct nu_host_outlier *outlier, uint32_t reached);

/* A number, as the runtime has it, else as it is configured. */
uint64_t nu_outlier_value(const struct nu_outlier *detector, enum nu_outlier_setting setting);
/* Whether the host is aside. */
bool nu_outlier_is_ejected(const struct nu_host_outlier *outlier);
/* Counts that the host is an outlier, and puts it aside if that may be. Not one that is aside
 * because of the same results: it is only counted. */
void nu_outlier_detect(struct nu_host_outlier *outlier, enum nu_outlier_kind kind);
struct nu_outlier_stats *nu_outlier_stats(struct nu_outlier *detector);

/* --- outlier_rates.c -------------------------------------------------------------------------- */

/* Takes what was counted since the last time as the interval's results. */
void nu_outlier_take_counts(struct nu_host_outlier *outlier);
/* Compares the hosts by the interval's results. */
void nu_outlier_compare(struct nu_outlier *detector, enum nu_outlier_origin origin);

/* --- outlier_log.c ---------------------------------------------------------------------------- */

/* Appends an event's line. */
void nu_outlier_print_ejection(struct nu_strbuf *out, const struct nu_host_outlier *outlier,
                               enum nu_outlier_kind kind, bool enforced);
void nu_outlier_print_unejection(struct nu_strbuf *out, const struct nu_host_outlier *outlier);
/* Writes it, if the detector has a log. */
void nu_outlier_log_ejection(const struct nu_host_outlier *outlier, enum nu_outlier_kind kind,
                             bool enforced);
void nu_outlier_log_unejection(const struct nu_host_outlier *outlier);

#endif
