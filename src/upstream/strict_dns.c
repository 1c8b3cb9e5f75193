/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STRICT_DNS discovery. Hosts whose address is still in the answer stay the same objects, so that
 * their connections and figures stay; an answer that names the same addresses changes nothing.
 */
#include "upstream/strict_dns.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/random.h"
#include "event/timer.h"
#include "upstream/cluster_manager.h"

/* One configured name. */
struct target {
    struct strict_dns *owner;
    const struct nu_dns_endpoint *endpoint;
    struct nu_dns_query query;
    struct nu_timer timer;
    struct nu_host **hosts; /* owned array, one reference each */
    uint32_t host_count;
    uint64_t backoff_ms; /* bound of the next pause after a failure */
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
        count += dns->targets[i].host_count;
    struct nu_host **hosts = nu_alloc(count * sizeof(struct nu_host *));
    uint32_t used = 0;
    for (size_t i = 0; i < dns->params.endpoint_count; i++) {
        const struct target *target = &dns->targets[i];
        for (uint32_t j = 0; j < target->host_count; j++)
            hosts[used++] = target->hosts[j];
    }
    struct nu_host_set *set = nu_host_set_create(hosts, count);
    nu_host_set_take_assignment(set, nu_assignment_ref(dns->base.cluster->hosts->assignment));
    nu_cluster_manager_set_hosts(dns->base.cluster->manager, dns->base.cluster, set);
    nu_host_set_unref(set);
    nu_free(hosts);
}

static struct nu_host *find_host(struct nu_host *const *hosts, uint32_t count,
                                 const struct nu_address *address)
{
    for (uint32_t i = 0; i < count; i++) {
        if (nu_address_eq(&hosts[i]->address, address))
            return hosts[i];
    }
    return NULL;
}

static struct nu_host *create_host(const struct target *target, const struct nu_address *address)
{
    struct nu_host_params params = target->endpoint->host;
    params.address = *address;
    return nu_host_create(target->owner->keeper, &params);
}

static void drop_hosts(struct target *target)
{
    for (uint32_t i = 0; i < target->host_count; i++)
        nu_host_unref(target->hosts[i]);
    nu_free(target->hosts);
    target->hosts = NULL;
    target->host_count = 0;
}

/* Replaces the hosts of one name; returns whether any came or went. */
static bool take_addresses(struct target *target, const struct nu_dns_answer *answer)
{
    struct nu_host **hosts = nu_alloc(answer->count * sizeof(struct nu_host *));
    uint32_t count = 0;
    bool changed = false;
    for (size_t i = 0; i < answer->count; i++) {
        struct nu_address address = answer->addresses[i].address;
        address.port = target->endpoint->port;
        if (find_host(hosts, count, &address))
            continue;
        struct nu_host *old = find_host(target->hosts, target->host_count, &address);
        changed |= !old;
        hosts[count++] = old ? nu_host_ref(old) : create_host(target, &address);
    }
    changed |= count != target->host_count;
    drop_hosts(target);
    target->hosts = hosts;
    target->host_count = count;
    return changed;
}

/* --- Pace ------------------------------------------------------------------------------------- */

static uint64_t least_ttl_ms(const struct nu_dns_answer *answer)
{
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < answer->count; i++) {
        if (answer->addresses[i].ttl_s < least)
            least = answer->addresses[i].ttl_s;
    }
    return answer->count ? (uint64_t)least * 1000 : 0;
}

static uint64_t pause_after_answer(struct target *target, const struct nu_dns_answer *answer)
{
    const struct nu_strict_dns_params *params = &target->owner->params;
    uint64_t pause_ms = params->refresh_ms;
    uint64_t ttl_ms = least_ttl_ms(answer);
    if (params->respect_ttl && ttl_ms)
        pause_ms = ttl_ms;
    if (params->jitter_ms)
        pause_ms += nu_random_below(params->jitter_ms);
    target->backoff_ms = params->failure_base_ms;
    return pause_ms;
}

static uint64_t pause_after_failure(struct target *target)
{
    const struct nu_strict_dns_params *params = &target->owner->params;
    if (!params->failure_base_ms)
        return params->refresh_ms;
    uint64_t bound_ms = target->backoff_ms;
    target->backoff_ms =
        bound_ms < params->failure_max_ms / 2 ? bound_ms * 2 : params->failure_max_ms;
    return nu_random_below(bound_ms) + 1;
}

/* --- Asking ----------------------------------------------------------------------------------- */

static void on_good_answer(struct target *target, const struct nu_dns_answer *answer)
{
    struct strict_dns *dns = target->owner;
    uint32_t weight = target->endpoint->host.weight;
    nu_counter_inc(&dns->updates->update_success);
    /* Envoy sets it by the answer that came last, at least to 1. */
    nu_gauge_set(&dns->membership->max_host_weight, answer->count && weight > 1 ? weight : 1);
    if (!take_addresses(target, answer)) {
        nu_counter_inc(&dns->updates->update_no_rebuild);
        return;
    }
    nu_log(NU_LOG_UPSTREAM, NU_LOG_DEBUG, "cluster %.*s: %.*s has %u hosts now",
           NU_STR_ARG(dns->base.cluster->name), NU_STR_ARG(target->endpoint->name),
           target->host_count);
    publish(dns);
}

static void on_answer(struct nu_dns_query *query, const struct nu_dns_answer *answer)
{
    struct target *target = nu_container_of(query, struct target, query);
    struct strict_dns *dns = target->owner;
    uint64_t pause_ms;
    if (answer->ok) {
        on_good_answer(target, answer);
        pause_ms = pause_after_answer(target, answer);
    } else {
        nu_counter_inc(&dns->updates->update_failure);
        nu_log(NU_LOG_UPSTREAM, NU_LOG_DEBUG, "cluster %.*s: cannot resolve %.*s: %s",
               NU_STR_ARG(dns->base.cluster->name), NU_STR_ARG(target->endpoint->name),
               answer->error);
        pause_ms = pause_after_failure(target);
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
        drop_hosts(target);
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
    target->backoff_ms = dns->params.failure_base_ms;
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
