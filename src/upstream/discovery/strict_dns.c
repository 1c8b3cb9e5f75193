/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STRICT_DNS discovery. Hosts whose address is still in the answer stay the same objects
 * (host_update.h); an answer that names the same addresses changes nothing.
 */
#include "upstream/discovery/strict_dns.h"

#include "base/alloc.h"
#include "base/log.h"
#include "event/timer.h"
#include "upstream/cluster_build.h"
#include "upstream/cluster_manager.h"
#include "upstream/hosts/host_update.h"

/* One configured name. */
struct target {
    struct strict_dns *owner;
    const struct nu_dns_endpoint *endpoint;
    struct nu_dns_query query;
    struct nu_timer timer;
    struct nu_host_update hosts; /* owned: the last one's */
    struct nu_dns_pace pace;
};

struct strict_dns {
    struct nu_discovery base;
    struct nu_strict_dns_params params;
    struct nu_host_keeper *keeper; /* borrowed */
    struct nu_loop *loop;          /* borrowed */
    struct nu_cluster_update_stats *updates;
    struct nu_cluster_membership_stats *membership;
    struct target *targets; /* owned array, as the endpoints */
};

/* --- Hosts ------------------------------------------------------------------------------------ */

/* All hosts of all names, in the order of the configuration. */
static void publish(struct strict_dns *dns)
{
    uint32_t count = 0;
    for (size_t i = 0; i < dns->params.endpoint_count; i++)
        count += dns->targets[i].hosts.count;
    struct nu_host **hosts = nu_alloc(count * sizeof(struct nu_host *));
    uint32_t used = 0;
    for (size_t i = 0; i < dns->params.endpoint_count; i++) {
        const struct nu_host_update *of = &dns->targets[i].hosts;
        for (uint32_t j = 0; j < of->count; j++) {
            if (!nu_host_is_gone(of->hosts[j]))
                hosts[used++] = of->hosts[j];
        }
    }
    struct nu_host_set *set = nu_host_set_create(hosts, used);
    nu_host_set_take_assignment(set, nu_assignment_ref(dns->base.cluster->hosts->assignment));
    nu_cluster_manager_set_hosts(dns->base.cluster->manager, dns->base.cluster, set);
    nu_host_set_unref(set);
    nu_free(hosts);
}

/* A host that only a passed check had kept, and that failed it, has left the cluster since: named
 * again it is a new one. */
static void forget_gone(struct nu_host_update *hosts)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < hosts->count; i++) {
        if (nu_host_is_gone(hosts->hosts[i]))
            nu_host_unref(hosts->hosts[i]);
        else
            hosts->hosts[kept++] = hosts->hosts[i];
    }
    hosts->count = kept;
}

/* Replaces the hosts of one name; returns whether anything changed. */
static bool take_addresses(struct target *target, const struct nu_dns_answer *answer)
{
    struct nu_cluster *cluster = target->owner->base.cluster;
    const struct nu_host_update_rules rules = {
        .keeper = target->owner->keeper,
        .keeps_passing = cluster->keeps_passing_hosts,
    };
    struct nu_host_params *wanted = nu_alloc(answer->count * sizeof(*wanted));
    for (size_t i = 0; i < answer->count; i++) {
        wanted[i] = target->endpoint->host;
        wanted[i].address = answer->addresses[i].address;
        wanted[i].address.port = target->endpoint->port;
    }
    struct nu_host_update update;
    forget_gone(&target->hosts);
    nu_host_update(&rules, target->hosts.hosts, target->hosts.count, wanted, answer->count,
                   &update);
    bool changed = nu_host_update_is_change(&update);
    nu_cluster_count_transports(cluster, &update);
    nu_gauge_set(&target->owner->membership->max_host_weight, update.max_weight);
    nu_host_update_finish(&target->hosts);
    target->hosts = update;
    nu_free(wanted);
    return changed;
}

/* --- Asking ----------------------------------------------------------------------------------- */

