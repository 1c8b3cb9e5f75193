/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where balancers send requests: shares over many seeded choices, within bounds that a right
 * balancer misses less than once in a million seeds (five standard deviations).
 */
#include "harness/cluster.h"

#include <math.h>

#include "base/clock.h"
#include "base/random.h"
#include "runtime/runtime.h"

enum { MAX_HOSTS = 16, CHOICES = 20000, SECOND_US = 1000000 };

struct fixture {
    struct cluster_fixture base;
    struct nu_lb_settings settings;
    struct nu_host *hosts[MAX_HOSTS];
    uint32_t count;
    unsigned chosen[MAX_HOSTS + 1]; /* of the last run; the last: nobody */
};

static void fixture_init(struct fixture *f, const struct nu_lb_class *cls)
{
    *f = (struct fixture){.settings = nu_lb_settings_default};
    nu_random_seed(7);
    cluster_fixture_init(&f->base);
    f->base.cluster->lb_class = cls;
    f->base.cluster->lb = &f->settings;
}

static struct nu_host *add(struct fixture *f, uint32_t priority, uint32_t weight, const char *zone)
{
    struct nu_host_params params = {
        .weight = weight, .priority = priority, .locality.zone = nu_str_from(zone)};
    char address[32];
    snprintf(address, sizeof(address), "1.0.0.%u:80", f->count + 1);
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(address), &params.address), NU_OK);
    return f->hosts[f->count++] = nu_host_create(f->base.keeper, &params);
}

static void start(struct fixture *f)
{
    cluster_fixture_start(&f->base, nu_host_set_create(f->hosts, f->count));
}

static void fixture_finish(struct fixture *f)
{
    for (uint32_t i = 0; i < f->count; i++)
        nu_host_unref(f->hosts[i]);
    cluster_fixture_finish(&f->base);
}

static void choose(struct fixture *f, unsigned choices)
{
    const struct nu_lb_context context = {.max_attempts = 0};
    memset(f->chosen, 0, sizeof(f->chosen));
    for (unsigned i = 0; i < choices; i++) {
        int32_t index = nu_lb_choose(cluster_local(&f->base)->lb, &context);
        f->chosen[index == NU_LB_NONE ? MAX_HOSTS : index]++;
    }
}

/* Whether a host had its share of the last `choices`, as independent choices give it. */
static void assert_share(const struct fixture *f, uint32_t host, double share, unsigned choices)
{
    double expected = share * choices;
    double bound = 5 * sqrt(choices * share * (1 - share)) + 1;
    if (fabs(f->chosen[host] - expected) > bound)
        fail_msg("host %u was chosen %u times, not %.0f +- %.0f", host, f->chosen[host], expected,
                 bound);
}

static uint64_t stat_of(struct fixture *f, const char *name)
{
    return cluster_stat(&f->base, name);
}

/* --- Random ----------------------------------------------------------------------------------- */

TEST(random_is_even_whatever_the_weights)
{
    struct fixture f;
    fixture_init(&f, &nu_lb_random);
    for (uint32_t i = 0; i < 5; i++)
        add(&f, 0, 1 + 10 * i, "");
    start(&f);
    choose(&f, CHOICES);
    for (uint32_t i = 0; i < 5; i++)
        assert_share(&f, i, 0.2, CHOICES);
    fixture_finish(&f);
}

/* --- Least request ---------------------------------------------------------------------------- */

TEST(least_request_takes_the_better_of_two)
{
    struct fixture f;
    fixture_init(&f, &nu_lb_least_request);
    for (uint32_t i = 0; i < 4; i++)
        atomic_store(&add(&f, 0, 1, "")->active, i);
    start(&f);
    choose(&f, CHOICES);
    /* The k-th of n is taken when neither draw is better: ((n - k)^2 - (n - k - 1)^2) / n^2. */
    for (uint32_t i = 0; i < 4; i++)
        assert_share(&f, i, (7 - 2 * i) / 16.0, CHOICES);
    fixture_finish(&f);
}

TEST(least_request_takes_the_best_of_as_many_as_are_set)
{
    struct fixture f;
    fixture_init(&f, &nu_lb_least_request);
    f.settings.choice_count = 5;
    add(&f, 0, 1, "");
    atomic_store(&add(&f, 0, 1, "")->active, 1);
    start(&f);
    choose(&f, CHOICES);
    assert_share(&f, 1, 1 / 32.0, CHOICES);
    fixture_finish(&f);
}

