/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of the configuration that a stream goes by, and of the process. */
#include "attribute/attribute_internal.h"
#include "envoy/config/core/v3/base.pb-c.h"
#include "http/metadata.h"
#include "http/stream_info.h"

static struct nu_attribute get_node(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    if (!source->node)
        return nu_attribute_none();
    return nu_attribute_message(&envoy__config__core__v3__node__descriptor, &source->node->base);
}

/* --- The cluster ------------------------------------------------------------------------------ */

static bool find_cluster(const struct nu_attribute_source *source, struct nu_attribute_cluster *out)
{
    if (source->find_cluster)
        return source->find_cluster(source, out);
    const struct nu_upstream_info *upstream = &source->info->upstream;
    *out = (struct nu_attribute_cluster){.name = upstream->cluster,
                                         .metadata = upstream->cluster_metadata};
    return upstream->cluster.len != 0;
}

static struct nu_attribute get_cluster_name(const struct nu_attribute_source *source,
                                            unsigned which)
{
    struct nu_attribute_cluster cluster;
    (void)which;
    if (!find_cluster(source, &cluster))
        return nu_attribute_none();
    return nu_attribute_string(cluster.name);
}

static struct nu_attribute get_cluster_metadata(const struct nu_attribute_source *source,
                                                unsigned which)
{
    struct nu_attribute_cluster cluster;
    (void)which;
    if (!find_cluster(source, &cluster))
        return nu_attribute_none();
    return nu_attribute_metadata(cluster.metadata);
}

/* --- The listener ----------------------------------------------------------------------------- */

static struct nu_attribute get_direction(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    const struct nu_connection_info *connection = source->info->connection;
    return connection ? nu_attribute_int(connection->direction) : nu_attribute_none();
}

static struct nu_attribute get_listener_metadata(const struct nu_attribute_source *source,
                                                 unsigned which)
{
    (void)which;
    const struct nu_connection_info *connection = source->info->connection;
    return connection ? nu_attribute_metadata(connection->listener_metadata) : nu_attribute_none();
}

static struct nu_attribute get_chain_name(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    const struct nu_connection_info *connection = source->info->connection;
    return connection ? nu_attribute_string(connection->filter_chain_name) : nu_attribute_none();
}

/* --- The route -------------------------------------------------------------------------------- */

static struct nu_attribute get_route_name(const struct nu_attribute_source *source, unsigned which)
{
    (void)which;
    if (!source->info->has_route)
        return nu_attribute_none();
    return nu_attribute_string(source->info->route_name);
}

static struct nu_attribute get_route_metadata(const struct nu_attribute_source *source,
                                              unsigned which)
{
    (void)which;
    if (!source->info->has_route)
        return nu_attribute_none();
    return nu_attribute_metadata(source->info->route_metadata);
}

static struct nu_attribute get_virtual_host_name(const struct nu_attribute_source *source,
                                                 unsigned which)
{
    (void)which;
    return nu_attribute_text(source->info->virtual_host_name);
}

/* Virtual hosts cannot be without a name. */
static struct nu_attribute get_virtual_host_metadata(const struct nu_attribute_source *source,
                                                     unsigned which)
{
    (void)which;
    if (source->info->virtual_host_name.len == 0)
        return nu_attribute_none();
    return nu_attribute_metadata(source->info->virtual_host_metadata);
}

/* --- The host --------------------------------------------------------------------------------- */

/* A host that has none has null in its place, unlike routes and clusters. */
static struct nu_attribute give_of_host(const struct nu_attribute_source *source,
                                        const struct nu_metadata *metadata)
{
    if (source->info->upstream.host.family == NU_ADDRESS_NONE)
        return nu_attribute_none();
    return metadata ? nu_attribute_metadata(metadata) : nu_attribute_null();
}

static struct nu_attribute get_host_metadata(const struct nu_attribute_source *source,
                                             unsigned which)
{
    (void)which;
    return give_of_host(source, nu_metadata_slot_get(source->info->upstream.host_metadata));
}

static struct nu_attribute get_locality_metadata(const struct nu_attribute_source *source,
                                                 unsigned which)
{
    (void)which;
    return give_of_host(source, source->info->upstream.host_locality_metadata);
}

static const struct nu_attribute_field fields[] = {
    {NU_STR_INIT("node"), get_node, .needs_no_stream = true},
    {NU_STR_INIT("cluster_name"), get_cluster_name, 0, false},
    {NU_STR_INIT("cluster_metadata"), get_cluster_metadata, 0, false},
    {NU_STR_INIT("listener_direction"), get_direction, 0, false},
    {NU_STR_INIT("listener_metadata"), get_listener_metadata, 0, false},
    {NU_STR_INIT("route_name"), get_route_name, 0, false},
    {NU_STR_INIT("route_metadata"), get_route_metadata, 0, false},
    {NU_STR_INIT("virtual_host_name"), get_virtual_host_name, 0, false},
    {NU_STR_INIT("virtual_host_metadata"), get_virtual_host_metadata, 0, false},
    {NU_STR_INIT("upstream_host_metadata"), get_host_metadata, 0, false},
    {NU_STR_INIT("upstream_host_locality_metadata"), get_locality_metadata, 0, false},
    {NU_STR_INIT("filter_chain_name"), get_chain_name, 0, false},
};

const struct nu_attribute_table nu_attributes_of_xds = {fields, NU_ARRAY_LEN(fields)};
