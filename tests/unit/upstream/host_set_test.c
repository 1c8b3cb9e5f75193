/* SPDX-License-Identifier: Apache-2.0 */
/* Host sets: order, lists by health and locality, the loads of priorities, panic. */
#include "harness/cluster.h"

#include "upstream/hosts/host_set.h"

enum { MAX_PRIORITIES = 4, MAX_HOSTS = 400 };

/* How many hosts of each kind a priority has. */
struct numbers {
    uint32_t healthy;
    uint32_t degraded;
    uint32_t unhealthy;
    uint32_t excluded; /* unhealthy, and not counted */
};

struct fixture {
    struct cluster_fixture base;
    struct nu_host *hosts[MAX_HOSTS];
    uint32_t count;
    struct nu_host_set *set;
};

static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){.count = 0};
    cluster_fixture_init(&f->base);
    cluster_fixture_start(&f->base, nu_host_set_create(NULL, 0));
}

static void fixture_finish(struct fixture *f)
{
    nu_host_set_unref(f->set);
    cluster_fixture_finish(&f->base);
}

static struct nu_host *add(struct fixture *f, uint32_t priority, uint32_t weight, const char *zone)
{
    struct nu_host_params params = {
        .weight = weight, .priority = priority, .locality.zone = nu_str_from(zone)};
    char address[32];
    snprintf(address, sizeof(address), "1.0.%u.%u:80", f->count / 250, f->count % 250);
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(address), &params.address), NU_OK);
    return f->hosts[f->count++] = nu_host_create(f->base.keeper, &params);
}

static void add_many(struct fixture *f, uint32_t priority, uint32_t count, uint32_t flags)
{
    for (uint32_t i = 0; i < count; i++) {
        struct nu_host *host = add(f, priority, 1, "");
        atomic_store(&host->flags, flags);
    }
}

static void add_numbers(struct fixture *f, uint32_t priority, const struct numbers *numbers)
{
    add_many(f, priority, numbers->healthy, 0);
    add_many(f, priority, numbers->degraded, NU_HOST_DEGRADED_EDS_HEALTH);
    add_many(f, priority, numbers->unhealthy, NU_HOST_FAILED_ACTIVE_HC);
    add_many(f, priority, numbers->excluded, NU_HOST_FAILED_ACTIVE_HC | NU_HOST_PENDING_ACTIVE_HC);
}

/* Makes the set of all hosts added so far, and forgets them. */
static void seal(struct fixture *f, struct nu_assignment *assignment,
                 const struct nu_host_set_settings *settings)
{
    nu_host_set_unref(f->set);
    f->set = cluster_host_set(f->hosts, f->count);
    nu_host_set_take_assignment(f->set, assignment);
    nu_host_set_seal(f->set, settings);
    f->count = 0;
}

static const struct nu_host_set_settings defaults = {.panic_percent = 50};

/* The list's hosts by their places in the set: "0 2 ". */
static void assert_list(const struct nu_host_list *list, const char *expected)
{
    struct nu_strbuf text = {0};
    for (uint32_t i = 0; i < list->count; i++)
        nu_strbuf_addf(&text, "%u ", nu_host_list_at(list, i));
    assert_str(nu_strbuf_str(&text), expected);
    nu_strbuf_finish(&text);
}

/* --- Lists ------------------------------------------------------------------------------------ */

TEST(hosts_stand_by_priority_and_else_as_given)
{
    struct fixture f;
    fixture_init(&f);
    const struct nu_host *a = add(&f, 2, 1, ""), *b = add(&f, 0, 1, ""), *c = add(&f, 2, 1, "");
    const struct nu_host *d = add(&f, 0, 1, "");
    seal(&f, NULL, &defaults);
    assert_int_equal(f.set->priority_count, 3);
    assert_ptr_equal(f.set->hosts[0], b);
    assert_ptr_equal(f.set->hosts[1], d);
    assert_ptr_equal(f.set->hosts[2], a);
    assert_ptr_equal(f.set->hosts[3], c);
    assert_list(&f.set->priorities[0].all, "0 1 ");
    assert_list(&f.set->priorities[1].all, "");
    assert_list(&f.set->priorities[2].all, "2 3 ");
    assert_false(f.set->is_plain);
    fixture_finish(&f);
}

