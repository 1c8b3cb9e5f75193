/* SPDX-License-Identifier: Apache-2.0 */
/* The router's factory. */
#ifndef NU_FILTERS_HTTP_ROUTER_FROM_PROTO_H
#define NU_FILTERS_HTTP_ROUTER_FROM_PROTO_H

#include "filter/factory.h"

/* envoy.filters.http.router */
extern const struct nu_filter_factory nu_router_factory;

#endif
