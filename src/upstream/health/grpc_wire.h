/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of grpc.health.v1.Health/Check: a request that names a service, and a response with its
 * status, each as one message in gRPC's frame (a byte of flags, four of length).
 */
#ifndef NU_UPSTREAM_HEALTH_GRPC_WIRE_H
#define NU_UPSTREAM_HEALTH_GRPC_WIRE_H

#include "base/str.h"

/* Appends the framed request. */
void nu_health_grpc_write(struct nu_strbuf *out, struct nu_str service);

enum nu_health_grpc_result {
    NU_HEALTH_GRPC_MORE,    /* no message is complete yet */
    NU_HEALTH_GRPC_SERVING, /* the one message says so */
    NU_HEALTH_GRPC_OTHER,   /* the one message says something else */
    NU_HEALTH_GRPC_BROKEN,  /* no such message, or more than one */
};

/* How far a response was read; zeroed at its beginning. */
struct nu_health_grpc_reader {
    size_t done; /* bytes of frames that were read */
    enum nu_health_grpc_result result;
};

/* What the bytes of a response, as far as they came, say. Empty messages do not count. */
enum nu_health_grpc_result nu_health_grpc_read(struct nu_str bytes);
/* The same, where there are more of the same bytes than at the last call: only what was not read is
 * looked at. */
enum nu_health_grpc_result nu_health_grpc_read_on(struct nu_health_grpc_reader *reader,
                                                  struct nu_str bytes);

#endif
