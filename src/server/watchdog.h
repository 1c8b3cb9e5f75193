/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether every thread's loop still turns. Each round the main thread sends every worker a
 * message and looks how long the one before took to be read; its own turn is late if the round's
 * timer was. Slow answers are counted with Envoy's names, and the service manager's watchdog is
 * fed only when everybody answered. Main thread.
 */
#ifndef NU_SERVER_WATCHDOG_H
#define NU_SERVER_WATCHDOG_H

#include "event/timer.h"
#include "server/notify.h"
#include "server/worker.h"
#include "stats/server_stats.h"

struct nu_watched; /* one thread */

struct nu_watchdog {
    struct nu_stats *stats;         /* borrowed */
    struct nu_loop *loop;           /* borrowed: the main thread's */
    const struct nu_notify *notify; /* borrowed */
    struct nu_watched *threads;     /* owned: main, then the workers */
    unsigned count;
    struct nu_stat_set *main_set; /* main_thread. */
    struct nu_stat_set *workers_set;
    struct nu_timer timer;
    uint64_t interval_ms;
    uint64_t due_us; /* when the timer should fire */
    bool feeds_manager;
};

/*
 * Begins the rounds over `count` workers (borrowed; they run). `manager_us` is the interval at
 * which the service manager wants to hear from us, or 0.
 */
void nu_watchdog_start(struct nu_watchdog *watchdog, struct nu_worker **workers, unsigned count,
                       uint64_t manager_us);
/* Harmless if it was not started. The workers are gone: they read messages no more. */
void nu_watchdog_finish(struct nu_watchdog *watchdog);

#endif
