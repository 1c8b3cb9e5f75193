/* SPDX-License-Identifier: Apache-2.0 */
/* Reading which values of PROXY headers are passed on. */
#include "net/proxy_data_from_proto.h"

#include "envoy/config/core/v3/proxy_protocol.pb-c.h"

void nu_proxy_tlv_choice_from_proto(
    const Envoy__Config__Core__V3__ProxyProtocolPassThroughTLVs *proto,
    struct nu_proxy_tlv_choice *out)
{
    *out = (struct nu_proxy_tlv_choice){0};
    if (!proto)
        return;
    out->all =
        proto->match_type ==
        ENVOY__CONFIG__CORE__V3__PROXY_PROTOCOL_PASS_THROUGH_TLVS__PASS_TLVS_MATCH_TYPE__INCLUDE_ALL;
    for (size_t i = 0; i < proto->n_tlv_type; i++)
        nu_proxy_tlv_choose(out, (uint8_t)proto->tlv_type[i]);
}
