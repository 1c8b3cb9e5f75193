/* SPDX-License-Identifier: Apache-2.0 */
/* Host sets on their way to a table, the last reference of a host, breakers and their gauges. */
#include "harness/cluster.h"

#include <pthread.h>

#include "base/thread.h"
#include "config/init_manager.h"

/* --- Host sets -------------------------------------------------------------------------------- */

static struct nu_host_set *one_host(struct cluster_fixture *f, const char *address)
{
    struct nu_host *host = cluster_host(f, address, 1);
    return cluster_host_set(&host, 1);
}

TEST(table_gets_new_hosts_by_message)
{
    struct cluster_fixture f;
    cluster_fixture_init(&f);
    cluster_fixture_start(&f, one_host(&f, "1.0.0.1:80"));
    struct nu_host_set *hosts = one_host(&f, "1.0.0.2:80");
    nu_cluster_manager_set_hosts(f.manager, f.cluster, hosts);
    assert_str(cluster_local(&f)->hosts->hosts[0]->address_text, "1.0.0.1:80");
    nu_loop_run_once(f.loop);
    assert_str(cluster_local(&f)->hosts->hosts[0]->address_text, "1.0.0.2:80");
    assert_ptr_equal(cluster_local(&f)->lb->hosts, hosts);
    nu_host_set_unref(hosts);
    cluster_fixture_finish(&f);
}

/* Names of routes that went may leave their places to other names. */
TEST(clusters_are_told_by_their_names_and_not_by_where_these_stand)
{
    struct cluster_fixture f;
    cluster_fixture_init(&f);
    cluster_fixture_start(&f, nu_host_set_create(NULL, 0));
    char place[8] = "c";
    struct nu_cluster_local *c = cluster_local(&f);
    struct nu_str name = nu_str_make(place, 1);
    assert_ptr_equal(nu_cluster_table_find_again(&f.table, name), c);
    assert_ptr_equal(nu_cluster_table_find_again(&f.table, name), c);
    place[0] = 'd';
    assert_null(nu_cluster_table_find_again(&f.table, name));
    struct nu_cluster *d = nu_cluster_create(f.stats, NU_STR("d"), NU_STR(""));
    struct nu_host_set *none = nu_host_set_create(NULL, 0);
    nu_cluster_set_first_hosts(d, none);
    assert_true(nu_cluster_manager_add(f.manager, d));
    nu_cluster_table_add(&f.table, d, none);
    nu_host_set_unref(none);
    assert_ptr_equal(nu_cluster_table_find_again(&f.table, name)->cluster, d);
    place[0] = 'c';
    assert_ptr_equal(nu_cluster_table_find_again(&f.table, name), c);
    cluster_fixture_finish(&f);
}

TEST(membership_is_counted)
{
    struct cluster_fixture f;
    cluster_fixture_init(&f);
    cluster_fixture_start(&f, one_host(&f, "1.0.0.1:80"));
    assert_int_equal(cluster_stat(&f, "membership_total"), 1);
    assert_int_equal(cluster_stat(&f, "membership_change"), 1);
    struct nu_host_set *nobody = nu_host_set_create(NULL, 0);
    nu_cluster_manager_set_hosts(f.manager, f.cluster, nobody);
    nu_host_set_unref(nobody);
    assert_int_equal(cluster_stat(&f, "membership_total"), 0);
    assert_int_equal(cluster_stat(&f, "membership_healthy"), 0);
    assert_int_equal(cluster_stat(&f, "membership_change"), 2);
    cluster_fixture_finish(&f);
}

TEST(empty_first_set_is_no_change)
{
    struct cluster_fixture f;
    cluster_fixture_init(&f);
    cluster_fixture_start(&f, nu_host_set_create(NULL, 0));
    assert_int_equal(cluster_stat(&f, "membership_change"), 0);
    cluster_fixture_finish(&f);
}

