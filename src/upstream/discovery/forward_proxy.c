/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main thread's side of a forward proxy's cluster. Workers are told of each new host by itself
 * and at once; a set of all hosts, whose cost grows with their number, follows for the cluster's
 * figures and pages: at once while there are few, else at most every tenth of a second.
 */
#include "upstream/discovery/forward_proxy.h"

#include "base/alloc.h"
#include "base/log.h"
#include "event/timer.h"
#include "upstream/cluster_build.h"
#include "upstream/cluster_manager.h"
#include "upstream/discovery/discovery.h"

enum {
    FEW_HOSTS = 64,
    PAUSE_MS = 100,
};

struct forward_proxy {
    struct nu_discovery base;
    struct nu_loop *loop; /* borrowed */
    struct nu_dns_cache_observer observer;
    struct nu_map hosts;      /* by name; one reference each */
    struct nu_host **arrived; /* owned, one reference each: in no set yet */
    uint32_t arrived_count;
    struct nu_timer pause; /* since a set was made last */
};

static struct forward_proxy *proxy_of(struct nu_discovery *base)
{
    return nu_container_of(base, struct forward_proxy, base);
}

static struct forward_proxy *proxy_of_observer(struct nu_dns_cache_observer *observer)
{
    return nu_container_of(observer, struct forward_proxy, observer);
}

/* --- Sets ------------------------------------------------------------------------------------- */

static void publish(struct nu_cluster *cluster, struct nu_host *const *hosts, uint32_t count)
{
    struct nu_host_set *set = nu_host_set_create(hosts, count);
    nu_cluster_manager_set_hosts(cluster->manager, cluster, set);
    nu_host_set_unref(set);
}

static void forget_arrived(struct forward_proxy *proxy)
{
    for (uint32_t i = 0; i < proxy->arrived_count; i++)
        nu_host_unref(proxy->arrived[i]);
    nu_free(proxy->arrived);
    proxy->arrived = NULL;
    proxy->arrived_count = 0;
}

/* Each host counts as a change of its own, as in Envoy. */
static void publish_arrived(struct forward_proxy *proxy)
{
    struct nu_cluster *cluster = proxy->base.cluster;
    struct nu_cluster_membership_stats *stats = nu_stat_set_block(cluster->sets.membership);
    uint32_t count = cluster->hosts->count + proxy->arrived_count;
    struct nu_host **hosts = nu_alloc(count * sizeof(struct nu_host *));
    for (uint32_t i = 0; i < count; i++)
        hosts[i] = i < cluster->hosts->count ? cluster->hosts->hosts[i]
                                             : proxy->arrived[i - cluster->hosts->count];
    publish(cluster, hosts, count);
    nu_counter_add(&stats->membership_change, proxy->arrived_count - 1);
    nu_free(hosts);
    forget_arrived(proxy);
    if (count > FEW_HOSTS)
        nu_timer_arm(proxy->loop, &proxy->pause, PAUSE_MS);
}

static void flush(struct nu_dns_cache_observer *observer)
{
    struct forward_proxy *proxy = proxy_of_observer(observer);
    if (proxy->arrived_count)
        publish_arrived(proxy);
}

static void on_pause_end(struct nu_timer *timer)
{
    flush(&nu_container_of(timer, struct forward_proxy, pause)->observer);
}

/* --- Hosts ------------------------------------------------------------------------------------ */

static void set_addresses(struct forward_proxy *proxy, struct nu_host *host,
                          const struct nu_dns_cache_host *found)
{
    struct nu_address *sorted = nu_alloc(found->count * sizeof(*sorted));
    nu_happy_eyeballs_sort(&proxy->base.cluster->options.happy_eyeballs, found->addresses,
                           found->count, sorted);
    nu_host_set_addresses(host, &found->addresses[0], sorted, found->count);
    nu_free(sorted);
}

