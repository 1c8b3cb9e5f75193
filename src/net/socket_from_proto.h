/* SPDX-License-Identifier: Apache-2.0 */
/* Socket options from the messages of a configuration. Main thread. */
#ifndef NU_NET_SOCKET_FROM_PROTO_H
#define NU_NET_SOCKET_FROM_PROTO_H

#include "base/arena.h"
#include "net/socket.h"

struct Envoy__Config__Core__V3__SocketOption;

/* The option; its value and description are copied into `arena`. */
struct nu_socket_option
nu_socket_option_from_proto(struct nu_arena *arena,
                            const struct Envoy__Config__Core__V3__SocketOption *proto);
/* An option whose value is a number, copied into `arena`. */
struct nu_socket_option nu_socket_option_int(struct nu_arena *arena, int level, int name,
                                             int value);

#endif
