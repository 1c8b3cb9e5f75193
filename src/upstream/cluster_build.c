/* SPDX-License-Identifier: Apache-2.0 */
/* Clusters as the main thread makes and frees them. */
#include "upstream/cluster_build.h"

#include <stdlib.h>

#include "upstream/hosts/breaker_runtime.h"
#include "upstream/cluster_hosts.h"
#include "upstream/discovery/discovery.h"
#include "upstream/hosts/host_update.h"

enum {
    DEFAULT_CONNECT_TIMEOUT_MS = 5000,
    DEFAULT_BUFFER_LIMIT = 1 << 20,
    DEFAULT_IDLE_TIMEOUT_MS = 3600 * 1000,
    DEFAULT_FLUSH_TIMEOUT_MS = 300 * 1000,
    DEFAULT_MAX_HEADERS = 100,
    DEFAULT_RESPONSE_HEAD_BYTES = 80 * 1024,
    ARENA_BYTES =
        480, /* what a cluster with one host needs; a power of two with the heap's share */
};

const struct nu_breaker_limits nu_breaker_limits_default = {
    .max = {[NU_BREAKER_CONNECTIONS] = 1024,
            [NU_BREAKER_PENDING] = 1024,
            [NU_BREAKER_REQUESTS] = 1024,
            [NU_BREAKER_RETRIES] = 3,
            [NU_BREAKER_POOLS] = UINT32_MAX},
    .retry_budget = {.min_concurrency = 3, .percent = 20},
};

static struct nu_stat_set *create_set(struct nu_cluster *cluster, const struct nu_stat_table *table,
                                      const char *suffix)
{
    struct nu_strbuf prefix = {0};
    nu_strbuf_add_cstr(&prefix, "cluster.");
    nu_stats_sanitize(&prefix, cluster->observability_name);
    nu_strbuf_add_cstr(&prefix, suffix);
    struct nu_stat_set *set = nu_stat_set_create(cluster->stats, table, nu_strbuf_str(&prefix));
    nu_strbuf_finish(&prefix);
    return set;
}

struct nu_stat_set *nu_cluster_create_set(struct nu_cluster *cluster,
                                          const struct nu_stat_table *table, const char *suffix)
{
    return create_set(cluster, table, suffix);
}

static const char *const breaker_suffixes[NU_PRIORITY_COUNT] = {".circuit_breakers.default",
                                                                ".circuit_breakers.high"};

static void create_sets(struct nu_cluster *cluster)
{
    struct nu_cluster_sets *sets = &cluster->sets;
    sets->traffic = create_set(cluster, &nu_cluster_traffic_stats_table, "");
    sets->external = create_set(cluster, &nu_response_stats_table, ".external");
    sets->internal = create_set(cluster, &nu_response_stats_table, ".internal");
    sets->canary = create_set(cluster, &nu_response_stats_table, ".canary");
    sets->retry = create_set(cluster, &nu_response_stats_table, ".retry");
    sets->lb = create_set(cluster, &nu_cluster_lb_stats_table, "");
    sets->membership = create_set(cluster, &nu_cluster_membership_stats_table, "");
    sets->update = create_set(cluster, &nu_cluster_update_stats_table, "");
    sets->transport_match = create_set(cluster, &nu_transport_socket_match_stats_table, ".default");
    sets->http1 = create_set(cluster, &nu_cluster_http1_stats_table, ".http1");
    for (int i = 0; i < NU_PRIORITY_COUNT; i++)
        sets->breakers[i] =
            create_set(cluster, &nu_circuit_breaker_stats_table, breaker_suffixes[i]);
}

void nu_cluster_need_http2_stats(struct nu_cluster *cluster)
{
    if (!cluster->sets.http2)
        cluster->sets.http2 = create_set(cluster, &nu_http2_stats_table, ".http2");
}

void nu_cluster_track(struct nu_cluster *cluster, bool budgets, bool sizes)
{
    if (budgets)
        cluster->sets.budgets = create_set(cluster, &nu_timeout_budget_stats_table, "");
    if (sizes)
        cluster->sets.sizes = create_set(cluster, &nu_message_size_stats_table, "");
}

