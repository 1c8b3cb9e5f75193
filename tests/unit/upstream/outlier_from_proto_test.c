/* SPDX-License-Identifier: Apache-2.0 */
/* Outlier detection from its configuration: defaults, every field, and what is refused. */
#include "harness/cluster_config.h"

#include "upstream/outlier/outlier_internal.h"

#define OUTLIER(text) "name: c\noutlier_detection: {" text "}\n" CLUSTER_ENDPOINT("127.0.0.1")

static const struct nu_outlier_config *built(struct cluster_config *f, const char *yaml)
{
    cluster_config_build(f, yaml);
    assert_config_errors(&f->config, "");
    assert_non_null(f->cluster->outlier);
    return &f->cluster->outlier->config;
}

static void assert_values(const struct nu_outlier_config *config, const uint64_t *expected)
{
    for (int i = 0; i < NU_OUTLIER_SETTING_COUNT; i++) {
        if (config->values[i] != expected[i])
            fail_msg("setting %d is %lu, not %lu", i, (unsigned long)config->values[i],
                     (unsigned long)expected[i]);
    }
}

TEST(without_it_hosts_are_not_watched)
{
    struct cluster_config f;
    cluster_config_build(&f, "name: c\n" CLUSTER_ENDPOINT("127.0.0.1"));
    assert_null(f.cluster->outlier);
    cluster_config_finish(&f);
}

TEST(defaults_are_envoys)
{
    static const uint64_t expected[NU_OUTLIER_SETTING_COUNT] = {
        [NU_OUTLIER_INTERVAL] = 10000,
        [NU_OUTLIER_BASE_EJECTION_TIME] = 30000,
        [NU_OUTLIER_MAX_EJECTION_TIME] = 300000,
        [NU_OUTLIER_MAX_EJECTION_PERCENT] = 10,
        [NU_OUTLIER_CONSECUTIVE_5XX] = 5,
        [NU_OUTLIER_CONSECUTIVE_GATEWAY_FAILURE] = 5,
        [NU_OUTLIER_CONSECUTIVE_LOCAL_ORIGIN_FAILURE] = 5,
        [NU_OUTLIER_SUCCESS_RATE_MINIMUM_HOSTS] = 5,
        [NU_OUTLIER_SUCCESS_RATE_REQUEST_VOLUME] = 100,
        [NU_OUTLIER_SUCCESS_RATE_STDEV_FACTOR] = 1900,
        [NU_OUTLIER_FAILURE_PERCENTAGE_THRESHOLD] = 85,
        [NU_OUTLIER_FAILURE_PERCENTAGE_MINIMUM_HOSTS] = 5,
        [NU_OUTLIER_FAILURE_PERCENTAGE_REQUEST_VOLUME] = 50,
        [NU_OUTLIER_ENFORCING_CONSECUTIVE_5XX] = 100,
        [NU_OUTLIER_ENFORCING_CONSECUTIVE_LOCAL_ORIGIN_FAILURE] = 100,
        [NU_OUTLIER_ENFORCING_SUCCESS_RATE] = 100,
        [NU_OUTLIER_ENFORCING_LOCAL_ORIGIN_SUCCESS_RATE] = 100,
    };
    struct cluster_config f;
    const struct nu_outlier_config *config = built(&f, OUTLIER(""));
    assert_values(config, expected);
    assert_false(config->splits_origins);
    assert_false(config->always_ejects_one);
    assert_true(config->unejects_when_checked);
    cluster_config_finish(&f);
}

