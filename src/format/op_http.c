/* SPDX-License-Identifier: Apache-2.0 */
/* Operators on headers, trailers, the path and gRPC's status, and what the context itself holds. */
#include <stdio.h>

#include "format/format_internal.h"
#include "http/grpc.h"
#include "http/headers.h"
#include "http/path.h"
#include "http/query.h"
#include "http/stream_info.h"

static const struct nu_headers *find_map(const struct nu_format_context *context,
                                         enum nu_header_map map)
{
    switch (map) {
    case NU_MAP_REQUEST:
        return context->request_headers;
    case NU_MAP_RESPONSE:
        return context->response_headers;
    case NU_MAP_TRAILER:
        return context->response_trailers;
    }
    return NULL;
}

/* ptr is NULL if there is none. */
static struct nu_str find_header(const struct nu_headers *headers, enum nu_header_id id,
                                 struct nu_str name)
{
    if (id != NU_HEADER_OTHER && headers->used <= NU_HEADERS_INDEXED)
        return nu_headers_get_id(headers, id);
    return nu_headers_get(headers, name);
}

static struct nu_str choose_header(const struct nu_headers *headers,
                                   const struct nu_header_choice *choice)
{
    struct nu_str value = find_header(headers, choice->id[0], choice->name[0]);
    if (!value.ptr && choice->name[1].len)
        value = find_header(headers, choice->id[1], choice->name[1]);
    return value;
}

static void give_header(struct nu_op_result *result, struct nu_str value)
{
    if (value.ptr)
        nu_op_give_text(result, value);
    else
        result->kind = NU_OP_NONE;
}

/* Variant: enum nu_header_map. Detail: enum nu_query_use. */
void nu_op_header(const struct nu_format_part *part, const struct nu_format_context *context,
                  struct nu_op_result *result)
{
    const struct nu_headers *headers = find_map(context, (enum nu_header_map)part->variant);
    if (nu_unlikely(!headers)) {
        result->kind = NU_OP_NONE;
        return;
    }
    struct nu_str value = choose_header(headers, &part->header);
    if (part->detail == NU_QUERY_WITHOUT && value.ptr)
        value = nu_path_without_query(value);
    give_header(result, value);
}

void nu_op_header_bytes(const struct nu_format_part *part, const struct nu_format_context *context,
                        struct nu_op_result *result)
{
    const struct nu_headers *headers = find_map(context, (enum nu_header_map)part->variant);
    nu_op_give_number(result, headers ? (int64_t)nu_headers_byte_size(headers) : 0);
}

static struct nu_str choose_path(const struct nu_headers *headers, enum nu_path_choice choice)
{
    struct nu_str path = {NULL, 0};
    if (choice != NU_PATH_CURRENT)
        path = nu_headers_get_id(headers, NU_HEADER_X_ENVOY_ORIGINAL_PATH);
    if (choice != NU_PATH_ORIGINAL && !path.len)
        path = nu_headers_get_id(headers, NU_HEADER_PATH);
    return path.len ? path : nu_str_make(NULL, 0);
}

/* Variant: enum nu_path_choice. Detail: enum nu_query_use. */
void nu_op_path(const struct nu_format_part *part, const struct nu_format_context *context,
                struct nu_op_result *result)
{
    struct nu_str path = {NULL, 0};
    if (context->request_headers)
        path = choose_path(context->request_headers, (enum nu_path_choice)part->variant);
    if (part->detail == NU_QUERY_WITHOUT && path.ptr)
        path = nu_path_without_query(path);
    give_header(result, path);
}

void nu_op_query_param(const struct nu_format_part *part, const struct nu_format_context *context,
                       struct nu_op_result *result)
{
    result->kind = NU_OP_NONE;
    if (!context->request_headers)
        return;
    struct nu_query query =
        nu_query_open(nu_headers_get_id(context->request_headers, NU_HEADER_PATH));
    struct nu_arena *arena = context->info->arena;
    struct nu_str name;
    struct nu_str value;
    while (nu_query_next(&query, &name, &value)) {
        if (nu_str_eq(nu_percent_decode(arena, name), part->text)) {
            nu_op_give_text(result, nu_percent_decode(arena, value));
            return;
        }
    }
}

