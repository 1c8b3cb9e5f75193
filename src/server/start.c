/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting. Every socket is bound before a worker runs, so that an address in use ends the start
 * and not a worker; nobody can connect before all that must be warm is (or has taken too long).
 */
#include "server/server_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"

/* Targets bound their own waiting; this is for one that does not. */
enum { INIT_LIMIT_MS = 15000 };

static bool fail(const char *what, struct nu_strbuf *error)
{
    fprintf(stderr, "nuncio: %s%.*s\n", what, NU_STR_ARG(nu_strbuf_str(error)));
    nu_strbuf_finish(error);
    return false;
}

/* By address of the listener: the service manager's socket, or -1; in the server's arena. */
static const int *take_sockets(struct nu_server *server, const struct nu_listener_config *config)
{
    int *fds = nu_arena_alloc(&server->arena, config->address_count * sizeof(*fds));
    for (unsigned i = 0; i < config->address_count; i++)
        fds[i] = nu_inherited_take(&server->inherited, &config->addresses[i].address);
    return fds;
}

static bool bind_listeners(struct nu_server *server)
{
    server->listeners = nu_calloc(server->listener_count + 1, sizeof(*server->listeners));
    for (size_t i = 0; i < server->listener_count; i++) {
        const struct nu_listener_config *config = server->listener_configs[i];
        struct nu_strbuf error = {0};
        nu_strbuf_addf(&error, "listener '%.*s': ", NU_STR_ARG(config->name));
        server->listeners[i] =
            nu_listener_create(config, server->worker_count, server->stats, &server->drain,
                               take_sockets(server, config), &error);
        if (!server->listeners[i])
            return fail("", &error);
        nu_strbuf_finish(&error);
    }
    nu_inherited_finish(&server->inherited);
    nu_listener_stops_init(server);
    return true;
}

static bool start_workers(struct nu_server *server)
{
    server->workers = nu_calloc(server->worker_count, sizeof(*server->workers));
    for (unsigned i = 0; i < server->worker_count; i++) {
        server->workers[i] = nu_worker_create(i, server->stats, server->clusters, server->runtime);
        nu_worker_loop(server->workers[i])->client = &server->http_client.base;
        nu_worker_set_services(server->workers[i], &server->services.all);
        for (size_t l = 0; l < server->listener_count; l++)
            nu_worker_add_listener(server->workers[i], server->listeners[l]);
        if (!nu_worker_start(server->workers[i])) {
            fprintf(stderr, "nuncio: cannot start worker %u: %s\n", i, strerror(errno));
            return false;
        }
    }
    return true;
}

void nu_server_on_workers(struct nu_server *server, nu_worker_fn fn, void *arg)
{
    for (unsigned i = 0; i < server->worker_count; i++)
        nu_worker_run(server->workers[i], fn, arg);
}

static bool open_listeners(struct nu_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        struct nu_strbuf error = {0};
        if (server->listener_stops[i].state != NU_LISTENER_RUNS)
            continue;
        if (!nu_listener_open(server->listeners[i], &error))
            return fail("", &error);
        nu_server_on_workers(server, nu_worker_accept, server->listeners[i]);
    }
    server->is_open = true;
    nu_process_stats_opened(&server->process_stats, server->listener_count, server->worker_count);
    return true;
}

static void open_for_traffic(struct nu_server *server)
{
    if (server->draining)
        return;
    if (!open_listeners(server)) {
        nu_server_stop(server, 1);
        return;
    }
    nu_log(NU_LOG_MAIN, NU_LOG_INFO, "all clusters initialized. starting main dispatch loop");
    nu_notify_send(&server->notify,
                   "READY=1\nMAINPID=%d\nSTATUS=Serving: %zu listeners, %u workers", (int)getpid(),
                   server->listener_count, server->worker_count);
    if (server->on_open)
        server->on_open(server->on_open_arg);
    if (server->options->mode == NU_MODE_INIT_ONLY)
        nu_server_stop(server, 0);
}

static void on_late_init_ready(struct nu_init_manager *manager)
{
    struct nu_server *server = nu_container_of(manager, struct nu_server, late_init);
    nu_services_start(server, open_for_traffic);
}

static void start_late_init(struct nu_task *task)
{
    struct nu_server *server = nu_container_of(task, struct nu_server, late_start);
    nu_init_manager_start(&server->late_init, on_late_init_ready);
}

/* Behind the hosts of clusters, which are on their way to the threads, this one among them. */
static void post_late_init(struct nu_server *server)
{
    server->late_start.fn = start_late_init;
    nu_loop_post(server->loop, &server->late_start);
}

static void on_init_ready(struct nu_init_manager *manager)
{
    struct nu_server *server = nu_container_of(manager, struct nu_server, init);
    nu_timer_cancel(&server->init_timer);
    post_late_init(server);
}

void nu_server_on_init_timer(struct nu_timer *timer)
{
    struct nu_server *server = nu_container_of(timer, struct nu_server, init_timer);
    struct nu_init_target *target;
    nu_list_for_each(target, &server->init.pending, struct nu_init_target, link)
    {
        nu_log(NU_LOG_INIT, NU_LOG_WARN, "%s is not ready after %d s; opening the listeners",
               target->name, INIT_LIMIT_MS / 1000);
    }
    nu_init_manager_finish(&server->init);
    post_late_init(server);
}

static void start_watchdog(struct nu_server *server)
{
    struct nu_watchdog *watchdog = &server->watchdog;
    watchdog->stats = server->stats;
    watchdog->loop = server->loop;
    watchdog->notify = &server->notify;
    uint64_t manager_us =
        nu_notify_watchdog_us(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"), (int)getpid());
    nu_watchdog_start(watchdog, server->workers, server->worker_count, manager_us);
}

/* What services of the main thread call. */
static void give_clusters(struct nu_server *server)
{
    if (!server->main_calls_clusters)
        return;
    nu_cluster_table_init(&server->main_clusters, server->loop);
    nu_cluster_manager_attach(server->clusters, &server->main_clusters);
    server->loop->clusters = &server->main_clusters;
    server->loop->client = &server->http_client.base;
}

bool nu_server_start(struct nu_server *server)
{
    give_clusters(server);
    if (!bind_listeners(server) || !start_workers(server))
        return false;
    start_watchdog(server);
    nu_timer_arm(server->loop, &server->init_timer, INIT_LIMIT_MS);
    nu_init_manager_start(&server->init, on_init_ready);
    return true;
}
