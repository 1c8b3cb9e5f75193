/* SPDX-License-Identifier: Apache-2.0 */
/* EDS. The statistics that move here, and when, are Envoy's. */
#include "upstream/discovery/eds.h"

#include "base/alloc.h"
#include "base/log.h"
#include "event/timer.h"
#include "upstream/cluster_build.h"
#include "upstream/cluster_from_proto_internal.h"
#include "upstream/cluster_manager.h"
#include "upstream/discovery/discovery.h"
#include "upstream/hosts/host_update.h"

#include "config/values.h"

typedef Envoy__Config__Endpoint__V3__ClusterLoadAssignment assignment_proto;

struct eds {
    struct nu_discovery base;
    struct nu_subscriber subscriber;
    struct nu_subscription *subscription; /* owned */
    struct nu_host_keeper *keeper;        /* borrowed */
    struct nu_loop *loop;                 /* borrowed */
    struct nu_str service_name;           /* in the cluster's arena */
    struct nu_stat_set *stat_set;
    struct nu_cluster_update_stats *updates;
    struct nu_cluster_membership_stats *membership;
    struct nu_timer stale_timer; /* the assignment grows too old */
};

static struct eds *eds_of(struct nu_subscriber *subscriber)
{
    return nu_container_of(subscriber, struct eds, subscriber);
}

static struct nu_str resource_name(const struct eds *eds)
{
    return eds->service_name.len ? eds->service_name : eds->base.cluster->name;
}

/* --- Hosts ------------------------------------------------------------------------------------ */

/* What the endpoints make of the present hosts. The gauge follows the last priority, as in Envoy. */
static void set_max_weight(struct eds *eds, const struct nu_host_update *update)
{
    uint32_t last = 0, max = 1;
    for (uint32_t i = 0; i < update->count; i++) {
        if (nu_host_priority(update->hosts[i]) > last)
            last = nu_host_priority(update->hosts[i]);
    }
    for (uint32_t i = 0; i < update->count; i++) {
        const struct nu_host *host = update->hosts[i];
        if (nu_host_priority(host) == last && nu_host_weight(host) > max)
            max = nu_host_weight(host);
    }
    nu_gauge_set(&eds->membership->max_host_weight, max);
}

static void publish(struct eds *eds, const struct nu_host_update *update,
                    struct nu_assignment *assignment)
{
    struct nu_cluster *cluster = eds->base.cluster;
    struct nu_host_set *set = nu_host_set_create(update->hosts, update->count);
    nu_host_set_take_assignment(set, assignment);
    nu_log(NU_LOG_UPSTREAM, NU_LOG_DEBUG, "cluster %.*s: EDS: %u hosts, %u of them new, %u went",
           NU_STR_ARG(cluster->name), update->count, update->added, update->removed);
    nu_cluster_manager_set_hosts(cluster->manager, cluster, set);
    nu_host_set_unref(set);
}

/* Its health is another one's, then. */
static bool is_checked_elsewhere(const struct nu_host *host, const struct nu_host_params *params)
{
    return !nu_host_check_place_eq(host->check_place, params->check_place);
}

/* Takes `assignment` over. */
static void set_hosts(struct eds *eds, const struct nu_host_params *wanted, size_t count,
                      struct nu_assignment *assignment)
{
    struct nu_cluster *cluster = eds->base.cluster;
    const struct nu_host_set *present = cluster->hosts;
    const struct nu_host_update_rules rules = {
        .keeper = eds->keeper,
        .keeps_passing = cluster->keeps_passing_hosts,
        .is_other = cluster->is_checked ? is_checked_elsewhere : NULL,
    };
    struct nu_host_update update;
    nu_host_update(&rules, present->hosts, present->count, wanted, count, &update);
    set_max_weight(eds, &update);
    nu_cluster_count_transports(cluster, &update);
    if (nu_host_update_is_change(&update) || !nu_assignment_eq(assignment, present->assignment)) {
        publish(eds, &update, assignment);
    } else {
        nu_counter_inc(&eds->updates->update_no_rebuild);
        nu_assignment_unref(assignment);
    }
    nu_host_update_finish(&update);
}

/* --- Assignments that grow old ---------------------------------------------------------------- */

static void on_stale(struct nu_timer *timer)
{
    struct eds *eds = nu_container_of(timer, struct eds, stale_timer);
    nu_log(NU_LOG_UPSTREAM, NU_LOG_WARN, "cluster %.*s: the assignment was not renewed in time",
           NU_STR_ARG(eds->base.cluster->name));
    nu_counter_inc(&eds->updates->assignment_stale);
    set_hosts(eds, NULL, 0, NULL);
}

static void set_stale_timer(struct eds *eds, const struct nu_assignment *assignment)
{
    nu_timer_cancel(&eds->stale_timer);
    if (!assignment || !assignment->stale_after_ms)
        return;
    nu_counter_inc(&eds->updates->assignment_timeout_received);
    nu_timer_arm(eds->loop, &eds->stale_timer, assignment->stale_after_ms);
}

/* --- The subscription ------------------------------------------------------------------------- */

