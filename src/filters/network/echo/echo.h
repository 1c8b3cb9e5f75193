/* SPDX-License-Identifier: Apache-2.0 */
/* echo: a network filter that sends back what comes. Terminal. */
#ifndef NU_FILTERS_NETWORK_ECHO_ECHO_H
#define NU_FILTERS_NETWORK_ECHO_ECHO_H

#include "net/network_factory.h"

extern const struct nu_network_filter_factory nu_echo_factory;

#endif
