/* SPDX-License-Identifier: Apache-2.0 */
/* What all load balancers share. */
#include "upstream/lb/lb.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "upstream/cluster.h"
#include "upstream/lb/edf.h"
#include "upstream/lb/lb_locality.h"

enum {
    DEFAULT_PANIC_PERCENT = 50,
    DEFAULT_CHOICES = 2,
    DEFAULT_MIN_CLUSTER_SIZE = 6,
};

const struct nu_lb_settings nu_lb_settings_default = {
    .panic_percent = DEFAULT_PANIC_PERCENT,
    .override_statuses = 1 << NU_EDS_UNKNOWN | 1 << NU_EDS_HEALTHY | 1 << NU_EDS_DEGRADED,
    .choice_count = DEFAULT_CHOICES,
    .active_request_bias.fallback = 1,
    .zone = {.routing_percent = 100, .min_cluster_size = DEFAULT_MIN_CLUSTER_SIZE},
    .slow_start = {.aggression.fallback = 1, .min_weight = 0.1},
};

/* --- Life ------------------------------------------------------------------------------------- */

void nu_lb_init(struct nu_lb *lb, const struct nu_lb_class *cls, struct nu_cluster_local *local,
                const struct nu_host_set *hosts)
{
    *lb =
        (struct nu_lb){.cls = cls, .local = local, .hosts = hosts, .settings = local->cluster->lb};
}

void nu_lb_finish(struct nu_lb *lb)
{
    for (uint32_t i = 0; lb->localities && i < NU_LB_TURNS * lb->hosts->priority_count; i++)
        nu_edf_finish(&lb->localities[i]);
    nu_free(lb->localities);
    nu_free(lb->foreseen);
    nu_free(lb->zones);
    if (lb->by_address)
        nu_map_finish(lb->by_address);
    nu_free(lb->by_address);
}

void nu_lb_prepare(const struct nu_lb_class *cls, const struct nu_cluster *cluster,
                   struct nu_host_set *set, const struct nu_host_set_settings *settings)
{
    nu_host_set_seal(set, settings);
    if (!cls->share || set->shared)
        return;
    set->shared = cls->share(cluster, set, settings);
    set->free_shared = cls->free_shared;
}

struct nu_lb *nu_lb_create(const struct nu_lb_class *cls, struct nu_cluster_local *local,
                           const struct nu_host_set *hosts)
{
    struct nu_lb *lb = cls->create(local, hosts);
    lb->cls = cls; /* which may be one that has replaced the choosing */
    return lb;
}

void nu_lb_destroy(struct nu_lb **lb)
{
    if (*lb)
        (*lb)->cls->destroy(*lb);
    *lb = NULL;
}

/* --- Choosing --------------------------------------------------------------------------------- */

/* The first host of each address. Keys are the addresses that hosts were made with, which stay. */
static void index_addresses(struct nu_lb *lb)
{
    lb->by_address = nu_calloc(1, sizeof(*lb->by_address));
    for (uint32_t i = 0; i < lb->hosts->count; i++) {
        struct nu_str address = lb->hosts->hosts[i]->address_text;
        if (!nu_map_get(lb->by_address, address))
            nu_map_put(lb->by_address, address, (void *)((uintptr_t)i + 1));
    }
}

static int32_t find_among_many(struct nu_lb *lb, struct nu_str address)
{
    if (!lb->by_address)
        index_addresses(lb);
    uintptr_t found = (uintptr_t)nu_map_get(lb->by_address, address);
    return found ? (int32_t)(found - 1) : NU_LB_NONE;
}

/* The host of this address. That of a host may change where there is only one (LOGICAL_DNS). */
static int32_t find_host(struct nu_lb *lb, struct nu_str address)
{
    enum { MANY = 8 };
    const struct nu_host_set *set = lb->hosts;
    if (set->count > MANY)
        return find_among_many(lb, address);
    for (uint32_t i = 0; i < set->count; i++) {
        if (nu_str_eq(nu_host_address_text(set->hosts[i]), address))
            return (int32_t)i;
    }
    return NU_LB_NONE;
}

static int32_t find_override(struct nu_lb *lb, struct nu_str address)
{
    int32_t index = find_host(lb, address);
    if (index == NU_LB_NONE)
        return NU_LB_NONE;
    enum nu_eds_health status = nu_host_health_status(lb->hosts->hosts[index]);
    return lb->settings->override_statuses & 1U << status ? index : NU_LB_NONE;
}

static int32_t take_named(struct nu_lb *lb, struct nu_lb_named_hosts *named)
{
    while (named->next < named->count) {
        int32_t index = find_host(lb, named->addresses[named->next++]);
        if (index != NU_LB_NONE)
            return index;
    }
    return NU_LB_NONE;
}

/* The last one chosen stands where none is accepted. */
static int32_t choose_until_accepted(struct nu_lb *lb, const struct nu_lb_context *context,
                                     int32_t index)
{
    for (uint32_t i = 0; i < context->max_attempts; i++) {
        if (index == NU_LB_NONE || context->accepts(context, lb->hosts->hosts[index]))
            break;
        lb->attempt = i + 1;
        index = lb->cls->choose(lb, context);
    }
    lb->attempt = 0;
    return index;
}

static NU_NOINLINE int32_t choose_with_care(struct nu_lb *lb, const struct nu_lb_context *context)
{
    if (context->override_host.len) {
        int32_t index = find_override(lb, context->override_host);
        if (index != NU_LB_NONE)
            return index;
    }
    if (context->named) {
        int32_t index = take_named(lb, context->named);
        if (index != NU_LB_NONE)
            return index;
    }
    int32_t index = lb->cls->choose(lb, context);
    return context->accepts ? choose_until_accepted(lb, context, index) : index;
}

int32_t nu_lb_choose(struct nu_lb *lb, const struct nu_lb_context *context)
{
    if (nu_unlikely(context->override_host.len || context->accepts || context->named))
        return choose_with_care(lb, context);
    return lb->cls->choose(lb, context);
}
