/* SPDX-License-Identifier: Apache-2.0 */
/* Health checks by gRPC's health service. */
#ifndef NU_UPSTREAM_HEALTH_GRPC_PROBE_H
#define NU_UPSTREAM_HEALTH_GRPC_PROBE_H

#include "upstream/health/probe.h"

struct nu_header_edits;

/* Settings; immutable, from the configuration. */
struct nu_health_grpc {
    struct nu_str message;               /* the request's, with its frame */
    struct nu_str authority;             /* empty: the cluster's name */
    const struct nu_header_edits *edits; /* initial metadata; may be NULL */
};

/* `settings` is a struct nu_health_grpc. */
extern const struct nu_health_probe_class nu_health_grpc_probe;

#endif
