/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata: a struct for each namespace. */
#include "http/metadata_from_proto.h"

#include "config/struct.h"
#include "envoy/config/core/v3/base.pb-c.h"

static struct nu_str copy(struct nu_arena *arena, const char *text)
{
    return nu_arena_dup(arena, nu_str_from(text));
}

const struct nu_metadata *
nu_metadata_from_proto(const struct Envoy__Config__Core__V3__Metadata *proto,
                       struct nu_arena *arena)
{
    if (!proto)
        return NULL;
    struct nu_metadata *metadata = nu_metadata_create(arena);
    for (size_t i = 0; i < proto->n_filter_metadata; i++) {
        struct nu_value fields = nu_struct_from_proto(proto->filter_metadata[i]->value, arena);
        nu_value_set(&metadata->namespaces, arena, copy(arena, proto->filter_metadata[i]->key),
                     fields);
    }
    return metadata;
}
