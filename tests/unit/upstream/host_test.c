/* SPDX-License-Identifier: Apache-2.0 */
/* The health of a host: flags, what they come to, how they are shown. */
#include "harness/cluster.h"

#include "upstream/hosts/host.h"

struct fixture {
    struct cluster_fixture base;
    struct nu_host *host;
};

static void fixture_init(struct fixture *f)
{
    cluster_fixture_init(&f->base);
    cluster_fixture_start(&f->base, nu_host_set_create(NULL, 0));
    f->host = cluster_host(&f->base, "1.0.0.1:80", 1);
}

static void fixture_finish(struct fixture *f)
{
    nu_host_unref(f->host);
    cluster_fixture_finish(&f->base);
}

static void assert_flags(const struct fixture *f, const char *expected)
{
    struct nu_strbuf text = {0};
    nu_host_print_flags(f->host, &text);
    assert_str(nu_strbuf_str(&text), expected);
    nu_strbuf_finish(&text);
}

TEST(flag_says_whether_it_changed)
{
    struct fixture f;
    fixture_init(&f);
    assert_flags(&f, "healthy");
    assert_true(nu_host_set_flag(f.host, NU_HOST_FAILED_OUTLIER_CHECK));
    assert_false(nu_host_set_flag(f.host, NU_HOST_FAILED_OUTLIER_CHECK));
    assert_true(nu_host_set_flag(f.host, NU_HOST_FAILED_ACTIVE_HC));
    assert_flags(&f, "/failed_active_hc/failed_outlier_check");
    assert_true(nu_host_clear_flag(f.host, NU_HOST_FAILED_OUTLIER_CHECK));
    assert_false(nu_host_clear_flag(f.host, NU_HOST_FAILED_OUTLIER_CHECK));
    assert_flags(&f, "/failed_active_hc");
    fixture_finish(&f);
}

TEST(unhealthy_counts_more_than_degraded)
{
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(nu_host_health(f.host), NU_HOST_HEALTHY);
    nu_host_set_flag(f.host, NU_HOST_PENDING_ACTIVE_HC);
    assert_int_equal(nu_host_health(f.host), NU_HOST_HEALTHY);
    nu_host_set_flag(f.host, NU_HOST_DEGRADED_ACTIVE_HC);
    assert_int_equal(nu_host_health(f.host), NU_HOST_DEGRADED);
    nu_host_set_flag(f.host, NU_HOST_FAILED_ACTIVE_HC);
    assert_int_equal(nu_host_health(f.host), NU_HOST_UNHEALTHY);
    fixture_finish(&f);
}

struct eds_case {
    enum nu_eds_health said;
    enum nu_host_health health;
    const char *flags;
};

static const struct eds_case eds_cases[] = {
    {NU_EDS_UNKNOWN, NU_HOST_HEALTHY, "healthy"},
    {NU_EDS_HEALTHY, NU_HOST_HEALTHY, "healthy"},
    {NU_EDS_UNHEALTHY, NU_HOST_UNHEALTHY, "/failed_eds_health"},
    {NU_EDS_DRAINING, NU_HOST_UNHEALTHY, "/eds_status_draining"},
    {NU_EDS_TIMEOUT, NU_HOST_UNHEALTHY, "/failed_eds_health"},
    {NU_EDS_DEGRADED, NU_HOST_DEGRADED, "/degraded_eds_health"},
};

TEST(what_the_control_plane_says_replaces_what_it_said)
{
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < NU_ARRAY_LEN(eds_cases); i++) {
        for (size_t j = 0; j < NU_ARRAY_LEN(eds_cases); j++) {
            nu_host_set_eds_health(f.host, eds_cases[i].said);
            bool changes = strcmp(eds_cases[i].flags, eds_cases[j].flags) != 0;
            assert_int_equal(nu_host_set_eds_health(f.host, eds_cases[j].said), changes);
            assert_int_equal(nu_host_health(f.host), eds_cases[j].health);
            assert_int_equal(nu_host_health_status(f.host), eds_cases[j].said);
            assert_flags(&f, eds_cases[j].flags);
        }
    }
    fixture_finish(&f);
}

TEST(own_findings_count_before_what_the_control_plane_says)
{
    struct fixture f;
    fixture_init(&f);
    nu_host_set_eds_health(f.host, NU_EDS_HEALTHY);
    nu_host_set_flag(f.host, NU_HOST_DEGRADED_ACTIVE_HC);
    assert_int_equal(nu_host_health_status(f.host), NU_EDS_DEGRADED);
    nu_host_set_eds_health(f.host, NU_EDS_TIMEOUT);
    assert_int_equal(nu_host_health_status(f.host), NU_EDS_TIMEOUT);
    nu_host_set_flag(f.host, NU_HOST_FAILED_OUTLIER_CHECK);
    assert_int_equal(nu_host_health_status(f.host), NU_EDS_UNHEALTHY);
    fixture_finish(&f);
}

TEST(host_owns_what_it_is_called)
{
    struct fixture f;
    fixture_init(&f);
    char name[] = "name", zone[] = "zone";
    struct nu_arena arena;
    nu_arena_init(&arena);
    struct nu_metadata *metadata = nu_metadata_create(&arena);
    nu_metadata_set(metadata, NU_STR("envoy.lb"), NU_STR("k"), nu_value_bool(true));
    struct nu_host_params params = {
        .hostname = nu_str_from(name),
        .locality = {.zone = nu_str_from(zone)},
        .metadata = metadata,
    };
    struct nu_host *host = nu_host_create(f.base.keeper, &params);
    name[0] = zone[0] = '!';
    nu_arena_finish(&arena);
    const struct nu_str path = NU_STR_INIT("k");
    assert_str(host->hostname, "name");
    assert_str(host->locality.zone, "zone");
    assert_int_equal(host->locality.region.len, 0);
    assert_true(nu_metadata_find(nu_host_metadata(host), NU_STR("envoy.lb"), &path, 1)->boolean);
    nu_host_unref(host);
    fixture_finish(&f);
}

