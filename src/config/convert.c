/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The converter's frame: members of an object to fields of a message, lists, maps and the choice of
 * what converts a value. Nothing here knows a message by name; the descriptors decide. An error
 * never stops the conversion, so that one run finds them all.
 */
#include "config/convert_internal.h"

bool nu_target_fail(const struct nu_target *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    nu_place_fail(t->place, t->field);
    nu_place_addv(&t->ctx->errors, t->place, t->node->at, t->field ? t->field->name : NULL,
                  t->index, fmt, args);
    va_end(args);
    return false;
}

struct nu_config_place *nu_target_place(const struct nu_target *t, const ProtobufCMessage *message)
{
    size_t index = t->index == NU_NO_INDEX ? 0 : (size_t)t->index;
    struct nu_config_place *place = nu_place_add(t->ctx, message, t->place, t->field, index);
    place->node = t->node;
    return place;
}

/* --- Values ----------------------------------------------------------------------------------- */

static bool is_called(const ProtobufCMessageDescriptor *descriptor, const char *name)
{
    return strcmp(descriptor->name, name) == 0;
}

static bool is_value_type(const ProtobufCFieldDescriptor *field)
{
    return nu_field_is_message(field) && is_called(field->descriptor, "google.protobuf.Value");
}

bool nu_convert_into(const struct nu_target *t, ProtobufCMessage *message)
{
    nu_convert_fn *known = nu_convert_known(message->descriptor);
    struct nu_config_place *place = known ? NULL : nu_place_find(t->ctx, message);
    /* A Struct has a place, as whoever reads its members may find fault with one. */
    if (!place && (!known || is_called(message->descriptor, "google.protobuf.Struct")))
        place = nu_target_place(t, message);
    if (known)
        return known(t, message);
    if (t->node->kind != NU_DOC_MAP) {
        place->has_errors = true;
        place->unread = UINT64_MAX;
        return nu_target_fail(t, "expected an object (a %s), not %s",
                              message->descriptor->short_name, nu_doc_kind_name(t->node));
    }
    nu_convert_members(t->ctx, place, t->node, (struct nu_str){0});
    return true;
}

/* One value that is not null into `slot`; a message there already is added to. */
static void convert_value(const struct nu_target *t, void *slot)
{
    if (!nu_field_is_message(t->field)) {
        nu_convert_scalar(t, slot);
        return;
    }
    ProtobufCMessage **message = slot;
    if (!*message)
        *message = nu_message_create(t->ctx->arena, t->field->descriptor);
    nu_convert_into(t, *message);
}

/* What a null stands for where a value must be: the default. */
static void set_default(const struct nu_target *t, void *slot)
{
    if (t->field->type == PROTOBUF_C_TYPE_STRING) {
        *(const char **)slot = protobuf_c_empty_string;
    } else if (nu_field_is_message(t->field)) {
        ProtobufCMessage *message = nu_message_create(t->ctx->arena, t->field->descriptor);
        *(ProtobufCMessage **)slot = message;
        nu_target_place(t, message);
    }
}

/* --- Repeated fields and maps ----------------------------------------------------------------- */

/* The items of a list, with the items of lists inside it; a value that is no list is one item. */
static void convert_items(struct nu_target *t, const struct nu_doc_node *node, bool flatten)
{
    if (node->kind == NU_DOC_LIST && flatten) {
        bool keep_lists = is_value_type(t->field);
        for (const struct nu_doc_node *item = node->first; item; item = item->next)
            convert_items(t, item, !keep_lists);
        return;
    }
    ProtobufCMessage *message = nu_unconst(t->place->message);
    t->node = node;
    t->index = (ptrdiff_t)*nu_message_count(message, t->field);
    void *slot = nu_message_add_value(t->ctx->arena, message, t->field);
    if (node->kind == NU_DOC_NULL)
        set_default(t, slot);
    else
        convert_value(t, slot);
}