TEST(set_knows_its_weights)
{
    struct cluster_fixture f;
    cluster_fixture_init(&f);
    struct nu_host *hosts[] = {cluster_host(&f, "1.0.0.1:80", 2), cluster_host(&f, "1.0.0.2:80", 2),
                               cluster_host(&f, "1.0.0.3:80", 7)};
    struct nu_host_set *equal = nu_host_set_create(hosts, 2);
    assert_false(equal->weighted);
    assert_int_equal(equal->max_weight, 2);
    assert_false(nu_host_set_has(equal, hosts[2]));
    struct nu_host_set *set = nu_host_set_create(hosts, 3);
    assert_true(set->weighted);
    assert_int_equal(set->max_weight, 7);
    assert_true(nu_host_set_has(set, hosts[2]));
    nu_host_set_unref(equal);
    for (int i = 0; i < 3; i++)
        nu_host_unref(hosts[i]);
    cluster_fixture_start(&f, set);
    cluster_fixture_finish(&f);
}

/* --- Health and observers --------------------------------------------------------------------- */

struct watcher {
    struct nu_cluster_observer base;
    unsigned calls;
    uint32_t added;
    uint32_t removed;
    uint32_t flag; /* given to what is added */
};

static void on_hosts(struct nu_cluster_observer *base, const struct nu_host_change *change)
{
    struct watcher *watcher = nu_container_of(base, struct watcher, base);
    watcher->calls++;
    watcher->added += change->added_count;
    watcher->removed += change->removed_count;
    for (uint32_t i = 0; watcher->flag && i < change->added_count; i++)
        nu_host_set_flag(change->added[i], watcher->flag);
}

static void set_hosts(struct cluster_fixture *f, struct nu_host *const *hosts, uint32_t count)
{
    struct nu_host_set *set = nu_host_set_create(hosts, count);
    nu_cluster_manager_set_hosts(f->manager, f->cluster, set);
    nu_host_set_unref(set);
}

TEST(observer_is_told_of_hosts_that_come_and_go)
{
    struct cluster_fixture f;
    struct watcher watcher = {.base.on_hosts = on_hosts};
    cluster_fixture_init(&f);
    struct nu_host *hosts[] = {cluster_host(&f, "1.0.0.1:80", 1), cluster_host(&f, "1.0.0.2:80", 1),
                               cluster_host(&f, "1.0.0.3:80", 1)};
    nu_cluster_add_observer(f.cluster, &watcher.base);
    cluster_fixture_start(&f, nu_host_set_create(hosts, 2));
    assert_int_equal(watcher.added, 2);
    set_hosts(&f, hosts + 1, 2);
    assert_int_equal(watcher.added, 3);
    assert_int_equal(watcher.removed, 1);
    set_hosts(&f, hosts + 1, 2);
    assert_int_equal(watcher.calls, 2);
    for (int i = 0; i < 3; i++)
        nu_host_unref(hosts[i]);
    cluster_fixture_finish(&f);
}

TEST(late_observer_is_told_of_the_hosts_there_are)
{
    struct cluster_fixture f;
    struct watcher watcher = {.base.on_hosts = on_hosts};
    cluster_fixture_init(&f);
    cluster_fixture_start(&f, one_host(&f, "1.0.0.1:80"));
    nu_cluster_add_observer(f.cluster, &watcher.base);
    assert_int_equal(watcher.added, 1);
    cluster_fixture_finish(&f);
}

TEST(flag_of_an_observer_holds_from_the_beginning)
{
    struct cluster_fixture f;
    struct watcher watcher = {.base.on_hosts = on_hosts, .flag = NU_HOST_FAILED_ACTIVE_HC};
    cluster_fixture_init(&f);
    nu_cluster_add_observer(f.cluster, &watcher.base);
    cluster_fixture_start(&f, one_host(&f, "1.0.0.1:80"));
    assert_int_equal(cluster_stat(&f, "membership_total"), 1);
    assert_int_equal(cluster_stat(&f, "membership_healthy"), 0);
    assert_int_equal(cluster_local(&f)->hosts->priorities[0].healthy.count, 0);
    cluster_fixture_finish(&f);
}

