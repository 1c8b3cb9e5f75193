/* SPDX-License-Identifier: Apache-2.0 */
/* How a network filter comes from a configuration. Main thread, while loading. */
#ifndef NU_NET_NETWORK_FACTORY_H
#define NU_NET_NETWORK_FACTORY_H

#include "config/factory.h"
#include "net/network_filter.h"

struct nu_network_filter_factory {
    const char *name; /* canonical, such as "envoy.filters.network.http_connection_manager" */
    const char *type; /* full name of the configuration's message */
    const struct nu_network_filter_class *cls;
    /* Makes the configuration, NULL after adding an error. */
    const void *(*create)(struct nu_factory *factory, const ProtobufCMessage *config);
};

#endif
