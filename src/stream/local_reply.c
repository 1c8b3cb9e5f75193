/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local replies: responses that nuncio makes itself. They run through the encode filters like any
 * other; a gRPC client gets its status in headers only, with HTTP 200.
 */
#include "http/grpc.h"
#include "http/status.h"
#include "stream/local_reply_config.h"
#include "stream/stream_internal.h"

/* `is_new` says that the body is not the one that the reply's own headers describe. */
static void add_body_headers(struct nu_hcm_stream *stream, struct nu_headers *headers,
                             const struct nu_reply_parts *parts, bool is_new)
{
    char *length = nu_arena_alloc(stream->arena, 20);
    nu_headers_set_id(headers, NU_HEADER_CONTENT_LENGTH,
                      nu_str_make(length, nu_u64_to_chars(parts->body.len, length)));
    if (is_new || !nu_headers_has_id(headers, NU_HEADER_CONTENT_TYPE))
        nu_headers_set_id(headers, NU_HEADER_CONTENT_TYPE, parts->content_type);
}

static bool came_before(const struct nu_reply *reply, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (nu_str_eq(reply->headers[i].name, reply->headers[index].name))
            return true;
    }
    return false;
}

static void add_reply_headers(struct nu_headers *headers, const struct nu_reply *reply)
{
    for (size_t i = 0; i < reply->header_count; i++) {
        if (nu_unlikely(came_before(reply, i)))
            nu_headers_add(headers, reply->headers[i].name, reply->headers[i].value);
        else
            nu_headers_set(headers, reply->headers[i].name, reply->headers[i].value);
    }
}

static void add_grpc_headers(struct nu_hcm_stream *stream, struct nu_headers *headers,
                             const struct nu_reply_parts *parts, int grpc_status)
{
    enum nu_grpc_status status = grpc_status >= 0 ? (enum nu_grpc_status)grpc_status
                                                  : nu_grpc_status_from_http(parts->status);
    nu_headers_set_id(headers, NU_HEADER_CONTENT_TYPE, NU_STR("application/grpc"));
    if (!nu_headers_has_id(headers, NU_HEADER_GRPC_STATUS)) {
        char *text = nu_arena_alloc(stream->arena, 20);
        nu_headers_add_id(headers, NU_HEADER_GRPC_STATUS,
                          nu_str_make(text, nu_u64_to_chars(status, text)));
    }
    if (parts->body.len && !nu_stream_has(stream, NU_STREAM_HEAD_REQUEST))
        nu_headers_set_id(headers, NU_HEADER_GRPC_MESSAGE,
                          nu_grpc_message_encode(stream->arena, parts->body));
    nu_headers_remove_id(headers, NU_HEADER_CONTENT_LENGTH);
}

static void set_status(struct nu_hcm_stream *stream, struct nu_headers *headers, uint32_t status)
{
    char *text = nu_arena_alloc(stream->arena, 3);
    nu_status_format(status, text);
    if (nu_headers_has_id(headers, NU_HEADER_STATUS))
        nu_headers_set_id(headers, NU_HEADER_STATUS, nu_str_make(text, 3));
    else
        nu_headers_fill_first(headers, 0, NU_HEADER_STATUS, nu_str_make(text, 3));
}

/* The headers of the reply and of its route: a route that answers itself adds its own behind what
 * the answer needs, one that forwards before what a failure needs. */
static void add_headers(struct nu_hcm_stream *stream, struct nu_headers *headers,
                        const struct nu_reply *reply)
{
    const struct nu_route *route = stream->route.route;
    bool is_answer = nu_str_eq(reply->details, NU_STR("direct_response"));
    bool forwards = route && route->action == NU_ROUTE_CLUSTER;
    if (forwards)
        nu_route_finalize_response(&stream->route, headers, &stream->request_headers,
                                   &stream->info);
    add_reply_headers(headers, reply);
    if (route && !forwards && is_answer && !stream->route.needs_tls)
        nu_route_finalize_response(&stream->route, headers, &stream->request_headers,
                                   &stream->info);
}