TEST(changes_of_health_go_out_once_a_turn)
{
    struct cluster_fixture f;
    cluster_fixture_init(&f);
    struct nu_host *hosts[] = {cluster_host(&f, "1.0.0.1:80", 1), cluster_host(&f, "1.0.0.2:80", 1),
                               cluster_host(&f, "1.0.0.3:80", 1)};
    cluster_fixture_start(&f, nu_host_set_create(hosts, 3));
    const struct nu_host_set *before = f.cluster->hosts;
    nu_host_set_flag(hosts[0], NU_HOST_FAILED_OUTLIER_CHECK);
    nu_cluster_health_changed(f.cluster);
    nu_host_set_flag(hosts[1], NU_HOST_DEGRADED_ACTIVE_HC);
    nu_cluster_health_changed(f.cluster);
    assert_ptr_equal(f.cluster->hosts, before);
    nu_loop_run_once(f.loop);
    nu_loop_run_once(f.loop);
    assert_int_equal(cluster_stat(&f, "membership_healthy"), 1);
    assert_int_equal(cluster_stat(&f, "membership_degraded"), 1);
    assert_int_equal(cluster_stat(&f, "membership_change"), 1);
    assert_int_equal(cluster_local(&f)->hosts->priorities[0].healthy.count, 1);
    for (int i = 0; i < 3; i++)
        nu_host_unref(hosts[i]);
    cluster_fixture_finish(&f);
}

/* --- When tables are told --------------------------------------------------------------------- */

static uint64_t manager_stat(const struct cluster_fixture *f, const char *name)
{
    uint64_t value = 0;
    char full[128];
    snprintf(full, sizeof(full), "cluster_manager.%s", name);
    nu_stats_value(f->stats, nu_str_from(full), &value);
    return value;
}

static void change_health(struct cluster_fixture *f, bool failed)
{
    struct nu_host *host = f->cluster->hosts->hosts[0];
    if (failed)
        nu_host_set_flag(host, NU_HOST_FAILED_ACTIVE_HC);
    else
        nu_host_clear_flag(host, NU_HOST_FAILED_ACTIVE_HC);
    nu_cluster_health_changed(f->cluster);
    nu_loop_run_once(f->loop);
    nu_loop_run_once(f->loop);
}

/* As the table has it. */
static uint32_t known_healthy(struct cluster_fixture *f)
{
    return cluster_local(f)->hosts->priorities[0].healthy.count;
}

static void window_fixture_init(struct cluster_fixture *f)
{
    nu_clock_fake_install(5000000, 0);
    cluster_fixture_init(f);
    cluster_fixture_start(f, one_host(f, "1.0.0.1:80"));
}

static void window_fixture_finish(struct cluster_fixture *f)
{
    cluster_fixture_finish(f);
    nu_clock_fake_remove();
}

TEST(change_of_health_after_a_while_is_told_at_once)
{
    struct cluster_fixture f;
    window_fixture_init(&f);
    change_health(&f, true);
    assert_int_equal(known_healthy(&f), 0);
    harness_advance(f.loop, 1001);
    change_health(&f, false);
    assert_int_equal(known_healthy(&f), 1);
    assert_int_equal(manager_stat(&f, "cluster_updated"), 2);
    assert_int_equal(manager_stat(&f, "update_out_of_merge_window"), 2);
    window_fixture_finish(&f);
}

TEST(change_of_health_soon_after_another_waits_for_the_window)
{
    struct cluster_fixture f;
    window_fixture_init(&f);
    change_health(&f, true);
    harness_advance(f.loop, 500);
    change_health(&f, false);
    assert_int_equal(cluster_stat(&f, "membership_healthy"), 1);
    assert_int_equal(known_healthy(&f), 0);
    harness_advance(f.loop, 999);
    assert_int_equal(known_healthy(&f), 0);
    harness_advance(f.loop, 1);
    nu_loop_run_once(f.loop);
    assert_int_equal(known_healthy(&f), 1);
    assert_int_equal(manager_stat(&f, "cluster_updated"), 1);
    assert_int_equal(manager_stat(&f, "cluster_updated_via_merge"), 1);
    window_fixture_finish(&f);
}

