/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that are made by need: the worker's and the main thread's sides, on one loop. */
#include "harness/cluster.h"

#include "http/headers.h"
#include "http/metadata.h"
#include "http/stream_info.h"
#include "upstream/discovery/discovery.h"
#include "upstream/discovery/original_dst.h"

enum { CLEANUP_MS = 5000 };

struct fixture {
    struct cluster_fixture base;
    struct nu_original_dst config;
    struct nu_init_manager init;
    struct nu_cluster_local *local;
};

static void on_warm(struct nu_init_manager *manager)
{
    (void)manager;
}

static void fixture_init(struct fixture *f)
{
    nu_clock_fake_install(1000000, 1700000000000000);
    *f = (struct fixture){.config = {.cleanup_ms = CLEANUP_MS}};
    cluster_fixture_init(&f->base);
    struct nu_cluster *cluster = f->base.cluster;
    cluster->original_dst = &f->config;
    cluster->lb_class = &nu_lb_original_dst;
    cluster->discovery = nu_original_dst_create(cluster, f->base.loop);
    cluster_fixture_start(&f->base, nu_host_set_create(NULL, 0));
    nu_init_manager_init(&f->init, "test");
    nu_cluster_start_discovery(cluster, &f->init);
    nu_init_manager_start(&f->init, on_warm);
    f->local = cluster_local(&f->base);
    nu_cluster_local_stats(f->local);
}

static void fixture_finish(struct fixture *f)
{
    nu_init_manager_finish(&f->init);
    cluster_fixture_finish(&f->base);
    nu_clock_fake_remove();
}

static struct nu_address address(const char *text)
{
    struct nu_address out;
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(text), &out), NU_OK);
    return out;
}

/* The host that a request to this address gets. */
static struct nu_host *choose(struct fixture *f, const char *text)
{
    struct nu_address destination = address(text);
    struct nu_lb_context context = {.destination = &destination};
    int32_t index = nu_cluster_choose_host(f->local, &context).index;
    assert_true(index >= 0);
    return f->local->hosts->hosts[index];
}

static void settle(struct fixture *f)
{
    nu_loop_run_once(f->base.loop);
    nu_loop_run_once(f->base.loop);
}

TEST(host_is_there_at_once_and_for_everybody_soon)
{
    struct fixture f;
    fixture_init(&f);
    struct nu_host *host = choose(&f, "1.0.0.1:80");
    assert_str(host->hostname, "c1.0.0.1:80");
    assert_ptr_equal(choose(&f, "1.0.0.1:80"), host);
    assert_int_equal(f.local->hosts->count, 1);
    assert_int_equal(f.base.cluster->hosts->count, 0);
    settle(&f);
    assert_int_equal(f.base.cluster->hosts->count, 1);
    assert_ptr_equal(f.base.cluster->hosts->hosts[0], host);
    assert_ptr_equal(f.local->hosts->hosts[0], host);
    assert_int_equal(f.local->fresh_count, 0);
    assert_ptr_equal(choose(&f, "1.0.0.1:80"), host);
    assert_ptr_not_equal(choose(&f, "1.0.0.1:81"), host);
    assert_int_equal(cluster_stat(&f.base, "membership_change"), 1);
    fixture_finish(&f);
}

/* One set for the others, however many hosts clients ask for at a time. */
TEST(hosts_that_follow_soon_are_told_of_together)
{
    struct fixture f;
    fixture_init(&f);
    choose(&f, "1.0.0.1:80");
    settle(&f);
    const struct nu_host_set *first = f.base.cluster->hosts;
    for (int i = 2; i < 10; i++) {
        char text[32];
        snprintf(text, sizeof(text), "1.0.0.%d:80", i);
        choose(&f, text);
        settle(&f);
        assert_ptr_equal(f.base.cluster->hosts, first);
        assert_int_equal(f.local->hosts->count, i);
    }
    assert_int_equal(f.local->fresh_count, 8);
    harness_advance(f.base.loop, 101);
    assert_int_equal(f.base.cluster->hosts->count, 9);
    assert_int_equal(f.local->hosts->count, 9);
    assert_int_equal(f.local->fresh_count, 0);
    assert_int_equal(cluster_stat(&f.base, "membership_change"), 9);
    fixture_finish(&f);
}

/* Hosts go into a set with room for them, which is made anew ever more seldom. */
TEST(most_new_hosts_make_no_new_set)
{
    enum { HOSTS = 300 };
    struct fixture f;
    struct nu_host *made[HOSTS];
    char text[32];
    int sets = 0;
    fixture_init(&f);
    const struct nu_host_set *last = f.local->hosts;
    for (int i = 0; i < HOSTS; i++) {
        snprintf(text, sizeof(text), "1.0.%d.%d:80", i / 200, i % 200);
        made[i] = choose(&f, text);
        sets += f.local->hosts != last;
        last = f.local->hosts;
    }
    assert_true(sets < 12);
    for (int i = 0; i < HOSTS; i++) {
        snprintf(text, sizeof(text), "1.0.%d.%d:80", i / 200, i % 200);
        assert_ptr_equal(choose(&f, text), made[i]);
    }
    assert_int_equal(last->priorities[0].healthy.count, HOSTS);
    assert_null(f.local->pool_of[HOSTS * NU_PRIORITY_COUNT * NU_POOLS_PER_PRIORITY - 1]);
    fixture_finish(&f);
}

