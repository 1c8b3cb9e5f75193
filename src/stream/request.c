/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request's head: what is checked and normalised of it, its route, and the start of its filters.
 */
#include "http/authority.h"
#include "http/grpc.h"
#include "stream/stream_internal.h"

static void reply(struct nu_hcm_stream *stream, uint32_t status, struct nu_str details)
{
    nu_hcm_reply_simple(stream, status, nu_str_make(NULL, 0), details);
}

/* A request that is answered before it is routed has a route all the same, as in Envoy: the one that
 * its headers lead to as they came, which is none without an x-forwarded-proto of the client's. The log
 * tells it, and the answer has its headers. */
static void refuse(struct nu_hcm_stream *stream, uint32_t status, struct nu_str details)
{
    nu_hcm_find_route(stream);
    reply(stream, status, details);
}

static bool is_connect(const struct nu_headers *headers)
{
    return nu_str_eq(nu_headers_get_id(headers, NU_HEADER_METHOD), NU_STR("CONNECT"));
}

static bool check_host(struct nu_hcm_stream *stream)
{
    struct nu_headers *headers = &stream->request_headers;
    if (nu_likely(nu_headers_has_id(headers, NU_HEADER_AUTHORITY)))
        return true;
    struct nu_str standby = stream->config->h1.default_host_for_http_10;
    if (stream->info.protocol == NU_PROTOCOL_HTTP10 && standby.len) {
        nu_headers_fill_first(headers, NU_PLACE_AUTHORITY, NU_HEADER_AUTHORITY, standby);
        return true;
    }
    refuse(stream, 400, NU_STR("missing_host_header"));
    return false;
}

static NU_NOINLINE void redirect_to_path(struct nu_hcm_stream *stream, struct nu_str path)
{
    struct nu_reply_header location = {NU_STR("location"), path};
    struct nu_reply answer = {
        .status = 307,
        .details = NU_STR("path_normalization_failed"),
        .headers = &location,
        .header_count = 1,
        .grpc_status = -1,
    };
    nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_redirected_with_normalized_path);
    nu_hcm_find_route(stream);
    nu_hcm_reply(stream, &answer);
}

static bool normalize_path(struct nu_hcm_stream *stream, struct nu_header *path)
{
    switch (nu_path_apply(&stream->config->path, stream->arena, &path->value)) {
    case NU_PATH_ACCEPT:
        return true;
    case NU_PATH_REJECT:
        nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_failed_path_normalization);
        refuse(stream, 400, NU_STR("path_normalization_failed"));
        return false;
    case NU_PATH_REDIRECT:
        redirect_to_path(stream, path->value);
        return false;
    }
    return false;
}

static bool check_path(struct nu_hcm_stream *stream)
{
    struct nu_headers *headers = &stream->request_headers;
    struct nu_header *path = nu_headers_find_id(headers, NU_HEADER_PATH);
    if (nu_unlikely(!path || path->value.len == 0)) {
        if (is_connect(headers))
            return true;
        reply(stream, 404, NU_STR("missing_path_rejected"));
        return false;
    }
    if (path->value.ptr[0] != '/') {
        nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_non_relative_path);
        refuse(stream, 404, NU_STR("absolute_path_rejected"));
        return false;
    }
    return normalize_path(stream, path);
}

/* The target of a CONNECT is no host: its port stays. */
static void strip_port(struct nu_hcm_stream *stream, struct nu_header *host)
{
    if (is_connect(&stream->request_headers))
        return;
    uint32_t only = stream->config->strip_any_host_port
                        ? 0
                        : nu_connection_info_local(&stream->connection_info)->port;
    host->value = nu_authority_strip_port(host->value, only);
}

static void normalize_host(struct nu_hcm_stream *stream)
{
    const struct nu_hcm_config *config = stream->config;
    struct nu_header *host = nu_headers_find_id(&stream->request_headers, NU_HEADER_AUTHORITY);
    if (nu_unlikely(config->strip_any_host_port || config->strip_matching_host_port))
        strip_port(stream, host);
    if (nu_unlikely(config->strip_trailing_host_dot))
        host->value = nu_authority_strip_trailing_dot(stream->arena, host->value);
}

static NU_NOINLINE void answer_expectation(struct nu_hcm_stream *stream)
{
    struct nu_headers *headers = &stream->request_headers;
    struct nu_str expect = nu_headers_get_id(headers, NU_HEADER_EXPECT);
    if (stream->config->proxy_100_continue || !nu_str_eq_nocase(expect, NU_STR("100-continue")))
        return;
    struct nu_headers interim;
    nu_headers_init(&interim, stream->arena, 1);
    nu_headers_add_id(&interim, NU_HEADER_STATUS, NU_STR("100"));
    nu_hcm_send_1xx(stream, &interim);
    nu_headers_remove_id(headers, NU_HEADER_EXPECT);
}

