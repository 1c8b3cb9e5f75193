/* SPDX-License-Identifier: Apache-2.0 */
/* Balancers by hash over host sets: which hosts are in a table, and what is hashed for them. What
 * the tables choose is in hash_choices_test.c. */
#include "harness/cluster.h"

#include "base/xxhash.h"
#include "http/metadata.h"
#include "stats/cluster_stats.h"
#include "upstream/lb/lb_hash.h"

enum { MAX_HOSTS = 16, KEYS = 500 };

static struct cluster_fixture f;
static struct nu_host *hosts[MAX_HOSTS];
static uint32_t host_count;
static struct nu_arena arena;

static void begin(enum nu_hash_table_kind kind, struct nu_hash_lb_settings settings)
{
    nu_arena_init(&arena);
    host_count = 0;
    settings.ring.min_size = settings.ring.min_size ? settings.ring.min_size : 1024;
    settings.ring.max_size = 8 << 20;
    settings.maglev_size = 1009;
    cluster_fixture_init(&f);
    nu_cluster_set_hash(f.cluster, &settings, kind);
    f.cluster->lb_class = nu_hash_lb_class(kind, &settings);
}

static struct nu_host *add(struct nu_host_params params)
{
    char address[32];
    snprintf(address, sizeof(address), "1.0.0.%u:80", host_count + 1);
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(address), &params.address), NU_OK);
    return hosts[host_count++] = nu_host_create(f.keeper, &params);
}

static void start(void)
{
    cluster_fixture_start(&f, cluster_host_set(hosts, host_count));
}

static void end(void)
{
    cluster_fixture_finish(&f);
    nu_arena_finish(&arena);
}

static int32_t choose(uint64_t hash)
{
    const struct nu_lb_context context = {.has_hash = true, .hash = hash};
    return nu_lb_choose(cluster_local(&f)->lb, &context);
}

/* How many of many hashes go to each host. */
static void count_choices(uint32_t *counts)
{
    memset(counts, 0, MAX_HOSTS * sizeof(*counts));
    for (uint64_t i = 0; i < KEYS; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key-%llu", (unsigned long long)i);
        int32_t host = choose(nu_xxhash64(nu_str_from(key)));
        if (host != NU_LB_NONE)
            counts[host]++;
    }
}

TEST(same_hash_goes_to_the_same_host)
{
    for (int kind = NU_HASH_RING; kind <= NU_HASH_MAGLEV; kind++) {
        uint32_t counts[MAX_HOSTS];
        begin((enum nu_hash_table_kind)kind, (struct nu_hash_lb_settings){0});
        for (int i = 0; i < 3; i++)
            add((struct nu_host_params){0});
        start();
        int32_t host = choose(12345);
        for (int i = 0; i < 10; i++)
            assert_int_equal(choose(12345), host);
        count_choices(counts);
        for (int i = 0; i < 3; i++)
            assert_true(counts[i] > KEYS / 5);
        end();
    }
}

TEST(without_a_hash_any_host_is_chosen)
{
    const struct nu_lb_context context = {0};
    uint32_t counts[MAX_HOSTS] = {0};
    begin(NU_HASH_MAGLEV, (struct nu_hash_lb_settings){0});
    for (int i = 0; i < 3; i++)
        add((struct nu_host_params){0});
    start();
    for (int i = 0; i < 3000; i++)
        counts[nu_lb_choose(cluster_local(&f)->lb, &context)]++;
    for (int i = 0; i < 3; i++)
        assert_true(counts[i] > 700);
    end();
}

TEST(no_hosts_no_choice)
{
    begin(NU_HASH_RING, (struct nu_hash_lb_settings){0});
    start();
    assert_int_equal(choose(1), NU_LB_NONE);
    end();
}

TEST(unhealthy_and_degraded_hosts_are_left_out)
{
    uint32_t counts[MAX_HOSTS];
    begin(NU_HASH_RING, (struct nu_hash_lb_settings){0});
    for (int i = 0; i < 4; i++)
        add((struct nu_host_params){0});
    nu_host_set_flag(hosts[1], NU_HOST_FAILED_ACTIVE_HC);
    nu_host_set_flag(hosts[3], NU_HOST_DEGRADED_ACTIVE_HC);
    start();
    count_choices(counts);
    assert_int_equal(counts[1] + counts[3], 0);
    assert_int_equal(counts[0] + counts[2], KEYS);
    assert_true(counts[0] && counts[2]);
    assert_int_equal(cluster_stat(&f, "lb_healthy_panic"), 0);
    end();
}

TEST(panic_takes_all_hosts_in)
{
    uint32_t counts[MAX_HOSTS];
    begin(NU_HASH_MAGLEV, (struct nu_hash_lb_settings){0});
    for (int i = 0; i < 3; i++)
        add((struct nu_host_params){0});
    nu_host_set_flag(hosts[0], NU_HOST_FAILED_ACTIVE_HC);
    nu_host_set_flag(hosts[1], NU_HOST_FAILED_ACTIVE_HC);
    start();
    count_choices(counts);
    assert_true(counts[0] && counts[1] && counts[2]);
    assert_int_equal(cluster_stat(&f, "lb_healthy_panic"), KEYS);
    end();
}