TEST(host_on_its_way_outlives_a_set_without_it)
{
    struct fixture f;
    fixture_init(&f);
    struct nu_host *first = choose(&f, "1.0.0.1:80");
    struct nu_host *other = cluster_host(&f.base, "1.0.0.2:80", 1);
    struct nu_host_set *set = cluster_host_set(&other, 1);
    const struct nu_host_set_settings settings = {0};
    nu_host_set_seal(set, &settings);
    nu_cluster_table_set_hosts(&f.base.table, f.base.cluster, set);
    nu_host_set_unref(set);
    assert_int_equal(f.local->hosts->count, 2);
    assert_ptr_equal(choose(&f, "1.0.0.1:80"), first);
    fixture_finish(&f);
}

TEST(hosts_that_nobody_uses_go_after_two_looks)
{
    struct fixture f;
    fixture_init(&f);
    struct nu_host *busy = choose(&f, "1.0.0.1:80");
    choose(&f, "1.0.0.2:80");
    struct nu_host_stats *stats = nu_stat_set_block(busy->stats);
    nu_gauge_inc(&stats->cx_active);
    settle(&f);
    harness_advance(f.base.loop, CLEANUP_MS);
    assert_int_equal(f.base.cluster->hosts->count, 2);
    choose(&f, "1.0.0.2:80");
    harness_advance(f.base.loop, CLEANUP_MS);
    assert_int_equal(f.base.cluster->hosts->count, 2);
    harness_advance(f.base.loop, CLEANUP_MS);
    assert_int_equal(f.base.cluster->hosts->count, 1);
    nu_gauge_dec(&stats->cx_active);
    harness_advance(f.base.loop, CLEANUP_MS);
    assert_int_equal(f.base.cluster->hosts->count, 0);
    settle(&f);
    assert_int_equal(f.local->hosts->count, 0);
    fixture_finish(&f);
}

/* A worker's last hosts, of which the main thread is not told any more. */
TEST(a_host_on_its_way_is_let_go_at_the_end)
{
    struct fixture f;
    fixture_init(&f);
    struct nu_host *host = nu_host_ref(choose(&f, "1.0.0.1:80"));
    struct nu_discovery *discovery = f.base.cluster->discovery;
    nu_init_manager_finish(&f.init);
    nu_cluster_table_finish(&f.base.table);
    assert_int_equal(host->refs, 2);
    f.base.cluster->discovery = NULL;
    discovery->cls->destroy(discovery);
    assert_int_equal(host->refs, 1);
    nu_host_unref(host);
    nu_cluster_manager_destroy(&f.base.manager);
    nu_loop_destroy(&f.base.loop);
    nu_stats_destroy(&f.base.stats);
    nu_clock_fake_remove();
}

TEST(request_without_a_destination_has_no_host)
{
    struct fixture f;
    fixture_init(&f);
    const struct nu_lb_context context = {0};
    assert_int_equal(nu_cluster_choose_host(f.local, &context).index, NU_LB_NONE);
    fixture_finish(&f);
}

/* Metadata counts more than the header, and that more than the connection. */
struct find_case {
    const char *metadata, *header, *connection; /* NULL: there is none */
    uint16_t port;
    const char *found;
    uint64_t invalid;
};

static const struct find_case find_cases[] = {
    {"1.0.0.1:1", "1.0.0.2:2", "1.0.0.3:3", 0, "1.0.0.1:1", 0},
    {NULL, "1.0.0.2:2", "1.0.0.3:3", 0, "1.0.0.2:2", 0},
    {NULL, NULL, "1.0.0.3:3", 0, "1.0.0.3:3", 0},
    {"no", "[::2]:2", "1.0.0.3:3", 0, "[::2]:2", 0},
    {NULL, "no", "1.0.0.3:3", 0, "1.0.0.3:3", 1},
    {NULL, "no", NULL, 0, NULL, 1},
    {NULL, "1.0.0.2:2", NULL, 99, "1.0.0.2:99", 0},
    {NULL, NULL, NULL, 99, NULL, 0},
};

static void check_find(const struct find_case *c)
{
    struct fixture f;
    struct nu_arena arena;
    struct nu_headers headers;
    struct nu_connection_info connection = {0};
    fixture_init(&f);
    nu_arena_init(&arena);
    nu_headers_init(&headers, &arena, 4);
    const struct nu_str path[] = {NU_STR_INIT("to")};
    f.config.header = NU_STR("x-to");
    f.config.metadata = NU_STR("space");
    f.config.path = path;
    f.config.path_count = 1;
    f.config.port = c->port;
    struct nu_stream_info info = {.arena = &arena, .connection = &connection};
    if (c->metadata)
        nu_metadata_set(nu_stream_info_metadata(&info), NU_STR("space"), NU_STR("to"),
                        nu_value_string(nu_str_from(c->metadata)));
    if (c->header)
        nu_headers_add(&headers, NU_STR("x-to"), nu_str_from(c->header));
    if (c->connection)
        connection.restored_local = address(c->connection);
    const struct nu_address *found = nu_original_dst_find(f.local, &info, &headers);
    char text[NU_ADDRESS_TEXT_MAX];
    if (c->found)
        assert_str(nu_str_make(text, nu_address_format(found, text)), c->found);
    else
        assert_null(found);
    assert_int_equal(cluster_stat(&f.base, "original_dst_host_invalid"), c->invalid);
    nu_arena_finish(&arena);
    fixture_finish(&f);
}

TEST(destination_is_looked_for_in_envoys_order)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(find_cases); i++)
        check_find(&find_cases[i]);
}

TEST_MAIN()