TEST(healthy_hosts_of_one_priority_need_no_more_memory)
{
    struct fixture f;
    fixture_init(&f);
    add_numbers(&f, 0, &(struct numbers){.healthy = 3});
    seal(&f, NULL, &defaults);
    assert_true(f.set->is_plain);
    assert_null(f.set->details);
    assert_list(&f.set->priorities[0].healthy, "0 1 2 ");
    assert_list(&f.set->priorities[0].degraded, "");
    fixture_finish(&f);
}

TEST(hosts_are_listed_by_health)
{
    struct fixture f;
    fixture_init(&f);
    add_numbers(&f, 0, &(struct numbers){2, 1, 1, 1});
    add_numbers(&f, 1, &(struct numbers){1, 0, 1, 0});
    seal(&f, NULL, &defaults);
    assert_list(&f.set->priorities[0].healthy, "0 1 ");
    assert_list(&f.set->priorities[0].degraded, "2 ");
    assert_int_equal(f.set->priorities[0].excluded_count, 1);
    assert_list(&f.set->priorities[1].all, "5 6 ");
    assert_list(&f.set->priorities[1].healthy, "5 ");
    assert_list(&f.set->priorities[1].degraded, "");
    fixture_finish(&f);
}

/* What is being drained does not make a priority unwell. */
TEST(draining_hosts_are_excluded)
{
    struct fixture f;
    fixture_init(&f);
    add_many(&f, 0, 1, 0);
    add_many(&f, 0, 3, NU_HOST_EDS_STATUS_DRAINING);
    seal(&f, NULL, &defaults);
    assert_int_equal(f.set->priorities[0].excluded_count, 3);
    assert_false(f.set->priorities[0].in_panic);
    fixture_finish(&f);
}

TEST(list_knows_whether_its_own_weights_differ)
{
    struct fixture f;
    fixture_init(&f);
    add(&f, 0, 2, "");
    nu_host_set_flag(add(&f, 0, 5, ""), NU_HOST_FAILED_ACTIVE_HC);
    add(&f, 0, 2, "");
    add(&f, 1, 7, "");
    seal(&f, NULL, &defaults);
    assert_true(f.set->priorities[0].all.weighted);
    assert_false(f.set->priorities[0].healthy.weighted);
    assert_false(f.set->priorities[1].all.weighted);
    fixture_finish(&f);
}

/* --- Localities ------------------------------------------------------------------------------- */

static void check_localities(struct fixture *f, const char *here, const char *first,
                             const char *second)
{
    const struct nu_locality local = {.zone = nu_str_from(here)};
    add(f, 0, 1, "b");
    add(f, 0, 1, "a");
    nu_host_set_flag(add(f, 0, 1, "b"), NU_HOST_FAILED_ACTIVE_HC);
    seal(f, NULL, &(struct nu_host_set_settings){50, true, &local});
    const struct nu_host_priority *priority = &f->set->priorities[0];
    assert_int_equal(priority->locality_count, 2);
    assert_str(priority->localities[0].name->zone, first);
    assert_str(priority->localities[1].name->zone, second);
    assert_int_equal(priority->has_local_locality, strcmp(here, first) == 0);
    bool b_first = strcmp(first, "b") == 0;
    assert_list(&priority->localities[!b_first].all, "0 2 ");
    assert_list(&priority->localities[!b_first].healthy, "0 ");
    assert_list(&priority->localities[b_first].healthy, "1 ");
}

TEST(localities_stand_by_name_the_local_one_first)
{
    struct fixture f;
    fixture_init(&f);
    check_localities(&f, "b", "b", "a");
    check_localities(&f, "a", "a", "b");
    check_localities(&f, "c", "a", "b");
    fixture_finish(&f);
}

/* --- Loads ------------------------------------------------------------------------------------ */

