/* SPDX-License-Identifier: Apache-2.0 */
/* Making a ClusterLoadAssignment of a host set: its hosts by priority and locality. */
#include "admin/endpoints.h"

#include <stdlib.h>

#include "upstream/cluster.h"

#include "envoy/config/endpoint/v3/endpoint.pb-c.h"

typedef Envoy__Config__Endpoint__V3__ClusterLoadAssignment assignment_proto;
typedef Envoy__Config__Endpoint__V3__LocalityLbEndpoints locality_proto;
typedef Envoy__Config__Endpoint__V3__LbEndpoint lb_endpoint_proto;
typedef Envoy__Config__Endpoint__V3__ClusterLoadAssignment__Policy policy_proto;
typedef Envoy__Config__Endpoint__V3__ClusterLoadAssignment__Policy__DropOverload drop_proto;

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

static Envoy__Config__Core__V3__HealthStatus status_of(const struct nu_host *host)
{
    switch (nu_host_health(host)) {
    case NU_HOST_UNHEALTHY:
        return ENVOY__CONFIG__CORE__V3__HEALTH_STATUS__UNHEALTHY;
    case NU_HOST_DEGRADED:
        return ENVOY__CONFIG__CORE__V3__HEALTH_STATUS__DEGRADED;
    case NU_HOST_HEALTHY:
        break;
    }
    return ENVOY__CONFIG__CORE__V3__HEALTH_STATUS__HEALTHY;
}

static Envoy__Config__Endpoint__V3__Endpoint__HealthCheckConfig *
make_check(const struct nu_host *host, struct nu_arena *arena)
{
    const struct nu_host_check_place *place = host->check_place;
    const struct nu_address *now = nu_host_address(host);
    Envoy__Config__Endpoint__V3__Endpoint__HealthCheckConfig *check =
        nu_arena_alloc(arena, sizeof(*check));
    envoy__config__endpoint__v3__endpoint__health_check_config__init(check);
    if (!place)
        return check;
    check->hostname = copy_text(arena, place->hostname);
    struct nu_address address = nu_host_check_address(host);
    if (nu_address_is_ip(&address) && !nu_address_eq(&address, now))
        check->port_value = address.port;
    return check;
}

static lb_endpoint_proto *make_endpoint(const struct nu_host *host, struct nu_arena *arena)
{
    lb_endpoint_proto *lb = nu_arena_alloc(arena, sizeof(*lb));
    envoy__config__endpoint__v3__lb_endpoint__init(lb);
    Envoy__Config__Endpoint__V3__Endpoint *endpoint = nu_arena_alloc(arena, sizeof(*endpoint));
    envoy__config__endpoint__v3__endpoint__init(endpoint);
    endpoint->address = make_address(host, arena);
    endpoint->hostname = copy_text(arena, host->hostname);
    endpoint->health_check_config = make_check(host, arena);
    lb->host_identifier_case = ENVOY__CONFIG__ENDPOINT__V3__LB_ENDPOINT__HOST_IDENTIFIER_ENDPOINT;
    lb->endpoint = endpoint;
    lb->load_balancing_weight = make_number(host->weight, arena);
    lb->health_status = status_of(host);
    return lb;
}

static bool is_same_group(const struct nu_host *a, const struct nu_host *b)
{
    return a->priority == b->priority && nu_locality_eq(&a->locality, &b->locality);
}

static locality_proto *make_locality(const struct nu_assignment *assigned,
                                     struct nu_host *const *hosts, size_t count,
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
    group->load_balancing_weight = make_number(
        nu_assignment_locality_weight(assigned, nu_host_priority(hosts[0]), &hosts[0]->locality),
        arena);
    group->priority = hosts[0]->priority;
    group->n_lb_endpoints = count;
    group->lb_endpoints = nu_arena_alloc(arena, count * sizeof(*group->lb_endpoints));
    for (size_t i = 0; i < count; i++)
        group->lb_endpoints[i] = make_endpoint(hosts[i], arena);
    return group;
}

