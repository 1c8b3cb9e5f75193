/* SPDX-License-Identifier: Apache-2.0 */
/* Values and metadata from the messages of a configuration. Everything is copied into the arena. */
#ifndef NU_HTTP_METADATA_FROM_PROTO_H
#define NU_HTTP_METADATA_FROM_PROTO_H

#include "http/metadata.h"

struct Envoy__Config__Core__V3__Metadata;
struct Google__Protobuf__Struct;
struct Google__Protobuf__Value;

/* A struct value; an empty one for NULL. */
struct nu_value nu_value_from_struct_proto(const struct Google__Protobuf__Struct *proto,
                                           struct nu_arena *arena);
/* Null for NULL, and for a value that is not set. */
struct nu_value nu_value_from_value_proto(const struct Google__Protobuf__Value *proto,
                                          struct nu_arena *arena);
/* NULL for NULL. Only filter_metadata is taken over: nothing here understands typed metadata. */
const struct nu_metadata *
nu_metadata_from_proto(const struct Envoy__Config__Core__V3__Metadata *proto,
                       struct nu_arena *arena);

#endif