/* Whether the first `count` entries have this key; only a map that is given twice has such. */
static bool has_key(const struct nu_target *t, struct nu_str key, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const ProtobufCMessage *entry = nu_message_child(t->place->message, t->field, i);
        const char *there = *(const char **)nu_message_member(entry, &entry->descriptor->fields[0]);
        if (nu_str_eq(key, nu_str_from(there)))
            return true;
    }
    return false;
}

static void convert_map_entry(const struct nu_target *t, size_t count_before)
{
    ProtobufCMessage *message = nu_unconst(t->place->message);
    size_t index = *nu_message_count(message, t->field);
    ProtobufCMessage *entry = nu_message_create(t->ctx->arena, t->field->descriptor);
    *(ProtobufCMessage **)nu_message_add_value(t->ctx->arena, message, t->field) = entry;
    struct nu_config_place *place = nu_place_add(t->ctx, entry, t->place, t->field, index);
    place->node = t->node;
    const ProtobufCFieldDescriptor *key = &entry->descriptor->fields[0];
    const ProtobufCFieldDescriptor *value = &entry->descriptor->fields[1];
    struct nu_target inner = {t->ctx, place, key, key, NU_NO_INDEX, t->node};
    if (!nu_convert_text(&inner, t->node->key, nu_message_member(entry, key)))
        return;
    inner.field = value;
    inner.type = value;
    if (t->node->is_second || has_key(t, t->node->key, count_before))
        nu_target_fail(&inner, "the map has this key already");
    else if (t->node->kind == NU_DOC_NULL && !is_value_type(value))
        set_default(&inner, nu_message_member(entry, value));
    else
        convert_value(&inner, nu_message_member(entry, value));
}

static void convert_map(struct nu_target *t)
{
    const struct nu_doc_node *map = t->node;
    if (map->kind != NU_DOC_MAP) {
        nu_target_fail(t, "expected an object, not %s", nu_doc_kind_name(map));
        return;
    }
    size_t count = *nu_message_count(t->place->message, t->field);
    for (t->node = map->first; t->node; t->node = t->node->next)
        convert_map_entry(t, count);
}

/* --- Fields ----------------------------------------------------------------------------------- */

static bool is_map(const ProtobufCFieldDescriptor *field)
{
    return nu_field_is_repeated(field) && nu_field_is_message(field) &&
           nu_schema_meta(field->descriptor)->is_map_entry;
}

/* Of the fields of a oneof one at most may be set. */
static void fail_second(struct nu_target *t, const ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *first = protobuf_c_message_descriptor_get_field(
        message->descriptor, *nu_message_case(message, t->field));
    if (first == t->field)
        nu_target_fail(t, "is set twice");
    else
        nu_target_fail(t, "cannot be set together with %s", first->name);
}

static void convert_field(struct nu_target *t)
{
    ProtobufCMessage *message = nu_unconst(t->place->message);
    if (t->node->kind == NU_DOC_NULL &&
        (nu_field_is_repeated(t->field) || !is_value_type(t->field)))
        return;
    if (is_map(t->field)) {
        convert_map(t);
    } else if (nu_field_is_repeated(t->field)) {
        convert_items(t, t->node, true);
    } else if (nu_field_is_oneof(t->field) && *nu_message_case(message, t->field) != 0) {
        fail_second(t, message);
    } else {
        convert_value(t, nu_message_add_value(t->ctx->arena, message, t->field));
    }
}

/* Adds an error, or a warning when unknown fields are let pass, about a key that names no field. */
static void refuse_unknown(struct nu_config_ctx *ctx, struct nu_config_place *place,
                           const struct nu_message_meta *meta, const struct nu_doc_node *member)
{
    struct nu_strbuf text = {0};
    nu_strbuf_addf(&text, "no such field in %s", meta->descriptor->short_name);
    nu_hint_field(meta, member->key, &text);
    nu_unknown_field(ctx, place, nu_doc_key_position(member), member->key, text.data);
    nu_strbuf_finish(&text);
}

