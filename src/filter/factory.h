/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an HTTP filter comes from a configuration: the built-in filters are listed by the server, in
 * one table; plug-ins come through the `plugin` filter. Main thread, while loading.
 */
#ifndef NU_FILTER_FACTORY_H
#define NU_FILTER_FACTORY_H

#include "config/factory.h"
#include "filter/chain.h"

struct nu_filter_factory {
    const char *name;       /* canonical, such as "envoy.filters.http.router" */
    const char *type;       /* full name of the configuration's message */
    const char *route_type; /* of the per-route configuration; NULL if there is none */
    /*
     * Makes the configuration and says which class runs it. False after adding an error. `config`
     * is never NULL and was checked against the API's rules.
     */
    bool (*create)(struct nu_factory *factory, const ProtobufCMessage *config,
                   const struct nu_filter_class **cls, const void **out);
    /* Makes a per-route configuration for filters of a class. False after adding an error. NULL
     * without route_type. */
    bool (*create_route)(struct nu_factory *factory, const ProtobufCMessage *config,
                         const struct nu_filter_class **cls, const void **out);
};

/* The factory whose configuration (or per-route configuration) has this message type, or NULL. */
const struct nu_filter_factory *
nu_filter_factory_find(const struct nu_filter_factory *const *factories, struct nu_str type);
const struct nu_filter_factory *
nu_filter_factory_find_route(const struct nu_filter_factory *const *factories, struct nu_str type);

#endif
