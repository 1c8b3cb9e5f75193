/* SPDX-License-Identifier: Apache-2.0 */
/* Making a ClusterLoadAssignment of a host set: one locality for each run of hosts of the same
 * one. */
#include "admin/endpoints.h"

#include "upstream/cluster.h"

#include "envoy/config/endpoint/v3/endpoint.pb-c.h"

typedef Envoy__Config__Endpoint__V3__ClusterLoadAssignment assignment_proto;
typedef Envoy__Config__Endpoint__V3__LocalityLbEndpoints locality_proto;
typedef Envoy__Config__Endpoint__V3__LbEndpoint lb_endpoint_proto;

static char *copy_text(struct nu_arena *arena, struct nu_str text)
{
    return nu_unconst(nu_arena_dup(arena, text.ptr ? text : NU_STR("")).ptr);
}

static Envoy__Config__Core__V3__Address *make_address(const struct nu_host *host,
                                                      struct nu_arena *arena)
{
    Envoy__Config__Core__V3__Address *address = nu_arena_alloc(arena, sizeof(*address));
    envoy__config__core__v3__address__init(address);
    const struct nu_address *now = nu_host_address(host);
    if (now->family == NU_ADDRESS_UNIX) {
        Envoy__Config__Core__V3__Pipe *pipe = nu_arena_alloc(arena, sizeof(*pipe));
        envoy__config__core__v3__pipe__init(pipe);
        pipe->path = copy_text(arena, nu_str_from(now->path));
        address->address_case = ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS_PIPE;
        address->pipe = pipe;
        return address;
    }
    char text[NU_ADDRESS_TEXT_MAX];
    size_t len = nu_address_format_ip(now, text);
    Envoy__Config__Core__V3__SocketAddress *socket = nu_arena_alloc(arena, sizeof(*socket));
    envoy__config__core__v3__socket_address__init(socket);
    socket->address = copy_text(arena, nu_str_make(text, len));
    socket->port_specifier_case =
        ENVOY__CONFIG__CORE__V3__SOCKET_ADDRESS__PORT_SPECIFIER_PORT_VALUE;
    socket->port_value = now->port;
    address->address_case = ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS_SOCKET_ADDRESS;
    address->socket_address = socket;
    return address;
}

static Google__Protobuf__UInt32Value *make_number(uint32_t value, struct nu_arena *arena)
{
    Google__Protobuf__UInt32Value *number = nu_arena_alloc(arena, sizeof(*number));
    google__protobuf__uint32_value__init(number);
    number->value = value;
    return number;
}

static lb_endpoint_proto *make_endpoint(const struct nu_host *host, struct nu_arena *arena)
{
    lb_endpoint_proto *lb = nu_arena_alloc(arena, sizeof(*lb));
    envoy__config__endpoint__v3__lb_endpoint__init(lb);
    Envoy__Config__Endpoint__V3__Endpoint *endpoint = nu_arena_alloc(arena, sizeof(*endpoint));
    envoy__config__endpoint__v3__endpoint__init(endpoint);
    endpoint->address = make_address(host, arena);
    endpoint->hostname = copy_text(arena, host->hostname);
    lb->host_identifier_case = ENVOY__CONFIG__ENDPOINT__V3__LB_ENDPOINT__HOST_IDENTIFIER_ENDPOINT;
    lb->endpoint = endpoint;
    lb->load_balancing_weight = make_number(host->weight, arena);
    return lb;
}

static bool is_same_group(const struct nu_host *a, const struct nu_host *b)
{
    return a->priority == b->priority && nu_locality_eq(&a->locality, &b->locality);
}

static locality_proto *make_locality(const struct nu_host *const *hosts, size_t count,
                                     struct nu_arena *arena)
{
    locality_proto *group = nu_arena_alloc(arena, sizeof(*group));
    envoy__config__endpoint__v3__locality_lb_endpoints__init(group);
    Envoy__Config__Core__V3__Locality *locality = nu_arena_alloc(arena, sizeof(*locality));
    envoy__config__core__v3__locality__init(locality);
    locality->region = copy_text(arena, hosts[0]->locality.region);
    locality->zone = copy_text(arena, hosts[0]->locality.zone);
    locality->sub_zone = copy_text(arena, hosts[0]->locality.sub_zone);
    group->locality = locality;
    group->load_balancing_weight = make_number(0, arena); /* as Envoy shows it without weights */
    group->priority = hosts[0]->priority;
    group->n_lb_endpoints = count;
    group->lb_endpoints = nu_arena_alloc(arena, count * sizeof(*group->lb_endpoints));
    for (size_t i = 0; i < count; i++)
        group->lb_endpoints[i] = make_endpoint(hosts[i], arena);
    return group;
}

const ProtobufCMessage *nu_admin_make_endpoints(const struct nu_cluster *cluster,
                                                struct nu_arena *arena)
{
    const struct nu_host_set *set = cluster->hosts;
    const struct nu_host *const *hosts = (const struct nu_host *const *)set->hosts;
    assignment_proto *assignment = nu_arena_alloc(arena, sizeof(*assignment));
    envoy__config__endpoint__v3__cluster_load_assignment__init(assignment);
    assignment->cluster_name = copy_text(arena, cluster->name);
    assignment->endpoints = nu_arena_alloc(arena, (set->count + 1) * sizeof(void *));
    for (size_t begin = 0, end; begin < set->count; begin = end) {
        end = begin + 1;
        while (end < set->count && is_same_group(hosts[begin], hosts[end]))
            end++;
        assignment->endpoints[assignment->n_endpoints++] =
            make_locality(hosts + begin, end - begin, arena);
    }
    return &assignment->base;
}
