/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling route tables. Main thread. */
#ifndef NU_ROUTE_ROUTE_FROM_PROTO_H
#define NU_ROUTE_ROUTE_FROM_PROTO_H

#include "route/route.h"

struct Envoy__Config__Route__V3__RouteConfiguration;
struct Google__Protobuf__Any;
struct nu_config_ctx;
struct nu_stats;

/* What the table is compiled with; its user fills it. */
struct nu_route_factory {
    struct nu_config_ctx *ctx;        /* takes the errors */
    const struct nu_runtime *runtime; /* bounds the size of regexes; may be NULL */
    struct nu_stats *stats;           /* keeps the sets of routes and virtual clusters */
    /* Whether unknown clusters are errors when the table does not say (validate_clusters): true for
     * a table inside a listener, false for one that comes by xDS. */
    bool validate_clusters;
    /* Whether a cluster of that name exists; NULL: all do. */
    bool (*has_cluster)(void *context, struct nu_str name);
    /*
     * Compiles what a level of the table says to the filter called `name`, in `arena`, which lives
     * as long as the table. NULL after adding an error about `config`; also without one when the
     * configuration is for no filter that exists and `is_optional` is set. May be NULL itself: then
     * all are left out.
     */
    const void *(*filter_config)(void *context, struct nu_arena *arena, const char *name,
                                 const struct Google__Protobuf__Any *config, bool is_optional);
    /* Told of each filter that a level of the table disables; may be NULL. `where` is a message, for
     * what there is to say about it. */
    void (*filter_disabled)(void *context, const char *name, const void *where);
    void *context; /* passed to all of them */
};

/* A table with one reference, or NULL after adding errors. Nothing of the message is kept. */
struct nu_route_table *
nu_route_table_from_proto(const struct Envoy__Config__Route__V3__RouteConfiguration *proto,
                          const struct nu_route_factory *factory);

#endif
