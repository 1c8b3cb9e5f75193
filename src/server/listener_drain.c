/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping goes through the workers: each takes what waits in its queue, and when the last one has
 * done so the sockets are closed, so that nobody is left waiting in a queue that no one serves.
 */
#include "server/listener_drain.h"

#include "server/server_internal.h"

struct nu_listener_stop {
    struct nu_task done; /* to the main thread, when every worker has stopped */
    struct nu_server *server;
    struct nu_listener *listener;
    _Atomic unsigned workers_left;
    bool asked;
};

/* --- Giving connections up -------------------------------------------------------------------- */

static bool is_meant(const struct nu_listener *listener, bool inbound_only)
{
    return !inbound_only || listener->config->direction == NU_TRAFFIC_INBOUND;
}

static enum nu_drain_mode mode_of(const struct nu_listener_drain *drain,
                                  const struct nu_listener *listener)
{
    if (listener->config->drain_on_modify_only)
        return NU_DRAIN_OFF;
    if (drain->health_failed)
        return NU_DRAIN_IMMEDIATE;
    if (!drain->graceful || !is_meant(listener, drain->how.inbound_only))
        return NU_DRAIN_OFF;
    return drain->server->options->drain_immediately ? NU_DRAIN_IMMEDIATE : NU_DRAIN_GRADUAL;
}

static uint64_t period_us(const struct nu_listener_drain *drain)
{
    return drain->server->options->drain_time_s * 1000000ull;
}

static void update(struct nu_listener_drain *drain)
{
    struct nu_server *server = drain->server;
    for (size_t i = 0; server->listeners && i < server->listener_count; i++) {
        struct nu_listener *listener = server->listeners[i];
        nu_drain_set(&listener->drain, mode_of(drain, listener), drain->start_us,
                     period_us(drain));
    }
}

void nu_listener_drain_fail_health(struct nu_listener_drain *drain, bool failed)
{
    drain->health_failed = failed;
    update(drain);
}

/* --- Stopping --------------------------------------------------------------------------------- */

static void on_stopped(struct nu_task *task)
{
    struct nu_listener_stop *stop = nu_container_of(task, struct nu_listener_stop, done);
    nu_listener_close(stop->listener);
    nu_process_stats_stopped(&stop->server->process_stats, 1);
}

static void stop_on_worker(struct nu_worker *worker, void *arg)
{
    struct nu_listener_stop *stop = arg;
    nu_worker_stop_accepting(worker, stop->listener);
    if (atomic_fetch_sub(&stop->workers_left, 1) == 1)
        nu_loop_post(stop->server->loop, &stop->done);
}

static void stop_listener(struct nu_listener_drain *drain, size_t index)
{
    struct nu_server *server = drain->server;
    struct nu_listener_stop *stop = &drain->stops[index];
    if (stop->asked)
        return;
    stop->asked = true;
    stop->done.fn = on_stopped;
    stop->server = server;
    stop->listener = server->listeners[index];
    atomic_store(&stop->workers_left, server->worker_count);
    nu_server_on_workers(server, stop_on_worker, stop);
}

static void stop_listeners(struct nu_listener_drain *drain, bool inbound_only)
{
    struct nu_server *server = drain->server;
    if (!server->is_open) {
        drain->stop_inbound_only = inbound_only && (drain->stop_inbound_only || !drain->stop_asked);
        drain->stop_asked = true;
        return;
    }
    if (!drain->stops)
        drain->stops =
            nu_arena_calloc(&server->arena, (server->listener_count + 1) * sizeof(*drain->stops));
    for (size_t i = 0; i < server->listener_count; i++) {
        if (is_meant(server->listeners[i], inbound_only))
            stop_listener(drain, i);
    }
}

void nu_listener_drain_on_open(struct nu_listener_drain *drain)
{
    if (drain->stop_asked)
        stop_listeners(drain, drain->stop_inbound_only);
}

static void on_timer(struct nu_timer *timer)
{
    struct nu_listener_drain *drain = nu_container_of(timer, struct nu_listener_drain, timer);
    if (!drain->how.skip_exit)
        stop_listeners(drain, drain->how.inbound_only);
}

void nu_listener_drain_begin(struct nu_listener_drain *drain, const struct nu_admin_drain *how)
{
    if (!how->graceful) {
        stop_listeners(drain, how->inbound_only);
        return;
    }
    if (drain->graceful)
        return;
    drain->graceful = true;
    drain->how = *how;
    drain->start_us = nu_loop_now_us(drain->server->loop);
    update(drain);
    nu_timer_arm(drain->server->loop, &drain->timer, period_us(drain) / 1000);
}

/* --- Life ------------------------------------------------------------------------------------- */

void nu_listener_drain_init(struct nu_listener_drain *drain, struct nu_server *server)
{
    drain->server = server;
    nu_timer_init(&drain->timer, on_timer);
}

void nu_listener_drain_finish(struct nu_listener_drain *drain)
{
    nu_timer_cancel(&drain->timer);
}
