/* SPDX-License-Identifier: Apache-2.0 */
/* What a load assignment says besides its hosts. */
#include "upstream/hosts/assignment.h"

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

static bool is_same_weight(const struct nu_locality_weight *a, const struct nu_locality_weight *b)
{
    return a->priority == b->priority && a->weight == b->weight &&
           nu_locality_eq(&a->locality, &b->locality);
}

static bool are_same_weights(const struct nu_assignment *a, const struct nu_assignment *b)
{
    if (a->locality_weight_count != b->locality_weight_count)
        return false;
    for (size_t i = 0; i < a->locality_weight_count; i++) {
        if (!is_same_weight(&a->locality_weights[i], &b->locality_weights[i]))
            return false;
    }
    return true;
}

bool nu_assignment_eq(const struct nu_assignment *a, const struct nu_assignment *b)
{
    static const struct nu_assignment none = {
        .overprovisioning_percent = NU_OVERPROVISIONING_DEFAULT,
        .drop = {.denominator = 100},
    };
    a = a ? a : &none;
    b = b ? b : &none;
    return a->overprovisioning_percent == b->overprovisioning_percent &&
           a->weighted_priority_health == b->weighted_priority_health &&
           a->drop.numerator == b->drop.numerator && a->drop.denominator == b->drop.denominator &&
           nu_str_eq(a->drop_category, b->drop_category) && are_same_weights(a, b);
}
