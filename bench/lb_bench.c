/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to choose a host. bench/balancers.py runs this under callgrind, which counts the
 * instructions of choose_all alone.
 *
 *     lb_bench KIND HOSTS CHOICES     makes so many choices among so many hosts
 *     lb_bench                        lists the kinds
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "upstream/cluster_build.h"
#include "upstream/cluster_manager.h"
#include "upstream/lb/lb_aggregate.h"

struct kind {
    const char *name;
    const struct nu_lb_class *cls;
    enum nu_hash_table_kind table;
    uint32_t balance_percent; /* with a table: of bounded loads; 0: any load */
    bool has_table;
    bool is_weighted;     /* weights of hosts differ */
    bool scans_all;       /* least request compares all hosts */
    bool has_localities;  /* ten, with weights */
    bool has_subsets;     /* ten, of which one is asked for */
    bool names_hosts;     /* the request names its host */
    bool is_aggregate;    /* of the cluster */
    bool is_half_healthy; /* one of two hosts */
};

static const struct kind kinds[] = {
    {.name = "round_robin", .cls = &nu_lb_round_robin},
    {"round_robin, half of them healthy", &nu_lb_round_robin, .is_half_healthy = true},
    {"round_robin, weights", &nu_lb_round_robin, .is_weighted = true},
    {"round_robin, 10 weighted localities", &nu_lb_round_robin, .has_localities = true},
    {"round_robin, 1 of 10 subsets", &nu_lb_round_robin, .has_subsets = true},
    {"round_robin, through an aggregate", &nu_lb_round_robin, .is_aggregate = true},
    {"override_host", &nu_lb_round_robin, .names_hosts = true},
    {.name = "random", .cls = &nu_lb_random},
    {.name = "least_request", .cls = &nu_lb_least_request},
    {"least_request, weights", &nu_lb_least_request, .is_weighted = true},
    {"least_request, full scan", &nu_lb_least_request, .scans_all = true},
    {"ring_hash", &nu_lb_ring_hash, NU_HASH_RING, .has_table = true},
    {"ring_hash, bounded loads", &nu_lb_ring_hash_bounded, NU_HASH_RING, 120, .has_table = true},
    {"maglev", &nu_lb_maglev, NU_HASH_MAGLEV, .has_table = true},
    {"maglev, bounded loads", &nu_lb_maglev_bounded, NU_HASH_MAGLEV, 120, .has_table = true},
};

enum { GROUPS = 10, RING_MIN = 1024, RING_MAX = 8 << 20, MAGLEV_SIZE = 65537 };

/* --- The cluster ------------------------------------------------------------------------------ */

struct bench {
    const struct kind *kind;
    struct nu_stats *stats;
    struct nu_loop *loop;
    struct nu_cluster_manager *manager;
    struct nu_cluster_table table;
    struct nu_lb_settings settings;
    struct nu_str subset_key;
    struct nu_subset_selector selector;
    struct nu_aggregate aggregate;
    struct nu_str aggregate_of;
};

static void set_subsets(struct bench *bench, struct nu_cluster *cluster)
{
    bench->subset_key = NU_STR("group");
    bench->selector.keys = (struct nu_subset_keys){&bench->subset_key, 1};
    const struct nu_subset_settings settings = {
        .child = bench->kind->cls, .selectors = &bench->selector, .selector_count = 1};
    cluster->lb_class = nu_cluster_set_subsets(cluster, &settings);
}

static void set_table(const struct kind *kind, struct nu_cluster *cluster)
{
    const struct nu_hash_lb_settings settings = {
        .ring = {.min_size = RING_MIN, .max_size = RING_MAX},
        .maglev_size = MAGLEV_SIZE,
        .balance_percent = kind->balance_percent,
    };
    nu_cluster_set_hash(cluster, &settings, kind->table);
}

static const struct nu_metadata *metadata_of(struct nu_arena *arena, uint32_t group)
{
    struct nu_metadata *metadata = nu_metadata_create(arena);
    const struct nu_value value = {.type = NU_VALUE_NUMBER, .number = group};
    nu_metadata_set(metadata, NU_STR("envoy.lb"), NU_STR("group"), value);
    return metadata;
}

static struct nu_host *make_host(struct bench *bench, struct nu_cluster *cluster, uint32_t i)
{
    char text[32];
    char zone[16];
    const struct kind *kind = bench->kind;
    snprintf(zone, sizeof(zone), "zone-%u", kind->has_localities ? i % GROUPS : 0);
    struct nu_host_params params = {
        .weight = kind->is_weighted ? i % 100 + 1 : 1,
        .locality.zone = nu_str_from(zone),
        .metadata = kind->has_subsets ? metadata_of(&cluster->arena, i % GROUPS) : NULL,
    };
    snprintf(text, sizeof(text), "10.%u.%u.%u:80", i >> 16, i >> 8 & 255, i & 255);
    if (nu_address_parse_ip_port(nu_str_from(text), &params.address) != NU_OK)
        abort();
    struct nu_host *host = nu_host_create(nu_cluster_manager_host_keeper(bench->manager), &params);
    if (kind->is_half_healthy && i % 2)
        nu_host_set_flag(host, NU_HOST_FAILED_ACTIVE_HC);
    return host;
}

