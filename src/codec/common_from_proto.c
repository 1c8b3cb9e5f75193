/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of HttpProtocolOptions what is the same for all codecs. */
#include "codec/common_from_proto.h"

#include "envoy/config/core/v3/protocol.pb-c.h"

enum nu_underscore_action
nu_underscore_action_from_proto(const Envoy__Config__Core__V3__HttpProtocolOptions *proto)
{
    switch (proto->headers_with_underscores_action) {
    case ENVOY__CONFIG__CORE__V3__HTTP_PROTOCOL_OPTIONS__HEADERS_WITH_UNDERSCORES_ACTION__REJECT_REQUEST:
        return NU_UNDERSCORE_REJECT;
    case ENVOY__CONFIG__CORE__V3__HTTP_PROTOCOL_OPTIONS__HEADERS_WITH_UNDERSCORES_ACTION__DROP_HEADER:
        return NU_UNDERSCORE_DROP;
    default:
        return NU_UNDERSCORE_ALLOW;
    }
}
