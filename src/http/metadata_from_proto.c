/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata messages. */
#include "http/metadata_from_proto.h"

#include "config/struct.h"
#include "envoy/config/core/v3/base.pb-c.h"

const struct nu_metadata *
nu_metadata_from_proto(const struct Envoy__Config__Core__V3__Metadata *proto,
                       struct nu_arena *arena)
{
    if (!proto)
        return NULL;
    struct nu_metadata *metadata = nu_metadata_create(arena);
    for (size_t i = 0; i < proto->n_filter_metadata; i++) {
        struct nu_str space = nu_arena_dup(arena, nu_str_from(proto->filter_metadata[i]->key));
        nu_value_set(&metadata->namespaces, arena, space,
                     nu_struct_from_proto(proto->filter_metadata[i]->value, arena));
    }
    return metadata;
}
