/* SPDX-License-Identifier: Apache-2.0 */
/* The balancer of aggregate clusters. */
#include "upstream/lb/lb_aggregate.h"

#include "base/alloc.h"
#include "base/random.h"
#include "upstream/lb/lb_source.h"

/* A priority of one of the clusters. */
struct place {
    struct nu_cluster_local *cluster; /* borrowed: of the same worker */
    uint32_t priority;                /* there */
};

struct aggregate_lb {
    struct nu_lb base;
    struct place *places;             /* owned: in order */
    struct nu_priority_state *states; /* owned: of each place */
    struct nu_priority_load *loads;   /* owned: of each place */
    uint32_t count;
    struct nu_priority_load *passed; /* owned: of a cluster's priorities, all 0 but for a choice */
    uint32_t passed_count;
};

static struct aggregate_lb *balancer_of(const struct nu_cluster_local *local)
{
    return nu_container_of(local->lb, struct aggregate_lb, base);
}

/* --- The priorities of all clusters ----------------------------------------------------------- */

bool nu_aggregate_has(const struct nu_aggregate *aggregate, struct nu_str name)
{
    for (size_t i = 0; i < aggregate->count; i++) {
        if (nu_str_eq(aggregate->clusters[i], name))
            return true;
    }
    return false;
}

static void clear(struct aggregate_lb *lb)
{
    nu_free(lb->places);
    nu_free(lb->states);
    nu_free(lb->loads);
    nu_free(lb->passed);
    lb->places = NULL;
    lb->states = NULL;
    lb->loads = lb->passed = NULL;
    lb->count = lb->passed_count = 0;
}

static void add_cluster(struct aggregate_lb *lb, struct nu_cluster_local *cluster)
{
    const struct nu_host_set *set = cluster->hosts;
    for (uint32_t i = 0; i < set->priority_count; i++) {
        if (set->priorities[i].all.count == 0)
            continue;
        lb->places[lb->count] = (struct place){cluster, i};
        lb->states[lb->count++] = nu_host_set_state(set, i);
    }
}

/* Makes room for the priorities of all clusters that are there. */
static void make_room(struct aggregate_lb *lb, const struct nu_aggregate *aggregate,
                      const struct nu_cluster_table *table)
{
    uint32_t count = 0;
    for (size_t i = 0; i < aggregate->count; i++) {
        const struct nu_cluster_local *cluster =
            nu_cluster_table_find(table, aggregate->clusters[i]);
        if (!cluster)
            continue;
        count += cluster->hosts->priority_count;
        if (cluster->hosts->priority_count > lb->passed_count)
            lb->passed_count = cluster->hosts->priority_count;
    }
    lb->places = nu_alloc((count + 1) * sizeof(*lb->places));
    lb->states = nu_alloc((count + 1) * sizeof(*lb->states));
    lb->passed = nu_calloc(lb->passed_count + 1, sizeof(*lb->passed));
}

void nu_aggregate_refresh(struct nu_cluster_local *local, const struct nu_cluster_table *table)
{
    struct aggregate_lb *lb = balancer_of(local);
    const struct nu_aggregate *aggregate = local->cluster->aggregate;
    clear(lb);
    make_room(lb, aggregate, table);
    for (size_t i = 0; i < aggregate->count; i++) {
        struct nu_cluster_local *cluster = nu_cluster_table_find(table, aggregate->clusters[i]);
        if (cluster)
            add_cluster(lb, cluster);
    }
    lb->loads = nu_calloc(lb->count + 1, sizeof(*lb->loads));
    if (lb->count)
        nu_priority_give_load(lb->states, lb->count, local->hosts->panic_percent, lb->loads);
}

uint32_t nu_aggregate_priority_count(const struct nu_cluster_local *local)
{
    return balancer_of(local)->count;
}

uint32_t nu_aggregate_health(const struct nu_cluster_local *local, struct nu_priority_load *health)
{
    const struct aggregate_lb *lb = balancer_of(local);
    return nu_priority_health(lb->states, lb->count, health);
}

