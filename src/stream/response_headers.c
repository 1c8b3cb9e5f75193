/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A response's headers on their way out, in Envoy's order (ENVOY_COMPAT 4.3): date, server,
 * hop-by-hop headers gone, the request id, via, and last what is to become of the connection.
 */
#include "stream/stream_internal.h"

static void set_server(const struct nu_hcm_config *config, struct nu_headers *headers)
{
    switch (config->server_header) {
    case NU_SERVER_HEADER_OVERWRITE:
        nu_headers_set_id(headers, NU_HEADER_SERVER, config->server_name);
        return;
    case NU_SERVER_HEADER_APPEND_IF_ABSENT:
        if (!nu_headers_has_id(headers, NU_HEADER_SERVER))
            nu_headers_add_id(headers, NU_HEADER_SERVER, config->server_name);
        return;
    case NU_SERVER_HEADER_PASS_THROUGH:
        return;
    }
}

static void set_date(struct nu_hcm_stream *stream, struct nu_headers *headers)
{
    if (nu_headers_has_id(headers, NU_HEADER_DATE))
        return;
    /* The cache's text may change before a stopped response goes on: the stream gets a copy. */
    struct nu_str text =
        nu_date_cache_get(&stream->conn->worker->date, nu_loop_realtime_us(stream->loop));
    char *copy = nu_arena_alloc(stream->arena, NU_DATE_LEN);
    memcpy(copy, text.ptr, NU_DATE_LEN);
    nu_headers_add_id(headers, NU_HEADER_DATE, nu_str_make(copy, NU_DATE_LEN));
}

/* The answer to an upgrade says what was switched to. */
static bool is_switch(const struct nu_hcm_stream *stream, const struct nu_headers *headers)
{
    return nu_unlikely(stream->info.tunnel != NU_TUNNEL_NONE) &&
           nu_str_eq(nu_headers_get_id(headers, NU_HEADER_STATUS), NU_STR("101"));
}

static void remove_hop_by_hop(const struct nu_hcm_stream *stream, struct nu_headers *headers)
{
    if (nu_likely(!is_switch(stream, headers))) {
        nu_headers_remove_id(headers, NU_HEADER_CONNECTION);
        nu_headers_remove_id(headers, NU_HEADER_UPGRADE);
    }
    nu_headers_remove_id(headers, NU_HEADER_TRANSFER_ENCODING);
    nu_headers_remove_id(headers, NU_HEADER_KEEP_ALIVE);
    nu_headers_remove_id(headers, NU_HEADER_PROXY_CONNECTION);
}

/* A client that asks for a trace is told how to find it. */
static bool tells_request_id(const struct nu_hcm_stream *stream)
{
    return stream->info.request_id.ptr &&
           (stream->config->always_set_request_id_in_response ||
            nu_headers_has_id(&stream->request_headers, NU_HEADER_X_ENVOY_FORCE_TRACE));
}

void nu_hcm_mutate_interim(struct nu_hcm_stream *stream, struct nu_headers *headers)
{
    remove_hop_by_hop(stream, headers);
    if (nu_unlikely(tells_request_id(stream)))
        nu_headers_set_id(headers, NU_HEADER_X_REQUEST_ID, stream->info.request_id);
}

void nu_hcm_mutate_response(struct nu_hcm_stream *stream, struct nu_headers *headers)
{
    const struct nu_hcm_config *config = stream->config;
    set_date(stream, headers);
    set_server(config, headers);
    nu_hcm_mutate_interim(stream, headers);
    if (nu_unlikely(config->via.len))
        nu_hcm_append_via(headers, config->via);
}
