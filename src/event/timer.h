/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers of one loop, in a hierarchical wheel. Arming and cancelling are a few pointer stores on a
 * node that is embedded in the timer's owner, so a request can arm several deadlines and cancel
 * them again for next to nothing; one libevent timer, moved only when an earlier wake-up is needed,
 * ends the loop's wait. Resolution is one millisecond.
 *
 *     level 0: 64 slots of 1 ms, level 1: 64 of 64 ms, level 2: 64 of 4 s, ... 5 levels, 12 days
 *
 * A timer fires once, at or after its deadline; a callback may arm it again. A timer that is armed
 * must be cancelled before its memory goes away.
 */
#ifndef NU_EVENT_TIMER_H
#define NU_EVENT_TIMER_H

#include "base/list.h"
#include "event/loop.h"

struct nu_timer {
    struct nu_list link;
    uint64_t deadline_ms; /* on the loop's monotonic clock */
    void (*fn)(struct nu_timer *timer);
};

/* Sets the callback; the timer is not armed. */
static inline void nu_timer_init(struct nu_timer *timer, void (*fn)(struct nu_timer *timer))
{
    nu_list_init(&timer->link);
    timer->deadline_ms = 0;
    timer->fn = fn;
}

static inline bool nu_timer_is_armed(const struct nu_timer *timer)
{
    return nu_list_is_linked(&timer->link);
}

/* Arms, or moves, the timer to fire `delay_ms` after the loop's now; that may be any number. */
void nu_timer_arm(struct nu_loop *loop, struct nu_timer *timer, uint64_t delay_ms);

/* Takes an armed timer back; harmless on one that is not armed. */
static inline void nu_timer_cancel(struct nu_timer *timer)
{
    nu_list_remove(&timer->link);
}

/* For the loop alone. */
struct nu_timer_wheel *nu_timer_wheel_create(struct nu_loop *loop);
void nu_timer_wheel_destroy(struct nu_timer_wheel **wheel);
/* Until when nothing is due, in milliseconds of the monotonic clock; for ever is NU_TIMER_NEVER. */
uint64_t nu_timer_wheel_look_ms(const struct nu_timer_wheel *wheel);
#define NU_TIMER_NEVER UINT64_MAX
/* Fires what is due, and returns whether there was anything to look at. */
bool nu_timer_wheel_run(struct nu_timer_wheel *wheel);

#endif
