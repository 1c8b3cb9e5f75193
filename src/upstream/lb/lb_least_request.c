/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Least request. Equal weights: a few hosts are drawn at random, the same perhaps twice, and the
 * one with the fewest requests at work is taken; or all are compared, and one of those with the
 * fewest is drawn. Different weights, or slow start: in turn by weights that are divided by a power
 * of the requests at work (lb_turn.h). Requests are those of all workers.
 */
#include <math.h>

#include "base/alloc.h"
#include "base/random.h"
#include "upstream/cluster.h"
#include "upstream/lb/lb_turn.h"

struct least_request {
    struct nu_lb base;
    double bias;           /* of requests against weights */
    bool is_slow;          /* some host was in slow start when the set came */
    struct nu_edf turns[]; /* for each list of the set; made on first use */
};

static uint32_t active_of(const struct nu_host *host)
{
    return atomic_load_explicit(&host->active, memory_order_relaxed);
}

static double weight_of(const struct nu_lb *base, const struct nu_host *host)
{
    const struct least_request *lb = nu_container_of(base, const struct least_request, base);
    return nu_host_weight(host) / pow((double)active_of(host) + 1, lb->bias);
}

static const struct nu_host *host_at(const struct nu_lb *lb, const struct nu_host_list *list,
                                     uint32_t n)
{
    return lb->hosts->hosts[nu_host_list_at(list, n)];
}

static uint32_t pick_of_some(const struct nu_lb *lb, const struct nu_host_list *list)
{
    uint32_t best = (uint32_t)nu_random_below(list->count);
    uint32_t fewest = active_of(host_at(lb, list, best));
    for (uint32_t i = 1; i < lb->settings->choice_count; i++) {
        uint32_t n = (uint32_t)nu_random_below(list->count);
        uint32_t active = active_of(host_at(lb, list, n));
        if (active < fewest) {
            best = n;
            fewest = active;
        }
    }
    return best;
}

/* Each of those with the fewest is as likely: the k-th takes the place with a chance of 1/k. */
static uint32_t pick_of_all(const struct nu_lb *lb, const struct nu_host_list *list)
{
    uint32_t best = 0;
    uint32_t fewest = UINT32_MAX;
    uint32_t equals = 0;
    for (uint32_t n = 0; n < list->count; n++) {
        uint32_t active = active_of(host_at(lb, list, n));
        if (active > fewest)
            continue;
        equals = active < fewest ? 1 : equals + 1;
        fewest = active;
        if (equals == 1 || nu_random_below(equals) == 0)
            best = n;
    }
    return best;
}

static int32_t choose(struct nu_lb *base, const struct nu_lb_context *context)
{
    struct least_request *lb = nu_container_of(base, struct least_request, base);
    struct nu_lb_source source;
    if (!nu_lb_source(base, context, &source) || nu_unlikely(source.list->count == 0))
        return NU_LB_NONE;
    uint32_t n;
    if (source.list->weighted || lb->is_slow)
        n = nu_lb_turn_pick(base, source.list, &lb->turns[source.slot], weight_of);
    else if (base->settings->scans_all)
        n = pick_of_all(base, source.list);
    else
        n = pick_of_some(base, source.list);
    return (int32_t)nu_host_list_at(source.list, n);
}

/* The runtime may hold nonsense. */
static double bias_of(const struct nu_lb *lb)
{
    double bias =
        nu_runtime_number_get(&lb->settings->active_request_bias, lb->local->loop->runtime);
    return bias >= 0 ? bias : 1;
}

static struct nu_lb *create(struct nu_cluster_local *local, const struct nu_host_set *hosts)
{
    struct least_request *lb =
        nu_calloc(1, sizeof(*lb) + hosts->slot_count * sizeof(struct nu_edf));
    nu_lb_init(&lb->base, &nu_lb_least_request, local, hosts);
    lb->bias = bias_of(&lb->base);
    lb->is_slow = nu_lb_has_slow_start(&lb->base);
    return &lb->base;
}

static void destroy(struct nu_lb *base)
{
    struct least_request *lb = nu_container_of(base, struct least_request, base);
    for (uint32_t i = 0; i < base->hosts->slot_count; i++)
        nu_edf_finish(&lb->turns[i]);
    nu_lb_finish(base);
    nu_free(lb);
}

const struct nu_lb_class nu_lb_least_request = {
    .name = "least_request",
    .counts_active = true,
    .knows_zones = true,
    .foresight = NU_LB_FORESEEN_BY_WEIGHT,
    .create = create,
    .destroy = destroy,
    .choose = choose,
};
