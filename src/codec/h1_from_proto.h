/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 settings from their configuration. Main thread. */
#ifndef NU_CODEC_H1_FROM_PROTO_H
#define NU_CODEC_H1_FROM_PROTO_H

#include "codec/h1.h"
#include "config/factory.h"

struct Envoy__Config__Core__V3__Http1ProtocolOptions;
struct Envoy__Config__Core__V3__HttpProtocolOptions;

/* Sets what the message sets; adds errors. Texts live in factory->arena. */
void nu_h1_options_from_proto(struct nu_factory *factory, struct nu_h1_options *options,
                              const struct Envoy__Config__Core__V3__Http1ProtocolOptions *proto);
/* The part of HttpProtocolOptions that the codec obeys: header count and underscores. */
void nu_h1_options_from_common(struct nu_h1_options *options,
                               const struct Envoy__Config__Core__V3__HttpProtocolOptions *proto);

#endif