static void on_good_answer(struct target *target, const struct nu_dns_answer *answer)
{
    struct strict_dns *dns = target->owner;
    nu_counter_inc(&dns->updates->update_success);
    if (!take_addresses(target, answer)) {
        nu_counter_inc(&dns->updates->update_no_rebuild);
        return;
    }
    nu_log(NU_LOG_UPSTREAM, NU_LOG_DEBUG, "cluster %.*s: %.*s has %u hosts now",
           NU_STR_ARG(dns->base.cluster->name), NU_STR_ARG(target->endpoint->name),
           target->hosts.count);
    publish(dns);
}

static void on_answer(struct nu_dns_query *query, const struct nu_dns_answer *answer)
{
    struct target *target = nu_container_of(query, struct target, query);
    struct strict_dns *dns = target->owner;
    uint64_t pause_ms;
    if (answer->ok) {
        on_good_answer(target, answer);
        pause_ms = nu_dns_pace_after_answer(&target->pace, answer);
    } else {
        nu_counter_inc(&dns->updates->update_failure);
        nu_log(NU_LOG_UPSTREAM, NU_LOG_DEBUG, "cluster %.*s: cannot resolve %.*s: %s",
               NU_STR_ARG(dns->base.cluster->name), NU_STR_ARG(target->endpoint->name),
               answer->error);
        pause_ms = nu_dns_pace_after_failure(&target->pace);
    }
    nu_timer_arm(dns->loop, &target->timer, pause_ms);
    nu_init_target_ready(&dns->base.target);
}

static void ask(struct target *target)
{
    struct strict_dns *dns = target->owner;
    nu_counter_inc(&dns->updates->update_attempt);
    nu_dns_resolve(dns->params.resolver, &target->query, target->endpoint->name,
                   dns->params.family);
}

static void on_timer(struct nu_timer *timer)
{
    ask(nu_container_of(timer, struct target, timer));
}

/* --- Life ------------------------------------------------------------------------------------- */

static struct strict_dns *dns_of(struct nu_discovery *base)
{
    return nu_container_of(base, struct strict_dns, base);
}

static void start(struct nu_discovery *base)
{
    struct strict_dns *dns = dns_of(base);
    for (size_t i = 0; i < dns->params.endpoint_count; i++)
        ask(&dns->targets[i]);
    if (!dns->params.endpoint_count || !dns->params.wait_for_warm)
        nu_init_target_ready(&base->target);
}

static void destroy(struct nu_discovery *base)
{
    struct strict_dns *dns = dns_of(base);
    nu_init_target_finish(&base->target);
    for (size_t i = 0; i < dns->params.endpoint_count; i++) {
        struct target *target = &dns->targets[i];
        nu_dns_cancel(dns->params.resolver, &target->query);
        nu_timer_cancel(&target->timer);
        nu_host_update_finish(&target->hosts);
    }
    if (dns->params.owns_resolver)
        nu_dns_resolver_destroy(&dns->params.resolver);
    nu_free(dns->targets);
    nu_free(dns);
}

static const struct nu_discovery_class strict_dns_class = {.start = start, .destroy = destroy};

static void init_target(struct strict_dns *dns, size_t index)
{
    struct target *target = &dns->targets[index];
    target->owner = dns;
    target->endpoint = &dns->params.endpoints[index];
    target->query.on_answer = on_answer;
    nu_dns_pace_init(&target->pace, &dns->params.pace);
    nu_timer_init(&target->timer, on_timer);
}

struct nu_discovery *nu_strict_dns_create(struct nu_cluster *cluster, struct nu_host_keeper *keeper,
                                          struct nu_loop *loop,
                                          const struct nu_strict_dns_params *params)
{
    struct strict_dns *dns = nu_calloc(1, sizeof(*dns));
    nu_discovery_init(&dns->base, &strict_dns_class, cluster);
    dns->params = *params;
    dns->keeper = keeper;
    dns->loop = loop;
    dns->updates = nu_stat_set_block(cluster->sets.update);
    dns->membership = nu_stat_set_block(cluster->sets.membership);
    dns->targets = nu_calloc(params->endpoint_count, sizeof(*dns->targets));
    for (size_t i = 0; i < params->endpoint_count; i++)
        init_target(dns, i);
    return &dns->base;
}
