/* SPDX-License-Identifier: Apache-2.0 */
/* What a load assignment says besides its hosts. */
#include "upstream/assignment.h"

#include "base/alloc.h"

struct nu_assignment *nu_assignment_create(void)
{
    enum { ARENA_BYTES = 480 };
    struct nu_assignment *assignment = nu_calloc(1, sizeof(*assignment));
    atomic_init(&assignment->refs, 1);
    nu_arena_init_small(&assignment->arena, ARENA_BYTES);
    assignment->overprovisioning_percent = NU_OVERPROVISIONING_DEFAULT;
    assignment->drop.denominator = 100;
    return assignment;
}

struct nu_assignment *nu_assignment_ref(struct nu_assignment *assignment)
{
    if (assignment)
        atomic_fetch_add_explicit(&assignment->refs, 1, memory_order_relaxed);
    return assignment;
}

void nu_assignment_unref(struct nu_assignment *assignment)
{
    if (!assignment || atomic_fetch_sub_explicit(&assignment->refs, 1, memory_order_acq_rel) != 1)
        return;
    nu_arena_finish(&assignment->arena);
    nu_free(assignment);
}

uint32_t nu_assignment_locality_weight(const struct nu_assignment *assignment, uint32_t priority,
                                       const struct nu_locality *locality)
{
    for (size_t i = assignment ? assignment->locality_weight_count : 0; i > 0; i--) {
        const struct nu_locality_weight *item = &assignment->locality_weights[i - 1];
        if (item->priority == priority && nu_locality_eq(&item->locality, locality))
            return item->weight;
    }
    return 0;
}