void nu_cluster_set_http(struct nu_cluster *cluster, enum nu_cluster_http http)
{
    cluster->options.http = http;
    if (http != NU_CLUSTER_HTTP1)
        nu_cluster_need_http2_stats(cluster);
}

void nu_cluster_set_hash(struct nu_cluster *cluster, const struct nu_hash_lb_settings *settings,
                         enum nu_hash_table_kind kind)
{
    struct nu_hash_lb_settings *copy = nu_arena_alloc(&cluster->arena, sizeof(*copy));
    cluster->sets.hash = kind == NU_HASH_RING
                             ? create_set(cluster, &nu_ring_hash_stats_table, ".ring_hash_lb")
                             : create_set(cluster, &nu_maglev_stats_table, ".maglev_lb");
    *copy = *settings;
    copy->stats = cluster->sets.hash;
    cluster->hash = copy;
}

void nu_cluster_ignore_locality_hash(struct nu_cluster *cluster)
{
    struct nu_hash_lb_settings *copy = nu_arena_alloc(&cluster->arena, sizeof(*copy));
    *copy = *cluster->hash;
    copy->by_locality = false;
    cluster->hash = copy;
}

const struct nu_lb_class *nu_cluster_set_subsets(struct nu_cluster *cluster,
                                                 const struct nu_subset_settings *settings)
{
    struct nu_subset_settings *copy = nu_arena_alloc(&cluster->arena, sizeof(*copy));
    cluster->sets.subset = create_set(cluster, &nu_subset_stats_table, "");
    *copy = *settings;
    copy->stats = cluster->sets.subset;
    copy->registry = nu_subset_registry_create(&cluster->arena);
    cluster->subset = copy;
    return nu_subset_lb_class(copy, &cluster->arena);
}

static void set_default_options(struct nu_cluster_options *options)
{
    options->connect_timeout_ms = DEFAULT_CONNECT_TIMEOUT_MS;
    options->buffer_limit_bytes = DEFAULT_BUFFER_LIMIT;
    options->idle_timeout_ms = DEFAULT_IDLE_TIMEOUT_MS;
    options->preconnect_ratio = 1;
    options->predictive_ratio = 1;
    options->h1.max_headers = DEFAULT_MAX_HEADERS;
    options->h1.max_head_bytes = DEFAULT_RESPONSE_HEAD_BYTES;
    nu_h2_options_init(&options->h2);
    options->h2.max_headers = DEFAULT_MAX_HEADERS;
    options->h2.flush_timeout_ms = DEFAULT_FLUSH_TIMEOUT_MS;
}

struct nu_cluster *nu_cluster_create(struct nu_stats *stats, struct nu_str name,
                                     struct nu_str stat_name)
{
    void *memory = NULL;
    if (posix_memalign(&memory, 64, sizeof(struct nu_cluster)) != 0)
        abort();
    struct nu_cluster *cluster = memset(memory, 0, sizeof(struct nu_cluster));
    nu_arena_init_small(&cluster->arena, ARENA_BYTES);
    cluster->stats = stats;
    cluster->name = nu_arena_dup(&cluster->arena, name);
    cluster->observability_name =
        stat_name.len ? nu_arena_dup(&cluster->arena, stat_name) : cluster->name;
    cluster->lb_class = &nu_lb_round_robin;
    cluster->lb = &nu_lb_settings_default;
    nu_cluster_init_hosts(cluster);
    set_default_options(&cluster->options);
    create_sets(cluster);
    for (int i = 0; i < NU_PRIORITY_COUNT; i++) {
        nu_cluster_set_limits(cluster, (enum nu_priority)i, &nu_breaker_limits_default);
        cluster->breakers[i].max_host_connections = NU_HOST_CONNECTIONS_MAX;
    }
    return cluster;
}

