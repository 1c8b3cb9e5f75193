/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wheel. A slot of level L covers 64^L milliseconds; a timer goes to the lowest level whose
 * span reaches its deadline. When time enters a slot of a higher level, its timers are placed anew
 * and so move down; on level 0 they fire. A bit per slot says which may be occupied: cancelling
 * leaves the bit, and the next look at the empty slot clears it.
 */
#include "event/timer.h"

#include "base/alloc.h"

enum {
    LEVEL_BITS = 6,
    SLOTS = 1 << LEVEL_BITS,
    LEVELS = 5,
};

#define WHEEL_SPAN_MS ((uint64_t)1 << (LEVEL_BITS * LEVELS))

struct nu_timer_wheel {
    struct nu_loop *loop; /* borrowed */
    uint64_t look_ms;     /* when there is something to look at, or NU_TIMER_NEVER */
    uint64_t done_ms;     /* everything due up to here has fired */
    uint64_t occupied[LEVELS];
    struct nu_list slots[LEVELS][SLOTS];
};

static uint64_t now_ms(struct nu_timer_wheel *wheel)
{
    return nu_loop_now_us(wheel->loop) / 1000;
}

/* Links the timer into its slot; returns when that slot needs to be looked at. */
static uint64_t place(struct nu_timer_wheel *wheel, struct nu_timer *timer)
{
    uint64_t due = timer->deadline_ms;
    if (due <= wheel->done_ms)
        due = wheel->done_ms + 1;
    if (due - wheel->done_ms >= WHEEL_SPAN_MS)
        due = wheel->done_ms + WHEEL_SPAN_MS - 1;
    /* The level is that of the highest bit in which the deadline differs from the present. */
    uint64_t differing = due ^ wheel->done_ms;
    unsigned level = (63u - (unsigned)__builtin_clzll(differing)) / LEVEL_BITS;
    if (level >= LEVELS)
        level = LEVELS - 1;
    unsigned slot = (unsigned)(due >> (level * LEVEL_BITS)) & (SLOTS - 1);
    nu_list_add_last(&wheel->slots[level][slot], &timer->link);
    wheel->occupied[level] |= (uint64_t)1 << slot;
    return due >> (level * LEVEL_BITS) << (level * LEVEL_BITS);
}

void nu_timer_arm(struct nu_loop *loop, struct nu_timer *timer, uint64_t delay_ms)
{
    struct nu_timer_wheel *wheel = loop->timers;
    if (nu_timer_is_armed(timer))
        nu_list_remove(&timer->link);
    uint64_t base_ms = (nu_loop_now_us(loop) + 999) / 1000;
    if (nu_unlikely(__builtin_add_overflow(base_ms, delay_ms, &timer->deadline_ms)))
        timer->deadline_ms = NU_TIMER_NEVER;
    uint64_t look_ms = place(wheel, timer);
    if (nu_unlikely(look_ms < wheel->look_ms))
        wheel->look_ms = look_ms;
}

/* The earliest time at which some slot must be looked at. */
static uint64_t next_look(const struct nu_timer_wheel *wheel)
{
    uint64_t next = NU_TIMER_NEVER;
    for (unsigned level = 0; level < LEVELS; level++) {
        if (!wheel->occupied[level])
            continue;
        unsigned shift = level * LEVEL_BITS;
        unsigned current = (unsigned)(wheel->done_ms >> shift) & (SLOTS - 1);
        unsigned turn = (current + 1) & (SLOTS - 1);
        uint64_t bits = wheel->occupied[level];
        uint64_t rotated = turn ? (bits >> turn) | (bits << (SLOTS - turn)) : bits;
        uint64_t ahead = (uint64_t)__builtin_ctzll(rotated) + 1;
        uint64_t at = ((wheel->done_ms >> shift) + ahead) << shift;
        if (at < next)
            next = at;
    }
    return next;
}

/* Time reached `at`: takes every timer out of the slots that begin there. */
static void collect(struct nu_timer_wheel *wheel, uint64_t at, struct nu_list *out)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        unsigned shift = level * LEVEL_BITS;
        if (at & (((uint64_t)1 << shift) - 1))
            break;
        unsigned slot = (unsigned)(at >> shift) & (SLOTS - 1);
        uint64_t bit = (uint64_t)1 << slot;
        if (wheel->occupied[level] & bit) {
            wheel->occupied[level] &= ~bit;
            nu_list_move_all(out, &wheel->slots[level][slot]);
        }
    }
}

static void advance_to(struct nu_timer_wheel *wheel, uint64_t at)
{
    struct nu_list due;
    nu_list_init(&due);
    wheel->done_ms = at;
    collect(wheel, at, &due);
    while (!nu_list_is_empty(&due)) {
        struct nu_timer *timer = nu_list_entry(due.next, struct nu_timer, link);
        nu_list_remove(&timer->link);
        if (timer->deadline_ms <= at)
            timer->fn(timer);
        else
            place(wheel, timer);
    }
}

bool nu_timer_wheel_run(struct nu_timer_wheel *wheel)
{
    uint64_t now = now_ms(wheel);
    if (nu_likely(now < wheel->look_ms))
        return false;
    uint64_t look;
    while ((look = next_look(wheel)) <= now)
        advance_to(wheel, look);
    if (now > wheel->done_ms)
        wheel->done_ms = now;
    wheel->look_ms = next_look(wheel);
    return true;
}

uint64_t nu_timer_wheel_look_ms(const struct nu_timer_wheel *wheel)
{
    return wheel->look_ms;
}

struct nu_timer_wheel *nu_timer_wheel_create(struct nu_loop *loop)
{
    struct nu_timer_wheel *wheel = nu_calloc(1, sizeof(*wheel));
    wheel->loop = loop;
    wheel->look_ms = NU_TIMER_NEVER;
    for (unsigned level = 0; level < LEVELS; level++) {
        for (unsigned slot = 0; slot < SLOTS; slot++)
            nu_list_init(&wheel->slots[level][slot]);
    }
    wheel->done_ms = nu_clock_monotonic_us() / 1000;
    return wheel;
}

void nu_timer_wheel_destroy(struct nu_timer_wheel **wheel)
{
    nu_free(*wheel);
    *wheel = NULL;
}
