/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures about the process as a whole: server., listener_manager., runtime., filesystem. Few of
 * them are counted as they happen; most are read from where they are known, each time that
 * statistics are shown or a flush interval ends. Main thread.
 */
#ifndef NU_SERVER_PROCESS_STATS_H
#define NU_SERVER_PROCESS_STATS_H

#include "base/log_writer.h"
#include "event/timer.h"
#include "stats/server_stats.h"
#include "stats/stats.h"

struct nu_server;

enum { NU_PROCESS_STAT_SETS = 6 };

struct nu_process_stats {
    struct nu_server *owner;
    struct nu_stat_set *sets[NU_PROCESS_STAT_SETS];
    struct nu_server_stats *server;
    struct nu_listener_manager_stats *listeners;
    struct nu_runtime_stats *runtime;
    struct nu_filesystem_stats *filesystem;
    struct nu_log_counters seen; /* what `filesystem` has counted */
    struct nu_timer flush_timer;
    uint64_t flush_ms;
    uint64_t start_us;
};

void nu_process_stats_init(struct nu_process_stats *stats, struct nu_server *owner);
/* Begins the flush intervals. */
void nu_process_stats_start(struct nu_process_stats *stats);
void nu_process_stats_finish(struct nu_process_stats *stats);

/* Seconds since the start. */
uint64_t nu_process_stats_uptime_s(const struct nu_process_stats *stats);
/* Brings the figures that nobody counts up to date. */
void nu_process_stats_refresh(struct nu_process_stats *stats);

/* The listeners were put to work, so many on so many workers. */
void nu_process_stats_opened(struct nu_process_stats *stats, size_t listeners, unsigned workers);
/* Listeners stopped accepting. */
void nu_process_stats_stopped(struct nu_process_stats *stats, size_t listeners);
/* A snapshot of the runtime was made. */
void nu_process_stats_runtime_loaded(struct nu_process_stats *stats);

#endif
