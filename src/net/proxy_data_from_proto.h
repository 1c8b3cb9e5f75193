/* SPDX-License-Identifier: Apache-2.0 */
/* Which values of PROXY headers are passed on, from the configuration. Main thread. */
#ifndef NU_NET_PROXY_DATA_FROM_PROTO_H
#define NU_NET_PROXY_DATA_FROM_PROTO_H

#include "http/proxy_data.h"

struct Envoy__Config__Core__V3__ProxyProtocolPassThroughTLVs;

/* NULL chooses none. */
void nu_proxy_tlv_choice_from_proto(
    const struct Envoy__Config__Core__V3__ProxyProtocolPassThroughTLVs *proto,
    struct nu_proxy_tlv_choice *out);

#endif
