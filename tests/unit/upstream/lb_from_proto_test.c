/* SPDX-License-Identifier: Apache-2.0 */
/* How a cluster balances, from its configuration. */
#include "harness/cluster_config.h"

#include "upstream/lb/lb.h"
#include "upstream/lb/lb_hash.h"

#define POLICY(name, type, text) \
    "{typed_extension_config: {name: " name ", typed_config: {\"@type\": type.googleapis.com/" \
    "envoy.extensions.load_balancing_policies." type text "}}}"
#define ROUND_ROBIN(text) POLICY("rr", "round_robin.v3.RoundRobin", text)
#define LEAST_REQUEST(text) POLICY("lr", "least_request.v3.LeastRequest", text)
#define RANDOM(text) POLICY("ra", "random.v3.Random", text)
#define RING_HASH(text) POLICY("rh", "ring_hash.v3.RingHash", text)
#define MAGLEV(text) POLICY("ma", "maglev.v3.Maglev", text)
#define SUBSET(text, inner) \
    POLICY("su", "subset.v3.Subset", \
           ", subset_selectors: [{keys: [k]}], subset_lb_policy: {policies: [" inner "]}" text)
#define OVERRIDE(inner) \
    POLICY("oh", "override_host.v3.OverrideHost", \
           ", override_host_sources: [{header: X-To}], fallback_policy: {policies: [" inner "]}")
#define NO_POLICY \
    "{typed_extension_config: {name: log, typed_config: {\"@type\": type.googleapis.com/" \
    "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog}}}"
#define POLICIES(list) "name: c\nload_balancing_policy: {policies: [" list "]}"

struct class_case {
    const char *yaml;
    const struct nu_lb_class *cls;
};

static const struct class_case class_cases[] = {
    {"name: c", &nu_lb_round_robin},
    {"name: c\nlb_policy: round_robin", &nu_lb_round_robin},
    {"name: c\nlb_policy: LEAST_REQUEST", &nu_lb_least_request},
    {"name: c\nlb_policy: RANDOM", &nu_lb_random},
    /* The settings of another balancer say nothing. */
    {"name: c\nlb_policy: RANDOM\nleast_request_lb_config: {}", &nu_lb_random},
    {POLICIES(ROUND_ROBIN("")), &nu_lb_round_robin},
    {POLICIES(LEAST_REQUEST("")), &nu_lb_least_request},
    {POLICIES(RANDOM("")), &nu_lb_random},
    {POLICIES(RING_HASH("")), &nu_lb_ring_hash},
    {POLICIES(RING_HASH(", hash_balance_factor: 120")), &nu_lb_ring_hash_bounded},
    {POLICIES(MAGLEV("")), &nu_lb_maglev},
    {POLICIES(MAGLEV(", consistent_hashing_lb_config: {hash_balance_factor: 100}")),
     &nu_lb_maglev_bounded},
    {"name: c\nlb_policy: MAGLEV\ncommon_lb_config: {consistent_hashing_lb_config: "
     "{hash_balance_factor: 150}}",
     &nu_lb_maglev_bounded},
    {POLICIES(OVERRIDE(RANDOM(""))), &nu_lb_random},
    /* The first that is known counts, and goes before lb_policy. */
    {POLICIES(NO_POLICY "," RANDOM("") "," ROUND_ROBIN("")), &nu_lb_random},
    {"lb_policy: MAGLEV\n" POLICIES(RANDOM("")), &nu_lb_random},
};

TEST(balancer_is_found_by_policy)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(class_cases); i++) {
        struct cluster_config f;
        cluster_config_build(&f, class_cases[i].yaml);
        assert_config_errors(&f.config, "");
        assert_ptr_equal(f.cluster->lb_class, class_cases[i].cls);
        cluster_config_finish(&f);
    }
}

TEST(subsets_as_a_policy_have_another_inside)
{
    struct cluster_config f;
    cluster_config_build(&f, POLICIES(SUBSET(", allow_redundant_keys: true", MAGLEV(""))));
    assert_config_errors(&f.config, "");
    assert_non_null(f.cluster->subset);
    assert_ptr_equal(f.cluster->subset->child, &nu_lb_maglev);
    assert_true(f.cluster->subset->drops_redundant_keys);
    assert_true(f.cluster->lb_class->uses_hash);
    cluster_config_finish(&f);
}

TEST(most_clusters_share_the_default_settings)
{
    struct cluster_config f;
    cluster_config_build(&f, "name: c\nlb_policy: RANDOM");
    assert_ptr_equal(f.cluster->lb, &nu_lb_settings_default);
    cluster_config_finish(&f);
}

