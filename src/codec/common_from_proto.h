/* SPDX-License-Identifier: Apache-2.0 */
/* What HttpProtocolOptions say to every codec. Main thread. */
#ifndef NU_CODEC_COMMON_FROM_PROTO_H
#define NU_CODEC_COMMON_FROM_PROTO_H

#include "codec/codec.h"

struct Envoy__Config__Core__V3__HttpProtocolOptions;

/* headers_with_underscores_action. */
enum nu_underscore_action
nu_underscore_action_from_proto(const struct Envoy__Config__Core__V3__HttpProtocolOptions *proto);

#endif
