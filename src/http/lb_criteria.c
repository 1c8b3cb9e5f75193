/* SPDX-License-Identifier: Apache-2.0 */
/* Criteria for subsets of hosts. */
#include "http/lb_criteria.h"

const struct nu_value *nu_lb_criteria_of(const struct nu_metadata *metadata)
{
    return nu_metadata_find(metadata, NU_STR("envoy.lb"), NULL, 0);
}

static void set_all(struct nu_value *to, const struct nu_value *from, struct nu_arena *arena)
{
    for (uint32_t i = 0; i < from->count; i++)
        nu_value_set(to, arena, from->fields[i].name, from->fields[i].value);
}

const struct nu_value *nu_lb_criteria_merge(const struct nu_value *criteria,
                                            const struct nu_value *over, struct nu_arena *arena)
{
    if (!criteria || !over)
        return criteria ? criteria : over;
    struct nu_value *merged = nu_arena_alloc(arena, sizeof(*merged));
    *merged = nu_value_struct();
    set_all(merged, criteria, arena);
    set_all(merged, over, arena);
    return merged;
}