static void take_assignment(struct eds *eds, struct nu_config_ctx *ctx,
                            const assignment_proto *proto)
{
    struct nu_factory factory = {.ctx = ctx, .arena = ctx->arena, .host_keeper = eds->keeper};
    struct nu_endpoint_list list = nu_endpoints_from_proto(&factory, eds->base.cluster, proto);
    struct nu_host_params *wanted = nu_arena_alloc(ctx->arena, (list.count + 1) * sizeof(*wanted));
    size_t count = 0;
    for (size_t i = 0; i < list.count; i++) {
        if (nu_endpoint_read_addresses(&factory, eds->base.cluster, &list.items[i]))
            wanted[count++] = list.items[i].host;
    }
    struct nu_assignment *assignment = nu_assignment_from_proto(&factory, proto);
    if (!nu_config_is_ok(ctx)) {
        nu_assignment_unref(assignment);
        return;
    }
    set_stale_timer(eds, assignment);
    set_hosts(eds, wanted, count, assignment);
}

static void on_resources(struct nu_subscriber *subscriber, struct nu_config_ctx *ctx,
                         const struct nu_resources *resources)
{
    struct eds *eds = eds_of(subscriber);
    struct nu_str name = resource_name(eds);
    if (resources->count == 0) {
        nu_log(NU_LOG_UPSTREAM, NU_LOG_DEBUG, "Missing ClusterLoadAssignment for %.*s",
               NU_STR_ARG(name));
        nu_counter_inc(&eds->updates->update_empty);
        nu_init_target_ready(&eds->base.target);
        return;
    }
    const assignment_proto *proto = (const void *)resources->items[0];
    if (resources->count > 1)
        nu_config_error(ctx, proto, NULL, "Unexpected EDS resource length: %zu", resources->count);
    else if (!nu_str_eq(nu_str_from(proto->cluster_name), name))
        nu_config_error(ctx, proto, "cluster_name", "Unexpected EDS cluster (expecting %.*s): %s",
                        NU_STR_ARG(name), proto->cluster_name);
    else
        take_assignment(eds, ctx, proto);
    if (nu_config_is_ok(ctx))
        nu_init_target_ready(&eds->base.target);
}

static void on_failure(struct nu_subscriber *subscriber)
{
    nu_init_target_ready(&eds_of(subscriber)->base.target);
}

static const struct nu_subscriber_ops subscriber_ops = {
    .on_resources = on_resources,
    .on_failure = on_failure,
};

/* --- Life ------------------------------------------------------------------------------------- */

static struct eds *eds_of_base(struct nu_discovery *base)
{
    return nu_container_of(base, struct eds, base);
}

static void start(struct nu_discovery *base)
{
    nu_subscription_start(eds_of_base(base)->subscription);
}

static void destroy(struct nu_discovery *base)
{
    struct eds *eds = eds_of_base(base);
    nu_subscription_destroy(&eds->subscription);
    nu_init_target_finish(&base->target);
    nu_timer_cancel(&eds->stale_timer);
    nu_stat_set_destroy(&eds->stat_set);
    nu_free(eds);
}

static const struct nu_discovery_class eds_class = {.start = start, .destroy = destroy};

struct nu_str nu_eds_service_name(const struct nu_cluster *cluster)
{
    struct nu_discovery *discovery = cluster->discovery;
    if (!discovery || discovery->cls != &eds_class)
        return nu_str_make(NULL, 0);
    return eds_of_base(discovery)->service_name;
}

static struct nu_subscription_stats stats_of(struct eds *eds, struct nu_eds_stats *own)
{
    return (struct nu_subscription_stats){
        .update_attempt = &eds->updates->update_attempt,
        .update_success = &eds->updates->update_success,
        .update_failure = &eds->updates->update_failure,
        .update_rejected = &own->update_rejected,
        .update_time = &own->update_time,
        .version = &eds->updates->version,
        .version_text = &own->version_text,
        .update_duration = &own->update_duration,
    };
}

bool nu_eds_create(struct nu_factory *factory, struct nu_cluster *cluster,
                   const struct nu_eds_params *params)
{
    struct eds *eds = nu_calloc(1, sizeof(*eds));
    nu_discovery_init(&eds->base, &eds_class, cluster);
    cluster->discovery = &eds->base;
    eds->subscriber.ops = &subscriber_ops;
    eds->keeper = factory->host_keeper;
    eds->loop = factory->loop;
    eds->service_name = params->service_name;
    eds->updates = nu_stat_set_block(cluster->sets.update);
    eds->membership = nu_stat_set_block(cluster->sets.membership);
    eds->stat_set = nu_cluster_create_set(cluster, &nu_eds_stats_table, "");
    nu_timer_init(&eds->stale_timer, on_stale);
    const struct nu_subscription_params subscription = {
        .source = params->source,
        .type = &envoy__config__endpoint__v3__cluster_load_assignment__descriptor,
        .name = cluster->name,
        .subscriber = &eds->subscriber,
        .stats = stats_of(eds, nu_stat_set_block(eds->stat_set)),
    };
    eds->subscription = factory->subscribe(factory, &subscription);
    return eds->subscription != NULL;
}
