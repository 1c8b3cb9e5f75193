/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop: epoll for descriptors (event/io.c), a wheel for timers, and an explicit end of the turn.
 * Only a loop with signals, the main thread's, has libevent besides: it waits for both then.
 *
 * Messages are a lock-free stack that senders push to; whoever finds it empty rings the eventfd.
 */
#include "event/loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "event/io.h"
#include "event/timer.h"

struct deferred_free {
    void (*fn)(void *obj);
    void *obj;
};

struct nu_loop_private {
    struct nu_io mailbox;
    int mailbox_fd;
    struct event_base *base;   /* owned; NULL without signals */
    struct event poller_ready; /* in `base`, like the next */
    struct event wait_is_over;
    _Atomic(struct nu_task *) inbox; /* newest first */
    struct nu_task stop_task;
    atomic_bool stop_asked; /* the one stop task is on its way */
    bool is_stopped;        /* this turn is the last */
    _Atomic uint64_t turns;
    struct deferred_free *deferred; /* owned array */
    size_t deferred_count;
    size_t deferred_cap;
};

static void run_deferred_frees(struct nu_loop *loop)
{
    struct nu_loop_private *p = loop->private_;
    for (size_t i = 0; i < p->deferred_count; i++)
        p->deferred[i].fn(p->deferred[i].obj);
    p->deferred_count = 0;
}

static void run_turn_tasks(struct nu_loop *loop)
{
    while (!nu_list_is_empty(&loop->turn_tasks)) {
        struct nu_turn_task *task = nu_list_entry(loop->turn_tasks.next, struct nu_turn_task, link);
        nu_list_remove(&task->link);
        task->fn(task);
    }
}

void nu_loop_run_tasks(struct nu_loop *loop)
{
    do {
        run_turn_tasks(loop);
        run_deferred_frees(loop);
    } while (!nu_list_is_empty(&loop->turn_tasks));
    loop->task_count = 0;
    loop->now_us = 0;
}

void nu_loop_at_next_turn(struct nu_loop *loop, struct nu_turn_task *task)
{
    if (!nu_list_is_linked(&task->link))
        nu_list_add_last(&loop->next_turn_tasks, &task->link);
}

/* Takes all messages and calls them oldest first. */
static void on_mailbox(int fd, short what, void *arg)
{
    (void)what;
    struct nu_loop *loop = arg;
    uint64_t counter;
    ssize_t n = read(fd, &counter, sizeof(counter));
    (void)n;
    struct nu_task *newest = atomic_exchange(&loop->private_->inbox, NULL);
    struct nu_task *oldest = NULL;
    while (newest) {
        struct nu_task *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct nu_task *task = oldest;
        oldest = oldest->next;
        task->fn(task);
    }
}

void nu_loop_post(struct nu_loop *loop, struct nu_task *task)
{
    struct nu_loop_private *p = loop->private_;
    struct nu_task *head = atomic_load_explicit(&p->inbox, memory_order_relaxed);
    do {
        task->next = head;
    } while (!atomic_compare_exchange_weak(&p->inbox, &head, task));
    if (head)
        return;
    uint64_t one = 1;
    ssize_t n = write(p->mailbox_fd, &one, sizeof(one));
    (void)n; /* a full counter wakes the loop as well */
}

