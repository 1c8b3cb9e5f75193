/* SPDX-License-Identifier: Apache-2.0 */
/* The process behind the admin interface: what it sees and what it may do. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/runtime.h"
#include "server/server_internal.h"

enum nu_server_state nu_server_state(const struct nu_server *server)
{
    if (server->listener_drain.health_failed || server->draining)
        return NU_SERVER_DRAINING;
    if (server->is_open)
        return NU_SERVER_LIVE;
    return server->init.state == NU_INIT_IDLE ? NU_SERVER_PRE_INITIALIZING : NU_SERVER_INITIALIZING;
}

static enum nu_server_state get_state(void *owner)
{
    return nu_server_state(owner);
}

static uint64_t uptime_s(void *owner)
{
    struct nu_server *server = owner;
    return nu_process_stats_uptime_s(&server->process_stats);
}

static unsigned concurrency(void *owner)
{
    const struct nu_server *server = owner;
    return server->options->concurrency;
}

static void print_options(void *owner, struct nu_json *json)
{
    const struct nu_server *server = owner;
    nu_options_print(server->options, json);
}

static void refresh_stats(void *owner)
{
    struct nu_server *server = owner;
    nu_process_stats_refresh(&server->process_stats);
}

static void quit(void *owner)
{
    nu_server_stop(owner, 0);
}

static void reopen_logs(void *owner)
{
    struct nu_server *server = owner;
    nu_log_writer_reopen(server->log_writer);
}

static void fail_health(void *owner, bool failed)
{
    struct nu_server *server = owner;
    nu_listener_drain_fail_health(&server->listener_drain, failed);
}

static void drain_listeners(void *owner, const struct nu_admin_drain *how)
{
    struct nu_server *server = owner;
    nu_listener_drain_begin(&server->listener_drain, how);
}

/* --- Runtime and listeners -------------------------------------------------------------------- */

static struct nu_runtime *get_runtime(void *owner)
{
    const struct nu_server *server = owner;
    return server->runtime;
}

/* Every worker holds the snapshot that it reads, so that the old one goes with its last reader. */
static bool modify_runtime(void *owner, const struct nu_runtime_change *changes, size_t count)
{
    struct nu_server *server = owner;
    struct nu_runtime *runtime = nu_runtime_modify(server->runtime, changes, count);
    if (!runtime)
        return false;
    nu_runtime_unref(&server->runtime);
    server->runtime = runtime;
    server->loop->runtime = runtime;
    nu_cluster_manager_set_runtime(server->clusters, runtime);
    for (unsigned i = 0; server->workers && i < server->worker_count; i++)
        nu_worker_set_runtime(server->workers[i], runtime);
    nu_process_stats_runtime_loaded(&server->process_stats);
    return true;
}

static const char *unready_target(void *owner, size_t index)
{
    struct nu_server *server = owner;
    struct nu_init_target *target;
    nu_list_for_each(target, &server->init.pending, struct nu_init_target, link)
    {
        if (index-- == 0)
            return target->name;
    }
    return NULL;
}

static const struct nu_listener *get_listener(void *owner, size_t index)
{
    const struct nu_server *server = owner;
    return server->listeners && index < server->listener_count ? server->listeners[index] : NULL;
}

static const struct nu_admin_ops ops = {
    .state = get_state,
    .uptime_s = uptime_s,
    .concurrency = concurrency,
    .print_options = print_options,
    .refresh_stats = refresh_stats,
    .quit = quit,
    .fail_health = fail_health,
    .drain_listeners = drain_listeners,
    .reopen_logs = reopen_logs,
    .runtime = get_runtime,
    .modify_runtime = modify_runtime,
    .unready_target = unready_target,
    .listener = get_listener,
};

/* --- Life ------------------------------------------------------------------------------------- */

void nu_server_build_admin(struct nu_server *server)
{
    struct nu_factory factory = nu_server_factory(server);
    struct nu_admin_parts parts = {
        .bootstrap = server->bootstrap,
        .clusters = server->clusters,
        .tls_contexts = &server->tls_contexts,
        .secrets = server->secrets,
        .ops = &ops,
        .owner = server,
    };
    server->admin = nu_admin_from_proto(&factory, &parts);
}

/* Written beside and renamed, so that whoever waits for the file never reads half of it. */
static bool write_address(const char *path, const struct nu_address *address)
{
    char text[NU_ADDRESS_TEXT_MAX];
    size_t len = nu_address_format(address, text);
    struct nu_strbuf temporary = {0};
    nu_strbuf_addf(&temporary, "%s.%d", path, (int)getpid());
    FILE *file = fopen(temporary.data, "we");
    bool ok = file && fwrite(text, 1, len, file) == len;
    if (file)
        ok = fclose(file) == 0 && ok;
    ok = ok && rename(temporary.data, path) == 0;
    nu_strbuf_finish(&temporary);
    return ok;
}

bool nu_server_open_admin(struct nu_server *server)
{
    struct nu_strbuf error = {0};
    const char *path = server->options->admin_address_path;
    if (!server->admin) {
        nu_log(NU_LOG_MAIN, NU_LOG_WARN,
               "No admin address given, so no admin HTTP server started.");
        return true;
    }
    if (!nu_admin_open(server->admin, &error)) {
        fprintf(stderr, "nuncio: admin: %.*s\n", NU_STR_ARG(nu_strbuf_str(&error)));
        nu_strbuf_finish(&error);
        return false;
    }
    if (path && path[0] && !write_address(path, nu_admin_address(server->admin))) {
        fprintf(stderr, "nuncio: cannot write the admin address to '%s': %s\n", path,
                strerror(errno));
        return false;
    }
    return true;
}