struct load_case {
    uint32_t panic_percent;
    uint32_t overprovisioning; /* 0: the default */
    struct numbers numbers[MAX_PRIORITIES];
    const char *loads; /* "healthy+degraded" of each priority, '!' in panic */
};

static const struct load_case load_cases[] = {
    /* One priority. */
    {50, 0, {{1, 0, 0, 0}}, "100+0 "},
    {50, 0, {{1, 0, 1, 0}}, "100+0 "},
    {50, 0, {{1, 0, 2, 0}}, "100+0! "},
    {50, 0, {{0, 0, 3, 0}}, "100+0! "},
    {50, 0, {{0, 2, 1, 0}}, "0+100 "},
    {50, 0, {{0, 1, 2, 0}}, "100+0! "},
    {33, 0, {{1, 0, 2, 0}}, "100+0 "},
    {34, 0, {{1, 0, 2, 0}}, "100+0! "},
    {0, 0, {{1, 0, 99, 0}}, "100+0 "},
    {0, 0, {{0, 0, 3, 0}}, "100+0 "},
    {50, 0, {{0, 0, 0, 0}}, "100+0! "},
    {0, 0, {{0, 0, 0, 0}}, "100+0 "},
    /* Excluded hosts do not count. */
    {50, 0, {{1, 0, 1, 8}}, "100+0 "},
    {50, 0, {{0, 0, 0, 8}}, "100+0! "},
    /* The first priority, as long as 5 of 7 hosts are healthy. */
    {50, 0, {{5, 0, 2, 0}, {1, 0, 0, 0}}, "100+0 0+0 "},
    {50, 0, {{4, 0, 3, 0}, {1, 0, 0, 0}}, "80+0 20+0 "},
    {50, 0, {{2, 0, 2, 0}, {2, 0, 0, 0}}, "70+0 30+0 "},
    {50, 0, {{1, 0, 3, 0}, {2, 0, 0, 0}}, "35+0 65+0 "},
    {50, 0, {{0, 0, 3, 0}, {2, 0, 0, 0}}, "0+0 100+0 "},
    {50, 0, {{0, 0, 0, 0}, {2, 0, 0, 0}}, "0+0 100+0 "},
    {50, 100, {{2, 0, 2, 0}, {2, 0, 0, 0}}, "50+0 50+0 "},
    {50, 200, {{2, 0, 2, 0}, {2, 0, 0, 0}}, "100+0 0+0 "},
    /* Scaled up, with panic where too few are healthy; what rounding leaves goes to the first. */
    {50, 0, {{1, 0, 3, 0}, {1, 0, 3, 0}}, "50+0! 50+0! "},
    {20, 0, {{1, 0, 9, 0}, {1, 0, 9, 0}, {1, 0, 9, 0}}, "34+0! 33+0! 33+0! "},
    {10, 0, {{1, 0, 9, 0}, {1, 0, 9, 0}, {1, 0, 9, 0}}, "34+0 33+0 33+0 "},
    {20, 0, {{1, 0, 9, 0}, {1, 0, 4, 0}, {1, 0, 9, 0}}, "25+0! 50+0 25+0! "},
    /* No panic while the others make up for it. */
    {50, 0, {{1, 0, 9, 0}, {9, 0, 1, 0}}, "14+0 86+0 "},
    /* Everywhere in panic: by the number of hosts. */
    {50, 0, {{0, 0, 3, 0}, {0, 0, 1, 0}}, "75+0! 25+0! "},
    {50, 0, {{0, 0, 1, 0}, {0, 0, 1, 0}, {0, 0, 1, 0}}, "34+0! 33+0! 33+0! "},
    {50, 0, {{0, 0, 0, 0}, {0, 0, 2, 0}, {0, 0, 4, 0}}, "0+0! 34+0! 66+0! "},
    {50, 0, {{0, 0, 0, 0}, {0, 0, 0, 0}}, "100+0! "},
    /* Degraded hosts take what healthy ones of all priorities leave. */
    {50, 0, {{0, 2, 0, 0}, {2, 0, 0, 0}}, "0+0 100+0 "},
    {50, 0, {{1, 1, 0, 0}, {1, 1, 0, 0}}, "70+0 30+0 "},
    {50, 0, {{1, 1, 2, 0}, {1, 1, 2, 0}}, "35+30 35+0 "},
    {0, 100, {{1, 2, 7, 0}, {2, 1, 7, 0}, {1, 0, 9, 0}}, "16+28 28+14 14+0 "},
    {0, 0, {{0, 1, 9, 0}, {0, 2, 8, 0}}, "0+34 0+66 "},
};

