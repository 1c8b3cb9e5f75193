/* SPDX-License-Identifier: Apache-2.0 */
/* Fresh hosts. The worker's own set has room for as many hosts again as it has, and grows in
 * place. */
#include "upstream/discovery/fresh_hosts.h"

#include "base/alloc.h"

static void note(struct nu_cluster_local *local, struct nu_host *host)
{
    size_t size = (local->fresh_count + 1) * sizeof(struct nu_host *);
    local->fresh = nu_realloc(local->fresh, size);
    local->fresh[local->fresh_count++] = nu_host_ref(host);
}

/* A set of its own for the worker, with room for as many more. */
static void rebuild_with(struct nu_cluster_local *local, struct nu_host *host)
{
    uint32_t count = local->hosts->count;
    struct nu_host **hosts = nu_alloc((count + 1) * sizeof(struct nu_host *));
    for (uint32_t i = 0; i < count; i++)
        hosts[i] = local->hosts->hosts[i];
    hosts[count++] = host;
    struct nu_host_set *set = nu_host_set_create_roomy(hosts, count, count);
    nu_free(hosts);
    nu_cluster_local_set_hosts(local, set);
    local->room = count;
    nu_host_set_unref(set);
}

/* Into the set that the worker has made, if there is room. */
static bool append(struct nu_cluster_local *local, struct nu_host *host)
{
    if (local->room == 0 || !nu_host_set_append(local->hosts, host))
        return false;
    local->room--;
    nu_cluster_local_grow(local);
    local->cluster->lb_class->add(local->lb, local->hosts->count - 1);
    return true;
}

uint32_t nu_fresh_hosts_add(struct nu_cluster_local *local, struct nu_host *host)
{
    note(local, host);
    if (!append(local, host))
        rebuild_with(local, host);
    return local->hosts->count - 1;
}

struct nu_host_set *nu_fresh_hosts_merge(struct nu_cluster_local *local, struct nu_host_set *hosts)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < local->fresh_count; i++) {
        if (nu_host_set_has(hosts, local->fresh[i]))
            nu_host_unref(local->fresh[i]);
        else
            local->fresh[kept++] = local->fresh[i];
    }
    local->fresh_count = kept;
    if (kept == 0)
        return nu_host_set_ref(hosts);
    struct nu_host **all = nu_alloc((hosts->count + kept) * sizeof(struct nu_host *));
    for (uint32_t i = 0; i < hosts->count + kept; i++)
        all[i] = i < hosts->count ? hosts->hosts[i] : local->fresh[i - hosts->count];
    struct nu_host_set *set = nu_host_set_create(all, hosts->count + kept);
    nu_free(all);
    return set;
}

void nu_fresh_hosts_finish(struct nu_cluster_local *local)
{
    for (uint32_t i = 0; i < local->fresh_count; i++)
        nu_host_unref(local->fresh[i]);
    nu_free(local->fresh);
}