static void init_remaining(struct nu_cluster *cluster, enum nu_priority priority,
                           const struct nu_breaker_limits *limits)
{
    struct nu_stat_set **set = &cluster->sets.remaining[priority];
    *set =
        create_set(cluster, &nu_circuit_breaker_remaining_stats_table, breaker_suffixes[priority]);
    struct nu_circuit_breaker_remaining_stats *stats = nu_stat_set_block(*set);
    nu_gauge_set(&stats->remaining_cx, limits->max[NU_BREAKER_CONNECTIONS]);
    nu_gauge_set(&stats->remaining_pending, limits->max[NU_BREAKER_PENDING]);
    nu_gauge_set(&stats->remaining_rq, limits->max[NU_BREAKER_REQUESTS]);
    nu_gauge_set(&stats->remaining_retries, limits->max[NU_BREAKER_RETRIES]);
    /* Without a limit Envoy counts down from its greatest number. */
    if (limits->max[NU_BREAKER_POOLS] == UINT32_MAX)
        nu_gauge_set(&stats->remaining_cx_pools, -1);
    else
        nu_gauge_set(&stats->remaining_cx_pools, limits->max[NU_BREAKER_POOLS]);
}

void nu_cluster_set_limits(struct nu_cluster *cluster, enum nu_priority priority,
                           const struct nu_breaker_limits *limits)
{
    for (int kind = 0; kind < NU_BREAKER_KIND_COUNT; kind++)
        cluster->breakers[priority].of[kind].configured_max = limits->max[kind];
    cluster->breakers[priority].configured_budget = limits->retry_budget;
    nu_breakers_apply_runtime(cluster, priority, NULL);
    if (limits->track_remaining && !cluster->sets.remaining[priority])
        init_remaining(cluster, priority, limits);
}

void nu_cluster_count_transport(struct nu_cluster *cluster, const struct nu_host *host,
                                uint32_t count)
{
    const struct nu_transport_match *match = nu_host_transport(host);
    struct nu_stat_set *set = match ? match->stats : cluster->sets.transport_match;
    struct nu_transport_socket_match_stats *stats = nu_stat_set_block(set);
    nu_counter_add(&stats->total_match_count, count);
}

void nu_cluster_count_transports(struct nu_cluster *cluster, const struct nu_host_update *update)
{
    for (uint32_t i = 0; i < update->count; i++) {
        if (!nu_host_has_flag(update->hosts[i], NU_HOST_PENDING_DYNAMIC_REMOVAL))
            nu_cluster_count_transport(cluster, update->hosts[i], 1);
    }
    if (update->new_metadata)
        nu_cluster_count_transport(cluster, update->hosts[0], update->new_metadata);
}

void nu_cluster_set_first_hosts(struct nu_cluster *cluster, struct nu_host_set *hosts)
{
    for (uint32_t i = 0; i < hosts->count; i++)
        nu_cluster_count_transport(cluster, hosts->hosts[i], 1);
    cluster->hosts = nu_host_set_ref(hosts);
}

static void destroy_sets(struct nu_cluster_sets *sets)
{
    nu_stat_set_destroy(&sets->traffic);
    nu_stat_set_destroy(&sets->external);
    nu_stat_set_destroy(&sets->internal);
    nu_stat_set_destroy(&sets->canary);
    nu_stat_set_destroy(&sets->retry);
    nu_stat_set_destroy(&sets->lb);
    nu_stat_set_destroy(&sets->hash);
    nu_stat_set_destroy(&sets->subset);
    nu_stat_set_destroy(&sets->membership);
    nu_stat_set_destroy(&sets->update);
    nu_stat_set_destroy(&sets->transport_match);
    nu_stat_set_destroy(&sets->budgets);
    nu_stat_set_destroy(&sets->sizes);
    nu_stat_set_destroy(&sets->http1);
    nu_stat_set_destroy(&sets->http2);
    for (int i = 0; i < NU_PRIORITY_COUNT; i++) {
        nu_stat_set_destroy(&sets->breakers[i]);
        nu_stat_set_destroy(&sets->remaining[i]);
    }
}

void nu_cluster_destroy(struct nu_cluster **cluster_ptr)
{
    struct nu_cluster *cluster = *cluster_ptr;
    if (!cluster)
        return;
    *cluster_ptr = NULL;
    nu_timer_cancel(&cluster->updates.timer);
    nu_cluster_destroy_observers(cluster);
    if (cluster->discovery)
        cluster->discovery->cls->destroy(cluster->discovery);
    nu_cluster_finish_hosts(cluster);
    destroy_sets(&cluster->sets);
    nu_transport_matches_finish(cluster);
    nu_arena_finish(&cluster->arena);
    free(cluster);
}
