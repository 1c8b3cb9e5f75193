/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merging one message over another, for --config-yaml. Nothing is copied: values and sub-messages
 * of the upper message move into the lower one, and their places with them.
 */
#include "config/message_internal.h"

#include "google/protobuf/any.pb-c.h"

static void merge(struct nu_config_ctx *ctx, ProtobufCMessage *base, ProtobufCMessage *over);

static void move_place(struct nu_config_ctx *ctx, const ProtobufCMessage *child,
                       const ProtobufCMessage *parent, size_t index)
{
    struct nu_config_place *place = nu_place_find(ctx, child);
    if (!place)
        return;
    place->parent = nu_place_find(ctx, parent);
    place->index = index;
}

static const char *key_of(const ProtobufCMessage *entry)
{
    return *(const char **)nu_message_member(entry, &entry->descriptor->fields[0]);
}

/* Puts a map's entry in the place of the one with its key, if there is one. */
static bool replace_entry(struct nu_config_ctx *ctx, ProtobufCMessage *base,
                          const ProtobufCFieldDescriptor *field, ProtobufCMessage *entry)
{
    size_t count = *nu_message_count(base, field);
    for (size_t i = 0; i < count; i++) {
        ProtobufCMessage **slot = nu_message_value(base, field, i);
        if (strcmp(key_of(*slot), key_of(entry)) != 0)
            continue;
        *slot = entry;
        move_place(ctx, entry, base, i);
        return true;
    }
    return false;
}

static void append_items(struct nu_config_ctx *ctx, ProtobufCMessage *base, ProtobufCMessage *over,
                         const ProtobufCFieldDescriptor *field)
{
    bool is_message = nu_field_is_message(field);
    bool is_map = is_message && nu_schema_meta(field->descriptor)->is_map_entry;
    size_t count = *nu_message_count(over, field);
    for (size_t i = 0; i < count; i++) {
        void *item = nu_message_value(over, field, i);
        if (is_map && replace_entry(ctx, base, field, *(ProtobufCMessage **)item))
            continue;
        size_t index = *nu_message_count(base, field);
        memcpy(nu_message_add_value(ctx->arena, base, field), item, nu_type_size(field->type));
        if (is_message)
            move_place(ctx, *(ProtobufCMessage **)item, base, index);
    }
}

static void merge_field(struct nu_config_ctx *ctx, ProtobufCMessage *base, ProtobufCMessage *over,
                        const ProtobufCFieldDescriptor *field)
{
    if (nu_field_is_repeated(field)) {
        append_items(ctx, base, over, field);
        return;
    }
    void *value = nu_message_member(over, field);
    if (nu_field_is_message(field) && nu_message_has(base, field)) {
        merge(ctx, nu_message_child(base, field, 0), *(ProtobufCMessage **)value);
        return;
    }
    memcpy(nu_message_add_value(ctx->arena, base, field), value, nu_type_size(field->type));
    if (nu_field_is_message(field))
        move_place(ctx, *(ProtobufCMessage **)value, base, 0);
}

/* An Any is replaced as a whole: bytes of one type cannot be merged with bytes of another. */
static void merge_any(struct nu_config_ctx *ctx, ProtobufCMessage *base,
                      const ProtobufCMessage *over)
{
    struct nu_config_place *base_place = nu_place_find(ctx, base);
    const struct nu_config_place *over_place = nu_place_find(ctx, over);
    *(Google__Protobuf__Any *)base = *(const Google__Protobuf__Any *)over;
    if (!base_place || !over_place)
        return;
    base_place->content = over_place->content;
    base_place->node = over_place->node;
    struct nu_config_place *content =
        over_place->content ? nu_place_find(ctx, over_place->content) : NULL;
    if (content)
        content->parent = base_place;
}

static void merge(struct nu_config_ctx *ctx, ProtobufCMessage *base, ProtobufCMessage *over)
{
    if (base->descriptor == &google__protobuf__any__descriptor) {
        merge_any(ctx, base, over);
        return;
    }
    for (unsigned i = 0; i < base->descriptor->n_fields; i++)
        if (nu_message_has(over, &base->descriptor->fields[i]))
            merge_field(ctx, base, over, &base->descriptor->fields[i]);
    struct nu_config_place *base_place = nu_place_find(ctx, base);
    const struct nu_config_place *over_place = nu_place_find(ctx, over);
    if (!base_place || !over_place)
        return;
    base_place->over = over_place->node;
    base_place->has_errors |= over_place->has_errors;
    base_place->unread |= over_place->unread;
}

void nu_config_merge(struct nu_config_ctx *ctx, ProtobufCMessage *base, ProtobufCMessage *over)
{
    merge(ctx, base, over);
}
