/* SPDX-License-Identifier: Apache-2.0 */
/* Filter state as a list: a stream has a handful of objects at most. */
#include "http/filter_state.h"

#include "base/xxhash.h"
#include "http/stream_info.h"

const struct nu_filter_state_object *nu_filter_state_find(const struct nu_filter_state *state,
                                                          struct nu_str name)
{
    const struct nu_filter_state_object *object = state ? state->objects : NULL;
    while (object && !nu_str_eq(object->name, name))
        object = object->next;
    return object;
}

/* What a connection keeps for its streams. The info of a connection itself has none beside its
 * own. */
static struct nu_filter_state *connections(const struct nu_stream_info *info, bool make)
{
    struct nu_connection_info *connection = info->connection;
    return connection && connection->filter_state ? connection->filter_state(connection, make)
                                                  : NULL;
}

const struct nu_filter_state_object *nu_stream_info_find_state(const struct nu_stream_info *info,
                                                               struct nu_str name)
{
    const struct nu_filter_state_object *object = nu_filter_state_find(info->filter_state, name);
    return object ? object : nu_filter_state_find(connections(info, false), name);
}

struct nu_filter_state *nu_stream_info_filter_state(struct nu_stream_info *info)
{
    if (info->filter_state)
        return info->filter_state;
    info->filter_state = nu_arena_calloc(info->arena, sizeof(*info->filter_state));
    info->filter_state->arena = info->arena;
    info->filter_state->is_of_connection = info->connection && !info->connection->filter_state;
    return info->filter_state;
}

struct nu_filter_state *nu_stream_info_state_keeper(struct nu_stream_info *info, uint8_t life)
{
    struct nu_filter_state *of_connection =
        life == NU_FILTER_STATE_CONNECTION ? connections(info, true) : NULL;
    return of_connection ? of_connection : nu_stream_info_filter_state(info);
}

static bool is_fixed(const struct nu_filter_state_object *seen,
                     const struct nu_filter_state_object *object)
{
    return seen->is_read_only || object->is_read_only;
}

bool nu_stream_info_may_set_state(const struct nu_stream_info *info,
                                  const struct nu_filter_state_object *object)
{
    const struct nu_filter_state_object *seen =
        nu_filter_state_find(info->filter_state, object->name);
    if (seen)
        return !is_fixed(seen, object) &&
               (info->filter_state->is_of_connection || seen->life == object->life);
    seen = nu_filter_state_find(connections(info, false), object->name);
    return !seen || (!is_fixed(seen, object) && object->life == NU_FILTER_STATE_CONNECTION);
}

enum nu_result nu_stream_info_set_state(struct nu_stream_info *info,
                                        const struct nu_filter_state_object *object)
{
    if (!nu_stream_info_may_set_state(info, object))
        return NU_INVALID;
    struct nu_filter_state *at = nu_stream_info_state_keeper(info, object->life);
    struct nu_filter_state_object *kept = nu_unconst(nu_filter_state_find(at, object->name));
    if (!kept) {
        kept = nu_arena_alloc(at->arena, sizeof(*kept));
        kept->next = at->objects;
        at->objects = kept;
        at->count++;
    }
    struct nu_filter_state_object *next = kept->next;
    *kept = *object;
    kept->next = next;
    return NU_OK;
}

void nu_filter_state_end_filter_chain(struct nu_filter_state *state)
{
    struct nu_filter_state_object **at = &state->objects;
    while (*at) {
        if ((*at)->life == NU_FILTER_STATE_FILTER_CHAIN) {
            *at = (*at)->next;
            state->count--;
        } else {
            at = &(*at)->next;
        }
    }
}

size_t nu_stream_info_state_count(const struct nu_stream_info *info)
{
    const struct nu_filter_state *of_connection = connections(info, false);
    return (info->filter_state ? info->filter_state->count : 0) +
           (of_connection ? of_connection->count : 0);
}

bool nu_stream_info_hash_state(const struct nu_stream_info *info, struct nu_str name,
                               uint64_t *hash)
{
    const struct nu_filter_state_object *object = nu_stream_info_find_state(info, name);
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

static struct nu_value number_to_value(const void *object, struct nu_arena *arena)
{
    uint64_t number = 0;
    enum nu_result result = nu_str_to_u64(*(const struct nu_str *)object, &number);
    (void)arena;
    (void)result; /* it was made of a number */
    return nu_value_number((double)number);
}

const struct nu_filter_state_class nu_filter_state_number = {
    .name = "number",
    .to_text = string_to_text,
    .to_value = number_to_value,
};
