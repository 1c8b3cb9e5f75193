/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing a host's transport socket. */
#include "upstream/hosts/transport_match.h"

#include "config/struct.h"
#include "http/metadata.h"
#include "upstream/cluster.h"

#include "envoy/config/cluster/v3/cluster.pb-c.h"

typedef Envoy__Config__Cluster__V3__Cluster__TransportSocketMatch match_proto;

static const struct nu_str space = NU_STR_INIT("envoy.transport_socket_match");

static bool read_match(struct nu_factory *factory, const match_proto *proto, struct nu_str scope,
                       struct nu_transport_match *match)
{
    match->name = nu_arena_dup(factory->arena, nu_str_from(proto->name));
    match->criteria = proto->match ? nu_struct_from_proto(proto->match, factory->arena)
                                   : (struct nu_value){.type = NU_VALUE_STRUCT};
    struct nu_strbuf prefix = {0};
    nu_strbuf_add(&prefix, scope);
    nu_strbuf_add_char(&prefix, '.');
    nu_strbuf_add(&prefix, match->name); /* as it is, like Envoy */
    match->stats = nu_stat_set_create(factory->stats, &nu_transport_socket_match_stats_table,
                                      nu_strbuf_str(&prefix));
    nu_strbuf_finish(&prefix);
    return nu_transport_socket_from_proto(factory, proto->transport_socket, true, scope,
                                          &match->socket);
}

void nu_transport_matches_from_proto(struct nu_factory *factory, struct nu_cluster *cluster,
                                     const Envoy__Config__Cluster__V3__Cluster *proto,
                                     struct nu_str scope)
{
    size_t count = proto->n_transport_socket_matches;
    cluster->transport_matches =
        nu_arena_calloc(factory->arena, (count + 1) * sizeof(*cluster->transport_matches));
    for (size_t i = 0; i < count; i++) {
        struct nu_transport_match *match =
            &cluster->transport_matches[cluster->transport_match_count++];
        if (!read_match(factory, proto->transport_socket_matches[i], scope, match))
            return;
    }
}

static bool fits(const struct nu_transport_match *match, const struct nu_metadata *metadata)
{
    const struct nu_value *criteria = &match->criteria;
    for (uint32_t i = 0; i < criteria->count; i++) {
        const struct nu_value_field *field = &criteria->fields[i];
        const struct nu_value *value = nu_metadata_find(metadata, space, &field->name, 1);
        if (!value || !nu_value_eq(value, &field->value))
            return false;
    }
    return true;
}

static const struct nu_transport_match *find_with(const struct nu_cluster *cluster,
                                                  const struct nu_metadata *metadata)
{
    for (size_t i = 0; i < cluster->transport_match_count; i++) {
        if (fits(&cluster->transport_matches[i], metadata))
            return &cluster->transport_matches[i];
    }
    return NULL;
}

const struct nu_transport_match *nu_transport_match_find(const struct nu_cluster *cluster,
                                                         const struct nu_metadata *host,
                                                         const struct nu_metadata *locality)
{
    const struct nu_transport_match *match = find_with(cluster, host);
    return match ? match : find_with(cluster, locality);
}

void nu_transport_matches_finish(struct nu_cluster *cluster)
{
    for (size_t i = 0; i < cluster->transport_match_count; i++)
        nu_stat_set_destroy(&cluster->transport_matches[i].stats);
}
