/* SPDX-License-Identifier: Apache-2.0 */
/* Filter state as a list: a stream has a handful of objects at most. */
#include "http/filter_state.h"

#include "base/xxhash.h"
#include "http/stream_info.h"

struct nu_filter_state *nu_filter_state_create(struct nu_arena *arena,
                                               struct nu_filter_state *parent)
{
    struct nu_filter_state *state = nu_arena_calloc(arena, sizeof(*state));
    state->arena = arena;
    state->parent = parent;
    return state;
}

static struct nu_filter_state_object *find_own(const struct nu_filter_state *state,
                                               struct nu_str name)
{
    struct nu_filter_state_object *object = state->objects;
    while (object && !nu_str_eq(object->name, name))
        object = object->next;
    return object;
}

const struct nu_filter_state_object *nu_filter_state_find(const struct nu_filter_state *state,
                                                          struct nu_str name)
{
    for (; state; state = state->parent) {
        const struct nu_filter_state_object *object = find_own(state, name);
        if (object)
            return object;
    }
    return NULL;
}

/* The state that keeps objects of this life span, or NULL. */
static struct nu_filter_state *keeper(struct nu_filter_state *state, uint8_t life)
{
    return life == NU_FILTER_STATE_CONNECTION ? state->parent : state;
}

enum nu_result nu_filter_state_set(struct nu_filter_state *state,
                                   const struct nu_filter_state_object *object)
{
    struct nu_filter_state *at = keeper(state, object->life);
    if (!at)
        return NU_UNSUPPORTED;
    const struct nu_filter_state_object *seen = nu_filter_state_find(state, object->name);
    if (seen && (seen->is_read_only || object->is_read_only || seen->life != object->life))
        return NU_INVALID;
    struct nu_filter_state_object *kept = nu_unconst(seen);
    if (!kept) {
        kept = nu_arena_alloc(at->arena, sizeof(*kept));
        kept->next = at->objects;
        at->objects = kept;
    }
    struct nu_filter_state_object *next = kept->next;
    *kept = *object;
    kept->next = next;
    return NU_OK;
}

struct nu_filter_state *nu_stream_info_filter_state(struct nu_stream_info *info)
{
    if (!info->filter_state)
        info->filter_state = nu_filter_state_create(info->arena, NULL);
    return info->filter_state;
}

void nu_filter_state_end_filter_chain(struct nu_filter_state *state)
{
    struct nu_filter_state_object **at = &state->objects;
    while (*at) {
        if ((*at)->life == NU_FILTER_STATE_FILTER_CHAIN)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
}

bool nu_filter_state_hash(const struct nu_filter_state *state, struct nu_str name, uint64_t *hash)
{
    const struct nu_filter_state_object *object = nu_filter_state_find(state, name);
    if (!object || !object->object_class->hash)
        return false;
    *hash = object->object_class->hash(object->object);
    return true;
}

static bool string_to_text(const void *object, struct nu_strbuf *out)
{
    const struct nu_str *text = object;
    nu_strbuf_add(out, *text);
    return true;
}

static struct nu_value string_to_value(const void *object, struct nu_arena *arena)
{
    const struct nu_str *text = object;
    (void)arena;
    return nu_value_string(*text);
}

const struct nu_filter_state_class nu_filter_state_string = {
    .name = "string",
    .to_text = string_to_text,
    .to_value = string_to_value,
};

static uint64_t hash_string(const void *object)
{
    return nu_xxhash64(*(const struct nu_str *)object);
}

const struct nu_filter_state_class nu_filter_state_hashable_string = {
    .name = "hashable_string",
    .to_text = string_to_text,
    .to_value = string_to_value,
    .hash = hash_string,
};
