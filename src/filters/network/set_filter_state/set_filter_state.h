/* SPDX-License-Identifier: Apache-2.0 */
/* set_filter_state: a network filter that sets filter state when a connection comes. */
#ifndef NU_FILTERS_NETWORK_SET_FILTER_STATE_SET_FILTER_STATE_H
#define NU_FILTERS_NETWORK_SET_FILTER_STATE_SET_FILTER_STATE_H

#include "net/network_factory.h"

extern const struct nu_network_filter_factory nu_network_set_filter_state_factory;

#endif
