/* SPDX-License-Identifier: Apache-2.0 */
/* The recursion is as deep as the message, which the reader bounds. */
#include "http/metadata_from_proto.h"

#include "envoy/config/core/v3/base.pb-c.h"
#include "google/protobuf/struct.pb-c.h"

static struct nu_str copy(struct nu_arena *arena, const char *text)
{
    return nu_arena_dup(arena, nu_str_from(text));
}

struct nu_value nu_value_from_struct_proto(const struct Google__Protobuf__Struct *proto,
                                           struct nu_arena *arena)
{
    struct nu_value value = nu_value_struct();
    for (size_t i = 0; proto && i < proto->n_fields; i++)
        nu_value_set(&value, arena, copy(arena, proto->fields[i]->key),
                     nu_value_from_value_proto(proto->fields[i]->value, arena));
    return value;
}

static struct nu_value from_list(const struct Google__Protobuf__ListValue *proto,
                                 struct nu_arena *arena)
{
    struct nu_value value = nu_value_list();
    for (size_t i = 0; proto && i < proto->n_values; i++)
        nu_value_add(&value, arena, nu_value_from_value_proto(proto->values[i], arena));
    return value;
}

struct nu_value nu_value_from_value_proto(const struct Google__Protobuf__Value *proto,
                                          struct nu_arena *arena)
{
    if (!proto)
        return nu_value_null();
    switch ((int)proto->kind_case) {
    case GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE:
        return nu_value_number(proto->number_value);
    case GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE:
        return nu_value_string(copy(arena, proto->string_value));
    case GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE:
        return nu_value_bool(proto->bool_value);
    case GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE:
        return nu_value_from_struct_proto(proto->struct_value, arena);
    case GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE:
        return from_list(proto->list_value, arena);
    default:
        return nu_value_null();
    }
}

const struct nu_metadata *
nu_metadata_from_proto(const struct Envoy__Config__Core__V3__Metadata *proto,
                       struct nu_arena *arena)
{
    if (!proto)
        return NULL;
    struct nu_metadata *metadata = nu_metadata_create(arena);
    for (size_t i = 0; i < proto->n_filter_metadata; i++) {
        struct nu_value fields =
            nu_value_from_struct_proto(proto->filter_metadata[i]->value, arena);
        nu_value_set(&metadata->namespaces, arena, copy(arena, proto->filter_metadata[i]->key),
                     fields);
    }
    return metadata;
}
