/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading how a cluster balances: what holds for all balancers (common_lb_config), then the
 * balancer itself, by lb_policy with its settings, or by load_balancing_policy, of whose policies
 * the first that is known counts. Defaults and rounding are Envoy's.
 */
#include "config/values.h"
#include "upstream/cluster_from_proto_internal.h"
#include "upstream/lb/lb_foresight.h"

#include "envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin.pb-c.h"
#include "envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided.pb-c.h"
#include "envoy/extensions/load_balancing_policies/least_request/v3/least_request.pb-c.h"
#include "envoy/extensions/load_balancing_policies/maglev/v3/maglev.pb-c.h"
#include "envoy/extensions/load_balancing_policies/override_host/v3/override_host.pb-c.h"
#include "envoy/extensions/load_balancing_policies/random/v3/random.pb-c.h"
#include "envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.pb-c.h"
#include "envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.pb-c.h"
#include "envoy/extensions/load_balancing_policies/subset/v3/subset.pb-c.h"

typedef Envoy__Config__Cluster__V3__Cluster cluster_proto;
typedef Envoy__Config__Cluster__V3__Cluster__CommonLbConfig common_proto;
typedef Envoy__Config__Cluster__V3__Cluster__SlowStartConfig old_slow_start_proto;
typedef Envoy__Extensions__LoadBalancingPolicies__Common__V3__SlowStartConfig slow_start_proto;
typedef Envoy__Extensions__LoadBalancingPolicies__Common__V3__LocalityLbConfig locality_proto;
typedef Envoy__Extensions__LoadBalancingPolicies__LeastRequest__V3__LeastRequest
    least_request_proto;
typedef Envoy__Extensions__LoadBalancingPolicies__Random__V3__Random random_proto;
typedef Envoy__Extensions__LoadBalancingPolicies__RoundRobin__V3__RoundRobin round_robin_proto;

#define POLICY(name) ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_POLICY__##name
#define CONFIG(name) ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_CONFIG_##name##_LB_CONFIG
#define COMMON(name) \
    ENVOY__CONFIG__CLUSTER__V3__CLUSTER__COMMON_LB_CONFIG__LOCALITY_CONFIG_SPECIFIER_##name##_LB_CONFIG
#define LOCALITY(name) \
    ENVOY__EXTENSIONS__LOAD_BALANCING_POLICIES__COMMON__V3__LOCALITY_LB_CONFIG__LOCALITY_CONFIG_SPECIFIER_##name##_LB_CONFIG
#define FULL_SCAN \
    ENVOY__EXTENSIONS__LOAD_BALANCING_POLICIES__LEAST_REQUEST__V3__LEAST_REQUEST__SELECTION_METHOD__FULL_SCAN
#define BY_WEIGHT \
    ENVOY__EXTENSIONS__LOAD_BALANCING_POLICIES__COMMON__V3__LOCALITY_LB_CONFIG__ZONE_AWARE_LB_CONFIG__LOCALITY_BASIS__HEALTHY_HOSTS_WEIGHT

/* --- What several of them have ---------------------------------------------------------------- */

/* Whole percents, cut off by the same arithmetic as Envoy's: 29 is 28. */
static uint32_t whole_percent(const Envoy__Type__V3__Percent *proto, uint32_t other)
{
    return proto ? (uint32_t)(100 * (proto->value / 100)) : other;
}

static struct nu_runtime_number number_or(struct nu_factory *factory,
                                          const Envoy__Config__Core__V3__RuntimeDouble *proto,
                                          struct nu_runtime_number other)
{
    return proto ? nu_runtime_number_from_proto(proto, factory->arena) : other;
}

void nu_slow_start_from_proto(struct nu_factory *factory, struct nu_lb_slow_start *out,
                              const slow_start_proto *proto)
{
    if (!proto)
        return;
    out->window_ms = nu_config_duration_ms(factory->ctx, proto, "slow_start_window",
                                           proto->slow_start_window, 0);
    out->aggression = number_or(factory, proto->aggression, out->aggression);
    out->min_weight = whole_percent(proto->min_weight_percent, 10) / 100.0;
}

/* The cluster's own message has the same fields. */
static void read_old_slow_start(struct nu_factory *factory, struct nu_lb_slow_start *out,
                                const old_slow_start_proto *proto)
{
    if (!proto)
        return;
    out->window_ms = nu_config_duration_ms(factory->ctx, proto, "slow_start_window",
                                           proto->slow_start_window, 0);
    out->aggression = number_or(factory, proto->aggression, out->aggression);
    out->min_weight = whole_percent(proto->min_weight_percent, 10) / 100.0;
}

