/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata: a message whose one field is a map of structs, which are maps of values. Of Any by name
 * (typed_filter_metadata) nothing is kept, so that this map is empty.
 */
#include "http/metadata.h"

#include "attribute/attribute_internal.h"
#include "attribute/wire.h"

/* --- Values ----------------------------------------------------------------------------------- */

static struct nu_attribute struct_member(const struct nu_attribute_source *source,
                                         const struct nu_attribute_object *self, struct nu_str name)
{
    (void)source;
    const struct nu_value *value = nu_value_get(self->of, name);
    return value ? nu_attribute_value(value) : nu_attribute_none();
}

static struct nu_attribute_entries struct_list(const struct nu_attribute_source *source,
                                               const struct nu_attribute_object *self)
{
    const struct nu_value *record = self->of;
    struct nu_attribute_entry *items =
        nu_arena_alloc(source->arena, (record->count + 1) * sizeof(*items));
    for (uint32_t i = 0; i < record->count; i++)
        items[i] = (struct nu_attribute_entry){record->fields[i].name,
                                               nu_attribute_value(&record->fields[i].value)};
    return (struct nu_attribute_entries){items, record->count};
}

static const struct nu_attribute_class struct_class = {
    .member = struct_member,
    .list = struct_list,
};

static struct nu_attribute_entries list_list(const struct nu_attribute_source *source,
                                             const struct nu_attribute_object *self)
{
    const struct nu_value *list = self->of;
    struct nu_attribute_entry *items =
        nu_arena_alloc(source->arena, (list->count + 1) * sizeof(*items));
    for (uint32_t i = 0; i < list->count; i++)
        items[i] = (struct nu_attribute_entry){.value = nu_attribute_value(&list->items[i])};
    return (struct nu_attribute_entries){items, list->count};
}

static const struct nu_attribute_class list_class = {.list = list_list};

struct nu_attribute nu_attribute_value(const struct nu_value *value)
{
    switch ((enum nu_value_type)value->type) {
    case NU_VALUE_NULL:
        break;
    case NU_VALUE_BOOL:
        return nu_attribute_bool(value->boolean);
    case NU_VALUE_NUMBER:
        return nu_attribute_double(value->number);
    case NU_VALUE_STRING:
        return nu_attribute_string(nu_value_text(value));
    case NU_VALUE_LIST:
        return nu_attribute_object(NU_ATTRIBUTE_LIST, &list_class, value);
    case NU_VALUE_STRUCT:
        return nu_attribute_object(NU_ATTRIBUTE_MAP, &struct_class, value);
    }
    return nu_attribute_null();
}

/* --- The message ------------------------------------------------------------------------------ */

static const struct nu_value no_spaces = {.type = NU_VALUE_STRUCT};

static const struct nu_value *spaces_of(const struct nu_metadata *metadata)
{
    return metadata ? &metadata->namespaces : &no_spaces;
}

static struct nu_attribute metadata_member(const struct nu_attribute_source *source,
                                           const struct nu_attribute_object *self,
                                           struct nu_str name)
{
    (void)source;
    if (nu_str_eq(name, NU_STR("filter_metadata")))
        return nu_attribute_object(NU_ATTRIBUTE_MAP, &struct_class, spaces_of(self->of));
    if (nu_str_eq(name, NU_STR("typed_filter_metadata")))
        return nu_attribute_object(NU_ATTRIBUTE_MAP, &struct_class, &no_spaces);
    return nu_attribute_none();
}

static void metadata_encode(const struct nu_attribute_source *source,
                            const struct nu_attribute_object *self, struct nu_strbuf *out)
{
    (void)source;
    nu_wire_add_metadata(spaces_of(self->of), out);
}

static const struct nu_attribute_class metadata_class = {
    .member = metadata_member,
    .encode = metadata_encode,
};

struct nu_attribute nu_attribute_metadata(const struct nu_metadata *metadata)
{
    return nu_attribute_object(NU_ATTRIBUTE_MESSAGE, &metadata_class, metadata);
}