static struct nu_assignment *weigh_localities(void)
{
    static struct nu_locality_weight weights[GROUPS];
    struct nu_assignment *assignment = nu_assignment_create();
    for (uint32_t i = 0; i < GROUPS; i++) {
        char zone[16];
        snprintf(zone, sizeof(zone), "zone-%u", i);
        weights[i].locality.zone = nu_arena_dup(&assignment->arena, nu_str_from(zone));
        weights[i].weight = i + 1;
    }
    assignment->locality_weights = weights;
    assignment->locality_weight_count = GROUPS;
    return assignment;
}

static void add_hosts(struct bench *bench, struct nu_cluster *cluster, uint32_t count)
{
    struct nu_host **hosts = calloc(count, sizeof(struct nu_host *));
    for (uint32_t i = 0; i < count; i++)
        hosts[i] = make_host(bench, cluster, i);
    struct nu_host_set *set = nu_host_set_create(hosts, count);
    if (bench->kind->has_localities)
        nu_host_set_take_assignment(set, weigh_localities());
    nu_cluster_set_first_hosts(cluster, set);
    nu_host_set_unref(set);
    for (uint32_t i = 0; i < count; i++)
        nu_host_unref(hosts[i]);
    free(hosts);
}

static void add_cluster(struct bench *bench, struct nu_cluster *cluster)
{
    if (!nu_cluster_manager_add(bench->manager, cluster))
        abort();
}

static void add_aggregate(struct bench *bench)
{
    struct nu_cluster *cluster = nu_cluster_create(bench->stats, NU_STR("a"), NU_STR(""));
    bench->aggregate_of = NU_STR("c");
    bench->aggregate = (struct nu_aggregate){&bench->aggregate_of, 1};
    cluster->aggregate = &bench->aggregate;
    cluster->lb_class = &nu_lb_aggregate;
    struct nu_host_set *nobody = nu_host_set_create(NULL, 0);
    nu_cluster_set_first_hosts(cluster, nobody);
    nu_host_set_unref(nobody);
    add_cluster(bench, cluster);
}

static void bench_init(struct bench *bench, const struct kind *kind, uint32_t hosts)
{
    *bench = (struct bench){.kind = kind, .stats = nu_stats_create(), .loop = nu_loop_create()};
    bench->manager = nu_cluster_manager_create(bench->stats, bench->loop);
    bench->settings = nu_lb_settings_default;
    bench->settings.scans_all = kind->scans_all;
    bench->settings.is_locality_weighted = kind->has_localities;
    struct nu_cluster *cluster = nu_cluster_create(bench->stats, NU_STR("c"), NU_STR(""));
    cluster->lb_class = kind->cls;
    cluster->lb = &bench->settings;
    if (kind->has_table)
        set_table(kind, cluster);
    if (kind->has_subsets)
        set_subsets(bench, cluster);
    add_hosts(bench, cluster, hosts);
    add_cluster(bench, cluster);
    if (kind->is_aggregate)
        add_aggregate(bench);
    nu_cluster_table_init(&bench->table, bench->loop);
    nu_cluster_manager_attach(bench->manager, &bench->table);
}

static void bench_finish(struct bench *bench)
{
    nu_cluster_table_finish(&bench->table);
    nu_cluster_manager_destroy(&bench->manager);
    nu_loop_destroy(&bench->loop);
    nu_stats_destroy(&bench->stats);
}

/* --- Choosing --------------------------------------------------------------------------------- */

static struct nu_lb_context context_of(const struct bench *bench, const struct nu_value *criteria,
                                       uint64_t i)
{
    return (struct nu_lb_context){
        .has_hash = bench->kind->has_table,
        .hash = i * 0x9e3779b97f4a7c15U,
        .criteria = bench->kind->has_subsets ? criteria : NULL,
    };
}

/* One that is there, another one each time. */
static void name_host(struct nu_lb_named_hosts *named, struct nu_str *address,
                      const struct nu_host_set *hosts, uint64_t i)
{
    *address = hosts->hosts[i * 7919 % hosts->count]->address_text;
    *named = (struct nu_lb_named_hosts){.addresses = address, .count = 1};
}

static __attribute__((noinline)) uint64_t choose_all(struct bench *bench, uint64_t choices)
{
    struct nu_cluster_local *cluster =
        nu_cluster_table_find(&bench->table, nu_str_from(bench->kind->is_aggregate ? "a" : "c"));
    const struct nu_value_field group = {NU_STR("group"), {.type = NU_VALUE_NUMBER, .number = 0}};
    const struct nu_value criteria = {
        .type = NU_VALUE_STRUCT, .count = 1, .fields = (struct nu_value_field *)nu_unconst(&group)};
    struct nu_lb_named_hosts named;
    struct nu_str address;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < choices; i++) {
        struct nu_lb_context context = context_of(bench, &criteria, i);
        if (bench->kind->names_hosts) {
            name_host(&named, &address, cluster->hosts, i);
            context.named = &named;
        }
        sum += (uint64_t)nu_cluster_choose_host(cluster, &context).index;
    }
    return sum;
}

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct bench bench;
    const struct kind *kind = argc == 4 ? find_kind(argv[1]) : NULL;
    if (!kind) {
        for (size_t i = 0; i < NU_ARRAY_LEN(kinds); i++)
            puts(kinds[i].name);
        return argc != 1;
    }
    nu_random_seed(7);
    bench_init(&bench, kind, (uint32_t)atoi(argv[2]));
    choose_all(&bench, 1); /* what is made on first use */
    printf("%llu\n", (unsigned long long)choose_all(&bench, strtoull(argv[3], NULL, 10)));
    bench_finish(&bench);
    return 0;
}
