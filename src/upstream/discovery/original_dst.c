/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts made by need. A worker's set is the main thread's and what it has made since. */
#include "upstream/discovery/original_dst.h"

#include "base/alloc.h"
#include "base/log.h"
#include "event/inbox.h"
#include "event/timer.h"
#include "upstream/cluster_build.h"
#include "upstream/cluster_manager.h"
#include "upstream/discovery/discovery.h"
#include "upstream/discovery/fresh_hosts.h"

/* --- The main thread's side ------------------------------------------------------------------- */

/* Clients may ask for many addresses in a short time, and each set of hosts that is made for the
 * others costs all workers work by its size: hosts that follow soon are told of together. */
enum { PAUSE_MS = 100 };

struct original_dst {
    struct nu_discovery base;
    struct nu_loop *loop;      /* borrowed */
    struct nu_inbox new_hosts; /* of struct new_host, from workers */
    struct nu_timer timer;
    struct nu_host **arrived; /* owned, one reference each: workers made them */
    uint32_t arrived_count;
    struct nu_timer pause; /* since hosts were told of last */
};

static struct original_dst *original_of(struct nu_discovery *base)
{
    return nu_container_of(base, struct original_dst, base);
}

static void publish(struct nu_cluster *cluster, struct nu_host *const *hosts, uint32_t count)
{
    struct nu_host_set *set = nu_host_set_create(hosts, count);
    nu_cluster_manager_set_hosts(cluster->manager, cluster, set);
    nu_host_set_unref(set);
}

/* The hosts of a set with room for some more; owned by the caller. */
static struct nu_host **copy_hosts(const struct nu_host_set *set, uint32_t more)
{
    struct nu_host **hosts = nu_alloc((set->count + more) * sizeof(struct nu_host *));
    for (uint32_t i = 0; i < set->count; i++)
        hosts[i] = set->hosts[i];
    return hosts;
}

static void forget_arrived(struct original_dst *original)
{
    for (uint32_t i = 0; i < original->arrived_count; i++)
        nu_host_unref(original->arrived[i]);
    nu_free(original->arrived);
    original->arrived = NULL;
    original->arrived_count = 0;
}

/* Each host counts as a change of its own, as in Envoy. */
static void publish_arrived(struct original_dst *original)
{
    struct nu_cluster *cluster = original->base.cluster;
    struct nu_cluster_membership_stats *stats = nu_stat_set_block(cluster->sets.membership);
    uint32_t count = cluster->hosts->count;
    struct nu_host **hosts = copy_hosts(cluster->hosts, original->arrived_count);
    for (uint32_t i = 0; i < original->arrived_count; i++)
        hosts[count++] = original->arrived[i];
    publish(cluster, hosts, count);
    nu_counter_add(&stats->membership_change, original->arrived_count - 1);
    nu_free(hosts);
    forget_arrived(original);
    nu_timer_arm(original->loop, &original->pause, PAUSE_MS);
}

static void on_pause_end(struct nu_timer *timer)
{
    struct original_dst *original = nu_container_of(timer, struct original_dst, pause);
    if (original->arrived_count)
        publish_arrived(original);
}

static void add_host(struct nu_cluster *cluster, struct nu_host *host)
{
    struct original_dst *original = original_of(cluster->discovery);
    nu_stat_set_adopt(host->stats);
    nu_cluster_count_transport(cluster, host, 1);
    original->arrived =
        nu_realloc(original->arrived, (original->arrived_count + 1) * sizeof(struct nu_host *));
    original->arrived[original->arrived_count++] = nu_host_ref(host);
    if (!nu_timer_is_armed(&original->pause))
        publish_arrived(original);
}

/* A new host on its way from a worker. */
struct new_host {
    struct nu_inbox_item item;
    struct nu_host *host; /* one reference */
};

static void drop_new_host(struct nu_inbox *inbox, struct nu_inbox_item *item)
{
    struct new_host *message = nu_container_of(item, struct new_host, item);
    (void)inbox;
    nu_host_unref(message->host);
    nu_free(message);
}

