/* SPDX-License-Identifier: Apache-2.0 */
/* The transport socket of clusters that puts a PROXY header in front; see its .c file. */
#ifndef NU_NET_UPSTREAM_PROXY_H
#define NU_NET_UPSTREAM_PROXY_H

#include "net/transport_socket.h"

extern const struct nu_transport_socket_class nu_upstream_proxy_socket;

#endif