TEST(hosts_that_come_are_told_at_once_with_what_waited)
{
    struct cluster_fixture f;
    window_fixture_init(&f);
    change_health(&f, true);
    change_health(&f, false);
    struct nu_host *hosts[] = {nu_host_ref(f.cluster->hosts->hosts[0]),
                               cluster_host(&f, "1.0.0.2:80", 1)};
    set_hosts(&f, hosts, 2);
    nu_loop_run_once(f.loop);
    assert_int_equal(known_healthy(&f), 2);
    assert_int_equal(manager_stat(&f, "update_merge_cancelled"), 1);
    harness_advance(f.loop, 5000);
    assert_int_equal(manager_stat(&f, "cluster_updated_via_merge"), 0);
    for (int i = 0; i < 2; i++)
        nu_host_unref(hosts[i]);
    window_fixture_finish(&f);
}

TEST(without_a_window_every_change_is_told_at_once)
{
    struct cluster_fixture f;
    window_fixture_init(&f);
    f.cluster->updates.window_ms = 0;
    change_health(&f, true);
    change_health(&f, false);
    assert_int_equal(known_healthy(&f), 1);
    assert_int_equal(manager_stat(&f, "cluster_updated"), 2);
    window_fixture_finish(&f);
}

TEST(changes_of_a_cluster_that_warms_up_are_told_and_not_counted)
{
    struct cluster_fixture f;
    struct nu_init_target target;
    window_fixture_init(&f);
    nu_init_target_init(&target, "t", NULL);
    f.cluster->warm = &target;
    change_health(&f, true);
    change_health(&f, false);
    assert_int_equal(known_healthy(&f), 1);
    assert_int_equal(manager_stat(&f, "cluster_updated"), 0);
    window_fixture_finish(&f);
}

TEST(change_is_counted_for_each_priority)
{
    struct cluster_fixture f;
    cluster_fixture_init(&f);
    struct nu_host *hosts[] = {cluster_host(&f, "1.0.0.1:80", 1), cluster_host(&f, "1.0.0.2:80", 1),
                               cluster_host(&f, "1.0.0.3:80", 1)};
    atomic_store(&hosts[1]->priority, 1);
    atomic_store(&hosts[2]->priority, 1);
    cluster_fixture_start(&f, nu_host_set_create(hosts, 3));
    assert_int_equal(cluster_stat(&f, "membership_change"), 2);
    set_hosts(&f, hosts, 1);
    assert_int_equal(cluster_stat(&f, "membership_change"), 3);
    for (int i = 0; i < 3; i++)
        nu_host_unref(hosts[i]);
    cluster_fixture_finish(&f);
}

/* --- The last reference ----------------------------------------------------------------------- */

enum { SETS = 200 };

struct dropper {
    pthread_t thread;
    unsigned index;
    struct nu_host_set *sets[SETS];
};

static void *drop_all(void *arg)
{
    struct dropper *dropper = arg;
    nu_thread_enter(dropper->index, "dropper");
    for (int i = 0; i < SETS; i++)
        nu_host_set_unref(dropper->sets[i]);
    nu_thread_leave();
    return NULL;
}

/* Each of two threads holds a reference to each set, as the main thread does; whoever is last. */
TEST(hosts_dropped_by_workers_are_freed_on_the_main_thread)
{
    struct cluster_fixture f;
    struct dropper droppers[2] = {{.index = 1}, {.index = 2}};
    size_t before = nu_stats_memory_bytes();
    cluster_fixture_init(&f);
    size_t with_cluster = nu_stats_memory_bytes();
    for (int i = 0; i < SETS; i++) {
        struct nu_host_set *set = one_host(&f, "1.0.0.1:80");
        droppers[0].sets[i] = nu_host_set_ref(set);
        droppers[1].sets[i] = set;
    }
    assert_true(nu_stats_memory_bytes() > with_cluster);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&droppers[i].thread, NULL, drop_all, &droppers[i]), 0);
    /* Some while they work, the rest afterwards. */
    nu_loop_run_once(f.loop);
    for (int i = 0; i < 2; i++)
        pthread_join(droppers[i].thread, NULL);
    nu_loop_run_once(f.loop);
    assert_int_equal(nu_stats_memory_bytes(), with_cluster);
    cluster_fixture_start(&f, nu_host_set_create(NULL, 0));
    cluster_fixture_finish(&f);
    assert_int_equal(nu_stats_memory_bytes(), before);
}

