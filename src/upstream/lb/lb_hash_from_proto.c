/* SPDX-License-Identifier: Apache-2.0 */
/* Reading how a cluster balances by hash, with Envoy's defaults. */
#include "config/values.h"
#include "match/hash_policy.h"
#include "upstream/cluster_from_proto_internal.h"

#include "envoy/extensions/load_balancing_policies/maglev/v3/maglev.pb-c.h"
#include "envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.pb-c.h"

typedef Envoy__Config__Cluster__V3__Cluster cluster_proto;

#define CONFIG(name) ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_CONFIG_##name##_LB_CONFIG

enum {
    DEFAULT_MIN_RING_SIZE = 1024,
    DEFAULT_MAX_RING_SIZE = 8 << 20,
    DEFAULT_TABLE_SIZE = 65537,
};

static uint64_t u64_or(const Google__Protobuf__UInt64Value *value, uint64_t other)
{
    return value ? value->value : other;
}

static bool is_prime(uint64_t n)
{
    if (n < 2)
        return false;
    for (uint64_t divisor = 2; divisor * divisor <= n; divisor++) {
        if (n % divisor == 0)
            return false;
    }
    return true;
}

static void read_ring_sizes(struct nu_factory *factory, struct nu_hash_ring_params *ring,
                            const void *owner, const Google__Protobuf__UInt64Value *min,
                            const Google__Protobuf__UInt64Value *max)
{
    ring->min_size = u64_or(min, DEFAULT_MIN_RING_SIZE);
    ring->max_size = u64_or(max, DEFAULT_MAX_RING_SIZE);
    if (ring->min_size > ring->max_size)
        nu_config_error(factory->ctx, owner, NULL,
                        "ring hash: minimum_ring_size (%llu) > maximum_ring_size (%llu)",
                        (unsigned long long)ring->min_size, (unsigned long long)ring->max_size);
}

static void read_table_size(struct nu_factory *factory, struct nu_hash_lb_settings *settings,
                            const void *owner, const Google__Protobuf__UInt64Value *size)
{
    settings->maglev_size = (uint32_t)u64_or(size, DEFAULT_TABLE_SIZE);
    if (!is_prime(settings->maglev_size))
        nu_config_error(factory->ctx, owner, "table_size",
                        "The table size of maglev must be prime number");
}

/* Names have to stand for one host each: Envoy takes them of STRICT_DNS clusters only. */
static bool has_names(const cluster_proto *proto)
{
    if (proto->cluster_discovery_type_case ==
        ENVOY__CONFIG__CLUSTER__V3__CLUSTER__CLUSTER_DISCOVERY_TYPE_CLUSTER_TYPE)
        return strcmp(proto->cluster_type->name, "envoy.cluster.strict_dns") == 0;
    return proto->type == ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DISCOVERY_TYPE__STRICT_DNS;
}

/* Inside of subsets localities may have no weights. */
static bool is_by_locality(const cluster_proto *proto)
{
    const Envoy__Config__Cluster__V3__Cluster__LbSubsetConfig *subsets = proto->lb_subset_config;
    if (subsets && subsets->n_subset_selectors && !subsets->locality_weight_aware)
        return false;
    return proto->common_lb_config->locality_config_specifier_case ==
           ENVOY__CONFIG__CLUSTER__V3__CLUSTER__COMMON_LB_CONFIG__LOCALITY_CONFIG_SPECIFIER_LOCALITY_WEIGHTED_LB_CONFIG;
}

static void read_common(struct nu_factory *factory, struct nu_hash_lb_settings *settings,
                        const cluster_proto *proto)
{
    const Envoy__Config__Cluster__V3__Cluster__CommonLbConfig *common = proto->common_lb_config;
    if (!common)
        return;
    settings->by_locality = is_by_locality(proto);
    if (!common->consistent_hashing_lb_config)
        return;
    settings->by_hostname = common->consistent_hashing_lb_config->use_hostname_for_hashing;
    settings->balance_percent =
        nu_u32_or(common->consistent_hashing_lb_config->hash_balance_factor, 0);
    if (settings->by_hostname && !has_names(proto))
        nu_config_error(factory->ctx, common->consistent_hashing_lb_config,
                        "use_hostname_for_hashing",
                        "Cannot use hostname for consistent hashing loadbalancing: the cluster is "
                        "not of the type STRICT_DNS");
}

static const struct nu_lb_class *finish(struct nu_cluster *cluster,
                                        const struct nu_hash_lb_settings *settings,
                                        enum nu_hash_table_kind kind)
{
    nu_cluster_set_hash(cluster, settings, kind);
    return nu_hash_lb_class(kind, settings);
}

