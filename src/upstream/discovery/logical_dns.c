/* SPDX-License-Identifier: Apache-2.0 */
/* LOGICAL_DNS discovery. */
#include "upstream/discovery/logical_dns.h"

#include "base/alloc.h"
#include "base/log.h"
#include "event/timer.h"
#include "upstream/cluster_build.h"
#include "upstream/cluster_manager.h"
#include "upstream/hosts/happy_eyeballs.h"

struct logical_dns {
    struct nu_discovery base;
    struct nu_strict_dns_params params;
    struct nu_host_keeper *keeper; /* borrowed */
    struct nu_loop *loop;          /* borrowed */
    struct nu_cluster_update_stats *updates;
    struct nu_dns_query query;
    struct nu_timer timer;
    struct nu_dns_pace pace;
    struct nu_host *host; /* one reference; NULL before the first answer */
};

static struct logical_dns *logical_of(struct nu_discovery *base)
{
    return nu_container_of(base, struct logical_dns, base);
}

/* --- The host --------------------------------------------------------------------------------- */

/* The answer's addresses with the port: as they came in `first`, as they are tried in `list`; both
 * are owned by the caller. */
struct found {
    struct nu_address *first;
    struct nu_address *list;
    uint32_t count;
};

static struct found read_answer(const struct logical_dns *dns, const struct nu_dns_answer *answer)
{
    struct found found = {
        .first = nu_alloc(answer->count * sizeof(struct nu_address)),
        .list = nu_alloc(answer->count * sizeof(struct nu_address)),
        .count = (uint32_t)answer->count,
    };
    for (uint32_t i = 0; i < found.count; i++) {
        found.first[i] = answer->addresses[i].address;
        found.first[i].port = dns->params.endpoints[0].port;
    }
    nu_happy_eyeballs_sort(&dns->base.cluster->options.happy_eyeballs, found.first, found.count,
                           found.list);
    return found;
}

static bool is_known(const struct nu_host *host, const struct found *found)
{
    const struct nu_host_addresses *now = nu_host_addresses(host);
    if (now->count != found->count || !nu_address_eq(&now->address, &found->first[0]))
        return false;
    for (uint32_t i = 0; i < found->count; i++) {
        if (!nu_address_eq(&now->list[i], &found->list[i]))
            return false;
    }
    return true;
}

static void create_host(struct logical_dns *dns, const struct found *found)
{
    struct nu_cluster *cluster = dns->base.cluster;
    struct nu_host_params params = dns->params.endpoints[0].host;
    params.address = found->first[0];
    dns->host = nu_host_create(dns->keeper, &params);
    nu_host_set_addresses(dns->host, &found->first[0], found->list, found->count);
    nu_cluster_count_transport(cluster, dns->host, 1);
    struct nu_host_set *set = nu_host_set_create(&dns->host, 1);
    nu_host_set_take_assignment(set, nu_assignment_ref(cluster->hosts->assignment));
    nu_cluster_manager_set_hosts(cluster->manager, cluster, set);
    nu_host_set_unref(set);
}

static void take_addresses(struct logical_dns *dns, const struct nu_dns_answer *answer)
{
    struct found found = read_answer(dns, answer);
    if (!dns->host)
        create_host(dns, &found);
    else if (!is_known(dns->host, &found))
        nu_host_set_addresses(dns->host, &found.first[0], found.list, found.count);
    nu_free(found.first);
    nu_free(found.list);
    nu_log(NU_LOG_UPSTREAM, NU_LOG_DEBUG, "cluster %.*s: %.*s is at %.*s now",
           NU_STR_ARG(dns->base.cluster->name), NU_STR_ARG(dns->params.endpoints[0].name),
           NU_STR_ARG(nu_host_address_text(dns->host)));
}

/* --- Asking ----------------------------------------------------------------------------------- */

static void on_answer(struct nu_dns_query *query, const struct nu_dns_answer *answer)
{
    struct logical_dns *dns = nu_container_of(query, struct logical_dns, query);
    uint64_t pause_ms;
    if (answer->ok && answer->count) {
        nu_counter_inc(&dns->updates->update_success);
        take_addresses(dns, answer);
        pause_ms = nu_dns_pace_after_answer(&dns->pace, answer);
    } else {
        nu_counter_inc(&dns->updates->update_failure);
        nu_log(NU_LOG_UPSTREAM, NU_LOG_DEBUG, "cluster %.*s: cannot resolve %.*s: %s",
               NU_STR_ARG(dns->base.cluster->name), NU_STR_ARG(dns->params.endpoints[0].name),
               answer->ok ? "no address" : answer->error);
        pause_ms = nu_dns_pace_after_failure(&dns->pace);
    }
    nu_timer_arm(dns->loop, &dns->timer, pause_ms);
    nu_init_target_ready(&dns->base.target);
}

static void ask(struct logical_dns *dns)
{
    nu_counter_inc(&dns->updates->update_attempt);
    nu_dns_resolve(dns->params.resolver, &dns->query, dns->params.endpoints[0].name,
                   dns->params.family);
}

static void on_timer(struct nu_timer *timer)
{
    ask(nu_container_of(timer, struct logical_dns, timer));
}

/* --- Life ------------------------------------------------------------------------------------- */

static void start(struct nu_discovery *base)
{
    struct logical_dns *dns = logical_of(base);
    ask(dns);
    if (!dns->params.wait_for_warm)
        nu_init_target_ready(&base->target);
}

static void destroy(struct nu_discovery *base)
{
    struct logical_dns *dns = logical_of(base);
    nu_init_target_finish(&base->target);
    nu_dns_cancel(dns->params.resolver, &dns->query);
    nu_timer_cancel(&dns->timer);
    nu_host_unref(dns->host);
    if (dns->params.owns_resolver)
        nu_dns_resolver_destroy(&dns->params.resolver);
    nu_free(dns);
}

static const struct nu_discovery_class logical_dns_class = {.start = start, .destroy = destroy};

struct nu_discovery *nu_logical_dns_create(struct nu_cluster *cluster,
                                           struct nu_host_keeper *keeper, struct nu_loop *loop,
                                           const struct nu_strict_dns_params *params)
{
    struct logical_dns *dns = nu_calloc(1, sizeof(*dns));
    nu_discovery_init(&dns->base, &logical_dns_class, cluster);
    dns->params = *params;
    dns->keeper = keeper;
    dns->loop = loop;
    dns->updates = nu_stat_set_block(cluster->sets.update);
    dns->query.on_answer = on_answer;
    nu_timer_init(&dns->timer, on_timer);
    nu_dns_pace_init(&dns->pace, &dns->params.pace);
    return &dns->base;
}
