/* SPDX-License-Identifier: Apache-2.0 */
/* connection_limit: a network filter that lets so many connections through at a time. */
#ifndef NU_FILTERS_NETWORK_CONNECTION_LIMIT_CONNECTION_LIMIT_H
#define NU_FILTERS_NETWORK_CONNECTION_LIMIT_CONNECTION_LIMIT_H

#include "net/network_factory.h"

extern const struct nu_network_filter_factory nu_connection_limit_factory;

#endif
