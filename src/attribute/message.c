/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the API by their descriptors: fields by name, repeated ones as lists, maps as maps,
 * google.protobuf.Struct as the map that it stands for. A field that is not set has its default.
 */
#include <protobuf-c/protobuf-c.h>

#include "attribute/attribute_internal.h"
#include "config/schema.h"
#include "config/struct.h"
#include "envoy/config/core/v3/base.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "http/locality.h"

/* --- One value -------------------------------------------------------------------------------- */

static struct nu_attribute make_struct(const struct nu_attribute_source *source,
                                       const ProtobufCMessage *message)
{
    struct nu_value *value = nu_arena_alloc(source->arena, sizeof(*value));
    *value = nu_struct_from_proto((const Google__Protobuf__Struct *)(const void *)message,
                                  source->arena);
    return nu_attribute_value(value);
}

static struct nu_attribute make_message(const struct nu_attribute_source *source,
                                        const ProtobufCMessageDescriptor *descriptor,
                                        const ProtobufCMessage *message)
{
    if (descriptor == &google__protobuf__struct__descriptor)
        return make_struct(source, message);
    return nu_attribute_message(descriptor, message);
}

/* What lies at `at`, which is a field's place in its message or in an array. */
static struct nu_attribute make_value(const struct nu_attribute_source *source,
                                      const ProtobufCFieldDescriptor *field, const void *at)
{
    const ProtobufCBinaryData *bytes = at;
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_ENUM:
        return nu_attribute_int(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return nu_attribute_int(*(const int64_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return nu_attribute_uint(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return nu_attribute_uint(*(const uint64_t *)at);
    case PROTOBUF_C_TYPE_FLOAT:
        return nu_attribute_double((double)*(const float *)at);
    case PROTOBUF_C_TYPE_DOUBLE:
        return nu_attribute_double(*(const double *)at);
    case PROTOBUF_C_TYPE_BOOL:
        return nu_attribute_bool(*(const protobuf_c_boolean *)at != 0);
    case PROTOBUF_C_TYPE_STRING:
        return nu_attribute_string(nu_str_from(*(const char *const *)at));
    case PROTOBUF_C_TYPE_BYTES:
        return nu_attribute_bytes(nu_str_make((const char *)bytes->data, bytes->len));
    case PROTOBUF_C_TYPE_MESSAGE:
        return make_message(source, field->descriptor, *(const ProtobufCMessage *const *)at);
    }
    return nu_attribute_none();
}

static struct nu_attribute make_default(const struct nu_attribute_source *source,
                                        const ProtobufCFieldDescriptor *field)
{
    static const uint64_t zero[2];
    static const char *const empty = "";
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return make_value(source, field, &empty);
    return make_value(source, field, zero);
}

/* --- Several ---------------------------------------------------------------------------------- */

static const void *place_of(const ProtobufCMessage *message, unsigned offset)
{
    return (const char *)message + offset;
}

static bool is_map(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_MESSAGE &&
           nu_schema_meta(field->descriptor)->is_map_entry;
}

/* An entry of a map has its key in the first field and its value in the second. */
static struct nu_attribute_entry entry_of(const struct nu_attribute_source *source,
                                          const ProtobufCMessage *entry)
{
    const ProtobufCFieldDescriptor *fields = entry->descriptor->fields;
    return (struct nu_attribute_entry){
        make_value(source, &fields[0], place_of(entry, fields[0].offset)).text,
        make_value(source, &fields[1], place_of(entry, fields[1].offset))};
}

/* `of` is the message, `detail` the field. */
static struct nu_attribute_entries repeated_list(const struct nu_attribute_source *source,
                                                 const struct nu_attribute_object *self)
{
    const ProtobufCMessage *message = self->of;
    const ProtobufCFieldDescriptor *field = self->detail;
    if (!message)
        return (struct nu_attribute_entries){.count = 0};
    size_t count = *(const size_t *)place_of(message, field->quantifier_offset);
    const char *array = *(const char *const *)place_of(message, field->offset);
    struct nu_attribute_entry *items = nu_arena_alloc(source->arena, (count + 1) * sizeof(*items));
    for (size_t i = 0; i < count; i++) {
        const void *at = array + i * nu_type_size(field->type);
        if (is_map(field))
            items[i] = entry_of(source, *(const ProtobufCMessage *const *)at);
        else
            items[i] = (struct nu_attribute_entry){.value = make_value(source, field, at)};
    }
    return (struct nu_attribute_entries){items, count};
}

static struct nu_attribute repeated_member(const struct nu_attribute_source *source,
                                           const struct nu_attribute_object *self,
                                           struct nu_str name)
{
    struct nu_attribute_entries all = repeated_list(source, self);
    for (size_t i = 0; i < all.count; i++) {
        if (nu_str_eq(all.items[i].key, name))
            return all.items[i].value;
    }
    return nu_attribute_none();
}

static size_t repeated_size(const struct nu_attribute_object *self)
{
    const ProtobufCFieldDescriptor *field = self->detail;
    return self->of ? *(const size_t *)place_of(self->of, field->quantifier_offset) : 0;
}

static const struct nu_attribute_class repeated_class = {
    .size = repeated_size,
    .member = repeated_member,
    .list = repeated_list,
};

/* --- Messages --------------------------------------------------------------------------------- */

/* Whether a field of a oneof is the one that is set. */
static bool is_chosen(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
           *(const uint32_t *)place_of(message, field->quantifier_offset) == field->id;
}

static struct nu_attribute message_member(const struct nu_attribute_source *source,
                                          const struct nu_attribute_object *self,
                                          struct nu_str name)
{
    const ProtobufCMessageDescriptor *descriptor = self->detail;
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(
        descriptor, nu_arena_dup(source->arena, name).ptr);
    if (!field)
        return nu_attribute_none();
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        struct nu_attribute list = nu_attribute_object(
            is_map(field) ? NU_ATTRIBUTE_MAP : NU_ATTRIBUTE_LIST, &repeated_class, self->of);
        list.object.detail = field;
        return list;
    }
    if (!self->of || !is_chosen(self->of, field))
        return make_default(source, field);
    return make_value(source, field, place_of(self->of, field->offset));
}

static void message_encode(const struct nu_attribute_source *source,
                           const struct nu_attribute_object *self, struct nu_strbuf *out)
{
    (void)source;
    const ProtobufCMessage *message = self->of;
    if (!message)
        return;
    size_t size = protobuf_c_message_get_packed_size(message);
    char *at = nu_strbuf_reserve(out, size);
    nu_strbuf_commit(out, protobuf_c_message_pack(message, (uint8_t *)at));
}

static const struct nu_attribute_class message_class = {
    .member = message_member,
    .encode = message_encode,
};

struct nu_attribute nu_attribute_message(const struct ProtobufCMessageDescriptor *descriptor,
                                         const struct ProtobufCMessage *message)
{
    struct nu_attribute made = nu_attribute_object(NU_ATTRIBUTE_MESSAGE, &message_class, message);
    made.object.detail = descriptor;
    return made;
}

struct nu_attribute nu_attribute_locality(const struct nu_attribute_source *source,
                                          const struct nu_locality *locality)
{
    Envoy__Config__Core__V3__Locality *proto = NULL;
    if (locality) {
        proto = nu_arena_alloc(source->arena, sizeof(*proto));
        envoy__config__core__v3__locality__init(proto);
        proto->region = nu_unconst(nu_arena_dup(source->arena, locality->region).ptr);
        proto->zone = nu_unconst(nu_arena_dup(source->arena, locality->zone).ptr);
        proto->sub_zone = nu_unconst(nu_arena_dup(source->arena, locality->sub_zone).ptr);
    }
    return nu_attribute_message(&envoy__config__core__v3__locality__descriptor,
                                proto ? &proto->base : NULL);
}
