/* SPDX-License-Identifier: Apache-2.0 */
/* Header maps: a name once, with its values joined by commas. */
#include "attribute/attribute_internal.h"
#include "base/hash.h"
#include "http/headers.h"

/* The values of a name: first measured, then, if they are several, written behind each other. */
struct joined {
    struct nu_str text; /* where there is but one, this one */
    size_t count;
    char *at; /* where the next one goes */
};

static void measure(struct joined *joined, struct nu_str value)
{
    if (joined->count++ == 0)
        joined->text = value;
    else
        joined->text.len += 1 + value.len;
}

static void make_room(struct joined *joined, struct nu_arena *arena)
{
    if (joined->count < 2)
        return;
    joined->at = nu_arena_alloc(arena, joined->text.len);
    joined->text.ptr = joined->at;
    joined->count = 0;
}

static void append(struct joined *joined, struct nu_str value)
{
    if (!joined->at)
        return;
    if (joined->count++)
        *joined->at++ = ',';
    if (value.len)
        memcpy(joined->at, value.ptr, value.len);
    joined->at += value.len;
}

/* In the source's arena, where it is more than one; the headers' own lives as long as the stream.
 * NONE if there is none. */
static struct nu_attribute find(const struct nu_attribute_source *source,
                                const struct nu_headers *headers, struct nu_str name)
{
    struct joined joined = {.count = 0};
    nu_headers_for_each(header, headers)
    {
        if (nu_str_eq(header->name, name))
            measure(&joined, header->value);
    }
    if (joined.count == 0)
        return nu_attribute_none();
    make_room(&joined, source->arena);
    nu_headers_for_each(header, headers)
    {
        if (joined.at && nu_str_eq(header->name, name))
            append(&joined, header->value);
    }
    return nu_attribute_string(joined.text);
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
    return find(source, self->of, lower);
}

/* Names in the order of their first values. A guest may have made very many of them. */
static struct nu_attribute_entries headers_list(const struct nu_attribute_source *source,
                                                const struct nu_attribute_object *self)
{
    const struct nu_headers *headers = self->of;
    struct nu_map seen = {.count = 0};
    if (!headers)
        return (struct nu_attribute_entries){.count = 0};
    size_t room = nu_headers_count(headers) + 1;
    struct nu_attribute_entry *items = nu_arena_alloc(source->arena, room * sizeof(*items));
    struct joined *values = nu_arena_calloc(source->arena, room * sizeof(*values));
    nu_headers_for_each(header, headers)
    {
        struct joined *joined = nu_map_get(&seen, header->name);
        if (!joined) {
            joined = &values[seen.count];
            items[seen.count].key = header->name;
            nu_map_put(&seen, header->name, joined);
        }
        measure(joined, header->value);
    }
    for (size_t i = 0; i < seen.count; i++)
        make_room(&values[i], source->arena);
    nu_headers_for_each(header, headers) append(nu_map_get(&seen, header->name), header->value);
    size_t count = seen.count;
    for (size_t i = 0; i < count; i++)
        items[i].value = nu_attribute_string(values[i].text);
    nu_map_finish(&seen);
    return (struct nu_attribute_entries){items, count};
}

static size_t headers_size(const struct nu_attribute_object *self)
{
    const struct nu_headers *headers = self->of;
    return headers ? headers->used : 0;
}

static const struct nu_attribute_class headers_class = {
    .size = headers_size,
    .member = headers_member,
    .list = headers_list,
};

struct nu_attribute nu_attribute_headers(const struct nu_headers *headers)
{
    return nu_attribute_object(NU_ATTRIBUTE_MAP, &headers_class, headers);
}

uint64_t nu_attribute_header_bytes(const struct nu_headers *headers)
{
    return headers ? nu_headers_byte_size(headers) : 0;
}
