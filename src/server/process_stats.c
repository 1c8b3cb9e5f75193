/* SPDX-License-Identifier: Apache-2.0 */
/* Figures about the process, and the flush interval that histograms are shown by. */
#include "server/process_stats.h"

#include "admin/admin.h"
#include "admin/memory.h"
#include "base/log.h"
#include "config/values.h"
#include "runtime/runtime.h"
#include "server/server_internal.h"
#include "tls/describe.h"

#include "envoy/config/bootstrap/v3/bootstrap.pb-c.h"

enum { DEFAULT_FLUSH_MS = 5000 };

/* --- Reading ---------------------------------------------------------------------------------- */

static void refresh_memory(struct nu_server_stats *server)
{
    struct nu_memory_figures figures;
    nu_memory_figures_read(&figures);
    nu_gauge_set(&server->memory_allocated, (int64_t)figures.allocated);
    nu_gauge_set(&server->memory_heap_size, (int64_t)figures.heap_size);
    nu_gauge_set(&server->memory_physical_size, (int64_t)figures.physical);
}

static uint32_t count_connections(const struct nu_server *server)
{
    uint32_t count = 0;
    for (unsigned i = 0; server->workers && i < server->worker_count; i++) {
        if (server->workers[i])
            count += nu_worker_connections(server->workers[i]);
    }
    return count;
}

static void refresh_server(struct nu_process_stats *stats)
{
    const struct nu_server *owner = stats->owner;
    struct nu_server_stats *server = stats->server;
    enum nu_server_state state = nu_server_state(owner);
    nu_gauge_set(&server->state, state);
    nu_gauge_set(&server->live, state == NU_SERVER_LIVE);
    nu_gauge_set(&server->uptime, (int64_t)nu_process_stats_uptime_s(stats));
    nu_gauge_set(&server->concurrency, owner->options->concurrency);
    nu_gauge_set(&server->hot_restart_epoch, owner->options->restart_epoch);
    nu_gauge_set(&server->total_connections, count_connections(owner));
    uint64_t now_s = nu_loop_realtime_us(owner->loop) / 1000000;
    nu_gauge_set(&server->days_until_first_cert_expiring,
                 nu_tls_days_until_expiry(&owner->tls_contexts, now_s));
    nu_gauge_set(&server->seconds_until_first_ocsp_response_expiring,
                 (int64_t)nu_tls_seconds_until_staple_expiry(&owner->tls_contexts, now_s));
}

static void refresh_runtime(struct nu_process_stats *stats)
{
    const struct nu_runtime *runtime = stats->owner->runtime;
    nu_gauge_set(&stats->runtime->num_layers, (int64_t)nu_runtime_layer_count(runtime));
    nu_gauge_set(&stats->runtime->num_keys, (int64_t)nu_runtime_key_count(runtime));
    nu_gauge_set(&stats->runtime->admin_overrides_active, nu_runtime_has_admin_overrides(runtime));
}

/* Brings a counter that is kept elsewhere to `value`. */
static void follow(struct nu_counter *counter, uint64_t *seen, uint64_t value)
{
    nu_counter_add(counter, value - *seen);
    *seen = value;
}

/* Says of each file once that lines for it are lost. */
static void tell_losing_files(struct nu_log_writer *writer)
{
    const char *path;
    while ((path = nu_log_writer_take_losing(writer)))
        nu_log(NU_LOG_FILE, NU_LOG_WARN,
               "log file '%s' does not keep up: lines are lost, and counted in "
               "filesystem.write_dropped",
               path);
}

static void refresh_filesystem(struct nu_process_stats *stats)
{
    struct nu_log_counters now;
    struct nu_log_counters *seen = &stats->seen;
    struct nu_filesystem_stats *files = stats->filesystem;
    nu_log_writer_counters(stats->owner->log_writer, &now);
    follow(&files->write_buffered, &seen->lines_written, now.lines_written);
    follow(&files->write_dropped, &seen->lines_dropped, now.lines_dropped);
    follow(&files->write_completed, &seen->writes_completed, now.writes_completed);
    follow(&files->write_failed, &seen->writes_failed, now.writes_failed);
    follow(&files->flushed_by_timer, &seen->flushed_by_timer, now.flushed_by_timer);
    follow(&files->reopen_failed, &seen->reopen_failed, now.reopen_failed);
    nu_gauge_set(&files->write_total_buffered, (int64_t)now.bytes_waiting);
    tell_losing_files(stats->owner->log_writer);
}

