/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round robin. Equal weights: hosts in turn, each worker beginning at a random one, so that workers
 * do not march in step. Different weights, or slow start: earliest deadline first (lb_turn.h). Each
 * list of hosts that requests go to (healthy, degraded, all in panic; of each priority and
 * locality) has a turn of its own.
 */
#include "base/alloc.h"
#include "base/random.h"
#include "upstream/lb/lb_turn.h"

struct turn {
    uint32_t next;     /* without weights: random at first, which may be anywhere */
    struct nu_edf edf; /* with them; made on first use */
};

struct round_robin {
    struct nu_lb base;
    uint32_t count;      /* all hosts, where each is as good as any; else 0 */
    bool is_slow;        /* some host was in slow start when the set came */
    struct turn turns[]; /* for each list of the set */
};

static double weight_of(const struct nu_lb *lb, const struct nu_host *host)
{
    (void)lb;
    return nu_host_weight(host);
}

static uint32_t take_turn(struct turn *turn, uint32_t count)
{
    if (nu_unlikely(turn->next >= count))
        turn->next %= count;
    return turn->next++;
}

static NU_NOINLINE int32_t choose_from_list(struct nu_lb *base, const struct nu_lb_context *context)
{
    struct round_robin *lb = nu_container_of(base, struct round_robin, base);
    struct nu_lb_source source;
    if (!nu_lb_source(base, context, &source) || source.list->count == 0)
        return NU_LB_NONE;
    struct turn *turn = &lb->turns[source.slot];
    uint32_t n = source.list->weighted || lb->is_slow
                     ? nu_lb_turn_pick(base, source.list, &turn->edf, weight_of)
                     : take_turn(turn, source.list->count);
    return (int32_t)nu_host_list_at(source.list, n);
}

static int32_t choose(struct nu_lb *base, const struct nu_lb_context *context)
{
    struct round_robin *lb = nu_container_of(base, struct round_robin, base);
    if (nu_unlikely(lb->count == 0))
        return choose_from_list(base, context);
    return (int32_t)take_turn(&lb->turns[NU_SLOT_HEALTHY], lb->count);
}

/* Whether every choice is the next one of all hosts. */
static bool is_simple(const struct round_robin *lb)
{
    const struct nu_host_set *set = lb->base.hosts;
    const struct nu_host_list *healthy = &set->priorities[0].healthy;
    return set->is_plain && !healthy->index && !healthy->weighted && !lb->is_slow;
}

static struct nu_lb *create(struct nu_cluster_local *local, const struct nu_host_set *hosts)
{
    size_t turns = hosts->slot_count * sizeof(struct turn);
    struct round_robin *lb = nu_calloc(1, sizeof(*lb) + turns);
    nu_lb_init(&lb->base, &nu_lb_round_robin, local, hosts);
    lb->is_slow = nu_lb_has_slow_start(&lb->base);
    lb->count = is_simple(lb) ? hosts->count : 0;
    for (uint32_t i = 0; i < hosts->slot_count; i++)
        lb->turns[i].next = (uint32_t)nu_random_u64();
    return &lb->base;
}

static void destroy(struct nu_lb *base)
{
    struct round_robin *lb = nu_container_of(base, struct round_robin, base);
    for (uint32_t i = 0; i < base->hosts->slot_count; i++)
        nu_edf_finish(&lb->turns[i].edf);
    nu_lb_finish(base);
    nu_free(lb);
}

const struct nu_lb_class nu_lb_round_robin = {
    .name = "round_robin",
    .knows_zones = true,
    .foresight = NU_LB_FORESEEN,
    .create = create,
    .destroy = destroy,
    .choose = choose,
};