/* What the configuration says about replies. Returns whether a content type was set by it. */
static bool map_reply(struct nu_hcm_stream *stream, struct nu_headers *headers,
                      struct nu_reply_parts *parts)
{
    if (nu_likely(!stream->config->local_replies))
        return false;
    struct nu_str before = nu_headers_get_id(headers, NU_HEADER_CONTENT_TYPE);
    /* What was read of a request that could not be is not to be used. */
    struct nu_headers none;
    nu_headers_init(&none, stream->arena, 0);
    bool has_request = nu_stream_has(stream, NU_STREAM_HEADERS_SEEN);
    struct nu_format_context context = {
        .request_headers = has_request ? &stream->request_headers : &none,
        .response_headers = headers,
        .info = &stream->info,
        .local_reply_body = parts->body,
    };
    nu_local_reply_config_apply(stream->config->local_replies, &context, stream->loop->runtime,
                                headers, &stream->info, parts);
    return !nu_str_eq(before, nu_headers_get_id(headers, NU_HEADER_CONTENT_TYPE));
}

static struct nu_headers *make_headers(struct nu_hcm_stream *stream, const struct nu_reply *reply,
                                       struct nu_reply_parts *parts)
{
    enum { ROOM = 16 };
    struct nu_headers *headers = nu_arena_alloc(stream->arena, sizeof(*headers));
    nu_headers_init(headers, stream->arena, ROOM);
    nu_headers_reserve_first(headers, 1);
    set_status(stream, headers, reply->status);
    add_headers(stream, headers, reply);
    bool has_type = map_reply(stream, headers, parts);
    if (nu_stream_has(stream, NU_STREAM_GRPC)) {
        nu_headers_set_id(headers, NU_HEADER_STATUS, NU_STR("200"));
        add_grpc_headers(stream, headers, parts, reply->grpc_status);
        parts->body = nu_str_make(NULL, 0);
    } else if (parts->body.len) {
        add_body_headers(stream, headers, parts, !has_type && !nu_str_eq(parts->body, reply->body));
    } else {
        nu_headers_remove_id(headers, NU_HEADER_CONTENT_LENGTH);
        nu_headers_remove_id(headers, NU_HEADER_CONTENT_TYPE);
    }
    return headers;
}

/* Before there is a chain the reply goes straight to the client, and filters have but the log; the
 * router tells where its route leads. */
static void encode_without_chain(struct nu_hcm_stream *stream, struct nu_headers *headers,
                                 struct nu_buf *body)
{
    bool end = body->len == 0;
    if (nu_unlikely(stream->config->filters.logs || stream->route.route)) {
        bool has_request = nu_stream_has(stream, NU_STREAM_HEADERS_SEEN);
        nu_hcm_open_chain(stream, &stream->config->filters);
        nu_chain_limit_to_log(&stream->chain, has_request ? &stream->request_headers : NULL,
                              headers);
    }
    nu_hcm_encode_headers(&stream->chain, headers, end);
    if (!end)
        nu_hcm_encode_data(&stream->chain, body, true);
    nu_buf_clear(body);
}

void nu_hcm_reply(struct nu_hcm_stream *stream, const struct nu_reply *reply)
{
    struct nu_reply_parts parts = {
        .status = reply->status,
        .body = reply->body,
        .content_type = NU_STR("text/plain"),
    };
    stream->flags |= NU_STREAM_LOCAL_REPLY;
    /* What is called a bad request may have been read in a wrong way, and the next one as well. */
    if (reply->status == 400 && !stream->config->h1.stream_error_on_invalid_message)
        stream->flags |= NU_STREAM_SAW_CLOSE;
    stream->info.response_code_details = reply->details;
    stream->info.response_code = 0;
    struct nu_headers *headers = make_headers(stream, reply, &parts);
    stream->info.response_code = parts.status; /* filters see it, also where gRPC gets 200 */
    struct nu_buf body = {0};
    if (parts.body.len && !nu_stream_has(stream, NU_STREAM_HEAD_REQUEST))
        nu_buf_append(&body, parts.body);
    if (nu_stream_has(stream, NU_STREAM_CHAIN_OPEN))
        nu_chain_encode_reply(&stream->chain, headers, &body);
    else
        encode_without_chain(stream, headers, &body);
}

void nu_hcm_reply_simple(struct nu_hcm_stream *stream, uint32_t status, struct nu_str body,
                         struct nu_str details)
{
    struct nu_reply reply = {
        .status = status,
        .body = body,
        .details = details,
        .grpc_status = -1,
    };
    nu_hcm_reply(stream, &reply);
}