TEST(common_settings_are_read)
{
    struct cluster_config f;
    cluster_config_build(
        &f, "name: c\ncommon_lb_config: {healthy_panic_threshold: {value: 33.5}, "
            "update_merge_window: 3s, ignore_new_hosts_until_first_hc: true, "
            "close_connections_on_host_set_change: true, override_host_status: {statuses: "
            "[HEALTHY, DRAINING]}, zone_aware_lb_config: {routing_enabled: {value: 20}, "
            "min_cluster_size: 3, fail_traffic_on_panic: true}}");
    assert_config_errors(&f.config, "");
    const struct nu_lb_settings *lb = f.cluster->lb;
    assert_int_equal(lb->panic_percent, 33);
    assert_int_equal(f.cluster->updates.window_ms, 3000);
    assert_true(lb->ignores_new_hosts);
    assert_true(lb->closes_connections);
    assert_int_equal(lb->override_statuses, 1 << NU_EDS_UNKNOWN | 1 << NU_EDS_HEALTHY |
                                                1 << NU_EDS_UNHEALTHY | 1 << NU_EDS_DRAINING |
                                                1 << NU_EDS_TIMEOUT);
    assert_int_equal(lb->zone.routing_percent, 20);
    assert_int_equal(lb->zone.min_cluster_size, 3);
    assert_true(lb->zone.fail_traffic_on_panic);
    assert_false(lb->is_locality_weighted);
    cluster_config_finish(&f);
}

TEST(what_is_not_said_is_as_ever)
{
    struct cluster_config f;
    cluster_config_build(&f, "name: c\ncommon_lb_config: {locality_weighted_lb_config: {}}");
    assert_config_errors(&f.config, "");
    const struct nu_lb_settings *lb = f.cluster->lb;
    assert_int_equal(lb->panic_percent, 50);
    assert_int_equal(f.cluster->updates.window_ms, 1000);
    assert_int_equal(lb->override_statuses,
                     1 << NU_EDS_UNKNOWN | 1 << NU_EDS_HEALTHY | 1 << NU_EDS_DEGRADED);
    assert_int_equal(lb->choice_count, 2);
    assert_float_equal(lb->active_request_bias.fallback, 1, 1e-9);
    assert_true(lb->is_locality_weighted);
    assert_int_equal(lb->slow_start.window_ms, 0);
    cluster_config_finish(&f);
}

/* The older messages and the extensions say the same. */
static const char *const slow_least_requests[] = {
    "name: c\nlb_policy: LEAST_REQUEST\nleast_request_lb_config: {choice_count: 5, "
    "active_request_bias: {default_value: 0.5, runtime_key: k}, slow_start_config: "
    "{slow_start_window: 7s, aggression: {default_value: 2, runtime_key: a}, "
    "min_weight_percent: {value: 15}}}",
    POLICIES(LEAST_REQUEST(
        ", choice_count: 5, active_request_bias: {default_value: 0.5, runtime_key: k}, "
        "slow_start_config: {slow_start_window: 7s, aggression: {default_value: 2, runtime_key: "
        "a}, min_weight_percent: {value: 15}}")),
};

TEST(settings_of_least_request_are_read)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(slow_least_requests); i++) {
        struct cluster_config f;
        cluster_config_build(&f, slow_least_requests[i]);
        assert_config_errors(&f.config, "");
        const struct nu_lb_settings *lb = f.cluster->lb;
        assert_int_equal(lb->choice_count, 5);
        assert_false(lb->scans_all);
        assert_float_equal(lb->active_request_bias.fallback, 0.5, 1e-9);
        assert_str(lb->active_request_bias.key, "k");
        assert_int_equal(lb->slow_start.window_ms, 7000);
        assert_float_equal(lb->slow_start.aggression.fallback, 2, 1e-9);
        assert_str(lb->slow_start.aggression.key, "a");
        assert_float_equal(lb->slow_start.min_weight, 0.15, 1e-9);
        cluster_config_finish(&f);
    }
}

static const char *const slow_round_robins[] = {
    "name: c\nround_robin_lb_config: {slow_start_config: {slow_start_window: 1.5s}}",
    POLICIES(ROUND_ROBIN(", slow_start_config: {slow_start_window: 1.5s}")),
};

TEST(slow_start_of_round_robin_is_read)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(slow_round_robins); i++) {
        struct cluster_config f;
        cluster_config_build(&f, slow_round_robins[i]);
        assert_config_errors(&f.config, "");
        assert_int_equal(f.cluster->lb->slow_start.window_ms, 1500);
        assert_float_equal(f.cluster->lb->slow_start.aggression.fallback, 1, 1e-9);
        assert_float_equal(f.cluster->lb->slow_start.min_weight, 0.1, 1e-9);
        cluster_config_finish(&f);
    }
}

struct scan_case {
    const char *yaml;
    bool scans_all;
};

static const struct scan_case scan_cases[] = {
    {POLICIES(LEAST_REQUEST(", selection_method: N_CHOICES")), false},
    {POLICIES(LEAST_REQUEST(", selection_method: FULL_SCAN")), true},
    {POLICIES(LEAST_REQUEST(", enable_full_scan: true")), true},
    {POLICIES(LEAST_REQUEST(", enable_full_scan: false")), false},
};

TEST(least_request_may_look_at_all_hosts)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(scan_cases); i++) {
        struct cluster_config f;
        cluster_config_build(&f, scan_cases[i].yaml);
        assert_config_errors(&f.config, "");
        assert_int_equal(f.cluster->lb->scans_all, scan_cases[i].scans_all);
        cluster_config_finish(&f);
    }
}