static void add_host(struct forward_proxy *proxy, const struct nu_dns_cache_host *found)
{
    struct nu_cluster *cluster = proxy->base.cluster;
    const struct nu_host_params params = {
        .address = found->addresses[0],
        .hostname = found->key,
    };
    struct nu_host *host =
        nu_host_create(nu_cluster_manager_host_keeper(cluster->manager), &params);
    set_addresses(proxy, host, found);
    nu_cluster_count_transport(cluster, host, 1);
    nu_map_put(&proxy->hosts, host->hostname, host);
    nu_cluster_manager_add_host(cluster->manager, cluster, host);
    size_t size = (proxy->arrived_count + 1) * sizeof(struct nu_host *);
    proxy->arrived = nu_realloc(proxy->arrived, size);
    proxy->arrived[proxy->arrived_count++] = nu_host_ref(host);
    if (!nu_timer_is_armed(&proxy->pause))
        publish_arrived(proxy);
}

static void on_host(struct nu_dns_cache_observer *observer, const struct nu_dns_cache_host *found)
{
    struct forward_proxy *proxy = proxy_of_observer(observer);
    struct nu_host *host = nu_map_get(&proxy->hosts, found->key);
    if (host)
        set_addresses(proxy, host, found);
    else
        add_host(proxy, found);
    nu_log(NU_LOG_UPSTREAM, NU_LOG_DEBUG, "cluster %.*s: %.*s has %u addresses now",
           NU_STR_ARG(proxy->base.cluster->name), NU_STR_ARG(found->key), found->count);
}

/* What was told to workers alone is in a set before it goes from one, so that they let it go. */
static void on_gone(struct nu_dns_cache_observer *observer, struct nu_str key)
{
    struct forward_proxy *proxy = proxy_of_observer(observer);
    struct nu_cluster *cluster = proxy->base.cluster;
    struct nu_host *gone = nu_map_remove(&proxy->hosts, key);
    if (!gone)
        return;
    flush(observer);
    struct nu_host **hosts = nu_alloc(cluster->hosts->count * sizeof(struct nu_host *));
    uint32_t count = 0;
    for (uint32_t i = 0; i < cluster->hosts->count; i++) {
        if (cluster->hosts->hosts[i] != gone)
            hosts[count++] = cluster->hosts->hosts[i];
    }
    publish(cluster, hosts, count);
    nu_free(hosts);
    nu_host_unref(gone);
}

static uint64_t used_us(struct nu_dns_cache_observer *observer, struct nu_str key)
{
    const struct nu_host *host = nu_map_get(&proxy_of_observer(observer)->hosts, key);
    return host ? nu_host_used_us(host) : 0;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void start(struct nu_discovery *base)
{
    struct forward_proxy *proxy = proxy_of(base);
    nu_dns_cache_add_observer(base->cluster->forward_proxy->cache, &proxy->observer);
    nu_init_target_ready(&base->target);
}

static void destroy(struct nu_discovery *base)
{
    struct forward_proxy *proxy = proxy_of(base);
    nu_init_target_finish(&base->target);
    nu_list_remove(&proxy->observer.link);
    nu_timer_cancel(&proxy->pause);
    forget_arrived(proxy);
    nu_map_for_each(item, &proxy->hosts)
    {
        nu_host_unref(item->value);
    }
    nu_map_finish(&proxy->hosts);
    nu_free(proxy);
}

static const struct nu_discovery_class forward_proxy_class = {.start = start, .destroy = destroy};

struct nu_discovery *nu_forward_proxy_create(struct nu_cluster *cluster, struct nu_loop *loop)
{
    struct forward_proxy *proxy = nu_calloc(1, sizeof(*proxy));
    nu_discovery_init(&proxy->base, &forward_proxy_class, cluster);
    proxy->loop = loop;
    proxy->observer.on_host = on_host;
    proxy->observer.on_gone = on_gone;
    proxy->observer.used_us = used_us;
    proxy->observer.flush = flush;
    nu_list_init(&proxy->observer.link);
    nu_timer_init(&proxy->pause, on_pause_end);
    return &proxy->base;
}