static void on_new_host(struct nu_inbox *inbox, struct nu_inbox_item *item)
{
    struct original_dst *original = nu_container_of(inbox, struct original_dst, new_hosts);
    add_host(original->base.cluster, nu_container_of(item, struct new_host, item)->host);
    drop_new_host(inbox, item);
}

/* Kept are hosts that were chosen since the last look, and those with connections. */
static bool is_needed(struct nu_host *host)
{
    return nu_host_take_use(host) ||
           nu_stat_set_gauge(host->stats, offsetof(struct nu_host_stats, cx_active)) > 0;
}

static void on_cleanup(struct nu_timer *timer)
{
    struct original_dst *original = nu_container_of(timer, struct original_dst, timer);
    struct nu_cluster *cluster = original->base.cluster;
    struct nu_host **hosts = copy_hosts(cluster->hosts, 0);
    uint32_t count = 0;
    for (uint32_t i = 0; i < cluster->hosts->count; i++) {
        if (is_needed(hosts[i]))
            hosts[count++] = hosts[i];
    }
    if (count < cluster->hosts->count)
        publish(cluster, hosts, count);
    nu_free(hosts);
    nu_timer_arm(original->loop, &original->timer, cluster->original_dst->cleanup_ms);
}

static void start(struct nu_discovery *base)
{
    struct original_dst *original = original_of(base);
    nu_timer_arm(original->loop, &original->timer, base->cluster->original_dst->cleanup_ms);
    nu_init_target_ready(&base->target);
}

static void destroy(struct nu_discovery *base)
{
    struct original_dst *original = original_of(base);
    nu_init_target_finish(&base->target);
    nu_timer_cancel(&original->timer);
    nu_timer_cancel(&original->pause);
    forget_arrived(original);
    nu_inbox_finish(&original->new_hosts, drop_new_host);
    nu_free(original);
}

static const struct nu_discovery_class original_dst_class = {.start = start, .destroy = destroy};

struct nu_discovery *nu_original_dst_create(struct nu_cluster *cluster, struct nu_loop *loop)
{
    struct original_dst *original = nu_calloc(1, sizeof(*original));
    nu_discovery_init(&original->base, &original_dst_class, cluster);
    original->loop = loop;
    nu_inbox_init(&original->new_hosts, loop, on_new_host);
    nu_timer_init(&original->timer, on_cleanup);
    nu_timer_init(&original->pause, on_pause_end);
    return &original->base;
}

/* --- The worker's side ------------------------------------------------------------------------ */

static void tell_main(struct nu_cluster *cluster, struct nu_host *host)
{
    struct new_host *message = nu_alloc(sizeof(*message));
    message->host = nu_host_ref(host);
    nu_inbox_send(&original_of(cluster->discovery)->new_hosts, &message->item);
}

/* It is called by the cluster's name and the address, as in Envoy. */
static struct nu_host *create_host(struct nu_cluster *cluster, const struct nu_address *address)
{
    char text[NU_ADDRESS_TEXT_MAX];
    size_t len = nu_address_format(address, text);
    struct nu_strbuf name = {0};
    nu_strbuf_add(&name, cluster->name);
    nu_strbuf_add(&name, nu_str_make(text, len));
    const struct nu_host_params params = {.address = *address, .hostname = nu_strbuf_str(&name)};
    struct nu_host *host =
        nu_host_create(nu_cluster_manager_host_keeper(cluster->manager), &params);
    nu_strbuf_finish(&name);
    return host;
}

uint32_t nu_original_dst_make_host(struct nu_cluster_local *local,
                                   const struct nu_address *destination)
{
    struct nu_cluster *cluster = local->cluster;
    struct nu_host *host = create_host(cluster, destination);
    nu_log(NU_LOG_UPSTREAM, NU_LOG_DEBUG, "cluster %.*s: a host for %.*s",
           NU_STR_ARG(cluster->name), NU_STR_ARG(host->address_text));
    nu_host_note_use(host);
    uint32_t index = nu_fresh_hosts_add(local, host);
    tell_main(cluster, host);
    nu_host_unref(host);
    return index;
}
