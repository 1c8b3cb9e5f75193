/* SPDX-License-Identifier: Apache-2.0 */
/* Choices ahead, in a ring that is as large as they may become. */
#include "upstream/lb/lb_foresight.h"

#include "base/alloc.h"

struct nu_lb_foreseen {
    uint32_t room;
    uint32_t first;
    uint32_t count;
    int32_t choices[];
};

struct foreseeing_class {
    struct nu_lb_class cls;
    const struct nu_lb_class *chooser; /* borrowed */
};

static const struct nu_lb_class *chooser_of(const struct nu_lb *lb)
{
    return nu_container_of(lb->cls, const struct foreseeing_class, cls)->chooser;
}

static int32_t take(struct nu_lb_foreseen *foreseen)
{
    int32_t choice = foreseen->choices[foreseen->first];
    foreseen->first = (foreseen->first + 1) % foreseen->room;
    foreseen->count--;
    return choice;
}

/* A retry that looks at priorities in a way of its own is none of those that were foreseen. */
static int32_t choose(struct nu_lb *lb, const struct nu_lb_context *context)
{
    if (lb->foreseen && lb->foreseen->count && !context->loads)
        return take(lb->foreseen);
    return chooser_of(lb)->choose(lb, context);
}

const struct nu_lb_class *nu_lb_foresee_class(const struct nu_lb_class *cls, struct nu_arena *arena)
{
    if (cls->foresight == NU_LB_UNFORESEEN)
        return cls;
    struct foreseeing_class *own = nu_arena_alloc(arena, sizeof(*own));
    own->cls = *cls;
    own->cls.choose = choose;
    own->chooser = cls;
    return &own->cls;
}

static uint32_t count_healthy(const struct nu_host_set *hosts)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < hosts->priority_count; i++)
        count += hosts->priorities[i].healthy.count;
    return count;
}

static struct nu_lb_foreseen *foreseen_of(struct nu_lb *lb)
{
    if (!lb->foreseen) {
        uint32_t room = count_healthy(lb->hosts);
        lb->foreseen =
            nu_calloc(1, sizeof(*lb->foreseen) + room * sizeof(lb->foreseen->choices[0]));
        lb->foreseen->room = room;
    }
    return lb->foreseen;
}

static bool can_foresee(const struct nu_lb *lb)
{
    return lb->cls->choose == choose &&
           (lb->cls->foresight == NU_LB_FORESEEN || lb->hosts->weighted);
}

int32_t nu_lb_foresee(struct nu_lb *lb, const struct nu_lb_context *context)
{
    if (!can_foresee(lb))
        return NU_LB_NONE;
    struct nu_lb_foreseen *foreseen = foreseen_of(lb);
    if (foreseen->count == foreseen->room)
        return NU_LB_NONE;
    int32_t choice = chooser_of(lb)->choose(lb, context);
    if (choice != NU_LB_NONE)
        foreseen->choices[(foreseen->first + foreseen->count++) % foreseen->room] = choice;
    return choice;
}