const struct nu_lb_class *nu_ring_hash_from_cluster(struct nu_factory *factory,
                                                    struct nu_cluster *cluster,
                                                    const cluster_proto *proto)
{
    const Envoy__Config__Cluster__V3__Cluster__RingHashLbConfig *config =
        proto->lb_config_case == CONFIG(RING_HASH) ? proto->ring_hash_lb_config : NULL;
    struct nu_hash_lb_settings settings = {0};
    read_common(factory, &settings, proto);
    read_ring_sizes(factory, &settings.ring, config, config ? config->minimum_ring_size : NULL,
                    config ? config->maximum_ring_size : NULL);
    if (config &&
        config->hash_function ==
            ENVOY__CONFIG__CLUSTER__V3__CLUSTER__RING_HASH_LB_CONFIG__HASH_FUNCTION__MURMUR_HASH_2)
        settings.ring.function = NU_HASH_MURMUR2;
    return finish(cluster, &settings, NU_HASH_RING);
}

const struct nu_lb_class *nu_maglev_from_cluster(struct nu_factory *factory,
                                                 struct nu_cluster *cluster,
                                                 const cluster_proto *proto)
{
    const Envoy__Config__Cluster__V3__Cluster__MaglevLbConfig *config =
        proto->lb_config_case == CONFIG(MAGLEV) ? proto->maglev_lb_config : NULL;
    struct nu_hash_lb_settings settings = {0};
    read_common(factory, &settings, proto);
    read_table_size(factory, &settings, config, config ? config->table_size : NULL);
    return finish(cluster, &settings, NU_HASH_MAGLEV);
}

/* --- As extensions ---------------------------------------------------------------------------- */

typedef Envoy__Extensions__LoadBalancingPolicies__Common__V3__ConsistentHashingLbConfig
    hashing_proto;
typedef Envoy__Extensions__LoadBalancingPolicies__Maglev__V3__Maglev maglev_proto;
typedef Envoy__Extensions__LoadBalancingPolicies__RingHash__V3__RingHash ring_proto;

#define MURMUR2 \
    ENVOY__EXTENSIONS__LOAD_BALANCING_POLICIES__RING_HASH__V3__RING_HASH__HASH_FUNCTION__MURMUR_HASH_2

static void read_hashing(struct nu_factory *factory, struct nu_hash_lb_settings *settings,
                         const hashing_proto *proto)
{
    const struct nu_match_factory match = {factory->ctx, factory->arena, factory->runtime};
    if (!proto)
        return;
    settings->policy = nu_hash_policy_from_protos(&match, proto->hash_policy, proto->n_hash_policy);
    settings->by_hostname = proto->use_hostname_for_hashing;
    settings->balance_percent = nu_u32_or(proto->hash_balance_factor, 0);
}

const struct nu_lb_class *nu_ring_hash_from_policy(struct nu_factory *factory,
                                                   struct nu_cluster *cluster,
                                                   struct nu_lb_settings *common,
                                                   const ProtobufCMessage *config)
{
    const ring_proto *proto = (const ring_proto *)config;
    struct nu_hash_lb_settings settings = {
        .by_hostname = proto->use_hostname_for_hashing,
        .balance_percent = nu_u32_or(proto->hash_balance_factor, 0),
        .by_locality = proto->locality_weighted_lb_config != NULL,
    };
    common->is_locality_weighted = settings.by_locality;
    read_ring_sizes(factory, &settings.ring, proto, proto->minimum_ring_size,
                    proto->maximum_ring_size);
    if (proto->hash_function == MURMUR2)
        settings.ring.function = NU_HASH_MURMUR2;
    read_hashing(factory, &settings, proto->consistent_hashing_lb_config);
    return finish(cluster, &settings, NU_HASH_RING);
}

const struct nu_lb_class *nu_maglev_from_policy(struct nu_factory *factory,
                                                struct nu_cluster *cluster,
                                                struct nu_lb_settings *common,
                                                const ProtobufCMessage *config)
{
    const maglev_proto *proto = (const maglev_proto *)config;
    struct nu_hash_lb_settings settings = {.by_locality =
                                               proto->locality_weighted_lb_config != NULL};
    common->is_locality_weighted = settings.by_locality;
    read_table_size(factory, &settings, proto, proto->table_size);
    read_hashing(factory, &settings, proto->consistent_hashing_lb_config);
    return finish(cluster, &settings, NU_HASH_MAGLEV);
}
