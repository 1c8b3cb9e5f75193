/* SPDX-License-Identifier: Apache-2.0 */
/* The balancer of forward proxies: a table of the hosts by name. */
#include "upstream/lb/lb_by_name.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "upstream/cluster.h"

struct by_name {
    struct nu_lb base;
    struct nu_map index_of; /* by name: the index and 1, as a pointer */
};

static struct by_name *table_of(struct nu_lb *base)
{
    return nu_container_of(base, struct by_name, base);
}

bool nu_lb_by_name_has(struct nu_lb *base, struct nu_str name)
{
    return nu_map_get(&table_of(base)->index_of, name) != NULL;
}

static int32_t choose(struct nu_lb *base, const struct nu_lb_context *context)
{
    if (!context->host_name.len)
        return NU_LB_NONE;
    const void *found = nu_map_get(&table_of(base)->index_of, context->host_name);
    if (!found)
        return NU_LB_NONE;
    uintptr_t index = (uintptr_t)found - 1;
    struct nu_host *host = base->hosts->hosts[index];
    if (nu_unlikely(nu_host_health(host) == NU_HOST_UNHEALTHY))
        return NU_LB_NONE;
    nu_host_touch(host, nu_loop_now_us(base->local->loop));
    return (int32_t)index;
}

/* Of two hosts of one name the newer one counts; the key is that host's. */
static void add(struct nu_lb *base, uint32_t index)
{
    struct nu_map *index_of = &table_of(base)->index_of;
    struct nu_str name = base->hosts->hosts[index]->hostname;
    nu_map_remove(index_of, name);
    nu_map_put(index_of, name, (void *)((uintptr_t)index + 1));
}

static struct nu_lb *create(struct nu_cluster_local *local, const struct nu_host_set *hosts)
{
    struct by_name *table = nu_calloc(1, sizeof(*table));
    nu_lb_init(&table->base, &nu_lb_by_name, local, hosts);
    for (uint32_t i = 0; i < hosts->count; i++)
        add(&table->base, i);
    return &table->base;
}

static void destroy(struct nu_lb *base)
{
    struct by_name *table = table_of(base);
    nu_map_finish(&table->index_of);
    nu_lb_finish(base);
    nu_free(table);
}

const struct nu_lb_class nu_lb_by_name = {
    .name = "dynamic_forward_proxy",
    .is_provided = true,
    .create = create,
    .destroy = destroy,
    .choose = choose,
    .add = add,
};