void nu_hcm_find_route(struct nu_hcm_stream *stream)
{
    if (!stream->config->routes)
        return;
    struct nu_route_input input = {
        .headers = &stream->request_headers,
        .info = &stream->info,
        .runtime = stream->loop->runtime,
        .random = stream->random,
        .is_tls = stream->connection_info.is_tls,
    };
    nu_route_table_match(stream->config->routes, &input, &stream->route);
    stream->info.route_name =
        stream->route.route ? stream->route.route->name : nu_str_make(NULL, 0);
    stream->info.has_route = stream->route.route != NULL;
    stream->info.route_metadata = stream->route.route ? stream->route.route->metadata : NULL;
    if (stream->route.virtual_host) {
        stream->info.virtual_host_name = stream->route.virtual_host->name;
        stream->info.virtual_host_metadata = stream->route.virtual_host->metadata;
    }
}

void nu_hcm_open_chain(struct nu_hcm_stream *stream, const struct nu_filter_chain_config *filters)
{
    nu_chain_open(&stream->chain, filters, &nu_hcm_chain_ops, stream->loop, stream->arena,
                  &stream->info, stream->config->buffer_limit_bytes);
    stream->flags |= NU_STREAM_CHAIN_OPEN;
}

/* Opens the chain of an upgrade or a CONNECT. Where it is not allowed the answer says so; but one
 * without a route finds out like any other request that it has none. False if it was answered. */
static bool open_tunnel_chain(struct nu_hcm_stream *stream)
{
    const struct nu_filter_chain_config *filters = nu_hcm_begin_tunnel(stream);
    nu_hcm_open_chain(stream, filters ? filters : &stream->config->filters);
    if (filters || (stream->config->routes && !stream->route.route))
        return true;
    nu_counter_inc(&nu_stream_stats(stream)->downstream_rq_ws_on_non_ws_route);
    reply(stream, 403, NU_STR("upgrade_failed"));
    return false;
}

static void note_request(struct nu_hcm_stream *stream, bool end)
{
    const struct nu_headers *headers = &stream->request_headers;
    stream->flags |= NU_STREAM_HEADERS_SEEN;
    if (end) {
        stream->flags |= NU_STREAM_REQUEST_COMPLETE;
        stream->info.rx_end_us = stream->active_us;
    }
    if (nu_str_eq(nu_headers_get_id(headers, NU_HEADER_METHOD), NU_STR("HEAD")))
        stream->flags |= NU_STREAM_HEAD_REQUEST;
    if (nu_grpc_is_content_type(nu_headers_get_id(headers, NU_HEADER_CONTENT_TYPE)))
        stream->flags |= NU_STREAM_GRPC;
    if (nu_unlikely(stream->conn->h2 != NULL))
        return;
    const struct nu_h1_server *codec = stream->conn->codec;
    if (nu_unlikely(!nu_h1_server_is_keep_alive(codec)))
        stream->flags |= NU_STREAM_SAW_CLOSE;
    if (nu_unlikely(nu_h1_server_underscores(codec)))
        nu_counter_add(&stream->conn->worker->http1_stats->dropped_headers_with_underscores,
                       nu_h1_server_underscores(codec));
}

bool nu_hcm_reopen(struct nu_hcm_stream *stream)
{
    if (!check_host(stream) || !check_path(stream))
        return false;
    normalize_host(stream);
    nu_hcm_find_route(stream);
    nu_hcm_apply_route_timeouts(stream);
    nu_hcm_open_chain(stream, &stream->config->filters);
    return true;
}

void nu_hcm_look_at_request(struct nu_hcm_stream *stream, bool end)
{
    bool is_tunnel = nu_unlikely(nu_hcm_asks_for_tunnel(&stream->request_headers));
    nu_stream_touch(stream);
    if (nu_unlikely(stream->deadlines != NULL))
        nu_timer_cancel(&stream->deadlines->headers_timer);
    note_request(stream, end);
    if (end)
        nu_stream_stop_request_timer(stream);
    if (nu_unlikely(nu_headers_has_id(&stream->request_headers, NU_HEADER_EXPECT)))
        answer_expectation(stream);
    if (!check_host(stream) || !check_path(stream))
        return;
    normalize_host(stream);
    nu_hcm_mutate_request(stream);
    nu_hcm_find_route(stream);
    nu_hcm_apply_route_timeouts(stream);
    if (!is_tunnel)
        nu_hcm_open_chain(stream, &stream->config->filters);
    else if (!open_tunnel_chain(stream))
        return;
    nu_chain_decode_headers(&stream->chain, &stream->request_headers, end);
}
