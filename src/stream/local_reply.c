/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local replies: responses that nuncio makes itself. They run through the encode filters like any
 * other; a gRPC client gets its status in headers only, with HTTP 200.
 */
#include "http/grpc.h"
#include "http/status.h"
#include "stream/stream_internal.h"

static void add_body_headers(struct nu_hcm_stream *stream, struct nu_headers *headers,
                             struct nu_str body)
{
    char *length = nu_arena_alloc(stream->arena, 20);
    nu_headers_add_id(headers, NU_HEADER_CONTENT_LENGTH,
                      nu_str_make(length, nu_u64_to_chars(body.len, length)));
    if (!nu_headers_has_id(headers, NU_HEADER_CONTENT_TYPE))
        nu_headers_add_id(headers, NU_HEADER_CONTENT_TYPE, NU_STR("text/plain"));
}

static void add_reply_headers(struct nu_headers *headers, const struct nu_reply *reply)
{
    for (size_t i = 0; i < reply->header_count; i++)
        nu_headers_set(headers, reply->headers[i].name, reply->headers[i].value);
}

static void add_grpc_headers(struct nu_hcm_stream *stream, struct nu_headers *headers,
                             const struct nu_reply *reply)
{
    enum nu_grpc_status status = reply->grpc_status >= 0 ? (enum nu_grpc_status)reply->grpc_status
                                                         : nu_grpc_status_from_http(reply->status);
    char *text = nu_arena_alloc(stream->arena, 20);
    nu_headers_add_id(headers, NU_HEADER_CONTENT_TYPE, NU_STR("application/grpc"));
    nu_headers_add_id(headers, NU_HEADER_GRPC_STATUS,
                      nu_str_make(text, nu_u64_to_chars(status, text)));
    if (reply->body.len)
        nu_headers_add_id(headers, NU_HEADER_GRPC_MESSAGE,
                          nu_grpc_message_encode(stream->arena, reply->body));
}

static void set_status(struct nu_hcm_stream *stream, struct nu_headers *headers, uint32_t status)
{
    char *text = nu_arena_alloc(stream->arena, 3);
    nu_status_format(status, text);
    nu_headers_fill_first(headers, 0, NU_HEADER_STATUS, nu_str_make(text, 3));
}

static struct nu_headers *make_headers(struct nu_hcm_stream *stream, const struct nu_reply *reply,
                                       struct nu_str *body)
{
    enum { ROOM = 16 };
    struct nu_headers *headers = nu_arena_alloc(stream->arena, sizeof(*headers));
    nu_headers_init(headers, stream->arena, ROOM);
    nu_headers_reserve_first(headers, 1);
    bool grpc = nu_stream_has(stream, NU_STREAM_GRPC);
    set_status(stream, headers, grpc ? 200 : reply->status);
    if (stream->route.route)
        nu_route_finalize_response(&stream->route, headers, &stream->request_headers,
                                   &stream->info);
    add_reply_headers(headers, reply);
    if (grpc) {
        add_grpc_headers(stream, headers, reply);
        *body = nu_str_make(NULL, 0);
    } else if (body->len) {
        add_body_headers(stream, headers, *body);
    }
    return headers;
}

/* Before there is a chain the reply goes straight to the client. */
static void encode_without_chain(struct nu_hcm_stream *stream, struct nu_headers *headers,
                                 struct nu_buf *body)
{
    bool end = body->len == 0;
    nu_hcm_encode_headers(&stream->chain, headers, end);
    if (!end)
        nu_hcm_encode_data(&stream->chain, body, true);
    nu_buf_clear(body);
}

void nu_hcm_reply(struct nu_hcm_stream *stream, const struct nu_reply *reply)
{
    struct nu_str text = reply->body;
    stream->flags |= NU_STREAM_LOCAL_REPLY;
    stream->info.response_code_details = reply->details;
    stream->info.response_code = 0;
    struct nu_headers *headers = make_headers(stream, reply, &text);
    stream->local_reply_body = nu_arena_dup(stream->arena, reply->body);
    struct nu_buf body = {0};
    if (text.len && !nu_stream_has(stream, NU_STREAM_HEAD_REQUEST))
        nu_buf_append(&body, text);
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
