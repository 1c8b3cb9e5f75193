/* SPDX-License-Identifier: Apache-2.0 */
/* local_ratelimit: a network filter that lets so many new connections through in a while. */
#ifndef NU_FILTERS_NETWORK_LOCAL_RATELIMIT_LOCAL_RATELIMIT_H
#define NU_FILTERS_NETWORK_LOCAL_RATELIMIT_LOCAL_RATELIMIT_H

#include "net/network_factory.h"

extern const struct nu_network_filter_factory nu_local_ratelimit_factory;

#endif
