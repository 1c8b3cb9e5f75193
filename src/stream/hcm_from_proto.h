/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP connection manager from its configuration. Main thread. */
#ifndef NU_STREAM_HCM_FROM_PROTO_H
#define NU_STREAM_HCM_FROM_PROTO_H

#include "net/network_factory.h"

/* envoy.filters.network.http_connection_manager; makes a struct nu_hcm. */
extern const struct nu_network_filter_factory nu_hcm_factory;

#endif
