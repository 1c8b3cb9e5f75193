/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aggregate clusters: which cluster a request goes to. Shares are judged by bounds that a right
 * balancer misses less than once in a million seeds (five standard deviations).
 */
#include "harness/cluster.h"

#include <math.h>

#include "base/random.h"
#include "upstream/lb/lb_aggregate.h"

enum { CHOICES = 20000, MAX_HOSTS = 8 };

struct member {
    struct nu_cluster *cluster;
    struct nu_host *hosts[MAX_HOSTS];
    uint32_t count;
};

struct fixture {
    struct cluster_fixture base; /* its cluster is the aggregate of a and b, in this order */
    struct nu_aggregate aggregate;
    struct nu_str names[2];
    struct member a;
    struct member b;
    unsigned of_a; /* of the last run */
    unsigned of_b;
    unsigned of_nobody;
};

static void member_init(struct fixture *f, struct member *member, const char *name)
{
    *member =
        (struct member){.cluster = nu_cluster_create(f->base.stats, nu_str_from(name), NU_STR(""))};
}

static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){.names = {NU_STR_INIT("a"), NU_STR_INIT("b")}};
    nu_random_seed(11);
    cluster_fixture_init(&f->base);
    f->aggregate = (struct nu_aggregate){f->names, 2};
    f->base.cluster->aggregate = &f->aggregate;
    f->base.cluster->lb_class = &nu_lb_aggregate;
    member_init(f, &f->a, "a");
    member_init(f, &f->b, "b");
}

static struct nu_host *add(struct fixture *f, struct member *member, uint32_t priority)
{
    struct nu_host_params params = {.weight = 1, .priority = priority};
    char address[32];
    snprintf(address, sizeof(address), "1.0.%d.%u:80", member == &f->b, member->count + 1);
    assert_int_equal(nu_address_parse_ip_port(nu_str_from(address), &params.address), NU_OK);
    return member->hosts[member->count++] = nu_host_create(f->base.keeper, &params);
}

static void add_hosts(struct fixture *f, struct member *member, uint32_t healthy,
                      uint32_t unhealthy)
{
    for (uint32_t i = 0; i < healthy + unhealthy; i++) {
        struct nu_host *host = add(f, member, 0);
        if (i >= healthy)
            nu_host_set_flag(host, NU_HOST_FAILED_ACTIVE_HC);
    }
}

static void add_member(struct fixture *f, struct member *member)
{
    struct nu_host_set *set = nu_host_set_create(member->hosts, member->count);
    nu_cluster_set_first_hosts(member->cluster, set);
    nu_host_set_unref(set);
    assert_true(nu_cluster_manager_add(f->base.manager, member->cluster));
}

static void start(struct fixture *f)
{
    add_member(f, &f->a);
    add_member(f, &f->b);
    cluster_fixture_start(&f->base, nu_host_set_create(NULL, 0));
}

static void fixture_finish(struct fixture *f)
{
    for (uint32_t i = 0; i < f->a.count; i++)
        nu_host_unref(f->a.hosts[i]);
    for (uint32_t i = 0; i < f->b.count; i++)
        nu_host_unref(f->b.hosts[i]);
    cluster_fixture_finish(&f->base);
}

static struct nu_cluster_local *local_of(struct fixture *f, const char *name)
{
    return nu_cluster_table_find(&f->base.table, nu_str_from(name));
}

static void choose_with(struct fixture *f, const struct nu_lb_context *context)
{
    f->of_a = f->of_b = f->of_nobody = 0;
    for (unsigned i = 0; i < CHOICES; i++) {
        struct nu_cluster_choice choice = nu_cluster_choose_host(local_of(f, "c"), context);
        if (choice.index == NU_LB_NONE)
            f->of_nobody++;
        else if (choice.cluster == local_of(f, "a"))
            f->of_a++;
        else
            f->of_b++;
    }
}

static void choose(struct fixture *f)
{
    static const struct nu_lb_context nothing;
    choose_with(f, &nothing);
}

static void assert_share_of_a(const struct fixture *f, double share)
{
    double bound = 5 * sqrt(CHOICES * share * (1 - share)) + 1;
    if (fabs(f->of_a - share * CHOICES) > bound)
        fail_msg("a was chosen %u times, not %.0f +- %.0f", f->of_a, share * CHOICES, bound);
}

struct load_case {
    uint32_t a_healthy, a_unhealthy, b_healthy, b_unhealthy;
    double share_of_a;
};

static const struct load_case load_cases[] = {
    {2, 0, 2, 0, 1},    {5, 2, 2, 0, 1}, /* 140 percent of 5 of 7 */
    {1, 1, 1, 0, 0.70},                  /* 140 percent of a half */
    {1, 3, 2, 0, 0.35}, {0, 3, 2, 0, 0},
    {1, 3, 1, 3, 0.50}, /* 35 and 35 are scaled up; each is in panic for itself, which is so for all:
                           then the load follows the sizes */
    {0, 2, 0, 6, 0.25}, {0, 0, 1, 0, 0},
};

TEST(clusters_share_by_their_health)
{
    for (size_t i = 0; i < NU_ARRAY_LEN(load_cases); i++) {
        const struct load_case *c = &load_cases[i];
        struct fixture f;
        fixture_init(&f);
        add_hosts(&f, &f.a, c->a_healthy, c->a_unhealthy);
        add_hosts(&f, &f.b, c->b_healthy, c->b_unhealthy);
        start(&f);
        choose(&f);
        assert_int_equal(f.of_nobody, 0);
        assert_share_of_a(&f, c->share_of_a);
        fixture_finish(&f);
    }
}