TEST(full_scan_takes_one_of_the_best)
{
    struct fixture f;
    fixture_init(&f, &nu_lb_least_request);
    f.settings.scans_all = true;
    static const uint32_t active[] = {2, 1, 3, 1, 1};
    for (uint32_t i = 0; i < NU_ARRAY_LEN(active); i++)
        atomic_store(&add(&f, 0, 1, "")->active, active[i]);
    start(&f);
    choose(&f, CHOICES);
    for (uint32_t i = 0; i < NU_ARRAY_LEN(active); i++)
        assert_share(&f, i, active[i] == 1 ? 1 / 3.0 : 0, CHOICES);
    fixture_finish(&f);
}

struct bias_case {
    double bias;
    uint32_t active; /* at the host of weight 8; the other has weight 2 and none */
    double share;    /* of the former */
};

static const struct bias_case bias_cases[] = {
    {1, 0, 0.8}, {1, 3, 0.5}, {1, 7, 1 / 3.0}, {0, 7, 0.8}, {2, 1, 0.5}, {0.5, 3, 2 / 3.0},
};

TEST(least_request_divides_weights_by_requests)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(bias_cases); i++) {
        const struct bias_case *c = &bias_cases[i];
        struct fixture f;
        fixture_init(&f, &nu_lb_least_request);
        f.settings.active_request_bias.fallback = c->bias;
        atomic_store(&add(&f, 0, 8, "")->active, c->active);
        add(&f, 0, 2, "");
        start(&f);
        choose(&f, 3000);
        /* By deadline, so as good as exact. */
        assert_in_range(f.chosen[0], (unsigned)(3000 * c->share - 3),
                        (unsigned)(3000 * c->share + 3));
        fixture_finish(&f);
    }
}

/* --- Slow start ------------------------------------------------------------------------------- */

struct slow_case {
    double seconds; /* since the second host came */
    double aggression;
    double weight; /* that it has against 1 */
};

static const struct slow_case slow_cases[] = {
    {0.001, 1, 0.1}, {1, 1, 0.1},   {5, 1, 0.5},    {9, 1, 0.9},  {10, 1, 1},
    {11, 1, 1},      {2.5, 2, 0.5}, {4, 0.5, 0.16}, {5, -1, 0.5}, {1, 0.1, 0.1},
};

static void check_slow_start(const struct nu_lb_class *cls, const struct slow_case *c)
{
    struct fixture f;
    nu_clock_fake_install(SECOND_US, SECOND_US);
    fixture_init(&f, cls);
    f.settings.slow_start.window_ms = 10000;
    f.settings.slow_start.aggression.fallback = c->aggression;
    add(&f, 0, 1, "");
    nu_clock_fake_advance(3600L * SECOND_US);
    add(&f, 0, 1, "");
    start(&f);
    nu_clock_fake_advance((uint64_t)(c->seconds * SECOND_US));
    nu_loop_run_once(f.base.loop);
    choose(&f, 11000);
    double expected = 11000 * c->weight / (1 + c->weight);
    assert_in_range(f.chosen[1], (unsigned)(expected - 12), (unsigned)(expected + 12));
    fixture_finish(&f);
    nu_clock_fake_remove();
}

TEST(new_host_gets_its_share_little_by_little)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(slow_cases); i++) {
        check_slow_start(&nu_lb_round_robin, &slow_cases[i]);
        check_slow_start(&nu_lb_least_request, &slow_cases[i]);
    }
}

/* --- Priorities and panic --------------------------------------------------------------------- */

TEST(requests_follow_the_loads_of_priorities)
{
    static const struct nu_lb_class *const classes[] = {&nu_lb_round_robin, &nu_lb_least_request,
                                                        &nu_lb_random};
    for (size_t i = 0; i < NU_ARRAY_LEN(classes); i++) {
        struct fixture f;
        fixture_init(&f, classes[i]);
        add(&f, 0, 1, "");
        nu_host_set_flag(add(&f, 0, 1, ""), NU_HOST_FAILED_ACTIVE_HC);
        add(&f, 1, 1, "");
        start(&f);
        choose(&f, CHOICES);
        assert_share(&f, 0, 0.7, CHOICES);
        assert_share(&f, 1, 0, CHOICES);
        assert_share(&f, 2, 0.3, CHOICES);
        assert_int_equal(stat_of(&f, "lb_healthy_panic"), 0);
        fixture_finish(&f);
    }
}

