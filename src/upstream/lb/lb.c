/* SPDX-License-Identifier: Apache-2.0 */
/* What all load balancers share. */
#include "upstream/lb/lb.h"

#include "base/alloc.h"
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

static int32_t find_override(const struct nu_lb *lb, struct nu_str address)
{
    const struct nu_host_set *set = lb->hosts;
    for (uint32_t i = 0; i < set->count; i++) {
        if (!nu_str_eq(nu_host_address_text(set->hosts[i]), address))
            continue;
        bool allowed = lb->settings->override_statuses & 1U << nu_host_health_status(set->hosts[i]);
        return allowed ? (int32_t)i : NU_LB_NONE;
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
    int32_t index = lb->cls->choose(lb, context);
    return context->accepts ? choose_until_accepted(lb, context, index) : index;
}

int32_t nu_lb_choose(struct nu_lb *lb, const struct nu_lb_context *context)
{
    if (nu_unlikely(context->override_host.len || context->accepts))
        return choose_with_care(lb, context);
    return lb->cls->choose(lb, context);
}
