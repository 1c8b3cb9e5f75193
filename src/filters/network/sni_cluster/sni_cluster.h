/* SPDX-License-Identifier: Apache-2.0 */
/* sni_cluster: a network filter that sends a session to the cluster of the server name. */
#ifndef NU_FILTERS_NETWORK_SNI_CLUSTER_SNI_CLUSTER_H
#define NU_FILTERS_NETWORK_SNI_CLUSTER_SNI_CLUSTER_H

#include "net/network_factory.h"

extern const struct nu_network_filter_factory nu_sni_cluster_factory;

#endif