static struct nu_metadata *number_metadata(struct nu_arena *arena, double number)
{
    struct nu_metadata *metadata = nu_metadata_create(arena);
    nu_metadata_set(metadata, NU_STR("a"), NU_STR("k"), nu_value_number(number));
    return metadata;
}

static double number_of(const struct nu_metadata *metadata)
{
    const struct nu_str path = NU_STR_INIT("k");
    return nu_metadata_find(metadata, NU_STR("a"), &path, 1)->number;
}

/* A worker may be in the middle of looking at it. */
static void set_canary(struct nu_host *host, struct nu_arena *arena, struct nu_value value)
{
    struct nu_metadata *metadata = nu_metadata_create(arena);
    nu_metadata_set(metadata, NU_STR("envoy.lb"), NU_STR("canary"), value);
    nu_host_set_metadata(host, metadata, NULL);
}

TEST(host_is_a_canary_while_its_metadata_say_true)
{
    struct fixture f;
    struct nu_arena arena;
    nu_arena_init(&arena);
    fixture_init(&f);
    assert_false(nu_host_is_canary(f.host));
    set_canary(f.host, &arena, nu_value_bool(true));
    assert_true(nu_host_is_canary(f.host));
    set_canary(f.host, &arena, nu_value_number(1));
    assert_false(nu_host_is_canary(f.host));
    set_canary(f.host, &arena, nu_value_bool(true));
    nu_host_set_metadata(f.host, NULL, NULL);
    assert_false(nu_host_is_canary(f.host));
    fixture_finish(&f);
    nu_arena_finish(&arena);
}

TEST(replaced_metadata_stays_until_every_thread_has_gone_on)
{
    struct fixture f;
    fixture_init(&f);
    struct nu_arena arena;
    nu_arena_init(&arena);
    nu_host_set_metadata(f.host, number_metadata(&arena, 1), NULL);
    const struct nu_metadata *old = nu_host_metadata(f.host);
    nu_host_set_metadata(f.host, number_metadata(&arena, 2), NULL);
    nu_arena_finish(&arena);
    assert_true(number_of(nu_host_metadata(f.host)) > 1.5);
    assert_true(number_of(old) < 1.5); /* the sanitizer looks, too */
    nu_loop_run_once(f.base.loop);
    nu_loop_run_once(f.base.loop);
    nu_host_set_metadata(f.host, NULL, NULL); /* on its way when everything ends */
    assert_null(nu_host_metadata(f.host));
    fixture_finish(&f);
}

TEST(addresses_may_be_replaced)
{
    struct fixture f;
    fixture_init(&f);
    struct nu_address list[2];
    assert_null(nu_host_addresses(f.host));
    assert_str(nu_host_address_text(f.host), "1.0.0.1:80");
    assert_int_equal(nu_address_parse_ip(NU_STR("2.0.0.1"), 80, &list[0]), NU_OK);
    assert_int_equal(nu_address_parse_ip(NU_STR("2::2"), 80, &list[1]), NU_OK);
    for (int i = 0; i < 2; i++)
        nu_host_set_addresses(f.host, &list[1], list, 2);
    assert_str(nu_host_address_text(f.host), "[2::2]:80");
    assert_true(nu_address_eq(nu_host_address(f.host), &list[1]));
    assert_true(nu_address_eq(&nu_host_addresses(f.host)->list[0], &list[0]));
    assert_int_equal(nu_host_addresses(f.host)->count, 2);
    fixture_finish(&f);
}

/* --- Word from workers ------------------------------------------------------------------------ */

struct listener {
    struct nu_host_monitor monitor;
    unsigned told;
};

static void on_unwell(struct nu_host_monitor *monitor)
{
    nu_container_of(monitor, struct listener, monitor)->told++;
}

TEST(a_host_that_is_unwell_again_and_again_is_told_once)
{
    struct fixture f;
    struct listener listener = {.monitor = {.on_unwell = on_unwell}};
    fixture_init(&f);
    f.host->monitor = &listener.monitor;
    for (int i = 0; i < 100; i++)
        nu_host_tell_unwell(f.host);
    nu_loop_run_once(f.base.loop);
    assert_int_equal(listener.told, 1);
    nu_host_tell_unwell(f.host);
    nu_loop_run_once(f.base.loop);
    assert_int_equal(listener.told, 2);
    f.host->monitor = NULL;
    fixture_finish(&f);
}

/* A leak is found by sanitizers. */
TEST(word_of_a_host_that_nobody_hears_any_more_lets_go_of_it)
{
    struct fixture f;
    fixture_init(&f);
    nu_host_tell_unwell(f.host);
    assert_int_equal(atomic_load(&f.host->refs), 2);
    nu_host_unref(f.host);
    nu_cluster_table_finish(&f.base.table);
    nu_cluster_manager_destroy(&f.base.manager);
    nu_loop_destroy(&f.base.loop);
    nu_stats_destroy(&f.base.stats);
}

TEST_MAIN()
