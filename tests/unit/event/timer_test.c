/* SPDX-License-Identifier: Apache-2.0 */
/* The timer wheel under a clock that stands still until it is told to go on. */
#include "harness/test.h"

#include "base/alloc.h"
#include "base/random.h"
#include "event/timer.h"

enum { START_MS = 1000000, MANY = 2000 };

struct probe {
    struct nu_timer timer;
    struct nu_loop *loop;
    uint64_t due_ms;   /* when it should fire at the earliest */
    uint64_t fired_ms; /* 0: not yet */
    unsigned count;
    uint64_t again_ms; /* armed again by its callback */
    struct probe *cancels;
};

static uint64_t now_ms(void)
{
    return nu_clock_monotonic_us() / 1000;
}

static void on_timer(struct nu_timer *timer)
{
    struct probe *probe = nu_container_of(timer, struct probe, timer);
    probe->fired_ms = now_ms();
    probe->count++;
    if (probe->cancels)
        nu_timer_cancel(&probe->cancels->timer);
    if (probe->again_ms)
        nu_timer_arm(probe->loop, timer, probe->again_ms);
}

static struct nu_loop *start(void)
{
    nu_clock_fake_install((uint64_t)START_MS * 1000, 0);
    return nu_loop_create();
}

static void stop(struct nu_loop *loop)
{
    nu_loop_destroy(&loop);
    nu_clock_fake_remove();
}

static void arm(struct nu_loop *loop, struct probe *probe, uint64_t delay_ms)
{
    *probe = (struct probe){.loop = loop, .due_ms = now_ms() + delay_ms};
    nu_timer_init(&probe->timer, on_timer);
    nu_timer_arm(loop, &probe->timer, delay_ms);
}

/* A turn after the clock went on. */
static void go_on(struct nu_loop *loop, uint64_t ms)
{
    nu_clock_fake_advance(ms * 1000);
    nu_loop_run_once(loop);
    nu_timer_wheel_run(loop->timers);
    nu_loop_run_once(loop);
}

TEST(a_timer_fires_once_at_its_time_and_not_before)
{
    static const uint64_t delays[] = {0,      1,        2,       63,       64,        65,
                                      4095,   4096,     4097,    65535,    262143,    262144,
                                      262145, 16777215, 3600000, 86400000, 1000000000};
    for (size_t i = 0; i < NU_ARRAY_LEN(delays); i++) {
        struct nu_loop *loop = start();
        struct probe probe;
        arm(loop, &probe, delays[i]);
        if (delays[i] > 1) {
            go_on(loop, delays[i] - 1);
            assert_int_equal(probe.count, 0);
            go_on(loop, 1);
        } else {
            go_on(loop, 1);
        }
        assert_int_equal(probe.count, 1);
        assert_false(nu_timer_is_armed(&probe.timer));
        go_on(loop, delays[i] + 100);
        assert_int_equal(probe.count, 1);
        stop(loop);
    }
}

TEST(a_deadline_beyond_the_wheel_is_kept)
{
    struct nu_loop *loop = start();
    struct probe probe;
    uint64_t delay = (uint64_t)40 * 86400 * 1000;
    arm(loop, &probe, delay);
    for (int day = 0; day < 39; day++)
        go_on(loop, (uint64_t)86400 * 1000);
    assert_int_equal(probe.count, 0);
    go_on(loop, (uint64_t)86400 * 1000);
    assert_int_equal(probe.count, 1);
    stop(loop);
}

TEST(the_longest_delays_do_not_turn_into_short_ones)
{
    static const uint64_t delays[] = {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - START_MS,
                                      UINT64_MAX - START_MS + 1, INT64_MAX};
    for (size_t i = 0; i < NU_ARRAY_LEN(delays); i++) {
        struct nu_loop *loop = start();
        struct probe probe;
        arm(loop, &probe, delays[i]);
        for (int month = 0; month < 12; month++)
            go_on(loop, (uint64_t)30 * 86400 * 1000);
        assert_int_equal(probe.count, 0);
        assert_true(nu_timer_is_armed(&probe.timer));
        nu_timer_cancel(&probe.timer);
        stop(loop);
    }
}

TEST(a_cancelled_timer_does_not_fire)
{
    struct nu_loop *loop = start();
    struct probe probe;
    arm(loop, &probe, 100);
    nu_timer_cancel(&probe.timer);
    nu_timer_cancel(&probe.timer);
    go_on(loop, 1000);
    assert_int_equal(probe.count, 0);
    stop(loop);
}

TEST(arming_again_moves_the_deadline)
{
    struct nu_loop *loop = start();
    struct probe probe;
    arm(loop, &probe, 100);
    nu_timer_arm(loop, &probe.timer, 500);
    go_on(loop, 400);
    assert_int_equal(probe.count, 0);
    nu_timer_arm(loop, &probe.timer, 10);
    go_on(loop, 10);
    assert_int_equal(probe.count, 1);
    stop(loop);
}

TEST(a_callback_may_arm_its_timer_again_and_cancel_others_that_are_due)
{
    struct nu_loop *loop = start();
    struct probe first;
    struct probe second;
    arm(loop, &first, 50);
    arm(loop, &second, 50);
    first.again_ms = 50;
    first.cancels = &second;
    go_on(loop, 50);
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 0);
    go_on(loop, 50);
    assert_int_equal(first.count, 2);
    nu_timer_cancel(&first.timer);
    stop(loop);
}

TEST(many_timers_fire_within_a_step_of_their_time)
{
    struct nu_loop *loop = start();
    struct probe *probes = nu_calloc(MANY, sizeof(*probes));
    for (size_t i = 0; i < MANY; i++)
        arm(loop, &probes[i], nu_random_u64() % 400000);
    for (unsigned step = 0; step < 400; step++)
        go_on(loop, 1000);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(probes[i].count, 1);
        assert_true(probes[i].fired_ms >= probes[i].due_ms);
        assert_true(probes[i].fired_ms <= probes[i].due_ms + 1000);
    }
    nu_free(probes);
    stop(loop);
}

TEST_MAIN()
