/* SPDX-License-Identifier: Apache-2.0 */
/* Where a request or a connection is to go, in Envoy's order. */
#include "http/headers.h"
#include "http/metadata.h"
#include "http/stream_info.h"
#include "upstream/cluster.h"

static bool find_in_metadata(const struct nu_original_dst *config,
                             const struct nu_stream_info *info, struct nu_address *out)
{
    const struct nu_value *value = nu_metadata_find(info->dynamic_metadata, config->metadata,
                                                    config->path, config->path_count);
    return value && value->type == NU_VALUE_STRING &&
           nu_address_parse_ip_port(nu_value_text(value), out) == NU_OK;
}

static bool find_in_headers(struct nu_cluster_local *local, const struct nu_headers *headers,
                            struct nu_address *out)
{
    struct nu_str text = nu_headers_get(headers, local->cluster->original_dst->header);
    if (text.len == 0)
        return false;
    if (nu_address_parse_ip_port(text, out) == NU_OK)
        return true;
    nu_counter_inc(&nu_cluster_local_stats(local)->original_dst_host_invalid);
    return false;
}

/* The address that a listener filter found behind the one that was connected to. */
static bool find_in_connection(const struct nu_stream_info *info, struct nu_address *out)
{
    if (!info->connection || info->connection->restored_local.family == NU_ADDRESS_NONE)
        return false;
    *out = info->connection->restored_local;
    return nu_address_is_ip(out);
}

const struct nu_address *nu_original_dst_find(struct nu_cluster_local *local,
                                              const struct nu_stream_info *info,
                                              const struct nu_headers *headers)
{
    const struct nu_original_dst *config = local->cluster->original_dst;
    struct nu_address found;
    bool is_found = (config->metadata.len && find_in_metadata(config, info, &found)) ||
                    (config->header.len && headers && find_in_headers(local, headers, &found)) ||
                    find_in_connection(info, &found);
    if (!is_found)
        return NULL;
    if (config->port)
        found.port = config->port;
    struct nu_address *out = nu_arena_alloc(info->arena, sizeof(*out));
    *out = found;
    return out;
}
