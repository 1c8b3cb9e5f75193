/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "net/accept_burst.h"

enum { MAX = 64 };

/* A listen socket to which `arriving` come before each readiness. */
struct queue {
    uint32_t waiting;
    uint32_t arriving;
    uint32_t accepts;  /* calls */
    uint32_t in_vain;  /* of those: found nobody */
    uint32_t accepted; /* the rest */
};

static void be_ready(struct queue *queue, struct nu_accept_burst *burst, uint32_t max)
{
    queue->waiting += queue->arriving;
    uint32_t taken = queue->waiting < burst->size ? queue->waiting : burst->size;
    queue->waiting -= taken;
    queue->accepted += taken;
    queue->in_vain += taken < burst->size;
    queue->accepts += taken + (taken < burst->size);
    nu_accept_burst_learn(burst, taken, max);
}

static struct queue run(struct nu_accept_burst *burst, uint32_t arriving, unsigned times)
{
    struct queue queue = {.arriving = arriving};
    for (unsigned i = 0; i < times; i++)
        be_ready(&queue, burst, MAX);
    return queue;
}

TEST(single_connections_are_hardly_ever_accepted_in_vain)
{
    struct nu_accept_burst burst;
    nu_accept_burst_init(&burst);
    struct queue queue = run(&burst, 1, 1000);
    assert_int_equal(queue.accepted, 1000);
    assert_in_range(queue.in_vain, 1, 1000 / 16 + 5);
}

TEST(a_flood_is_taken_in_gulps_soon_and_nobody_is_left_behind)
{
    struct nu_accept_burst burst;
    nu_accept_burst_init(&burst);
    run(&burst, 1, 1000); /* at the end of its patience */
    struct queue queue = run(&burst, 40, 100);
    assert_in_range(burst.size, 40, MAX);
    assert_in_range(queue.waiting, 0, MAX);
    assert_in_range(queue.in_vain, 0, 25);
}

TEST(pairs_cost_little_more_than_an_accept_each)
{
    struct nu_accept_burst burst;
    nu_accept_burst_init(&burst);
    struct queue queue = run(&burst, 2, 1000);
    assert_int_equal(queue.accepted + queue.waiting, 2000);
    assert_in_range(queue.waiting, 0, 64);
    assert_in_range(queue.accepts, 2000 - 64, 2000 + 200);
}

TEST(a_configured_limit_is_never_passed)
{
    struct nu_accept_burst burst;
    struct queue queue = {.arriving = 10};
    nu_accept_burst_init(&burst);
    for (int i = 0; i < 100; i++) {
        be_ready(&queue, &burst, 3);
        assert_in_range(burst.size, 1, 3);
    }
    nu_accept_burst_init(&burst);
    for (int i = 0; i < 100; i++) {
        be_ready(&queue, &burst, 1);
        assert_int_equal(burst.size, 1);
    }
}

TEST(a_readiness_for_nobody_shrinks_it_to_one)
{
    struct nu_accept_burst burst;
    nu_accept_burst_init(&burst);
    run(&burst, MAX, 100);
    assert_int_equal(burst.size, MAX);
    nu_accept_burst_learn(&burst, 0, MAX);
    assert_int_equal(burst.size, 1);
}

TEST_MAIN()
