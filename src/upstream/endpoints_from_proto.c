/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a load assignment: what endpoints of every kind of cluster have; the hosts of STATIC. */
#include "upstream/cluster_from_proto_internal.h"

#include "config/values.h"
#include "http/metadata_from_proto.h"
#include "net/address_from_proto.h"

typedef Envoy__Config__Cluster__V3__Cluster cluster_proto;
typedef Envoy__Config__Endpoint__V3__ClusterLoadAssignment assignment_proto;
typedef Envoy__Config__Endpoint__V3__LocalityLbEndpoints group_proto;
typedef Envoy__Config__Endpoint__V3__LbEndpoint endpoint_proto;

static size_t count_endpoints(const assignment_proto *proto)
{
    size_t count = 0;
    for (size_t i = 0; i < proto->n_endpoints; i++)
        count += proto->endpoints[i]->n_lb_endpoints;
    return count;
}

/* What the endpoints of a locality have in common. */
struct group {
    struct nu_locality locality;
    const struct nu_metadata *metadata; /* may be NULL */
    uint32_t priority;
};

static bool check_endpoint(struct nu_factory *factory, const endpoint_proto *proto)
{
    if (proto->host_identifier_case ==
        ENVOY__CONFIG__ENDPOINT__V3__LB_ENDPOINT__HOST_IDENTIFIER_ENDPOINT)
        return true;
    nu_config_error(factory->ctx, proto, "endpoint", "value is required");
    return false;
}

/* NULL where nothing is said. */
static const struct nu_host_check_place *
read_check_place(struct nu_factory *factory, struct nu_arena *arena,
                 const Envoy__Config__Endpoint__V3__Endpoint *endpoint)
{
    const Envoy__Config__Endpoint__V3__Endpoint__HealthCheckConfig *proto =
        endpoint->health_check_config;
    if (!proto)
        return NULL;
    struct nu_host_check_place *place = nu_arena_calloc(arena, sizeof(*place));
    place->is_off = proto->disable_active_health_check;
    place->port = (uint16_t)proto->port_value;
    place->hostname = nu_arena_dup(arena, nu_str_from(proto->hostname));
    if (proto->address &&
        !nu_address_from_proto(factory, proto, "address", proto->address,
                               "A health check is sent to an address", arena, &place->address))
        return NULL;
    const Envoy__Config__Core__V3__Address *target =
        proto->address ? proto->address : endpoint->address;
    if (place->port && target &&
        target->address_case == ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS_PIPE)
        nu_config_error(factory->ctx, proto, "port_value",
                        "Invalid host configuration: non-zero port for non-IP address");
    return place;
}

static void read_endpoint(struct nu_factory *factory, struct nu_cluster *cluster,
                          const endpoint_proto *proto, const struct group *group,
                          struct nu_endpoint *out)
{
    struct nu_arena *arena = &cluster->arena;
    const struct nu_metadata *metadata = nu_metadata_from_proto(proto->metadata, arena);
    out->proto = proto;
    out->host = (struct nu_host_params){
        .hostname = nu_arena_dup(arena, nu_str_from(proto->endpoint->hostname)),
        .check_place = read_check_place(factory, arena, proto->endpoint),
        .locality = group->locality,
        .metadata = metadata,
        .transport = nu_transport_match_find(cluster, metadata, group->metadata),
        .weight = nu_u32_or(proto->load_balancing_weight, 1),
        .priority = group->priority,
        .eds_health = nu_eds_health_from_proto(proto->health_status),
    };
}

static void read_group(struct nu_factory *factory, struct nu_cluster *cluster,
                       const group_proto *proto, struct nu_endpoint_list *list)
{
    const struct group group = {
        .locality = nu_locality_from_proto(&cluster->arena, proto->locality),
        .metadata = nu_metadata_from_proto(proto->metadata, &cluster->arena),
        .priority = proto->priority,
    };
    for (size_t i = 0; i < proto->n_lb_endpoints; i++) {
        if (check_endpoint(factory, proto->lb_endpoints[i]))
            read_endpoint(factory, cluster, proto->lb_endpoints[i], &group,
                          &list->items[list->count++]);
    }
}

struct nu_endpoint_list nu_endpoints_from_proto(struct nu_factory *factory,
                                                struct nu_cluster *cluster,
                                                const cluster_proto *proto)
{
    struct nu_endpoint_list list = {0};
    const assignment_proto *assignment = proto->load_assignment;
    if (!assignment)
        return list;
    list.items =
        nu_arena_alloc(&cluster->arena, (count_endpoints(assignment) + 1) * sizeof(*list.items));
    for (size_t i = 0; i < assignment->n_endpoints; i++)
        read_group(factory, cluster, assignment->endpoints[i], &list);
    return list;
}

static struct nu_host *create_static_host(struct nu_factory *factory, struct nu_cluster *cluster,
                                          struct nu_endpoint *item)
{
    const Envoy__Config__Endpoint__V3__Endpoint *endpoint = item->proto->endpoint;
    if (!nu_address_from_proto(factory, endpoint, "address", endpoint->address,
                               "Consider setting the cluster type to 'STRICT_DNS', which resolves "
                               "names",
                               &cluster->arena, &item->host.address))
        return NULL;
    return nu_host_create(factory->host_keeper, &item->host);
}

void nu_static_hosts_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                                const cluster_proto *proto)
{
    struct nu_endpoint_list list = nu_endpoints_from_proto(factory, cluster, proto);
    struct nu_host **hosts =
        nu_arena_alloc(&cluster->arena, (list.count + 1) * sizeof(struct nu_host *));
    uint32_t count = 0;
    for (size_t i = 0; i < list.count; i++) {
        struct nu_host *host = create_static_host(factory, cluster, &list.items[i]);
        if (host)
            hosts[count++] = host;
    }
    struct nu_host_set *set = nu_host_set_create(hosts, count);
    nu_host_set_take_assignment(set, nu_assignment_from_proto(factory, proto->load_assignment));
    nu_cluster_set_first_hosts(cluster, set);
    nu_host_set_unref(set);
    for (uint32_t i = 0; i < count; i++)
        nu_host_unref(hosts[i]);
}
