/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots of the runtime and reading them. */
#include "runtime/runtime_internal.h"

#include "base/alloc.h"

struct nu_runtime *nu_runtime_create(size_t layer_count)
{
    struct nu_runtime *runtime = nu_calloc(1, sizeof(*runtime));
    atomic_init(&runtime->refs, 1);
    nu_arena_init(&runtime->arena);
    runtime->layers = nu_arena_calloc(&runtime->arena, layer_count * sizeof(*runtime->layers));
    runtime->layer_count = layer_count;
    return runtime;
}

struct nu_runtime *nu_runtime_ref(struct nu_runtime *runtime)
{
    atomic_fetch_add_explicit(&runtime->refs, 1, memory_order_relaxed);
    return runtime;
}

void nu_runtime_unref(struct nu_runtime **runtime)
{
    struct nu_runtime *own = *runtime;
    *runtime = NULL;
    if (!own || atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < own->layer_count; i++)
        nu_map_finish(&own->layers[i].entries);
    nu_map_finish(&own->values);
    nu_arena_finish(&own->arena);
    nu_free(own);
}

struct nu_runtime_entry *nu_runtime_layer_put(struct nu_runtime *runtime,
                                              struct nu_runtime_layer *layer, struct nu_str key,
                                              struct nu_str text)
{
    struct nu_runtime_entry *entry = nu_map_get(&layer->entries, key);
    if (!entry) {
        entry = nu_arena_alloc(&runtime->arena, sizeof(*entry));
        key = nu_arena_dup(&runtime->arena, key);
        nu_map_put(&layer->entries, key, entry);
    } else {
        key = entry->key;
    }
    *entry = (struct nu_runtime_entry){
        .key = key,
        .text = nu_arena_dup(&runtime->arena, text),
    };
    return entry;
}

void nu_runtime_merge(struct nu_runtime *runtime)
{
    for (size_t i = 0; i < runtime->layer_count; i++) {
        nu_map_for_each(slot, &runtime->layers[i].entries)
        {
            nu_map_put(&runtime->values, slot->key, slot->value);
        }
    }
}

static const struct nu_runtime_entry *find(const struct nu_runtime *runtime, struct nu_str key)
{
    if (!runtime || key.len == 0)
        return NULL;
    return nu_map_get(&runtime->values, key);
}

bool nu_runtime_bool(const struct nu_runtime *runtime, struct nu_str key, bool fallback)
{
    const struct nu_runtime_entry *entry = find(runtime, key);
    return entry && entry->has_bool ? entry->boolean : fallback;
}

uint64_t nu_runtime_integer(const struct nu_runtime *runtime, struct nu_str key, uint64_t fallback)
{
    const struct nu_runtime_entry *entry = find(runtime, key);
    return entry && entry->has_integer ? entry->integer : fallback;
}

double nu_runtime_double(const struct nu_runtime *runtime, struct nu_str key, double fallback)
{
    const struct nu_runtime_entry *entry = find(runtime, key);
    return entry && entry->has_double ? entry->number : fallback;
}

struct nu_str nu_runtime_string(const struct nu_runtime *runtime, struct nu_str key,
                                struct nu_str fallback)
{
    const struct nu_runtime_entry *entry = find(runtime, key);
    return entry ? entry->text : fallback;
}

bool nu_runtime_feature_enabled(const struct nu_runtime *runtime, struct nu_str key,
                                uint64_t percent, uint64_t random)
{
    return random % 100 < nu_runtime_integer(runtime, key, percent);
}

bool nu_runtime_fraction_enabled(const struct nu_runtime *runtime, struct nu_str key,
                                 struct nu_fraction fallback, uint64_t random)
{
    const struct nu_runtime_entry *entry = find(runtime, key);
    if (entry && entry->has_fraction)
        return nu_fraction_has(entry->fraction, random);
    if (entry && entry->has_integer)
        return random % 100 < entry->integer;
    return nu_fraction_has(fallback, random);
}

size_t nu_runtime_layer_count(const struct nu_runtime *runtime)
{
    return runtime->layer_count;
}

size_t nu_runtime_key_count(const struct nu_runtime *runtime)
{
    return runtime->values.count;
}

static const struct nu_runtime_layer *admin_layer(const struct nu_runtime *runtime)
{
    for (size_t i = 0; i < runtime->layer_count; i++) {
        if (runtime->layers[i].is_admin)
            return &runtime->layers[i];
    }
    return NULL;
}

bool nu_runtime_has_admin_layer(const struct nu_runtime *runtime)
{
    return admin_layer(runtime) != NULL;
}

bool nu_runtime_has_admin_overrides(const struct nu_runtime *runtime)
{
    const struct nu_runtime_layer *layer = admin_layer(runtime);
    return layer && layer->entries.count > 0;
}
