/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round robin. Equal weights: hosts in turn, each worker beginning at a random one, so that workers
 * do not march in step. Different weights: earliest deadline first (edf.h). Each list of hosts that
 * requests go to (healthy, degraded, all in panic; of each priority) has a turn of its own.
 */
#include "base/alloc.h"
#include "base/random.h"
#include "upstream/edf.h"
#include "upstream/lb_source.h"

struct turn {
    uint32_t next;     /* without weights: random at first, which may be anywhere */
    struct nu_edf edf; /* with them; made on first use */
};

struct round_robin {
    struct nu_lb base;
    struct turn turns[]; /* for each list of the set */
};

/* For the weights of a list. */
struct weighed {
    const struct nu_host_set *set;
    const struct nu_host_list *list;
};

static double weight_of(void *arg, uint32_t item)
{
    const struct weighed *weighed = arg;
    return nu_host_weight(weighed->set->hosts[nu_host_list_at(weighed->list, item)]);
}

static uint32_t pick_by_deadline(const struct nu_host_set *set, const struct nu_host_list *list,
                                 struct nu_edf *edf)
{
    struct weighed weighed = {set, list};
    if (nu_unlikely(!edf->heap))
        nu_edf_init(edf, list->count, weight_of, &weighed);
    return nu_edf_pick(edf, weight_of, &weighed);
}

static int32_t choose(struct nu_lb *base, const struct nu_lb_context *context)
{
    struct round_robin *lb = nu_container_of(base, struct round_robin, base);
    struct nu_lb_source source;
    if (!nu_lb_source(base, context, &source) || nu_unlikely(source.list->count == 0))
        return NU_LB_NONE;
    struct turn *turn = &lb->turns[source.slot];
    uint32_t n;
    if (nu_unlikely(source.list->weighted)) {
        n = pick_by_deadline(base->hosts, source.list, &turn->edf);
    } else {
        if (nu_unlikely(turn->next >= source.list->count))
            turn->next %= source.list->count;
        n = turn->next++;
    }
    return (int32_t)nu_host_list_at(source.list, n);
}

static struct nu_lb *create(struct nu_cluster_local *local, const struct nu_host_set *hosts)
{
    size_t turns = hosts->slot_count * sizeof(struct turn);
    struct round_robin *lb = nu_calloc(1, sizeof(*lb) + turns);
    lb->base = (struct nu_lb){.cls = &nu_lb_round_robin, .local = local, .hosts = hosts};
    for (uint32_t i = 0; i < hosts->slot_count; i++)
        lb->turns[i].next = (uint32_t)nu_random_u64();
    return &lb->base;
}

static void destroy(struct nu_lb *base)
{
    struct round_robin *lb = nu_container_of(base, struct round_robin, base);
    for (uint32_t i = 0; i < base->hosts->slot_count; i++)
        nu_edf_finish(&lb->turns[i].edf);
    nu_free(lb);
}

const struct nu_lb_class nu_lb_round_robin = {
    .name = "round_robin",
    .create = create,
    .destroy = destroy,
    .choose = choose,
};
