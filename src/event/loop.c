/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop: libevent waits and calls for descriptors (event/io.c) and signals; timers have a wheel,
 * for which one event of libevent's ends the wait; then comes the end of the turn.
 *
 * Messages are a lock-free stack that senders push to; whoever finds it empty rings the eventfd.
 */
#include "event/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"
#include "event/io.h"
#include "event/timer.h"

struct deferred_free {
    void (*fn)(void *obj);
    void *obj;
};

struct nu_loop_private {
    struct nu_io mailbox;
    int mailbox_fd;
    struct event wake;               /* ends a wait when it is time for a timer */
    uint64_t wake_ms;                /* when it does, or NU_TIMER_NEVER */
    struct event wait_is_over;       /* ends one that has a limit of its own */
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

static void on_wake(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct nu_loop_private *p = arg;
    p->wake_ms = NU_TIMER_NEVER;
}

static void on_wait_is_over(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

static _Thread_local char last_words[256]; /* of libevent, when it gives up */

/* A loop that cannot be made, which is for want of descriptors, is the end of the process. */
static _Noreturn void give_up(const char *reason)
{
    fprintf(stderr, "nuncio: cannot make an event loop: %s\n", reason);
    _exit(EXIT_FAILURE);
}

static void on_library_log(int severity, const char *message)
{
    if (severity == EVENT_LOG_ERR)
        snprintf(last_words, sizeof(last_words), "%s", message);
    else if (severity == EVENT_LOG_WARN)
        nu_log(NU_LOG_MAIN, NU_LOG_WARN, "libevent: %s", message);
}

static void on_library_end(int code)
{
    (void)code;
    give_up(last_words);
}

/* Else libevent writes to stderr, past the log, and ends the process by itself. */
static void take_library_messages(void)
{
    event_set_log_callback(on_library_log);
    event_set_fatal_callback(on_library_end);
}

static struct event_base *create_base(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, take_library_messages);
    struct event_config *config = event_config_new();
    nu_assert(config);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = event_base_new_with_config(config);
    if (!base)
        give_up(strerror(errno));
    event_config_free(config);
    return base;
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
    loop->base = create_base();
    nu_list_init(&loop->turn_tasks);
    nu_list_init(&loop->next_turn_tasks);
    nu_loop_measure_gap(loop);
    event_assign(&p->wake, loop->base, -1, 0, on_wake, p);
    p->wake_ms = NU_TIMER_NEVER;
    event_assign(&p->wait_is_over, loop->base, -1, 0, on_wait_is_over, NULL);
    p->mailbox_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->mailbox_fd < 0)
        give_up(strerror(errno));
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
    event_del(&p->wake);
    event_del(&p->wait_is_over);
    event_base_free(loop->base);
    close(p->mailbox_fd);
    nu_free(p->deferred);
    nu_free(p);
    nu_free(loop);
}

static void add_after(struct event *event, uint64_t delay_us)
{
    struct timeval delay = {.tv_sec = (time_t)(delay_us / 1000000),
                            .tv_usec = (suseconds_t)(delay_us % 1000000)};
    event_add(event, &delay);
}

/* A wake-up for a timer that was cancelled stays: it does no harm, and most are. */
static void set_wake(struct nu_loop *loop)
{
    struct nu_loop_private *p = loop->private_;
    uint64_t look_ms = nu_timer_wheel_look_ms(loop->timers);
    if (nu_likely(look_ms >= p->wake_ms))
        return;
    uint64_t now_us = nu_clock_monotonic_us();
    p->wake_ms = look_ms;
    add_after(&p->wake, look_ms * 1000 > now_us ? look_ms * 1000 - now_us : 0);
}

/* Whether something waits for a turn to come; before the first one that may be a task of its end. */
static bool is_pressed(const struct nu_loop *loop)
{
    return !nu_list_is_empty(&loop->next_turn_tasks) || !nu_list_is_empty(&loop->turn_tasks) ||
           loop->private_->deferred_count;
}

/* Waits up to `wait_ms` (-1: for ever), but not longer than till the next timer, and calls those who
 * wait for what is ready then. */
static void run_events(struct nu_loop *loop, int wait_ms, int flags)
{
    struct nu_loop_private *p = loop->private_;
    if (wait_ms == 0)
        flags |= EVLOOP_NONBLOCK;
    else
        set_wake(loop);
    if (nu_unlikely(wait_ms > 0))
        add_after(&p->wait_is_over, (uint64_t)wait_ms * 1000);
    event_base_loop(loop->base, flags);
    if (nu_unlikely(wait_ms > 0))
        event_del(&p->wait_is_over);
}

/* One turn; whether it had timers or tasks. `flags` are those of libevent's loop. */
static bool run_turn(struct nu_loop *loop, int wait_ms, int flags)
{
    /* What is asked for in this turn is not due before the next one. */
    struct nu_list due;
    if (is_pressed(loop))
        wait_ms = 0;
    nu_list_init(&due);
    nu_list_move_all(&due, &loop->next_turn_tasks);
    loop->now_us = 0;
    run_events(loop, wait_ms, flags);
    bool had_timers = nu_timer_wheel_run(loop->timers);
    nu_list_move_all(&loop->turn_tasks, &due);
    bool had_tasks = !nu_list_is_empty(&loop->turn_tasks);
    nu_loop_run_tasks(loop);
    atomic_fetch_add_explicit(&loop->private_->turns, 1, memory_order_relaxed);
    return had_timers || had_tasks;
}

void nu_loop_run(struct nu_loop *loop)
{
    struct nu_loop_private *p = loop->private_;
    p->is_stopped = false;
    while (!p->is_stopped)
        run_turn(loop, -1, EVLOOP_ONCE);
}

void nu_loop_run_once(struct nu_loop *loop)
{
    /* Its callbacks may make more descriptors ready. */
    while (run_turn(loop, 0, EVLOOP_NONBLOCK))
        continue;
}

void nu_loop_run_turn(struct nu_loop *loop, int wait_ms)
{
    run_turn(loop, wait_ms, EVLOOP_ONCE);
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