static void read_zone(
    struct nu_lb_zone_settings *zone,
    const Envoy__Extensions__LoadBalancingPolicies__Common__V3__LocalityLbConfig__ZoneAwareLbConfig
        *proto)
{
    zone->routing_percent = whole_percent(proto->routing_enabled, zone->routing_percent);
    zone->min_cluster_size = nu_u64_or(proto->min_cluster_size, zone->min_cluster_size);
    zone->fail_traffic_on_panic = proto->fail_traffic_on_panic;
    zone->by_weight = proto->locality_basis == BY_WEIGHT;
    zone->forces_local = proto->force_local_zone || proto->force_locality_direct_routing;
    zone->force_local_minimum =
        proto->force_local_zone ? nu_u32_or(proto->force_local_zone->min_size, 1) : 1;
}

static void read_localities(struct nu_lb_settings *settings, const locality_proto *proto)
{
    if (!proto)
        return;
    if (proto->locality_config_specifier_case == LOCALITY(ZONE_AWARE))
        read_zone(&settings->zone, proto->zone_aware_lb_config);
    settings->is_locality_weighted =
        proto->locality_config_specifier_case == LOCALITY(LOCALITY_WEIGHTED);
}

/* --- For all balancers ------------------------------------------------------------------------ */

/* Statuses stand for groups, as with Envoy. */
static uint32_t override_statuses(const Envoy__Config__Core__V3__HealthStatusSet *proto)
{
    const uint32_t fit = 1U << NU_EDS_UNKNOWN | 1U << NU_EDS_HEALTHY;
    const uint32_t unfit = 1U << NU_EDS_UNHEALTHY | 1U << NU_EDS_DRAINING | 1U << NU_EDS_TIMEOUT;
    const uint32_t degraded = 1U << NU_EDS_DEGRADED;
    uint32_t statuses = 0;
    for (size_t i = 0; i < proto->n_statuses; i++) {
        uint32_t status = 1U << nu_eds_health_from_proto(proto->statuses[i]);
        statuses |= status & fit ? fit : (status & unfit ? unfit : degraded);
    }
    return statuses;
}

static void read_old_localities(struct nu_lb_settings *settings, const common_proto *proto)
{
    settings->is_locality_weighted =
        proto->locality_config_specifier_case == COMMON(LOCALITY_WEIGHTED);
    if (proto->locality_config_specifier_case != COMMON(ZONE_AWARE))
        return;
    const Envoy__Config__Cluster__V3__Cluster__CommonLbConfig__ZoneAwareLbConfig *zone =
        proto->zone_aware_lb_config;
    settings->zone.routing_percent =
        whole_percent(zone->routing_enabled, settings->zone.routing_percent);
    settings->zone.min_cluster_size =
        nu_u64_or(zone->min_cluster_size, settings->zone.min_cluster_size);
    settings->zone.fail_traffic_on_panic = zone->fail_traffic_on_panic;
}

static void read_common(struct nu_factory *factory, struct nu_cluster *cluster,
                        struct nu_lb_settings *settings, const common_proto *proto)
{
    if (!proto)
        return;
    settings->panic_percent =
        whole_percent(proto->healthy_panic_threshold, settings->panic_percent);
    settings->ignores_new_hosts = proto->ignore_new_hosts_until_first_hc;
    settings->closes_connections = proto->close_connections_on_host_set_change;
    if (proto->override_host_status)
        settings->override_statuses = override_statuses(proto->override_host_status);
    cluster->updates.window_ms =
        nu_config_duration_ms(factory->ctx, proto, "update_merge_window",
                              proto->update_merge_window, cluster->updates.window_ms);
    read_old_localities(settings, proto);
}

/* --- By lb_policy ----------------------------------------------------------------------------- */

static const struct nu_lb_class *read_old_round_robin(struct nu_factory *factory,
                                                      struct nu_lb_settings *settings,
                                                      const cluster_proto *proto)
{
    if (proto->lb_config_case == CONFIG(ROUND_ROBIN))
        read_old_slow_start(factory, &settings->slow_start,
                            proto->round_robin_lb_config->slow_start_config);
    return &nu_lb_round_robin;
}

static const struct nu_lb_class *read_old_least_request(struct nu_factory *factory,
                                                        struct nu_lb_settings *settings,
                                                        const cluster_proto *proto)
{
    if (proto->lb_config_case != CONFIG(LEAST_REQUEST))
        return &nu_lb_least_request;
    const Envoy__Config__Cluster__V3__Cluster__LeastRequestLbConfig *config =
        proto->least_request_lb_config;
    settings->choice_count = nu_u32_or(config->choice_count, settings->choice_count);
    settings->active_request_bias =
        number_or(factory, config->active_request_bias, settings->active_request_bias);
    read_old_slow_start(factory, &settings->slow_start, config->slow_start_config);
    return &nu_lb_least_request;
}

