/* SPDX-License-Identifier: Apache-2.0 */
/* Choices ahead: what was foreseen comes true, in its order, as far as it can be foreseen. */
#include "harness/cluster.h"

#include "base/random.h"
#include "upstream/lb/lb_foresight.h"
#include "upstream/lb/lb_hash.h"

enum { HOSTS = 3 };

struct foresight_fixture {
    struct cluster_fixture base;
    struct nu_arena arena;
    struct nu_host_set *hosts;
    struct nu_lb *lb;
};

/* A balancer of hosts with these weights. */
static void init(struct foresight_fixture *f, const struct nu_lb_class *cls,
                 const uint32_t weights[HOSTS])
{
    struct nu_host *hosts[HOSTS];
    const struct nu_host_set_settings settings = {.panic_percent = 50};
    nu_random_seed(7);
    cluster_fixture_init(&f->base);
    cluster_fixture_start(&f->base, nu_host_set_create(NULL, 0));
    nu_arena_init(&f->arena);
    for (uint32_t i = 0; i < HOSTS; i++) {
        char address[32];
        snprintf(address, sizeof(address), "1.0.0.%u:80", i + 1);
        hosts[i] = cluster_host(&f->base, address, weights[i]);
    }
    f->hosts = cluster_host_set(hosts, HOSTS);
    nu_host_set_seal(f->hosts, &settings);
    f->lb = nu_lb_create(nu_lb_foresee_class(cls, &f->arena), cluster_local(&f->base), f->hosts);
}

static void finish(struct foresight_fixture *f)
{
    nu_lb_destroy(&f->lb);
    nu_host_set_unref(f->hosts);
    nu_arena_finish(&f->arena);
    cluster_fixture_finish(&f->base);
}

static const uint32_t equal[HOSTS] = {1, 1, 1};
static const uint32_t unequal[HOSTS] = {1, 2, 5};

static const struct {
    const struct nu_lb_class *cls;
    const uint32_t *weights;
} foreseen_cases[] = {
    {&nu_lb_round_robin, equal},
    {&nu_lb_round_robin, unequal},
    {&nu_lb_random, equal},
    {&nu_lb_least_request, unequal},
};

TEST(what_is_foreseen_comes_true)
{
    const struct nu_lb_context context = {0};
    for (size_t i = 0; i < NU_ARRAY_LEN(foreseen_cases); i++) {
        struct foresight_fixture f;
        init(&f, foreseen_cases[i].cls, foreseen_cases[i].weights);
        for (int round = 0; round < 100; round++) {
            int32_t first = nu_lb_foresee(f.lb, &context);
            int32_t second = nu_lb_foresee(f.lb, &context);
            assert_in_range(first, 0, HOSTS - 1);
            assert_in_range(second, 0, HOSTS - 1);
            assert_int_equal(nu_lb_choose(f.lb, &context), first);
            assert_int_equal(nu_lb_choose(f.lb, &context), second);
            assert_in_range(nu_lb_choose(f.lb, &context), 0, HOSTS - 1);
        }
        finish(&f);
    }
}

TEST(shares_stay_as_they_are)
{
    struct foresight_fixture f;
    const struct nu_lb_context context = {0};
    unsigned chosen[HOSTS] = {0};
    init(&f, &nu_lb_round_robin, unequal);
    for (int i = 0; i < 800; i++) {
        nu_lb_foresee(f.lb, &context);
        chosen[nu_lb_choose(f.lb, &context)]++;
    }
    assert_in_range(chosen[0], 99, 101);
    assert_in_range(chosen[1], 199, 201);
    assert_in_range(chosen[2], 499, 501);
    finish(&f);
}

TEST(as_many_are_foreseen_as_hosts_are_healthy)
{
    struct foresight_fixture f;
    const struct nu_lb_context context = {0};
    init(&f, &nu_lb_random, equal);
    for (int i = 0; i < HOSTS; i++)
        assert_int_not_equal(nu_lb_foresee(f.lb, &context), NU_LB_NONE);
    assert_int_equal(nu_lb_foresee(f.lb, &context), NU_LB_NONE);
    nu_lb_choose(f.lb, &context);
    assert_int_not_equal(nu_lb_foresee(f.lb, &context), NU_LB_NONE);
    assert_int_equal(nu_lb_foresee(f.lb, &context), NU_LB_NONE);
    finish(&f);
}

TEST(what_depends_on_later_things_is_not_foreseen)
{
    struct foresight_fixture f;
    const struct nu_lb_context context = {0};
    init(&f, &nu_lb_least_request, equal);
    assert_int_equal(nu_lb_foresee(f.lb, &context), NU_LB_NONE);
    finish(&f);
    init(&f, &nu_lb_round_robin, equal);
    nu_lb_destroy(&f.lb);
    f.lb = nu_lb_create(&nu_lb_round_robin, cluster_local(&f.base), f.hosts);
    assert_int_equal(nu_lb_foresee(f.lb, &context), NU_LB_NONE);
    assert_ptr_equal(nu_lb_foresee_class(&nu_lb_ring_hash, &f.arena), &nu_lb_ring_hash);
    finish(&f);
}

TEST_MAIN()
