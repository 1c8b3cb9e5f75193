/* SPDX-License-Identifier: Apache-2.0 */
/* Route tables whose per-route filter configurations are made by the filters' factories. */
#ifndef NU_FILTER_ROUTE_TABLE_H
#define NU_FILTER_ROUTE_TABLE_H

#include "config/factory.h"
#include "filter/chain.h"
#include "route/route.h"

struct Envoy__Config__Route__V3__RouteConfiguration;

/* The filter chains that use a table. */
struct nu_filter_chains {
    const struct nu_filter_chain_config *const *items;
    size_t count;
};

/* Compiles a RouteConfiguration that is part of a listener: it may only name clusters that exist,
 * unless it says otherwise (validate_clusters). What it says to a filter that is in none of the
 * chains gets a warning. One reference, or NULL after adding errors. Main thread. */
struct nu_route_table *
nu_filter_route_table_from_proto(struct nu_factory *factory, const struct nu_filter_chains *chains,
                                 const struct Envoy__Config__Route__V3__RouteConfiguration *proto);

#endif
