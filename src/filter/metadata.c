/* SPDX-License-Identifier: Apache-2.0 */
/* The services of nuncio/filter.h for dynamic metadata and filter state. */
#include "filter/chain.h"
#include "http/filter_state.h"
#include "http/metadata.h"

static void set_metadata(struct nu_filter *self, struct nu_str ns, struct nu_str key,
                         struct nu_value value)
{
    struct nu_filter_chain *chain = self->chain;
    nu_metadata_set(nu_stream_info_metadata(chain->info), nu_arena_dup(chain->arena, ns),
                    nu_arena_dup(chain->arena, key), value);
}

void nu_filter_set_metadata_string(struct nu_filter *self, struct nu_str ns, struct nu_str key,
                                   struct nu_str value)
{
    set_metadata(self, ns, key, nu_value_string(nu_arena_dup(self->chain->arena, value)));
}

void nu_filter_set_metadata_number(struct nu_filter *self, struct nu_str ns, struct nu_str key,
                                   double value)
{
    set_metadata(self, ns, key, nu_value_number(value));
}

void nu_filter_set_metadata_bool(struct nu_filter *self, struct nu_str ns, struct nu_str key,
                                 bool value)
{
    set_metadata(self, ns, key, nu_value_bool(value));
}

struct nu_str nu_filter_metadata_string(struct nu_filter *self, struct nu_str ns, struct nu_str key)
{
    const struct nu_value *value =
        nu_metadata_find(self->chain->info->dynamic_metadata, ns, &key, 1);
    if (!value || value->type != NU_VALUE_STRING)
        return nu_str_make(NULL, 0);
    return nu_value_text(value);
}

void nu_filter_set_state(struct nu_filter *self, struct nu_str key, struct nu_str value)
{
    struct nu_filter_chain *chain = self->chain;
    struct nu_str *copy = nu_arena_alloc(chain->arena, sizeof(*copy));
    *copy = nu_arena_dup(chain->arena, value);
    struct nu_filter_state_object object = {
        .name = nu_arena_dup(chain->arena, key),
        .object_class = &nu_filter_state_hashable_string,
        .object = copy,
        .life = NU_FILTER_STATE_FILTER_CHAIN,
    };
    enum nu_result result = nu_stream_info_set_state(chain->info, &object);
    (void)result; /* a plug-in's strings are never read-only */
}

struct nu_str nu_filter_state(struct nu_filter *self, struct nu_str key)
{
    const struct nu_filter_state_object *object = nu_stream_info_find_state(self->chain->info, key);
    if (!object || !object->object_class->to_text)
        return nu_str_make(NULL, 0);
    if (object->object_class == &nu_filter_state_hashable_string)
        return *(const struct nu_str *)object->object;
    struct nu_strbuf text = {0};
    bool has_text = object->object_class->to_text(object->object, &text);
    struct nu_str copy =
        has_text ? nu_arena_dup(self->chain->arena, nu_strbuf_str(&text)) : nu_str_make(NULL, 0);
    nu_strbuf_finish(&text);
    return copy;
}
