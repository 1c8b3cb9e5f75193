/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of reading a cluster: settings in cluster_from_proto.c, what all kinds of cluster have
 * in their load assignment in endpoints_from_proto.c, names in strict_dns_from_proto.c. Main
 * thread.
 */
#ifndef NU_UPSTREAM_CLUSTER_FROM_PROTO_INTERNAL_H
#define NU_UPSTREAM_CLUSTER_FROM_PROTO_INTERNAL_H

#include "config/factory.h"
#include "upstream/cluster_build.h"

#include "envoy/config/cluster/v3/cluster.pb-c.h"

/* One endpoint of the configuration: its message, and what its hosts have but for the address. */
struct nu_endpoint {
    const Envoy__Config__Endpoint__V3__LbEndpoint *proto;
    struct nu_host_params host;
};

struct nu_endpoint_list {
    struct nu_endpoint *items; /* in the arena of the reading */
    size_t count;
};

/* Copies the names to the arena; NULL is nowhere. */
struct nu_locality nu_locality_from_proto(struct nu_arena *arena,
                                          const Envoy__Config__Core__V3__Locality *proto);
/* Numbers that the API does not know stand for UNKNOWN. */
enum nu_eds_health nu_eds_health_from_proto(Envoy__Config__Core__V3__HealthStatus proto);

/* All endpoints of a load assignment, which may be NULL, without their addresses; in
 * factory->arena. What is wrong with one is an error, and leaves it out. */
struct nu_endpoint_list
nu_endpoints_from_proto(struct nu_factory *factory, const struct nu_cluster *cluster,
                        const Envoy__Config__Endpoint__V3__ClusterLoadAssignment *proto);
/* Reads the addresses of an endpoint that has no name. False after an error. */
NU_MUST_USE bool nu_endpoint_read_addresses(struct nu_factory *factory,
                                            const struct nu_cluster *cluster,
                                            struct nu_endpoint *endpoint);

/* Gives the cluster the hosts of its load assignment, which must be addresses. */
void nu_static_hosts_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                                const Envoy__Config__Cluster__V3__Cluster *proto);
/* Gives the cluster a discovery of names: STRICT_DNS, or LOGICAL_DNS for one host whose address
 * changes. `extension` holds its settings, and says which of the two, or NULL: the cluster's own
 * fields do. */
void nu_dns_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                       const Envoy__Config__Cluster__V3__Cluster *proto,
                       const ProtobufCMessage *extension, bool is_logical);
/* Makes the cluster one whose hosts are made by need. */
void nu_original_dst_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                                const Envoy__Config__Cluster__V3__Cluster *proto);
/* Makes the cluster one whose hosts are those that requests name, from its ClusterConfig. */
void nu_forward_proxy_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                                 const Envoy__Config__Cluster__V3__Cluster *proto,
                                 const ProtobufCMessage *config);
/* Makes the cluster one that stands for others. */
void nu_aggregate_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                             const Envoy__Config__Cluster__V3__Cluster *proto);
/* Gives the cluster the discovery of EDS. */
void nu_eds_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                       const Envoy__Config__Cluster__V3__Cluster *proto);
/* Lets the cluster's hosts be watched, if it has outlier_detection. */
void nu_outlier_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                           const Envoy__Config__Cluster__V3__Cluster *proto);

/* How the cluster balances: its class and settings. */
void nu_lb_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                      const Envoy__Config__Cluster__V3__Cluster *proto);
/* Once its type is read: whether that provides the balancer, where it is to, and only there. */
void nu_lb_check_provided(struct nu_factory *factory, const struct nu_cluster *cluster,
                          const Envoy__Config__Cluster__V3__Cluster *proto);

/* The class for subsets, in which balancers of the class `child` choose; `child` itself where the
 * configuration (which may be NULL) makes none. */
const struct nu_lb_class *
nu_subset_from_cluster(struct nu_factory *factory, struct nu_cluster *cluster,
                       const Envoy__Config__Cluster__V3__Cluster__LbSubsetConfig *proto,
                       const struct nu_lb_class *child);
/* The class for lb_policy RING_HASH or MAGLEV; its settings go into the cluster. */
const struct nu_lb_class *
nu_ring_hash_from_cluster(struct nu_factory *factory, struct nu_cluster *cluster,
                          const Envoy__Config__Cluster__V3__Cluster *proto);
const struct nu_lb_class *nu_maglev_from_cluster(struct nu_factory *factory,
                                                 struct nu_cluster *cluster,
                                                 const Envoy__Config__Cluster__V3__Cluster *proto);

/* The same for a policy of load_balancing_policy, RingHash or Maglev; `common` takes what is not of
 * hashing. */
const struct nu_lb_class *nu_ring_hash_from_policy(struct nu_factory *factory,
                                                   struct nu_cluster *cluster,
                                                   struct nu_lb_settings *common,
                                                   const ProtobufCMessage *config);
const struct nu_lb_class *nu_maglev_from_policy(struct nu_factory *factory,
                                                struct nu_cluster *cluster,
                                                struct nu_lb_settings *common,
                                                const ProtobufCMessage *config);
/* The same for Subset, and for OverrideHost, whose class is that of its fallback. */
const struct nu_lb_class *nu_subset_from_policy(struct nu_factory *factory,
                                                struct nu_cluster *cluster,
                                                struct nu_lb_settings *common,
                                                const ProtobufCMessage *config);
const struct nu_lb_class *nu_named_hosts_from_policy(struct nu_factory *factory,
                                                     struct nu_cluster *cluster,
                                                     struct nu_lb_settings *common,
                                                     const ProtobufCMessage *config);
/* The same for ClientSideWeightedRoundRobin. */
const struct nu_lb_class *nu_reported_weights_from_policy(struct nu_factory *factory,
                                                          struct nu_cluster *cluster,
                                                          struct nu_lb_settings *common,
                                                          const ProtobufCMessage *config);
struct Envoy__Extensions__LoadBalancingPolicies__Common__V3__SlowStartConfig;
struct nu_lb_slow_start;
/* What the message of policies says, which may be NULL. */
void nu_slow_start_from_proto(
    struct nu_factory *factory, struct nu_lb_slow_start *out,
    const struct Envoy__Extensions__LoadBalancingPolicies__Common__V3__SlowStartConfig *proto);
/* The class of the first policy of a list that is known; errors are at the field of `owner`, whose
 * list it is. */
const struct nu_lb_class *
nu_lb_from_policies(struct nu_factory *factory, struct nu_cluster *cluster,
                    struct nu_lb_settings *common, const void *owner, const char *field,
                    const struct Envoy__Config__Cluster__V3__LoadBalancingPolicy *list);

#endif