TEST(hash_chooses_the_priority_too)
{
    begin(NU_HASH_RING, (struct nu_hash_lb_settings){0});
    for (int i = 0; i < 4; i++)
        add((struct nu_host_params){.priority = i < 2 ? 0 : 1});
    nu_host_set_flag(hosts[0], NU_HOST_FAILED_ACTIVE_HC);
    start(); /* 70 percent of the load stays with priority 0 */
    for (uint64_t hash = 0; hash < 200; hash++) {
        int32_t host = choose(hash);
        if (hash % 100 < 70)
            assert_int_equal(host, 1);
        else
            assert_true(host >= 2);
    }
    end();
}

static const struct nu_metadata *metadata_with(const char *key)
{
    struct nu_metadata *metadata = nu_metadata_create(&arena);
    nu_metadata_set(metadata, NU_STR("envoy.lb"), NU_STR("hash_key"),
                    nu_value_string(nu_str_from(key)));
    return metadata;
}

/* Where every host has a key, addresses do not matter: two clusters choose alike. */
TEST(key_of_the_metadata_goes_before_the_name_and_the_address)
{
    int32_t first[100];
    for (int turn = 0; turn < 2; turn++) {
        begin(NU_HASH_RING, (struct nu_hash_lb_settings){.by_hostname = turn == 1});
        if (turn == 0)
            add((struct nu_host_params){.metadata = metadata_with("a")});
        add((struct nu_host_params){.metadata = metadata_with("b"), .hostname = NU_STR("x")});
        if (turn == 1)
            add((struct nu_host_params){.hostname = NU_STR("a")});
        start();
        for (uint64_t i = 0; i < 100; i++) {
            int32_t host = choose(i << 57);
            if (turn == 0)
                first[i] = host;
            else
                assert_int_equal(host, !first[i]);
        }
        end();
    }
}

static const struct nu_host *refused;

static bool accepts(const struct nu_lb_context *context, const struct nu_host *host)
{
    (void)context;
    return host != refused;
}

TEST(host_that_is_not_accepted_gives_way_to_the_next_place)
{
    begin(NU_HASH_RING, (struct nu_hash_lb_settings){0});
    for (int i = 0; i < 3; i++)
        add((struct nu_host_params){0});
    start();
    for (uint64_t hash = 0; hash < 64; hash++) {
        int32_t first = choose(hash << 58);
        refused = hosts[first];
        const struct nu_lb_context context = {
            .has_hash = true, .hash = hash << 58, .accepts = accepts, .max_attempts = 100};
        assert_int_not_equal(nu_lb_choose(cluster_local(&f)->lb, &context), first);
        assert_int_equal(choose(hash << 58), first);
    }
    end();
}

/* 100 percent of its share: with two hosts one request each, and then it is the other's turn. */
TEST(bounded_host_sends_what_is_too_much_elsewhere)
{
    begin(NU_HASH_RING, (struct nu_hash_lb_settings){.balance_percent = 100});
    for (int i = 0; i < 2; i++)
        add((struct nu_host_params){0});
    start();
    int32_t first = choose(7);
    atomic_store(&f.cluster->breakers[0].of[NU_BREAKER_REQUESTS].current, 1);
    atomic_store(&hosts[first]->active, 1);
    assert_int_equal(choose(7), first); /* of the next two it may have one */
    atomic_store(&f.cluster->breakers[0].of[NU_BREAKER_REQUESTS].current, 2);
    atomic_store(&hosts[first]->active, 2);
    assert_int_equal(choose(7), first); /* it may have 2 of 3, rounded up */
    atomic_store(&hosts[first]->active, 3);
    assert_int_equal(choose(7), !first);
    atomic_store(&f.cluster->breakers[0].of[NU_BREAKER_REQUESTS].current, 0);
    end();
}

TEST(gauges_tell_of_the_table)
{
    begin(NU_HASH_RING, (struct nu_hash_lb_settings){.ring.min_size = 100});
    for (uint32_t i = 0; i < 2; i++)
        add((struct nu_host_params){.weight = i + 1});
    start();
    assert_int_equal(cluster_stat(&f, "ring_hash_lb.size"), 102);
    assert_int_equal(cluster_stat(&f, "ring_hash_lb.min_hashes_per_host"), 34);
    assert_int_equal(cluster_stat(&f, "ring_hash_lb.max_hashes_per_host"), 68);
    end();
    begin(NU_HASH_MAGLEV, (struct nu_hash_lb_settings){0});
    for (uint32_t i = 0; i < 2; i++)
        add((struct nu_host_params){0});
    start();
    assert_int_equal(cluster_stat(&f, "maglev_lb.min_entries_per_host"), 504);
    assert_int_equal(cluster_stat(&f, "maglev_lb.max_entries_per_host"), 505);
    end();
}

TEST_MAIN()
