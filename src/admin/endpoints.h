/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster's hosts as the message that could have brought them. Main thread. */
#ifndef NU_ADMIN_ENDPOINTS_H
#define NU_ADMIN_ENDPOINTS_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"

struct nu_cluster;

/* An envoy.config.endpoint.v3.ClusterLoadAssignment in `arena`. */
const ProtobufCMessage *nu_admin_make_endpoints(const struct nu_cluster *cluster,
                                                struct nu_arena *arena);

#endif
