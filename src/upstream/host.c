/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts and host sets. */
#include "upstream/host.h"

#include "base/alloc.h"
#include "base/thread.h"
#include "stats/cluster_stats.h"

/* --- The keeper ------------------------------------------------------------------------------- */

static void destroy_host(struct nu_host *host)
{
    nu_stat_set_destroy(&host->stats);
    nu_free(nu_unconst(host->address_text.ptr));
    nu_free(host);
}

static void bury(struct nu_host_keeper *keeper)
{
    struct nu_host *host = atomic_exchange_explicit(&keeper->dead, NULL, memory_order_acq_rel);
    while (host) {
        struct nu_host *next = host->next_dead;
        destroy_host(host);
        host = next;
    }
}

static void on_dead(struct nu_task *task)
{
    bury(nu_container_of(task, struct nu_host_keeper, task));
}

/* From a worker. The first one on an empty list sends the message, which is free by then: the main
 * thread takes it from its inbox before it empties the list, and who finds it empty sees that. */
static void hand_back(struct nu_host *host)
{
    struct nu_host_keeper *keeper = host->keeper;
    struct nu_host *head = atomic_load_explicit(&keeper->dead, memory_order_relaxed);
    do {
        host->next_dead = head;
    } while (!atomic_compare_exchange_weak_explicit(&keeper->dead, &head, host,
                                                    memory_order_acq_rel, memory_order_relaxed));
    if (!head)
        nu_loop_post(keeper->loop, &keeper->task);
}

void nu_host_keeper_init(struct nu_host_keeper *keeper, struct nu_stats *stats,
                         struct nu_loop *loop)
{
    *keeper = (struct nu_host_keeper){.stats = stats, .loop = loop, .task = {.fn = on_dead}};
}

void nu_host_keeper_finish(struct nu_host_keeper *keeper)
{
    bury(keeper);
}

/* --- Hosts ------------------------------------------------------------------------------------ */

static struct nu_str own_text(struct nu_str s)
{
    return nu_str_make(nu_strndup(s.ptr ? s.ptr : "", s.len), s.len);
}

struct nu_host *nu_host_create(struct nu_host_keeper *keeper, const struct nu_host_params *params)
{
    struct nu_host *host = nu_calloc(1, sizeof(*host));
    atomic_init(&host->refs, 1);
    host->keeper = keeper;
    host->address = params->address;
    char text[NU_ADDRESS_TEXT_MAX];
    host->address_text = own_text(nu_str_make(text, nu_address_format(&params->address, text)));
    host->hostname = params->hostname;
    host->locality = params->locality;
    host->metadata = params->metadata;
    host->transport = params->transport;
    host->weight = params->weight ? params->weight : 1;
    host->priority = params->priority;
    host->stats = nu_stat_set_create_private(keeper->stats, &nu_host_stats_table);
    return host;
}

struct nu_host *nu_host_ref(struct nu_host *host)
{
    atomic_fetch_add_explicit(&host->refs, 1, memory_order_relaxed);
    return host;
}

void nu_host_unref(struct nu_host *host)
{
    if (!host || atomic_fetch_sub_explicit(&host->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (nu_thread_index() == NU_THREAD_MAIN)
        destroy_host(host);
    else
        hand_back(host);
}

/* --- Host sets -------------------------------------------------------------------------------- */

struct nu_host_set *nu_host_set_create(struct nu_host *const *hosts, uint32_t count)
{
    struct nu_host_set *set = nu_alloc(sizeof(*set) + count * sizeof(set->hosts[0]));
    atomic_init(&set->refs, 1);
    set->count = count;
    set->max_weight = 0;
    set->weighted = false;
    for (uint32_t i = 0; i < count; i++) {
        set->hosts[i] = nu_host_ref(hosts[i]);
        set->weighted |= hosts[i]->weight != hosts[0]->weight;
        if (hosts[i]->weight > set->max_weight)
            set->max_weight = hosts[i]->weight;
    }
    return set;
}

struct nu_host_set *nu_host_set_ref(struct nu_host_set *set)
{
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void nu_host_set_unref(struct nu_host_set *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < set->count; i++)
        nu_host_unref(set->hosts[i]);
    nu_free(set);
}

bool nu_host_set_has(const struct nu_host_set *set, const struct nu_host *host)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->hosts[i] == host)
            return true;
    }
    return false;
}
