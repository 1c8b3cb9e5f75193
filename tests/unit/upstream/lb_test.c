/* SPDX-License-Identifier: Apache-2.0 */
/* Round robin: the order of choices, where it begins, override hosts. */
#include "harness/cluster.h"

#include "base/random.h"
#include "upstream/lb/lb.h"

enum { MAX_HOSTS = 8 };

/* A set of hosts "1.0.0.N:80" with these weights (0 ends). */
static struct nu_host_set *make_set(struct cluster_fixture *f, const uint32_t *weights)
{
    struct nu_host *hosts[MAX_HOSTS] = {NULL};
    uint32_t count = 0;
    for (; weights[count]; count++) {
        char address[32];
        snprintf(address, sizeof(address), "1.0.0.%u:80", count + 1);
        hosts[count] = cluster_host(f, address, weights[count]);
    }
    return cluster_host_set(hosts, count);
}

static void seal(struct nu_host_set *set)
{
    const struct nu_host_set_settings settings = {.panic_percent = 50};
    nu_host_set_seal(set, &settings);
}

/* Writes `count` choices as letters. */
static void choose(struct nu_lb *lb, char *out, size_t count)
{
    const struct nu_lb_context context = {0};
    for (size_t i = 0; i < count; i++)
        out[i] = (char)('a' + nu_lb_choose(lb, &context));
    out[count] = '\0';
}

/* One cycle as a real Envoy 1.36.4 went through it with one worker, from wherever it began. */
struct order_case {
    uint32_t weights[MAX_HOSTS];
    const char *cycle;
};

static const struct order_case order_cases[] = {
    {{1}, "a"},
    {{1, 1}, "ab"},
    {{1, 1, 1}, "bca"},
    {{7, 7, 7}, "bca"},
    {{2, 1}, "aab"},
    {{3, 2}, "baaba"},
    {{5, 3, 1}, "abaabacba"},
    {{4, 2, 1}, "acbaaba"},
    {{7, 5, 3}, "cabacbaabacbaab"},
};

TEST(order_is_envoys_from_any_start)
{
    struct cluster_fixture f;
    cluster_fixture_init(&f);
    cluster_fixture_start(&f, nu_host_set_create(NULL, 0));
    for (size_t i = 0; i < NU_ARRAY_LEN(order_cases); i++) {
        const struct order_case *c = &order_cases[i];
        struct nu_host_set *hosts = make_set(&f, c->weights);
        seal(hosts);
        size_t length = strlen(c->cycle);
        char twice[64];
        snprintf(twice, sizeof(twice), "%s%s", c->cycle, c->cycle);
        for (uint64_t seed = 0; seed < 50; seed++) {
            char first[64], later[64];
            nu_random_seed(seed);
            struct nu_lb *lb = nu_lb_round_robin.create(cluster_local(&f), hosts);
            choose(lb, first, length);
            assert_non_null(strstr(twice, first));
            for (int cycle = 0; cycle < 100; cycle++)
                choose(lb, later, length);
            assert_string_equal(later, first);
            lb->cls->destroy(lb);
        }
        nu_host_set_unref(hosts);
    }
    cluster_fixture_finish(&f);
}

/* Fresh balancers for one request each, as after changes of hosts: all hosts have their share. */
TEST(start_does_not_favour_heavy_hosts)
{
    static const uint32_t weights[] = {6, 3, 1, 0};
    enum { ROUNDS = 10000 };
    struct cluster_fixture f;
    cluster_fixture_init(&f);
    cluster_fixture_start(&f, nu_host_set_create(NULL, 0));
    struct nu_host_set *hosts = make_set(&f, weights);
    seal(hosts);
    unsigned first[3] = {0};
    nu_random_seed(1);
    for (int i = 0; i < ROUNDS; i++) {
        struct nu_lb *lb = nu_lb_round_robin.create(cluster_local(&f), hosts);
        first[nu_lb_choose(lb, &(struct nu_lb_context){.max_attempts = 0})]++;
        lb->cls->destroy(lb);
    }
    /* A third of the time is before a choice of b, a sixth before one of c, half before one of a;
     * the beginning of the cycle would always give a. */
    assert_in_range(first[0], ROUNDS * 48 / 100, ROUNDS * 52 / 100);
    assert_in_range(first[1], ROUNDS * 31 / 100, ROUNDS * 35 / 100);
    assert_in_range(first[2], ROUNDS * 15 / 100, ROUNDS * 18 / 100);
    nu_host_set_unref(hosts);
    cluster_fixture_finish(&f);
}

TEST(empty_set_has_no_choice)
{
    struct cluster_fixture f;
    cluster_fixture_init(&f);
    cluster_fixture_start(&f, nu_host_set_create(NULL, 0));
    assert_int_equal(
        nu_lb_choose(cluster_local(&f)->lb, &(struct nu_lb_context){.max_attempts = 0}),
        NU_LB_NONE);
    cluster_fixture_finish(&f);
}

TEST(override_host_is_taken_when_it_is_in_the_set)
{
    static const uint32_t weights[] = {1, 1, 1, 0};
    struct cluster_fixture f;
    cluster_fixture_init(&f);
    cluster_fixture_start(&f, make_set(&f, weights));
    struct nu_lb *lb = cluster_local(&f)->lb;
    const struct nu_lb_context third = {.override_host = NU_STR_INIT("1.0.0.3:80")};
    const struct nu_lb_context unknown = {.override_host = NU_STR_INIT("9.0.0.3:80")};
    for (int i = 0; i < 4; i++)
        assert_int_equal(nu_lb_choose(lb, &third), 2);
    assert_in_range(nu_lb_choose(lb, &unknown), 0, 2);
    cluster_fixture_finish(&f);
}

TEST_MAIN()
