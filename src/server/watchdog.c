/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rounds of messages. Envoy's thresholds are its defaults: 200 ms is a miss, a second a mega
 * miss. Envoy looks all the time and we once a round, since a message wakes a worker that has
 * nothing to do; what lasts a round is seen for sure.
 */
#include "server/watchdog.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

enum { ROUND_MS = 1000, MISS_MS = 200, MEGA_MISS_MS = 1000 };

struct nu_watched {
    char name[24];
    struct nu_worker *worker; /* borrowed; NULL for main */
    struct nu_stat_set *set;  /* server.NAME. */
    struct nu_task task;      /* the message; on its way while is_asked and not answered */
    _Atomic uint64_t answered_us;
    uint64_t asked_us;
    bool is_asked;
    bool has_missed; /* since it was asked */
    bool has_mega_missed;
};

static void count_miss(struct nu_watchdog *watchdog, struct nu_watched *thread, bool mega)
{
    struct nu_watchdog_stats *own = nu_stat_set_block(thread->set);
    struct nu_watchdog_stats *group =
        nu_stat_set_block(thread->worker ? watchdog->workers_set : watchdog->main_set);
    nu_counter_inc(mega ? &own->watchdog_mega_miss : &own->watchdog_miss);
    nu_counter_inc(mega ? &group->watchdog_mega_miss : &group->watchdog_miss);
}

/* Judges how long a thread took, or has taken so far. */
static void judge(struct nu_watchdog *watchdog, struct nu_watched *thread, uint64_t took_us)
{
    if (took_us > MISS_MS * 1000 && !thread->has_missed) {
        thread->has_missed = true;
        count_miss(watchdog, thread, false);
    }
    if (took_us > MEGA_MISS_MS * 1000 && !thread->has_mega_missed) {
        thread->has_mega_missed = true;
        count_miss(watchdog, thread, true);
        nu_log(NU_LOG_MAIN, NU_LOG_WARN, "%s has not come round for %llu ms", thread->name,
               (unsigned long long)took_us / 1000);
    }
}

static void on_asked(struct nu_task *task)
{
    struct nu_watched *thread = nu_container_of(task, struct nu_watched, task);
    atomic_store_explicit(&thread->answered_us, nu_clock_monotonic_us(), memory_order_release);
}

static void ask(struct nu_watched *thread, uint64_t now)
{
    thread->is_asked = true;
    thread->has_missed = false;
    thread->has_mega_missed = false;
    thread->asked_us = now;
    atomic_store_explicit(&thread->answered_us, 0, memory_order_relaxed);
    nu_loop_post(nu_worker_loop(thread->worker), &thread->task);
}

/* Whether the worker answered; then it is asked again. */
static bool look_at_worker(struct nu_watchdog *watchdog, struct nu_watched *thread, uint64_t now)
{
    if (thread->is_asked) {
        uint64_t answered = atomic_load_explicit(&thread->answered_us, memory_order_acquire);
        judge(watchdog, thread, (answered ? answered : now) - thread->asked_us);
        if (!answered)
            return false;
    }
    ask(thread, now);
    return true;
}

static void look_at_main(struct nu_watchdog *watchdog, uint64_t now)
{
    struct nu_watched *thread = &watchdog->threads[0];
    thread->has_missed = false;
    thread->has_mega_missed = false;
    if (now > watchdog->due_us)
        judge(watchdog, thread, now - watchdog->due_us);
}

static void arm(struct nu_watchdog *watchdog, uint64_t now)
{
    watchdog->due_us = now + watchdog->interval_ms * 1000;
    nu_timer_arm(watchdog->loop, &watchdog->timer, watchdog->interval_ms);
}

static void on_round(struct nu_timer *timer)
{
    struct nu_watchdog *watchdog = nu_container_of(timer, struct nu_watchdog, timer);
    uint64_t now = nu_clock_monotonic_us();
    bool all = true;
    look_at_main(watchdog, now);
    for (unsigned i = 1; i < watchdog->count; i++)
        all &= look_at_worker(watchdog, &watchdog->threads[i], now);
    if (all && watchdog->feeds_manager)
        nu_notify_send(watchdog->notify, "WATCHDOG=1");
    arm(watchdog, now);
}

static struct nu_stat_set *make_set(struct nu_watchdog *watchdog, const char *prefix)
{
    return nu_stat_set_create(watchdog->stats, &nu_watchdog_stats_table, nu_str_from(prefix));
}

static void init_thread(struct nu_watchdog *watchdog, unsigned index, struct nu_worker *worker)
{
    struct nu_watched *thread = &watchdog->threads[index];
    char prefix[40];
    if (worker)
        snprintf(thread->name, sizeof(thread->name), "worker_%u", index - 1);
    else
        snprintf(thread->name, sizeof(thread->name), "main_thread");
    snprintf(prefix, sizeof(prefix), "server.%s", thread->name);
    thread->worker = worker;
    thread->task.fn = on_asked;
    thread->set = make_set(watchdog, prefix);
}

/* Four looks in the manager's interval: one late round does not end us. */
static uint64_t round_ms(uint64_t manager_us)
{
    uint64_t wanted = manager_us / 4000;
    if (manager_us == 0 || wanted > ROUND_MS)
        return ROUND_MS;
    return wanted ? wanted : 1;
}

void nu_watchdog_start(struct nu_watchdog *watchdog, struct nu_worker **workers, unsigned count,
                       uint64_t manager_us)
{
    watchdog->count = count + 1;
    watchdog->threads = nu_calloc(watchdog->count, sizeof(*watchdog->threads));
    watchdog->main_set = make_set(watchdog, "main_thread");
    watchdog->workers_set = make_set(watchdog, "workers");
    for (unsigned i = 0; i < watchdog->count; i++)
        init_thread(watchdog, i, i ? workers[i - 1] : NULL);
    watchdog->interval_ms = round_ms(manager_us);
    watchdog->feeds_manager = manager_us > 0;
    nu_timer_init(&watchdog->timer, on_round);
    arm(watchdog, nu_clock_monotonic_us());
}

void nu_watchdog_finish(struct nu_watchdog *watchdog)
{
    if (!watchdog->threads)
        return;
    nu_timer_cancel(&watchdog->timer);
    for (unsigned i = 0; i < watchdog->count; i++)
        nu_stat_set_destroy(&watchdog->threads[i].set);
    nu_stat_set_destroy(&watchdog->main_set);
    nu_stat_set_destroy(&watchdog->workers_set);
    nu_free(watchdog->threads);
}
