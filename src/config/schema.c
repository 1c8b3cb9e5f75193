/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in the generated tables: messages by name, the rest by a walk, which only errors need. And
 * the sizes of values. */
#include "config/schema.h"

const struct nu_message_meta *nu_schema_find(struct nu_str name)
{
    size_t low = 0;
    size_t high = nu_schema_message_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct nu_message_meta *meta = &nu_schema_messages[middle];
        int order = nu_str_cmp(name, nu_str_from(meta->descriptor->name));
        if (order == 0)
            return meta;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct nu_message_meta *nu_schema_meta(const ProtobufCMessageDescriptor *descriptor)
{
    return nu_schema_find(nu_str_from(descriptor->name));
}

const ProtobufCMessageDescriptor *nu_config_find_type(struct nu_str name)
{
    const struct nu_message_meta *meta = nu_schema_find(name);
    return meta && !meta->is_map_entry ? meta->descriptor : NULL;
}

struct nu_str nu_config_type_name(struct nu_str type_url)
{
    size_t slash = nu_str_rfind_char(type_url, '/');
    return slash == NU_NPOS ? type_url : nu_str_skip(type_url, slash + 1);
}

bool nu_schema_enum_is_missing(const ProtobufCEnumDescriptor *descriptor, int value)
{
    for (size_t i = 0; i < nu_schema_enum_count; i++) {
        const struct nu_enum_meta *meta = &nu_schema_enums[i];
        if (meta->descriptor != descriptor)
            continue;
        for (size_t j = 0; j < meta->not_implemented_count; j++)
            if (meta->not_implemented[j] == value)
                return true;
    }
    return false;
}

const struct nu_reserved_field *nu_schema_reserved(const struct nu_message_meta *meta,
                                                   uint32_t number)
{
    for (size_t i = 0; i < meta->reserved_count; i++)
        if (meta->reserved[i].number == number)
            return &meta->reserved[i];
    return NULL;
}

const struct nu_extension_info *nu_schema_extension_of_type(struct nu_str type)
{
    for (size_t i = 0; i < nu_schema_extension_count; i++)
        if (nu_str_eq(nu_str_from(nu_schema_extensions[i].type), type))
            return &nu_schema_extensions[i];
    return NULL;
}

const struct nu_extension_info *nu_schema_extension_named(struct nu_str name)
{
    for (size_t i = 0; i < nu_schema_extension_count; i++)
        if (nu_str_eq(nu_str_from(nu_schema_extensions[i].name), name))
            return &nu_schema_extensions[i];
    return NULL;
}

size_t nu_type_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
        return 4;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    }
    return 0;
}