static void check_loads(struct fixture *f, const struct load_case *c)
{
    struct nu_assignment *assignment = c->overprovisioning ? nu_assignment_create() : NULL;
    if (assignment)
        assignment->overprovisioning_percent = c->overprovisioning;
    for (uint32_t i = 0; i < MAX_PRIORITIES; i++)
        add_numbers(f, i, &c->numbers[i]);
    seal(f, assignment, &(struct nu_host_set_settings){.panic_percent = c->panic_percent});
    struct nu_strbuf text = {0};
    uint32_t sum = 0;
    for (uint32_t i = 0; i < f->set->priority_count; i++) {
        struct nu_priority_load load = f->set->loads[i];
        nu_strbuf_addf(&text, "%u+%u%s ", load.healthy, load.degraded,
                       f->set->priorities[i].in_panic ? "!" : "");
        sum += load.healthy + load.degraded;
    }
    assert_str(nu_strbuf_str(&text), c->loads);
    assert_int_equal(sum, 100);
    nu_strbuf_finish(&text);
}

TEST(loads_and_panic_are_envoys)
{
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < NU_ARRAY_LEN(load_cases); i++)
        check_loads(&f, &load_cases[i]);
    fixture_finish(&f);
}

TEST(health_may_be_a_share_of_weights)
{
    struct fixture f;
    fixture_init(&f);
    for (int weighted = 0; weighted < 2; weighted++) {
        struct nu_assignment *assignment = nu_assignment_create();
        assignment->weighted_priority_health = weighted;
        add(&f, 0, 1, "");
        nu_host_set_flag(add(&f, 0, 3, ""), NU_HOST_FAILED_EDS_HEALTH);
        nu_host_set_flag(add(&f, 0, 9, ""), NU_HOST_PENDING_ACTIVE_HC);
        nu_host_set_flag(f.hosts[2], NU_HOST_FAILED_ACTIVE_HC);
        add(&f, 1, 1, "");
        seal(&f, assignment, &defaults);
        assert_int_equal(f.set->loads[0].healthy, weighted ? 35 : 70);
    }
    fixture_finish(&f);
}

/* A locality's weight goes down with its health, but for overprovisioning. */
TEST(locality_weight_follows_health)
{
    struct fixture f;
    fixture_init(&f);
    struct nu_assignment *assignment = nu_assignment_create();
    struct nu_locality_weight weights[] = {{{.zone = NU_STR_INIT("a")}, 0, 10},
                                           {{.zone = NU_STR_INIT("b")}, 0, 20}};
    assignment->locality_weights = weights;
    assignment->locality_weight_count = NU_ARRAY_LEN(weights);
    add(&f, 0, 1, "a");
    nu_host_set_flag(add(&f, 0, 1, "a"), NU_HOST_FAILED_EDS_HEALTH);
    for (int i = 0; i < 4; i++)
        add(&f, 0, 1, "b");
    nu_host_set_flag(f.hosts[2], NU_HOST_DEGRADED_EDS_HEALTH);
    add(&f, 0, 1, "without_weight");
    seal(&f, assignment, &(struct nu_host_set_settings){50, true, NULL});
    const struct nu_host_locality *localities = f.set->priorities[0].localities;
    assert_float_equal(localities[0].healthy_weight, 7, 1e-9);
    assert_float_equal(localities[0].degraded_weight, 0, 1e-9);
    assert_float_equal(localities[1].healthy_weight, 20, 1e-9);
    assert_float_equal(localities[1].degraded_weight, 7, 1e-9);
    assert_float_equal(localities[2].healthy_weight, 0, 1e-9);
    fixture_finish(&f);
}

TEST_MAIN()
