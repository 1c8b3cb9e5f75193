/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that ask for more than an answer: an upgrade to another protocol, or a CONNECT. Where
 * they are allowed they go through a filter chain as others do, perhaps one of their own; what
 * follows the head in either direction is data without an end.
 */
#include "stream/stream_internal.h"

static bool is_connect(const struct nu_headers *headers)
{
    return nu_str_eq(nu_headers_get_id(headers, NU_HEADER_METHOD), NU_STR("CONNECT"));
}

bool nu_hcm_asks_for_tunnel(const struct nu_headers *headers)
{
    return nu_headers_has_id(headers, NU_HEADER_UPGRADE) || is_connect(headers);
}

/* The protocol that is asked for, empty for none: a CONNECT that asks for an upgrade as well says
 * two things about what follows it. */
static struct nu_str find_type(const struct nu_headers *headers)
{
    bool upgrades = nu_headers_has_id(headers, NU_HEADER_UPGRADE);
    if (!is_connect(headers))
        return nu_headers_get_id(headers, NU_HEADER_UPGRADE);
    return upgrades ? nu_str_make(NULL, 0) : NU_STR("CONNECT");
}

static const struct nu_hcm_upgrade *find_upgrade(const struct nu_hcm_config *config,
                                                 struct nu_str type)
{
    for (size_t i = 0; i < config->upgrade_count; i++) {
        if (nu_str_eq_nocase(config->upgrades[i].type, type))
            return &config->upgrades[i];
    }
    return NULL;
}

static const struct nu_route_upgrade *find_route_upgrade(const struct nu_route *route,
                                                         struct nu_str type)
{
    for (size_t i = 0; route && i < route->upgrade_count; i++) {
        if (nu_str_eq_nocase(route->upgrades[i].type, type))
            return &route->upgrades[i];
    }
    return NULL;
}

static enum nu_tunnel kind_of(const struct nu_headers *headers, struct nu_str type)
{
    if (is_connect(headers))
        return NU_TUNNEL_CONNECT;
    return nu_str_eq_nocase(type, NU_STR("websocket")) ? NU_TUNNEL_WEBSOCKET : NU_TUNNEL_UPGRADE;
}

const struct nu_filter_chain_config *nu_hcm_begin_tunnel(struct nu_hcm_stream *stream)
{
    const struct nu_hcm_config *config = stream->config;
    const struct nu_headers *headers = &stream->request_headers;
    struct nu_str type = find_type(headers);
    const struct nu_hcm_upgrade *upgrade = find_upgrade(config, type);
    const struct nu_route_upgrade *of_route = find_route_upgrade(stream->route.route, type);
    bool is_enabled = of_route ? of_route->is_enabled : upgrade && upgrade->is_enabled;
    if (!is_enabled || type.len == 0)
        return NULL;
    stream->info.tunnel = (uint8_t)kind_of(headers, type);
    nu_counter_inc(&nu_stream_stats(stream)->downstream_cx_upgrades_total);
    nu_gauge_inc(&nu_stream_stats(stream)->downstream_cx_upgrades_active);
    return upgrade && upgrade->filters ? upgrade->filters : &config->filters;
}

void nu_hcm_end_tunnel(struct nu_hcm_stream *stream)
{
    nu_gauge_dec(&nu_stream_stats(stream)->downstream_cx_upgrades_active);
}

bool nu_hcm_is_switch(const struct nu_hcm_stream *stream, uint32_t status)
{
    switch ((enum nu_tunnel)stream->info.tunnel) {
    case NU_TUNNEL_NONE:
        return false;
    case NU_TUNNEL_WEBSOCKET:
    case NU_TUNNEL_UPGRADE:
        return status == 101;
    case NU_TUNNEL_CONNECT:
        return status == 200; /* the other ones that grant it say "close" in Envoy */
    }
    return false;
}

/* What broke behind a tunnel is told apart from what broke in it (RFC 9113 8.5). */
enum nu_reset_reason nu_hcm_reset_reason(const struct nu_hcm_stream *stream)
{
    const struct nu_stream_info *info = &stream->info;
    if (nu_likely(info->tunnel == NU_TUNNEL_NONE))
        return NU_RESET_LOCAL;
    bool broke = nu_stream_info_has_flag(info, NU_FLAG_UPSTREAM_CONNECTION_FAILURE) ||
                 nu_stream_info_has_flag(info, NU_FLAG_UPSTREAM_CONNECTION_TERMINATION);
    return broke ? NU_RESET_CONNECT_ERROR : NU_RESET_LOCAL;
}
