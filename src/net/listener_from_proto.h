/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners from their configuration. Main thread. */
#ifndef NU_NET_LISTENER_FROM_PROTO_H
#define NU_NET_LISTENER_FROM_PROTO_H

#include "net/listener.h"
#include "net/network_factory.h"

struct Envoy__Config__Core__V3__Address;
struct Envoy__Config__Listener__V3__Listener;

/* A listener's settings in factory->arena, NULL after adding errors. */
const struct nu_listener_config *
nu_listener_config_from_proto(struct nu_factory *factory,
                              const struct Envoy__Config__Listener__V3__Listener *proto);

/* An address to listen on (an IP or a unix path); false after adding an error about `field` of
 * `owner`. Texts live in factory->arena. */
NU_MUST_USE bool nu_listen_address_from_proto(struct nu_factory *factory, const void *owner,
                                              const char *field,
                                              const struct Envoy__Config__Core__V3__Address *proto,
                                              struct nu_listen_params *out);

#endif
