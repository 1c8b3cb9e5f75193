/* SPDX-License-Identifier: Apache-2.0 */
/* Services on all threads: each worker is asked by message, and the last to have started says so. */
#include "server/services.h"

#include "server/server_internal.h"

static void on_all_started(struct nu_task *task)
{
    struct nu_services *services = nu_container_of(task, struct nu_services, started);
    struct nu_server *server = nu_container_of(services, struct nu_server, services);
    services->on_started(server);
}

void nu_services_init(struct nu_services *services)
{
    nu_list_init(&services->all);
    services->started.fn = on_all_started;
}

/* On a worker's thread. */
static void start_on_worker(struct nu_worker *worker, void *arg)
{
    struct nu_server *server = arg;
    nu_worker_start_services(worker);
    if (atomic_fetch_sub(&server->services.starting, 1) == 1)
        nu_loop_post(server->loop, &server->services.started);
}

void nu_services_start(struct nu_server *server, void (*on_started)(struct nu_server *server))
{
    struct nu_services *services = &server->services;
    services->on_started = on_started;
    if (nu_list_is_empty(&services->all)) {
        on_started(server);
        return;
    }
    nu_thread_services_start(&services->all, NU_THREADS_MAIN, server->loop);
    atomic_store(&services->starting, server->worker_count);
    nu_server_on_workers(server, start_on_worker, server);
}

bool nu_services_end(struct nu_server *server)
{
    if (nu_list_is_empty(&server->services.all))
        return true;
    bool all = nu_thread_services_end(&server->services.all, NU_THREADS_MAIN);
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (nu_worker_services_ended(server->workers[i]))
            continue;
        nu_worker_run(server->workers[i], nu_worker_end_services, NULL);
        all = false;
    }
    return all;
}

bool nu_services_finish(struct nu_server *server)
{
    nu_thread_services_end(&server->services.all, NU_THREADS_MAIN);
    return nu_thread_services_finish(&server->services.all, NU_THREADS_MAIN);
}