static const struct nu_lb_class *read_policy(struct nu_factory *factory, struct nu_cluster *cluster,
                                             struct nu_lb_settings *settings,
                                             const cluster_proto *proto)
{
    switch (proto->lb_policy) {
    case POLICY(LEAST_REQUEST):
        return read_old_least_request(factory, settings, proto);
    case POLICY(RANDOM):
        return &nu_lb_random;
    case POLICY(RING_HASH):
        return nu_ring_hash_from_cluster(factory, cluster, proto);
    case POLICY(MAGLEV):
        return nu_maglev_from_cluster(factory, cluster, proto);
    case POLICY(LOAD_BALANCING_POLICY_CONFIG):
        nu_config_error(factory->ctx, proto, "load_balancing_policy", "value is required here");
        return &nu_lb_round_robin;
    case POLICY(CLUSTER_PROVIDED): /* see nu_lb_check_provided */
        cluster->wants_provided_lb = true;
        return &nu_lb_round_robin;
    default:
        return read_old_round_robin(factory, settings, proto);
    }
}

/* --- By load_balancing_policy ----------------------------------------------------------------- */

typedef const struct nu_lb_class *policy_fn(struct nu_factory *factory, struct nu_cluster *cluster,
                                            struct nu_lb_settings *settings,
                                            const ProtobufCMessage *config);

static const struct nu_lb_class *read_round_robin(struct nu_factory *factory,
                                                  struct nu_cluster *cluster,
                                                  struct nu_lb_settings *settings,
                                                  const ProtobufCMessage *config)
{
    const round_robin_proto *proto = (const round_robin_proto *)config;
    (void)cluster;
    nu_slow_start_from_proto(factory, &settings->slow_start, proto->slow_start_config);
    read_localities(settings, proto->locality_lb_config);
    return &nu_lb_round_robin;
}

static const struct nu_lb_class *read_least_request(struct nu_factory *factory,
                                                    struct nu_cluster *cluster,
                                                    struct nu_lb_settings *settings,
                                                    const ProtobufCMessage *config)
{
    const least_request_proto *proto = (const least_request_proto *)config;
    (void)cluster;
    settings->choice_count = nu_u32_or(proto->choice_count, settings->choice_count);
    settings->scans_all =
        nu_bool_or(proto->enable_full_scan, false) || proto->selection_method == FULL_SCAN;
    settings->active_request_bias =
        number_or(factory, proto->active_request_bias, settings->active_request_bias);
    nu_slow_start_from_proto(factory, &settings->slow_start, proto->slow_start_config);
    read_localities(settings, proto->locality_lb_config);
    return &nu_lb_least_request;
}

static const struct nu_lb_class *read_random(struct nu_factory *factory, struct nu_cluster *cluster,
                                             struct nu_lb_settings *settings,
                                             const ProtobufCMessage *config)
{
    (void)factory;
    (void)cluster;
    read_localities(settings, ((const random_proto *)config)->locality_lb_config);
    return &nu_lb_random;
}

static const struct nu_lb_class *read_provided(struct nu_factory *factory,
                                               struct nu_cluster *cluster,
                                               struct nu_lb_settings *settings,
                                               const ProtobufCMessage *config)
{
    (void)factory;
    (void)settings;
    (void)config;
    cluster->wants_provided_lb = true;
    return &nu_lb_round_robin;
}

static const struct {
    const ProtobufCMessageDescriptor *type;
    policy_fn *read;
} policies[] = {
    {&envoy__extensions__load_balancing_policies__round_robin__v3__round_robin__descriptor,
     read_round_robin},
    {&envoy__extensions__load_balancing_policies__least_request__v3__least_request__descriptor,
     read_least_request},
    {&envoy__extensions__load_balancing_policies__random__v3__random__descriptor, read_random},
    {&envoy__extensions__load_balancing_policies__ring_hash__v3__ring_hash__descriptor,
     nu_ring_hash_from_policy},
    {&envoy__extensions__load_balancing_policies__maglev__v3__maglev__descriptor,
     nu_maglev_from_policy},
    {&envoy__extensions__load_balancing_policies__cluster_provided__v3__cluster_provided__descriptor,
     read_provided},
    {&envoy__extensions__load_balancing_policies__subset__v3__subset__descriptor,
     nu_subset_from_policy},
    {&envoy__extensions__load_balancing_policies__override_host__v3__override_host__descriptor,
     nu_named_hosts_from_policy},
    {&envoy__extensions__load_balancing_policies__client_side_weighted_round_robin__v3__client_side_weighted_round_robin__descriptor,
     nu_reported_weights_from_policy},
};

