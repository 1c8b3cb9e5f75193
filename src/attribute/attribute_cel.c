/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes are made values of CEL one by one, as an expression comes to them. */
#include "attribute/attribute_cel.h"

#include "base/compiler.h"

/* A map or a message: both have members by name. */
struct object {
    struct nu_cel_map base;
    const struct nu_attribute_source *source;
    struct nu_attribute value;
};

static bool to_cel(const struct nu_attribute_source *source, const struct nu_attribute *attribute,
                   struct nu_cel_value *value);

static bool find_member(const struct nu_cel_map *base, const struct nu_cel_value *key,
                        struct nu_arena *arena, struct nu_cel_value *value)
{
    const struct object *object = nu_container_of(base, const struct object, base);
    (void)arena;
    if (key->type != NU_CEL_STRING)
        return false;
    struct nu_attribute member = nu_attribute_member(object->source, &object->value, key->text);
    return to_cel(object->source, &member, value);
}

static bool list_keys(const struct nu_cel_map *base, struct nu_arena *arena,
                      struct nu_cel_list *keys)
{
    const struct object *object = nu_container_of(base, const struct object, base);
    struct nu_attribute_entries entries;
    if (!nu_attribute_list(object->source, &object->value, &entries))
        return false;
    struct nu_cel_value *items = nu_arena_alloc(arena, (entries.count + 1) * sizeof(*items));
    for (size_t i = 0; i < entries.count; i++)
        items[i] = nu_cel_string(entries.items[i].key);
    *keys = (struct nu_cel_list){entries.count, items};
    return true;
}

static struct nu_cel_value wrap(const struct nu_attribute_source *source,
                                const struct nu_attribute *attribute)
{
    enum { SEARCH_COST = 2 };
    struct object *object = nu_arena_alloc(source->arena, sizeof(*object));
    *object = (struct object){
        .base = {.find = find_member,
                 .keys = list_keys,
                 .search_cost = (uint32_t)(SEARCH_COST + nu_attribute_search_steps(attribute) /
                                                             NU_CEL_SEARCH_STEPS)},
        .source = source,
        .value = *attribute,
    };
    return nu_cel_map(&object->base);
}

/* What has no value in CEL is null there. */
static struct nu_cel_value make_list(const struct nu_attribute_source *source,
                                     const struct nu_attribute *attribute)
{
    struct nu_attribute_entries entries = {NULL, 0};
    struct nu_cel_list *list = nu_arena_alloc(source->arena, sizeof(*list));
    bool is_whole = nu_attribute_list(source, attribute, &entries);
    struct nu_cel_value *items =
        nu_arena_alloc(source->arena, (entries.count + 1) * sizeof(*items));
    for (size_t i = 0; is_whole && i < entries.count; i++) {
        if (!to_cel(source, &entries.items[i].value, &items[i]))
            items[i] = (struct nu_cel_value){.type = NU_CEL_NULL};
    }
    *list = (struct nu_cel_list){is_whole ? entries.count : 0, items};
    return nu_cel_list(list);
}

/* False if there is no such thing. */
static bool to_cel(const struct nu_attribute_source *source, const struct nu_attribute *attribute,
                   struct nu_cel_value *value)
{
    *value = (struct nu_cel_value){.type = NU_CEL_NULL};
    switch (attribute->type) {
    case NU_ATTRIBUTE_NONE:
        return false;
    case NU_ATTRIBUTE_NULL:
        break;
    case NU_ATTRIBUTE_BOOL:
        *value = nu_cel_bool(attribute->boolean);
        break;
    case NU_ATTRIBUTE_INT:
        *value = nu_cel_int(attribute->integer);
        break;
    case NU_ATTRIBUTE_UINT:
        *value = nu_cel_uint(attribute->natural);
        break;
    case NU_ATTRIBUTE_DOUBLE:
        *value = nu_cel_double(attribute->real);
        break;
    case NU_ATTRIBUTE_STRING:
        *value = nu_cel_string(attribute->text);
        break;
    case NU_ATTRIBUTE_BYTES:
        *value = nu_cel_bytes(attribute->text);
        break;
    case NU_ATTRIBUTE_TIME:
    case NU_ATTRIBUTE_DURATION:
        value->type = attribute->type == NU_ATTRIBUTE_TIME ? NU_CEL_TIMESTAMP : NU_CEL_DURATION;
        value->time = nu_cel_time_from_ns(attribute->integer);
        break;
    case NU_ATTRIBUTE_MAP:
    case NU_ATTRIBUTE_MESSAGE:
        *value = wrap(source, attribute);
        break;
    case NU_ATTRIBUTE_LIST:
        *value = make_list(source, attribute);
        break;
    }
    return true;
}

static bool find_name(const struct nu_cel_source *base, struct nu_str name, struct nu_arena *arena,
                      struct nu_cel_value *value)
{
    const struct nu_attribute_cel *self =
        nu_container_of(base, const struct nu_attribute_cel, base);
    (void)arena;
    struct nu_attribute found =
        self->find ? self->find(self, name) : nu_attribute_root(self->source, name);
    return to_cel(self->source, &found, value);
}

void nu_attribute_cel_init(struct nu_attribute_cel *self, const struct nu_attribute_source *source,
                           struct nu_attribute (*find)(const struct nu_attribute_cel *self,
                                                       struct nu_str name),
                           void *owner)
{
    *self = (struct nu_attribute_cel){
        .base = {.find = find_name}, .source = source, .find = find, .owner = owner};
}

bool nu_attribute_from_cel(const struct nu_cel_value *value, struct nu_attribute *out)
{
    if (value->type != NU_CEL_MAP || value->map->find != find_member)
        return false;
    *out = nu_container_of(value->map, const struct object, base)->value;
    return true;
}
