/* SPDX-License-Identifier: Apache-2.0 */
/* Struct and Value. The readers bound the depth of nesting, so recursion is safe. */
#include "config/struct.h"

#include "google/protobuf/struct.pb-c.h"

static struct nu_value copy_text(const char *text, struct nu_arena *arena)
{
    return nu_value_string(nu_arena_dup(arena, nu_str_from(text)));
}

static struct nu_value copy_list(const Google__Protobuf__ListValue *list, struct nu_arena *arena)
{
    struct nu_value value = nu_value_list();
    for (size_t i = 0; i < list->n_values; i++)
        nu_value_add(&value, arena, nu_value_from_proto(list->values[i], arena));
    return value;
}

struct nu_value nu_value_from_proto(const Google__Protobuf__Value *value, struct nu_arena *arena)
{
    if (!value)
        return nu_value_null();
    switch ((int)value->kind_case) {
    case GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE:
        return nu_value_bool(value->bool_value);
    case GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE:
        return nu_value_number(value->number_value);
    case GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE:
        return copy_text(value->string_value, arena);
    case GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE:
        return copy_list(value->list_value, arena);
    case GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE:
        return nu_struct_from_proto(value->struct_value, arena);
    default:
        return nu_value_null();
    }
}

struct nu_value nu_struct_from_proto(const Google__Protobuf__Struct *record, struct nu_arena *arena)
{
    struct nu_value value = nu_value_struct();
    for (size_t i = 0; record && i < record->n_fields; i++) {
        const Google__Protobuf__Struct__FieldsEntry *field = record->fields[i];
        nu_value_set(&value, arena, nu_arena_dup(arena, nu_str_from(field->key)),
                     nu_value_from_proto(field->value, arena));
    }
    return value;
}
