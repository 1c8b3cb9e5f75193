/* SPDX-License-Identifier: Apache-2.0 */
/* Header maps: a name once, with its values joined by commas. */
#include "attribute/attribute_internal.h"
#include "http/headers.h"

static size_t joined_size(const struct nu_headers *headers, struct nu_str name, size_t *values)
{
    size_t size = 0;
    *values = 0;
    nu_headers_for_each(header, headers)
    {
        if (nu_str_eq(header->name, name))
            size += header->value.len + ((*values)++ ? 1 : 0);
    }
    return size;
}

/* In the source's arena, where it is more than one; the headers' own lives as long as the stream.
 * NONE if there is none. */
static struct nu_attribute joined(const struct nu_attribute_source *source,
                                  const struct nu_headers *headers, struct nu_str name)
{
    size_t values;
    size_t size = joined_size(headers, name, &values);
    if (values == 0)
        return nu_attribute_none();
    if (values == 1)
        return nu_attribute_string(nu_headers_get(headers, name));
    char *at = nu_arena_alloc(source->arena, size);
    struct nu_str text = nu_str_make(at, size);
    nu_headers_for_each(header, headers)
    {
        if (!nu_str_eq(header->name, name))
            continue;
        if (at > text.ptr)
            *at++ = ',';
        if (header->value.len)
            memcpy(at, header->value.ptr, header->value.len);
        at += header->value.len;
    }
    return nu_attribute_string(text);
}

static struct nu_attribute headers_member(const struct nu_attribute_source *source,
                                          const struct nu_attribute_object *self,
                                          struct nu_str name)
{
    if (!self->of)
        return nu_attribute_none();
    struct nu_str lower = nu_arena_dup(source->arena, name);
    nu_header_name_lower(nu_unconst(lower.ptr), lower.len);
    if (nu_str_eq(lower, NU_STR("host"))) /* of a request, as Envoy has it */
        lower = nu_headers_get(self->of, lower).ptr ? lower : NU_STR(":authority");
    return joined(source, self->of, lower);
}

static bool is_seen(const struct nu_attribute_entry *items, size_t count, struct nu_str name)
{
    while (count && !nu_str_eq(items[count - 1].key, name))
        count--;
    return count != 0;
}

static struct nu_attribute_entries headers_list(const struct nu_attribute_source *source,
                                                const struct nu_attribute_object *self)
{
    const struct nu_headers *headers = self->of;
    if (!headers)
        return (struct nu_attribute_entries){.count = 0};
    size_t count = 0;
    struct nu_attribute_entry *items =
        nu_arena_alloc(source->arena, (nu_headers_count(headers) + 1) * sizeof(*items));
    nu_headers_for_each(header, headers)
    {
        if (is_seen(items, count, header->name))
            continue;
        items[count].key = header->name;
        items[count++].value = joined(source, headers, header->name);
    }
    return (struct nu_attribute_entries){items, count};
}

static const struct nu_attribute_class headers_class = {
    .member = headers_member,
    .list = headers_list,
};

struct nu_attribute nu_attribute_headers(const struct nu_headers *headers)
{
    return nu_attribute_object(NU_ATTRIBUTE_MAP, &headers_class, headers);
}
