/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A GrpcService: which cluster is called and what every request to it says. Immutable; everything in it
 * lives in the arena that it was made in.
 */
#ifndef NU_CLIENT_GRPC_SERVICE_H
#define NU_CLIENT_GRPC_SERVICE_H

#include "base/arena.h"

struct nu_grpc_stream;
struct nu_retry_policy;

struct nu_grpc_metadata {
    struct nu_str name;
    struct nu_str value;
};

struct nu_grpc_service {
    struct nu_str cluster;
    struct nu_str authority;                 /* empty: the cluster's name */
    const struct nu_grpc_metadata *metadata; /* initial, of every request */
    size_t metadata_count;
    uint32_t max_message_bytes;          /* of a received message; 0: the caller's */
    bool is_anonymous;                   /* requests do not say that they are ours */
    const struct nu_retry_policy *retry; /* NULL: nothing is tried again */
};

enum nu_grpc_service_result {
    NU_GRPC_SERVICE_OK,
    NU_GRPC_SERVICE_NONE,    /* the bytes are no GrpcService, or one without a target */
    NU_GRPC_SERVICE_REFUSED, /* it asks for what cannot be: `error` says so, a line each */
};

/* Reads a serialised GrpcService. Rules of the configuration are not applied: a cluster that is not
 * there is found out by who calls it. Any thread. */
NU_MUST_USE enum nu_grpc_service_result nu_grpc_service_read(struct nu_arena *arena,
                                                             struct nu_str bytes,
                                                             struct nu_grpc_service *service,
                                                             struct nu_strbuf *error);

/* Adds the service's metadata to a stream that is not open yet. */
void nu_grpc_service_add_metadata(const struct nu_grpc_service *service,
                                  struct nu_grpc_stream *stream);

#endif
