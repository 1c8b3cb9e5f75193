/* SPDX-License-Identifier: Apache-2.0 */
/* Which subsets a cluster has had: a generation of notes for each set of hosts. */
#include "base/alloc.h"
#include "base/hash.h"
#include "upstream/hosts/subset_internal.h"

struct note {
    uint64_t generation; /* the last in which there was such a subset */
    char key[];          /* the criteria as JSON */
};

struct nu_subset_registry {
    struct nu_map notes; /* of struct note, owned */
    uint64_t generation;
    struct nu_subset_totals totals;
};

static void finish(void *obj)
{
    struct nu_subset_registry *registry = obj;
    nu_map_for_each(entry, &registry->notes)
    {
        nu_free(entry->value);
    }
    nu_map_finish(&registry->notes);
}

struct nu_subset_registry *nu_subset_registry_create(struct nu_arena *arena)
{
    struct nu_subset_registry *registry = nu_arena_calloc(arena, sizeof(*registry));
    nu_arena_on_free(arena, finish, registry);
    return registry;
}

struct nu_subset_totals nu_subset_registry_totals(const struct nu_subset_registry *registry)
{
    return registry->totals;
}

static struct note *add_note(struct nu_subset_registry *registry, struct nu_str key)
{
    struct note *note = nu_alloc(sizeof(*note) + key.len);
    memcpy(note->key, key.ptr, key.len);
    nu_map_put(&registry->notes, nu_str_make(note->key, key.len), note);
    registry->totals.created++;
    return note;
}

static void note_one(struct nu_subset_registry *registry, const struct nu_value *criteria)
{
    struct nu_strbuf key = {0};
    nu_value_to_json(criteria, &key);
    struct note *note = nu_map_get(&registry->notes, nu_strbuf_str(&key));
    if (!note)
        note = add_note(registry, nu_strbuf_str(&key));
    note->generation = registry->generation;
    nu_strbuf_finish(&key);
}

/* The map may not change while it is walked. */
static void remove_old(struct nu_subset_registry *registry)
{
    struct nu_map kept = {0};
    nu_map_for_each(entry, &registry->notes)
    {
        struct note *note = entry->value;
        if (note->generation == registry->generation) {
            nu_map_put(&kept, entry->key, note);
        } else {
            nu_free(note);
            registry->totals.removed++;
        }
    }
    nu_map_finish(&registry->notes);
    registry->notes = kept;
}

struct nu_subset_totals nu_subset_registry_note(struct nu_subset_registry *registry,
                                                const struct nu_subset *subsets, uint32_t count)
{
    registry->generation++;
    for (uint32_t i = 0; i < count; i++)
        note_one(registry, &subsets[i].criteria);
    if (registry->notes.count > count)
        remove_old(registry);
    return registry->totals;
}
