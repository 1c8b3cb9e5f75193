/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages through their descriptors. Arrays of repeated fields grow in the arena by doubling:
 * their capacity is the next power of two, so that only the count needs to be kept.
 */
#include "config/message_internal.h"

ProtobufCMessage *nu_message_create(struct nu_arena *arena,
                                    const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = nu_arena_calloc(arena, descriptor->sizeof_message);
    message->descriptor = descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        bool is_plain = !nu_field_is_repeated(field) && !nu_field_is_oneof(field);
        if (is_plain && field->type == PROTOBUF_C_TYPE_STRING)
            *(const char **)nu_message_member(message, field) = protobuf_c_empty_string;
    }
    return message;
}

bool nu_is_wrapper(const ProtobufCMessageDescriptor *descriptor)
{
    return descriptor->n_fields == 1 && strcmp(descriptor->fields[0].name, "value") == 0 &&
           strcmp(descriptor->package_name, "google.protobuf") == 0;
}

/* Whether the value of a singular field outside a oneof is the default. */
static bool is_default(const void *member, ProtobufCType type)
{
    static const char zero[sizeof(ProtobufCBinaryData)];
    if (type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(const char *const *)member;
        return !text || !*text;
    }
    if (type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)member)->len == 0;
    return memcmp(member, zero, nu_type_size(type)) == 0;
}

bool nu_message_has(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return nu_message_value_count(message, field) > 0;
}

size_t nu_message_value_count(const ProtobufCMessage *message,
                              const ProtobufCFieldDescriptor *field)
{
    if (nu_field_is_repeated(field))
        return *nu_message_count(message, field);
    if (nu_field_is_oneof(field))
        return *nu_message_case(message, field) == field->id;
    return !is_default(nu_message_member(message, field), field->type);
}

void *nu_message_value(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                       size_t index)
{
    void *member = nu_message_member(message, field);
    if (!nu_field_is_repeated(field))
        return member;
    return *(char **)member + index * nu_type_size(field->type);
}

static void *add_item(struct nu_arena *arena, ProtobufCMessage *message,
                      const ProtobufCFieldDescriptor *field)
{
    size_t *count = nu_message_count(message, field);
    void **items = nu_message_member(message, field);
    size_t size = nu_type_size(field->type);
    if ((*count & (*count - 1)) == 0) {
        void *grown = nu_arena_calloc(arena, size * (*count ? *count * 2 : 1));
        if (*count)
            memcpy(grown, *items, size * *count);
        *items = grown;
    }
    return (char *)*items + size * (*count)++;
}

void *nu_message_add_value(struct nu_arena *arena, ProtobufCMessage *message,
                           const ProtobufCFieldDescriptor *field)
{
    if (nu_field_is_repeated(field))
        return add_item(arena, message, field);
    void *member = nu_message_member(message, field);
    if (nu_field_is_oneof(field) && *nu_message_case(message, field) != field->id) {
        memset(member, 0, nu_type_size(field->type));
        *nu_message_case(message, field) = field->id;
    }
    return member;
}

bool nu_field_name_eq(struct nu_str name, const char *field_name)
{
    if (nu_str_eq(name, nu_str_from(field_name)))
        return true;
    size_t i = 0;
    for (const char *c = field_name; *c; c++) {
        bool upper = *c == '_';
        while (*c == '_')
            c++;
        if (!*c)
            break;
        char want = upper ? nu_ascii_upper(*c) : *c;
        if (i == name.len || name.ptr[i++] != want)
            return false;
    }
    return i == name.len;
}
