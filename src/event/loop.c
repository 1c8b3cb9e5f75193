/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop. libevent has no hook for the end of a turn, so one is made: an event without a
 * descriptor that is activated when the turn's first task (or clock reading) is registered.
 * Activation appends it to the queue of ready events that libevent is working through, so it runs
 * behind all of them, in the same turn and without another system call.
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
#include "event/timer.h"

struct deferred_free {
    void (*fn)(void *obj);
    void *obj;
};

struct nu_loop_private {
    struct event turn_end;
    struct event next_turn;
    struct event mailbox;
    int mailbox_fd;
    _Atomic(struct nu_task *) inbox; /* newest first */
    struct nu_task stop_task;
    atomic_bool stop_asked; /* the one stop task is on its way */
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

static void on_turn_end(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct nu_loop *loop = arg;
    nu_loop_run_tasks(loop);
    loop->turn_armed = false;
    atomic_fetch_add_explicit(&loop->private_->turns, 1, memory_order_relaxed);
}

void nu_loop_arm_turn_end(struct nu_loop *loop)
{
    loop->turn_armed = true;
    event_active(&loop->private_->turn_end, EV_TIMEOUT, 0);
}

static void on_next_turn(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct nu_loop *loop = arg;
    nu_list_move_all(&loop->turn_tasks, &loop->next_turn_tasks);
    if (!loop->turn_armed)
        nu_loop_arm_turn_end(loop);
}

void nu_loop_at_next_turn(struct nu_loop *loop, struct nu_turn_task *task)
{
    static const struct timeval at_once = {0, 0};
    if (nu_list_is_linked(&task->link))
        return;
    nu_list_add_last(&loop->next_turn_tasks, &task->link);
    event_add(&loop->private_->next_turn, &at_once);
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
    nu_timer_wheel_run(loop->timers);
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

static struct event_base *create_base(void)
{
    struct event_config *config = event_config_new();
    nu_assert(config);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    nu_assert(base);
    return base;
}

static void on_stop(struct nu_task *task)
{
    struct nu_loop_private *p = nu_container_of(task, struct nu_loop_private, stop_task);
    atomic_store(&p->stop_asked, false);
    event_base_loopexit(event_get_base(&p->mailbox), NULL);
}

struct nu_loop *nu_loop_create(void)
{
    struct nu_loop *loop = nu_calloc(1, sizeof(*loop));
    struct nu_loop_private *p = nu_calloc(1, sizeof(*p));
    loop->private_ = p;
    loop->base = create_base();
    nu_list_init(&loop->turn_tasks);
    nu_list_init(&loop->next_turn_tasks);
    nu_loop_measure_gap(loop);
    event_assign(&p->turn_end, loop->base, -1, EV_PERSIST, on_turn_end, loop);
    event_assign(&p->next_turn, loop->base, -1, 0, on_next_turn, loop);
    p->mailbox_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    nu_assert(p->mailbox_fd >= 0);
    event_assign(&p->mailbox, loop->base, p->mailbox_fd, EV_READ | EV_PERSIST, on_mailbox, loop);
    event_add(&p->mailbox, NULL);
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
    event_del(&p->mailbox);
    event_del(&p->next_turn);
    event_del(&p->turn_end);
    nu_timer_wheel_destroy(&loop->timers);
    event_base_free(loop->base);
    close(p->mailbox_fd);
    nu_free(p->deferred);
    nu_free(p);
    nu_free(loop);
}

void nu_loop_run(struct nu_loop *loop)
{
    event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void nu_loop_run_once(struct nu_loop *loop)
{
    event_base_loop(loop->base, EVLOOP_NONBLOCK);
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
    if (!loop->turn_armed)
        nu_loop_arm_turn_end(loop);
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
