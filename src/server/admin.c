/* SPDX-License-Identifier: Apache-2.0 */
/* The process behind the admin interface: what it sees and what it may do. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/runtime.h"
#include "server/server_internal.h"

enum nu_server_state nu_server_state(const struct nu_server *server)
{
    if (server->health_failed || server->draining)
        return NU_SERVER_DRAINING;
    if (server->is_open)
        return NU_SERVER_LIVE;
    return server->init.state == NU_INIT_IDLE ? NU_SERVER_PRE_INITIALIZING
                                              : NU_SERVER_INITIALIZING;
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

/* --- Draining --------------------------------------------------------------------------------- */

/* Tells every listener whether its connections are to be given up with their next response. */
static void update_drains(struct nu_server *server)
{
    uint64_t now = nu_loop_now_us(server->loop);
    for (size_t i = 0; server->listeners && i < server->listener_count; i++) {
        struct nu_listener *listener = server->listeners[i];
        bool give_up = server->health_failed && !listener->config->drain_on_modify_only;
        nu_drain_set(&listener->drain, give_up ? NU_DRAIN_IMMEDIATE : NU_DRAIN_OFF, now, 0);
    }
}

static void fail_health(void *owner, bool failed)
{
    struct nu_server *server = owner;
    server->health_failed = failed;
    update_drains(server);
}

static void stop_listeners(struct nu_server *server, bool inbound_only)
{
    size_t stopped = 0;
    for (size_t i = 0; i < server->listener_count; i++) {
        struct nu_listener *listener = server->listeners[i];
        if (inbound_only && listener->config->direction != NU_TRAFFIC_INBOUND)
            continue;
        nu_server_on_workers(server, nu_worker_stop_accepting, listener);
        stopped++;
    }
    nu_process_stats_stopped(&server->process_stats, stopped);
}

static void drain_listeners(void *owner, const struct nu_admin_drain *how)
{
    stop_listeners(owner, how->inbound_only);
}

/* --- Runtime and listeners -------------------------------------------------------------------- */

static struct nu_runtime *get_runtime(void *owner)
{
    const struct nu_server *server = owner;
    return server->runtime;
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
    .listener = get_listener,
};

/* --- Life ------------------------------------------------------------------------------------- */

void nu_server_build_admin(struct nu_server *server)
{
    struct nu_factory factory = nu_server_factory(server);
    struct nu_admin_parts parts = {
        .bootstrap = server->bootstrap,
        .clusters = server->clusters,
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
    if (!server->admin)
        return true;
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
