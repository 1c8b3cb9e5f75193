/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server. Order matters in both directions: sockets are bound before workers exist, they listen
 * when the clusters are warm, and at the end workers are gone before anything that they use.
 */
#include "server/server_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "event/file_watch.h"
#include "net/dns.h"
#include "runtime/runtime.h"
#include "server/log_setup.h"
#include "server/process.h"
#include "tls/secrets.h"

/* Errors of a configuration that somebody has before them, or else just what is wrong. */
static void print_errors(const struct nu_error_list *errors, const char *errors_as)
{
    struct nu_strbuf text = {0};
    for (size_t i = 0; errors_as && i < errors->count; i++)
        fprintf(stderr, "%s: %s\n", errors_as, errors->items[i].message);
    if (errors_as)
        return;
    nu_error_list_format(errors, &text);
    fprintf(stderr, "%.*s", NU_STR_ARG(nu_strbuf_str(&text)));
    nu_strbuf_finish(&text);
}

static void log_warnings(const struct nu_error_list *warnings)
{
    for (size_t i = 0; i < warnings->count; i++) {
        struct nu_strbuf text = {0};
        nu_error_format(&warnings->items[i], &text);
        nu_log(NU_LOG_CONFIG, NU_LOG_WARN, "%s", text.data);
        nu_strbuf_finish(&text);
    }
}

struct nu_server *nu_server_create(const struct nu_options *options)
{
    struct nu_server *server = nu_calloc(1, sizeof(*server));
    server->options = options;
    server->notify.fd = -1;
    nu_arena_init(&server->arena);
    nu_config_ctx_init(&server->ctx, &server->arena);
    server->ctx.allow_unknown = options->allow_unknown_static_fields;
    server->ctx.skip_deprecated = options->skip_deprecated_logs;
    server->stats = nu_stats_create();
    server->log_writer = nu_log_writer_create(options->file_flush_interval_ms);
    if (options->mode == NU_MODE_VALIDATE)
        nu_log_writer_make_no_files(server->log_writer);
    server->loop = nu_loop_create();
    nu_listener_drain_init(&server->listener_drain, server);
    nu_list_init(&server->tls_contexts);
    nu_process_stats_init(&server->process_stats, server);
    server->clusters = nu_cluster_manager_create(server->stats, server->loop);
    nu_services_init(&server->services);
    nu_init_manager_init(&server->init, "Server");
    nu_init_manager_init(&server->late_init, "Server, with clusters");
    nu_timer_init(&server->init_timer, nu_server_on_init_timer);
    nu_timer_init(&server->drain_timer, nu_server_on_drain_timer);
    nu_options_log_ignored(options);
    server->files = nu_file_watcher_create(server->loop);
    server->secrets =
        nu_tls_secrets_create(server->loop, server->files, server->stats, &server->init);
    bool ok = nu_server_build(server);
    log_warnings(&server->ctx.warnings);
    if (ok)
        return server;
    nu_error_list_sort(&server->ctx.errors);
    print_errors(&server->ctx.errors, options->errors_as);
    nu_server_destroy(&server);
    return NULL;
}

void nu_server_stop(struct nu_server *server, int status)
{
    server->exit_status = status;
    nu_notify_send(&server->notify, "STOPPING=1\nSTATUS=Ending");
    nu_loop_stop(server->loop);
}

static bool start_log(struct nu_server *server)
{
    if (!nu_log_setup_output(server->options, server->log_writer))
        return false;
    bool ok = nu_log_writer_start(server->log_writer);
    if (!ok)
        fprintf(stderr, "nuncio: cannot start the log thread: %s\n", strerror(errno));
    return ok;
}

static void write_base_id(const struct nu_options *options)
{
    char text[16];
    int len = snprintf(text, sizeof(text), "%u", options->base_id);
    bool ok = nu_process_write_file(options->base_id_path, nu_str_make(text, (size_t)len));
    (void)ok; /* it is in the log */
}

int nu_server_run(struct nu_server *server)
{
    server->worker_count = server->options->concurrency;
    nu_server_watch_signals(server);
    nu_inherited_init(&server->inherited);
    if (!start_log(server))
        return 1;
    nu_notify_init(&server->notify, getenv("NOTIFY_SOCKET"));
    if (server->options->base_id_path)
        write_base_id(server->options);
    nu_process_stats_start(&server->process_stats);
    if (!nu_server_open_admin(server) || !nu_server_start(server))
        return 1;
    nu_loop_run(server->loop);
    return server->exit_status;
}

static void destroy_workers(struct nu_server *server)
{
    for (unsigned i = 0; server->workers && i < server->worker_count; i++) {
        if (server->workers[i])
            nu_worker_join(server->workers[i]);
    }
    for (unsigned i = 0; server->workers && i < server->worker_count; i++)
        nu_worker_destroy(&server->workers[i]);
    nu_free(server->workers);
}

static void destroy_listeners(struct nu_server *server)
{
    nu_listener_stops_finish(server);
    for (size_t i = 0; server->listeners && i < server->listener_count; i++)
        nu_listener_destroy(&server->listeners[i]);
    nu_free(server->listeners);
}

static void take_clusters(struct nu_server *server)
{
    if (!server->loop->clusters)
        return;
    nu_cluster_table_finish(&server->main_clusters);
    server->loop->clusters = NULL;
    nu_loop_run_tasks(server->loop);
}

/* What others see is put right, and the rest is left as it is. */
static void leave(struct nu_server *server)
{
    enum { LOG_WAIT_MS = 500 };
    nu_admin_close(server->admin);
    destroy_listeners(server);
    nu_log_writer_sync(server->log_writer, LOG_WAIT_MS);
}

bool nu_server_destroy(struct nu_server **server_ptr)
{
    struct nu_server *server = *server_ptr;
    if (!server)
        return true;
    *server_ptr = NULL;
    destroy_workers(server);
    if (!nu_services_finish(server)) {
        leave(server);
        return false;
    }
    take_clusters(server);
    nu_watchdog_finish(&server->watchdog);
    nu_admin_close(server->admin);
    destroy_listeners(server);
    nu_listener_drain_finish(&server->listener_drain);
    nu_process_stats_finish(&server->process_stats);
    nu_server_ignore_signals(server);
    nu_timer_cancel(&server->drain_timer);
    nu_timer_cancel(&server->init_timer);
    nu_init_manager_finish(&server->init);
    nu_init_manager_finish(&server->late_init);
    nu_cluster_manager_destroy(&server->clusters);
    nu_dns_resolver_destroy(&server->dns);
    nu_runtime_unref(&server->runtime);
    nu_file_watcher_destroy(&server->files);
    nu_loop_destroy(&server->loop);
    nu_inherited_finish(&server->inherited);
    nu_notify_finish(&server->notify);
    nu_log_set_file(NULL);
    nu_log_writer_destroy(&server->log_writer);
    nu_config_ctx_finish(&server->ctx);
    nu_map_finish(&server->shared);
    nu_arena_finish(&server->arena);          /* what goes with it gives its statistics back */
    nu_tls_secrets_destroy(&server->secrets); /* the configuration's contexts used them */
    nu_stats_destroy(&server->stats);
    nu_free(server);
    return true;
}
