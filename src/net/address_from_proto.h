/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses from the messages of a configuration. Main thread. */
#ifndef NU_NET_ADDRESS_FROM_PROTO_H
#define NU_NET_ADDRESS_FROM_PROTO_H

#include "config/factory.h"

struct Envoy__Config__Core__V3__Address;

/* The IP address and port, or the path of the pipe (copied into `arena`). `advice` ends the error
 * about an address that is a name. False after adding an error, which for a missing address names
 * `field` of `owner`. */
NU_MUST_USE bool nu_address_from_proto(struct nu_factory *factory, const void *owner,
                                       const char *field,
                                       const struct Envoy__Config__Core__V3__Address *proto,
                                       const char *advice, struct nu_arena *arena,
                                       struct nu_address *out);

#endif
