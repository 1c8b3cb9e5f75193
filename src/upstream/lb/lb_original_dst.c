/* SPDX-License-Identifier: Apache-2.0 */
/* The balancer of ORIGINAL_DST: a table of the hosts by address. */
#include "base/alloc.h"
#include "base/hash.h"
#include "upstream/discovery/original_dst.h"

struct by_address {
    struct nu_lb base;
    struct nu_map index_of; /* by address: the index and 1, as a pointer */
};

static struct by_address *table_of(struct nu_lb *base)
{
    return nu_container_of(base, struct by_address, base);
}

static int32_t choose(struct nu_lb *base, const struct nu_lb_context *context)
{
    char text[NU_ADDRESS_TEXT_MAX];
    if (!context->destination)
        return NU_LB_NONE;
    size_t len = nu_address_format(context->destination, text);
    const void *found = nu_map_get(&table_of(base)->index_of, nu_str_make(text, len));
    if (!found)
        return NU_LB_NONE;
    uintptr_t index = (uintptr_t)found - 1;
    nu_host_note_use(base->hosts->hosts[index]);
    return (int32_t)index;
}

/* Of several hosts of one address the first is used. */
static void add(struct nu_lb *base, uint32_t index)
{
    struct nu_map *index_of = &table_of(base)->index_of;
    struct nu_str address = nu_host_address_text(base->hosts->hosts[index]);
    if (!nu_map_get(index_of, address))
        nu_map_put(index_of, address, (void *)((uintptr_t)index + 1));
}

static struct nu_lb *create(struct nu_cluster_local *local, const struct nu_host_set *hosts)
{
    struct by_address *table = nu_calloc(1, sizeof(*table));
    nu_lb_init(&table->base, &nu_lb_original_dst, local, hosts);
    for (uint32_t i = 0; i < hosts->count; i++)
        add(&table->base, i);
    return &table->base;
}

static void destroy(struct nu_lb *base)
{
    struct by_address *table = table_of(base);
    nu_map_finish(&table->index_of);
    nu_lb_finish(base);
    nu_free(table);
}

const struct nu_lb_class nu_lb_original_dst = {
    .name = "original_dst",
    .is_provided = true,
    .create = create,
    .destroy = destroy,
    .choose = choose,
    .add = add,
};
