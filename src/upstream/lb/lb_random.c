/* SPDX-License-Identifier: Apache-2.0 */
/* A random host of the list; weights of hosts say nothing, as with Envoy. */
#include "base/alloc.h"
#include "base/random.h"
#include "upstream/lb/lb_source.h"

static int32_t choose(struct nu_lb *lb, const struct nu_lb_context *context)
{
    struct nu_lb_source source;
    if (!nu_lb_source(lb, context, &source) || nu_unlikely(source.list->count == 0))
        return NU_LB_NONE;
    uint32_t n = (uint32_t)nu_random_below(source.list->count);
    return (int32_t)nu_host_list_at(source.list, n);
}

static struct nu_lb *create(struct nu_cluster_local *local, const struct nu_host_set *hosts)
{
    struct nu_lb *lb = nu_alloc(sizeof(*lb));
    nu_lb_init(lb, &nu_lb_random, local, hosts);
    return lb;
}

static void destroy(struct nu_lb *lb)
{
    nu_lb_finish(lb);
    nu_free(lb);
}

const struct nu_lb_class nu_lb_random = {
    .name = "random",
    .knows_zones = true,
    .foresight = NU_LB_FORESEEN,
    .create = create,
    .destroy = destroy,
    .choose = choose,
};