TEST(degraded_hosts_get_what_healthy_ones_leave)
{
    struct fixture f;
    fixture_init(&f, &nu_lb_round_robin);
    add(&f, 0, 1, "");
    nu_host_set_flag(add(&f, 0, 1, ""), NU_HOST_DEGRADED_EDS_HEALTH);
    start(&f);
    choose(&f, CHOICES);
    assert_share(&f, 0, 0.7, CHOICES);
    assert_share(&f, 1, 0.3, CHOICES);
    fixture_finish(&f);
}

TEST(panic_takes_all_hosts_and_is_counted)
{
    struct fixture f;
    fixture_init(&f, &nu_lb_round_robin);
    for (int i = 0; i < 3; i++)
        nu_host_set_flag(add(&f, 0, 1, ""), NU_HOST_FAILED_OUTLIER_CHECK);
    add(&f, 0, 1, "");
    start(&f);
    choose(&f, 400);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(f.chosen[i], 100);
    assert_int_equal(stat_of(&f, "lb_healthy_panic"), 400);
    fixture_finish(&f);
}

TEST(traffic_may_fail_in_panic)
{
    struct fixture f;
    fixture_init(&f, &nu_lb_random);
    f.settings.zone.fail_traffic_on_panic = true;
    nu_host_set_flag(add(&f, 0, 1, ""), NU_HOST_FAILED_OUTLIER_CHECK);
    start(&f);
    choose(&f, 10);
    assert_int_equal(f.chosen[MAX_HOSTS], 10);
    assert_int_equal(stat_of(&f, "lb_healthy_panic"), 10);
    fixture_finish(&f);
}

TEST(without_panic_nobody_is_chosen_among_the_unwell)
{
    struct fixture f;
    fixture_init(&f, &nu_lb_random);
    f.settings.panic_percent = 0;
    nu_host_set_flag(add(&f, 0, 1, ""), NU_HOST_FAILED_OUTLIER_CHECK);
    start(&f);
    choose(&f, 10);
    assert_int_equal(f.chosen[MAX_HOSTS], 10);
    assert_int_equal(stat_of(&f, "lb_healthy_panic"), 0);
    fixture_finish(&f);
}

/* The loads that a retry wants. */
static const struct nu_priority_load *second_priority(const struct nu_lb_context *context,
                                                      uint32_t count)
{
    static const struct nu_priority_load loads[] = {{0, 0}, {100, 0}};
    (void)context;
    assert_int_equal(count, 2);
    return loads;
}

TEST(context_may_set_the_loads)
{
    struct fixture f;
    const struct nu_lb_context context = {.loads = second_priority};
    fixture_init(&f, &nu_lb_round_robin);
    add(&f, 0, 1, "");
    add(&f, 1, 1, "");
    start(&f);
    for (int i = 0; i < 10; i++)
        assert_int_equal(nu_lb_choose(cluster_local(&f.base)->lb, &context), 1);
    fixture_finish(&f);
}

/* --- Localities ------------------------------------------------------------------------------- */

static void assign_weights(struct fixture *f, struct nu_host_set *set, uint32_t a, uint32_t b)
{
    struct nu_assignment *assignment = nu_assignment_create();
    struct nu_locality_weight *weights = nu_arena_calloc(&assignment->arena, 2 * sizeof(*weights));
    weights[0] = (struct nu_locality_weight){{.zone = NU_STR("a")}, 0, a};
    weights[1] = (struct nu_locality_weight){{.zone = NU_STR("b")}, 0, b};
    assignment->locality_weights = weights;
    assignment->locality_weight_count = 2;
    nu_host_set_take_assignment(set, assignment);
    cluster_fixture_start(&f->base, set);
}

TEST(localities_have_their_share_by_weight)
{
    struct fixture f;
    fixture_init(&f, &nu_lb_round_robin);
    f.settings.is_locality_weighted = true;
    add(&f, 0, 1, "a");
    add(&f, 0, 1, "b");
    add(&f, 0, 3, "b");
    add(&f, 0, 1, "without_weight");
    assign_weights(&f, nu_host_set_create(f.hosts, f.count), 2, 1);
    choose(&f, 1200);
    assert_in_range(f.chosen[0], 799, 801);
    assert_in_range(f.chosen[1], 99, 101);
    assert_in_range(f.chosen[2], 299, 301);
    assert_int_equal(f.chosen[3], 0);
    fixture_finish(&f);
}

TEST(without_any_weight_localities_do_not_matter)
{
    struct fixture f;
    fixture_init(&f, &nu_lb_round_robin);
    f.settings.is_locality_weighted = true;
    add(&f, 0, 1, "a");
    add(&f, 0, 1, "b");
    add(&f, 0, 1, "b");
    start(&f);
    choose(&f, 300);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(f.chosen[i], 100);
    fixture_finish(&f);
}

