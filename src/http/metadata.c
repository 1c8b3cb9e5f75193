/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata as one value, a struct of structs. The structs of the namespaces are always made here,
 * so that they may be changed; what is below them may be shared with a configuration.
 */
#include "http/metadata.h"

#include "http/stream_info.h"

struct nu_metadata *nu_metadata_create(struct nu_arena *arena)
{
    struct nu_metadata *metadata = nu_arena_alloc(arena, sizeof(*metadata));
    metadata->arena = arena;
    metadata->namespaces = nu_value_struct();
    return metadata;
}

struct nu_metadata *nu_stream_info_metadata(struct nu_stream_info *info)
{
    if (!info->dynamic_metadata)
        info->dynamic_metadata = nu_metadata_create(info->arena);
    return info->dynamic_metadata;
}

/* The struct of a namespace, made if it is missing. */
static struct nu_value *space_fields(struct nu_metadata *metadata, struct nu_str space)
{
    const struct nu_value *fields = nu_value_get(&metadata->namespaces, space);
    if (!fields) {
        nu_value_set(&metadata->namespaces, metadata->arena, space, nu_value_struct());
        fields = nu_value_get(&metadata->namespaces, space);
    }
    return nu_unconst(fields);
}

void nu_metadata_set(struct nu_metadata *metadata, struct nu_str space, struct nu_str key,
                     struct nu_value value)
{
    nu_value_set(space_fields(metadata, space), metadata->arena, key, value);
}

void nu_metadata_merge(struct nu_metadata *metadata, struct nu_str space,
                       const struct nu_value *fields)
{
    struct nu_value *to = space_fields(metadata, space);
    for (uint32_t i = 0; i < fields->count; i++)
        nu_value_set(to, metadata->arena, fields->fields[i].name, fields->fields[i].value);
}

const struct nu_value *nu_metadata_find(const struct nu_metadata *metadata, struct nu_str space,
                                        const struct nu_str *path, size_t count)
{
    if (!metadata)
        return NULL;
    return nu_value_find(nu_value_get(&metadata->namespaces, space), path, count);
}
