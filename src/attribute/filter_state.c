/* SPDX-License-Identifier: Apache-2.0 */
/* Filter state: the texts of the objects that filters left. They cannot be told all. */
#include "http/filter_state.h"

#include "attribute/attribute_internal.h"
#include "http/stream_info.h"

static struct nu_attribute text_of(const struct nu_attribute_source *source,
                                   const struct nu_filter_state_object *object)
{
    struct nu_attribute found = nu_attribute_none();
    if (!object)
        return found;
    struct nu_strbuf text = {0};
    if (object->object_class->to_text && object->object_class->to_text(object->object, &text))
        found = nu_attribute_bytes(nu_arena_dup(source->arena, nu_strbuf_str(&text)));
    nu_strbuf_finish(&text);
    if (found.type == NU_ATTRIBUTE_BYTES && object->object_class->is_string)
        found.type = NU_ATTRIBUTE_STRING;
    return found;
}

static struct nu_attribute state_member(const struct nu_attribute_source *source,
                                        const struct nu_attribute_object *self, struct nu_str name)
{
    return text_of(source, nu_stream_info_find_state(self->of, name));
}

static struct nu_attribute upstream_member(const struct nu_attribute_source *source,
                                           const struct nu_attribute_object *self,
                                           struct nu_str name)
{
    return text_of(source, nu_filter_state_find(self->of, name));
}

static size_t state_size(const struct nu_attribute_object *self)
{
    return nu_stream_info_state_count(self->of);
}

static const struct nu_attribute_class state_class = {.member = state_member, .size = state_size};
static const struct nu_attribute_class upstream_class = {.member = upstream_member};

struct nu_attribute nu_attribute_filter_state(const struct nu_attribute_source *source,
                                              unsigned upstream)
{
    const struct nu_stream_info *info = source->info;
    if (!upstream)
        return nu_attribute_object(NU_ATTRIBUTE_MAP, &state_class, info);
    if (info->upstream.host.family == NU_ADDRESS_NONE)
        return nu_attribute_none();
    return nu_attribute_object(NU_ATTRIBUTE_MAP, &upstream_class, info->upstream.filter_state);
}
