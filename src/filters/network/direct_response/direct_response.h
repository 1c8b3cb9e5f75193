/* SPDX-License-Identifier: Apache-2.0 */
/* direct_response: a network filter that answers with fixed bytes. Terminal. */
#ifndef NU_FILTERS_NETWORK_DIRECT_RESPONSE_DIRECT_RESPONSE_H
#define NU_FILTERS_NETWORK_DIRECT_RESPONSE_DIRECT_RESPONSE_H

#include "net/network_factory.h"

extern const struct nu_network_filter_factory nu_direct_response_factory;

#endif
