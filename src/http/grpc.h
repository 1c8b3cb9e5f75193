/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What HTTP needs to know of gRPC: telling its requests, answering them with a status, its
 * timeouts.
 */
#ifndef NU_HTTP_GRPC_H
#define NU_HTTP_GRPC_H

#include "base/arena.h"

struct nu_headers;

enum nu_grpc_status {
    NU_GRPC_OK,
    NU_GRPC_CANCELED,
    NU_GRPC_UNKNOWN,
    NU_GRPC_INVALID_ARGUMENT,
    NU_GRPC_DEADLINE_EXCEEDED,
    NU_GRPC_NOT_FOUND,
    NU_GRPC_ALREADY_EXISTS,
    NU_GRPC_PERMISSION_DENIED,
    NU_GRPC_RESOURCE_EXHAUSTED,
    NU_GRPC_FAILED_PRECONDITION,
    NU_GRPC_ABORTED,
    NU_GRPC_OUT_OF_RANGE,
    NU_GRPC_UNIMPLEMENTED,
    NU_GRPC_INTERNAL,
    NU_GRPC_UNAVAILABLE,
    NU_GRPC_DATA_LOSS,
    NU_GRPC_UNAUTHENTICATED,
    NU_GRPC_STATUS_COUNT,
};

/* Whether a content-type is gRPC's: "application/grpc", alone or with "+" and anything behind. */
bool nu_grpc_is_content_type(struct nu_str content_type);

/* The grpc-status of a local reply with this HTTP status. */
enum nu_grpc_status nu_grpc_status_from_http(unsigned status);
/* The HTTP status that stands for a gRPC one where outcomes are counted, as in outlier
 * detection. */
unsigned nu_grpc_status_to_http(enum nu_grpc_status status);

/*
 * The status of a response: the grpc-status of its trailers, else of its headers, else what its
 * HTTP status stands for. Either map may be NULL. Numbers without a name come out as they are, text
 * that is no number as -1. False if there is none, as when `http_status` is 0.
 */
NU_MUST_USE bool nu_grpc_response_status(const struct nu_headers *trailers,
                                         const struct nu_headers *headers, unsigned http_status,
                                         int64_t *out);

/* A grpc-message value: bytes outside of ' ' to '}', and '%', become %XX. A copy only if needed. */
struct nu_str nu_grpc_message_encode(struct nu_arena *arena, struct nu_str message);

enum { NU_GRPC_TIMEOUT_LEN_MAX = 24 };
/* A grpc-timeout value in milliseconds, rounded up; false if it is not valid. */
NU_MUST_USE bool nu_grpc_timeout_parse(struct nu_str value, uint64_t *timeout_ms);
/* Writes a timeout in the finest unit from milliseconds on that needs at most eight digits; returns
 * the length. */
size_t nu_grpc_timeout_format(uint64_t timeout_ms, char out[NU_GRPC_TIMEOUT_LEN_MAX]);

#endif