/* --- Zones ------------------------------------------------------------------------------------ */

struct zone_case {
    const char *hosts; /* a letter for the zone of each */
    const char *local; /* the same of the local cluster; upper case: unhealthy */
    uint64_t min_size;
    const char *counts; /* what is counted once the sets are there */
    double shares[MAX_HOSTS];
};

/* This process is in zone a. Numbers are Envoy's. */
static const struct zone_case zone_cases[] = {
    {"aabbbb", "ab", 6, "", {1 / 3.0, 1 / 3.0, 1 / 12.0, 1 / 12.0, 1 / 12.0, 1 / 12.0}},
    {"aaabbb", "ab", 6, "", {1 / 3.0, 1 / 3.0, 1 / 3.0, 0, 0, 0}},
    {"aaabbb", "ab", 7, "lb_zone_cluster_too_small", {1 / 6.0, 1 / 6.0}},
    {"aaabbb", "cb", 6, "lb_local_cluster_not_ok", {1 / 6.0, 1 / 6.0}},
    {"aaabbb", "aa", 6, "", {1 / 6.0, 1 / 6.0}},
    {"aaabbb", "aBB", 6, "", {1 / 6.0, 1 / 6.0, 1 / 6.0, 1 / 6.0, 1 / 6.0, 1 / 6.0}},
    {"cccbbb", "abbc", 6, "", {1 / 3.0, 1 / 3.0, 1 / 3.0}},
    {"abbbcccc", "aabc", 6, "", {0.25, 0.25 / 3, 0.25 / 3, 0.25 / 3, 0.5 / 4, 0.5 / 4}},
};

static void add_zones(struct cluster_fixture *f, struct nu_host **hosts, const char *zones)
{
    for (uint32_t i = 0; zones[i]; i++) {
        bool is_well = zones[i] >= 'a';
        char zone[2] = {is_well ? zones[i] : (char)(zones[i] - 'A' + 'a')};
        char address[32];
        struct nu_host_params params = {.weight = 1, .locality.zone = nu_str_from(zone)};
        snprintf(address, sizeof(address), "2.0.0.%u:80", i + 1);
        assert_int_equal(nu_address_parse_ip_port(nu_str_from(address), &params.address), NU_OK);
        hosts[i] = nu_host_create(f->keeper, &params);
        if (!is_well)
            nu_host_set_flag(hosts[i], NU_HOST_FAILED_ACTIVE_HC);
    }
}

static void add_local_cluster(struct fixture *f, const char *zones)
{
    struct nu_host *hosts[MAX_HOSTS];
    add_zones(&f->base, hosts, zones);
    struct nu_cluster *local = nu_cluster_create(f->base.stats, NU_STR("local"), NU_STR(""));
    struct nu_host_set *set = cluster_host_set(hosts, (uint32_t)strlen(zones));
    nu_cluster_set_first_hosts(local, set);
    nu_host_set_unref(set);
    assert_true(nu_cluster_manager_add(f->base.manager, local));
}

static void begin_zones(struct fixture *f, const char *hosts, const char *local, uint64_t min_size)
{
    const struct nu_locality here = {.zone = NU_STR_INIT("a")};
    fixture_init(f, &nu_lb_random);
    f->settings.zone.min_cluster_size = min_size;
    nu_cluster_manager_set_local(f->base.manager, NU_STR("local"), &here);
    f->count = (uint32_t)strlen(hosts);
    add_zones(&f->base, f->hosts, hosts);
    add_local_cluster(f, local);
    start(f);
}

TEST(requests_stay_in_the_zone_as_far_as_is_fair)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(zone_cases); i++) {
        const struct zone_case *c = &zone_cases[i];
        struct fixture f;
        begin_zones(&f, c->hosts, c->local, c->min_size);
        assert_int_equal(stat_of(&f, "lb_zone_cluster_too_small") +
                             stat_of(&f, "lb_local_cluster_not_ok"),
                         c->counts[0] ? 1 : 0);
        if (c->counts[0])
            assert_int_equal(stat_of(&f, c->counts), 1);
        choose(&f, CHOICES);
        for (uint32_t h = 0; h < MAX_HOSTS && c->shares[h] > 0; h++)
            assert_share(&f, h, c->shares[h], CHOICES);
        fixture_finish(&f);
    }
}

