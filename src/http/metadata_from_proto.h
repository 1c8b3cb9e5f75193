/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata from the message of a configuration. Everything is copied into the arena. */
#ifndef NU_HTTP_METADATA_FROM_PROTO_H
#define NU_HTTP_METADATA_FROM_PROTO_H

#include "http/metadata.h"

struct Envoy__Config__Core__V3__Metadata;

/* NULL for NULL. Only filter_metadata is taken over: nothing here understands typed metadata. */
const struct nu_metadata *
nu_metadata_from_proto(const struct Envoy__Config__Core__V3__Metadata *proto,
                       struct nu_arena *arena);

#endif