void nu_process_stats_refresh(struct nu_process_stats *stats)
{
    refresh_server(stats);
    refresh_memory(stats->server);
    refresh_runtime(stats);
    refresh_filesystem(stats);
}

uint64_t nu_process_stats_uptime_s(const struct nu_process_stats *stats)
{
    return (nu_loop_now_us(stats->owner->loop) - stats->start_us) / 1000000;
}

/* --- Events ----------------------------------------------------------------------------------- */

void nu_process_stats_opened(struct nu_process_stats *stats, size_t listeners, unsigned workers)
{
    nu_counter_add(&stats->listeners->listener_added, listeners);
    nu_counter_add(&stats->listeners->listener_create_success, listeners * workers);
    nu_gauge_set(&stats->listeners->total_listeners_active, (int64_t)listeners);
    nu_gauge_set(&stats->listeners->workers_started, 1);
    nu_histogram_record(&stats->server->initialization_time_ms,
                        (nu_loop_now_us(stats->owner->loop) - stats->start_us) / 1000);
}

void nu_process_stats_stopped(struct nu_process_stats *stats, size_t listeners)
{
    nu_counter_add(&stats->listeners->listener_stopped, listeners);
}

void nu_process_stats_runtime_loaded(struct nu_process_stats *stats)
{
    nu_counter_inc(&stats->runtime->load_success);
    nu_counter_inc(&stats->runtime->override_dir_not_exists);
}

/* --- Life ------------------------------------------------------------------------------------- */

static void on_flush(struct nu_timer *timer)
{
    struct nu_process_stats *stats = nu_container_of(timer, struct nu_process_stats, flush_timer);
    nu_process_stats_refresh(stats);
    nu_stats_flush(stats->owner->stats);
    nu_timer_arm(stats->owner->loop, timer, stats->flush_ms);
}

static struct nu_stat_set *add_set(struct nu_process_stats *stats, size_t index,
                                   const struct nu_stat_table *table, const char *prefix)
{
    stats->sets[index] = nu_stat_set_create(stats->owner->stats, table, nu_str_from(prefix));
    return stats->sets[index];
}

void nu_process_stats_init(struct nu_process_stats *stats, struct nu_server *owner)
{
    stats->owner = owner;
    stats->start_us = nu_loop_now_us(owner->loop);
    stats->server = nu_stat_set_block(add_set(stats, 0, &nu_server_stats_table, "server"));
    stats->listeners =
        nu_stat_set_block(add_set(stats, 1, &nu_listener_manager_stats_table, "listener_manager"));
    stats->runtime = nu_stat_set_block(add_set(stats, 2, &nu_runtime_stats_table, "runtime"));
    stats->filesystem =
        nu_stat_set_block(add_set(stats, 3, &nu_filesystem_stats_table, "filesystem"));
    add_set(stats, 4, &nu_compilation_stats_table, "server.compilation_settings");
    add_set(stats, 5, &nu_cluster_table_stats_table, "thread_local_cluster_manager.main_thread");
    nu_timer_init(&stats->flush_timer, on_flush);
}

void nu_process_stats_start(struct nu_process_stats *stats)
{
    const struct nu_server *owner = stats->owner;
    stats->flush_ms =
        nu_config_duration_ms(&stats->owner->ctx, owner->bootstrap, "stats_flush_interval",
                              owner->bootstrap->stats_flush_interval, DEFAULT_FLUSH_MS);
    nu_counter_add(&stats->server->static_unknown_fields, owner->ctx.unknown_fields);
    nu_process_stats_runtime_loaded(stats);
    nu_timer_arm(owner->loop, &stats->flush_timer, stats->flush_ms);
}

void nu_process_stats_finish(struct nu_process_stats *stats)
{
    nu_timer_cancel(&stats->flush_timer);
    for (size_t i = 0; i < NU_PROCESS_STAT_SETS; i++)
        nu_stat_set_destroy(&stats->sets[i]);
}