/* --- Breakers --------------------------------------------------------------------------------- */

struct breaker_fixture {
    struct cluster_fixture base;
    struct nu_cluster_local *local;
};

static void breaker_fixture_init(struct breaker_fixture *f, uint32_t max)
{
    struct nu_breaker_limits limits = nu_breaker_limits_default;
    limits.max[NU_BREAKER_CONNECTIONS] = max;
    limits.track_remaining = true;
    cluster_fixture_init(&f->base);
    nu_cluster_set_limits(f->base.cluster, NU_PRIORITY_HIGH, &limits);
    cluster_fixture_start(&f->base, nu_host_set_create(NULL, 0));
    f->local = cluster_local(&f->base);
    nu_cluster_local_stats(f->local);
}

static void assert_gauges(struct breaker_fixture *f, uint64_t open, uint64_t remaining)
{
    assert_int_equal(cluster_stat(&f->base, "circuit_breakers.high.cx_open"), open);
    assert_int_equal(cluster_stat(&f->base, "circuit_breakers.high.remaining_cx"), remaining);
}

static bool allows(const struct breaker_fixture *f)
{
    return nu_breaker_allows(
        &f->base.cluster->breakers[NU_PRIORITY_HIGH].of[NU_BREAKER_CONNECTIONS]);
}

static void add(struct breaker_fixture *f)
{
    nu_cluster_breaker_add(f->local, NU_PRIORITY_HIGH, NU_BREAKER_CONNECTIONS);
}

static void sub(struct breaker_fixture *f)
{
    nu_cluster_breaker_sub(f->local, NU_PRIORITY_HIGH, NU_BREAKER_CONNECTIONS);
}

TEST(breaker_opens_at_its_limit_and_closes_below)
{
    struct breaker_fixture f;
    breaker_fixture_init(&f, 2);
    assert_gauges(&f, 0, 2);
    add(&f);
    assert_gauges(&f, 0, 1);
    assert_true(allows(&f));
    add(&f);
    assert_gauges(&f, 1, 0);
    assert_false(allows(&f));
    /* One over the limit, as a first connection to a host may be. */
    add(&f);
    assert_gauges(&f, 1, 0);
    sub(&f);
    assert_gauges(&f, 1, 0);
    assert_false(allows(&f));
    sub(&f);
    assert_gauges(&f, 0, 1);
    assert_true(allows(&f));
    sub(&f);
    assert_gauges(&f, 0, 2);
    cluster_fixture_finish(&f.base);
}

TEST(breaker_without_any_room_stays_open_once_used)
{
    struct breaker_fixture f;
    breaker_fixture_init(&f, 0);
    assert_gauges(&f, 0, 0);
    assert_false(allows(&f));
    add(&f);
    assert_gauges(&f, 1, 0);
    sub(&f);
    assert_gauges(&f, 1, 0);
    add(&f);
    sub(&f);
    assert_gauges(&f, 1, 0);
    cluster_fixture_finish(&f.base);
}

TEST(priorities_have_breakers_of_their_own)
{
    struct breaker_fixture f;
    breaker_fixture_init(&f, 1);
    add(&f);
    assert_false(allows(&f));
    assert_true(nu_breaker_allows(
        &f.base.cluster->breakers[NU_PRIORITY_DEFAULT].of[NU_BREAKER_CONNECTIONS]));
    sub(&f);
    cluster_fixture_finish(&f.base);
}

TEST(pools_without_a_limit_count_down_from_envoys_greatest_number)
{
    struct breaker_fixture f;
    breaker_fixture_init(&f, 1);
    assert_int_equal(cluster_stat(&f.base, "circuit_breakers.high.remaining_cx_pools"), UINT64_MAX);
    nu_cluster_breaker_add(f.local, NU_PRIORITY_HIGH, NU_BREAKER_POOLS);
    assert_int_equal(cluster_stat(&f.base, "circuit_breakers.high.remaining_cx_pools"),
                     UINT64_MAX - 1);
    nu_cluster_breaker_sub(f.local, NU_PRIORITY_HIGH, NU_BREAKER_POOLS);
    cluster_fixture_finish(&f.base);
}

TEST_MAIN()
