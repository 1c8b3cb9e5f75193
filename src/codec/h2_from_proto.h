/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 settings from their configuration. Main thread. */
#ifndef NU_CODEC_H2_FROM_PROTO_H
#define NU_CODEC_H2_FROM_PROTO_H

#include "codec/h2.h"
#include "config/factory.h"

struct Envoy__Config__Core__V3__Http2ProtocolOptions;
struct Envoy__Config__Core__V3__HttpProtocolOptions;

/* Sets what the message sets, over the defaults that are there (nu_h2_options_init); adds errors.
 * Lists live in factory->arena. */
void nu_h2_options_from_proto(struct nu_factory *factory, struct nu_h2_options *options,
                              const struct Envoy__Config__Core__V3__Http2ProtocolOptions *proto);
/* The part of HttpProtocolOptions that the codec obeys: header count and underscores. */
void nu_h2_options_from_common(struct nu_h2_options *options,
                               const struct Envoy__Config__Core__V3__HttpProtocolOptions *proto);

#endif
