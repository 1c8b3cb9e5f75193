/* SPDX-License-Identifier: Apache-2.0 */
/* The roots, and what is the same for all maps, lists and messages. */
#include "attribute/attribute_internal.h"
#include "http/stream_info.h"

/* --- Tables ----------------------------------------------------------------------------------- */

static struct nu_attribute table_member(const struct nu_attribute_source *source,
                                        const struct nu_attribute_object *self, struct nu_str name)
{
    const struct nu_attribute_table *table = self->of;
    for (size_t i = 0; i < table->count; i++) {
        const struct nu_attribute_field *field = &table->fields[i];
        if (nu_str_eq(field->name, name))
            return source->info || field->needs_no_stream ? field->get(source, field->which)
                                                          : nu_attribute_none();
    }
    return nu_attribute_none();
}

static const struct nu_attribute_class table_class = {.member = table_member};

static struct nu_attribute get_dynamic_metadata(const struct nu_attribute_source *source,
                                                unsigned which)
{
    (void)which;
    return nu_attribute_metadata(source->info->dynamic_metadata);
}

static const struct {
    struct nu_str name;
    const struct nu_attribute_table *table;
    struct nu_attribute (*get)(const struct nu_attribute_source *source, unsigned which);
    unsigned which;
    bool needs_no_stream;
} roots[] = {
    {.name = NU_STR_INIT("request"), .table = &nu_attributes_of_request},
    {.name = NU_STR_INIT("response"), .table = &nu_attributes_of_response},
    {.name = NU_STR_INIT("connection"), .table = &nu_attributes_of_connection},
    {.name = NU_STR_INIT("upstream"), .table = &nu_attributes_of_upstream},
    {.name = NU_STR_INIT("source"), .table = &nu_attributes_of_source},
    {.name = NU_STR_INIT("destination"), .table = &nu_attributes_of_destination},
    {.name = NU_STR_INIT("xds"), .table = &nu_attributes_of_xds, .needs_no_stream = true},
    {.name = NU_STR_INIT("metadata"), .get = get_dynamic_metadata},
    {.name = NU_STR_INIT("filter_state"), .get = nu_attribute_filter_state, .which = 0},
    {.name = NU_STR_INIT("upstream_filter_state"), .get = nu_attribute_filter_state, .which = 1},
};

struct nu_attribute nu_attribute_root(const struct nu_attribute_source *source, struct nu_str name)
{
    size_t i = 0;
    while (i < NU_ARRAY_LEN(roots) && !nu_str_eq(roots[i].name, name))
        i++;
    if (i == NU_ARRAY_LEN(roots) || (!source->info && !roots[i].needs_no_stream))
        return nu_attribute_none();
    if (roots[i].get)
        return roots[i].get(source, roots[i].which);
    return nu_attribute_object(NU_ATTRIBUTE_MAP, &table_class, roots[i].table);
}

/* --- Objects ---------------------------------------------------------------------------------- */

static struct nu_attribute item_of(const struct nu_attribute_source *source,
                                   const struct nu_attribute *list, struct nu_str number)
{
    struct nu_attribute_entries all;
    int64_t at;
    if (nu_str_to_i64(number, &at) != NU_OK || at < 0 || !nu_attribute_list(source, list, &all) ||
        (uint64_t)at >= all.count)
        return nu_attribute_none();
    return all.items[at].value;
}

struct nu_attribute nu_attribute_member(const struct nu_attribute_source *source,
                                        const struct nu_attribute *value, struct nu_str name)
{
    switch (value->type) {
    case NU_ATTRIBUTE_MAP:
    case NU_ATTRIBUTE_MESSAGE:
        return value->object.object_class->member(source, &value->object, name);
    case NU_ATTRIBUTE_LIST:
        return item_of(source, value, name);
    default:
        return nu_attribute_none();
    }
}

bool nu_attribute_list(const struct nu_attribute_source *source, const struct nu_attribute *value,
                       struct nu_attribute_entries *out)
{
    *out = (struct nu_attribute_entries){.count = 0};
    bool holds = value->type == NU_ATTRIBUTE_MAP || value->type == NU_ATTRIBUTE_LIST;
    if (!holds || !value->object.object_class->list)
        return false;
    *out = value->object.object_class->list(source, &value->object);
    return true;
}

size_t nu_attribute_search_steps(const struct nu_attribute *value)
{
    enum { FEW = 32 };
    const struct nu_attribute_object *object = &value->object;
    bool holds = value->type >= NU_ATTRIBUTE_MAP;
    return holds && object->object_class->size ? object->object_class->size(object) : FEW;
}

bool nu_attribute_encode(const struct nu_attribute_source *source, const struct nu_attribute *value,
                         struct nu_strbuf *out)
{
    if (value->type != NU_ATTRIBUTE_MESSAGE)
        return false;
    value->object.object_class->encode(source, &value->object, out);
    return true;
}