TEST(localities_of_a_policy_are_read)
{
    struct cluster_config f;
    cluster_config_build(
        &f, POLICIES(RANDOM(", locality_lb_config: {zone_aware_lb_config: {routing_enabled: "
                            "{value: 50}, min_cluster_size: 1, locality_basis: "
                            "HEALTHY_HOSTS_WEIGHT, force_local_zone: {min_size: 4}}}")));
    assert_config_errors(&f.config, "");
    assert_int_equal(f.cluster->lb->zone.routing_percent, 50);
    assert_int_equal(f.cluster->lb->zone.min_cluster_size, 1);
    assert_true(f.cluster->lb->zone.by_weight);
    assert_true(f.cluster->lb->zone.forces_local);
    assert_int_equal(f.cluster->lb->zone.force_local_minimum, 4);
    cluster_config_finish(&f);
    cluster_config_build(
        &f, POLICIES(ROUND_ROBIN(", locality_lb_config: {locality_weighted_lb_config: {}}")));
    assert_true(f.cluster->lb->is_locality_weighted);
    cluster_config_finish(&f);
    cluster_config_build(&f, POLICIES(ROUND_ROBIN(", locality_lb_config: {zone_aware_lb_config: "
                                                  "{force_locality_direct_routing: true}}")));
    assert_true(f.cluster->lb->zone.forces_local);
    assert_int_equal(f.cluster->lb->zone.force_local_minimum, 1);
    cluster_config_finish(&f);
}

TEST(hashing_of_a_policy_is_read)
{
    struct cluster_config f;
    cluster_config_build(
        &f, POLICIES(RING_HASH(", hash_function: MURMUR_HASH_2, minimum_ring_size: 10, "
                               "maximum_ring_size: 20, consistent_hashing_lb_config: "
                               "{use_hostname_for_hashing: true}, locality_weighted_lb_config: "
                               "{}")));
    assert_config_errors(&f.config, "");
    assert_int_equal(f.cluster->hash->ring.function, NU_HASH_MURMUR2);
    assert_int_equal(f.cluster->hash->ring.min_size, 10);
    assert_int_equal(f.cluster->hash->ring.max_size, 20);
    assert_true(f.cluster->hash->by_hostname);
    assert_true(f.cluster->hash->by_locality);
    assert_true(f.cluster->lb->is_locality_weighted);
    cluster_config_finish(&f);
    cluster_config_build(&f, POLICIES(MAGLEV(", table_size: 11")));
    assert_config_errors(&f.config, "");
    assert_int_equal(f.cluster->hash->maglev_size, 11);
    assert_false(f.cluster->hash->by_hostname);
    cluster_config_finish(&f);
}

struct refused_case {
    const char *yaml;
    const char *error;
};

static const struct refused_case refused[] = {
    {"name: c\nlb_policy: LOAD_BALANCING_POLICY_CONFIG",
     "t:1:1: load_balancing_policy: value is required here"},
    {"name: c\nlb_policy: CLUSTER_PROVIDED",
     "t:2:12: lb_policy: the type of the cluster does not provide a balancer of its own"},
    {POLICIES(OVERRIDE(OVERRIDE(RANDOM("")))),
     "t:2:308: load_balancing_policy.policies[0].typed_extension_config.typed_config."
     "fallback_policy.policies[0].typed_extension_config.typed_config: override_host inside of "
     "override_host is not implemented by nuncio"},
    {POLICIES(SUBSET("", OVERRIDE(RANDOM("")))),
     "t:2:226: load_balancing_policy.policies[0].typed_extension_config.typed_config."
     "subset_lb_policy: subset, override_host and cluster_provided are not implemented by nuncio "
     "inside of subsets"},
    {POLICIES(POLICY("cp", "cluster_provided.v3.ClusterProvided", "")),
     "t:1:1: lb_policy: the type of the cluster does not provide a balancer of its own"},
    {POLICIES(""), "t:2:24: load_balancing_policy: none of these is a load balancing policy: []"},
    {POLICIES(NO_POLICY "," NO_POLICY),
     "t:2:24: load_balancing_policy: none of these is a load balancing policy: [log, log]"},
    {"common_lb_config: {zone_aware_lb_config: {}}\n" POLICIES(RANDOM("")),
     "t:1:19: common_lb_config: load_balancing_policy cannot be combined with "
     "zone_aware_lb_config, locality_weighted_lb_config and consistent_hashing_lb_config: they "
     "belong into the policy"},
    {"name: c\nlb_policy: LEAST_REQUEST\nleast_request_lb_config: {choice_count: 1}",
     "t:3:41: least_request_lb_config.choice_count: value must be greater than or equal to 2"},
};

TEST(what_cannot_be_is_refused)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(refused); i++) {
        struct cluster_config f;
        cluster_config_build(&f, refused[i].yaml);
        assert_config_errors(&f.config, refused[i].error);
        cluster_config_finish(&f);
    }
}

TEST_MAIN()
