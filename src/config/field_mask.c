/* SPDX-License-Identifier: Apache-2.0 */
/* Field masks. */
#include "config/field_mask.h"

#include "config/schema.h"

static struct nu_field_mask *find(const struct nu_field_mask *mask, struct nu_str name)
{
    struct nu_field_mask *child = mask->children;
    while (child && !nu_str_eq(child->name, name))
        child = child->next;
    return child;
}

static struct nu_field_mask *find_or_add(struct nu_field_mask *mask, struct nu_str name,
                                         struct nu_arena *arena)
{
    struct nu_field_mask *child = find(mask, name);
    if (child)
        return child;
    child = nu_arena_calloc(arena, sizeof(*child));
    child->name = nu_arena_dup(arena, name);
    child->next = mask->children;
    mask->children = child;
    return child;
}

static bool is_reserved(const ProtobufCMessageDescriptor *descriptor, struct nu_str name)
{
    const struct nu_message_meta *meta = nu_schema_meta(descriptor);
    for (size_t i = 0; i < meta->reserved_count; i++) {
        if (nu_str_eq(name, nu_str_from(meta->reserved[i].name)))
            return true;
    }
    return false;
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *descriptor,
                                                  struct nu_str name)
{
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        if (nu_str_eq(name, nu_str_from(descriptor->fields[i].name)))
            return &descriptor->fields[i];
    }
    return NULL;
}

bool nu_field_mask_add(struct nu_field_mask *mask, struct nu_str path,
                       const ProtobufCMessageDescriptor *descriptor, struct nu_arena *arena)
{
    while (path.ptr) {
        struct nu_str name = nu_str_split(&path, '.');
        if (!descriptor)
            return false;
        const ProtobufCFieldDescriptor *field = find_field(descriptor, name);
        if (!field && !is_reserved(descriptor, name))
            return false;
        mask = find_or_add(mask, name, arena);
        if (!field)
            break;
        bool is_single_message =
            field->type == PROTOBUF_C_TYPE_MESSAGE && field->label != PROTOBUF_C_LABEL_REPEATED;
        descriptor = is_single_message ? field->descriptor : NULL;
    }
    mask->is_whole = true;
    return true;
}

bool nu_field_mask_wants(const struct nu_field_mask *mask, const char *name,
                         const struct nu_field_mask **inner)
{
    *inner = NULL;
    if (!mask || mask->is_whole)
        return true;
    const struct nu_field_mask *child = find(mask, nu_str_from(name));
    *inner = child && !child->is_whole ? child : NULL;
    return child != NULL;
}
