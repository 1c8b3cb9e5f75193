/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping listeners, step by step. */
#include "server/listener_stop.h"

#include "base/alloc.h"
#include "server/server_internal.h"

/* How long handshakes that have begun may take to end. */
enum { HANDSHAKE_MS = 100 };

static struct nu_listener *listener_of(const struct nu_listener_stop *stop)
{
    return stop->server->listeners[stop - stop->server->listener_stops];
}

static void on_workers_stopped(struct nu_task *task)
{
    struct nu_listener_stop *stop = nu_container_of(task, struct nu_listener_stop, task);
    stop->state = NU_LISTENER_CLOSED;
    nu_listener_close(listener_of(stop));
}

/* On each worker's thread. */
static void stop_worker(struct nu_worker *worker, void *arg)
{
    struct nu_listener_stop *stop = arg;
    nu_worker_stop_accepting(worker, listener_of(stop));
    if (atomic_fetch_sub(&stop->waiting, 1) == 1)
        nu_loop_post(stop->server->loop, &stop->task);
}

static void on_handshakes_over(struct nu_timer *timer)
{
    struct nu_listener_stop *stop = nu_container_of(timer, struct nu_listener_stop, timer);
    stop->state = NU_LISTENER_STOPS;
    atomic_store(&stop->waiting, stop->server->worker_count);
    nu_server_on_workers(stop->server, stop_worker, stop);
}

void nu_listener_stops_init(struct nu_server *server)
{
    server->listener_stops = nu_calloc(server->listener_count + 1, sizeof(*server->listener_stops));
    for (size_t i = 0; i < server->listener_count; i++) {
        struct nu_listener_stop *stop = &server->listener_stops[i];
        stop->server = server;
        stop->task.fn = on_workers_stopped;
        nu_timer_init(&stop->timer, on_handshakes_over);
    }
}

void nu_listener_stops_finish(struct nu_server *server)
{
    for (size_t i = 0; server->listener_stops && i < server->listener_count; i++)
        nu_timer_cancel(&server->listener_stops[i].timer);
    nu_free(server->listener_stops);
}

void nu_server_stop_listener(struct nu_server *server, size_t index)
{
    struct nu_listener_stop *stop = &server->listener_stops[index];
    if (stop->state != NU_LISTENER_RUNS)
        return;
    nu_process_stats_stopped(&server->process_stats, 1);
    if (!server->is_open) {
        stop->state = NU_LISTENER_CLOSED;
        nu_listener_close(server->listeners[index]);
        return;
    }
    stop->state = NU_LISTENER_REFUSES;
    nu_listener_refuse_new(server->listeners[index]);
    nu_timer_arm(server->loop, &stop->timer, HANDSHAKE_MS);
}

bool nu_server_listeners_closed(const struct nu_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        if (server->listener_stops[i].state != NU_LISTENER_CLOSED)
            return false;
    }
    return true;
}
