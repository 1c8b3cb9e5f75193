/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread's event loop over libevent: the turn, the clock of the turn, work for the end of the
 * turn, messages from other threads, and deferred freeing. Sockets are in event/io.h, timers in
 * event/timer.h, signals in event/signal.h.
 *
 * A turn is: wait, tell of every descriptor that is ready, fire timers, run the tasks of the turn's
 * end (connections write what they gathered, objects that were closed are freed), wait again.
 * Callbacks may therefore close and destroy anything that they were called by. A turn of many events
 * runs its tasks between them as well, whenever enough have gathered, so that memory is given back
 * and used again while it is still in the cache, and the clock goes on.
 *
 * A loop belongs to the thread that runs it. Only nu_loop_post and nu_loop_stop are for others.
 */
#ifndef NU_EVENT_LOOP_H
#define NU_EVENT_LOOP_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/list.h"

struct event_base;
struct nu_cluster_table;
struct nu_filter_client;
struct nu_runtime;
struct nu_timer_wheel;

/* Work for the end of the turn, embedded in the object that it is for. */
struct nu_turn_task {
    struct nu_list link;
    void (*fn)(struct nu_turn_task *task);
};

/* A message to another thread's loop, embedded or allocated by the sender. */
struct nu_task {
    struct nu_task *next; /* private */
    void (*fn)(struct nu_task *task);
};

/* Open for the inline functions below; private otherwise. */
struct nu_loop {
    struct event_base *base; /* owned; for event/io.c and event/signal.c */
    uint64_t now_us;         /* 0: not read in this turn */
    int64_t realtime_gap;    /* realtime minus monotonic, in us */
    uint64_t gap_read_us;    /* when the gap was measured */
    struct nu_list turn_tasks;
    struct nu_list next_turn_tasks;
    uint32_t task_count; /* asked for since the tasks were run last */
    struct nu_timer_wheel *timers;
    /* What the thread has besides, set by the loop's owner for those who know what it is. */
    struct nu_cluster_table *clusters;     /* its clusters; NULL for none */
    struct nu_runtime *runtime;            /* its runtime snapshot; NULL for none */
    const struct nu_filter_client *client; /* how filters call clusters; NULL for none */
    struct nu_loop_private *private_;
};

/* Creates a loop; it runs on whichever thread calls nu_loop_run. Never fails (it aborts when the
 * system has no epoll or eventfd left at start-up). */
struct nu_loop *nu_loop_create(void);
/* Frees a loop that does not run: runs the outstanding deferred frees, drops unread messages. */
void nu_loop_destroy(struct nu_loop **loop);

/* Runs until nu_loop_stop. */
void nu_loop_run(struct nu_loop *loop);
/* Runs what is ready now, without waiting (tests). */
void nu_loop_run_once(struct nu_loop *loop);
/* Runs one turn, which waits up to `wait_ms` for something to do (tests). */
void nu_loop_run_turn(struct nu_loop *loop, int wait_ms);
/* Makes nu_loop_run return at the end of the current turn. Any thread. */
void nu_loop_stop(struct nu_loop *loop);

/* Sends a task to the loop's thread, which calls task->fn(task) in one of its next turns; tasks of
 * one sender arrive in order. Any thread; wakes the loop. */
void nu_loop_post(struct nu_loop *loop, struct nu_task *task);

/* Runs task->fn(task) at the end of this turn; asking twice is asking once. An initialised task
 * that is not wanted any more is taken back with nu_list_remove(&task->link). */
static inline void nu_loop_at_turn_end(struct nu_loop *loop, struct nu_turn_task *task)
{
    if (nu_list_is_linked(&task->link))
        return;
    nu_list_add_last(&loop->turn_tasks, &task->link);
    loop->task_count++;
}

/* Runs task->fn(task) at the end of the next turn, which then comes without a wait: for work that
 * goes on, so that others get their turn. A task that is linked already stays where it is. */
void nu_loop_at_next_turn(struct nu_loop *loop, struct nu_turn_task *task);

void nu_loop_run_tasks(struct nu_loop *loop);

enum { NU_LOOP_TASKS_MAX = 32 }; /* that gather before they are run */

/* Lets the tasks run when the callback of libevent is done, however few they are: their work is
 * better done before the next one. */
static inline void nu_loop_run_tasks_soon(struct nu_loop *loop)
{
    loop->task_count = NU_LOOP_TASKS_MAX;
}

/* The last thing that a callback of libevent does, with nothing of ours on the stack below it: runs
 * the turn's tasks now if many have gathered. The objects that called may be gone then. */
static inline void nu_loop_event_done(struct nu_loop *loop)
{
    if (nu_unlikely(loop->task_count >= NU_LOOP_TASKS_MAX))
        nu_loop_run_tasks(loop);
}

static inline void nu_turn_task_init(struct nu_turn_task *task, void (*fn)(struct nu_turn_task *))
{
    nu_list_init(&task->link);
    task->fn = fn;
}

/* Frees `obj` with fn(obj) after every other task of the turn's end, so that no caller on the stack
 * sees it go. */
void nu_loop_defer_free(struct nu_loop *loop, void (*fn)(void *obj), void *obj);

/* Monotonic microseconds, read once a turn, or once between the runs of a long turn's tasks. */
static inline uint64_t nu_loop_now_us(struct nu_loop *loop)
{
    if (nu_unlikely(loop->now_us == 0))
        loop->now_us = nu_clock_monotonic_us();
    return loop->now_us;
}

void nu_loop_measure_gap(struct nu_loop *loop);

/* The wall clock at nu_loop_now_us, in microseconds since 1970; follows the system's clock within a
 * second. */
static inline uint64_t nu_loop_realtime_us(struct nu_loop *loop)
{
    uint64_t now = nu_loop_now_us(loop);
    if (nu_unlikely(now - loop->gap_read_us > 500000))
        nu_loop_measure_gap(loop);
    return now + (uint64_t)loop->realtime_gap;
}

/* Turns completed; a watchdog compares two readings. Any thread. */
uint64_t nu_loop_turns(const struct nu_loop *loop);

#endif