TEST(ways_of_zones_are_counted)
{
    struct fixture f;
    begin_zones(&f, "aabbbb", "ab", 6);
    choose(&f, 1000);
    assert_int_equal(
        stat_of(&f, "lb_zone_routing_sampled") + stat_of(&f, "lb_zone_routing_cross_zone"), 1000);
    assert_int_equal(stat_of(&f, "lb_zone_routing_sampled"), f.chosen[0] + f.chosen[1]);
    fixture_finish(&f);
    begin_zones(&f, "aaabbb", "ab", 6);
    choose(&f, 1000);
    assert_int_equal(stat_of(&f, "lb_zone_routing_all_directly"), 1000);
    fixture_finish(&f);
    begin_zones(&f, "aaabbb", "aBB", 6);
    choose(&f, 1000);
    assert_int_equal(stat_of(&f, "lb_local_cluster_not_ok"), 1000);
    f.settings.zone.fail_traffic_on_panic = true;
    choose(&f, 10);
    assert_int_equal(f.chosen[MAX_HOSTS], 10);
    fixture_finish(&f);
}

TEST(part_of_the_requests_may_be_routed_by_zone)
{
    struct fixture f;
    begin_zones(&f, "aaabbb", "ab", 6);
    f.settings.zone.routing_percent = 40;
    choose(&f, CHOICES);
    for (uint32_t i = 0; i < 6; i++)
        assert_share(&f, i, (i < 3 ? 0.4 / 3 : 0) + 0.6 / 6, CHOICES);
    fixture_finish(&f);
}

TEST(zone_may_be_forced)
{
    struct fixture f;
    begin_zones(&f, "aabbbb", "ab", 6);
    f.base.cluster->updates.window_ms = 0;
    f.settings.zone.forces_local = true;
    f.settings.zone.force_local_minimum = 2;
    nu_cluster_health_changed(f.base.cluster);
    nu_loop_run_once(f.base.loop);
    nu_loop_run_once(f.base.loop);
    choose(&f, 100);
    assert_int_equal(f.chosen[0] + f.chosen[1], 100);
    f.settings.zone.force_local_minimum = 3;
    nu_cluster_health_changed(f.base.cluster);
    nu_loop_run_once(f.base.loop);
    nu_loop_run_once(f.base.loop);
    choose(&f, 100);
    assert_in_range(f.chosen[0] + f.chosen[1], 1, 99);
    fixture_finish(&f);
}

/* --- What the context and the cluster accept --------------------------------------------------- */

struct picky {
    struct nu_lb_context base;
    const struct nu_host *unwanted;
    unsigned asked;
};

static bool accepts(const struct nu_lb_context *context, const struct nu_host *host)
{
    struct picky *picky = nu_unconst(nu_container_of(context, const struct picky, base));
    picky->asked++;
    return host != picky->unwanted;
}

TEST(choice_is_made_again_until_it_is_accepted)
{
    struct fixture f;
    fixture_init(&f, &nu_lb_round_robin);
    add(&f, 0, 1, "");
    add(&f, 0, 1, "");
    start(&f);
    struct picky picky = {.base = {.accepts = accepts, .max_attempts = 1}, .unwanted = f.hosts[0]};
    for (int i = 0; i < 10; i++)
        assert_int_equal(nu_lb_choose(cluster_local(&f.base)->lb, &picky.base), 1);
    fixture_finish(&f);
}

TEST(last_choice_stands_where_none_is_accepted)
{
    struct fixture f;
    fixture_init(&f, &nu_lb_round_robin);
    add(&f, 0, 1, "");
    start(&f);
    struct picky picky = {.base = {.accepts = accepts, .max_attempts = 4}, .unwanted = f.hosts[0]};
    assert_int_equal(nu_lb_choose(cluster_local(&f.base)->lb, &picky.base), 0);
    assert_int_equal(picky.asked, 4);
    fixture_finish(&f);
}

TEST(override_host_must_be_in_a_state_that_is_allowed)
{
    struct fixture f;
    fixture_init(&f, &nu_lb_round_robin);
    add(&f, 0, 1, "");
    nu_host_set_flag(add(&f, 0, 1, ""), NU_HOST_FAILED_OUTLIER_CHECK);
    start(&f);
    const struct nu_lb_context context = {.override_host = NU_STR("1.0.0.2:80")};
    assert_int_equal(nu_lb_choose(cluster_local(&f.base)->lb, &context), 0);
    f.settings.override_statuses = 1 << NU_EDS_UNHEALTHY;
    assert_int_equal(nu_lb_choose(cluster_local(&f.base)->lb, &context), 1);
    fixture_finish(&f);
}

TEST_MAIN()
