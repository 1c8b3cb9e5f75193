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

static void read_endpoint(struct nu_factory *factory, const struct nu_cluster *cluster,
                          const endpoint_proto *proto, const struct group *group,
                          struct nu_endpoint *out)
{
    struct nu_arena *arena = factory->arena;
    const struct nu_metadata *metadata = nu_metadata_from_proto(proto->metadata, arena);
    out->proto = proto;
    out->host = (struct nu_host_params){
        .hostname = nu_arena_dup(arena, nu_str_from(proto->endpoint->hostname)),
        .check_place = read_check_place(factory, arena, proto->endpoint),
        .locality = group->locality,
        .locality_metadata = group->metadata,
        .metadata = metadata,
        .transport = nu_transport_match_find(cluster, metadata, group->metadata),
        .weight = nu_u32_or(proto->load_balancing_weight, 1),
        .priority = group->priority,
        .eds_health = nu_eds_health_from_proto(proto->health_status),
    };
}

static void read_group(struct nu_factory *factory, const struct nu_cluster *cluster,
                       const group_proto *proto, struct nu_endpoint_list *list)
{
    const struct group group = {
        .locality = nu_locality_from_proto(factory->arena, proto->locality),
        .metadata = nu_metadata_from_proto(proto->metadata, factory->arena),
        .priority = proto->priority,
    };
    for (size_t i = 0; i < proto->n_lb_endpoints; i++) {
        if (check_endpoint(factory, proto->lb_endpoints[i]))
            read_endpoint(factory, cluster, proto->lb_endpoints[i], &group,
                          &list->items[list->count++]);
    }
}

struct nu_endpoint_list nu_endpoints_from_proto(struct nu_factory *factory,
                                                const struct nu_cluster *cluster,
                                                const assignment_proto *proto)
{
    struct nu_endpoint_list list = {0};
    if (!proto)
        return list;
    list.items = nu_arena_alloc(factory->arena, (count_endpoints(proto) + 1) * sizeof(*list.items));
    for (size_t i = 0; i < proto->n_endpoints; i++)
        read_group(factory, cluster, proto->endpoints[i], &list);
    return list;
}

/* --- Addresses -------------------------------------------------------------------------------- */

static bool read_address(struct nu_factory *factory, const void *owner,
                         const Envoy__Config__Core__V3__Address *proto, struct nu_address *out)
{
    return nu_address_from_proto(factory, owner, "address", proto,
                                 "Consider setting the cluster type to 'STRICT_DNS', which "
                                 "resolves names",
                                 factory->arena, out);
}

/* All addresses of an endpoint that has several, in the order to try. */
static bool read_more_addresses(struct nu_factory *factory, const struct nu_cluster *cluster,
                                const Envoy__Config__Endpoint__V3__Endpoint *proto,
                                struct nu_host_params *host)
{
    uint32_t count = 1;
    size_t size = (proto->n_additional_addresses + 1) * sizeof(struct nu_address);
    if (!nu_address_is_ip(&host->address)) {
        nu_config_error(factory->ctx, proto, "address",
                        "additional_addresses must be IP addresses.");
        return false;
    }
    struct nu_address *given = nu_arena_alloc(factory->arena, size);
    struct nu_address *list = nu_arena_alloc(factory->arena, size);
    given[0] = host->address;
    for (size_t i = 0; i < proto->n_additional_addresses; i++) {
        const Envoy__Config__Endpoint__V3__Endpoint__AdditionalAddress *more =
            proto->additional_addresses[i];
        if (!read_address(factory, more, more->address, &given[count]))
            return false;
        if (!nu_address_is_ip(&given[count++])) {
            nu_config_error(factory->ctx, more, "address",
                            "additional_addresses must be IP addresses.");
            return false;
        }
    }
    nu_happy_eyeballs_sort(&cluster->options.happy_eyeballs, given, count, list);
    host->list = list;
    host->list_count = count;
    return true;
}

bool nu_endpoint_read_addresses(struct nu_factory *factory, const struct nu_cluster *cluster,
                                struct nu_endpoint *endpoint)
{
    const Envoy__Config__Endpoint__V3__Endpoint *proto = endpoint->proto->endpoint;
    if (!read_address(factory, proto, proto->address, &endpoint->host.address))
        return false;
    return proto->n_additional_addresses == 0 ||
           read_more_addresses(factory, cluster, proto, &endpoint->host);
}

/* --- STATIC ----------------------------------------------------------------------------------- */

static struct nu_host_set *make_static_hosts(struct nu_factory *factory, struct nu_cluster *cluster,
                                             const cluster_proto *proto)
{
    struct nu_endpoint_list list =
        nu_endpoints_from_proto(factory, cluster, proto->load_assignment);
    struct nu_host **hosts =
        nu_arena_alloc(factory->arena, (list.count + 1) * sizeof(struct nu_host *));
    uint32_t count = 0;
    for (size_t i = 0; i < list.count; i++) {
        if (nu_endpoint_read_addresses(factory, cluster, &list.items[i]))
            hosts[count++] = nu_host_create(factory->host_keeper, &list.items[i].host);
    }
    struct nu_host_set *set = nu_host_set_create(hosts, count);
    nu_host_set_take_assignment(set, nu_assignment_from_proto(factory, proto->load_assignment));
    for (uint32_t i = 0; i < count; i++)
        nu_host_unref(hosts[i]);
    return set;
}

/* Hosts own what they are made of, so what is read on the way is forgotten. */
void nu_static_hosts_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                                const cluster_proto *proto)
{
    struct nu_arena scratch;
    struct nu_factory reading = *factory;
    reading.arena = &scratch;
    nu_arena_init(&scratch);
    struct nu_host_set *set = make_static_hosts(&reading, cluster, proto);
    nu_cluster_set_first_hosts(cluster, set);
    nu_host_set_unref(set);
    nu_arena_finish(&scratch);
}