uint32_t nu_aggregate_priority_of(const struct nu_cluster_local *local,
                                  const struct nu_cluster_local *cluster,
                                  const struct nu_host *host)
{
    const struct aggregate_lb *lb = balancer_of(local);
    for (uint32_t i = lb->count; i > 0; i--) { /* of a cluster that stands twice the last counts */
        const struct place *place = &lb->places[i - 1];
        if (place->cluster == cluster && place->priority == nu_host_priority(host))
            return i - 1;
    }
    return UINT32_MAX;
}

/* --- Choosing --------------------------------------------------------------------------------- */

/* What the cluster's balancer is asked with: its priority is chosen already. */
struct inner_context {
    struct nu_lb_context base;
    const struct nu_lb_context *outer;
    const struct nu_priority_load *loads;
    uint32_t priority;
};

static const struct inner_context *inner_of(const struct nu_lb_context *context)
{
    return nu_container_of(context, const struct inner_context, base);
}

static bool accepts(const struct nu_lb_context *context, const struct nu_host *host)
{
    const struct nu_lb_context *outer = inner_of(context)->outer;
    return outer->accepts(outer, host);
}

static const struct nu_priority_load *loads_of(const struct nu_lb_context *context, uint32_t count)
{
    const struct inner_context *inner = inner_of(context);
    return inner->priority < count ? inner->loads : NULL;
}

/* Envoy looks for a host that is asked for among those of the aggregate, of which there are none. */
static struct nu_cluster_choice choose_in(struct aggregate_lb *lb, const struct place *place,
                                          bool degraded, const struct nu_lb_context *outer)
{
    struct inner_context inner = {*outer, outer, lb->passed, place->priority};
    struct nu_priority_load *load = &lb->passed[place->priority];
    inner.base.override_host = nu_str_make(NULL, 0);
    inner.base.loads = loads_of;
    if (outer->accepts)
        inner.base.accepts = accepts;
    if (outer->complete)
        outer->complete(outer, &inner.base, place->cluster);
    *load = (struct nu_priority_load){degraded ? 0 : 100, degraded ? 100 : 0};
    struct nu_cluster_choice choice = nu_cluster_choose_host(place->cluster, &inner.base);
    *load = (struct nu_priority_load){0};
    nu_cluster_local_stats(place->cluster); /* its pools count from here on */
    return choice;
}

struct nu_cluster_choice nu_aggregate_choose(struct nu_cluster_local *local,
                                             const struct nu_lb_context *context)
{
    struct aggregate_lb *lb = balancer_of(local);
    if (lb->count == 0)
        return (struct nu_cluster_choice){local, NU_LB_NONE};
    const struct nu_priority_load *loads =
        context->loads ? context->loads(context, lb->count) : NULL;
    struct nu_lb_priority chosen =
        nu_lb_pick_priority(loads ? loads : lb->loads, lb->count, nu_random_u64());
    return choose_in(lb, &lb->places[chosen.priority], chosen.degraded, context);
}

/* --- Life ------------------------------------------------------------------------------------- */

static int32_t choose(struct nu_lb *lb, const struct nu_lb_context *context)
{
    (void)lb;
    (void)context;
    return NU_LB_NONE; /* it has no hosts of its own */
}

static struct nu_lb *create(struct nu_cluster_local *local, const struct nu_host_set *hosts)
{
    struct aggregate_lb *lb = nu_calloc(1, sizeof(*lb));
    nu_lb_init(&lb->base, &nu_lb_aggregate, local, hosts);
    return &lb->base;
}

static void destroy(struct nu_lb *base)
{
    struct aggregate_lb *lb = nu_container_of(base, struct aggregate_lb, base);
    clear(lb);
    nu_lb_finish(base);
    nu_free(lb);
}

const struct nu_lb_class nu_lb_aggregate = {
    .name = "aggregate",
    .is_provided = true,
    .create = create,
    .destroy = destroy,
    .choose = choose,
};
