/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driving a loop whose sockets are the kernel's: turns it until a condition holds. What is waited
 * for comes from the same process, so it comes soon; a test that waits in vain fails after a
 * minute. With the fake clock installed timers fire only in harness_advance.
 */
#ifndef NU_TESTS_HARNESS_LOOP_H
#define NU_TESTS_HARNESS_LOOP_H

#include <time.h>

#include "event/loop.h"
#include "event/timer.h"
#include "harness/test.h"

enum { HARNESS_LIMIT_S = 60 };

static inline double harness_real_seconds_(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Turns `loop` until done(arg); false after a minute. */
static inline bool harness_wait(struct nu_loop *loop, bool (*done)(void *arg), void *arg)
{
    double end = harness_real_seconds_() + HARNESS_LIMIT_S;
    bool ok;
    while (!(ok = done(arg)) && harness_real_seconds_() < end)
        nu_loop_run_turn(loop, 2);
    return ok;
}

static inline bool harness_is_set_(void *arg)
{
    return *(bool *)arg;
}

/* Turns `loop` until *flag. */
static inline bool harness_wait_flag(struct nu_loop *loop, bool *flag)
{
    return harness_wait(loop, harness_is_set_, flag);
}

/* A message whose arrival is noted. */
struct harness_mark_ {
    struct nu_task task;
    bool has_arrived;
};

static inline void harness_note_(struct nu_task *task)
{
    nu_container_of(task, struct harness_mark_, task)->has_arrived = true;
}

/* Moves the fake clock and lets the loop fire what is due. */
static inline void harness_advance(struct nu_loop *loop, uint64_t ms)
{
    struct harness_mark_ mark = {.task = {.fn = harness_note_}};
    nu_clock_fake_advance(ms * 1000);
    /* A message wakes the loop, which then looks at its timers. Another thread may have put one
     * before it and not have rung yet: this one must have arrived before it goes. */
    nu_loop_post(loop, &mark.task);
    nu_loop_run_once(loop);
    nu_loop_run_once(loop);
    while (!mark.has_arrived)
        nu_loop_run_once(loop);
}

#endif