static const struct nu_str grpc_camel[NU_GRPC_STATUS_COUNT] = {
    NU_STR_INIT("OK"),
    NU_STR_INIT("Canceled"),
    NU_STR_INIT("Unknown"),
    NU_STR_INIT("InvalidArgument"),
    NU_STR_INIT("DeadlineExceeded"),
    NU_STR_INIT("NotFound"),
    NU_STR_INIT("AlreadyExists"),
    NU_STR_INIT("PermissionDenied"),
    NU_STR_INIT("ResourceExhausted"),
    NU_STR_INIT("FailedPrecondition"),
    NU_STR_INIT("Aborted"),
    NU_STR_INIT("OutOfRange"),
    NU_STR_INIT("Unimplemented"),
    NU_STR_INIT("Internal"),
    NU_STR_INIT("Unavailable"),
    NU_STR_INIT("DataLoss"),
    NU_STR_INIT("Unauthenticated"),
};

static const struct nu_str grpc_snake[NU_GRPC_STATUS_COUNT] = {
    NU_STR_INIT("OK"),
    NU_STR_INIT("CANCELLED"),
    NU_STR_INIT("UNKNOWN"),
    NU_STR_INIT("INVALID_ARGUMENT"),
    NU_STR_INIT("DEADLINE_EXCEEDED"),
    NU_STR_INIT("NOT_FOUND"),
    NU_STR_INIT("ALREADY_EXISTS"),
    NU_STR_INIT("PERMISSION_DENIED"),
    NU_STR_INIT("RESOURCE_EXHAUSTED"),
    NU_STR_INIT("FAILED_PRECONDITION"),
    NU_STR_INIT("ABORTED"),
    NU_STR_INIT("OUT_OF_RANGE"),
    NU_STR_INIT("UNIMPLEMENTED"),
    NU_STR_INIT("INTERNAL"),
    NU_STR_INIT("UNAVAILABLE"),
    NU_STR_INIT("DATA_LOSS"),
    NU_STR_INIT("UNAUTHENTICATED"),
};

static bool is_grpc(const struct nu_headers *request)
{
    return request && nu_grpc_is_content_type(nu_headers_get_id(request, NU_HEADER_CONTENT_TYPE));
}

/* Variant: enum nu_grpc_style. Codes without a name print as numbers, but as text. */
void nu_op_grpc_status(const struct nu_format_part *part, const struct nu_format_context *context,
                       struct nu_op_result *result)
{
    int64_t status;
    if (!is_grpc(context->request_headers) ||
        !nu_grpc_response_status(context->response_trailers, context->response_headers,
                                 context->info->response_code, &status)) {
        result->kind = NU_OP_NONE;
        return;
    }
    bool has_name = status >= 0 && status < NU_GRPC_STATUS_COUNT;
    if (part->variant == NU_GRPC_NUMBER) {
        nu_op_give_number(result, status);
    } else if (has_name) {
        nu_op_give_text(result, (part->variant == NU_GRPC_CAMEL ? grpc_camel : grpc_snake)[status]);
    } else {
        int len = snprintf(result->scratch, NU_OP_SCRATCH, "%lld", (long long)status);
        nu_op_give_text(result, nu_str_make(result->scratch, (size_t)len));
    }
}

void nu_op_local_reply_body(const struct nu_format_part *part,
                            const struct nu_format_context *context, struct nu_op_result *result)
{
    (void)part;
    nu_op_give_text(result, context->local_reply_body);
}

void nu_op_log_type(const struct nu_format_part *part, const struct nu_format_context *context,
                    struct nu_op_result *result)
{
    (void)part;
    nu_op_give_text(result, nu_access_log_type_name(context->log_type));
}