static void ignore_event(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

/* Made for the first signal. What libevent finds to be ready only ends its wait. */
NU_COLD struct event_base *nu_loop_event_base(struct nu_loop *loop)
{
    struct nu_loop_private *p = loop->private_;
    if (p->base)
        return p->base;
    struct event_config *config = event_config_new();
    nu_assert(config);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    p->base = event_base_new_with_config(config);
    event_config_free(config);
    nu_assert(p->base);
    event_assign(&p->poller_ready, p->base, nu_poller_fd(loop->poller), EV_READ | EV_PERSIST,
                 ignore_event, NULL);
    event_add(&p->poller_ready, NULL);
    event_assign(&p->wait_is_over, p->base, -1, 0, ignore_event, NULL);
    return p->base;
}

static void destroy_base(struct nu_loop_private *p)
{
    if (!p->base)
        return;
    event_del(&p->poller_ready);
    event_del(&p->wait_is_over);
    event_base_free(p->base);
}

static void on_stop(struct nu_task *task)
{
    struct nu_loop_private *p = nu_container_of(task, struct nu_loop_private, stop_task);
    atomic_store(&p->stop_asked, false);
    p->is_stopped = true;
}

struct nu_loop *nu_loop_create(void)
{
    struct nu_loop *loop = nu_calloc(1, sizeof(*loop));
    struct nu_loop_private *p = nu_calloc(1, sizeof(*p));
    loop->private_ = p;
    loop->poller = nu_poller_create(loop);
    nu_list_init(&loop->turn_tasks);
    nu_list_init(&loop->next_turn_tasks);
    nu_loop_measure_gap(loop);
    p->mailbox_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    nu_assert(p->mailbox_fd >= 0);
    nu_io_init(&p->mailbox, loop, p->mailbox_fd, on_mailbox, loop);
    nu_io_enable_read(&p->mailbox);
    p->stop_task.fn = on_stop;
    loop->timers = nu_timer_wheel_create(loop);
    return loop;
}

void nu_loop_destroy(struct nu_loop **loop_ptr)
{
    struct nu_loop *loop = *loop_ptr;
    if (!loop)
        return;
    *loop_ptr = NULL;
    struct nu_loop_private *p = loop->private_;
    nu_list_move_all(&loop->turn_tasks, &loop->next_turn_tasks);
    run_turn_tasks(loop);
    run_deferred_frees(loop);
    nu_io_finish(&p->mailbox);
    nu_timer_wheel_destroy(&loop->timers);
    destroy_base(p);
    nu_poller_destroy(&loop->poller);
    close(p->mailbox_fd);
    nu_free(p->deferred);
    nu_free(p);
    nu_free(loop);
}

/* The same with libevent, which calls for its signals meanwhile. */
static NU_COLD bool wait_with_base(struct nu_loop *loop, int timeout_ms)
{
    struct nu_loop_private *p = loop->private_;
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    if (timeout_ms > 0)
        event_add(&p->wait_is_over, &timeout);
    event_base_loop(p->base, timeout_ms == 0 ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE);
    event_del(&p->wait_is_over);
    return nu_poller_wait(loop->poller, 0);
}

/* Whether something waits for a turn to come; before the first one that may be a task of its end. */
static bool is_pressed(const struct nu_loop *loop)
{
    return !nu_list_is_empty(&loop->next_turn_tasks) || !nu_list_is_empty(&loop->turn_tasks) ||
           loop->private_->deferred_count;
}

/* Waits up to `wait_ms` (-1: for ever), but not longer than till the next timer. */
static bool wait_for_events(struct nu_loop *loop, int wait_ms)
{
    int timeout_ms = is_pressed(loop) ? 0 : wait_ms;
    if (timeout_ms != 0) {
        int timer_ms = nu_timer_wheel_wait_ms(loop->timers);
        if (timeout_ms < 0 || (timer_ms >= 0 && timer_ms < timeout_ms))
            timeout_ms = timer_ms;
    }
    if (nu_unlikely(loop->private_->base != NULL))
        return wait_with_base(loop, timeout_ms);
    return nu_poller_wait(loop->poller, timeout_ms);
}

/* One turn; whether there was anything to do. */
static bool run_turn(struct nu_loop *loop, int wait_ms)
{
    /* What is asked for in this turn is not due before the next one. */
    struct nu_list due;
    bool had_events = wait_for_events(loop, wait_ms);
    loop->now_us = 0;
    nu_list_init(&due);
    nu_list_move_all(&due, &loop->next_turn_tasks);
    nu_poller_tell(loop->poller);
    bool had_timers = nu_timer_wheel_run(loop->timers);
    nu_list_move_all(&loop->turn_tasks, &due);
    bool had_tasks = !nu_list_is_empty(&loop->turn_tasks);
    nu_loop_run_tasks(loop);
    atomic_fetch_add_explicit(&loop->private_->turns, 1, memory_order_relaxed);
    return had_events || had_timers || had_tasks;
}

void nu_loop_run(struct nu_loop *loop)
{
    struct nu_loop_private *p = loop->private_;
    p->is_stopped = false;
    while (!p->is_stopped)
        run_turn(loop, -1);
}

void nu_loop_run_once(struct nu_loop *loop)
{
    while (run_turn(loop, 0))
        continue;
}

void nu_loop_run_turn(struct nu_loop *loop, int wait_ms)
{
    run_turn(loop, wait_ms);
}

void nu_loop_stop(struct nu_loop *loop)
{
    if (!atomic_exchange(&loop->private_->stop_asked, true))
        nu_loop_post(loop, &loop->private_->stop_task);
}

void nu_loop_defer_free(struct nu_loop *loop, void (*fn)(void *obj), void *obj)
{
    struct nu_loop_private *p = loop->private_;
    if (p->deferred_count == p->deferred_cap) {
        p->deferred_cap = p->deferred_cap ? p->deferred_cap * 2 : 64;
        p->deferred = nu_realloc(p->deferred, p->deferred_cap * sizeof(*p->deferred));
    }
    p->deferred[p->deferred_count++] = (struct deferred_free){fn, obj};
}

NU_COLD void nu_loop_measure_gap(struct nu_loop *loop)
{
    uint64_t now = nu_clock_monotonic_us();
    loop->gap_read_us = now;
    loop->realtime_gap = (int64_t)(nu_clock_realtime_us() - now);
}

uint64_t nu_loop_turns(const struct nu_loop *loop)
{
    return atomic_load_explicit(&loop->private_->turns, memory_order_relaxed);
}
