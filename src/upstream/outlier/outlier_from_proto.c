/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the outlier detection of a cluster. */
#include "config/values.h"
#include "upstream/cluster_from_proto_internal.h"
#include "upstream/outlier/outlier.h"

typedef Envoy__Config__Cluster__V3__OutlierDetection outlier_proto;

static void read_times(struct nu_config_ctx *ctx, uint64_t *values, const outlier_proto *proto)
{
    uint64_t *interval = &values[NU_OUTLIER_INTERVAL];
    uint64_t *base = &values[NU_OUTLIER_BASE_EJECTION_TIME];
    uint64_t *max = &values[NU_OUTLIER_MAX_EJECTION_TIME];
    uint64_t *jitter = &values[NU_OUTLIER_MAX_EJECTION_TIME_JITTER];
    *interval = nu_config_duration_ms(ctx, proto, "interval", proto->interval, *interval);
    *base =
        nu_config_duration_ms(ctx, proto, "base_ejection_time", proto->base_ejection_time, *base);
    *max = nu_config_duration_ms(ctx, proto, "max_ejection_time", proto->max_ejection_time,
                                 *base > *max ? *base : *max);
    *jitter = nu_config_duration_ms(ctx, proto, "max_ejection_time_jitter",
                                    proto->max_ejection_time_jitter, *jitter);
    if (*max < *base)
        nu_config_error(ctx, proto, "max_ejection_time",
                        "cannot be smaller than base_ejection_time");
}

static void read_number(uint64_t *value, const Google__Protobuf__UInt32Value *proto)
{
    if (proto)
        *value = proto->value;
}

static void read_limits(uint64_t *values, const outlier_proto *proto)
{
    read_number(&values[NU_OUTLIER_MAX_EJECTION_PERCENT], proto->max_ejection_percent);
    read_number(&values[NU_OUTLIER_CONSECUTIVE_5XX], proto->consecutive_5xx);
    read_number(&values[NU_OUTLIER_CONSECUTIVE_GATEWAY_FAILURE],
                proto->consecutive_gateway_failure);
    read_number(&values[NU_OUTLIER_CONSECUTIVE_LOCAL_ORIGIN_FAILURE],
                proto->consecutive_local_origin_failure);
    read_number(&values[NU_OUTLIER_SUCCESS_RATE_MINIMUM_HOSTS], proto->success_rate_minimum_hosts);
    read_number(&values[NU_OUTLIER_SUCCESS_RATE_REQUEST_VOLUME],
                proto->success_rate_request_volume);
    read_number(&values[NU_OUTLIER_SUCCESS_RATE_STDEV_FACTOR], proto->success_rate_stdev_factor);
    read_number(&values[NU_OUTLIER_FAILURE_PERCENTAGE_THRESHOLD],
                proto->failure_percentage_threshold);
    read_number(&values[NU_OUTLIER_FAILURE_PERCENTAGE_MINIMUM_HOSTS],
                proto->failure_percentage_minimum_hosts);
    read_number(&values[NU_OUTLIER_FAILURE_PERCENTAGE_REQUEST_VOLUME],
                proto->failure_percentage_request_volume);
}

static void read_chances(uint64_t *values, const outlier_proto *proto)
{
    read_number(&values[NU_OUTLIER_ENFORCING_CONSECUTIVE_5XX], proto->enforcing_consecutive_5xx);
    read_number(&values[NU_OUTLIER_ENFORCING_CONSECUTIVE_GATEWAY_FAILURE],
                proto->enforcing_consecutive_gateway_failure);
    read_number(&values[NU_OUTLIER_ENFORCING_CONSECUTIVE_LOCAL_ORIGIN_FAILURE],
                proto->enforcing_consecutive_local_origin_failure);
    read_number(&values[NU_OUTLIER_ENFORCING_SUCCESS_RATE], proto->enforcing_success_rate);
    read_number(&values[NU_OUTLIER_ENFORCING_LOCAL_ORIGIN_SUCCESS_RATE],
                proto->enforcing_local_origin_success_rate);
    read_number(&values[NU_OUTLIER_ENFORCING_FAILURE_PERCENTAGE],
                proto->enforcing_failure_percentage);
    read_number(&values[NU_OUTLIER_ENFORCING_FAILURE_PERCENTAGE_LOCAL_ORIGIN],
                proto->enforcing_failure_percentage_local_origin);
}

void nu_outlier_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                           const Envoy__Config__Cluster__V3__Cluster *proto)
{
    const outlier_proto *own = proto->outlier_detection;
    struct nu_outlier_config config;
    if (!own)
        return;
    nu_outlier_config_init(&config);
    read_times(factory->ctx, config.values, own);
    read_limits(config.values, own);
    read_chances(config.values, own);
    config.splits_origins = own->split_external_local_origin_errors;
    config.always_ejects_one = nu_bool_or(own->always_eject_one_host, false);
    config.unejects_when_checked =
        nu_bool_or(own->successful_active_health_check_uneject_host, true);
    nu_outlier_create(cluster, factory->loop, &config, factory->outlier_log);
}
