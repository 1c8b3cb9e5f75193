/* SPDX-License-Identifier: Apache-2.0 */
/* rbac: a network filter that lets connections through or not, by who they come from. */
#ifndef NU_FILTERS_NETWORK_RBAC_RBAC_H
#define NU_FILTERS_NETWORK_RBAC_RBAC_H

#include "net/network_factory.h"

extern const struct nu_network_filter_factory nu_network_rbac_factory;

#endif