static policy_fn *find_policy(const ProtobufCMessage *config)
{
    for (size_t i = 0; config && i < NU_ARRAY_LEN(policies); i++) {
        if (config->descriptor == policies[i].type)
            return policies[i].read;
    }
    return NULL;
}

static void check_beside(struct nu_factory *factory, const common_proto *common)
{
    if (common && (common->locality_config_specifier_case || common->consistent_hashing_lb_config))
        nu_config_error(factory->ctx, common, NULL,
                        "load_balancing_policy cannot be combined with zone_aware_lb_config, "
                        "locality_weighted_lb_config and consistent_hashing_lb_config: they "
                        "belong into the policy");
}

const struct nu_lb_class *
nu_lb_from_policies(struct nu_factory *factory, struct nu_cluster *cluster,
                    struct nu_lb_settings *common, const void *owner, const char *field,
                    const Envoy__Config__Cluster__V3__LoadBalancingPolicy *list)
{
    struct nu_strbuf names = {0};
    const struct nu_lb_class *found = NULL;
    for (size_t i = 0; list && !found && i < list->n_policies; i++) {
        const Envoy__Config__Core__V3__TypedExtensionConfig *policy =
            list->policies[i]->typed_extension_config;
        const ProtobufCMessage *config =
            policy ? nu_config_any(factory->ctx, policy->typed_config) : NULL;
        policy_fn *read = find_policy(config);
        if (read)
            found = read(factory, cluster, common, config);
        nu_strbuf_addf(&names, "%s%s", i ? ", " : "", policy ? policy->name : "");
    }
    if (!found)
        nu_config_error(factory->ctx, owner, field,
                        "none of these is a load balancing policy: [%.*s]",
                        NU_STR_ARG(nu_strbuf_str(&names)));
    nu_strbuf_finish(&names);
    return found ? found : &nu_lb_round_robin;
}

static const struct nu_lb_class *read_policies(struct nu_factory *factory,
                                               struct nu_cluster *cluster,
                                               struct nu_lb_settings *settings,
                                               const cluster_proto *proto)
{
    check_beside(factory, proto->common_lb_config);
    return nu_lb_from_policies(factory, cluster, settings, proto, "load_balancing_policy",
                               proto->load_balancing_policy);
}

/* --- The whole -------------------------------------------------------------------------------- */

static void read_subsets(struct nu_factory *factory, struct nu_cluster *cluster,
                         const cluster_proto *proto)
{
    if (proto->load_balancing_policy)
        nu_config_error(factory->ctx, proto, "lb_subset_config",
                        "cannot be combined with load_balancing_policy");
    else if (cluster->wants_provided_lb)
        nu_config_error(factory->ctx, proto, "lb_subset_config",
                        "cannot be combined with the policy CLUSTER_PROVIDED");
    else
        cluster->lb_class =
            nu_subset_from_cluster(factory, cluster, proto->lb_subset_config, cluster->lb_class);
}

/* Most clusters share the defaults. */
static bool has_settings(const cluster_proto *proto)
{
    return proto->common_lb_config || proto->load_balancing_policy || proto->lb_config_case;
}

void nu_lb_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                      const cluster_proto *proto)
{
    struct nu_lb_settings settings = nu_lb_settings_default;
    read_common(factory, cluster, &settings, proto->common_lb_config);
    cluster->lb_class = proto->load_balancing_policy
                            ? read_policies(factory, cluster, &settings, proto)
                            : read_policy(factory, cluster, &settings, proto);
    if (has_settings(proto)) {
        struct nu_lb_settings *own = nu_arena_alloc(&cluster->arena, sizeof(*own));
        *own = settings;
        cluster->lb = own;
    }
    if (proto->lb_subset_config)
        read_subsets(factory, cluster, proto);
    if (cluster->options.predictive_ratio > 1)
        cluster->lb_class = nu_lb_foresee_class(cluster->lb_class, &cluster->arena);
}

void nu_lb_check_provided(struct nu_factory *factory, const struct nu_cluster *cluster,
                          const cluster_proto *proto)
{
    if (cluster->wants_provided_lb && !cluster->lb_class->is_provided)
        nu_config_error(factory->ctx, proto, "lb_policy",
                        "the type of the cluster does not provide a balancer of its own");
    if (!cluster->wants_provided_lb && cluster->lb_class->is_provided)
        nu_config_error(factory->ctx, proto, "lb_policy",
                        "the type of the cluster needs CLUSTER_PROVIDED here");
}
