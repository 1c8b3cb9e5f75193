/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a stream may last, as its route and, for gRPC, the client say. The upstream learns of it
 * by a grpc-timeout of ours.
 */
#include "http/grpc.h"
#include "stream/stream_internal.h"

/* The client's own deadline, where the route honours it: capped, then shortened by the offset. */
static bool find_grpc_timeout(const struct nu_route *route, const struct nu_headers *headers,
                              uint64_t *timeout_ms)
{
    struct nu_str text = nu_headers_get_id(headers, NU_HEADER_GRPC_TIMEOUT);
    if (!route->grpc_timeout_max.is_set || !text.ptr || !nu_grpc_timeout_parse(text, timeout_ms))
        return false;
    uint64_t max = route->grpc_timeout_max.ms;
    uint64_t offset = route->grpc_timeout_offset.is_set ? route->grpc_timeout_offset.ms : 0;
    if (max && *timeout_ms > max)
        *timeout_ms = max;
    *timeout_ms = offset < *timeout_ms ? *timeout_ms - offset : 0;
    return true;
}

/* Without a gRPC deadline: what the route says, or the connection manager; 0 is no limit. */
static bool find_limit(const struct nu_route *route, const struct nu_hcm_config *config,
                       uint64_t *limit_ms)
{
    *limit_ms = route->max_stream_duration.is_set ? route->max_stream_duration.ms
                                                  : config->max_stream_duration_ms;
    return *limit_ms != 0;
}

static void set_grpc_timeout(struct nu_hcm_stream *stream, uint64_t timeout_ms)
{
    char *text = nu_arena_alloc(stream->arena, NU_GRPC_TIMEOUT_LEN_MAX);
    size_t len = nu_grpc_timeout_format(timeout_ms, text);
    nu_headers_set_id(&stream->request_headers, NU_HEADER_GRPC_TIMEOUT, nu_str_make(text, len));
}

bool nu_hcm_find_duration(struct nu_hcm_stream *stream, const struct nu_route *route,
                          uint64_t *limit_ms)
{
    bool has_limit = find_grpc_timeout(route, &stream->request_headers, limit_ms) ||
                     find_limit(route, stream->config, limit_ms);
    if (!route->has_duration_rules || !nu_stream_has(stream, NU_STREAM_GRPC))
        return has_limit;
    if (has_limit)
        set_grpc_timeout(stream, *limit_ms);
    else
        nu_headers_remove_id(&stream->request_headers, NU_HEADER_GRPC_TIMEOUT);
    return has_limit;
}