/* Whether a field has the value that asks for nothing, or none. */
static bool asks_for_nothing(const struct nu_reserved_field *reserved,
                             const struct nu_doc_node *member)
{
    const char *nothing = reserved->nothing ? reserved->nothing : "";
    switch ((enum nu_doc_kind)member->kind) {
    case NU_DOC_NULL:
        return true;
    case NU_DOC_BOOL:
        return strcmp(nothing, member->boolean ? "true" : "false") == 0;
    case NU_DOC_STRING:
        return member->text.len == 0 && strcmp(nothing, "\"\"") == 0;
    case NU_DOC_LIST:
        return !member->first;
    case NU_DOC_MAP:
        return !member->first && strcmp(nothing, "{}") == 0;
    case NU_DOC_NUMBER:
        return false;
    }
    return false;
}

/* A field of Envoy's that is not implemented may be there as long as it asks for nothing. */
static void refuse_reserved(struct nu_config_ctx *ctx, struct nu_config_place *place,
                            const struct nu_reserved_field *reserved,
                            const struct nu_doc_node *member)
{
    if (asks_for_nothing(reserved, member))
        return;
    nu_place_fail(place, NULL);
    nu_place_error(ctx, place, nu_doc_key_position(member), reserved->name, NU_NO_INDEX,
                   "known to Envoy, not implemented by nuncio");
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *descriptor,
                                                  struct nu_str name)
{
    for (unsigned i = 0; i < descriptor->n_fields; i++)
        if (nu_field_name_eq(name, descriptor->fields[i].name))
            return &descriptor->fields[i];
    return NULL;
}

static const struct nu_reserved_field *find_reserved(const struct nu_message_meta *meta,
                                                     struct nu_str name)
{
    for (size_t i = 0; i < meta->reserved_count; i++)
        if (nu_field_name_eq(name, meta->reserved[i].name))
            return &meta->reserved[i];
    return NULL;
}

static void convert_member(struct nu_config_ctx *ctx, struct nu_config_place *place,
                           const struct nu_message_meta *meta, const struct nu_doc_node *member)
{
    const ProtobufCFieldDescriptor *field = find_field(meta->descriptor, member->key);
    if (field) {
        struct nu_target t = {ctx, place, field, field, NU_NO_INDEX, member};
        convert_field(&t);
        return;
    }
    const struct nu_reserved_field *reserved = find_reserved(meta, member->key);
    if (reserved)
        refuse_reserved(ctx, place, reserved, member);
    else
        refuse_unknown(ctx, place, meta, member);
}

void nu_convert_members(struct nu_config_ctx *ctx, struct nu_config_place *place,
                        const struct nu_doc_node *map, struct nu_str skip)
{
    const struct nu_message_meta *meta = nu_schema_meta(place->message->descriptor);
    for (const struct nu_doc_node *member = map->first; member; member = member->next)
        if (!skip.len || !nu_str_eq(member->key, skip))
            convert_member(ctx, place, meta, member);
}

ProtobufCMessage *nu_config_convert(struct nu_config_ctx *ctx, const struct nu_doc_node *node,
                                    const ProtobufCMessageDescriptor *descriptor)
{
    if (node->kind != NU_DOC_MAP) {
        nu_error_add(&ctx->errors, node->at, NULL, "expected an object (a %s), not %s",
                     descriptor->short_name,
                     node->kind == NU_DOC_NULL ? "an empty document" : nu_doc_kind_name(node));
        return NULL;
    }
    ProtobufCMessage *message = nu_message_create(ctx->arena, descriptor);
    struct nu_config_place *place = nu_place_add(ctx, message, NULL, NULL, 0);
    place->node = node;
    place->source = node->at.source;
    nu_convert_members(ctx, place, node, (struct nu_str){0});
    return message;
}
