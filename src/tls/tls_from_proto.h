/* SPDX-License-Identifier: Apache-2.0 */
/* TLS as a transport socket of listeners and clusters. */
#ifndef NU_TLS_TLS_FROM_PROTO_H
#define NU_TLS_TLS_FROM_PROTO_H

#include "net/transport_socket.h"

extern const struct nu_transport_socket_class nu_tls_socket;

#endif