TEST(without_hosts_nobody_is_chosen)
{
    struct fixture f;
    fixture_init(&f);
    start(&f);
    choose(&f);
    assert_int_equal(f.of_nobody, CHOICES);
    assert_int_equal(nu_cluster_priority_count(local_of(&f, "c")), 0);
    fixture_finish(&f);
}

TEST(priorities_of_a_cluster_stand_together)
{
    struct fixture f;
    fixture_init(&f);
    nu_host_set_flag(add(&f, &f.a, 0), NU_HOST_FAILED_ACTIVE_HC);
    struct nu_host *second = add(&f, &f.a, 2); /* none is of priority 1 */
    struct nu_host *other = add(&f, &f.b, 0);
    start(&f);
    choose(&f);
    assert_share_of_a(&f, 1);
    struct nu_cluster_local *aggregate = local_of(&f, "c");
    assert_int_equal(nu_cluster_priority_count(aggregate), 3);
    assert_int_equal(nu_cluster_priority_of(aggregate, local_of(&f, "a"), second), 1);
    assert_int_equal(nu_cluster_priority_of(aggregate, local_of(&f, "b"), other), 2);
    assert_true(nu_cluster_priority_of(aggregate, aggregate, other) == UINT32_MAX);
    fixture_finish(&f);
}

TEST(health_that_changes_moves_requests)
{
    struct fixture f;
    fixture_init(&f);
    add_hosts(&f, &f.a, 1, 0);
    add_hosts(&f, &f.b, 1, 0);
    start(&f);
    choose(&f);
    assert_share_of_a(&f, 1);
    nu_host_set_flag(f.a.hosts[0], NU_HOST_FAILED_ACTIVE_HC);
    nu_cluster_health_changed(f.a.cluster);
    nu_loop_run_once(f.base.loop);
    nu_loop_run_once(f.base.loop);
    choose(&f);
    assert_share_of_a(&f, 0);
    fixture_finish(&f);
}

TEST(cluster_that_comes_later_is_used)
{
    struct fixture f;
    fixture_init(&f);
    add_hosts(&f, &f.a, 1, 0);
    add_hosts(&f, &f.b, 1, 0);
    add_member(&f, &f.b);
    cluster_fixture_start(&f.base, nu_host_set_create(NULL, 0));
    choose(&f);
    assert_share_of_a(&f, 0);
    add_member(&f, &f.a);
    nu_cluster_table_add(&f.base.table, f.a.cluster, f.a.cluster->hosts);
    choose(&f);
    assert_share_of_a(&f, 1);
    fixture_finish(&f);
}

static const struct nu_priority_load *second(const struct nu_lb_context *context, uint32_t count)
{
    static const struct nu_priority_load loads[] = {{0, 0}, {100, 0}};
    (void)context;
    assert_int_equal(count, 2);
    return loads;
}

TEST(context_may_set_the_loads_of_all_priorities)
{
    struct fixture f;
    const struct nu_lb_context context = {.loads = second};
    fixture_init(&f);
    add_hosts(&f, &f.a, 1, 0);
    add_hosts(&f, &f.b, 1, 0);
    start(&f);
    choose_with(&f, &context);
    assert_share_of_a(&f, 0);
    fixture_finish(&f);
}

/* What a context's owner knows, found by its address. */
struct asker {
    struct nu_lb_context context;
    const struct nu_host *refused;
    struct nu_cluster_local *completed;
};

static bool accepts(const struct nu_lb_context *context, const struct nu_host *host)
{
    return nu_container_of(context, const struct asker, context)->refused != host;
}

static void complete(const struct nu_lb_context *context, struct nu_lb_context *inner,
                     struct nu_cluster_local *cluster)
{
    const struct asker *asker = nu_container_of(context, const struct asker, context);
    ((struct asker *)nu_unconst(asker))->completed = cluster;
    inner->has_hash = true;
}

TEST(context_is_asked_by_the_chosen_cluster)
{
    struct fixture f;
    struct asker asker = {.context = {.accepts = accepts, .max_attempts = 1, .complete = complete}};
    fixture_init(&f);
    add_hosts(&f, &f.a, 2, 0);
    start(&f);
    asker.refused = f.a.hosts[0];
    for (int i = 0; i < 10; i++) {
        struct nu_cluster_choice choice = nu_cluster_choose_host(local_of(&f, "c"), &asker.context);
        assert_ptr_equal(choice.cluster, local_of(&f, "a"));
        assert_int_equal(choice.index, 1);
        assert_ptr_equal(asker.completed, local_of(&f, "a"));
    }
    fixture_finish(&f);
}

TEST(host_that_a_filter_asks_for_is_none_of_the_aggregate)
{
    struct fixture f;
    const struct nu_lb_context context = {.override_host = NU_STR_INIT("1.0.1.1:80")};
    fixture_init(&f);
    add_hosts(&f, &f.a, 1, 0);
    add_hosts(&f, &f.b, 1, 0);
    start(&f);
    choose_with(&f, &context);
    assert_share_of_a(&f, 1);
    fixture_finish(&f);
}

TEST_MAIN()