/* --- What is said of all of them -------------------------------------------------------------- */

static drop_proto *make_drop(const struct nu_assignment *assigned, struct nu_arena *arena)
{
    enum { MILLION = 1000000 };
    drop_proto *drop = nu_arena_alloc(arena, sizeof(*drop));
    envoy__config__endpoint__v3__cluster_load_assignment__policy__drop_overload__init(drop);
    drop->category = copy_text(arena, assigned->drop_category);
    Envoy__Type__V3__FractionalPercent *share = nu_arena_alloc(arena, sizeof(*share));
    envoy__type__v3__fractional_percent__init(share);
    share->numerator = assigned->drop.numerator * (MILLION / assigned->drop.denominator);
    share->denominator = ENVOY__TYPE__V3__FRACTIONAL_PERCENT__DENOMINATOR_TYPE__MILLION;
    drop->drop_percentage = share;
    return drop;
}

static policy_proto *make_policy(const struct nu_assignment *assigned, struct nu_arena *arena)
{
    policy_proto *policy = nu_arena_alloc(arena, sizeof(*policy));
    envoy__config__endpoint__v3__cluster_load_assignment__policy__init(policy);
    policy->overprovisioning_factor = make_number(
        assigned ? assigned->overprovisioning_percent : NU_OVERPROVISIONING_DEFAULT, arena);
    if (nu_assignment_drops(assigned)) {
        policy->drop_overloads = nu_arena_alloc(arena, sizeof(*policy->drop_overloads));
        policy->drop_overloads[0] = make_drop(assigned, arena);
        policy->n_drop_overloads = 1;
    }
    return policy;
}

/* --- The whole -------------------------------------------------------------------------------- */

/* Hosts of one group stay in the order of the set. */
static int by_group(const void *a_ptr, const void *b_ptr, void *arg)
{
    struct nu_host *const *hosts = arg;
    const uint32_t *a = a_ptr;
    const uint32_t *b = b_ptr;
    if (hosts[*a]->priority != hosts[*b]->priority)
        return hosts[*a]->priority < hosts[*b]->priority ? -1 : 1;
    int order = nu_locality_cmp(&hosts[*a]->locality, &hosts[*b]->locality);
    return order ? order : (*a < *b ? -1 : *a > *b);
}

static struct nu_host **sort_hosts(const struct nu_host_set *set, struct nu_arena *arena)
{
    struct nu_host **hosts = nu_arena_alloc(arena, (set->count + 1) * sizeof(struct nu_host *));
    uint32_t *order = nu_arena_alloc(arena, (set->count + 1) * sizeof(*order));
    for (uint32_t i = 0; i < set->count; i++)
        order[i] = i;
    qsort_r(order, set->count, sizeof(*order), by_group, nu_unconst(set->hosts));
    for (uint32_t i = 0; i < set->count; i++)
        hosts[i] = set->hosts[order[i]];
    return hosts;
}

const ProtobufCMessage *nu_admin_make_endpoints(const struct nu_cluster *cluster,
                                                struct nu_arena *arena)
{
    const struct nu_host_set *set = cluster->hosts;
    struct nu_host *const *hosts = sort_hosts(set, arena);
    assignment_proto *assignment = nu_arena_alloc(arena, sizeof(*assignment));
    envoy__config__endpoint__v3__cluster_load_assignment__init(assignment);
    assignment->cluster_name = copy_text(arena, cluster->name);
    assignment->policy = make_policy(set->assignment, arena);
    assignment->endpoints = nu_arena_alloc(arena, (set->count + 1) * sizeof(void *));
    for (size_t begin = 0, end; begin < set->count; begin = end) {
        end = begin + 1;
        while (end < set->count && is_same_group(hosts[begin], hosts[end]))
            end++;
        assignment->endpoints[assignment->n_endpoints++] =
            make_locality(set->assignment, hosts + begin, end - begin, arena);
    }
    return &assignment->base;
}
