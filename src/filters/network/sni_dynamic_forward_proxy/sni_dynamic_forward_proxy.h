/* SPDX-License-Identifier: Apache-2.0 */
/* sni_dynamic_forward_proxy: a network filter that has the server that a TLS client names looked up
 * before its session goes on. */
#ifndef NU_FILTERS_NETWORK_SNI_DYNAMIC_FORWARD_PROXY_H
#define NU_FILTERS_NETWORK_SNI_DYNAMIC_FORWARD_PROXY_H

#include "net/network_factory.h"

extern const struct nu_network_filter_factory nu_sni_dynamic_forward_proxy_factory;

#endif
