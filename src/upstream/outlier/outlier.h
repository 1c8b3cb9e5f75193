/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outlier detection: hosts of a cluster that answer badly are put aside ("ejected") for a while.
 *
 *     workers: count results on the hosts (upstream/outlier/host_outlier.h)
 *        |  as many failures in a row as are allowed: a message
 *        v
 *     main thread: the cluster's detector puts the host aside; every interval it compares the
 *     success rates of the hosts, puts outliers aside, and takes back those whose time is over
 *
 * The rules, numbers, runtime keys and statistics are Envoy's. A detector belongs to its cluster
 * as an observer of its hosts, and goes with it. Main thread.
 */
#ifndef NU_UPSTREAM_OUTLIER_H
#define NU_UPSTREAM_OUTLIER_H

#include "upstream/cluster.h"

struct nu_log_file;

/* The numbers, by the name that they have in the runtime under "outlier_detection.", and their
 * defaults. Times are milliseconds. */
#define NU_OUTLIER_SETTINGS(X) \
    X(INTERVAL, "interval_ms", 10000) \
    X(BASE_EJECTION_TIME, "base_ejection_time_ms", 30000) \
    X(MAX_EJECTION_TIME, "max_ejection_time_ms", 300000) \
    X(MAX_EJECTION_TIME_JITTER, "max_ejection_time_jitter_ms", 0) \
    X(MAX_EJECTION_PERCENT, "max_ejection_percent", 10) \
    X(CONSECUTIVE_5XX, "consecutive_5xx", 5) \
    X(CONSECUTIVE_GATEWAY_FAILURE, "consecutive_gateway_failure", 5) \
    X(CONSECUTIVE_LOCAL_ORIGIN_FAILURE, "consecutive_local_origin_failure", 5) \
    X(SUCCESS_RATE_MINIMUM_HOSTS, "success_rate_minimum_hosts", 5) \
    X(SUCCESS_RATE_REQUEST_VOLUME, "success_rate_request_volume", 100) \
    X(SUCCESS_RATE_STDEV_FACTOR, "success_rate_stdev_factor", 1900) \
    X(FAILURE_PERCENTAGE_THRESHOLD, "failure_percentage_threshold", 85) \
    X(FAILURE_PERCENTAGE_MINIMUM_HOSTS, "failure_percentage_minimum_hosts", 5) \
    X(FAILURE_PERCENTAGE_REQUEST_VOLUME, "failure_percentage_request_volume", 50) \
    X(ENFORCING_CONSECUTIVE_5XX, "enforcing_consecutive_5xx", 100) \
    X(ENFORCING_CONSECUTIVE_GATEWAY_FAILURE, "enforcing_consecutive_gateway_failure", 0) \
    X(ENFORCING_CONSECUTIVE_LOCAL_ORIGIN_FAILURE, "enforcing_consecutive_local_origin_failure", \
      100) \
    X(ENFORCING_SUCCESS_RATE, "enforcing_success_rate", 100) \
    X(ENFORCING_LOCAL_ORIGIN_SUCCESS_RATE, "enforcing_local_origin_success_rate", 100) \
    X(ENFORCING_FAILURE_PERCENTAGE, "enforcing_failure_percentage", 0) \
    X(ENFORCING_FAILURE_PERCENTAGE_LOCAL_ORIGIN, "enforcing_failure_percentage_local_origin", 0)

#define NU_OUTLIER_SETTING_ENUM(name, key, value) NU_OUTLIER_##name,
enum nu_outlier_setting {
    NU_OUTLIER_SETTINGS(NU_OUTLIER_SETTING_ENUM) NU_OUTLIER_SETTING_COUNT,
};

struct nu_outlier_config {
    uint64_t values[NU_OUTLIER_SETTING_COUNT];
    bool splits_origins;        /* failures on our side are counted apart */
    bool always_ejects_one;     /* whatever the greatest share is */
    bool unejects_when_checked; /* an active health check that succeeds takes a host back */
};

/* Envoy's defaults. */
void nu_outlier_config_init(struct nu_outlier_config *config);

/* Begins to watch the cluster's hosts, those that it has and those to come, and becomes
 * cluster->outlier. `log` (borrowed) takes events as lines; NULL for none. */
void nu_outlier_create(struct nu_cluster *cluster, struct nu_loop *loop,
                       const struct nu_outlier_config *config, struct nu_log_file *log);

/* An active health check of the host succeeded, and it counts as healthy there. `detector` may be
 * NULL. */
void nu_outlier_on_checked(struct nu_outlier *detector, struct nu_host *host);

/* The average success rate of the last interval in percent, and below what a host is an outlier;
 * both -1 if there were too few results. */
struct nu_outlier_rates {
    double average;
    double threshold;
};
struct nu_outlier_rates nu_outlier_rates(const struct nu_outlier *detector,
                                         enum nu_outlier_origin origin);

#endif