TEST(every_field_is_read)
{
    static const uint64_t expected[NU_OUTLIER_SETTING_COUNT] = {
        [NU_OUTLIER_INTERVAL] = 1500,
        [NU_OUTLIER_BASE_EJECTION_TIME] = 2000,
        [NU_OUTLIER_MAX_EJECTION_TIME] = 3000,
        [NU_OUTLIER_MAX_EJECTION_TIME_JITTER] = 4000,
        [NU_OUTLIER_MAX_EJECTION_PERCENT] = 1,
        [NU_OUTLIER_CONSECUTIVE_5XX] = 2,
        [NU_OUTLIER_CONSECUTIVE_GATEWAY_FAILURE] = 3,
        [NU_OUTLIER_CONSECUTIVE_LOCAL_ORIGIN_FAILURE] = 4,
        [NU_OUTLIER_SUCCESS_RATE_MINIMUM_HOSTS] = 6,
        [NU_OUTLIER_SUCCESS_RATE_REQUEST_VOLUME] = 7,
        [NU_OUTLIER_SUCCESS_RATE_STDEV_FACTOR] = 8,
        [NU_OUTLIER_FAILURE_PERCENTAGE_THRESHOLD] = 9,
        [NU_OUTLIER_FAILURE_PERCENTAGE_MINIMUM_HOSTS] = 10,
        [NU_OUTLIER_FAILURE_PERCENTAGE_REQUEST_VOLUME] = 11,
        [NU_OUTLIER_ENFORCING_CONSECUTIVE_5XX] = 12,
        [NU_OUTLIER_ENFORCING_CONSECUTIVE_GATEWAY_FAILURE] = 13,
        [NU_OUTLIER_ENFORCING_CONSECUTIVE_LOCAL_ORIGIN_FAILURE] = 14,
        [NU_OUTLIER_ENFORCING_SUCCESS_RATE] = 15,
        [NU_OUTLIER_ENFORCING_LOCAL_ORIGIN_SUCCESS_RATE] = 16,
        [NU_OUTLIER_ENFORCING_FAILURE_PERCENTAGE] = 17,
        [NU_OUTLIER_ENFORCING_FAILURE_PERCENTAGE_LOCAL_ORIGIN] = 18,
    };
    struct cluster_config f;
    const struct nu_outlier_config *config = built(
        &f, OUTLIER("interval: 1.5s, base_ejection_time: 2s, max_ejection_time: 3s, "
                    "max_ejection_time_jitter: 4s, max_ejection_percent: 1, consecutive_5xx: 2, "
                    "consecutive_gateway_failure: 3, consecutive_local_origin_failure: 4, "
                    "success_rate_minimum_hosts: 6, success_rate_request_volume: 7, "
                    "success_rate_stdev_factor: 8, failure_percentage_threshold: 9, "
                    "failure_percentage_minimum_hosts: 10, failure_percentage_request_volume: 11, "
                    "enforcing_consecutive_5xx: 12, enforcing_consecutive_gateway_failure: 13, "
                    "enforcing_consecutive_local_origin_failure: 14, enforcing_success_rate: 15, "
                    "enforcing_local_origin_success_rate: 16, enforcing_failure_percentage: 17, "
                    "enforcing_failure_percentage_local_origin: 18, "
                    "split_external_local_origin_errors: true, always_eject_one_host: true, "
                    "successful_active_health_check_uneject_host: false"));
    assert_values(config, expected);
    assert_true(config->splits_origins);
    assert_true(config->always_ejects_one);
    assert_false(config->unejects_when_checked);
    cluster_config_finish(&f);
}

TEST(greatest_time_follows_the_base_time)
{
    struct cluster_config f;
    const struct nu_outlier_config *config = built(&f, OUTLIER("base_ejection_time: 600s"));
    assert_int_equal(config->values[NU_OUTLIER_MAX_EJECTION_TIME], 600000);
    cluster_config_finish(&f);
}

static const struct {
    const char *yaml;
    const char *error;
} refused[] = {
    {OUTLIER("max_ejection_time: 29s"), "t:2:40: outlier_detection.max_ejection_time: cannot be "
                                        "smaller than base_ejection_time"},
    {OUTLIER("interval: 0s"), "t:2:31: outlier_detection.interval: value must be greater than 0s"},
    {OUTLIER("max_ejection_percent: 101"),
     "t:2:43: outlier_detection.max_ejection_percent: value must be less than or equal to 100"},
    {OUTLIER("monitors: [{name: x}]"), "t:2:21: outlier_detection.monitors: known to Envoy, not "
                                       "implemented by nuncio"},
};

TEST(what_cannot_be_is_refused_by_name)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(refused); i++) {
        struct cluster_config f;
        cluster_config_build(&f, refused[i].yaml);
        assert_config_errors(&f.config, refused[i].error);
        assert_null(f.cluster);
        cluster_config_finish(&f);
    }
}

TEST_MAIN()
